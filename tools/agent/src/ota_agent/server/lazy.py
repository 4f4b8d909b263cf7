# SPDX-License-Identifier: Apache-2.0
"""Connections that are made when they are first needed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import urllib3


class LazyPool:
    """Stands for a pool until it is needed.

    A certificate that cannot be read is then what a server is that does not answer: a trial whose
    release brought it fails, where an agent that does not start would leave it undecided.

    Args:
        make: makes it; raises `AgentError` if it cannot be made.
    """

    def __init__(self, make: "Callable[[], urllib3.PoolManager]") -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)
