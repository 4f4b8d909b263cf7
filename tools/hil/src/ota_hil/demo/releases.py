# SPDX-License-Identifier: Apache-2.0
"""Builds what the demo needs: the image of a board, and two artifacts for it."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ota_artifact.device_files import AGENT_TOML, KEYS
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.output import replacing
from ota_artifact.run import run, stream
from ota_artifact.spec import ArtifactSpec, FileSource, PayloadSpec
from ota_artifact.writer import write_artifact
from ota_hil.errors import HilError

BOARD = "qemu-arm64"
HOST = "10.0.2.2"
"""The address of this machine on the board. Source: QEMU, user networking."""

_SILENCE = 1800.0  # [s] the first build waits for packages, and compiles U-Boot
_CERTIFICATE = "/etc/ota/demo.crt"
_VERIFY_KEY = f"{KEYS}/demo.pem"
_CRASH = """\
#!/bin/sh
# This release dies as a bad kernel would.
. /usr/lib/ota/functions
say "demo: this release panics now"
echo c >/proc/sysrq-trigger
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """What was built.

    Attributes:
        image: of the board, with release 1.
        firmware: U-Boot, as QEMU starts it.
        good: the artifact of release 2.
        bad: the artifact of release 3, which panics on its trial.
        unsigned: an artifact that nobody has signed.
        key: private SSH key that all of them accept.
        certificate, certificate_key: of the server that the board trusts.
    """

    image: Path
    firmware: Path
    good: Path
    bad: Path
    unsigned: Path
    key: Path
    certificate: Path
    certificate_key: Path


def build_releases(
    folder: Path, say: Callable[[str], None], options: Sequence[str] = ()
) -> Releases:
    """Build them with `ota-image build`, which caches what is the same every time.

    Args:
        say: gets each line that `ota-image` prints.
        options: of `ota-image`, such as ``--suite``.

    Raises:
        HilError: a build failed.
        ProgramError: a program is missing.
    """
    say = _without_repetition(say)
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate, certificate_key = _keys(folder)
    signing_key = _signing_key(folder)
    overlay = folder / "overlay"
    settings = overlay / AGENT_TOML.lstrip("/")
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        f'[tls]\nserver_certificate = "{_CERTIFICATE}"\n[keys]\nkeys = ["{_VERIFY_KEY}"]\n'
    )
    verify_key = overlay / _VERIFY_KEY.lstrip("/")
    verify_key.parent.mkdir(parents=True, exist_ok=True)
    verify_key.write_bytes(run(("openssl", "pkey", "-in", signing_key, "-pubout"), timeout=60))
    (overlay / _CERTIFICATE.lstrip("/")).write_bytes(certificate.read_bytes())
    crash = folder / "overlay-3" / "etc" / "ota" / "start.d" / "00-crash"
    crash.parent.mkdir(parents=True, exist_ok=True)
    crash.write_text(_CRASH)
    crash.chmod(0o755)
    made = []
    for release in ("1", "2", "3"):
        overlays = [overlay, *([folder / "overlay-3"] if release == "3" else [])]
        words = ["--ssh-key", f"{key}.pub", "--key", str(signing_key), *options]
        made.append(_build(folder / f"release-{release}", release, overlays, words, say))
    folder_of_u_boot = _ota_image(["u-boot", BOARD, *options], say).decode().strip()
    firmware = Path(folder_of_u_boot) / "u-boot.bin"
    image, good, bad = made[0][0], made[1][1], made[2][1]
    return Releases(
        image=image,
        firmware=firmware,
        good=good,
        bad=bad,
        unsigned=_unsigned(folder),
        key=key,
        certificate=certificate,
        certificate_key=certificate_key,
    )


def _build(
    output: Path,
    release: str,
    overlays: list[Path],
    options: Sequence[str],
    say: Callable[[str], None],
) -> tuple[Path, Path]:
    """The image and the artifact of a release; one of an earlier demo may be of another suite."""
    for old in output.glob(f"*-{BOARD}-{release}.sdimg"):
        old.unlink()
    words = ["build", BOARD, "--json", "--output", str(output), "--release", release]
    words += options
    for overlay in overlays:
        words += ["--overlay", str(overlay)]
    found = json.loads(_ota_image(words, say))
    return Path(found["image"]), Path(found["artifact"])


def _ota_image(words: list[str], say: Callable[[str], None]) -> bytes:
    """Run `ota-image`; gives what it prints on stdout, and passes on each line of its stderr.

    It is that of our own installation if there is one: pipx puts only our commands on the PATH.
    """
    command = Path(sys.executable).with_name("ota-image")
    result, said = bytearray(), bytearray()

    def show(piece: bytes) -> None:
        said.extend(piece)
        *lines, rest = said.split(b"\n")
        said[:] = rest
        for line in lines:
            say(line.decode("utf-8", "replace"))

    argv = (command if command.exists() else command.name, *words)
    ended = stream(argv, silence=_SILENCE, sink=result.extend, show=show)
    if said:
        show(b"\n")
    if ended.code:
        line = f"{command.name} {' '.join(words[:2])}"
        raise HilError(f"{line} failed with exit code {ended.code}; see above")
    return bytes(result)


def _without_repetition(say: Callable[[str], None]) -> Callable[[str], None]:
    """Pass a warning on once: three builds of the same image have the same ones."""
    seen = set[str]()

    def hear(line: str) -> None:
        if line not in seen:
            say(line)
        if line.startswith("warning: "):
            seen.add(line)

    return hear


def _unsigned(folder: Path) -> Path:
    """An artifact for the board without a signature, as anyone can make one."""
    script, path = folder / "unsigned", folder / "unsigned.mender"
    script.write_text("#!/bin/sh\n")
    content = FileSource(script.name, script)
    header = Header(version=3, artifact_name="unsigned", compatible_types=(BOARD,), payloads=())
    payload = PayloadSpec(PayloadHeader(type="script"), (content,))
    with replacing(path) as file:
        write_artifact(file, ArtifactSpec(header, (payload,)))
    return path


def _signing_key(folder: Path) -> Path:
    """The key that signs the releases, made once; it comes last, whole."""
    key = folder / "signing.key"
    if not key.exists():
        with TemporaryDirectory(prefix=".keys-", dir=folder) as name:
            part = Path(name) / "key"
            curve = ("-name", "prime256v1", "-genkey", "-noout")
            run(("openssl", "ecparam", *curve, "-out", part), timeout=60)
            part.replace(key)
    return key


def _keys(folder: Path) -> tuple[Path, Path, Path]:
    """A key for SSH, and the certificate of the server with its key; made once.

    Each pair is made elsewhere, and the file that says that it is there comes last, whole.
    """
    key, certificate = folder / "ssh-key", folder / "server.crt"
    certificate_key = folder / "server.key"
    with TemporaryDirectory(prefix=".keys-", dir=folder) as name:
        place = Path(name)
        if not key.exists():
            argv = (
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                "demo",
                "-f",
                place / "key",
            )
            run(argv, timeout=60)
            (place / "key.pub").replace(f"{key}.pub")
            (place / "key").replace(key)
        if not certificate.exists():
            curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
            names = ("-subj", "/CN=OTA Kit demo", "-addext", f"subjectAltName=IP:{HOST}")
            files = ("-keyout", place / "crt.key", "-out", place / "crt")
            options = ("-x509", *curve, "-nodes", "-days", "3650", *names, *files)
            run(("openssl", "req", *options), timeout=60)
            (place / "crt.key").replace(certificate_key)
            (place / "crt").replace(certificate)
    return key, certificate, certificate_key
