# SPDX-License-Identifier: Apache-2.0
"""How much of a file is read before any of it has been checked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of what is kept in memory, all in bytes.

    Attributes:
        version: the file ``version``.
        manifest: ``manifest``; about 20,000 files.
        signature: ``manifest.sig``; RSA of 32,768 bits.
        packed_header: the header tar as stored.
        header: the header tar unpacked, state scripts included.
        json: header-info, type-infos and meta-data together; parsed, JSON takes up to 40 times
            its length.
    """

    version: int = 1 << 10
    manifest: int = 2 << 20
    signature: int = 8 << 10
    packed_header: int = 8 << 20
    header: int = 16 << 20
    json: int = 2 << 20
