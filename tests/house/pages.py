# SPDX-License-Identifier: Apache-2.0
"""The commands that a page shows, run as they are."""

import os
import re
import sys
from pathlib import Path

from ota_artifact.run import run


def commands(page: str, heading: str | None = None) -> str:
    """The shell commands of a page, or of one section of it.

    Raises:
        ValueError: there are none.
    """
    section = page
    if heading:
        section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    if not blocks:
        raise ValueError(f"no commands under {heading!r}")
    return "".join(blocks)


def follow(script: str) -> str:
    """Run the commands as a user would, up to the first that fails; gives what they print."""
    path = os.pathsep.join(
        (str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin")
    )
    argv = ("bash", "-euo", "pipefail", "-c", script)
    return run(argv, timeout=60, environment={"PATH": path}).decode()
