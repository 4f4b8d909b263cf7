# SPDX-License-Identifier: Apache-2.0
"""The modules that a command imports before it does anything."""

import sys

import pytest

from ota_artifact.run import run
from ota_image.cli.main import build_parser, main
from tests.house.tree import ROOT

_OWN = {"ota_artifact", "ota_board", "ota_image"}
_PROGRAM = """\
import sys
before = set(sys.modules)
from ota_image.cli.main import main
try:
    main(["compose", "--help"])
except SystemExit:
    pass
print("imported:", *sorted(set(sys.modules) - before))
"""
_RENDERING = """\
import sys
from pathlib import Path
before = set(sys.modules)
from ota_board.grub import boot_files
from ota_board.load import load_board
from ota_board.u_boot import default_environment
folder = Path(sys.argv[1])
default_environment(load_board(folder / "qemu-arm64"), folder / "qemu-arm64")
boot_files(load_board(folder / "qemu-x86-64"))
print("imported:", *sorted(set(sys.modules) - before))
"""


def test_compose_starts_with_the_standard_library_yaml_and_our_packages_alone() -> None:
    said = run((sys.executable, "-c", _PROGRAM), timeout=30).decode()

    names = said.rpartition("imported:")[2].split()
    roots = {name.partition(".")[0] for name in names if "cython" not in name}  # yaml's
    assert roots - sys.stdlib_module_names - _OWN <= {"yaml", "_yaml"}
    assert "ota_image.disk.compose" in names
    assert not [
        name for name in names if name.startswith(("ota_image.packages", "ota_image.doctor"))
    ]


def test_compose_imports_jinja2_for_the_bootloaders_files() -> None:
    said = run((sys.executable, "-c", _RENDERING, ROOT / "boards"), timeout=30).decode()

    names = said.rpartition("imported:")[2].split()
    roots = {name.partition(".")[0] for name in names if "cython" not in name}
    others = roots - sys.stdlib_module_names - _OWN - {"_yaml"}
    assert others == {"jinja2", "markupsafe", "yaml"}


def test_an_unknown_command_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["composed"])

    said = capsys.readouterr().err
    assert "compose" in said
    assert "u-boot" in said
    assert "compose" in build_parser(("compose",)).format_help() + build_parser().format_help()
