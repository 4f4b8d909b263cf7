# SPDX-License-Identifier: Apache-2.0
"""Hazards of the floor of security versions: its copies, and what runs below it."""

from collections.abc import Collection, Iterator

from ota_agent.admission.keys import VerifyOptions
from ota_agent.admission.ring import KeyRing
from ota_agent.config.ring import ring_of
from ota_agent.device.release import RELEASE, security_version_of
from ota_agent.doctor.case import Case
from ota_agent.lifecycle.floor import Floor, from_variable, sentence, to_variable
from ota_artifact.contract import FLOOR
from ota_artifact.finding import Finding, fault, warning
from ota_artifact.provides import ROOTFS

_SETTING = "[keys] forbid_downgrade"


def probe(case: Case) -> Iterator[Finding]:
    """What of the floor is not as it should be."""
    options = case.settings.keys
    remembered = case.memory.floor if case.memory else Floor()
    yield from setting(options)
    if case.variables is not None:
        yield from copies(remembered, case.variables.get(FLOOR, ""))
        remembered = remembered.merged(from_variable(case.variables.get(FLOOR, "")))
    ring = ring_of(case.settings, lambda: remembered)
    try:
        yield from trust(ring)
        keys = ring.ids()
    except ImportError:
        return  # without cryptography no key is known, as another probe says
    if remembered.numbers:
        number = security_version_of(case.system.root / RELEASE.relative_to("/"))
        yield from running(remembered, number, keys)


def trust(ring: KeyRing) -> Iterator[Finding]:
    """What is wrong with the trust files, or will be when one key is lost."""
    found = ring.trusted()
    for each in found.findings:
        place, _, cause = each.partition(": ")
        yield fault(
            "trust-file-passed-over",
            place,
            f"{cause}: it does not count",
            "install the newest trust file again",
        )
    signing = [each for each in found.keys if "trust" in each.roles]
    if found.version and len(signing) <= found.threshold:
        yield warning(
            "one-key-for-trust",
            ring.path,
            f"trust file {found.version} has {len(signing)} keys for trust, and {found.threshold}"
            " must sign the next one: if one is lost, this device takes no other keys",
            "add a key, and keep it in a safe (`ota-artifact trust change --add`)",
        )


def setting(options: VerifyOptions) -> Iterator[Finding]:
    """Whether old artifacts are refused, as far as that is configured."""
    if options.keys and not options.is_downgrade_forbidden:
        yield warning(
            "downgrades-allowed",
            _SETTING,
            "installs any old artifact that was ever signed, with the holes that it had",
            'set it to "auto" or true',
        )


def copies(remembered: Floor, text: str) -> Iterator[Finding]:
    """Whether the environment holds what the memory holds."""
    wanted = to_variable(remembered)
    if from_variable(wanted) != remembered:
        yield warning(
            "floor-without-room",
            FLOOR,
            "the environment has no room for all numbers; the rest is lost with the agent's memory",
            "give several modules' artifacts one name of software (--software-name)",
        )
    if text != wanted:
        yield warning(
            "floor-copies-differ",
            FLOOR,
            f"the environment has {text[:80]!r}, and the agent remembers {wanted!r}",
            "restart the agent: of each number it keeps the higher one, in both places",
        )


def running(floor: Floor, number: int | None, keys: Collection[str] | None) -> Iterator[Finding]:
    """Whether what runs is below the floor."""
    least = floor.of(ROOTFS, keys)
    if number is not None and least is not None and number < least:
        yield fault(
            "runs-below-floor",
            RELEASE,
            f"the security version of what runs is {number}, and the floor is {least}"
            f" ({sentence(floor)}): it has holes that were closed",
            f"install an artifact with the security version {least} or higher",
        )
