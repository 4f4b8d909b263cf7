# SPDX-License-Identifier: Apache-2.0
"""The manifest: the sha256 of each file in an artifact. It is what the signature covers."""

import re
from dataclasses import dataclass

from ota_artifact.compression import Codec
from ota_artifact.errors import ArtifactError
from ota_artifact.names import check_file_name, shown

PAYLOADS = 10_000
"""How many payloads the format has room for: data/0000 to data/9999."""

_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_DATA = re.compile(r"data/([0-9]{4})/([^/]+)")
_HEADERS = {f"header.tar{codec.value}": codec for codec in Codec}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artifact lists; nothing else in it is read.

    Attributes:
        raw: the bytes as stored, which are what is signed.
        version: sha256 of the file ``version`` [hex].
        header: sha256 of the header tar as stored, compressed [hex].
        header_codec: how the header tar is compressed.
        files: sha256 [hex] of each payload file's content, by payload number and name.
    """

    raw: bytes
    version: str
    header: str
    header_codec: Codec
    files: dict[tuple[int, str], str]

    @property
    def header_name(self) -> str:
        """The name of the header tar."""
        return f"header.tar{self.header_codec.value}"


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest; it accepts only names that an artifact can have.

    Raises:
        ArtifactError: a malformed line, an unknown or repeated name, or a missing one.
    """
    digests: dict[str, str] = {}
    for number, line in enumerate(_lines(raw), start=1):
        match = _LINE.fullmatch(line)
        if not match:
            raise ArtifactError(
                f"manifest:{number}: {shown(line)} is not 64 hex digits, two spaces and a name"
            )
        digest, name = match.groups()
        if name in digests:
            raise ArtifactError(f"manifest:{number}: {shown(name)} is listed twice")
        digests[name] = digest
    headers = [name for name in digests if name in _HEADERS]
    if len(headers) != 1 or "version" not in digests:
        raise ArtifactError("manifest: must list 'version' and one 'header.tar[.gz|.xz|.zst]'")
    return Manifest(
        raw=raw,
        version=digests.pop("version"),
        header=digests.pop(headers[0]),
        header_codec=_HEADERS[headers[0]],
        files={_data_file(name): digest for name, digest in digests.items()},
    )


def format_manifest(
    files: dict[tuple[int, str], str], header: tuple[str, str], version: str
) -> bytes:
    """The bytes of a manifest in the order that mender-artifact writes.

    Args:
        files: sha256 [hex] by payload number and file name.
        header: name and sha256 [hex] of the header tar.
        version: sha256 [hex] of the file ``version``.
    """
    lines = [f"{digest}  data/{number:04}/{name}\n" for (number, name), digest in files.items()]
    lines.append(f"{header[1]}  {header[0]}\n")
    lines.append(f"{version}  version\n")
    return "".join(lines).encode("ascii")


def _lines(raw: bytes) -> list[str]:
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise ArtifactError(f"manifest: byte {error.start} is not ASCII") from error
    if not text.endswith("\n"):
        raise ArtifactError(
            "manifest: its last line does not end with a newline; it is empty or truncated"
        )
    return text[:-1].split("\n")


def _data_file(name: str) -> tuple[int, str]:
    match = _DATA.fullmatch(name)
    if not match:
        raise ArtifactError(
            f"manifest: {shown(name)} is not a name that an artifact can have"
            " (version, header.tar[.gz|.xz|.zst], data/NNNN/file)"
        )
    return int(match[1]), check_file_name(match[2], f"manifest: {shown(name)}")
