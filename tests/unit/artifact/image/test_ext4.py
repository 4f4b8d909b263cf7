# SPDX-License-Identifier: Apache-2.0
"""Files in ext4, read and changed through debugfs."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.image.ext4 import ExtFilesystem
from tests.unit.artifact.image.conftest import MIB, Tool
from tests.unit.artifact.image.ext4_files import field, require_sound, text_of


def test_file_is_read_with_its_permissions(ext4: Path, tmp_path: Path) -> None:
    ExtFilesystem(ext4).read_file("/bin/app", tmp_path / "app")

    assert (tmp_path / "app").read_bytes() == b"\x7fELF" + bytes(5000)
    assert (tmp_path / "app").stat().st_mode & 0o7777 == 0o755


def test_file_can_be_read_into_a_pipe(ext4: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    ExtFilesystem(ext4).read_file("/etc/hostname", pipe)

    assert os.read(reader, 100) == b"old\n"
    assert pipe.is_fifo()
    os.close(reader)


def test_host_without_space_keeps_the_old_destination(
    ext4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").write_text("mine")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ota_artifact.image.debugfs.ask", full)

    with pytest.raises(OSError, match="No space"):
        ExtFilesystem(ext4).read_file("/etc/hostname", tmp_path / "out")

    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "directory"),
        ("/etc", "directory"),
        ("/etc/", "directory"),
        ("/etc/../bin/app", "file"),
        ("/bin", "symlink"),
        ("/loop", "symlink"),
        ("/conf/hostname", "file"),
        ("/none", None),
        ("/none/none", None),
        ("/etc/hostname/none", None),
    ],
)
def test_kinds(ext4: Path, path: str, kind: str | None) -> None:
    assert ExtFilesystem(ext4).kind(path) == kind


@pytest.mark.parametrize("path", ["/etc/hostname", "/conf/hostname", "/name", "/out"])
def test_symbolic_links_lead_within_the_image(
    ext4: Path, source: Path, tool: Tool, tmp_path: Path, path: str
) -> None:
    filesystem = ExtFilesystem(ext4)

    filesystem.write_file(source, path)

    assert text_of(filesystem, "/etc/hostname", tmp_path) == "new\n"
    assert filesystem.kind("/name") == "symlink"
    require_sound(tool, ext4)


@pytest.mark.parametrize("target", ["etc/made", "/etc/made", "/" + "./" * 40 + "etc/made"])
def test_writing_through_a_link_that_leads_nowhere_makes_its_target(
    ext4: Path, source: Path, tool: Tool, tmp_path: Path, target: str
) -> None:
    tool("debugfs", "-w", "-R", f"symlink fresh {target}", ext4)
    filesystem = ExtFilesystem(ext4)

    filesystem.write_file(source, "/fresh")

    assert text_of(filesystem, "/etc/made", tmp_path) == "new\n"
    assert filesystem.kind("/fresh") == "symlink"


def test_removing_a_link_leaves_what_it_leads_to(ext4: Path) -> None:
    filesystem = ExtFilesystem(ext4)

    filesystem.remove("/name")

    assert not filesystem.exists("/name")
    assert filesystem.exists("/etc/hostname")


def test_new_file_is_roots_with_the_mode_of_the_source(
    ext4: Path, source: Path, tool: Tool
) -> None:
    source.chmod(0o751)

    ExtFilesystem(ext4).write_file(source, "/etc/new")

    assert field(tool, ext4, "/etc/new", "Mode") == "0751"
    assert field(tool, ext4, "/etc/new", "User") == "0"
    assert field(tool, ext4, "/etc/new", "Group") == "0"


def test_replaced_file_keeps_owner_mode_and_attributes(
    ext4: Path, source: Path, tool: Tool
) -> None:
    value = "system_u:object_r:etc_t:s0"
    owned = (
        "sif /etc/hostname uid 70000\nsif /etc/hostname gid 1001\nsif /etc/hostname mode 0104711\n"
        f"ea_set /etc/hostname security.selinux {value}\nea_set /etc/hostname user.note hi\n"
    )
    tool("debugfs", "-w", "-f", "-", ext4, stdin=owned)

    ExtFilesystem(ext4).write_file(source, "/etc/hostname")

    assert field(tool, ext4, "/etc/hostname", "Mode") == "04711"
    assert field(tool, ext4, "/etc/hostname", "User") == "70000"
    assert field(tool, ext4, "/etc/hostname", "Group") == "1001"
    assert (
        tool("debugfs", "-R", "ea_get /etc/hostname security.selinux", ext4)
        .strip()
        .endswith(f'"{value}"')
    )
    assert '"hi"' in tool("debugfs", "-R", "ea_get /etc/hostname user.note", ext4)
    require_sound(tool, ext4)


def test_access_control_list_of_a_replaced_file_is_kept_byte_for_byte(
    ext4: Path, source: Path, tool: Tool, tmp_path: Path
) -> None:
    # Version 2; user::rw-, user:1000:r--, group::r--, mask::r--, other::---
    entries = (
        (1, 6, 0xFFFFFFFF),
        (2, 4, 1000),
        (4, 4, 0xFFFFFFFF),
        (16, 4, 0xFFFFFFFF),
        (32, 0, 0xFFFFFFFF),
    )
    acl = tmp_path / "acl"
    acl.write_bytes(
        (2).to_bytes(4, "little")
        + b"".join(
            tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + who.to_bytes(4, "little")
            for tag, bits, who in entries
        )
    )
    name = "system.posix_acl_access"
    tool("debugfs", "-w", "-R", f"ea_set -f {acl} /etc/hostname {name}", ext4)
    tool("debugfs", "-R", f"ea_get -r -f {tmp_path}/before /etc/hostname {name}", ext4)

    ExtFilesystem(ext4).write_file(source, "/etc/hostname")

    tool("debugfs", "-R", f"ea_get -r -f {tmp_path}/after /etc/hostname {name}", ext4)
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes() != b""
    require_sound(tool, ext4)


def test_replacing_with_a_mode_makes_a_new_file_that_keeps_its_label(
    ext4: Path, source: Path, tool: Tool
) -> None:
    owned = (
        "sif /etc/hostname uid 7\nea_set /etc/hostname security.selinux label\n"
        "ea_set /etc/hostname security.capability caps\n"
    )
    tool("debugfs", "-w", "-f", "-", ext4, stdin=owned)

    ExtFilesystem(ext4).write_file(source, "/etc/hostname", 0o4755)

    assert field(tool, ext4, "/etc/hostname", "Mode") == "04755"
    assert field(tool, ext4, "/etc/hostname", "User") == "0"
    assert tool("debugfs", "-R", "ea_list /etc/hostname", ext4).split() == [
        "Extended",
        "attributes:",
        "security.selinux",
        "(5)",
        "=",
        '"label"',
    ]


def test_other_hard_link_keeps_the_old_content(
    ext4: Path, source: Path, tool: Tool, tmp_path: Path
) -> None:
    link = "link /etc/hostname /etc/other\nsif /etc/hostname links_count 2\n"
    tool("debugfs", "-w", "-f", "-", ext4, stdin=link)
    filesystem = ExtFilesystem(ext4)

    filesystem.write_file(source, "/etc/hostname")

    assert text_of(filesystem, "/etc/other", tmp_path) == "old\n"
    require_sound(tool, ext4)


def test_same_change_gives_the_same_bytes_with_source_date_epoch(
    ext4: Path, source: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    results = []
    for clock in (1_600_000_000, 1_800_000_000):
        copy = tmp_path / f"copy{clock}"
        copy.write_bytes(ext4.read_bytes())
        os.utime(source, (clock, clock))
        filesystem = ExtFilesystem(copy)
        filesystem.write_file(source, "/etc/hostname")
        filesystem.make_directory("/opt/app", 0o750)
        filesystem.remove("/usr/bin", recursive=True)
        results.append(copy.read_bytes())

    assert results[0] == results[1]
    stat = tool("debugfs", "-R", "stat /etc/hostname", copy)
    assert re.findall(r"(\w+): 0x6553f100:00000000", stat) == ["ctime", "atime", "mtime", "crtime"]
    require_sound(tool, copy)


def test_wrong_source_date_epoch_is_refused(
    ext4: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")

    with pytest.raises(ArtifactError, match="SOURCE_DATE_EPOCH='yesterday'"):
        ExtFilesystem(ext4).write_file(source, "/etc/hostname")


def test_directories_are_made_with_their_parents(ext4: Path, tool: Tool) -> None:
    filesystem = ExtFilesystem(ext4)

    filesystem.make_directory("/conf/a/b/c/", 0o1777)
    filesystem.make_directory("/etc/a/b")

    assert field(tool, ext4, "/etc/a/b/c", "Mode") == "01777"
    assert field(tool, ext4, "/etc/a/b", "Mode") == "0755"
    require_sound(tool, ext4)


def test_mode_of_an_existing_directory_is_set(ext4: Path, tool: Tool) -> None:
    ExtFilesystem(ext4).make_directory("/etc", 0o700)

    assert field(tool, ext4, "/etc", "Mode") == "0700"


def test_directory_in_place_of_a_file_is_refused(ext4: Path) -> None:
    with pytest.raises(ArtifactError, match="/etc/hostname: is not a directory"):
        ExtFilesystem(ext4).make_directory("/etc/hostname/x")


def test_filesystem_inside_a_disk_image_is_changed_in_its_place_only(
    ext4: Path, source: Path, tool: Tool, tmp_path: Path
) -> None:
    disk, room = tmp_path / "disk", 4 * MIB
    around = os.urandom(MIB)
    disk.write_bytes(around + ext4.read_bytes() + around)
    filesystem = ExtFilesystem(disk, MIB, room)

    filesystem.write_file(source, "/etc/hostname")
    filesystem.remove("/usr", recursive=True)
    filesystem.check()

    after = disk.read_bytes()
    assert after[:MIB] == after[-MIB:] == around
    (tmp_path / "cut").write_bytes(after[MIB : MIB + room])
    require_sound(tool, tmp_path / "cut")
    assert text_of(ExtFilesystem(tmp_path / "cut"), "/etc/hostname", tmp_path) == "new\n"


def test_unclean_journal_is_replayed_before_a_change(
    ext4: Path, source: Path, tool: Tool, caplog: pytest.LogCaptureFixture
) -> None:
    tool("debugfs", "-w", "-R", "feature needs_recovery", ext4)
    caplog.set_level("INFO")

    ExtFilesystem(ext4).write_file(source, "/etc/hostname")

    assert "replaying the journal" in caplog.text
    assert "needs_recovery" not in tool("debugfs", "-R", "features", ext4)
    require_sound(tool, ext4)


@pytest.mark.parametrize(
    "feature", ["inline_data", "bigalloc", "64bit", "^extent", "metadata_csum"]
)
def test_features_of_ext4(
    make_ext: Callable[..., Path], source: Path, tool: Tool, tmp_path: Path, feature: str
) -> None:
    image = make_ext(f"{feature}.ext4", "-O", feature.replace("^extent", "^extent,^64bit"))
    filesystem = ExtFilesystem(image)

    filesystem.write_file(source, "/name")
    filesystem.make_directory("/opt/app")
    filesystem.remove("/usr", recursive=True)

    assert text_of(filesystem, "/etc/hostname", tmp_path) == "new\n"
    require_sound(tool, image)


def test_names_that_are_not_utf8_survive(
    ext4: Path, source: Path, tool: Tool, tmp_path: Path
) -> None:
    name = os.fsdecode(b"/latin-\xfc")
    filesystem = ExtFilesystem(ext4)

    filesystem.write_file(source, name)

    assert text_of(filesystem, name, tmp_path) == "new\n"
    filesystem.remove(name)
    require_sound(tool, ext4)
