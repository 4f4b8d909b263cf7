# SPDX-License-Identifier: Apache-2.0
"""Artifacts whose outer tar other programs wrote: what is read can be changed, too."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import Command, header_of


def rewrite(artifact: Path, kind: int, *, comment: bool) -> Path:
    """The same artifact in a tar of another kind, an extension header before its first member."""
    path = artifact.with_name("other.mender")
    with tarfile.open(artifact) as old, tarfile.open(path, "w", format=kind) as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            member.pax_headers = {"comment": "made by another program"} if comment else {}
            new.addfile(member, io.BytesIO(content.read()))
    return path


def with_long_name(artifact: Path) -> Path:
    """The same with a GNU header that gives the first member's name once more."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, len(b"version\0")
    block = header.tobuf(tarfile.GNU_FORMAT) + b"version\0".ljust(512, b"\0")
    path = artifact.with_name("other.mender")
    path.write_bytes(block + artifact.read_bytes())
    return path


@pytest.fixture(params=["pax", "GNU long name"])
def other(request: pytest.FixtureRequest, update: Path) -> Path:
    """`update`, with an extension header before its first member."""
    if request.param == "pax":
        return rewrite(update, tarfile.PAX_FORMAT, comment=True)
    return with_long_name(update)


def test_it_begins_with_an_extension_header_and_is_valid(command: Command, other: Path) -> None:
    assert other.read_bytes()[156:157] in (b"x", b"L")
    command.ok("validate", other)
    command.ok("read", other)


def test_files_in_it_are_read_and_changed(command: Command, other: Path, source: Path) -> None:
    assert command.ok("cat", f"{other}:/etc/hostname").raw == b"old\n"
    command.ok("cp", source, f"{other}:/etc/hostname")
    command.ok("install", "-d", f"{other}:/opt")
    command.ok("rm", f"{other}:/usr/bin/app")

    assert command.ok("cat", f"{other}:/etc/hostname").raw == b"new\n"
    command.ok("validate", other)


def test_it_can_be_modified(command: Command, other: Path) -> None:
    command.ok("modify", other, "-n", "v9")

    assert header_of(other).artifact_name == "v9"
    assert command.ok("cat", f"{other}:/etc/mender/artifact_info").raw == b"artifact_name=v9\n"


def test_a_tar_that_is_not_an_artifact_is_named(command: Command, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("etc/hostname"))

    done = command("cat", "root.tar:/etc/hostname")

    assert done.code == 1
    assert "root.tar: artifact: found 'etc/hostname' instead of version" in done.err


def test_a_damaged_header_is_named_and_no_disk_is_looked_for(
    command: Command, update: Path
) -> None:
    raw = bytearray(update.read_bytes())
    raw[100] ^= 1
    update.write_bytes(raw)

    assert "a header's checksum is wrong" in command("cat", f"{update}:/etc/hostname").err
