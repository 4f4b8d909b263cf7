# SPDX-License-Identifier: Apache-2.0
"""Finds programs, and says which package has one that is missing.

This is shutil.which without shutil, which loads compressors that a daemon would keep in memory.
"""

import os
from collections.abc import Mapping

from ota_artifact.interpreter import lacking

_PROGRAMS: Mapping[str, str] = {
    "apt": "apt-config apt-get apt-helper",
    "bison": "bison",
    "dpkg": "dpkg dpkg-deb",
    "dpkg-dev": "dpkg-source",
    "fakeroot": "fakeroot",
    "flex": "flex",
    "gcc": "gcc",
    "gcc-aarch64-linux-gnu": "aarch64-linux-gnu-gcc",
    "gcc-arm-linux-gnueabihf": "arm-linux-gnueabihf-gcc",
    "gzip": "gzip",
    "libubootenv-tool": "fw_printenv fw_setenv",
    "make": "make",
    "mmdebstrap": "mmdebstrap",
    "openssh-client": "ssh ssh-keygen",
    "openssl": "openssl",
    "qemu-system-arm": "qemu-system-aarch64 qemu-system-arm",
    "qemu-system-x86": "qemu-system-x86_64",
    "util-linux": "setpriv",
    "zstd": "zstd",
}
"""The programs that we start, by the Debian package that has them."""

PACKAGES = {each: package for package, line in _PROGRAMS.items() for each in line.split()}


def which(program: str) -> str | None:
    """The path of a program, as a shell finds it; None if there is none."""
    folders = [""] if os.sep in program else os.get_exec_path()
    for path in (os.path.join(folder, program) for folder in folders):  # noqa: PTH118
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path
    return None


def missing(*programs: str) -> str:
    """What to say of programs that the kernel does not find, with the remedy."""
    for program in programs:
        found = which(program)
        if found and (why := lacking(found)):
            return f"{program}: {why}"
    names = [program.rpartition(os.sep)[2] for program in programs]
    packages = list(dict.fromkeys(PACKAGES.get(name, "that has it") for name in names))
    plural = "s" if len(packages) > 1 else ""
    return f"{', '.join(programs)}: not found; install the package{plural} {' '.join(packages)}"
