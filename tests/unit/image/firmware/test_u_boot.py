# SPDX-License-Identifier: Apache-2.0
"""U-Boot is built where its makefiles can work, with the settings of nobody but the board.

The source tree is a small one, with rules as U-Boot's has; the boot tests compile the real one.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_board.board import Board, Firmware
from ota_board.load import load_board
from ota_image.cache import make_once
from ota_image.errors import ImageError, WorldError
from ota_image.firmware import u_boot
from ota_image.firmware.u_boot import build_u_boot, u_boot_of
from ota_image.packages.apt import Package
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.unit.image.disk.small import quiet

pytestmark = [
    requires_program("make", package="make"),
    requires_program("bison", package="bison"),
    requires_program("flex", package="flex"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
]

FOLDER = ROOT / "boards" / "qemu-arm64"
BOARD = load_board(FOLDER)
ODD = ("a b", "a:b", "a%b", "a'b", 'a"b', "a$b", "a,b", "a#b", "grün")
MAKEFILE = """\
VERSION = 2023
PATCHLEVEL = 01

all: $(KBUILD_OUTPUT)/u-boot.bin
$(KBUILD_OUTPUT)/u-boot.bin: $(CURDIR)/Makefile
\tenv | sort >$@
%_defconfig:
\ttouch $(KBUILD_OUTPUT)/.config
olddefconfig:
"""
FILES = {
    "Makefile": MAKEFILE,
    "Kconfig": "",
    "common/Kconfig": "",
    "drivers/pci/Kconfig": "if PCI\n\nendif\n",
    "scripts/kconfig/merge_config.sh": '#!/bin/sh\ncat "$5" >"$3/.config"\n',
}

Use = Callable[[str], Path]


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Have cache, temporary files and source in a folder of that name; gives the source."""

    def use(name: str) -> Path:
        source = tmp_path / name / "source"
        for path, text in FILES.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(text)
        (source / "scripts/kconfig/merge_config.sh").chmod(0o755)
        (tmp_path / name / "tmp").mkdir()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name / "cache"))
        monkeypatch.setenv("HOME", str(tmp_path / name))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name / "tmp"))
        return source

    return use


@pytest.mark.parametrize("name", ["plain", *ODD])
def test_the_names_of_the_users_folders_do_not_matter(use: Use, name: str) -> None:
    source = use(name)

    built = build_u_boot(BOARD, FOLDER, source, quiet)

    assert built.folder.is_relative_to(source.parent / "cache")
    assert {path.name for path in built.folder.iterdir()} >= {"u-boot.bin", "u-boot.env", ".config"}
    assert [path.name for path in built.folder.parent.iterdir()] == [built.folder.name]


def test_what_the_board_needs_of_a_build_is_kept_whatever_its_name(use: Use) -> None:
    source = use("plain")
    with (source / "Makefile").open("a") as file:
        file.write("all: more\nmore:\n\tmkdir -p $(KBUILD_OUTPUT)/spl\n")
        file.write("\techo spl >$(KBUILD_OUTPUT)/spl/u-boot-spl.bin\n")
        file.write("\techo all >$(KBUILD_OUTPUT)/u-boot-sunxi-with-spl.bin\n")
    plain = build_u_boot(BOARD, FOLDER, source, quiet)  # an entry of the cache without the files

    built = build_u_boot(
        with_firmware("spl/u-boot-spl.bin", "u-boot-sunxi-with-spl.bin"), FOLDER, source, quiet
    )

    assert (built.folder / "spl" / "u-boot-spl.bin").read_text() == "spl\n"
    assert (built.folder / "u-boot-sunxi-with-spl.bin").read_text() == "all\n"
    assert not (plain.folder / "spl").exists()


def test_the_error_names_what_u_boot_did_not_make_right_after_it_was_compiled(use: Use) -> None:
    source = use("plain")

    with pytest.raises(ImageError) as raised:
        build_u_boot(with_firmware("idbloader.img"), FOLDER, source, quiet)

    text = "firmware.from: U-Boot made no u-boot/idbloader.img; it made u-boot.bin"
    assert text in str(raised.value)


def with_firmware(*names: str) -> Board:
    """The board with files of U-Boot's build among its firmware."""
    firmware = tuple(
        Firmware(source=f"u-boot/{name}", offset=8192 << number)
        for number, name in enumerate(names)
    )
    return replace(BOARD, firmware=firmware)


def test_the_users_own_settings_do_not_reach_it(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARCH", "CFLAGS", "KCFLAGS", "MAKEFLAGS", "TZ"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")

    built = build_u_boot(BOARD, FOLDER, use("plain"), quiet)

    lines = (built.folder / "u-boot.bin").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    assert settings["LC_ALL"] == "C"
    assert settings["CROSS_COMPILE"] == "aarch64-linux-gnu-"
    assert settings["PATH"] == os.environ["PATH"]
    assert not {"ARCH", "CFLAGS", "KCFLAGS", "TZ"} & settings.keys()


def test_a_source_that_was_damaged_in_the_cache_is_not_compiled(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = use("cached")
    with make_once("source/u-boot") as (entry, workplace):
        assert workplace
        shutil.copytree(source, workplace / "tree")
    package = Package(name="u-boot", version="2023.01", arch="source", sha256="")
    monkeypatch.setattr(u_boot, "locked_source", lambda *_: (package, entry / "tree"))

    for name in ("common/Kconfig", "Makefile"):  # without a Makefile, it is not U-Boot's
        (entry / "tree" / name).unlink()
        with pytest.raises(WorldError, match=r"source/u-boot: was damaged .* build again"):
            u_boot_of(BOARD, FOLDER, None, quiet)

        assert not entry.exists()
        with make_once("source/u-boot") as (entry, workplace):
            assert workplace
            shutil.copytree(source, workplace / "tree")
    assert u_boot_of(BOARD, FOLDER, None, quiet).version == "2023.01"


def test_the_library_that_binman_needs_compiles_with_every_swig(use: Use) -> None:
    source = use("plain")
    interface = source / "scripts/dtc/pylibfdt/libfdt.i_shipped"
    interface.parent.mkdir(parents=True)
    interface.write_text("result = SWIG_Python_AppendOutput(result, value);\n")
    rule = "$(CURDIR)/scripts/dtc/pylibfdt/libfdt.i_shipped"
    (source / "Makefile").write_text(MAKEFILE.replace("env | sort >$@", f"cp {rule} $@"))

    built = build_u_boot(BOARD, FOLDER, source, quiet)

    made = (built.folder / "u-boot.bin").read_text()
    assert made == "result = SWIG_AppendOutput(result, value);\n"
    assert "SWIG_Python_AppendOutput" in interface.read_text()


def test_without_a_folder_of_a_plain_name_the_error_names_what_to_set(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = use("a b")
    monkeypatch.setattr(u_boot, "_OTHER_PLACES", ())

    with pytest.raises(ProgramError, match=r"a b/cache.*: U-Boot cannot be built.*set TMPDIR to"):
        build_u_boot(BOARD, FOLDER, source, quiet)


def test_all_programs_that_the_build_lacks_are_named_at_once(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = use("plain")
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ProgramError) as caught:
        build_u_boot(BOARD, FOLDER, source, quiet)

    assert str(caught.value) == (
        "make, gcc, bison, flex, aarch64-linux-gnu-gcc: not found; install the packages make gcc"
        " bison flex gcc-aarch64-linux-gnu"
    )
