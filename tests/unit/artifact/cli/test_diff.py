# SPDX-License-Identifier: Apache-2.0
"""`diff`: the differences of two artifacts."""

import json
from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import Command, Keys


@pytest.fixture
def other(command: Command, rootfs: Path, tmp_path: Path) -> Path:
    """The same as `rootfs`, with another name and one more script."""
    path = tmp_path / "other.mender"
    path.write_bytes(rootfs.read_bytes())
    (tmp_path / "ArtifactInstall_Enter_00").write_text("#!/bin/sh\n")
    command.ok("modify", path, "-n", "v2", "-s", "ArtifactInstall_Enter_00")
    return path


def test_equal_artifacts_end_with_0_and_print_nothing(command: Command, rootfs: Path) -> None:
    done = command("diff", rootfs, rootfs)

    assert (done.code, done.raw, done.err) == (0, b"", "")


def test_what_differs_is_shown_with_its_place(command: Command, rootfs: Path, other: Path) -> None:
    done = command("diff", rootfs, other)

    lines = done.out.splitlines()
    assert done.code == 1
    assert lines[:2] == ['- artifact_name: "v1"', '+ artifact_name: "v2"']
    assert '- payloads[0].provides.rootfs-image.version: "v1"' in lines
    assert "+ state_scripts[ArtifactInstall_Enter_00].size: 10" in lines
    assert not any("files" in line for line in lines)


def test_json_has_both_sides(command: Command, rootfs: Path, other: Path) -> None:
    done = command("diff", "--json", rootfs, other)

    found = json.loads(done.out)
    assert done.code == 1
    assert found["artifact_name"] == {"first": "v1", "second": "v2"}
    assert found["state_scripts[ArtifactInstall_Enter_00].size"] == {"first": None, "second": 10}


def test_equal_artifacts_are_an_empty_object_in_json(command: Command, rootfs: Path) -> None:
    done = command("diff", "--json", rootfs, rootfs)

    assert (done.code, json.loads(done.out)) == (0, {})


def test_a_signature_and_other_content_are_differences(
    command: Command, rootfs: Path, tmp_path: Path, keys: Keys
) -> None:
    (tmp_path / "root.img").write_bytes(b"x" * 16000)
    options = ("-n", "v1", "-c", "board", "-f", "root.img", "-k", keys.rsa, "-o", "b.mender")
    command.ok("write", "rootfs-image", *options)

    done = command("diff", rootfs, "b.mender")

    assert '+ signature: "unverified"' in done.out
    assert "+ payloads[0].files[root.img].sha256: " in done.out
    assert ".files[root.img].size" not in done.out


def test_a_key_with_dots_is_not_another_key(command: Command, tmp_path: Path) -> None:
    for name, pair in (("a", "x.y:1"), ("b", "x.y:2")):
        options = ("-T", "mod", "-n", "v1", "-c", "board", "-p", pair)
        command.ok("write", "module-image", *options, "-o", f"{name}.mender")

    done = command("diff", "a.mender", "b.mender")

    assert done.out == '- payloads[0].provides.x.y: "1"\n+ payloads[0].provides.x.y: "2"\n'


def test_what_would_move_the_cursor_is_shown_escaped(
    command: Command, rootfs: Path, module: Path
) -> None:
    command.ok("modify", module, "-p", "key:\u202e\x1b[2J")

    done = command("diff", rootfs, module)

    assert done.out.isascii()
    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("name", "code"), [("none.mender", 4), ("root.img", 5), (".", 5)], ids=["none", "no", "folder"]
)
def test_what_cannot_be_compared_is_not_a_difference(
    command: Command, image: Path, rootfs: Path, name: str, code: int
) -> None:
    done = command("diff", rootfs, name)

    assert (done.code, done.raw) == (code, b"")
    assert done.err.startswith(f"ota-artifact: {name}: ")


def test_stdin_can_be_compared(command: Command, rootfs: Path) -> None:
    done = command("diff", "-", rootfs, stdin=rootfs.read_bytes())

    assert done.code == 0
