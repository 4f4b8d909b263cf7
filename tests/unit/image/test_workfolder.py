# SPDX-License-Identifier: Apache-2.0
"""A build's own folder: the build removes it, or if it was killed, the next one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ota_image.workfolder import own_folder

HOLD = (
    "import sys; from pathlib import Path; from ota_image.workfolder import own_folder\n"
    "with own_folder(Path(sys.argv[1])) as folder:\n"
    "    (folder / 'half').write_text('done'); print(folder, flush=True); sys.stdin.read()\n"
)


def fail_in(parent: Path) -> None:
    with own_folder(parent) as folder:
        (folder / "half").write_text("done")
        raise ValueError("failed")


def test_it_is_gone_when_the_build_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="failed"):
        fail_in(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_folders_of_a_killed_build_are_removed_and_those_in_use_stay(tmp_path: Path) -> None:
    words = (sys.executable, "-c", HOLD, str(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    killed, busy = (subprocess.Popen(words, **pipes) for _ in range(2))  # type: ignore[call-overload]  # noqa: S603
    left, used = (Path(each.stdout.readline().decode().strip()) for each in (killed, busy))
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert left.is_dir()

    with own_folder(tmp_path) as folder:
        assert sorted(tmp_path.iterdir()) == sorted([used, folder])

    busy.communicate()
    assert list(tmp_path.iterdir()) == []
