# SPDX-License-Identifier: Apache-2.0
"""`dump`: the parts of an artifact, and the command line that makes the same one again."""

import os
import shlex
import tarfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from ota_artifact.header import Header, PayloadHeader
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from ota_artifact.writer import write_artifact
from tests.unit.artifact.cli.conftest import Command, Keys, header_of

GOLDEN = Path(__file__).parents[3] / "golden"
ALL = ("--files", "files", "--scripts", "scripts", "--meta-data", "meta")


def unpacked(folder: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def test_all_parts_are_unpacked(command: Command, module: Path, tmp_path: Path) -> None:
    done = command.ok("dump", module, *ALL)

    assert (done.raw, done.err) == (b"", "")
    assert unpacked(tmp_path / "files") == {"app": b"app\n", "lib": b"lib\n"}
    assert unpacked(tmp_path / "scripts") == {"ArtifactInstall_Enter_00": b"#!/bin/sh\n"}
    assert unpacked(tmp_path / "meta") == {
        "0000.meta-data": '{"a":"ä & <b>","b":[1,{"x":null}]}\n'.encode()
    }
    assert (tmp_path / "scripts" / "ArtifactInstall_Enter_00").stat().st_mode & 0o111


@pytest.mark.parametrize("fixture", ["module", "rootfs", "bootstrap"])
def test_the_printed_line_makes_the_same_artifact_again(
    command: Command, request: pytest.FixtureRequest, fixture: str
) -> None:
    artifact: Path = request.getfixturevalue(fixture)

    done = command.ok("dump", artifact, *ALL, "--print-cmdline")
    command.ok(*shlex.split(done.out), "-o", "again.mender")

    assert Path("again.mender").read_bytes() == artifact.read_bytes()


@pytest.mark.parametrize("option", ["--print0-cmdline", "--print-cmdline"])
def test_odd_values_are_there_again(command: Command, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("x")
    command.ok(
        *("write", "module-image", "-T", "mod", "-n", "a 'b' $c", "-c", "board", "-c", "-x"),
        *("-p", 'key:line one\nline "two"', "-p", "empty:", "-g", "*", "-d", "k:*"),
        *("--clears-provides", "$(id)", "-f", "file", "-o", "odd.mender"),
    )

    done = command.ok("dump", "odd.mender", "--files", "out of it", option)
    words = done.out.split("\0")[:-1] if "0" in option else shlex.split(done.out)
    command.ok(*words, "-o", "again.mender")

    assert Path("again.mender").read_bytes() == Path("odd.mender").read_bytes()


def test_a_line_without_white_space_is_mender_artifacts(command: Command, rootfs: Path) -> None:
    checksum = header_of(rootfs).payloads[0].provides["rootfs-image.checksum"]

    done = command.ok("dump", rootfs, "--files", "f", "--print-cmdline")

    assert done.out == (
        "write module-image --artifact-name v1 --compatible-types board --type rootfs-image"
        f" --no-default-software-version --provides rootfs-image.checksum:{checksum}"
        " --provides rootfs-image.version:v1 --no-default-clears-provides --clears-provides"
        " artifact_group --clears-provides rootfs_image_checksum --clears-provides rootfs-image.*"
        " --file f/root.img\n"
    )


def test_without_folders_the_line_names_no_files(command: Command, module: Path) -> None:
    done = command.ok("dump", module, "--print-cmdline")

    assert not {"--file", "--script", "--meta-data"} & set(done.out.split())


def test_alternatives_of_depends_have_no_option_and_the_line_is_refused(
    command: Command, tmp_path: Path
) -> None:
    header = Header(version=3, artifact_name="v1", compatible_types=("board",), payloads=())
    payload = PayloadSpec(PayloadHeader(type="mod", depends={"key": ("a", "b")}))
    with (tmp_path / "a.mender").open("w+b", buffering=0) as file:
        write_artifact(cast(BinaryIO, file), ArtifactSpec(header, (payload,)))

    refused = command("dump", "a.mender", "--print-cmdline")
    command.ok("dump", "a.mender", "--files", "f")

    assert (refused.code, refused.raw) == (6, b"")
    assert "depends: 'key' has a list of alternatives" in refused.err


def test_version_2_is_dumped_with_the_line_that_makes_it_again(
    command: Command, image: Path
) -> None:
    options = ("-n", "v1", "-c", "board", "-f", image, "-o", "2.mender")
    command.ok("write", "rootfs-image", "-v", "2", *options)

    done = command.ok("dump", "2.mender", "--files", "f", "--print-cmdline")
    command.ok(*shlex.split(done.out), "-o", "again.mender")

    assert Path("again.mender").read_bytes() == Path("2.mender").read_bytes()


@pytest.mark.parametrize(
    ("option", "there"),
    [
        ("--files", "app"),
        ("--scripts", "ArtifactInstall_Enter_00"),
        ("--meta-data", "0000.meta-data"),
    ],
)
def test_a_file_that_is_there_is_not_overwritten(
    command: Command, module: Path, tmp_path: Path, option: str, there: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / there).write_text("precious")

    done = command("dump", module, option, "out")

    assert done.code == 7
    assert f"out/{there}: cannot be created: File exists" in done.err
    assert unpacked(tmp_path / "out") == {there: b"precious"}


@pytest.mark.parametrize("target", ["elsewhere", "/dev/null"])
def test_a_link_that_is_there_is_not_followed(
    command: Command, module: Path, tmp_path: Path, target: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "app").symlink_to(target)

    done = command("dump", module, "--files", "out")

    assert done.code == 7
    assert not (tmp_path / "elsewhere").exists()


def test_a_name_that_would_leave_the_folder_is_refused_and_nothing_is_written(
    command: Command, tmp_path: Path
) -> None:
    hostile = [
        each for each in sorted((GOLDEN / "broken").glob("*.mender")) if "leads-out" in each.name
    ]
    folder = tmp_path / "a" / "b"

    codes = [
        command(
            *("dump", each, "--files", folder / "f", "--scripts", folder / "s"),
            *("--meta-data", folder / "m"),
        ).code
        for each in hostile
    ]

    assert hostile
    assert set(codes) == {5}
    outside = [each for each in tmp_path.rglob("*") if folder not in each.parents]
    assert {each.name for each in outside} <= {"a", "b"}


def test_a_damaged_file_is_not_left_behind(command: Command, image: Path, tmp_path: Path) -> None:
    options = ("-n", "v1", "-c", "board", "-f", image, "-o", "a.mender", "--compression", "none")
    command.ok("write", "rootfs-image", *options)
    raw = bytearray((tmp_path / "a.mender").read_bytes())
    with tarfile.open("a.mender") as outer:
        raw[outer.getmember("data/0000.tar").offset_data + 600] ^= 1
    (tmp_path / "a.mender").write_bytes(raw)

    done = command("dump", "a.mender", "--files", "out", "--print-cmdline")

    assert (done.code, done.raw) == (5, b"")
    assert "its sha256 is" in done.err
    assert unpacked(tmp_path / "out") == {}


def test_a_signed_artifact_is_dumped_without_its_signature(
    command: Command, module: Path, keys: Keys
) -> None:
    before = module.read_bytes()
    command.ok("sign", module, "-k", keys.ec)

    done = command.ok("dump", module, *ALL, "--print-cmdline")
    command.ok(*shlex.split(done.out), "-o", "again.mender")

    assert Path("again.mender").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("none.mender",), 4, "none.mender: cannot be opened"),
        (("root.img",), 5, "root.img: artifact: "),
        (
            (GOLDEN / "good" / "two-payloads.mender",),
            6,
            "has 2 payloads; dump accepts only artifacts",
        ),
        (("module.mender", "--print-cmdline", "--print0-cmdline"), 1, "not allowed with"),
        (("module.mender", "--files", "module.mender"), 7, "module.mender/app: cannot be created"),
        ((), 1, "required: artifact"),
    ],
)
def test_an_artifact_that_cannot_be_dumped_says_why(
    command: Command,
    image: Path,
    module: Path,
    words: tuple[str | os.PathLike[str], ...],
    code: int,
    said: str,
) -> None:
    done = command("dump", *map(str, words))

    assert (done.code, said in done.err) == (code, True), done.err


def test_stdin_is_dumped(command: Command, module: Path, tmp_path: Path) -> None:
    command.ok("dump", "-", "--files", "f", stdin=module.read_bytes())

    assert sorted(unpacked(tmp_path / "f")) == ["app", "lib"]
