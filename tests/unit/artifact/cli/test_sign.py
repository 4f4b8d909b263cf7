# SPDX-License-Identifier: Apache-2.0
"""`sign`: every way to a signature, and what happens to the file."""

import base64
import os
import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import PrivateFormat

from tests.conftest import requires_program
from tests.unit.artifact.cli.conftest import Command, Keys, ec_key, private_pem, rsa_key, state_of

GOLDEN = Path(__file__).parents[3] / "golden"


def program(path: Path, lines: str) -> Path:
    """A signer: a shell script."""
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as outer:
        return {each.name: outer.extractfile(each).read() for each in outer}  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_signature_is_put_after_the_manifest_and_all_else_stays(
    command: Command, module: Path, keys: Keys, kind: str
) -> None:
    before = members(module)

    done = command.ok("sign", module, "-k", getattr(keys, kind))

    after = members(module)
    assert list(after)[:3] == ["version", "manifest", "manifest.sig"]
    assert len(base64.b64decode(after.pop("manifest.sig"))) == {"rsa": 256, "ec": 64}[kind]
    assert after == before
    assert (done.raw, done.err) == (b"", "")
    command.ok("validate", module, "-k", getattr(keys, f"{kind}_public"))


def test_signing_later_gives_the_bytes_of_signing_at_once(
    command: Command, image: Path, rootfs: Path, keys: Keys
) -> None:
    options = ("-n", "v1", "-c", "board", "-f", image, "-k", keys.rsa)
    command.ok("write", "rootfs-image", *options, "-o", "signed.mender")

    command.ok("sign", rootfs, "-k", keys.rsa)

    assert rootfs.read_bytes() == Path("signed.mender").read_bytes()


@pytest.mark.parametrize(
    "name", ["gnu-tar.mender", "pax-tar.mender", "two-payloads.mender", "module-xz.mender"]
)
def test_an_artifact_of_any_make_can_be_signed(command: Command, keys: Keys, name: str) -> None:
    before = members(GOLDEN / "good" / name)

    command.ok("sign", GOLDEN / "good" / name, "-k", keys.ec, "-o", "signed.mender")

    command.ok("validate", "signed.mender", "-k", keys.ec_public)
    after = members(Path("signed.mender"))
    del after["manifest.sig"]
    assert after == before


