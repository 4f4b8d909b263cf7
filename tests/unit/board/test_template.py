# SPDX-License-Identifier: Apache-2.0
"""Templates: a missing value is named, and a value is always plain text."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ota_board import grub
from ota_board.entry import entry
from ota_board.errors import BoardError, TemplateFault
from ota_board.load import load_board
from ota_board.template import Lines, fill_in
from ota_board.u_boot import default_environment, factory_environment, fragment
from ota_board.yocto import include
from tests.house.tree import ROOT

ARM, X86 = (load_board(ROOT / "boards" / name) for name in ("qemu-arm64", "qemu-x86-64"))
HOSTILE = "{{ 7 * 7 }}{% raw %}{# \"'\\ #}"


def template(folder: Path, text: str) -> Path:
    """A template of that text."""
    path = folder / "some.conf.j2"
    path.write_text(text, "utf-8")
    return path


def test_values_are_put_in_and_blocks_leave_no_lines(tmp_path: Path) -> None:
    text = (
        "{% if a %}\na={{ a }}\n{% endif %}\n  {# a comment #}\n{% if b %}\nb\n{% endif %}\nend\n"
    )

    assert fill_in(template(tmp_path, text), a="<&>", b=0) == "a=<&>\nend\n"


@pytest.mark.parametrize("use", ["{{ speed }}", "{% if speed %}x{% endif %}", "{{ board.speed }}"])
def test_a_value_that_is_not_given_is_named_with_file_and_line(tmp_path: Path, use: str) -> None:
    path = template(tmp_path, f"first\n\n{use}\nlast\n")

    with pytest.raises(TemplateFault, match=rf"{re.escape(str(path))}:3: .*\bspeed'"):
        fill_in(path, board=ARM)


def test_a_template_that_cannot_be_parsed_is_named_with_its_line(tmp_path: Path) -> None:
    path = template(tmp_path, "first\n{% if %}\n")

    with pytest.raises(TemplateFault, match=rf"{re.escape(str(path))}:2: Expected an expression"):
        fill_in(path)


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "gone.j2"))):
        fill_in(tmp_path / "gone.j2")


@pytest.mark.parametrize("end", ["\n", "\nb", "\r\nb", "\r", "\u2028"])
def test_a_line_break_in_a_value_is_refused(tmp_path: Path, end: str) -> None:
    path = template(tmp_path, "first\nname={{ name }}\n")

    with pytest.raises(BoardError, match=r"some\.conf\.j2:2: the value 'a.* has a line break"):
        fill_in(path, name=f"a{end}")


def test_a_text_of_many_lines_is_printed_if_it_is_marked(tmp_path: Path) -> None:
    path = template(tmp_path, "{{ text }}\n")

    assert fill_in(path, text=Lines("a\n{{ b }}")) == "a\n{{ b }}\n"


def test_the_values_of_a_board_are_never_read_as_a_template() -> None:
    arm, x86 = (replace(each, summary=HOSTILE, device_trees=(HOSTILE,)) for each in (ARM, X86))

    assert grub.configuration(replace(x86, name=HOSTILE)).splitlines()[0] == f"# {HOSTILE}"
    assert include(replace(arm, device_trees=())).splitlines()[0] == f"# {HOSTILE}."
    assert f"  fdt /boot/dtbs/{HOSTILE}\n" in entry(arm, HOSTILE)
    for board in (arm, x86):
        text = entry(board, HOSTILE, initrd=HOSTILE, console=HOSTILE)
        assert f"kernel={HOSTILE}" in text or f"kernel {HOSTILE}" in text
        assert text.count(HOSTILE) == (4 if board is arm else 3)


def test_the_files_of_a_board_are_never_read_as_templates(tmp_path: Path) -> None:
    (tmp_path / "u-boot.env").write_text(f"ota_board=echo {HOSTILE}; \\\n\ttrue\n", "utf-8")
    (tmp_path / "u-boot.cfg").write_text(f"# {HOSTILE}\n", "utf-8")

    environment = factory_environment(default_environment(ARM, tmp_path))

    assert environment["ota_board"] == f"echo {HOSTILE}; true"
    assert fragment(ARM, Path("u-boot.env"), tmp_path).endswith(f"\n\n# {HOSTILE}\n")


@pytest.mark.parametrize("value", ["a\nb=c", "a\r", "a\n"])
def test_a_value_of_a_board_does_not_begin_a_line_of_its_own(value: str) -> None:
    for board in (ARM, X86):
        with pytest.raises(BoardError, match="has a line break; write it on one line"):
            entry(board, value)
    with pytest.raises(BoardError, match=r"ota-board\.inc\.j2:2: the value .* has a line break"):
        include(replace(ARM, summary=value))
    bootloader = replace(ARM.bootloader, addresses={value: 1})
    with pytest.raises(BoardError, match=r"ota\.env\.j2:\d+: the value .* has a line break"):
        default_environment(replace(ARM, bootloader=bootloader))


@pytest.mark.parametrize("value", ['a" b "', "a\\"])
def test_a_value_that_would_end_a_setting_of_bitbake_is_refused(value: str) -> None:
    with pytest.raises(BoardError, match=r"OTA_DEVICE_TYPES: .* has a quote or a backslash"):
        include(replace(ARM, device_types=(value,)))
