# SPDX-License-Identifier: Apache-2.0
"""A process unpacks, does not, or lies; the agent continues."""

import gzip
import lzma
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.confined import unpacking
from ota_agent.confined.unpacking import Confined
from ota_agent.errors import Aborted, AgentError
from ota_artifact.compression import Codec, Decompressor, Restart
from ota_artifact.errors import ArtifactError
from ota_artifact.start import start_bare

CONTENT = random.Random(1).randbytes(1 << 20) + bytes(3 << 20) + b"text " * 100_000
NAME = "data/0000.tar.gz"


def members() -> bytes:
    """Several gzip members, as our writer makes them."""
    size = 1 << 20
    return b"".join(gzip.compress(CONTENT[at : at + size]) for at in range(0, len(CONTENT), size))


def cut(data: bytes, size: int = 100_000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def unpacked(data: bytes, codec: Codec = Codec.GZIP, **options: float) -> bytes:
    made = Confined(**options)(codec, NAME, Restart())  # type: ignore[arg-type]
    return b"".join(made.run(cut(data)))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    """The processes that are started."""
    found = list[subprocess.Popen[bytes]]()

    def start(module: str, words: list[str], *, keep: tuple[int, ...]) -> "subprocess.Popen[bytes]":
        found.append(start_bare(module, words, keep=keep))
        return found[-1]

    monkeypatch.setattr(unpacking, "start_bare", start)
    return found


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    def start(module: str, words: list[str], *, keep: tuple[int, ...]) -> "subprocess.Popen[bytes]":
        words = [request.param, *words]
        return start_bare("tests.unit.agent.confined.liars", words, keep=keep)

    monkeypatch.setattr(unpacking, "start_bare", start)


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.XZ, Codec.ZSTD])
def test_it_unpacks_what_the_agent_would(codec: Codec) -> None:
    if codec is Codec.ZSTD:
        data: bytes = pytest.importorskip("zstandard").compress(CONTENT)
    else:
        data = members() if codec is Codec.GZIP else lzma.compress(CONTENT, preset=0)

    assert unpacked(data, codec) == CONTENT


def test_its_boundaries_are_those_that_the_agent_would_find() -> None:
    def boundaries(made: Decompressor) -> set[Restart]:
        found = {made.restart for _ in made.run(cut(members()))}
        return {*found, made.restart}

    here = boundaries(Decompressor(Codec.GZIP, NAME))
    there = boundaries(Confined()(Codec.GZIP, NAME, Restart()))  # type: ignore[arg-type]

    assert there == here
    assert len(here) > 4


def test_damaged_data_is_the_same_error_as_in_the_agent() -> None:
    data = bytearray(members())
    data[2_000] ^= 1

    with pytest.raises(ArtifactError) as here:
        b"".join(Decompressor(Codec.GZIP, NAME).run(cut(bytes(data))))
    with pytest.raises(ArtifactError) as there:
        unpacked(bytes(data))

    assert str(here.value).split(":")[:2] == str(there.value).split(":")[:2]
    assert "fetch or write it again" in str(there.value)


def test_truncated_data_is_refused() -> None:
    with pytest.raises(ArtifactError, match="it is truncated"):
        unpacked(members()[:-100])


def test_an_error_of_the_source_is_passed_on_and_the_process_ends(
    started: list["subprocess.Popen[bytes]"],
) -> None:
    def failing() -> Iterator[bytes]:
        yield members()[:1000]
        raise Aborted("a user")

    with pytest.raises(Aborted):
        b"".join(Confined()(Codec.GZIP, NAME, Restart()).run(failing()))

    assert started[0].poll() == -signal.SIGKILL


@pytest.mark.parametrize("liar", ["silent"], indirect=True)
@pytest.mark.usefixtures("liar")
def test_an_abort_ends_a_wait_for_the_process() -> None:
    def check() -> None:
        raise Aborted("a user")

    begun = time.monotonic()
    endless = (bytes(1000) for _ in iter(int, 1))
    with pytest.raises(Aborted):
        b"".join(Confined(check=check)(Codec.GZIP, NAME, Restart()).run(endless))

    assert time.monotonic() - begun < 30  # and not the 120 s of its silence


