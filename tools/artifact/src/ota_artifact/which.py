# SPDX-License-Identifier: Apache-2.0
"""shutil.which without shutil, which loads compressors that a daemon would keep in memory."""

import os


def which(program: str) -> str | None:
    """The path of a program, as a shell finds it; None if there is none."""
    folders = [""] if os.sep in program else os.get_exec_path()
    for path in (os.path.join(folder, program) for folder in folders):  # noqa: PTH118
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path
    return None
