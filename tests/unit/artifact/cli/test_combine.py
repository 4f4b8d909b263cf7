# SPDX-License-Identifier: Apache-2.0
"""`combine`: several artifacts in one."""

from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import Command, Keys, header_of, state_of


@pytest.fixture
def app(command: Command, tmp_path: Path) -> Path:
    """An artifact of an update module, for two types, with a script."""
    (tmp_path / "ArtifactCommit_Enter_00").write_text("app\n")
    (tmp_path / "app").write_text("app\n")
    path = tmp_path / "app.mender"
    command.ok(
        *("write", "module-image", "-T", "files", "-n", "app-2", "-c", "other", "-c", "board"),
        *("-f", "app", "-s", "ArtifactCommit_Enter_00", "-o", path, "--compression", "none"),
    )
    return path


def test_payloads_come_in_order_and_with_all_their_metadata(
    command: Command, rootfs: Path, app: Path
) -> None:
    parts = [header_of(each) for each in (rootfs, app)]

    done = command.ok("combine", rootfs, app, "-n", "release-7", "-o", "out.mender")

    header = header_of(Path("out.mender"))
    assert header.artifact_name == "release-7"
    assert header.compatible_types == ("board",)
    assert header.payloads == (parts[0].payloads[0], parts[1].payloads[0])
    assert header.scripts == parts[1].scripts
    assert "warning: out.mender: has 2 payloads; Mender's client accepts only one" in done.err


def test_stored_payloads_are_not_compressed_again(
    command: Command, rootfs: Path, app: Path
) -> None:
    command.ok("combine", rootfs, app, "-n", "r", "-o", "out.mender")

    raw = Path("out.mender").read_bytes()
    assert b"data/0000.tar.gz\0" in raw
    assert b"data/0001.tar\0" in raw


def test_a_signature_is_made_if_a_key_is_given(
    command: Command, rootfs: Path, app: Path, keys: Keys
) -> None:
    command.ok("sign", rootfs, "-k", keys.rsa)

    command.ok("combine", rootfs, app, "-n", "r", "-o", "out.mender", "-k", keys.ec)

    command.ok("validate", "out.mender", "-k", keys.ec_public)


def test_dependencies_that_all_artifacts_share_are_kept(
    command: Command, rootfs: Path, app: Path
) -> None:
    for each in (rootfs, app):
        command.ok("modify", each, "-N", "v0", "-G", "beta", "-g", "stable")

    command.ok("combine", rootfs, app, "-n", "r", "-o", "out.mender")

    header = header_of(Path("out.mender"))
    assert (header.depends_names, header.depends_groups) == (("v0",), ("beta",))
    assert header.artifact_group == "stable"


@pytest.mark.parametrize("option", ["-N", "-G", "-g"])
def test_a_dependency_of_only_one_must_be_given(
    command: Command, rootfs: Path, app: Path, option: str
) -> None:
    command.ok("modify", app, option, "x")

    refused = command("combine", rootfs, app, "-n", "r", "-o", "out.mender")
    command.ok("combine", rootfs, app, "-n", "r", "-o", "out.mender", option, "y")

    assert refused.code == 1
    assert "the artifacts differ; set it" in refused.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rootfs.mender", "-n", "r"), 1, "artifacts: name two or more"),
        (("rootfs.mender", "rootfs.mender", "-n", "r"), 1, "which is already provided"),
        (("rootfs.mender", "none.mender", "-n", "r"), 4, "none.mender: cannot be opened"),
        (("rootfs.mender", "root.img", "-n", "r"), 1, "root.img: artifact: "),
        (("rootfs.mender", "app.mender"), 1, "required: -n/--artifact-name"),
        (("rootfs.mender", "alien.mender", "-n", "r"), 1, "no device type in common; name one"),
        (
            ("app.mender", "twin.mender", "-n", "r"),
            1,
            "two artifacts have different scripts of this name",
        ),
        (("rootfs.mender", "app.mender", "-n", "r", "-o", "none/x"), 3, "none/x: cannot be creat"),
    ],
)
def test_what_cannot_be_combined_leaves_nothing(
    command: Command, rootfs: Path, app: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    Path("ArtifactCommit_Enter_00").write_text("twin\n")
    twin = ("-T", "b", "-n", "t", "-c", "board", "-s", "ArtifactCommit_Enter_00")
    command.ok("write", "module-image", *twin, "-o", "twin.mender")
    command.ok("write", "bootstrap-artifact", *("-n", "x", "-c", "alien", "-o", "alien.mender"))
    before = state_of(rootfs)

    done = command("combine", *words)

    assert (done.code, said in done.err) == (code, True), done.err
    assert state_of(rootfs) == before
