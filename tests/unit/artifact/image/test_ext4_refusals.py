# SPDX-License-Identifier: Apache-2.0
"""Bad input to files in ext4: nothing given to debugfs can be more than a name."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.filesystem import open_filesystem
from tests.unit.artifact.image.conftest import MIB, Tool
from tests.unit.artifact.image.ext4_files import field, require_sound, text_of

HOSTILE_NAMES = [
    "two words",
    'a"b',
    '"',
    '""; rm name; "',
    'x" "y',
    "-R",
    "--",
    "<12>",
    "<2>",
    "!touch injected",
    "#comment",
    "$(reboot)",
    "back\\slash\\n",
    "tab\there",
    "star*?[a]",
    "ümlaut-日本",
    "n" * 255,
    '"' * 255,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_hostile_name_is_a_name_and_nothing_else(
    ext4: Path, source: Path, tool: Tool, tmp_path: Path, name: str
) -> None:
    filesystem = ExtFilesystem(ext4)

    filesystem.make_directory(f"/{name}")
    filesystem.write_file(source, f"/{name}/{name}")
    filesystem.write_file(source, f"/{name}/{name}", 0o600)

    assert text_of(filesystem, f"/{name}/{name}", tmp_path) == "new\n"
    listed = tool("debugfs", "-R", "ls -p /", ext4)
    assert len(listed.splitlines()) == 12  # ".", "..", lost+found, ours, the tree's 7, a blank line
    filesystem.remove(f"/{name}", recursive=True)
    assert filesystem.kind(f"/{name}") is None
    assert text_of(filesystem, "/etc/hostname", tmp_path) == "old\n"
    require_sound(tool, ext4)


@pytest.mark.parametrize("path", ["/etc/a\nrm /etc/hostname", "/a\rb", "/a\0b"])
def test_line_break_in_a_path_is_refused(ext4: Path, source: Path, path: str) -> None:
    before = ext4.read_bytes()
    filesystem = ExtFilesystem(ext4)

    attempts: tuple[Callable[[], object], ...] = (
        lambda: filesystem.write_file(source, path),
        lambda: filesystem.make_directory(path),
        lambda: filesystem.remove(path),
        lambda: filesystem.kind(path),
        lambda: filesystem.read_file(path, source.parent / "out"),
    )
    for attempt in attempts:
        with pytest.raises(ArtifactError, match="line break or NUL"):
            attempt()

    assert ext4.read_bytes() == before


@pytest.mark.parametrize("path", ["etc/hostname", "", "-x", "<13>", "/" + "n" * 256, "/a" * 3000])
def test_a_path_that_is_not_one_is_refused(ext4: Path, path: str) -> None:
    with pytest.raises(ArtifactError, match=r"not an absolute path|longer than"):
        ExtFilesystem(ext4).kind(path)


@pytest.mark.parametrize("name", ["a?offset=7", 'q"uote', "two words", "line\nbreak", "-w", "a@@1"])
def test_hostile_names_of_the_image_and_the_source_do_no_harm(
    ext4: Path, source: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    image, host, out = folder / name, folder / f"{name}.source", folder / f"{name}.out"
    ext4.rename(image)
    source.rename(host)
    filesystem = open_filesystem(image)

    filesystem.write_file(host, "/etc/hostname")
    filesystem.read_file("/etc/hostname", out)

    assert out.read_text() == "new\n"
    assert sorted(folder.iterdir()) == sorted([image, host, out])


def test_reading_what_is_not_there_says_so(ext4: Path, tmp_path: Path) -> None:
    filesystem = ExtFilesystem(ext4)

    with pytest.raises(ArtifactError, match="/etc/none: no such file or directory"):
        filesystem.read_file("/etc/none", tmp_path / "out")
    with pytest.raises(ArtifactError, match="/none: no such directory"):
        filesystem.read_file("/none/file", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_reading_a_directory_is_refused(ext4: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="/etc: is a directory; name a file"):
        ExtFilesystem(ext4).read_file("/etc", tmp_path / "out")


def test_reading_a_device_is_refused(ext4: Path, tool: Tool, tmp_path: Path) -> None:
    tool("debugfs", "-w", "-R", "mknod pipe p", ext4)

    with pytest.raises(ArtifactError, match="/pipe: is not a regular file"):
        ExtFilesystem(ext4).read_file("/pipe", tmp_path / "out")


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        ("/none/file", "/none: no such directory; make it first"),
        ("/etc/hostname/file", "/etc/hostname: no such directory"),
        ("/etc", "is a directory"),
        ("/", "is a directory"),
        ("/etc/..", "is a directory"),
        ("/etc/new/", "names a directory"),
        ("/loop", "too many symbolic links"),
        ("/loop/x", "[Tt]oo many symbolic links"),
    ],
)
def test_writing_where_no_file_can_be_is_refused_and_changes_nothing(
    ext4: Path, source: Path, path: str, finding: str
) -> None:
    before = ext4.read_bytes()

    with pytest.raises(ArtifactError, match=finding):
        ExtFilesystem(ext4).write_file(source, path)

    assert ext4.read_bytes() == before


def test_file_larger_than_the_free_space_is_refused_and_changes_nothing(
    ext4: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(5 * MIB))
    before = ext4.read_bytes()

    with pytest.raises(ArtifactError, match="no space left: 5242880 B to write"):
        ExtFilesystem(ext4).write_file(large, "/etc/hostname")

    assert ext4.read_bytes() == before


def test_file_that_fills_the_last_blocks_fits_or_leaves_a_sound_filesystem(
    make_ext: Callable[..., Path], tool: Tool, tmp_path: Path
) -> None:
    image = make_ext("tight.ext2", "-m", "0", kind="ext2", size="1M")  # indirect blocks are extra
    free = re.search(r"Free blocks: +(\d+)", tool("debugfs", "-R", "stats -h", image))
    assert free
    large = tmp_path / "large"
    large.write_bytes(os.urandom(int(free[1]) * 1024))

    with pytest.raises(ArtifactError, match="no space left; make the filesystem larger"):
        ExtFilesystem(image).write_file(large, "/large")

    assert not ExtFilesystem(image).exists("/large")
    require_sound(tool, image)


def test_replacing_counts_the_space_of_the_old_file(
    make_ext: Callable[..., Path], tool: Tool, tmp_path: Path
) -> None:
    image = make_ext("tight.ext4", "-O", "^has_journal", size="1M")
    large = tmp_path / "large"
    large.write_bytes(os.urandom(600 << 10))
    filesystem = ExtFilesystem(image)
    filesystem.write_file(large, "/large")

    filesystem.write_file(large, "/large")

    require_sound(tool, image)


def test_holes_of_the_source_take_no_space(ext4: Path, tool: Tool, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.write(b"data")
        file.truncate(64 * MIB)

    ExtFilesystem(ext4).write_file(sparse, "/sparse")

    assert field(tool, ext4, "/sparse", "Size") == str(64 * MIB)
    require_sound(tool, ext4)


def test_without_a_free_inode_the_disk_is_full(make_ext: Callable[..., Path], source: Path) -> None:
    filesystem = ExtFilesystem(make_ext("few.ext4", "-N", "24", size="2M"))

    with pytest.raises(ArtifactError, match="no space left"):  # noqa: PT012
        for number in range(30):
            filesystem.write_file(source, f"/file{number}")


def test_read_only_features_are_refused_and_nothing_changes(
    ext4: Path, source: Path, tool: Tool
) -> None:
    tool("debugfs", "-w", "-R", "feature FEATURE_R31", ext4)
    before = ext4.read_bytes()

    with pytest.raises(ArtifactError, match="unsupported read-only feature"):
        ExtFilesystem(ext4).write_file(source, "/etc/hostname")

    assert ext4.read_bytes() == before


def test_file_that_claims_more_than_the_filesystem_is_refused(
    ext4: Path, tool: Tool, tmp_path: Path
) -> None:
    tool("debugfs", "-w", "-R", "sif /etc/hostname size 99999999999999", ext4)

    with pytest.raises(ArtifactError, match="more than the filesystem"):
        ExtFilesystem(ext4).read_file("/etc/hostname", tmp_path / "out")


@pytest.mark.parametrize("path", ["/", "//", "/.", "/etc/..", "/.."])
def test_removing_the_root_or_a_parent_is_refused(ext4: Path, path: str) -> None:
    with pytest.raises(ArtifactError, match="name a file or directory"):
        ExtFilesystem(ext4).remove(path, recursive=True)


def test_removing_a_directory_needs_recursive(ext4: Path) -> None:
    with pytest.raises(ArtifactError, match="/etc: is a directory; remove it recursively"):
        ExtFilesystem(ext4).remove("/etc")


def test_removing_what_is_not_there_is_refused(ext4: Path) -> None:
    with pytest.raises(ArtifactError, match="no such file"):
        ExtFilesystem(ext4).remove("/etc/none", recursive=True)


def test_directory_that_is_linked_elsewhere_is_not_emptied(ext4: Path, tool: Tool) -> None:
    tool("debugfs", "-w", "-f", "-", ext4, stdin="mkdir trap\nlink /etc /trap/x\n")

    with pytest.raises(ArtifactError, match="linked in two places"):
        ExtFilesystem(ext4).remove("/trap", recursive=True)

    assert ExtFilesystem(ext4).exists("/etc/hostname")


def test_damage_is_reported_by_check(ext4: Path, tool: Tool) -> None:
    tool("debugfs", "-w", "-R", "clri /etc/hostname", ext4)

    with pytest.raises(ArtifactError, match=r"is damaged; repair it with e2fsck -f:\n[^$]*Pass 2"):
        ExtFilesystem(ext4).check()


def test_missing_debugfs_is_the_worlds_fault(
    ext4: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ota_artifact.image.workplace._ADMINISTRATION", ())
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ProgramError, match="debugfs: not found; install the package e2fsprogs"):
        ExtFilesystem(ext4).kind("/")


@pytest.mark.parametrize("mode", [-1, 0o10000])
def test_mode_with_more_than_permissions_is_refused(ext4: Path, source: Path, mode: int) -> None:
    with pytest.raises(ArtifactError, match="not permission bits"):
        ExtFilesystem(ext4).write_file(source, "/etc/hostname", mode)
