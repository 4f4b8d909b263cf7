# SPDX-License-Identifier: Apache-2.0
"""State scripts: programs that look on, and may hold an update up or have it fail.

Source: Mender's documentation, State scripts.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ota_agent.bounds import bounded
from ota_agent.durable import remove_folder, sync_folder, write_file
from ota_agent.errors import AgentError
from ota_agent.owners import distrust, require_trusted, sentence
from ota_agent.payloads import UMASK
from ota_agent.small_file import read_small
from ota_artifact.errors import ProgramError
from ota_artifact.run import Channel, Supervised

if TYPE_CHECKING:
    from ota_agent.lifecycle.actions import Moment
    from ota_artifact.header import Script

logger = logging.getLogger(__name__)

RETRY = 21
"""Exit code: run me again later. Source: Mender's state scripts."""

_OF_DEVICE = ("Idle", "Sync", "Download")
"""States whose scripts belong to the device; those of all others come in the artifact."""

_NO_WAY_BACK = ("ArtifactRollback", "ArtifactRollbackReboot", "ArtifactFailure")
"""States that can no longer be aborted."""

_VERSIONS = ("2", "3")
_WRITTEN_VERSION = b"3"
_LIMIT = 4096  # [B] of the file with it
_NAP = 1.0  # [s] between two looks whether a wait is aborted


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptOptions:
    """State scripts.

    Attributes:
        timeout: how long one may run [s]; then it fails, and its process group is killed.
        retry_interval: how long to wait before one that asked for it (exit code 21) runs again [s].
        retry_timeout: how long one may ask for that, from the first time on [s].
        folders: the device's own scripts, of the states Idle, Sync and Download; of two with the
            same name, the first folder's runs.
        artifact_scripts: where the scripts of the artifact are kept.
    """

    timeout: float = bounded(3600.0, least=0.1)
    retry_interval: float = bounded(60.0, least=0.01)
    retry_timeout: float = 1800.0
    folders: tuple[Path, ...] = (Path("/etc/ota/scripts"), Path("/etc/mender/scripts"))
    artifact_scripts: Path = Path("/data/ota/scripts")


