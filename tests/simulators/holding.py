# SPDX-License-Identifier: Apache-2.0
"""Another process that holds a file or a folder."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = """\
import sys
from pathlib import Path
from ota_artifact.hold import hold
with hold(Path(sys.argv[1]), remedy="wait", is_shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_holds(path: Path, how: str = "alone") -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that holds it until its stdin is closed, or the block ends.

    Args:
        how: ``alone`` or ``shared``.
    """
    words = (sys.executable, "-c", HOLD, str(path), how)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"held\n"
        yield process
        process.stdin.close()
