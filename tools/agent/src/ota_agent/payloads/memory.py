# SPDX-License-Identifier: Apache-2.0
"""Refuses a slot that this device's U-Boot could not start, before a byte of it is written."""

from collections.abc import Mapping

from ota_agent.errors import AgentError
from ota_artifact.memory import needs_in, overlaps, regions


def require_room(meta_data: bytes, environment: Mapping[str, str]) -> None:
    """Check that what a payload needs fits where this U-Boot loads it, as far as both are known.

    Args:
        meta_data: of the payload; one without sizes is not judged, and left to the trial boot.
        environment: U-Boot's, in which it saves its addresses; GRUB has none.

    Raises:
        AgentError: it does not fit.
    """
    needs = needs_in(meta_data)
    if needs is None:
        return
    for first, second in overlaps(regions(environment, needs)):
        raise AgentError(
            f"this device's U-Boot loads the {first.name} to {first.start:#x}, where the artifact's"
            f" would reach to {first.end:#x}, over the {second.name} at {second.start:#x}: it"
            " cannot start, and no update of the slot changes the addresses; write a new image to"
            " the device"
        )
