# SPDX-License-Identifier: Apache-2.0
"""Whether an artifact would bring an older version back. Pure.

Versions are compared as people read them: by their numbers and words, from the left. ``1.10`` is
after ``1.9``; ``2.0`` after ``2.0-rc1`` and ``2.0~rc1``; what is behind a ``+`` says who built it,
and does not count. Source for the order of a pre-release: Semantic Versioning 2.0.0, 11.
"""

import re
from collections.abc import Mapping

from ota_agent.errors import AgentError

_PART = re.compile(r"\d{1,1000}|[a-zA-Z]+")
_PRE_RELEASE = re.compile(r"[-~]")
_NUMBER = re.compile(r"\d")

Rank = tuple[tuple[tuple[int, int, str], ...], bool, tuple[tuple[int, int, str], ...]]


def check_downgrade(
    artifact: Mapping[str, str], device: Mapping[str, str], key: str, *, has_rootfs: bool = False
) -> None:
    """Pass if the artifact's version is not lower than the installed one.

    Args:
        artifact: what the artifact provides.
        device: what this device provides.
        key: of the version; an artifact that does not provide it leaves it as it is, unless it
            clears it.
        has_rootfs: the artifact holds a root filesystem, and must have a version.

    Raises:
        AgentError: it is lower, or one of the two cannot be compared, or has to be there.
    """
    installed, offered = device.get(key), artifact.get(key)
    if has_rootfs and offered is None:
        raise AgentError(
            f"downgrade: the artifact holds a root filesystem and does not provide {key}; write it"
            " with its version, or set keys.forbid_downgrade to false"
        )
    if installed is None or offered is None or installed == offered:
        return
    before, after = rank(installed), rank(offered)
    if before is None or after is None:
        text = installed if before is None else offered
        raise AgentError(
            f"downgrade: {key}: {text!r} has no number, so nobody can say whether"
            f" {offered!r} is older than {installed!r}; name versions by numbers, or set"
            " keys.forbid_downgrade to false"
        )
    if after < before:
        raise AgentError(
            f"downgrade: the artifact has {key} {offered!r}, and this device has {installed!r};"
            " give the artifact a higher version, or set keys.forbid_downgrade to false"
        )


def rank(version: str) -> Rank | None:
    """What sorts as the versions do; None for a text without a number.

    A name before the first number does not count: ``minimal-1.2`` and ``v1.2`` are 1.2.
    """
    number = _NUMBER.search(version)
    if number is None:
        return None
    text = version[number.start() :].partition("+")[0]
    release, *rest = _PRE_RELEASE.split(text, maxsplit=1)
    parts = _parts(release)
    while parts and parts[-1] == (1, 0, ""):  # 1.0 is 1
        parts = parts[:-1]
    return parts, not rest, _parts(rest[0]) if rest else ()


def _parts(text: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers by their value, and before them words by their letters."""
    return tuple(
        (1, int(each), "") if each.isdigit() else (0, 0, each.lower())
        for each in _PART.findall(text)
    )
