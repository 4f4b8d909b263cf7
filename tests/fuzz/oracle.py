# SPDX-License-Identifier: Apache-2.0
"""What is required for any input: it is refused with an `ArtifactError`, or its claims are true."""

import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Sequence

from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PublicKey
from ota_artifact.limits import Limits
from ota_artifact.reader import Artifact, open_artifact
from tests.fuzz.archive import suffix, unpack
from tests.golden.cases import Pipe
from tests.golden.keys import EC_KEY

LIMITS = Limits(
    manifest=1 << 16, signature=1 << 10, packed_header=1 << 16, header=1 << 17, json=1 << 15
)
"""Smaller than the users' limits, so that small inputs reach them."""

_ENOUGH = 4 << 20  # [B] of a payload: a few bytes may expand to gigabytes of zeros
_FILE = re.compile(r"[A-Za-z0-9_.,-]{1,90}")


class _Enough(Exception):
    """The payload is long, and more of it shows nothing new."""


def judge(data: bytes) -> str | None:
    """Read an input; gives where it was refused, or None if it was accepted.

    Raises:
        Exception: anything but `ArtifactError`, or an assertion: a bug.
    """
    refused = _judge(data, ())
    if b"manifest.sig" in data[:8192]:
        refused = _judge(data, (EC_KEY.public,)) or refused
    return refused


def _judge(data: bytes, keys: Sequence[PublicKey]) -> str | None:
    longest = (1 << 30, 1 << 30, 512, 37)[zlib.crc32(data) % 4]
    try:
        artifact = open_artifact(Pipe(data, longest), keys=keys, limits=LIMITS)
        files = _read(artifact)
    except ArtifactError as error:
        text = str(error)
        assert text.isprintable(), text
        assert len(text) < 800, text
        return _place(error)
    except _Enough:
        return "enough"
    assert artifact.is_checked
    assert files == artifact.manifest.files, "other files than the manifest lists"
    if keys:
        assert artifact.signature
        assert artifact.signature.signer(keys) == artifact.signed_by
    _compare(data, artifact)
    return None


def _read(artifact: Artifact) -> dict[tuple[int, str], str]:
    """The digest of each file that came out, by payload number and name."""
    files: dict[tuple[int, str], str] = {}
    total = 0
    for payload in artifact.payloads():
        for file in payload.files():
            assert _FILE.fullmatch(file.name), file.name
            assert file.name not in {".", ".."}
            assert (payload.number, file.name) not in files, "a file came twice"
            digest, size = hashlib.sha256(), 0
            for chunk in file.chunks():
                assert len(chunk) <= 1 << 18
                digest.update(chunk)
                size += len(chunk)
                total += len(chunk)
                if total > _ENOUGH:
                    raise _Enough
            assert size == file.size
            files[payload.number, file.name] = digest.hexdigest()
    return files


def _compare(data: bytes, artifact: Artifact) -> None:
    """Another reader of tars sees the same members: nothing is hidden from either."""
    outer = members(data)
    names = [name for name, _ in outer]
    assert names[:2] == ["version", "manifest"], names
    assert names[2 + bool(artifact.signature)] == artifact.manifest.header_name, names
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in outer}
    assert len(digests) == len(names), names
    assert digests["version"] == artifact.manifest.version
    assert digests[artifact.manifest.header_name] == artifact.manifest.header
    files = {}
    for name, content in outer:
        if name.startswith("data/"):
            plain = unpack(content, suffix(name))
            if plain is None:
                return  # it is large
            for file, inner in members(plain):
                assert (int(name[5:9]), file) not in files, file
                files[int(name[5:9]), file] = hashlib.sha256(inner).hexdigest()
    assert files == artifact.manifest.files, "another reader sees other files"


def members(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of a tar, as Python's tarfile sees them."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content, f"{member.name} is not a file"
            found.append((member.name, content.read()))
    return found


def _place(error: BaseException) -> str:
    """The lines of code through which an error came."""
    places = []
    trace = error.__traceback__
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join(places[2:])
