# SPDX-License-Identifier: Apache-2.0
"""`validate`: whether an artifact is whole, who signed it, and the exit codes."""

from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import Command, Keys

GOLDEN = Path(__file__).parents[3] / "golden"


def test_a_whole_artifact_is_valid_and_the_line_is_mender_artifacts(
    command: Command, rootfs: Path
) -> None:
    done = command.ok("validate", rootfs)

    assert (done.out, done.err) == (f"Artifact file '{rootfs}' validated successfully\n", "")


@pytest.mark.parametrize("cut", [1, 511, 512, 2000, 4000])
def test_a_truncated_artifact_is_invalid(command: Command, rootfs: Path, cut: int) -> None:
    rootfs.write_bytes(rootfs.read_bytes()[:cut])

    done = command("validate", rootfs)

    assert (done.code, done.raw) == (5, b"")
    assert done.err.startswith(f"ota-artifact: {rootfs}: ")


def test_every_broken_golden_artifact_is_refused_with_its_name_and_a_reason(
    command: Command,
) -> None:
    broken = sorted((GOLDEN / "broken").glob("*.mender"))

    ended = {each: command("validate", each) for each in broken}

    assert broken
    assert {done.code for done in ended.values()} <= {2, 5, 6}
    for path, done in ended.items():
        assert done.err.startswith(f"ota-artifact: {path}: "), done.err
        assert done.raw == b""


def test_an_empty_file_is_invalid(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    done = command("validate", "empty")

    assert done.code == 5


@pytest.mark.parametrize("key", ["rsa_public", "ec_public"])
def test_an_unsigned_artifact_is_invalid_if_a_key_is_given(
    command: Command, rootfs: Path, keys: Keys, key: str
) -> None:
    done = command("validate", rootfs, "-k", getattr(keys, key))

    assert done.code == 5
    assert "is not signed; as keys are given, it must be" in done.err


def test_a_signed_artifact_is_invalid_without_a_key(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    command.ok("sign", rootfs, "-k", keys.rsa)

    done = command("validate", rootfs)

    assert (done.code, done.raw) == (5, b"")
    assert "missing verifier: the artifact is intact and signed; give a public key" in done.err


def test_a_signed_artifact_is_valid_with_its_key_among_others(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    command.ok("sign", rootfs, "-k", keys.ec)

    done = command.ok("validate", "-k", keys.rsa_public, "-k", keys.ec_public, rootfs)

    assert "validated successfully" in done.out


def test_a_signature_by_another_key_is_invalid_and_the_keys_are_named(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    command.ok("sign", rootfs, "-k", keys.ec)

    done = command("validate", "-k", keys.rsa_public, rootfs)

    assert done.code == 5
    assert f"was not made by any of the given keys ({keys.rsa_public})" in done.err


def test_several_payloads_are_valid_with_a_warning(command: Command) -> None:
    done = command.ok("validate", GOLDEN / "good" / "two-payloads.mender")

    assert "warning: holds 2 payloads; Mender's client accepts only one" in done.err


def test_an_artifact_from_stdin_is_validated(command: Command, rootfs: Path) -> None:
    done = command.ok("validate", "-", stdin=rootfs.read_bytes())

    assert done.out == "Artifact file '-' validated successfully\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("none",), 4),
        ((".",), 5),
        ((), 1),
        (("rootfs.mender", "-k", "none.pem"), 1),
        (("rootfs.mender", "--key-pkcs11", "token=x"), 1),
    ],
)
def test_what_cannot_be_tried_has_a_code_of_its_own(
    command: Command, rootfs: Path, words: tuple[str, ...], code: int
) -> None:
    done = command("validate", *words)

    assert done.code == code
