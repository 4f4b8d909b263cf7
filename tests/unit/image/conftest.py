# SPDX-License-Identifier: Apache-2.0
"""A block device, if the machine has loop devices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from tests.unit.image.disk.small import MIB, OLD


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Path]:
    """A loop device full of something else."""
    (tmp_path / "backing").write_bytes(OLD * 65 * MIB)
    try:
        said = run(("losetup", "--find", "--show", tmp_path / "backing"), timeout=10)
    except ProgramError as error:
        pytest.skip(f"no loop device here: {error}")
    device = Path(said.decode().strip())
    yield device
    run(("losetup", "--detach", device), timeout=10)
