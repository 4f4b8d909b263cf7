# SPDX-License-Identifier: Apache-2.0
"""How a command starts, before its own modules are there."""

import os
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run

PROGRAM = "from ota_artifact.start import start; start('command')"
COMMAND = """\
import os, sys

def entry():
    said = (sys.getfilesystemencoding(), os.listdir(sys.argv[1]), sys.argv[2:])
    sys.stdout.buffer.write(ascii(said).encode())
"""
NARROW = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""As in a Latin-1 locale, which few machines have: names of files are not read as UTF-8."""


@pytest.mark.parametrize("locale", [NARROW, {"LC_ALL": "C.UTF-8"}])
def test_names_of_files_are_utf_8_in_every_locale(tmp_path: Path, locale: dict[str, str]) -> None:
    (tmp_path / "command.py").write_text(COMMAND)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "grün").touch()
    words = (sys.executable, "-c", PROGRAM, folder, "größe", os.fsdecode(b"\xfc"))

    printed = run(words, timeout=20, environment={**locale, "PYTHONPATH": str(tmp_path)})

    assert printed.decode() == ascii(("utf-8", ["grün"], ["größe", "\udcfc"]))
