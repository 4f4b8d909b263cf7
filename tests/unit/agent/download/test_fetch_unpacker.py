# SPDX-License-Identifier: Apache-2.0
"""The process that unpacks ends while an artifact is fetched, or has to."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ota_agent.confined import unpacking
from ota_agent.download.fetch import Progress
from ota_agent.errors import Aborted, AgentError
from ota_artifact.start import start_bare
from tests.simulators.file_server import file_server
from tests.unit.agent.download.fetching import MIB, Device, artifact, filesystem

CONTENT = filesystem(5 * MIB + 777)
ROOTFS = {"rootfs.ext4": CONTENT}
Process = subprocess.Popen[bytes]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The processes that unpack, as they are started."""
    found = list[Process]()

    def start(module: str, words: Sequence[str], *, keep: Sequence[int]) -> Process:
        found.append(start_bare(module, words, keep=keep))
        return found[-1]

    monkeypatch.setattr(unpacking, "start_bare", start)
    return found


class Killing(Device):
    """A device on which that process is killed once 3 MiB are in the slot."""

    processes: Sequence[Process] = ()

    def _note(self, progress: Progress) -> None:
        super()._note(progress)
        if progress.done >= 3 * MIB:
            self.processes[-1].kill()


def test_killed_it_fails_the_fetch_with_a_sentence_and_the_next_one_resumes(
    tmp_path: Path, started: list[Process]
) -> None:
    content = artifact(tmp_path, ROOTFS)
    device = Killing(folder=tmp_path)
    device.processes = started
    with file_server(content) as server:
        with pytest.raises(AgentError, match=r"data/0000\.tar\.gz: .* was killed by signal 9"):
            device.fetch(server.url)

        again = Device(folder=tmp_path, kept=device.kept)
        again.fetch(server.url)

    assert again.holds(CONTENT)
    assert again.events[0].startswith("resumed after a restart at")
    assert all(each.returncode is not None for each in started)


class Aborting(Device):
    """A device on which the update is aborted once 2 MiB are in the slot."""

    def _note(self, progress: Progress) -> None:
        super()._note(progress)
        if progress.done >= 2 * MIB:
            self.time.aborted = Aborted("a user")


def test_an_abort_in_the_middle_leaves_no_process(tmp_path: Path, started: list[Process]) -> None:
    device = Aborting(folder=tmp_path)

    with file_server(artifact(tmp_path, ROOTFS)) as server, pytest.raises(Aborted) as kept:
        device.fetch(server.url)

    assert kept.tb is not None  # it keeps the frames of the fetch
    assert [each.returncode for each in started] == [-9]
