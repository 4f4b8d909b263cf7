# SPDX-License-Identifier: Apache-2.0
"""Hazards of a slot on its hardware: drivers, console and disk, by its device trees."""

from collections.abc import Iterator

from ota_artifact.finding import Finding
from ota_image.doctor.case import Case


def probe(case: Case) -> Iterator[Finding]:
    """What each slot lacks for the hardware."""
    for judged in case.hardware:
        yield from judged.findings
