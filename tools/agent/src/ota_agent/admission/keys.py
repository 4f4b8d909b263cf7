# SPDX-License-Identifier: Apache-2.0
"""Which keys an artifact may be signed with, now."""

import logging
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from ota_agent.device.clock import floor
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import is_revoked
from ota_agent.owners import require_trusted
from ota_agent.small_file import require_file
from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PublicKey, load_public_key
from ota_artifact.names import shown

logger = logging.getLogger(__name__)

_EXPIRES = re.compile(r"(?P<path>.*?)\s*,\s*expires\s*=\s*(?P<day>\S*)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """Which artifacts are believed.

    Attributes:
        keys: files with public keys in PEM; one of these keys must have signed an artifact; none:
            any artifact is installed. ``/etc/ota/keys/old.pem, expires = 2027-01-01`` is the last
            day on which a key is good.
        forbid_downgrade: refuse an artifact below the security version of what was committed, or,
            where neither has one, of a lower version; ``auto``: as soon as there are ``keys``.
        version: the key among an artifact's provides that is the version of its root filesystem.
        debug: take artifacts of keys that a trust file has for debugging.
        trust: a trust file in the slot, from which on newer ones are taken.
    """

    keys: tuple[str, ...] = ()
    forbid_downgrade: Literal["auto", True, False] = "auto"
    version: str = "rootfs-image.version"
    debug: bool = False
    trust: Path = Path("/etc/ota/trust.json")

    @property
    def is_any_limited(self) -> bool:
        """Whether a key has a last day."""
        return any(_EXPIRES.fullmatch(each) for each in self.keys)

    @property
    def is_downgrade_forbidden(self) -> bool:
        """Whether what is older is refused."""
        return bool(self.keys) if self.forbid_downgrade == "auto" else self.forbid_downgrade


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that is good until the end of a day (UTC); forever without one."""

    path: Path
    expires: date | None = None

    def is_good(self, now: float) -> bool:
        """Whether it is at a time [s since 1970]."""
        return self.expires is None or not is_over(self.expires, now)


def parse_key(text: str) -> TrustedKey:
    """The key in a line of the configuration.

    Raises:
        AgentError: its last day is not a date.
    """
    found = _EXPIRES.fullmatch(text)
    if not found:
        return TrustedKey(Path(text.strip()))
    try:
        return TrustedKey(Path(found["path"].strip()), date.fromisoformat(found["day"]))
    except ValueError as error:
        raise AgentError(
            f"keys.keys: {shown(text)}: {shown(found['day'])} is not a date; write it as"
            " expires = 2027-01-01"
        ) from error


def load_keys(
    options: VerifyOptions,
    *,
    doubt: str = "",
    now: Callable[[], float] = time.time,
    least: Callable[[], float] = floor,
    revoked: Collection[str] = (),
) -> tuple[PublicKey, ...]:
    """The keys that are good now; none only if none is configured.

    Args:
        doubt: why it is not known whether keys are configured; empty if it is.
        least: the time it is at least, whatever the clock says [s since 1970].
        revoked: keys that do not count, as `Floor.revoked` has them.

    Raises:
        AgentError: keys are configured, and none of them is good; or a last day is not a date; or
            keys may have been configured, and are not known.
    """
    if not options.keys and doubt:
        raise AgentError(
            f"no artifact can be verified: {doubt}: it may have said which keys artifacts must be"
            " signed with; correct it, or configure a key (keys.keys)"
        )
    if not options.keys:
        return ()
    trusted = tuple(map(parse_key, options.keys))
    time_at_least = max(now(), least())
    good: list[PublicKey] = []
    findings: list[str] = []
    for each in trusted:
        if not each.is_good(time_at_least):
            findings.append(f"{each.path}: expired on {each.expires}")
            continue
        try:
            require_trusted(each.path)
            key = read_key(each.path)
            if is_revoked(key.id, revoked):
                findings.append(f"{each.path}: key {key.id} is revoked")
                continue
            good.append(key)
        except (AgentError, ArtifactError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            findings.append(f"{each.path}: {reason}" if reason else str(error))
    if not good:
        raise AgentError(
            f"no artifact can be verified: {'; '.join(findings)}; configure a key that is good"
            " (keys.keys)"
        )
    for finding in findings:
        logger.warning("keys: %s; it is left out", finding)
    return tuple(good)


def read_key(path: Path) -> PublicKey:
    """The public key in a file; what is not a file would be waited for.

    Raises:
        ArtifactError: it is not one.
        OSError: it cannot be read.
    """
    require_file(path)
    return load_public_key(path)


def is_over(day: date, now: float) -> bool:
    """Whether a last day is over at a time [s since 1970]."""
    return datetime.fromtimestamp(now, UTC) >= _end(day)


def _end(day: date) -> datetime:
    try:
        after = day + timedelta(days=1)
    except OverflowError:
        after = day
    return datetime(after.year, after.month, after.day, tzinfo=UTC)
