# SPDX-License-Identifier: Apache-2.0
"""`cat`, `cp`, `install` and `rm`: files in an artifact, in ext4 and vfat, and in a disk image."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.image.disk import open_image
from tests.unit.artifact.cli.conftest import Command, Keys, files_of, header_of, state_of
from tests.unit.artifact.image.conftest import Tool

KINDS = ("update", "ext4", "disk")
"""An artifact, a filesystem image, a disk image: fixtures that give their path."""


@pytest.fixture
def disk(make_disk: Callable[..., str]) -> Path:
    """A disk image whose two slots hold the tree of `ext4`."""
    return Path(make_disk())


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Path:
    """One of KINDS, by indirect parametrization."""
    path: Path = request.getfixturevalue(request.param)
    return path


def everywhere(path: Path) -> list[Path]:
    """The root filesystems in an artifact or image, each as a file of its own."""
    if path.suffix == ".mender":
        (content,) = files_of(path).values()
        parts = [content]
    elif path.suffix == ".sdimg":
        raw = path.read_bytes()
        parts = [raw[start << 20 : (start + 4) << 20] for start in (6, 11)]
    else:
        parts = [path.read_bytes()]
    copies = [path.with_name(f"part-{number}") for number in range(len(parts))]
    for copy, part in zip(copies, parts, strict=True):
        copy.write_bytes(part)
    return copies


def texts(path: Path, name: str) -> set[str]:
    """The content of a file in each of the root filesystems."""
    found = set()
    for part in everywhere(path):
        open_image(part).read_file(name, part.with_suffix(".read"))
        found.add(part.with_suffix(".read").read_text())
        part.unlink()
        part.with_suffix(".read").unlink()
    return found


def stat_of(tool: Tool, path: Path, name: str) -> str:
    """What debugfs prints about a file in the first of the root filesystems."""
    return tool("debugfs", "-R", f"stat {name}", everywhere(path)[0])


# Every kind of place.


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_a_file_is_printed(command: Command, place: Path) -> None:
    done = command.ok("cat", f"{place}:/etc/hostname")

    assert done.raw == b"old\n"


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_a_file_is_copied_out(command: Command, place: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    command.ok("cp", f"{place}:/etc/hostname", "hostname")
    command.ok("cp", f"{place}:/usr/bin/app", "folder")

    assert (tmp_path / "hostname").read_text() == "old\n"
    assert (tmp_path / "folder" / "app").read_bytes() == b"\x7fELF" + bytes(5000)


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_a_file_is_copied_in(command: Command, place: Path, source: Path) -> None:
    command.ok("cp", source, f"{place}:/etc/hostname")

    assert texts(place, "/etc/hostname") == {"new\n"}


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_a_file_is_installed_with_its_mode(
    command: Command, place: Path, source: Path, tool: Tool
) -> None:
    command.ok("install", "-m", "750", source, f"{place}:/usr/bin/new")

    assert texts(place, "/usr/bin/new") == {"new\n"}
    assert "Mode:  0750" in stat_of(tool, place, "/usr/bin/new")


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_a_directory_is_installed_with_those_above_it(
    command: Command, place: Path, tool: Tool
) -> None:
    command.ok("install", "-d", f"{place}:/opt/a/b")

    assert "Type: directory" in stat_of(tool, place, "/opt/a/b")


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_a_file_is_removed(command: Command, place: Path) -> None:
    command.ok("rm", f"{place}:/etc/hostname")

    done = command("cat", f"{place}:/etc/hostname")
    assert done.code == 1
    assert "/etc/hostname: no such file or directory" in done.err


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_a_folder_is_removed_with_all_below_it(command: Command, place: Path) -> None:
    command.ok("rm", "-r", f"{place}:/usr")

    assert command("cat", f"{place}:/usr/bin/app").code == 1


# What a change does to the artifact around the file.


def test_an_artifact_has_the_checksum_of_its_changed_root_filesystem(
    command: Command, update: Path, source: Path
) -> None:
    before = header_of(update)

    command.ok("cp", source, f"{update}:/etc/new")

    after = header_of(update)
    key = "rootfs-image.checksum"
    assert after.payloads[0].provides[key] != before.payloads[0].provides[key]
    assert after.artifact_name == before.artifact_name
    assert after.payloads[0].clears == before.payloads[0].clears
    command.ok("validate", update)


@pytest.mark.parametrize(
    "words",
    [("cp", "source", "A:/etc/x"), ("install", "-m", "644", "source", "A:/x"), ("rm", "A:/name")],
)
def test_a_dropped_signature_is_reported_and_a_key_makes_another(
    command: Command, update: Path, source: Path, keys: Keys, words: tuple[str, ...]
) -> None:
    command.ok("sign", update, "-k", keys.rsa)
    twin = update.with_name("twin.mender")
    twin.write_bytes(update.read_bytes())

    dropped = command.ok(*(word.replace("A:", f"{update}:") for word in words))
    kept = command.ok(*(word.replace("A:", f"{twin}:") for word in words), "-k", keys.ec)

    assert f"warning: {update}: lost its signature; sign it again with" in dropped.err
    command.ok("validate", update)
    assert kept.err == ""
    command.ok("validate", twin, "-k", keys.ec_public)


def test_reading_does_not_touch_the_file(command: Command, update: Path, keys: Keys) -> None:
    command.ok("sign", update, "-k", keys.rsa)
    before = state_of(update)

    command.ok("cat", f"{update}:/etc/hostname")
    command.ok("cp", f"{update}:/etc/hostname", "/dev/null")

    assert state_of(update) == before


def test_a_replaced_file_keeps_its_mode_and_a_new_one_has_the_sources(
    command: Command, ext4: Path, source: Path, tool: Tool
) -> None:
    source.chmod(0o604)

    command.ok("cp", source, f"{ext4}:/etc/hostname")
    command.ok("cp", source, f"{ext4}:/etc/")

    assert "Mode:  0640" in stat_of(tool, ext4, "/etc/hostname")
    assert "Mode:  0604" in stat_of(tool, ext4, "/etc/source")
    assert "User:     0   Group:     0" in stat_of(tool, ext4, "/etc/source")


@pytest.mark.parametrize("mode", ["644", "0644", "0o644"])
def test_a_mode_is_octal_however_it_is_written(
    command: Command, ext4: Path, source: Path, tool: Tool, mode: str
) -> None:
    command.ok("install", "-m", mode, source, f"{ext4}:/etc/new")

    assert "Mode:  0644" in stat_of(tool, ext4, "/etc/new")


@pytest.mark.parametrize("mode", ["999", "u+x", "-1", "10000", "", "0x1ff"])
def test_what_is_not_a_mode_is_refused(
    command: Command, ext4: Path, source: Path, mode: str
) -> None:
    done = command("install", "-m", mode, source, f"{ext4}:/etc/new")

    assert done.code == 1
    assert f"--mode: {mode!r} is not a mode; write it in octal, such as 644 or 0755" in done.err


# Paths and places.


def test_stdin_is_copied_in(command: Command, update: Path) -> None:
    command.ok("cp", "-", f"{update}:/etc/motd", stdin=b"from a pipe\n")

    assert texts(update, "/etc/motd") == {"from a pipe\n"}


def test_links_lead_inside_the_image_only(command: Command, ext4: Path) -> None:
    absolute = command.ok("cat", f"{ext4}:/name")
    upward = command.ok("cat", f"{ext4}:/out")

    assert absolute.raw == b"old\n"
    assert upward.raw == b"old\n"


def test_the_data_and_boot_partitions_of_a_disk_are_reached(
    command: Command, disk: Path, source: Path
) -> None:
    command.ok("cp", source, f"{disk}:/data/file")
    command.ok("cp", source, f"{disk}:/boot/efi/file.txt")
    command.ok("install", "-d", f"{disk}:/uboot/sub")

    assert command.ok("cat", f"{disk}:/data/file").raw == b"new\n"
    assert command.ok("cat", f"{disk}:/uboot/file.txt").raw == b"new\n"
    assert texts(disk, "/etc/hostname") == {"old\n"}


def test_files_in_vfat_come_and_go(command: Command, vfat: Path, source: Path) -> None:
    command.ok("install", "-m", "644", source, f"{vfat}:/config.txt")
    there = command.ok("cat", f"{vfat}:/config.txt")
    command.ok("rm", f"{vfat}:/config.txt")

    assert there.raw == b"new\n"
    assert command("cat", f"{vfat}:/config.txt").code == 1


def test_an_artifact_of_a_vfat_image_can_be_changed(
    command: Command, vfat: Path, source: Path
) -> None:
    options = ("-n", "v1", "-c", "board", "-f", vfat, "-o", "a.mender")
    command.ok("write", "rootfs-image", *options)

    command.ok("cp", source, "a.mender:/config.txt")

    assert command.ok("cat", "a.mender:/config.txt").raw == b"new\n"


@pytest.mark.parametrize("name", ["with:colon.mender", "two:etc.mender", "space and ü.mender"])
def test_an_images_name_may_hold_colons_and_spaces(
    command: Command, update: Path, tmp_path: Path, name: str
) -> None:
    update.rename(tmp_path / name)

    done = command.ok("cat", f"{name}:/etc/hostname")

    assert done.raw == b"old\n"


def test_a_path_without_its_first_slash_is_taken(command: Command, update: Path) -> None:
    done = command.ok("cat", f"{update}:etc/hostname")

    assert done.raw == b"old\n"


def test_a_linked_artifact_is_followed_and_keeps_mode_and_owner(
    command: Command, update: Path, source: Path
) -> None:
    update.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(update, 12345, 23456)
    before = state_of(update)
    Path("link.mender").symlink_to(update)

    command.ok("cp", source, "link.mender:/etc/new")

    assert Path("link.mender").is_symlink()
    assert texts(update, "/etc/new") == {"new\n"}
    assert state_of(update)[1:4] == before[1:4]


# What goes wrong.

WRONG = [
    (("cat", "I:/none"), "/none: no such file or directory"),
    (("cat", "I:/etc"), "/etc: is a directory"),
    (("cat", "I"), "is not a path in an image; write it as v2.mender:/etc/x"),
    (("cat", "none.mender:/x"), "none.mender: no such file"),
    (("cat", "module.mender:/x"), "module.mender: payloads: 1, files: 2; only an"),
    (("cat", "rootfs.mender:/x"), "rootfs.mender: "),
    (("cat", "source:/x"), "source: "),
    (("cp", "none", "I:/x"), "none: no such file"),
    (("cp", ".", "I:/x"), ".: no such file"),
    (("cp", "source", "I:/none/x"), "/none: no such directory; make it first"),
    (("cp", "source", "I:/etc"), "/etc: is a directory"),
    (
        ("cp", "source", "other"),
        "neither source nor destination is inside an image; write v2.mender:/etc/x",
    ),
    (
        ("cp", "I:/name", "I:/x"),
        "source and destination are both inside an image; copy the file to the host first",
    ),
    (("cp", "I:/none", "out"), "/none: no such file or directory"),
    (("cp", "I:/name", "none/out"), "none: no such directory"),
    (("cp", "large", "I:/large"), "no space"),
    (("cp", "source", "I:/data/x"), "is on the data partition, which artifacts do not have"),
    (("cp", "source", "I:/uboot/x"), "is on the boot partition, which artifacts do not have"),
    (("cp", "source", "I:/x", "-k", "source"), "source: is not a usable private key"),
    (("cp", "source", "I:/x", "--sign-command", "false"), "false: exit code 1"),
    (("install", "source", "I:/x"), "--mode: is missing; give it, or use `cp`"),
    (("install", "-m", "644", "I:/x"), "got 1 paths; write it as: install -m MODE file image:p"),
    (("install", "-d", "I:/x", "I:/y"), "got 2 paths; write it as: install -d image:path"),
    (("install", "-m", "644", "none", "I:/x"), "none: no such file"),
    (("install", "-d", "I:/etc/hostname"), "hostname"),
    (("rm", "I:/none"), "/none: no such file or directory"),
    (("rm", "I:/etc"), "/etc: is a directory; remove it recursively"),
    (("rm", "-r", "I:/"), "/"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_an_error_is_reported_and_the_artifact_stays_as_it_was(
    command: Command,
    update: Path,
    module: Path,
    rootfs: Path,
    source: Path,
    keys: Keys,
    words: tuple[str, ...],
    said: str,
) -> None:
    command.ok("sign", update, "-k", keys.rsa)
    Path("large").write_bytes(b"x" * (6 << 20))
    before = state_of(update)

    done = command(*(word.replace("I:", f"{update}:") for word in words))

    assert done.code in {1, 7}
    assert said in done.err
    assert done.err.startswith("ota-artifact: ")
    assert done.raw == b""
    assert state_of(update) == before


@pytest.mark.parametrize("place", ["ext4", "disk"], indirect=True)
def test_an_image_in_which_a_change_fails_stays_as_it_was(
    command: Command, place: Path, source: Path
) -> None:
    Path("large").write_bytes(b"x" * (6 << 20))
    before = state_of(place)

    full = command("cp", "large", f"{place}:/large")
    missing = command("cp", source, f"{place}:/none/x")
    absent = command("rm", f"{place}:/none")

    assert (full.code, missing.code, absent.code) == (1, 1, 1)
    assert state_of(place) == before


def test_no_temporary_file_stays(
    command: Command, update: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)

    command.ok("cp", source, f"{update}:/etc/new")
    command.ok("cat", f"{update}:/etc/new")
    command("cat", f"{update}:/none")
    command("rm", f"{update}:/none")

    assert list(folder.iterdir()) == []
