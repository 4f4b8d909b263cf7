# SPDX-License-Identifier: Apache-2.0
"""Reaches the archives of a source through apt, and says how far apt trusts them."""

from collections.abc import Sequence
from contextlib import suppress

from ota_artifact.errors import ProgramError
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot
from ota_image.packages.configuration import host_settings, unsafe_settings
from ota_image.packages.sources import Source, archives, unsafe_options
from ota_image.progress import Say


def apt_for(
    arch: str,
    suite: str,
    source: Source,
    components: Sequence[str] = (),
    *,
    kind: str = "deb",
    say: Say = lambda text: None,
) -> AptRoot:
    """The archives of a source, as one architecture sees them.

    Raises:
        ImageError: there is none.
        OSError: the machine's configuration cannot be read, or the cache not written.
    """
    trusts = source.trusts_unsigned
    found = archives(suite, source.mirrors, components, trusts_unsigned=trusts)
    if unsafe := unsafe_parts(suite, source):
        say(
            "warning: by the settings of this machine's apt, a list may be unsigned or old:"
            f" {', '.join(unsafe)}; the list of software says so, too"
        )
    return AptRoot(
        arch, found, kind=kind, is_strict=source.is_locked, trusts_unsigned=trusts, say=say
    )


def unsafe_parts(suite: str, source: Source) -> tuple[str, ...]:
    """The settings by which a build may take lists that are unsigned or old; for the record.

    Raises:
        OSError: the machine's configuration cannot be read.
    """
    trusts, found = source.trusts_unsigned, list[str]()
    with suppress(ImageError):  # without an archive, all packages were in the cache
        found += unsafe_options(archives(suite, source.mirrors, trusts_unsigned=trusts))
    with suppress(ProgramError):
        found += unsafe_settings(host_settings(trusts_unsigned=trusts))
    return tuple(found)
