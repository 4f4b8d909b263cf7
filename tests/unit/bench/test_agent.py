# SPDX-License-Identifier: Apache-2.0
"""The bench of the agent: how it reports costs, and a whole run with Mender's client."""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from bench.agent import __main__ as command
from bench.agent import page
from bench.agent.daemon import Daemon, Idle
from bench.agent.install import SIGNED, UNSIGNED
from bench.agent.programs import OURS, THEIRS, words
from bench.agent.servers import Watched
from bench.agent.stand import Stand
from bench.artifact.measure import Sample
from bench.artifact.targets import Result
from ota_artifact.errors import ProgramError
from ota_artifact.run import Background, run
from ota_board.environment import decode
from tests.conftest import requires_program
from tests.house.tree import ROOT

CHEAP, DEAR = Sample(cpu=1.0, wall=2.0, rss=35e6), Sample(cpu=2.0, wall=2.0, rss=45e6)


def found(ours: Sample = CHEAP, idle: float = 0.1, rss: float = 25e6) -> page.Measured:
    return page.Measured(
        {UNSIGNED: Result(ours, Sample(cpu=1.5, wall=2.0, rss=38e6)), SIGNED: Result(CHEAP, DEAR)},
        {
            OURS: Idle(start=0.5, cpu=idle, rss=rss, polls=10),
            THEIRS: Idle(start=0.3, cpu=0.1, rss=30e6, polls=10),
        },
        {OURS: 0.5, THEIRS: 0.3},
    )


def missed(measured: page.Measured) -> list[str]:
    return [each.what for each in page.targets(measured) if not each.is_reached]


def test_only_missed_targets_are_found() -> None:
    assert missed(found()) == []
    assert missed(found(ours=DEAR)) == [
        "install gzip: CPU, compared with mender-client",
        "install gzip: peak RSS",
    ]
    assert missed(found(idle=0.11)) == ["daemon, idle: CPU, compared with mender-client"]
    assert missed(found(rss=30.1e6)) == ["daemon, idle: peak RSS"]
    assert missed(replace(found(), starts={OURS: 1.6, THEIRS: 1})) == [
        "daemon, start to the first poll"
    ]


def test_the_tables_have_a_row_for_each_program() -> None:
    assert "| install gzip | ota-agent | 1.00 s | 2.00 s | 35.0 MB |" in page.installs(found())
    assert "| mender-client | 0.30 s | 0.30 s | 100 ms | 10 | 30.0 MB |" in page.daemons(found())
    assert "compared with mender-client | 0.67 | 1.00 | reached |" in page.verdicts(found())


def test_a_user_who_is_not_root_is_told_to_use_sudo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert command.main([]) == 3
    assert "needs root: call it with sudo" in capsys.readouterr().err


def test_a_factory_state_has_a_valid_environment_and_both_configurations(tmp_path: Path) -> None:
    stand = Stand(root=tmp_path, image=tmp_path / "image", a="/dev/loop16", b="/dev/loop17")
    for folder in ("data", "etc", "data/ota"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data/ota/state.db").touch()

    stand.reset({"keys": {"keys": ["/k"]}}, {"ArtifactVerifyKey": "/k"})

    copy = decode((tmp_path / "data/environment").read_bytes()[0x4000:0x8000], is_redundant=True)
    assert copy is not None
    assert copy.variables["mender_boot_part"] == "16"
    assert copy.variables["mender_boot_part_hex"] == "10"
    assert '[keys]\nkeys = ["/k"]' in (tmp_path / "etc/ota/agent.toml").read_text()
    conf = json.loads((tmp_path / "etc/bench/mender.conf").read_text())
    assert conf["RootfsPartB"] == "/dev/loop17"
    assert conf["ArtifactVerifyKey"] == "/k"
    assert not (tmp_path / "data/ota/state.db").exists()


def test_each_program_is_given_its_own_configuration() -> None:
    assert words(OURS, "daemon")[-2:] == ("--config", "/etc/ota/agent.toml")
    assert words(THEIRS, "daemon")[-3:] == ("--config", "/etc/bench/mender.conf", "daemon")


class Pipe:
    """The output of a server, which a test writes."""

    def __init__(self) -> None:
        self.output, self.end = os.pipe()
        os.set_blocking(self.output, False)


def test_polls_are_counted_for_each_program_once_they_are_answered() -> None:
    pipe = Pipe()
    server = Watched(process=cast(Background, pipe))
    lines = [
        {"time": at, "path": f"/{path}", "status": status, "agent": agent}
        for at, path, status, agent in (
            (1.0, "deployments/next", 204, "ota-agent/0.1.0"),
            (2.0, "deployments/next", 401, "ota-agent/0.1.0"),
            (3.0, "deployments/next", 204, "Go-http-client/1.1"),
            (4.0, "inventory", 200, "ota-agent/0.1.0"),
            (5.0, "deployments/next", 204, "ota-agent/0.1.0"),
        )
    ]
    os.write(pipe.end, "".join(json.dumps(each) + "\n" for each in lines).encode())

    assert server.polls(is_ours=True) == [1.0, 5.0]
    assert server.polls(is_ours=True, since=2.0) == [5.0]
    assert server.polls(is_ours=False) == [3.0]
    os.close(pipe.end)
    with pytest.raises(ProgramError, match="ended"):
        server.look()
    os.close(pipe.output)


def test_cpu_and_memory_of_a_daemon_are_those_of_its_process(tmp_path: Path) -> None:
    burn = "import os, time; x = b'x' * 50_000_000\nwhile time.process_time() < 0.2: pass\n"
    process = Background((sys.executable, "-c", f"{burn}print(os.getpid(), flush=True); input()"))
    daemon = Daemon(
        who=OURS, began=0.0, pid=int(os.read(process.output, 100)), log=tmp_path / "log"
    )

    cpu, peak = daemon.cpu, daemon.peak

    process.kill()
    process.close()
    assert 0.2 <= cpu < 1.0
    assert 50e6 < peak < 90e6


def test_a_daemon_that_does_not_poll_is_an_error_with_its_last_log_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.agent.daemon._PATIENCE", 0.0)
    (tmp_path / "log").write_text("no such key\n")
    pipe = Pipe()
    daemon = Daemon(who=OURS, began=time.monotonic(), pid=os.getpid(), log=tmp_path / "log")

    with pytest.raises(ProgramError, match="ota-agent: no poll after 0 s: no such key"):
        daemon.wait_for_poll(Watched(process=cast(Background, pipe)))
    os.close(pipe.end)
    os.close(pipe.output)


@pytest.mark.full
@pytest.mark.timeout(900)  # [s] the first one fetches packages
@pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")
@requires_program("mmdebstrap", package="mmdebstrap")
def test_both_programs_install_and_wait_in_one_run() -> None:
    words = (sys.executable, "-m", "bench.agent", "--rounds", "1", "--idle", "10", "--json")

    said = json.loads(run(("env", "-C", ROOT, *words), timeout=850))

    assert set(said["installs"]) == {UNSIGNED, SIGNED}
    assert set(said["idle"]) == set(said["starts"]) == {OURS, THEIRS}
    assert all(each["polls"] >= 8 for each in said["idle"].values())
    assert b"/.bench-" not in run(("losetup", "--all"), timeout=60)