def test_the_output_can_be_another_file_or_stdout(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    before = rootfs.read_bytes()

    to_file = command.ok("sign", rootfs, "-k", keys.rsa, "-o", "signed.mender")
    to_stdout = command.ok("sign", "-", "-k", keys.rsa, "-o", "-", stdin=before)

    assert rootfs.read_bytes() == before
    assert to_file.raw == b""
    assert to_stdout.raw == Path("signed.mender").read_bytes()
    command.ok("validate", "signed.mender", "-k", keys.rsa_public)


def test_stdin_without_an_output_goes_to_stdout(command: Command, rootfs: Path, keys: Keys) -> None:
    done = command.ok("sign", "-", "-k", keys.rsa, stdin=rootfs.read_bytes())

    assert done.raw.startswith(b"version\0")


def test_a_signature_that_is_there_is_replaced_by_force_only(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    command.ok("sign", rootfs, "-k", keys.rsa)
    signed = rootfs.read_bytes()

    refused = command("sign", rootfs, "-k", keys.ec)
    between = rootfs.read_bytes()
    command.ok("sign", rootfs, "-k", keys.ec, "--force")

    assert refused.code == 1
    assert (
        refused.err
        == f"ota-artifact: {rootfs}: is already signed; use --force to replace the signature\n"
    )
    assert between == signed
    command.ok("validate", rootfs, "-k", keys.ec_public)


@pytest.mark.parametrize(
    "layout", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL], ids=["pkcs8", "traditional"]
)
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_every_form_of_key_file_signs_with_a_passphrase_and_without(
    command: Command,
    rootfs: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: PrivateFormat,
    kind: str,
) -> None:
    key = rsa_key() if kind == "rsa" else ec_key()
    Path("plain.pem").write_bytes(private_pem(key, layout))
    Path("locked.pem").write_bytes(private_pem(key, layout, b"open sesame"))
    Path("passphrase").write_bytes(b"open sesame\r\nnot this line\n")

    command.ok("sign", rootfs, "-k", "plain.pem", "-o", "plain.mender")
    command.ok(
        *("sign", rootfs, "-k", "locked.pem", "-o", "by-file.mender"),
        *("--key-passphrase-file", "passphrase"),
    )
    monkeypatch.setenv("OTA_KEY_PASSPHRASE", "open sesame")
    command.ok("sign", rootfs, "-k", "locked.pem", "-o", "by-variable.mender")

    for name in ("plain", "by-file", "by-variable"):
        command.ok("validate", f"{name}.mender", "-k", "plain.pem")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "missing signing key; give --key, --sign-command or --key-pkcs11"),
        (("-k", "none.pem"), "none.pem: No such file or directory"),
        (("-k", "locked.pem"), "locked.pem: is encrypted; give --key-passphrase-file or set $OTA_"),
        (("-k", "locked.pem", "--key-passphrase-file", "wrong"), "is the passphrase right?"),
        (("-k", "locked.pem", "--key-passphrase-file", "none"), "none: No such file"),
        (("-k", "p384.pem"), "p384.pem: artifacts are signed with RSA or ECDSA P-256 keys"),
        (("-k", "rootfs.mender"), "rootfs.mender: is not a usable private key in PEM"),
        (("-k", "wrong", "--sign-command", "true"), "--key and --sign-command: only one can sign"),
        (("-k", "wrong", "--verify-key", "wrong"), "--verify-key: needs --sign-command"),
        (("--key-passphrase-file", "wrong"), "--key-passphrase-file: needs --key"),
        (("--sign-command", "'"), '--sign-command: "\'": No closing quotation'),
        (("--sign-command", "true"), "--sign-command: printed 0 B, which is not a signature"),
        (
            ("--gcp-kms-key", "x"),
            "--gcp-kms-key: is not supported; sign with the service's own program",
        ),
        (("--vault-transit-key", "x"), "--vault-transit-key: is not supported"),
        (("--keyfactor-signserver-worker", "x"), "--keyfactor-signserver-worker: is not supported"),
        (("--azure-key", "x"), "--azure-key: is not supported"),
        (("--key-pkcs11", "token=x"), "'token=x' is not a PKCS#11 URI; write 'pkcs11:token="),
    ],
)
def test_without_a_usable_key_the_file_stays_and_the_error_says_why(
    command: Command, rootfs: Path, words: tuple[str, ...], said: str
) -> None:
    Path("locked.pem").write_bytes(private_pem(ec_key(), passphrase=b"open sesame"))
    Path("p384.pem").write_bytes(private_pem(ec.generate_private_key(ec.SECP384R1())))
    Path("wrong").write_text("sesame")
    before = state_of(rootfs)

    done = command("sign", rootfs, *words)

    assert (done.code, said in done.err) == (1, True), done.err
    assert state_of(rootfs) == before


@requires_program("openssl", package="openssl")
def test_a_program_that_signs_gets_the_digest_and_its_signature_is_used(
    command: Command, rootfs: Path, keys: Keys, tmp_path: Path
) -> None:
    signer = program(
        tmp_path / "my signer",
        f'printf %s "$OTA_DIGEST" > digest\nopenssl pkeyutl -sign -inkey {keys.rsa}'
        " -pkeyopt digest:sha256",
    )

    command.ok("sign", rootfs, "--sign-command", f"'{signer}' --slot 1")

    assert len(bytes.fromhex(Path("digest").read_text())) == 32
    command.ok("validate", rootfs, "-k", keys.rsa_public)


@requires_program("openssl", package="openssl")
def test_a_program_may_print_der_in_base64(
    command: Command, rootfs: Path, keys: Keys, tmp_path: Path
) -> None:
    signer = program(tmp_path / "signer", f"openssl pkeyutl -sign -inkey {keys.ec} | base64 -w 20")

    command.ok("sign", rootfs, "--sign-command", str(signer), "--verify-key", keys.ec_public)

    command.ok("validate", rootfs, "-k", keys.ec_public)
    assert len(base64.b64decode(members(rootfs)["manifest.sig"])) == 64


@requires_program("openssl", package="openssl")
def test_a_signature_that_the_public_key_does_not_accept_is_not_put_in(
    command: Command, rootfs: Path, keys: Keys, tmp_path: Path
) -> None:
    signer = program(tmp_path / "signer", f"openssl pkeyutl -sign -inkey {keys.ec}")
    before = state_of(rootfs)

    done = command(
        *("sign", rootfs, "--sign-command", str(signer), "--verify-key", keys.rsa_public)
    )

    assert done.code == 1
    assert f"{keys.rsa_public} does not accept the signature it gave" in done.err
    assert state_of(rootfs) == before


