# SPDX-License-Identifier: Apache-2.0
"""Our targets, compared with mender-artifact 3.9.0, and whether a result reaches them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.artifact.measure import Sample

MB = 1_000_000
"""A megabyte [B]."""

PEER = "3.9.0"
"""The version of mender-artifact for which the targets were set: Debian 12's."""

_NAMES = {"cpu": "CPU", "wall": "wall", "rss": "peak RSS", "size": "size"}


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of one case: ours, and mender-artifact's."""

    ours: Sample
    theirs: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The most that something may cost.

    Attributes:
        case: name of the case.
        cost: field of a `Sample`.
        limit: for our cost, or for its ratio to mender-artifact's if ``is_ratio``.
        is_ratio: whether the limit is a ratio.
    """

    case: str
    cost: str
    limit: float
    is_ratio: bool = True

    @property
    def what(self) -> str:
        """The limited cost, in words."""
        return f"{self.case}: {_NAMES[self.cost]}"

    def shown(self, value: float) -> str:
        """A measured value or the limit, for a table."""
        if not self.is_ratio:
            return f"{value / MB:.0f} MB"
        if self.cost == "size":
            return f"{(value - 1) * 100:+.1f} %"
        return f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A target, and the measured value in the same terms."""

    target: Target
    value: float

    @property
    def is_reached(self) -> bool:
        """Whether the value, not rounded, is within the limit."""
        return self.value <= self.target.limit

    @property
    def verdict(self) -> str:
        return "reached" if self.is_reached else "**not reached**"


TARGETS = (
    Target(case="write gzip", cost="cpu", limit=0.5),
    Target(case="write gzip", cost="wall", limit=0.4),
    Target(case="write gzip", cost="size", limit=1.05),
    Target(case="write gzip", cost="rss", limit=64 * MB, is_ratio=False),
    Target(case="write zstd", cost="cpu", limit=0.5),
    Target(case="write zstd", cost="size", limit=0.9),
    Target(case="write xz", cost="cpu", limit=0.75),
    Target(case="write xz", cost="wall", limit=0.4),
    Target(case="write xz", cost="size", limit=1.06),
    Target(case="write xz", cost="rss", limit=350 * MB, is_ratio=False),
    Target(case="validate gzip", cost="cpu", limit=0.8),
    Target(case="validate gzip", cost="rss", limit=64 * MB, is_ratio=False),
)
"""Every target; zstd is compared with mender-artifact's gzip, since that writes no zstd."""


def findings(results: Mapping[str, Result]) -> Iterator[Finding]:
    """The verdict on each target, except those of cases that did not run."""
    for target in TARGETS:
        if result := results.get(target.case):
            ours: float = getattr(result.ours, target.cost)
            theirs: float = getattr(result.theirs, target.cost)
            yield Finding(target, ours / theirs if target.is_ratio else ours)