class Scripts:
    """The state scripts of the device and of the artifact that is being installed.

    Args:
        check: raises if the update is aborted; asked while a script wants to run later.
        tell: told the name of the script that runs, and "" after it.
        verify: raises if a script of the artifact is not as it was.
    """

    def __init__(
        self,
        options: ScriptOptions,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        check: Callable[[], None] = lambda: None,
        tell: Callable[[str], object] = lambda name: None,
        verify: Callable[[Path], None] = lambda script: None,
    ) -> None:
        self._options, self._sleep, self._clock, self._check = options, sleep, clock, check
        self._tell, self._verify = tell, verify

    def store(self, scripts: "tuple[Script, ...]") -> None:
        """Put the scripts of an artifact in the place of the last one's; they are on the disk then.

        Raises:
            AgentError: they cannot be written.
        """
        folder = self._options.artifact_scripts
        try:
            remove_folder(folder)
            folder.mkdir(parents=True, mode=0o700)
            for each in scripts:
                write_file(folder / each.name, (each.content,), mode=0o700)
            write_file(folder / "version", (_WRITTEN_VERSION,))
            sync_folder(folder, folder.parent)
        except OSError as error:
            raise AgentError(f"{folder}: {error.strerror}; is there room on /data?") from error

    def run(
        self,
        state: str,
        moment: "Moment",
        *,
        is_ignored: bool = False,
        report: Callable[[str], None] = lambda substate: None,
    ) -> None:
        """Run the scripts of a moment in the order of their names.

        The first that fails is the last, but at the moment ``Error``, or with ``is_ignored``.

        Args:
            state: such as ``ArtifactInstall``.
            is_ignored: what they end with changes nothing: all of them run.
            report: told before and after each.

        Raises:
            AgentError, ProgramError: one failed, or their folder is not as it must be.
            Aborted: ``check`` says so.
        """
        continues = is_ignored or moment == "Error"
        can_abort = not continues and state not in _NO_WAY_BACK
        failures = []
        for script in self._found(state, moment):
            report(f"Executing script: {script.name}")
            self._tell(script.name)
            try:
                if state not in _OF_DEVICE:
                    self._verify(script)
                self._run_to_end(script, can_abort=can_abort)
            except (AgentError, ProgramError) as error:
                if not continues:
                    raise
                logger.error("%s; the scripts after it run anyway", error)
                failures.append(str(error))
            finally:
                self._tell("")
            report(f"finished executing script: {script.name}")
        if failures:
            raise AgentError("; ".join(failures))

    def _found(self, state: str, moment: "Moment") -> list[Path]:
        """What is to run, in order."""
        of_device, of_artifact = self._options.folders, (self._options.artifact_scripts,)
        if state not in _OF_DEVICE:
            require_trusted(self._options.artifact_scripts)
        if state == "ArtifactCommit" and moment == "Enter":
            for folder in of_device:  # would the new system run its own?
                _check_version(folder)
        name = re.compile(rf"{state}_{moment}_[0-9]{{2}}(_\S+)?")
        scripts: dict[str, Path] = {}
        for folder in of_device if state in _OF_DEVICE else of_artifact:
            here = {path.name: path for path in files_in(folder) if name.fullmatch(path.name)}
            if here:
                _check_version(folder)
            scripts = here | scripts
        return [scripts[each] for each in sorted(scripts) if _may_run(scripts[each])]

    def _run_to_end(self, script: Path, *, can_abort: bool) -> None:
        """Run one until it has another wish than to be run again."""
        first: float | None = None
        while (code := self._run_once(script)) == RETRY:
            first = self._clock() if first is None else first
            left = first + self._options.retry_timeout - self._clock()
            if left < self._options.retry_interval:
                raise AgentError(
                    f"{script}: wants to run later (exit code {RETRY}) for more than"
                    f" {self._options.retry_timeout:g} s; it counts as failed"
                )
            logger.info("%s: runs again in %g s", script.name, self._options.retry_interval)
            self._wait(self._options.retry_interval, can_abort=can_abort)
        if code:
            raise AgentError(f"{script}: exit code {code}; the lines before say why")

    def _run_once(self, script: Path) -> int:
        logger.info("executing script: %s", script.name)

        def hear(channel: Channel, line: str) -> None:
            logger.info("%s (%s): %s", script.name, channel, line)

        with Supervised(
            (script,), timeout=self._options.timeout, hear=hear, umask=UMASK
        ) as program:
            return program.finish()

    def _wait(self, duration: float, *, can_abort: bool) -> None:
        end = self._clock() + duration
        while (left := end - self._clock()) > 0:
            if can_abort:
                self._check()
            self._sleep(min(left, _NAP))


def files_in(folder: Path) -> list[Path]:
    """The files in a folder of programs; none if it is not there.

    Raises:
        AgentError: it cannot be read.
    """
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AgentError(f"{folder}: {error.strerror}; what is in it cannot be run") from error


def _may_run(script: Path) -> bool:
    """Whether it can be run, and root may obey it; it is named if not."""
    if wrong := distrust(script):
        logger.error("%s; it is not run", sentence(script, wrong))
        return False
    return is_executable(script)


def is_executable(program: Path) -> bool:
    """Whether it can be run; it is named if not: a chmod may have been forgotten."""
    if os.access(program, os.X_OK):
        return True
    logger.warning("%s: is not executable, and is not run; chmod +x", program)
    return False


def _check_version(folder: Path) -> None:
    """Refuse scripts that are written for other rules; without a file, they are for these.

    Raises:
        AgentError: another version, or it cannot be read.
    """
    try:
        version = read_small(folder / "version", _LIMIT).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise AgentError(f"{folder}/version: {error.strerror}") from error
    if version not in _VERSIONS:
        raise AgentError(
            f"{folder}/version: {version[:20]!r} is not one of {', '.join(_VERSIONS)}; the scripts"
            " are for another agent"
        )
