# SPDX-License-Identifier: Apache-2.0
"""Hazards of whose updates an image installs: the keys that its agent is configured with."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from ota_artifact.device_files import AGENT_TOML, MENDER_CONF
from ota_artifact.errors import ArtifactError
from ota_artifact.finding import Finding, fault, warning
from ota_artifact.json_text import parse_any
from ota_artifact.keys import parse_public_key
from ota_image.disk.image import Part
from ota_image.disk.slot import Slot
from ota_image.doctor.case import Case

_AGENTS = ("/usr/bin/ota-agent", "/usr/bin/mender-update", "/usr/bin/mender", AGENT_TOML)
_ON_DATA = "/ota/agent.toml"


def probe(case: Case) -> Iterator[Finding]:
    """Whether each slot with an agent knows a key that is good."""
    for slot in case.slots:
        if not slot.is_empty and any(map(slot.part.exists, _AGENTS)):
            yield from _slot(case, slot)


def _slot(case: Case, slot: Slot) -> Iterator[Finding]:
    place, menders = f"slot {slot.part.name}: {AGENT_TOML}", _mender_keys(slot.part)
    try:
        options = _options(slot.part.text(AGENT_TOML) or "")
    except ValueError as error:
        yield fault("agent-toml-damaged", place, f"{error}: the agent does not start", "correct it")
        return
    keys = options.get("keys", menders)
    data = case.disk.part("data")
    if not keys and data and (text := data.text(_ON_DATA)):
        try:
            keys = _options(text).get("keys", ())  # what is on /data can only be stricter
        except ValueError as error:
            yield fault(
                "agent-toml-damaged",
                f"partition data: {_ON_DATA}",
                f"{error}: the agent refuses all updates",
                "correct it",
            )
            return
        place = f"partition data: {_ON_DATA}"
    if not keys:
        yield case.choice(
            "no-verification-key",
            place,
            "no key is configured: the device installs artifacts from anyone",
            "build with --key PEM, which also signs the artifact, or with --verify-key PEM; or"
            " name a public key there, in [keys] keys",
        )
        return
    if options.get("forbid_downgrade") is False:
        yield warning(
            "downgrades-allowed",
            place,
            "[keys] forbid_downgrade is false: the device installs older artifacts again, with the"
            " holes that they had",
            "leave it out: with a key, the device refuses what is older",
        )
    wrong = [_fault_of(case, slot.part, each) for each in keys]
    for each in filter(None, wrong) if all(wrong) else ():
        yield fault(
            "verification-key-unusable",
            place,
            f"{each}; without another key, the device refuses all updates",
            "put a public key in PEM there",
        )


def _options(text: str) -> dict[str, Any]:
    """The section [keys] of a file, as far as it matters here.

    Raises:
        ValueError: it is not as the agent reads it.
    """
    try:
        found = tomllib.loads(text).get("keys", {})
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"is not TOML: {str(error)[:200]}") from error
    if not isinstance(found, dict):
        raise ValueError("keys is not a table; write [keys], and below it keys = […]")
    keys = found.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(each, str) for each in keys):
        raise ValueError("[keys] keys is not a list of texts")
    return found


def _fault_of(case: Case, slot: Part, text: str) -> str:
    """What is wrong with a key, as it is configured; empty if nothing is."""
    path, _, rest = (each.strip() for each in text.partition(","))
    day = rest.partition("=")[2].strip()
    try:
        is_over = bool(rest) and date.fromisoformat(day) < datetime.now(UTC).date()
    except ValueError:
        return f"{path}: {rest!r} is not the last day of a key; write it as expires = 2027-01-01"
    if is_over:
        return f"{path}: has expired on {day}"
    data = case.disk.part("data") if path.startswith("/data/") else None
    content = data.read(path.removeprefix("/data")) if data else slot.read(path)
    if content is None:
        return f"{path}: is missing"
    try:
        parse_public_key(content, path)
    except ArtifactError as error:
        return str(error)
    except ImportError:  # not all that can be wrong is seen without cryptography
        return "" if b"PUBLIC KEY" in content else f"{path}: is not a public key in PEM"
    return ""


def _mender_keys(slot: Part) -> list[str]:
    """The keys that Mender's configuration names; our agent reads it before its own."""
    try:
        found = parse_any(slot.text(MENDER_CONF) or "{}")
    except ValueError:
        return []
    if not isinstance(found, dict):
        return []
    values = [found.get(name) for name in ("ArtifactVerifyKey", "ArtifactVerifyKeys")]
    lists = [each if isinstance(each, list) else [each] for each in values]
    return [each for found in lists for each in found if isinstance(each, str) and each]
