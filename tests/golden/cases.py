# SPDX-License-Identifier: Apache-2.0
"""A golden artifact: its name, its bytes, and the result of reading it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PublicKey
from ota_artifact.limits import Limits
from ota_artifact.reader import Artifact, open_artifact

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """An artifact that is accepted.

    Attributes:
        name: of the file, without its suffix.
        content: its bytes.
        keys: to verify with.
        is_reproducible: each machine makes the same bytes; xz depends on the system's library.
        is_committed: there is a file; if not, the generator's bytes alone are tested.
    """

    name: str
    content: bytes
    keys: tuple[PublicKey, ...] = ()
    is_reproducible: bool = True
    is_committed: bool = True

    @property
    def path(self) -> Path:
        return FOLDER / "good" / f"{self.name}.mender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An artifact that is refused.

    Attributes:
        name: what is wrong; of the file as well, without its suffix.
        finding: a pattern for the message.
        content: its bytes.
        error: the class, where a caller acts on it.
        keys: to verify with.
        is_committed: there is a file; if not, the generator's bytes alone are tested.
    """

    name: str
    finding: str
    content: bytes
    error: type[ArtifactError] = ArtifactError
    keys: tuple[PublicKey, ...] = ()
    is_committed: bool = True

    @property
    def path(self) -> Path:
        return FOLDER / "broken" / f"{self.name}.mender"


class Pipe:
    """A stream that can be read and nothing else, with short reads as a socket has them."""

    def __init__(self, content: bytes, longest: int = 1 << 30) -> None:
        self._content = memoryview(content)
        self._longest = longest

    def read(self, size: int, /) -> bytes:
        assert size >= 0, "a pipe is never read as a whole"
        data = self._content[: min(size, self._longest)]
        self._content = self._content[len(data) :]
        return bytes(data)


Files = dict[tuple[int, str], bytes]


def read_all(
    content: bytes,
    keys: Sequence[PublicKey] = (),
    *,
    limits: Limits | None = None,
    longest: int = 1 << 30,
) -> tuple[Artifact, Files]:
    """Read an artifact to its end; its files by payload number and name."""
    artifact = open_artifact(Pipe(content, longest), keys=keys, limits=limits)
    return artifact, dict(_files(artifact))


def _files(artifact: Artifact) -> Iterator[tuple[tuple[int, str], bytes]]:
    for payload in artifact.payloads():
        for file in payload.files():
            yield (payload.number, file.name), b"".join(file.chunks())
