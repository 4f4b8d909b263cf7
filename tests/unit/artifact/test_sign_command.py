# SPDX-License-Identifier: Apache-2.0
"""Another program signs: its input, and which of its answers are signatures."""

import base64
import hashlib
import shlex
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ota_artifact import keys
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.keys import SignCommand
from tests.golden.keys import EC_KEY, OTHER_KEY, RSA_KEY

MESSAGE = b"the manifest"
RAW = EC_KEY.sign(MESSAGE)
DER = encode_dss_signature(int.from_bytes(RAW[:32], "big"), int.from_bytes(RAW[32:], "big"))
RSA = RSA_KEY.sign(MESSAGE)


def printing(output: bytes, folder: Path) -> str:
    """A command that prints just this."""
    (folder / "a signature").write_bytes(output)
    return shlex.join(("cat", str(folder / "a signature")))


def wrapped(data: bytes) -> bytes:
    """base64 in lines, as most programs print it."""
    return base64.encodebytes(data)


@pytest.mark.parametrize(
    ("output", "signature"),
    [
        (RAW, RAW),
        (DER, RAW),
        (base64.b64encode(RAW), RAW),
        (base64.b64encode(DER) + b"\n", RAW),
        (wrapped(DER), RAW),
        (RSA, RSA),
        (wrapped(RSA), RSA),
    ],
    ids=["raw", "der", "base64 of raw", "base64 of der", "wrapped", "rsa", "base64 of rsa"],
)
def test_signature_of_any_form_is_made_raw(tmp_path: Path, output: bytes, signature: bytes) -> None:
    check = RSA_KEY.public if signature == RSA else EC_KEY.public

    assert SignCommand(printing(output, tmp_path), check).sign(MESSAGE) == signature


@pytest.mark.parametrize(
    "output",
    [b"", b"\n", b"error: no token", RAW[:-1], RAW + b"\0", RAW + RAW[:20], b"x" * 5000, DER[:-1]],
    ids=range(8),
)
def test_what_is_not_a_signature_is_refused(tmp_path: Path, output: bytes) -> None:
    with pytest.raises(ArtifactError, match="B, which is not a signature"):
        SignCommand(printing(output, tmp_path)).sign(MESSAGE)


def test_raw_signature_that_begins_like_der_is_accepted(tmp_path: Path) -> None:
    raw = b"\x30" + bytes(range(63))

    assert SignCommand(printing(raw, tmp_path)).sign(MESSAGE) == raw


def test_signature_that_the_key_does_not_accept_is_refused(tmp_path: Path) -> None:
    command = printing(RAW, tmp_path)

    with pytest.raises(ArtifactError, match="ec-19700101 does not accept the signature it gave"):
        SignCommand(command, OTHER_KEY.public).sign(MESSAGE)


def test_program_gets_the_digest_on_stdin_and_as_hex(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "digest = sys.stdin.buffer.read()\n"
        "assert digest.hex() == os.environ['OTA_DIGEST'], digest\n"
        "sys.stdout.buffer.write(digest * 2)\n"
    )
    command = shlex.join((sys.executable, "-c", script))

    signature = SignCommand(command).sign(MESSAGE)

    assert signature == hashlib.sha256(MESSAGE).digest() * 2


def test_no_shell_sees_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = printing(RAW, tmp_path) + " ; touch made > made $(touch made) `touch made`"

    with pytest.raises(ProgramError, match="exit code 1"):
        SignCommand(command).sign(MESSAGE)

    assert [path.name for path in tmp_path.iterdir()] == ["a signature"]


@pytest.mark.parametrize("command", ["", "  ", "sign 'unfinished", 'sign "unfinished', "sign \\"])
def test_command_with_wrong_quoting_is_refused(command: str) -> None:
    with pytest.raises(ArtifactError, match="--sign-command: "):
        SignCommand(command).sign(MESSAGE)


def test_program_that_fails_says_why() -> None:
    command = shlex.join(("sh", "-c", "echo no token here >&2; exit 3"))

    with pytest.raises(ProgramError, match="exit code 3: no token here"):
        SignCommand(command).sign(MESSAGE)


def test_program_that_is_missing_is_named() -> None:
    with pytest.raises(ProgramError, match="no-such-signer: not found"):
        SignCommand("no-such-signer --key 1").sign(MESSAGE)


def test_program_that_cannot_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "signer").write_text("no program")

    with pytest.raises(ProgramError, match="signer: Permission denied"):
        SignCommand(str(tmp_path / "signer")).sign(MESSAGE)


def test_program_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_SIGNER_TIMEOUT", 0.2)

    with pytest.raises(ProgramError, match=r"did not finish within 0\.2 s"):
        SignCommand("sleep 60").sign(MESSAGE)


def test_program_that_leaves_a_child_behind_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_SIGNER_TIMEOUT", 0.2)

    with pytest.raises(ProgramError, match=r"did not finish within 0\.2 s"):
        SignCommand("sh -c 'sleep 2; true'").sign(MESSAGE)


def test_program_that_does_not_read_is_not_an_error(tmp_path: Path) -> None:
    command = shlex.join(("sh", "-c", f"exec <&-; cat {shlex.quote(str(tmp_path / 'raw'))}"))
    (tmp_path / "raw").write_bytes(RAW)

    assert SignCommand(command).sign(MESSAGE) == RAW


def test_a_signature_of_a_key_that_others_can_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="a signature of 1024 bits; use an RSA key of at least"):
        SignCommand(printing(b"\xff" * 128, tmp_path)).sign(MESSAGE)
