# SPDX-License-Identifier: Apache-2.0
"""A command keeps its input, what another program writes, and the old content of stdout."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ota_artifact import draft
from ota_artifact.writer import write_artifact
from tests.unit.artifact.cli.conftest import Command, Keys, header_of, state_of
from tests.unit.artifact.cli.process import ROOTFS, Process

WRITE = ("write", "rootfs-image", "-n", "v1", "-c", "board", "-f", "root.img")
MODULE = ("write", "module-image", "-T", "files", "-n", "v1", "-c", "board", "-f", "root.img")
SCRIPT = "ArtifactInstall_Enter_00"


# The output is an input.


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (WRITE, "root.img"),
        (WRITE, "./root.img"),
        (WRITE, "link"),
        ((*WRITE, "-s", SCRIPT), SCRIPT),
        ((*WRITE, "-k", "private.pem"), "private.pem"),
        (MODULE, "root.img"),
        ((*MODULE, "-m", "meta.json"), "meta.json"),
    ],
)
def test_an_output_that_is_an_input_is_refused(
    command: Command, image: Path, keys: Keys, words: Sequence[str], output: str
) -> None:
    Path("link").symlink_to(image.name)
    Path(SCRIPT).write_text("#!/bin/sh\n")
    Path("meta.json").write_text("{}")
    Path("private.pem").write_bytes(keys.rsa.read_bytes())
    before = state_of(Path(output))

    done = command(*words, "-o", output)

    assert done.code == 1
    assert f"{output}: is an input and would be overwritten; name another output" in done.err
    assert state_of(Path(output)) == before


def test_a_file_is_not_copied_over_the_image_that_it_is_in(command: Command, ext4: Path) -> None:
    before = state_of(ext4)

    done = command("cp", f"{ext4}:/etc/hostname", ext4)

    assert done.code == 1
    assert "is an input and would be overwritten" in done.err
    assert state_of(ext4) == before


# Another program writes meanwhile.


def replaced_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Let another program replace the artifact while it is rewritten; gives what it wrote."""
    content = path.read_bytes() + b"\0" * 512

    def meanwhile(*arguments: object, **options: object) -> None:
        write_artifact(*arguments, **options)  # type: ignore[arg-type]
        path.with_suffix(".new").write_bytes(content)
        path.with_suffix(".new").replace(path)

    monkeypatch.setattr(draft, "write_artifact", meanwhile)
    return content


def test_what_another_program_wrote_meanwhile_stays(
    command: Command, rootfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = replaced_meanwhile(rootfs, monkeypatch)

    done = command("modify", rootfs, "-n", "v2")

    assert done.code == 1
    assert f"{rootfs}: was changed by another program; nothing was written" in done.err
    assert rootfs.read_bytes() == others


# Stdout is a file.


@pytest.mark.parametrize("output", ["-", "/dev/stdout", "out.mender"])
def test_stdout_that_is_a_file_is_written_as_it_stands(
    image: Path, tmp_path: Path, output: str
) -> None:
    target = tmp_path / "out.mender"
    target.write_bytes(b"")
    inode = target.stat().st_ino
    words = [output if word == "out.mender" else word for word in ROOTFS]

    with target.open("wb") as stdout:
        code, _, err = Process(tmp_path, *words, image, stdout=stdout.fileno()).wait()

    assert (code, err) == (0, "")
    assert target.stat().st_ino == inode
    assert header_of(target).artifact_name == "v1"


def test_a_file_that_is_copied_out_to_stdout_is_written_as_it_stands(
    ext4: Path, tmp_path: Path
) -> None:
    target = tmp_path / "hostname"
    target.write_bytes(b"")
    inode = target.stat().st_ino

    with target.open("wb") as stdout:
        words = ("cp", f"{ext4}:/etc/hostname", "/dev/stdout")
        code, _, err = Process(tmp_path, *words, stdout=stdout.fileno()).wait()

    assert (code, err) == (0, "")
    assert (target.stat().st_ino, target.read_bytes()) == (inode, b"old\n")


# Nothing is asked for.


def test_without_options_nothing_changes(command: Command, module: Path) -> None:
    before = module.read_bytes()

    done = command.ok("modify", module)

    assert "nothing to change" in done.err
    assert module.read_bytes() == before


def test_without_options_a_signature_stays(command: Command, rootfs: Path, keys: Keys) -> None:
    command.ok("sign", rootfs, "-k", keys.rsa)
    before = state_of(rootfs)

    command.ok("modify", rootfs)

    assert state_of(rootfs) == before


# The image, when something fails.


def test_an_error_names_the_image_and_not_the_copy_that_was_worked_on(
    command: Command, ext4: Path, source: Path
) -> None:
    done = command("cp", source, f"{ext4}:/none/new")

    assert done.code == 1
    assert str(ext4) in done.err
    assert ".part" not in done.err
