# SPDX-License-Identifier: Apache-2.0
"""The keys that count now: those of the slot, or of the newest trust file that follows from them.

The trust files are on /data, which anybody may have changed. So each use follows them again, from
the slot's keys on: each must be signed by keys that the one before it trusts. What was revoked is
in the floor, a second time in the bootloader's environment, and stays revoked if /data is lost.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ota_agent.admission.keys import VerifyOptions, is_over, load_keys, parse_key, read_key
from ota_agent.device.clock import floor as built
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import Floor, is_revoked, of_trust
from ota_agent.owners import require_trusted
from ota_agent.small_file import read_small
from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PublicKey
from ota_artifact.provides import TRUST_FILE
from ota_artifact.trust import (
    LIMIT,
    TrustedKey,
    TrustFile,
    format_trust,
    parse_trust,
    require_successor,
)

if TYPE_CHECKING:
    from ota_artifact.header import Header

logger = logging.getLogger(__name__)

NAME = "trust"
"""The file in the agent's folder on /data: one trust file in each line, the oldest first."""

MOST = 16384
"""Its length at most [B]. Source: what the second home of /data keeps of one file."""

_ALWAYS = 0.0  # [s since 1970], when no key had expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What is trusted now.

    Attributes:
        version: of the trust file; 0 if none counts, and then the slot's keys do.
        threshold: how many keys must sign the next trust file.
        keys: of the trust file, also those that are revoked meanwhile.
        revoked: the ids that the trust file revokes.
        findings: why a trust file that is there does not count, one text each.
    """

    version: int
    threshold: int
    keys: tuple[TrustedKey, ...]
    revoked: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """Which keys verify artifacts on this device.

    Attributes:
        options: as configured.
        slot_keys: the keys that the slot names, as they are configured; if it names none, those of
            a file on /data.
        path: of the trust files.
        device_type: of this device.
        floor: what never counts again, and how far the trust files have come.
        doubt: why it is not known whether keys are configured; empty if it is.
    """

    options: VerifyOptions
    slot_keys: tuple[str, ...]
    path: Path
    device_type: Callable[[], str]
    floor: Callable[[], Floor]
    doubt: str = ""

    def good(
        self, *, now: Callable[[], float] = time.time, least: Callable[[], float] = built
    ) -> tuple[PublicKey, ...]:
        """The keys that may sign an artifact now; none only if none is configured.

        Args:
            least: the time it is at least, whatever the clock says [s since 1970].

        Raises:
            AgentError: keys are configured, and none of them is good; or it is not known whether.
        """
        found, revoked = self.trusted(), self.floor().revoked
        if not found.version:
            return load_keys(self.options, doubt=self.doubt, now=now, least=least, revoked=revoked)
        time_now = max(now(), least())
        good = [
            each.public
            for each in self._counting(found)
            if each.expires is None or not is_over(each.expires, time_now)
        ]
        if not good:
            raise AgentError(
                f"no artifact can be verified: no key of trust file {found.version} is good on this"
                " device; install a newer trust file with a release that has it"
            )
        return tuple(good)

    def known(self) -> tuple[PublicKey, ...]:
        """Those of `good`, and those that have expired meanwhile.

        What was accepted with a key that was good then may still be installed.

        Raises:
            AgentError: keys are configured, and none of them can be read.
        """
        return self.good(now=lambda: _ALWAYS, least=lambda: _ALWAYS)

    def ids(self) -> frozenset[str] | None:
        """The ids of the keys whose security versions count; None: one cannot be read.

        Time may be wrong, and must not take away what a key has raised.
        """
        found, revoked = self.trusted(), self.floor().revoked
        if found.version:
            return frozenset(each.public.id for each in self._counting(found))
        try:
            every = (read_key(parse_key(text).path).id for text in self._every_key())
            return frozenset(each for each in every if not is_revoked(each, revoked))
        except (AgentError, ArtifactError, OSError):
            return None

    @property
    def is_downgrade_forbidden(self) -> bool:
        """Whether what is older is refused: as configured, or as soon as there are keys."""
        if self.options.forbid_downgrade == "auto":
            return self.options.is_downgrade_forbidden or self.trusted().version > 0
        return self.options.forbid_downgrade

    def check_use(self, key: str, header: "Header") -> None:
        """Pass if a key may sign what an artifact holds.

        Args:
            key: id of the key that has verified it; empty if none has.

        Raises:
            AgentError: it may not, or the artifact holds a trust file and more.
        """
        types = [each.type for each in header.payloads]
        if TRUST_FILE in types and (len(types) > 1 or header.scripts):
            raise AgentError(
                "the artifact holds a trust file, and something else; install them one by one"
            )
        if TRUST_FILE in types and not key:
            raise AgentError(
                "the artifact holds a trust file, and this device verifies no artifacts; configure"
                " a key (keys.keys)"
            )
        found = self.trusted()
        roles = {role for each in found.keys if each.public.id == key for role in each.roles}
        if found.version and TRUST_FILE not in types and not roles & {"release", "debug"}:
            raise AgentError(
                f"key {key} may sign trust files only, and has signed an artifact; sign it with a"
                " key for releases"
            )
        if found.version and TRUST_FILE in types and roles == {"debug"}:
            raise AgentError(f"key {key} is for debugging, and has signed a trust file")

    def checked(self, raw: bytes, place: str) -> TrustFile:
        """A trust file that may be taken now, after the one that counts.

        Args:
            place: for messages.

        Raises:
            AgentError: it may not.
        """
        found, floor = self.trusted(), self.floor()
        try:
            new = parse_trust(raw, place)
            if new.version < floor.trust:
                raise AgentError(
                    f"{place}: has version {new.version}, and this device has taken version"
                    f" {floor.trust}; make a newer one"
                )
            now = max(time.time(), built())
            self._require_successor(found, new, floor, place, now=now)
            self._require_way_on(new, place, now=now)
        except ArtifactError as error:
            raise AgentError(str(error)) from error
        return new

    def taken(self, raw: bytes, place: str) -> bytes:
        """The content of the file of trust files with one more; the oldest have to go.

        Raises:
            AgentError: it may not be taken.
        """
        lines = [format_trust(self.checked(raw, place), indent=None)]
        size = len(lines[0])
        for line in reversed(self._lines()[0]):
            size += len(line)
            if size > MOST:
                break
            lines.insert(0, line)
        return b"".join(lines)

    def trusted(self) -> Trusted:
        """What follows from the slot's keys, and the trust files on /data."""
        try:
            return self._followed()
        except ImportError:  # without cryptography no key can be read, and nothing is verified
            return Trusted(version=0, threshold=1, keys=())

    def _followed(self) -> Trusted:
        floor = self.floor()
        found, findings = self._base()
        lines, damage = self._lines()
        findings += damage
        refused: dict[int, str] = {}
        for number, line in enumerate(lines, start=1):
            place = f"{self.path}:{number}"
            try:
                new = parse_trust(line, place)
            except ArtifactError as error:
                findings.append(str(error))
                continue
            if new.version > found.version:
                try:
                    self._require_successor(found, new, floor, place, now=_ALWAYS)
                    found = _of(new)
                except ArtifactError as error:
                    refused[new.version] = str(error)
        findings += [text for version, text in refused.items() if version > found.version]
        if found.version < floor.trust:
            findings.append(
                f"{self.path}: version {floor.trust} of the trust file is lost; install it again"
            )
        return Trusted(
            version=found.version,
            threshold=found.threshold,
            keys=found.keys,
            revoked=found.revoked,
            findings=tuple(findings),
        )

    def as_floor(self) -> Floor:
        """What the trust file adds to the floor."""
        found = self.trusted()
        return of_trust(found.version, found.revoked)

    def _base(self) -> tuple[Trusted, list[str]]:
        """The slot's trust file, or its keys: each of these may sign trust files."""
        findings: list[str] = []
        try:
            require_trusted(self.options.trust)
            raw = read_small(self.options.trust, LIMIT + 1)
            return _of(parse_trust(raw, str(self.options.trust))), findings
        except FileNotFoundError:
            pass
        except (AgentError, ArtifactError, OSError) as error:
            findings.append(_text(error, self.options.trust))
        keys = []
        for text in self.slot_keys:
            try:
                path = parse_key(text).path
                require_trusted(path)
                keys.append(TrustedKey(public=read_key(path)))
            except (AgentError, ArtifactError, OSError):
                continue  # that it cannot be read is told where it verifies artifacts
        return Trusted(version=0, threshold=1, keys=tuple(keys)), findings

    def _lines(self) -> tuple[list[bytes], list[str]]:
        """The trust files on /data, each with its line feed; and why they cannot be read."""
        try:
            require_trusted(self.path)
            raw = read_small(self.path, MOST + 1)
        except FileNotFoundError:
            return [], []
        except (AgentError, OSError) as error:
            return [], [_text(error, self.path)]
        if len(raw) > MOST:
            return [], [f"{self.path}: is larger than {MOST} B; install the trust file again"]
        return [line for line in raw.splitlines(keepends=True) if line.strip()], []

    def _require_successor(
        self, before: Trusted, new: TrustFile, floor: Floor, place: str, *, now: float
    ) -> None:
        """Pass if the keys that are trusted have signed a trust file.

        A key that is revoked has signed no later version than the one that revoked it; unless it is
        the only one that the slot knows: then what it has signed leads to the others.

        Raises:
            ArtifactError: they have not.
        """
        revoked = floor.revoked
        keys = [
            each
            for each in before.keys
            if self._is_here(each) and (each.expires is None or not is_over(each.expires, now))
        ]
        unrevoked = [each for each in keys if not is_revoked(each.public.id, revoked)]
        if not before.version and unrevoked:
            keys = unrevoked
        else:
            keys = [
                each for each in keys if new.version <= revoked.get(each.public.id[:8], new.version)
            ]
        require_successor(
            new, keys, threshold=before.threshold, version=before.version, place=place
        )

    def _require_way_on(self, new: TrustFile, place: str, *, now: float) -> None:
        """Pass if this device could take an update, and another trust file, with these keys.

        Keys that an earlier file has revoked stay so, and some may have expired.

        Raises:
            AgentError: it could take nothing more.
        """
        roles = [
            each.roles
            for each in self._counting(_of(new))
            if each.expires is None or not is_over(each.expires, now)
        ]
        signing = sum("trust" in each for each in roles)
        if signing < new.threshold:
            raise AgentError(
                f"{place}: {signing} keys for trust are good on this device, and {new.threshold}"
                " must sign the next version: it could never take one; add a key"
            )
        if not any("release" in each for each in roles):
            raise AgentError(
                f"{place}: no key for releases is good on this device: it could take no update; add"
                " a key"
            )

    def _counting(self, found: Trusted) -> Iterable[TrustedKey]:
        """The keys of a trust file that count on this device, also those that have expired."""
        revoked, left_out = self.floor().revoked, self._left_out()
        for each in found.keys:
            name = each.public.id
            is_for_us = self._is_here(each) and (self.options.debug or each.roles != ("debug",))
            if is_for_us and not is_revoked(name, revoked) and name not in left_out:
                yield each

    def _is_here(self, key: TrustedKey) -> bool:
        return not key.device_types or self.device_type() in key.device_types

    def _left_out(self) -> frozenset[str]:
        """The ids of the slot's keys that a file on /data leaves out."""
        found = set()
        for text in {*self.slot_keys} - {*self.options.keys}:
            try:
                path = parse_key(text).path
                if path not in {parse_key(each).path for each in self.options.keys}:
                    found.add(read_key(path).id)
            except (AgentError, ArtifactError, OSError):
                continue
        return frozenset(found)

    def _every_key(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.slot_keys, *self.options.keys)))


def _of(file: TrustFile) -> Trusted:
    return Trusted(
        version=file.version, threshold=file.threshold, keys=file.keys, revoked=file.revoked
    )


def _text(error: Exception, path: Path) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return f"{path}: {reason}" if reason else str(error)
