# SPDX-License-Identifier: Apache-2.0
"""Installs a trust file: from its commit on, other keys count. Nothing reboots, nothing runs."""

from collections.abc import Callable
from pathlib import Path

from ota_agent.durable import replace_file
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Call
from ota_agent.payloads import Progress, Reboot
from ota_agent.small_file import read_small
from ota_artifact.payload import Payload
from ota_artifact.trust import FILE, LIMIT, TrustFile

Check = Callable[[bytes, str], TrustFile]
"""Gives a trust file that may be taken now."""


class TrustInstaller:
    """One payload with a trust file. See `Installer`.

    Args:
        path: of the trust files that count.
        check: raises `AgentError` for one that may not be taken now.
        taken: gives the content of that file with one more.
        version: of the artifact's provides; 0: it has none.
        counting: the version that counts now.
        done: called when another one counts.
    """

    slot = ""

    def __init__(
        self,
        path: Path,
        *,
        check: Check,
        taken: Callable[[bytes, str], bytes],
        counting: Callable[[], int],
        version: int,
        done: Callable[[], object],
    ) -> None:
        self._path, self._new = path, path.with_name(f"{path.name}.new")
        self._check, self._taken, self._counting = check, taken, counting
        self._version, self._done = version, done

    def store(self, payload: Payload, progress: Progress) -> None:
        """Keep the file until it is committed, if it may be taken.

        Raises:
            AgentError: it may not, or is not the only one, or the disk is full.
            ArtifactError: the payload is damaged.
        """
        raw: bytes | None = None
        for file in payload.files():
            if file.name != FILE or raw is not None or file.size > LIMIT:
                raise AgentError(
                    f"{file.name}: with a trust file there is only {FILE}, of up to {LIMIT} B"
                )
            raw = b"".join(file.chunks())
            progress(file.size, file.size)
        if raw is None:
            raise AgentError(
                f"the artifact has no {FILE}; write it with `ota-artifact trust write`"
            )
        found = self._check(raw, FILE)
        if found.version != self._version:
            raise AgentError(
                f"{FILE}: has version {found.version}, and the artifact provides {self._version};"
                " write it with `ota-artifact trust write`"
            )
        try:
            replace_file(self._new, (raw,))
        except OSError as error:
            raise AgentError(f"{self._new}: {error.strerror}; is there room on /data?") from error

    def finish(self) -> None:
        """Nothing is held back. See `Installer.finish`."""

    def call(self, call: Call) -> None:
        """See `Installer.call`; each is safe to repeat.

        Raises:
            AgentError: what was stored may not be taken, or the disk is full.
        """
        match call:
            case "ArtifactInstall":
                self._check(self._stored(), str(self._new))
            case "ArtifactCommit" if self._counting() != self._version:
                self._commit()
            case "ArtifactRollback" | "Cleanup":
                self._new.unlink(missing_ok=True)

    def wants_reboot(self) -> Reboot:
        """Never."""
        return "no"

    def can_roll_back(self) -> bool:
        """Always: until the commit, nothing has changed."""
        return True

    def _commit(self) -> None:
        content = self._taken(self._stored(), str(self._new))
        try:
            replace_file(self._path, (content,))
        except OSError as error:
            raise AgentError(f"{self._path}: {error.strerror}; is there room on /data?") from error
        self._done()

    def _stored(self) -> bytes:
        try:
            return read_small(self._new, LIMIT + 1)
        except OSError as error:
            raise AgentError(
                f"{self._new}: {error.strerror}; install the artifact again"
            ) from error
