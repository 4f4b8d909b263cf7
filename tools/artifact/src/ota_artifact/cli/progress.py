# SPDX-License-Identifier: Apache-2.0
"""A progress bar for long work, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

from ota_artifact.terminal import Steered

STEP = 1 << 20
"""How much has to be done before the bar moves [B]."""


@contextmanager
def progress(what: str, *, is_wanted: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """A function that takes the bytes done and their total [B]; None without a terminal."""
    if not is_wanted or not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
    except ImportError:
        yield None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(file=cast(IO[str], Steered(sys.stderr))),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task(what, total=None)
        shown = 0

        def tell(done: int, total: int) -> None:
            nonlocal shown
            if done - shown >= STEP or done == total:
                shown = done
                bar.update(task, completed=done, total=total or None)

        yield tell
