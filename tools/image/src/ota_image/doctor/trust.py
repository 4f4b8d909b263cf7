# SPDX-License-Identifier: Apache-2.0
"""Hazards of whose updates an image installs: the keys that its agent is configured with."""

import tomllib
from collections.abc import Iterator

from ota_artifact.device_files import AGENT_TOML, MENDER_CONF
from ota_artifact.errors import ArtifactError
from ota_artifact.finding import Finding, fault
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
    place, keys = f"slot {slot.part.name}: {AGENT_TOML}", _mender_keys(slot.part)
    data = case.disk.part("data")
    for where, part, path in (
        (place, slot.part, AGENT_TOML),
        (f"partition data: {_ON_DATA}", data, _ON_DATA),
    ):
        text = part.text(path) if part else None
        try:
            found = tomllib.loads(text or "").get("keys")
        except tomllib.TOMLDecodeError as error:
            yield fault(
                "agent-toml-damaged",
                where,
                f"is not TOML: {error}: the agent refuses all updates",
                "correct it",
            )
            return
        if isinstance(found, dict) and isinstance(found.get("keys"), list):
            place, keys = where, [each for each in found["keys"] if isinstance(each, str)]
    if not keys:
        yield case.choice(
            "no-verification-key",
            place,
            "no key is configured: the device installs artifacts from anyone",
            "build with --key PEM, which also signs the artifact, or with --verify-key PEM; or"
            " name a public key there, in [keys] keys",
        )
        return
    wrong = [_fault_of(case, slot.part, each.partition(",")[0].strip()) for each in keys]
    for each in filter(None, wrong) if all(wrong) else ():
        yield fault(
            "verification-key-unusable",
            place,
            f"{each}; without another key, the device refuses all updates",
            "put a public key in PEM there",
        )


def _fault_of(case: Case, slot: Part, path: str) -> str:
    """What is wrong with a key; empty if nothing is."""
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
