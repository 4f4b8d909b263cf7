# SPDX-License-Identifier: Apache-2.0
"""Artifacts that are refused."""

from functools import cache

from tests.golden.broken_data import broken_data
from tests.golden.broken_header import broken_headers
from tests.golden.broken_outer import (
    augmented,
    broken_manifests,
    broken_orders,
    broken_signatures,
    broken_versions,
)
from tests.golden.cases import Broken


@cache
def broken_artifacts() -> dict[str, Broken]:
    """Each by its name."""
    cases = (
        *broken_versions(),
        *broken_manifests(),
        *broken_signatures(),
        *broken_orders(),
        *augmented(),
        *broken_headers(),
        *broken_data(),
    )
    by_name = {each.name: each for each in cases}
    assert len(by_name) == len(cases), "two cases have the same name"
    return by_name
