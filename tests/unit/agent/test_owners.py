# SPDX-License-Identifier: Apache-2.0
"""What others than root own, may write, or may replace is not obeyed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.owners import distrust, require_trusted
from tests.unit.agent.api.other_user import NOBODY, requires_root


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "inner" / "program"
    path.parent.mkdir(mode=0o755)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def _link(program: Path) -> Path:
    """A link in a folder of root to the program, which is in another one."""
    folder = program.parents[1] / "links"
    folder.mkdir()
    (folder / "link").symlink_to("../inner/program")
    return folder / "link"


def test_what_is_roots_alone_is_trusted(program: Path) -> None:
    assert distrust(program) is None
    assert distrust(program.parent) is None
    assert distrust(_link(program)) is None
    assert distrust(program.parent / ".." / "inner" / "program") is None


def test_what_is_not_there_is_told_by_the_one_that_reads_it(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    assert distrust(tmp_path / "none" / "program") is None
    assert distrust(tmp_path / "loop") is None


def _nobodys(path: Path) -> None:
    os.chown(path, NOBODY, -1)


@requires_root
@pytest.mark.parametrize(
    ("spoil", "of", "cause"),
    [
        (_nobodys, "program", "belongs to user 65534"),
        (lambda path: path.chmod(0o757), "program", "can be written by every user (mode 0757)"),
        (lambda path: path.chmod(0o775), "program", "can be written by the group 0 (mode 0775)"),
        (_nobodys, "folder", "belongs to user 65534"),
        (lambda path: path.chmod(0o777), "folder", "can be written by every user (mode 0777)"),
        (lambda path: path.chmod(0o1777), "folder", "can be written by every user (mode 1777)"),
        (lambda path: path.chmod(0o775), "folder", "can be written by the group 0 (mode 0775)"),
        (_nobodys, "above", "belongs to user 65534"),
        (lambda path: path.chmod(0o777), "above", "can be written by every user (mode 0777)"),
    ],
)
def test_each_place_on_the_way_counts(
    program: Path, spoil: Callable[[Path], None], of: str, cause: str
) -> None:
    place = {"program": program, "folder": program.parent, "above": program.parents[1]}[of]
    link = _link(program)
    spoil(place)

    for path in (program, link):
        wrong = distrust(path)

        assert wrong is not None
        assert (wrong.place, wrong.cause) == (str(place), cause)
        assert wrong.remedy == f"chown root: {place} && chmod go-w {place}"
    with pytest.raises(AgentError) as raised:
        require_trusted(program)
    assert str(raised.value).startswith(f"{program}: ")
    assert str(raised.value).endswith(f"chown root: {place} && chmod go-w {place}")


@requires_root
def test_the_remedy_helps(program: Path) -> None:
    program.chmod(0o777)
    _nobodys(program)
    _nobodys(program.parent)

    for _ in range(2):
        wrong = distrust(program)
        assert wrong is not None
        assert os.system(wrong.remedy) == 0  # noqa: S605

    assert distrust(program) is None


@requires_root
def test_a_link_of_another_user_is_not_followed(program: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(program)
    os.chown(tmp_path / "link", NOBODY, -1, follow_symlinks=False)

    wrong = distrust(tmp_path / "link")

    assert wrong is not None
    assert wrong.remedy == f"chown -h root: {tmp_path}/link"


@requires_root
def test_a_folder_with_the_sticky_bit_may_be_on_the_way(program: Path) -> None:
    program.parents[1].chmod(0o1777)

    assert distrust(program) is None

    os.chown(program.parents[1], NOBODY, -1)
    assert distrust(program) is not None


@requires_root
def test_an_access_control_list_that_lets_others_write_shows_in_the_mode(program: Path) -> None:
    entry = b"".join(
        tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, bits, who in (
            *((1, 7, 0xFFFFFFFF), (2, 7, NOBODY)),  # the owner; nobody may write
            *((4, 5, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF), (0x20, 5, 0xFFFFFFFF)),
        )
    )
    try:
        os.setxattr(program, "system.posix_acl_access", (2).to_bytes(4, "little") + entry)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error.strerror}")

    wrong = distrust(program)

    assert wrong is not None
    assert "can be written by the group" in wrong.cause


@requires_root
@pytest.mark.parametrize("line", ["#!{0}\n", "#! {0} -e\n", "#!/usr/bin/env {0}\n", "#!{1}\n"])
def test_a_script_is_as_good_as_its_interpreter(program: Path, line: str) -> None:
    interpreter, between = program.with_name("interpreter"), program.with_name("between")
    interpreter.write_bytes(b"\x7fELF")
    between.write_text(f"#!{interpreter}\n")
    program.write_text(line.format(interpreter, between))
    for each in (interpreter, between):
        each.chmod(0o755)
    trusted = distrust(program)
    _nobodys(interpreter)

    wrong = distrust(program)

    assert trusted is None
    assert wrong
    assert (wrong.place, wrong.cause) == (str(interpreter), "belongs to user 65534")


def test_what_is_not_run_has_no_interpreter(program: Path) -> None:
    program.write_text("#!/tmp\n")
    program.chmod(0o644)

    assert distrust(program) is None
