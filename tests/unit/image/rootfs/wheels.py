# SPDX-License-Identifier: Apache-2.0
"""Wheels for tests, good ones and hostile ones."""

import zipfile
from pathlib import Path

from ota_image.rootfs.wheel import Wheel, read_wheel

_METADATA = "Metadata-Version: 2.4\nName: {name}\nVersion: 1.2\n"


def write_wheel(
    folder: Path, name: str = "ota_agent", *lines: str, tag: str = "py3-none-any", **files: str
) -> Path:
    """A wheel with a module, a command and a script.

    Args:
        lines: more of its METADATA.
        files: more of them, by their path with / as __.
    """
    path = folder / f"{name}-1.2-{tag}.whl"
    info = f"{name}-1.2.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        metadata = _METADATA.format(name=name) + "".join(f"{line}\n" for line in lines)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nX = {name}.cli:entry\n")
        archive.writestr(f"{name}/cli.py", "def entry() -> int:\n    return 0\n")
        script = zipfile.ZipInfo(f"{name}-1.2.data/data/lib/ota/agent")
        script.external_attr = 0o100755 << 16
        archive.writestr(script, "#!/bin/sh\n")
        for place, content in files.items():
            archive.writestr(place.replace("__", "/"), content)
    return path


def wheel(folder: Path, name: str = "ota_agent", *needs: str, **files: str) -> Wheel:
    """Such a wheel, read; it needs these distributions."""
    return read_wheel(
        write_wheel(folder, name, *(f"Requires-Dist: {each}" for each in needs), **files)
    )
