# SPDX-License-Identifier: Apache-2.0
"""Whether an artifact would bring an older version back. Pure.

Versions are compared as people read them: by their numbers and words, from the left. ``1.10`` is
after ``1.9``; ``2.0`` after ``2.0-rc1`` and ``2.0~rc1``; what is behind a ``+`` says who built it,
and does not count. Source for the order of a pre-release: Semantic Versioning 2.0.0, 11.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ota_agent.errors import AgentError
from ota_artifact.provides import ROOTFS

if TYPE_CHECKING:
    from ota_artifact.header import PayloadHeader

_VERSION = ".version"
_REMEDY = "write it with --security-version, or set keys.forbid_downgrade to false"
_PART = re.compile(r"\d{1,1000}|[a-zA-Z]+")
_PRE_RELEASE = re.compile(r"[-~]")
_NUMBER = re.compile(r"\d")

Rank = tuple[tuple[tuple[int, int, str], ...], bool, tuple[tuple[int, int, str], ...]]


def check_versions(payload: "PayloadHeader", committed: Mapping[str, str], key: str) -> None:
    """Pass if no version that a payload provides is lower than what was committed.

    Args:
        committed: versions by the provided key.
        key: of the version of a root filesystem; a module's payload has any that end in
            ``.version``.

    Raises:
        AgentError: one is lower, or two cannot be compared, or there is none.
    """
    is_rootfs = payload.type == ROOTFS
    offered = versions_in(payload.provides, key)
    if is_rootfs:
        offered = {each: version for each, version in offered.items() if each == key}
    if not offered:
        what = "a root filesystem" if is_rootfs else f"a payload of the type {payload.type}"
        wanted = key if is_rootfs else f"a key that ends in {_VERSION}"
        raise AgentError(
            f"downgrade: the artifact holds {what}, and provides neither a security version nor"
            f" {wanted}; {_REMEDY}"
        )
    for each, version in offered.items():
        if each in committed:
            _check_downgrade(each, version, committed[each])


def versions_in(provides: Mapping[str, str], key: str) -> dict[str, str]:
    """Versions among what is provided; see `check_versions`."""
    return {
        each: version
        for each, version in provides.items()
        if each == key or each.endswith(_VERSION)
    }


def _check_downgrade(key: str, offered: str, installed: str) -> None:
    if installed == offered:
        return
    before, after = rank(installed), rank(offered)
    if before is None or after is None:
        text = installed if before is None else offered
        raise AgentError(
            f"downgrade: {key}: {text!r} has no number, so nobody can say whether"
            f" {offered!r} is older than {installed!r}; {_REMEDY}"
        )
    if after < before:
        raise AgentError(
            f"downgrade: the artifact has {key} {offered!r}, and this device has {installed!r};"
            f" give the artifact a higher version, or {_REMEDY}"
        )
    if after == before and "+" in installed + offered:
        raise AgentError(
            f"downgrade: {key}: {offered!r} and {installed!r} differ only behind the '+', so nobody"
            f" can say which is older; {_REMEDY}"
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
