# SPDX-License-Identifier: Apache-2.0
"""What happened during a deployment, in a file that outlives restarts; the server gets it.

Lines of JSON with timestamp, level and message, in ``deployments.<id>.log``.
Source: Mender's API, deployments device API, log; and how its client keeps them.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ota_agent.server.redaction import redactor
from ota_agent.small_file import read_small
from ota_artifact.json_text import parse_any
from ota_artifact.terminal import indented

_LARGEST = 4 << 20  # [B] of one log; the rest is left out
_SENT = 900 << 10  # [B] the server takes 1 MiB
_OTHERS = 400 << 10  # [B] of what others have said
_LONGEST = 4096  # characters of one message
_MOST_READ = 4 * _LONGEST  # the beginning may be redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The logs of deployments.

    Attributes:
        folder: where they are kept; it must outlive an update.
        kept: how many.
        send_journal: send the server what a failed trial said: kernel, journal, init scripts.
        redact: regular expressions; what they match is neither kept nor sent, in addition to
            passwords, tokens and the like. A group ``(?P<keep>…)`` at the start of one stays.
    """

    folder: Path = Path("/data/ota/logs")
    kept: int = 5
    send_journal: bool = True
    redact: tuple[str, ...] = ()


class DeploymentLog(logging.Handler):
    """Writes what is logged while a deployment is under way. No error here fails an update.

    Raises:
        AgentError: the options have a pattern that cannot be used.
    """

    def __init__(self, options: LogOptions) -> None:
        super().__init__(logging.INFO)
        self._options, self._redact = options, redactor(options.redact)
        self._path: Path | None = None

    @property
    def sends_journal(self) -> bool:
        """Whether the server gets what a failed trial said."""
        return self._options.send_journal

    def redacted(self, text: str) -> str:
        """A text for the server that is not a line of the log."""
        return redactor(self._options.redact)(text[:_MOST_READ])

    def open(self, deployment: str) -> None:
        """Write to the log of a deployment, behind what is there; harmless if it is open."""
        path = self._options.folder / f"deployments.{_safe(deployment)}.log"
        if path == self._path:
            return
        self._path = path
        with suppress(OSError):  # it is still logged on the console
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(0o600)
            self._sweep()
        logging.getLogger().addHandler(self)

    def close(self) -> None:
        """Write no more."""
        logging.getLogger().removeHandler(self)
        self._path = None
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            when = datetime.fromtimestamp(record.created, UTC)
            self._write(
                _line(
                    when, record.levelname.lower(), self._redact(record.getMessage()[:_MOST_READ])
                )
            )
        except (OSError, ValueError):
            pass  # no room, or no such disk any more: the update is what counts

    def lines(self, others: Iterable[str] = ()) -> list[dict[str, str]]:
        """What was written, for the server; the newest of it, if it is too much.

        Args:
            others: lines that come before it, such as a boot's; they leave room for it.
        """
        if self._path is None:
            return []
        now = datetime.now(UTC)
        redact = redactor(self._options.redact)  # between them, nothing of ours is redacted
        redacted = (redact(each[:_MOST_READ]) for each in others)
        before = _newest((_line(now, "info", each).encode() for each in redacted), _OTHERS)
        try:
            written = read_small(self._path, _LARGEST).splitlines()
        except OSError:
            return []
        return list(_parsed([*before, *_newest(written, _SENT - sum(map(len, before)))]))

    def _write(self, line: str) -> None:
        if (path := self._path) is None:  # another thread has closed it
            return
        data = line.encode() + b"\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(path, flags, 0o600)
        try:
            if os.fstat(file).st_size + len(data) <= _LARGEST:
                os.write(file, data)
        finally:
            os.close(file)

    def _sweep(self) -> None:
        """Take the oldest logs away."""
        logs = sorted(
            self._options.folder.glob("deployments.*.log"), key=lambda each: each.stat().st_mtime
        )
        for path in logs[: max(0, len(logs) - max(1, self._options.kept))]:
            if path != self._path:
                path.unlink(missing_ok=True)


def _newest(lines: Iterable[bytes], room: int) -> list[bytes]:
    """As many of the last lines as there is room for [B]."""
    kept: list[bytes] = []
    for line in reversed(list(lines)):
        room -= len(line) + 2
        if room < 0:
            said = _line(datetime.now(UTC), "warning", "older lines are left out")
            kept.append(said.encode())
            break
        kept.append(line)
    return kept[::-1]


def _line(when: datetime, level: str, message: str) -> str:
    said = {"timestamp": when.isoformat(), "level": level, "message": indented(message[:_LONGEST])}
    return json.dumps(said, ensure_ascii=False)


def _parsed(lines: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The lines as objects; a line that a power cut damaged says so."""
    for line in lines:
        try:
            found: Any = parse_any(line)
            yield {name: str(found[name]) for name in ("timestamp", "level", "message")}
        except (ValueError, KeyError, TypeError):
            now = datetime.now(UTC).isoformat()
            yield {"timestamp": now, "level": "warning", "message": "(a damaged line)"}


def _safe(deployment: str) -> str:
    return "".join(each if each.isalnum() or each in "-_" else "_" for each in deployment)[:64]
