# SPDX-License-Identifier: Apache-2.0
"""What is set for update modules."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleOptions:
    """Update modules.

    Attributes:
        folders: where they are; of two for the same payload type, the first folder's runs.
        payloads: where their working trees are, one for each payload of an artifact.
        timeout: how long one call of one may take [s]; then it fails, and its process group is
            killed.
        keep_free: what a payload that is stored for a module leaves free on its filesystem [B].
    """

    folders: tuple[Path, ...] = (
        Path("/usr/share/ota/modules/v3"),
        Path("/usr/share/mender/modules/v3"),
    )
    payloads: Path = Path("/data/ota/payloads")
    timeout: float = 14400.0
    keep_free: int = 1 << 20
