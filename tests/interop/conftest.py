# SPDX-License-Identifier: Apache-2.0
"""The real `mender-artifact` and ours, keys in a form that it reads, and small things to pack."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_artifact.run import run

Command = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Keys:
    """A pair of PEM files, the private one in the form that mender-artifact 3.9 reads."""

    private: Path
    public: Path


@pytest.fixture(scope="session")
def ours() -> Command:
    """Runs the installed `ota-artifact`; gives what it prints."""
    return lambda *words: run(
        (Path(sys.executable).with_name("ota-artifact"), *words), timeout=60
    ).decode()


@pytest.fixture(scope="session")
def theirs() -> Command:
    """Runs Debian's `mender-artifact`; gives what it prints."""
    return lambda *words: run(("mender-artifact", *words), timeout=60).decode()


@pytest.fixture(scope="session", params=["RSA", "ECDSA"])
def keys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """RSA 3072 as PKCS#1, and ECDSA P-256 as SEC1."""
    folder = tmp_path_factory.mktemp(request.param)
    pair = Keys(folder / "private.pem", folder / "public.pem")
    if request.param == "RSA":
        make: tuple[str, ...] = ("genrsa", "-traditional", "-out", str(pair.private), "3072")
    else:
        make = ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(pair.private))
    run(("openssl", *make), timeout=60)
    run(("openssl", "pkey", "-in", pair.private, "-pubout", "-out", pair.public), timeout=60)
    return pair


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root filesystem of 4 MiB with one file and noise that does not compress."""
    folder = tmp_path_factory.mktemp("image")
    tree = folder / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "hostname").write_text("board\n")
    (tree / "noise").write_bytes(os.urandom(600_000))
    argv = ("mke2fs", "-q", "-t", "ext4", "-d", tree, folder / "rootfs.ext4", "4M")
    run(argv, timeout=60)
    return folder / "rootfs.ext4"


@pytest.fixture
def module_files(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """Two files of an update module's payload, its meta-data, and a state script."""
    one, two, meta = tmp_path / "one.bin", tmp_path / "two", tmp_path / "meta.json"
    script = tmp_path / "ArtifactInstall_Enter_01_hello"
    one.write_bytes(os.urandom(3000))
    two.write_bytes(b"")
    meta.write_text('{"b": [1, 2.5, null], "a": {"text": "ü"}}')
    script.write_text("#!/bin/sh\nexit 0\n")
    return one, two, meta, script
