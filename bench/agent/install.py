# SPDX-License-Identifier: Apache-2.0
"""An install of 512 MiB by HTTP into slot B, by both programs in turn."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.agent.programs import ENVIRONMENT, OURS, THEIRS, words
from bench.agent.servers import file_server
from bench.agent.stand import DEVICE_TYPE, Stand
from bench.artifact.measure import Sample, measure, median
from bench.artifact.targets import Result
from ota_artifact.errors import ProgramError
from ota_artifact.run import run

UNSIGNED, SIGNED = "install gzip", "install gzip, signed"

_LONGEST = "600"  # [s] of one install
_KEY = "/etc/ota/key.pem"
_TRUST: dict[str, tuple[Mapping[str, Mapping[str, object]], Mapping[str, object]]] = {
    UNSIGNED: ({}, {}),
    SIGNED: ({"keys": {"keys": [_KEY]}}, {"ArtifactVerifyKey": _KEY}),
}
"""Each program's settings about keys: ours in agent.toml, theirs in mender.conf."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is installed.

    Attributes:
        image: the root filesystem.
        folder: where an artifact of it is for each case, and the public key.
    """

    image: Path
    folder: Path

    def artifact(self, case: str) -> Path:
        """The artifact that a case installs."""
        return self.folder / f"{case.replace(', ', '-').replace(' ', '-')}.mender"

    @property
    def public_key(self) -> Path:
        return self.folder / "public.pem"

    def digest(self) -> str:
        """SHA-256 of the root filesystem [hex]."""
        with self.image.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def make_release(image: Path, folder: Path) -> Release:
    """The artifacts of a root filesystem, one signed by ECDSA P-256.

    Raises:
        ProgramError: a program is missing or fails.
    """
    release, key = Release(image, folder), folder / "private.pem"
    made = ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    run(("openssl", *made), timeout=60)
    run(("openssl", "pkey", "-in", key, "-pubout", "-out", release.public_key), timeout=60)
    program = Path(sys.executable).with_name("ota-artifact")
    for case in _TRUST:
        argv = (
            *(program, "write", "rootfs-image", "--no-progress", "--compression", "gzip"),
            *("-n", "v2", "-c", DEVICE_TYPE, "-f", image, "-o", release.artifact(case)),
            *(("-k", key) if case == SIGNED else ()),
        )
        run(argv, timeout=600)
    return release


def installs(
    stand: Stand, release: Release, *, rounds: int, say: Callable[[str], None]
) -> Iterator[tuple[str, Result]]:
    """The medians of each case; the two programs take turns to go first.

    Raises:
        ProgramError: one fails, or slot B does not hold the image afterwards.
    """
    digest, size = release.digest(), release.image.stat().st_size
    stand.inside(_KEY).write_bytes(release.public_key.read_bytes())
    with file_server(release.folder) as url:
        for case in _TRUST:
            samples: dict[str, list[Sample]] = {OURS: [], THEIRS: []}
            for number in range(rounds):
                for who in (OURS, THEIRS) if number % 2 else (THEIRS, OURS):
                    address = f"{url}/{release.artifact(case).name}"
                    sample = _install(stand, who, case, address)
                    say(
                        f"{case}: {number + 1} of {rounds}: {who}:"
                        f" {sample.cpu:.2f} s CPU, {sample.rss / 1e6:.1f} MB"
                    )
                    _check(stand, who, size, digest)
                    samples[who].append(sample)
            yield case, Result(median(samples[OURS]), median(samples[THEIRS]))


def _install(stand: Stand, who: str, case: str, url: str) -> Sample:
    stand.reset(*_TRUST[case])
    stand.reset_passive()
    argv = ("/usr/bin/timeout", _LONGEST, *stand.argv(*words(who, "install", url)))
    return measure(argv, environment=ENVIRONMENT, output=Path("/nonexistent"))


def _check(stand: Stand, who: str, size: int, digest: str) -> None:
    found = stand.digest_of_passive(size)
    if found != digest:
        raise ProgramError(f"{who}: slot B has the sha256 {found}, not {digest}")
    if not stand.b.endswith(stand.next_slot or "none"):
        raise ProgramError(f"{who}: the bootloader is not set to try slot B, {stand.b}")
