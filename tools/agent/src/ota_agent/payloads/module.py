# SPDX-License-Identifier: Apache-2.0
"""Update modules: programs that install anything but a root filesystem, each one type of payload.

Source: Mender's update modules, protocol version 3; where its text and its C++ client differ, the
client counts.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Call
from ota_agent.owners import require_trusted
from ota_agent.payloads import UMASK, ModuleOptions, Progress, Reboot
from ota_agent.payloads.evidence import Evidence
from ota_agent.payloads.streams import Streams, TurnedAway
from ota_agent.payloads.tree import (
    make_tree,
    remove_tree,
    store_file,
    tree_of,
    type_of_tree,
)
from ota_artifact.errors import ArtifactError
from ota_artifact.header import Header
from ota_artifact.names import check_payload_type
from ota_artifact.payload import Payload, PayloadFile
from ota_artifact.run import Channel, Hear, Supervised

logger = logging.getLogger(__name__)

_Question = Literal["ProvidePayloadFileSizes", "NeedsArtifactReboot", "SupportsRollback"]

_NO, _YES, _AUTOMATIC = "No", "Yes", "Automatic"
_REBOOTS: dict[str, Reboot] = {_NO: "no", _AUTOMATIC: "automatic", _YES: "custom"}


class UpdateModule:
    """One payload and its update module. See `Installer`; all it knows is in its tree on the disk.

    Args:
        type_: of the payload: the module's name.
        number: of the payload; 0 is the first.
        evidence: shows that the stored files are the artifact's.

    Raises:
        AgentError: the type cannot be the name of a module.
    """

    slot = ""

    def __init__(
        self,
        type_: str,
        number: int,
        options: ModuleOptions,
        *,
        evidence: Evidence | None = None,
    ) -> None:
        try:
            self._type = check_payload_type(type_, f"payload {number:04}")
        except ArtifactError as error:
            raise AgentError(str(error)) from error
        self._number, self._options = number, options
        self._evidence = evidence
        self._tree = tree_of(options.payloads, number)

    def begin(self, header: Header, current: Mapping[str, str]) -> None:
        """Make the tree for an artifact, whose payload of this number is to be stored.

        Args:
            current: what the device provides before the update, and its ``device_type``.

        Raises:
            AgentError: there is no such module, or no room for the tree.
        """
        self._module()
        try:
            make_tree(self._tree, header, self._number, current)
        except OSError as error:
            raise AgentError(
                f"{self._tree}: {error.strerror}; is there room on its filesystem?"
            ) from error

    def store(self, payload: Payload, progress: Progress) -> None:
        """Give the payload's files to the module, or store them for it in ``files/``.

        Raises:
            AgentError: the module failed or did not read them all; or there is no room.
            ArtifactError: a file is damaged.
            ProgramError: the module took too long.
            OSError: the disk fails.
        """
        has_sizes = self._ask("ProvidePayloadFileSizes", (_NO, _YES)) == _YES
        done = total = 0

        def files() -> Iterator[PayloadFile]:
            nonlocal total
            for file in payload.files():
                total += file.size
                yield file

        def passed(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        coming = files()
        if not self._stream(coming, passed, has_sizes=has_sizes):
            for file in coming:
                store_file(self._tree, file, self._options.keep_free, passed)

    def finish(self) -> None:
        """Nothing: a module's install comes after it. See `Installer.finish`."""

    def call(self, call: Call) -> None:
        """Call the module; after `Cleanup` the tree is gone, also if that failed.

        Raises:
            AgentError: it failed, or is missing, or the tree is.
            ProgramError: it took too long.
        """
        if call != "Cleanup":
            if call == "ArtifactInstall" and self._evidence is not None:
                self._evidence.check_files(self._tree, self._number, self._type)
            self._run(call)
        elif self._tree.is_dir():  # else there is nothing to do
            try:
                self._run(call)
            finally:
                remove_tree(self._tree)

    def wants_reboot(self) -> Reboot:
        """See `Installer.wants_reboot`."""
        return _REBOOTS[self._ask("NeedsArtifactReboot", tuple(_REBOOTS))]

    def can_roll_back(self) -> bool:
        """See `Installer.can_roll_back`."""
        return self._ask("SupportsRollback", (_NO, _YES)) == _YES

    def _stream(
        self, files: Iterator[PayloadFile], passed: Callable[[int], None], *, has_sizes: bool
    ) -> bool:
        """Have the module download; False if it left the files to us."""
        call = "DownloadWithFileSizes" if has_sizes else "Download"
        streams = Streams(self._tree, has_sizes=has_sizes)
        try:
            with self._supervise(call) as module:
                streams.feed(module, files, passed)
        except TurnedAway as error:
            raise AgentError(f"update module {self._type}: {call}: {error}") from error
        finally:
            streams.remove()
        return streams.has_begun

    def _run(self, call: Call) -> None:
        with self._supervise(call) as module:
            module.finish()

    def _ask(self, question: _Question, answers: tuple[str, ...]) -> str:
        """One of ``answers``; the first if it says nothing.

        Raises:
            AgentError: it fails, or says anything else.
        """
        said: list[str] = []

        def hear(channel: Channel, line: str) -> None:
            if channel == "stderr":
                self._hear(channel, line)
            elif line.strip() and len(said) < 2:  # a second one is wrong, whatever follows
                said.append(line.strip())

        with self._supervise(question, hear) as module:
            module.finish()
        answer = said[0] if said else answers[0]
        if len(said) > 1 or answer not in answers:
            text = " and ".join(repr(each[:80]) for each in said)
            raise AgentError(
                f"update module {self._type}: {question}: says {text}; the protocol has"
                f" {', '.join(answers)}"
            )
        return answer

    @contextmanager
    def _supervise(self, call: str, hear: Hear | None = None) -> Iterator[Supervised]:
        """The module at work; it has to end well."""
        if not self._tree.is_dir():
            raise AgentError(
                f"{self._tree}: is gone, and update module {self._type} cannot continue; install"
                " the artifact again"
            )
        logger.info("update module %s: %s", self._type, call)
        argv, timeout = (self._module(), call, self._tree), self._options.timeout
        hear = hear or self._hear
        with Supervised(
            argv,
            timeout=timeout,
            hear=hear,
            folder=self._tree,
            environment={"OTA_PYTHON": sys.executable or "python3"},
            umask=UMASK,
        ) as module:
            yield module
        if module.code:
            raise AgentError(
                f"update module {self._type}: {call}: exit code {module.code}; the lines of the log"
                " before this one say why"
            )

    def _hear(self, channel: Channel, line: str) -> None:
        logger.info("update module %s (%s): %s", self._type, channel, line)

    def _module(self) -> Path:
        """Where the module is now: after an update, that may be another one."""
        for folder in self._options.folders:
            module = folder / self._type
            if module.is_file():
                if not os.access(module, os.X_OK):
                    raise AgentError(f"{module}: is not executable; chmod +x")
                require_trusted(module)
                return module
        places = ", ".join(map(str, self._options.folders))
        there = ", ".join(installed_modules(self._options)) or "none at all"
        raise AgentError(
            f"no update module for payloads of type {self._type} in {places}; there are: {there}"
        )


def installed_modules(options: ModuleOptions) -> tuple[str, ...]:
    """The payload types that there is an update module for."""
    found = set()
    for folder in options.folders:
        with suppress(OSError):
            found |= {each.name for each in folder.iterdir() if os.access(each, os.X_OK)}
    return tuple(sorted(found))


def modules_left(options: ModuleOptions) -> tuple[UpdateModule, ...]:
    """The modules of the trees that are on the disk, last payload first.

    After a failed download nothing else tells which were begun, and want their `Cleanup`.

    Raises:
        OSError: they cannot be read.
    """
    left = []
    for folder in sorted(options.payloads.glob("[0-9][0-9][0-9][0-9]"), reverse=True):
        tree = folder / "tree"
        try:
            left.append(UpdateModule(type_of_tree(tree), int(folder.name), options))
        except AgentError:  # a tree half made, or half removed, which no module knows
            remove_tree(tree)
    return tuple(left)