@pytest.mark.parametrize(
    ("lines", "said"),
    [("echo no token >&2; exit 3", "exit code 3: no token"), ("kill -9 $$", "exit code -9")],
)
def test_a_program_that_fails_is_an_error_of_the_system_and_the_file_stays(
    command: Command, rootfs: Path, tmp_path: Path, lines: str, said: str
) -> None:
    signer = program(tmp_path / "signer", lines)
    before = state_of(rootfs)

    done = command("sign", rootfs, "--sign-command", str(signer))

    assert (done.code, said in done.err) == (7, True), done.err
    assert state_of(rootfs) == before


def test_a_program_that_is_not_there_is_named(command: Command, rootfs: Path) -> None:
    done = command("sign", rootfs, "--sign-command", "no-such-signer --now")

    assert done.code == 7
    assert "no-such-signer: not found; install the package that has it" in done.err


@pytest.fixture
def engine(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An openssl with an engine, for which any URI stands for a key; it notes what it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    openssl = "PATH=${PATH#*:} openssl"
    program(
        folder / "openssl",
        'echo "$@" >> arguments\n'
        "for word; do case $word in *pin-source=*) file=${word#*pin-source=}\n"
        'stat -L -c %a "$file" >>pins; cat "$file" >>pins; echo >>pins\n'
        'stat -L -c %h "$file" >>links;; esac; done\n'
        'case "$1" in\n'
        f"pkeyutl) {openssl} pkeyutl -sign -inkey {keys.rsa} -pkeyopt digest:sha256;;\n"
        f"pkey) cat {keys.rsa_public};;\nesac",
    )
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("OTA_PKCS11_PIN", raising=False)


@requires_program("openssl", package="openssl")
@pytest.mark.usefixtures("engine")
def test_a_pkcs11_key_signs_and_verifies_through_openssl(command: Command, rootfs: Path) -> None:
    uri = "pkcs11:token=my token;object=key"

    command.ok("sign", rootfs, "--key-pkcs11", uri)
    done = command.ok("read", rootfs, "--key-pkcs11", uri)

    assert "signed and verified correctly" in done.out
    signing, checking = Path("arguments").read_text().splitlines()
    assert f"-engine pkcs11 -keyform engine -sign -inkey {uri} -pkeyopt digest:sha256" in signing
    assert f"-engine pkcs11 -inform engine -pubin -pubout -in {uri}" in checking


@requires_program("openssl", package="openssl")
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:token=t;object=key;pin-value=12%2034",
        "pkcs11:token=t;object=key?pin-value=12%2034",
        "pkcs11:pin-value=12%2034;token=t;object=key",
        "pkcs11:token=t;object=key",
    ],
)
def test_no_program_has_the_pin_among_its_arguments(
    command: Command,
    rootfs: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    uri: str,
) -> None:
    if "pin-value" not in uri:
        monkeypatch.setenv("OTA_PKCS11_PIN", "12 34")

    command.ok("sign", rootfs, "--key-pkcs11", uri)
    command.ok("read", rootfs, "--key-pkcs11", uri)

    said = Path("arguments").read_text()
    assert "12 34" not in said
    assert "12%20" not in said
    assert said.count("pkcs11:token=t;object=key;pin-source=/") == 2
    assert Path("pins").read_text() == "600\n12 34\n" * 2
    assert Path("links").read_text() == "0\n" * 2  # no name is left if this process is killed
    assert ("everyone on this machine can see the PIN" in caplog.text) == ("pin-value" in uri)


@requires_program("openssl", package="openssl")
def test_a_missing_token_is_an_error_of_the_system(
    command: Command, rootfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSSL_CONF", "/dev/null")

    done = command("validate", rootfs, "--key-pkcs11", "pkcs11:token=none")

    assert done.code == 7
    assert "openssl pkey -engine pkcs11" in done.err


def test_a_damaged_artifact_is_not_signed(command: Command, rootfs: Path, keys: Keys) -> None:
    rootfs.write_bytes(rootfs.read_bytes()[:-2000])
    before = state_of(rootfs)

    done = command("sign", rootfs, "-k", keys.rsa)

    assert done.code == 1
    assert state_of(rootfs) == before


def test_a_file_that_is_not_there_is_not_made(command: Command, keys: Keys, tmp_path: Path) -> None:
    done = command("sign", "none.mender", "-k", keys.rsa)

    assert done.code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed_and_mode_and_owner_stay(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    rootfs.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(rootfs, 12345, 23456)
    _, mode, owner, group, _ = state_of(rootfs)
    Path("link.mender").symlink_to("rootfs.mender")

    command.ok("sign", "link.mender", "-k", keys.rsa)

    assert Path("link.mender").is_symlink()
    assert state_of(rootfs)[1:4] == (mode, owner, group)
    command.ok("validate", rootfs, "-k", keys.rsa_public)
