# SPDX-License-Identifier: Apache-2.0
"""The command, called in this process, and its input: keys, payload files, artifacts."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ota_artifact.cli.main import main
from ota_artifact.header import Header
from ota_artifact.reader import open_artifact
from tests.unit.artifact.cli.process import Process
from tests.unit.artifact.image.conftest import ext4, make_disk, make_ext, source, tool, vfat

__all__ = ["ext4", "make_disk", "make_ext", "source", "tool", "vfat"]

IMAGE = b"root filesystem\n" * 1000
"""A root filesystem for `write`, which accepts any bytes."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended.

    Attributes:
        code: what the shell gets.
        raw: stdout.
        err: stderr.
    """

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """Stdout as text."""
        return self.raw.decode("utf-8")


class Command(Protocol):
    """Runs ``ota-artifact`` with these arguments; ``ok`` fails the test if it does."""

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None) -> Done: ...

    def ok(self, *arguments: str | Path, stdin: bytes | None = None) -> Done: ...


class _Command:
    def __init__(self, capture: pytest.CaptureFixture[bytes], folder: Path) -> None:
        self._capture = capture
        self._folder = folder

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None) -> Done:
        self._capture.readouterr()
        with _stdin(self._folder / "stdin", stdin):
            code = main([str(each) for each in arguments])
        raw, err = self._capture.readouterr()
        return Done(code, raw, err.decode("utf-8"))

    def ok(self, *arguments: str | Path, stdin: bytes | None = None) -> Done:
        done = self(*arguments, stdin=stdin)
        assert done.code == 0, done.err
        return done


@contextmanager
def _stdin(file: Path, content: bytes | None) -> Iterator[None]:
    if content is None:
        yield
        return
    file.write_bytes(content)
    kept, old = os.dup(0), sys.stdin
    with file.open("rb") as replaced, file.open() as sys.stdin:
        os.dup2(replaced.fileno(), 0)
        try:
            yield
        finally:
            os.dup2(kept, 0)
            os.close(kept)
            sys.stdin = old


@pytest.fixture
def command(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command, in a folder of the test's own, with no variables that would change it."""
    for variable in ("SOURCE_DATE_EPOCH", "OTA_KEY_PASSPHRASE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return _Command(capfdbinary, tmp_path)


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    """End processes that a failed test did not wait for."""
    yield
    while Process.running:
        process = Process.running.pop().process
        process.kill()
        process.communicate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Key files.

    Attributes:
        rsa, ec: private keys.
        rsa_public, ec_public: their public halves.
    """

    rsa: Path
    rsa_public: Path
    ec: Path
    ec_public: Path


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """An RSA and an ECDSA key."""
    folder = tmp_path_factory.mktemp("keys")
    paths = []
    for name, key in (("rsa", rsa_key()), ("ec", ec_key())):
        private, public = folder / f"{name}.pem", folder / f"{name}-public.pem"
        private.write_bytes(private_pem(key))
        public.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        paths += [private, public]
    rsa, rsa_public, ec, ec_public = paths
    return Keys(rsa=rsa, rsa_public=rsa_public, ec=ec, ec_public=ec_public)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """The RSA key of `keys`."""
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """The ECDSA key of `keys`."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    layout: PrivateFormat = PrivateFormat.PKCS8,
    passphrase: bytes | None = None,
) -> bytes:
    """A private key in PEM."""
    how: KeySerializationEncryption = NoEncryption()
    if passphrase:
        how = BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, layout, how)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file that stands for a root filesystem, with any bytes."""
    path = tmp_path / "root.img"
    path.write_bytes(IMAGE)
    return path


@pytest.fixture(scope="session")
def made() -> dict[str, bytes]:
    """Artifacts by file name: the same for every test, so made once."""
    return {}


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture
def once(made: dict[str, bytes], tmp_path: Path) -> Once:
    """Give an artifact of that name, made by the function if it is the first."""

    def give(name: str, make: Callable[[Path], object]) -> Path:
        path = tmp_path / name
        if name not in made:
            make(path)
            made[name] = path.read_bytes()
        path.write_bytes(made[name])
        return path

    return give


@pytest.fixture
def rootfs(command: Command, image: Path, once: Once) -> Path:
    """An artifact with `image`: release v1, for device type board."""
    options = ("-n", "v1", "-c", "board", "-f", image, "-o")
    return once("rootfs.mender", lambda path: command.ok("write", "rootfs-image", *options, path))


@pytest.fixture
def update(command: Command, request: pytest.FixtureRequest, once: Once) -> Path:
    """An artifact with `ext4`, a real filesystem: release v1, for device type board."""

    def make(path: Path) -> None:
        image = request.getfixturevalue("ext4")
        command.ok("write", "rootfs-image", "-n", "v1", "-c", "board", "-f", image, "-o", path)

    return once("update.mender", make)


@pytest.fixture
def module(command: Command, once: Once, tmp_path: Path) -> Path:
    """An artifact of an update module with two files, meta-data, a script and relations."""
    (tmp_path / "app").write_text("app\n")
    (tmp_path / "lib").write_text("lib\n")
    (tmp_path / "meta.json").write_text('{"b": [1, {"x": null}], "a": "ä & <b>"}')
    (tmp_path / "ArtifactInstall_Enter_00").write_text("#!/bin/sh\n")

    def make(path: Path) -> None:
        command.ok(
            *("write", "module-image", "-T", "files", "-n", "app-2", "-c", "board", "-c", "other"),
            *("-f", "app", "-f", "lib", "-m", "meta.json", "-s", "ArtifactInstall_Enter_00"),
            *("-N", "v1", "-N", "v2", "-g", "beta", "-G", "alpha", "-p", "a:1"),
            *("-p", "z:with: colon", "-d", "needs:this", "-o", path),
        )

    return once("module.mender", make)


@pytest.fixture
def bootstrap(command: Command, tmp_path: Path) -> Path:
    """A bootstrap artifact: v1 for board, which provides v1 as rootfs-image.version."""
    path = tmp_path / "bootstrap.mender"
    command.ok(
        *("write", "bootstrap-artifact", "-n", "v1", "-c", "board"),
        *("-p", "rootfs-image.version:v1", "-o", path),
    )
    return path


def header_of(path: Path) -> Header:
    """An artifact's header, after checking all of the artifact."""
    with path.open("rb") as file:
        artifact = open_artifact(file)
        artifact.drain()
        return artifact.header


def files_of(path: Path) -> dict[str, bytes]:
    """The files of an artifact's first payload, by name."""
    with path.open("rb") as file:
        payload = next(open_artifact(file).payloads())
        return {each.name: b"".join(each.chunks()) for each in payload.files()}


def state_of(path: Path) -> tuple[bytes, int, int, int, set[str]]:
    """A file's content, mode and owner, and what else is in its folder."""
    status = path.stat()
    neighbours = {each.name for each in path.parent.iterdir()} - {"stdin"}
    return path.read_bytes(), status.st_mode, status.st_uid, status.st_gid, neighbours


Make = Callable[..., Path]