def test_a_bomb_is_given_piece_by_piece_and_costs_no_memory(
    started: list["subprocess.Popen[bytes]"],
) -> None:
    bomb = gzip.compress(bytes(16 << 20), 1) * 256  # 4 GiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    pieces = Confined()(Codec.GZIP, NAME, Restart()).run(cut(bomb))
    taken = sum(len(next(pieces)) for _ in range(100))
    pieces.close()  # type: ignore[attr-defined]

    assert taken <= 100 << 18
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10
    assert started[0].poll() == -signal.SIGKILL


def test_more_memory_than_its_limit_is_a_clear_error_and_the_next_one_works() -> None:
    content = CONTENT[:10_000]
    data = lzma.compress(content, preset=9)  # wants 64 MiB

    with pytest.raises(ArtifactError, match=r"needs more than 48 MiB to be unpacked; write it"):
        unpacked(data, Codec.XZ, memory=48 << 20)

    assert unpacked(data, Codec.XZ) == content


def test_killed_it_is_an_error_and_the_next_one_works(
    started: list["subprocess.Popen[bytes]"],
) -> None:
    data = members()
    pieces = Confined()(Codec.GZIP, NAME, Restart()).run(cut(data, 10_000))
    next(pieces)

    started[0].kill()
    with pytest.raises(AgentError, match=r"was killed by signal 9.*install the artifact again"):
        b"".join(pieces)

    assert unpacked(data) == CONTENT


@pytest.mark.parametrize(
    ("liar", "finding"),
    [
        ("impatient", "gives bytes before it is confined"),
        ("boastful", f"gives {(1 << 18) + 1} B at once"),
        ("negative", "sees a boundary at -7"),
        ("ahead", "sees a boundary at 1099511627776"),
        ("empty", "sees a boundary at -1"),
        ("again", "says b'b'"),
        ("gibberish", "gives 1061109567 B at once"),
        ("curt", "did nothing for 0.5 s"),
        ("hasty", "ends before its input does"),
        ("gone", "ended with exit code 3"),
        ("killed", "was killed by signal 9"),
        ("silent", "did nothing for 0.5 s"),
        ("drip", "did nothing for 0.5 s"),
        ("cut", "ended with exit code 1"),
    ],
    indirect=["liar"],
)
@pytest.mark.usefixtures("liar")
def test_one_that_lies_does_the_agent_no_harm(finding: str) -> None:
    endless = (bytes(1000) for _ in iter(int, 1))

    with pytest.raises(AgentError) as raised:
        b"".join(Confined(silence=0.5)(Codec.GZIP, NAME, Restart()).run(endless))

    assert f"{NAME}: the process that unpacks it {finding}" in str(raised.value)


def test_it_ends_with_an_agent_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "agent.py"
    program.write_text(
        "import gzip, os, time\n"
        "from ota_agent.confined import unpacking as u\n"
        "from ota_artifact.compression import Codec, Restart\n"
        "real = u.start_bare\n"
        "def start(*words, **more):\n"
        "    process = real(*words, **more)\n"
        "    print(process.pid, flush=True)\n"
        "    return process\n"
        "u.start_bare = start\n"
        "pieces = u.Confined()(Codec.GZIP, 'x', Restart()).run(iter([gzip.compress(b'x')] * 9))\n"
        "next(pieces)\n"
        "time.sleep(60)\n"
    )
    agent = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE)  # noqa: S603
    assert agent.stdout is not None
    child = int(agent.stdout.readline())

    agent.kill()
    agent.communicate()

    end = time.monotonic() + 10
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_what_is_not_compressed_needs_no_process(
    started: list["subprocess.Popen[bytes]"],
) -> None:
    assert unpacked(CONTENT, Codec.NONE) == CONTENT

    assert not started
