# SPDX-License-Identifier: Apache-2.0
"""Files in vfat through mtools: no wildcard, no question, no setting of the user's."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.image.filesystem import open_filesystem
from ota_artifact.image.vfat import FatFilesystem
from tests.unit.artifact.image.conftest import MIB, Tool

GOOD_NAMES = [
    "two words",
    "-n",
    "x~1",
    "$(reboot)",
    "a'b",
    "ümlaut-日本",
    "n" * 200,
    "@@1",
]


def text_of(filesystem: FatFilesystem, path: str, folder: Path) -> str:
    filesystem.read_file(path, folder / "read")
    return (folder / "read").read_text()


# Bad input first.


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "a[b]",
        "a?",
        "a:b",
        'a"b',
        "a\\b",
        "a|b",
        "<1>",
        "con",
        "AUX.txt",
        "dot.",
        "space ",
        "\x01",
    ],
)
def test_name_that_vfat_cannot_have_is_refused_and_changes_nothing(
    vfat: Path, source: Path, name: str
) -> None:
    filesystem = FatFilesystem(vfat)
    filesystem.write_file(source, "/keep")
    before = vfat.read_bytes()
    attempts: tuple[Callable[[], object], ...] = (
        lambda: filesystem.write_file(source, f"/{name}"),
        lambda: filesystem.make_directory(f"/{name}"),
        lambda: filesystem.remove(f"/{name}", recursive=True),
        lambda: filesystem.kind(f"/{name}"),
    )

    for attempt in attempts:
        with pytest.raises(ArtifactError, match="is not allowed as a name on vfat"):
            attempt()

    assert vfat.read_bytes() == before


@pytest.mark.parametrize("path", ["/a\nb", "relative", "", "/\0"])
def test_a_path_that_is_not_one_is_refused(vfat: Path, path: str) -> None:
    with pytest.raises(ArtifactError, match=r"not an absolute path|line break or NUL"):
        FatFilesystem(vfat).kind(path)


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        ("/none/file", "/none: no such directory"),
        ("/keep/file", "/keep: is a file; name a directory"),
        ("/dir", "/dir: is a directory; name the file"),
        ("/", "names a directory"),
        ("/new/", "names a directory"),
    ],
)
def test_writing_where_no_file_can_be_is_refused_and_changes_nothing(
    vfat: Path, source: Path, path: str, finding: str
) -> None:
    filesystem = FatFilesystem(vfat)
    filesystem.write_file(source, "/keep")
    filesystem.make_directory("/dir")
    before = vfat.read_bytes()

    with pytest.raises(ArtifactError, match=finding):
        filesystem.write_file(source, path)

    assert vfat.read_bytes() == before


def test_file_larger_than_the_free_space_is_refused_and_changes_nothing(
    vfat: Path, source: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(4 * MIB))
    filesystem = FatFilesystem(vfat)
    filesystem.write_file(source, "/keep")
    before = vfat.read_bytes()

    with pytest.raises(ArtifactError, match="no space left: 4194304 B to write"):
        filesystem.write_file(large, "/keep")

    assert vfat.read_bytes() == before


def test_reading_what_is_not_there_says_so(vfat: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="/none: no such file"):
        FatFilesystem(vfat).read_file("/none", tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_reading_a_directory_is_refused(vfat: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="/: is a directory; name a file"):
        FatFilesystem(vfat).read_file("/", tmp_path / "out")


@pytest.mark.parametrize("path", ["/", "/.", "/a/.."])
def test_removing_the_root_is_refused(vfat: Path, path: str) -> None:
    with pytest.raises(ArtifactError, match="name a file or directory"):
        FatFilesystem(vfat).remove(path, recursive=True)


def test_removing_a_directory_needs_recursive(vfat: Path) -> None:
    filesystem = FatFilesystem(vfat)
    filesystem.make_directory("/dir")

    with pytest.raises(ArtifactError, match="/dir: is a directory; remove it recursively"):
        filesystem.remove("/dir")


def test_directory_in_place_of_a_file_is_refused(vfat: Path, source: Path) -> None:
    filesystem = FatFilesystem(vfat)
    filesystem.write_file(source, "/file")

    with pytest.raises(ArtifactError, match="/file: is not a directory"):
        filesystem.make_directory("/file/dir")


def test_allocation_tables_that_differ_are_reported_by_check(vfat: Path) -> None:
    with vfat.open("r+b") as file:
        reserved = int.from_bytes(vfat.read_bytes()[14:16], "little")
        file.seek(reserved * 512 + 100)
        file.write(b"\x42")

    with pytest.raises(
        ArtifactError, match=r"allocation tables .* differ; repair it with fsck.vfat"
    ):
        FatFilesystem(vfat).check()


def test_settings_of_the_user_do_not_matter(
    vfat: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mtoolsrc").write_text("this is not a setting\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MTOOLSRC", str(tmp_path / ".mtoolsrc"))
    monkeypatch.setenv("LC_ALL", "C")

    FatFilesystem(vfat).write_file(source, "/ümlaut")

    assert FatFilesystem(vfat).kind("/ümlaut") == "file"


# What it is for.


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_odd_name_is_a_name_and_nothing_else(
    vfat: Path, source: Path, tool: Tool, tmp_path: Path, name: str
) -> None:
    filesystem = FatFilesystem(vfat)
    filesystem.write_file(source, "/keep")

    filesystem.make_directory(f"/{name}")
    filesystem.write_file(source, f"/{name}/{name}")
    filesystem.write_file(source, f"/{name}/{name}")

    assert text_of(filesystem, f"/{name}/{name}", tmp_path) == "new\n"
    assert filesystem.kind(f"/{name}") == "directory"
    filesystem.remove(f"/{name}/{name}")
    assert filesystem.kind(f"/{name}/{name}") is None
    filesystem.remove(f"/{name}", recursive=True)
    assert filesystem.kind(f"/{name}") is None
    assert filesystem.kind("/keep") == "file"
    tool("fsck.vfat", "-n", vfat)


@pytest.mark.parametrize("name", ["a?offset=7", "a@@1", "two words", "-i", "line\nbreak"])
def test_hostile_names_of_the_image_and_the_source_do_no_harm(
    vfat: Path, source: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    image, host, out = folder / name, folder / f"{name}.source", folder / f"{name}.out"
    vfat.rename(image)
    source.rename(host)
    filesystem = open_filesystem(image)

    filesystem.write_file(host, "/file")
    filesystem.read_file("/file", out)

    assert out.read_text() == "new\n"
    assert sorted(folder.iterdir()) == sorted([image, host, out])


@pytest.mark.parametrize("attribute", ["+r", "+h", "+s"])
def test_read_only_file_is_replaced_and_removed_without_a_question(
    vfat: Path, source: Path, tool: Tool, tmp_path: Path, attribute: str
) -> None:
    filesystem = FatFilesystem(vfat)
    filesystem.write_file(source, "/dir.txt")
    tool("mattrib", attribute, "-i", vfat, "::/dir.txt")
    source.write_text("newer\n")

    filesystem.write_file(source, "/DIR.TXT")
    tool("mattrib", attribute, "-i", vfat, "::/dir.txt")

    assert text_of(filesystem, "/dir.txt", tmp_path) == "newer\n"
    filesystem.remove("/dir.txt")
    assert not filesystem.exists("/dir.txt")


def test_mode_is_checked_and_ignored(vfat: Path, source: Path) -> None:
    filesystem = FatFilesystem(vfat)

    filesystem.write_file(source, "/file", 0o600)
    filesystem.make_directory("/dir", 0o700)

    assert filesystem.exists("/file")
    assert filesystem.exists("/dir")
    with pytest.raises(ArtifactError, match="not permission bits"):
        filesystem.write_file(source, "/file", 0o77777)


def test_directories_are_made_with_their_parents(vfat: Path, source: Path) -> None:
    filesystem = FatFilesystem(vfat)

    filesystem.make_directory("/EFI/Boot/x")
    filesystem.make_directory("/efi/boot/x/")
    filesystem.write_file(source, "/efi/../EFI/BOOT/X/grub.cfg")

    assert filesystem.kind("/EFI/Boot/x/grub.cfg") == "file"


def test_recursive_removal_with_read_only_files_is_clean(
    vfat: Path, source: Path, tool: Tool
) -> None:
    filesystem = FatFilesystem(vfat)
    for name in ("a", "b", "c"):
        filesystem.make_directory(f"/tree/{name}")
        filesystem.write_file(source, f"/tree/{name}/file with a long name")
    tool("mattrib", "+r", "-i", vfat, "::/tree/a/file with a long name")

    filesystem.remove("/tree", recursive=True)

    assert not filesystem.exists("/tree")
    filesystem.check()
    tool("fsck.vfat", "-n", vfat)


def test_replacing_counts_the_space_of_the_old_file(vfat: Path, tmp_path: Path, tool: Tool) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3 * MIB))
    filesystem = FatFilesystem(vfat)
    filesystem.write_file(large, "/Image")

    filesystem.write_file(large, "/Image")

    tool("fsck.vfat", "-n", vfat)


def test_same_change_gives_the_same_bytes_with_source_date_epoch(
    vfat: Path, source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    results = []
    for clock, zone in ((1_600_000_000, "UTC"), (1_800_000_000, "Asia/Tokyo")):
        monkeypatch.setenv("TZ", zone)
        copy = tmp_path / f"copy{clock}"
        copy.write_bytes(vfat.read_bytes())
        os.utime(source, (clock, clock))
        FatFilesystem(copy).make_directory("/dir")
        FatFilesystem(copy).write_file(source, "/dir/file")
        results.append(copy.read_bytes())

    assert results[0] == results[1]


@pytest.mark.parametrize(("bits", "size"), [("12", 2 * MIB), ("16", 16 * MIB), ("32", 64 * MIB)])
def test_every_width_of_table_inside_a_disk_image(
    tool: Tool, source: Path, tmp_path: Path, bits: str, size: int
) -> None:
    plain, disk = tmp_path / "plain", tmp_path / "disk"
    with plain.open("wb") as file:
        file.truncate(size)
    tool("mkfs.vfat", "-F", bits, "-s", "1", plain)
    with disk.open("wb") as file:
        file.truncate(size + 2 * MIB)
        file.seek(MIB)
        file.write(plain.read_bytes())
    filesystem = FatFilesystem(disk, MIB, size)

    filesystem.write_file(source, "/file")
    filesystem.check()

    content = disk.read_bytes()
    assert not any(content[:MIB])
    assert not any(content[-MIB:])
    plain.write_bytes(content[MIB:-MIB])
    tool("fsck.vfat", "-n", plain)
    assert text_of(FatFilesystem(plain), "/file", tmp_path) == "new\n"
