# SPDX-License-Identifier: Apache-2.0
"""The agent's parsers: whatever they read, they give a value, or an error that says so."""

import asyncio
import io
import json
import re
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import urllib3

from ota_agent.address import Address
from ota_agent.api import messages
from ota_agent.api.dispatch import answer
from ota_agent.api.peer import Peer
from ota_agent.api.sentences import lines
from ota_agent.api.standalone import StandaloneCommands
from ota_agent.api.status import LiveStatus, from_json
from ota_agent.bootloader import contract, u_boot
from ota_agent.bootloader.grub import Grub
from ota_agent.config.settings import load_settings
from ota_agent.control import ControlOptions, maps
from ota_agent.control.controls import Controls
from ota_agent.dbus.bridge import Bridge
from ota_agent.dbus.interfaces import values
from ota_agent.device.device_type import type_in
from ota_agent.device.second_home import data_state
from ota_agent.device.slots import Slot, Slots
from ota_agent.download import DownloadOptions
from ota_agent.download.source.http import HttpSource
from ota_agent.download.source.retry import Surroundings
from ota_agent.errors import AgentError
from ota_agent.hurry import connection
from ota_agent.hurry.sockets import Plain
from ota_agent.memory import record, runs
from ota_agent.server import failures, http
from ota_agent.server.client import Server, Session
from ota_agent.server.identity import accepted
from ota_agent.server.options import ServerOptions, TlsOptions
from ota_agent.trial import boot_log
from ota_agent.trial.boot_log import BootLogOptions
from ota_artifact import grub_block
from ota_artifact.errors import ArtifactError
from ota_artifact.layout import from_json as layout_from_json
from ota_board import environment
from ota_board.errors import BoardError
from ota_board.load import load_board
from tests.fuzz.target import Target, kept, way_of
from tests.fuzz.text import TextMutator

_URL = "http://server.test/"
_LONGEST = 6000  # characters of a message
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@cache
def _folder() -> Path:
    """A folder for files, in memory if there is one; it goes with the process."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
    folder = tempfile.TemporaryDirectory(prefix="ota-fuzz-", dir=place)
    _folders.append(folder)
    return Path(folder.name)


_folders: list[tempfile.TemporaryDirectory[str]] = []


def _tried(
    read: Callable[[], object], *refusals: type[Exception], longest: int = _LONGEST
) -> str | None:
    """None if it was read, the way of the error if it was refused."""
    try:
        read()
    except refusals as error:
        text = str(error)
        assert len(text) < longest, text[:200]
        return way_of(error)
    return None


class _Key:
    public = "PEM"

    def sign(self, message: bytes) -> bytes:
        return message[:8]


@cache
def _pool() -> urllib3.PoolManager:
    return http.pool(TlsOptions(allow_plain_http=True), timeout=5, environment={})


def _answering(data: bytes) -> Callable[..., Plain]:
    """Makes connections over which an answer comes, and then nothing."""

    def connected(*_: object) -> Plain:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            found = Plain(fileno=ours.detach())
        found.settimeout(5)
        return found

    return connected


def judge_answer(data: bytes) -> str | None:
    """An answer of the server: its first byte says to which call."""
    connection._connected = _answering(data[1:])
    pool = _pool()
    server = Server(ServerOptions((_URL,), timeout=5), lambda: pool, _Key(), lambda: "{}")
    calls: tuple[Callable[[], object], ...] = (
        server.authenticate,
        lambda: _offered(server),
        lambda: server.report("d1", "success"),
        lambda: server.send_log("d1", [{"timestamp": "t", "level": "info", "message": "m"}]),
        lambda: server.send_inventory({"a": "b"}),
        lambda: _mapped(server),
    )
    call = data[0] % len(calls) if data else 0
    if call:
        server._session = Session(Address(_URL.rstrip("/")), "token")
    way = _tried(calls[call], AgentError)
    pool.clear()
    return way and f"{call} {way}"


def _offered(server: Server) -> None:
    found = server.next_deployment({"artifact_name": "v1"}, "board")
    if found is not None:
        assert _NAME.fullmatch(found.id)
        assert found.url.is_web
        _take(found.id, found.control_map)


def _mapped(server: Server) -> None:
    _take("d1", server.control_map("d1"))


class _Memory:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def put(self, name: str, text: str) -> None:
        self.texts[name] = text


def _take(deployment: str, found: object) -> None:
    """A map of the server's is never refused by an error: it fails the update."""
    memory = _Memory()
    Controls(ControlOptions(), memory).set_server_map(deployment, found)  # type: ignore[arg-type]
    Controls(ControlOptions(), memory)  # type: ignore[arg-type]


def judge_download(data: bytes) -> str | None:
    """An answer in place of an artifact, each time that it is asked for."""
    connection._connected = _answering(data)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    options = DownloadOptions(no_progress=20, total=60, inactivity=5)
    around = Surroundings(clock=lambda: now[0], now=lambda: 0.0, sleep=sleep, random=lambda: 0.5)
    source = HttpSource(Address(_URL), _pool(), options, around, tell=lambda _: None)

    def read() -> None:
        while source.read(1 << 16):
            now[0] += 1

    try:
        return _tried(read, AgentError)
    finally:
        source.close()
        _pool().clear()


def judge_control_map(data: bytes) -> str | None:
    """An update control map, as a user of the device gives it and as the server does."""
    text = data.decode("utf-8", "replace")
    way = _tried(lambda: maps.to_json(maps.parse_text(text)), AgentError)
    with suppress(ValueError, RecursionError):
        _take("d1", json.loads(text))
    return way


def judge_settings(name: str, data: bytes) -> str | None:
    """A configuration: of the slot, on /data, or Mender's."""
    folder = _folder()
    files = {each: folder / each for each in ("agent.toml", "mender.conf", "data/agent.toml")}
    for path in files.values():
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
    files["agent.toml"].write_text(f'[device]\ndata = "{folder}/data"\n')
    files[name].write_bytes(data)

    def load() -> None:
        settings = load_settings(files["agent.toml"], menders=(files["mender.conf"],))
        found.extend(str(each)[len(str(folder)) :] for each in settings.passed_over)

    found: list[str] = []
    refusals = (AgentError,) if name == "agent.toml" else ()
    way = _tried(load, *refusals)
    assert all(len(each) < _LONGEST for each in found)
    return way or " ".join(re.sub(r"\W*[\d'\"].*", "", each) for each in found)[:200] or None


_SLOTS = Slots(Slot("A", Path("/dev/a"), 2), Slot("B", Path("/dev/b"), 3))


def judge_u_boot(data: bytes) -> str | None:
    """A copy of U-Boot's environment, as it is, and with its checksum put right."""
    import zlib

    for raw in (data, zlib.crc32(data[5:]).to_bytes(4, "little") + data[4:]):
        kind = u_boot.judged(raw)
        copy = environment.decode(raw, is_redundant=True)
        assert copy is None or kind == "redundant"
        if copy is not None:
            _follow(copy.variables)
        environment.decode(raw, is_redundant=False)
        u_boot._content(raw)
    return kind


def _follow(variables: Mapping[str, str]) -> str | None:
    contract.is_trial(variables)
    contract.is_elsewhere(variables)
    return _tried(lambda: contract.trial_of(_SLOTS, _SLOTS.a, "B", variables), AgentError)


def judge_places(data: bytes) -> str | None:
    """fw_env.config."""
    path = _folder() / "fw_env.config"
    path.write_bytes(data)
    return _tried(lambda: u_boot.UBoot(path).places(), AgentError)


def judge_grub(data: bytes) -> str | None:
    """The files of a copy of GRUB's environment, and the same with a sum that is right."""
    import hashlib

    block, lock, total = (*data.split(b"\n--\n", 2), b"", b"")[:3]
    way: str | None = None
    for each in (total, hashlib.sha256(lock).hexdigest().encode()):
        for copy in grub_block.COPIES:
            folder = _folder() / "grub" / copy
            folder.mkdir(parents=True, exist_ok=True)
            (folder / grub_block.STATE).write_bytes(block)
            (folder / grub_block.LOCK).write_bytes(lock)
            (folder / grub_block.SUM).write_bytes(each)
        (_folder() / "grub" / grub_block.LAST).write_bytes(block)
        grub = Grub(_folder() / "grub")
        grub.is_whole()
        way = _tried(lambda grub=grub: _follow(grub.read()), AgentError)  # type: ignore[misc]
    return way


def judge_layout(data: bytes) -> str | None:
    """layout.json."""
    return _tried(lambda: layout_from_json(data), ArtifactError)


@cache
def _served() -> tuple[LiveStatus, StandaloneCommands]:
    live = LiveStatus()
    return live, StandaloneCommands(Controls(ControlOptions(), _Memory()), live)  # type: ignore[arg-type]


def judge_request(data: bytes) -> str | None:
    """A line that a client sends to the socket."""
    live, commands = _served()
    said = b""
    for is_root in (False, True):
        peer = Peer(socket=None, uid=1, is_root=is_root, since=0.0)  # type: ignore[arg-type]
        said = answer(data, peer, live, commands)
        assert said.endswith(b"\n")
        assert said.count(b"\n") == 1
        found = json.loads(said)
        assert found.keys() in ({"result"}, {"error"})
        if "error" in found:
            assert found["error"]["kind"] != "bug", found
    return None if b'"result"' in said else re.sub(r"[\d'\"].*", "", found["error"]["text"])


def judge_status(data: bytes) -> str | None:
    """A line that the agent, of another version perhaps, sends: commands and the bridge read it."""

    def read() -> None:
        found = messages.parse_answer(data)
        status = from_json(found.get("status", found.get("result")))
        for line in lines(status, clock=lambda _: time_of_day):
            assert all(each.isprintable() for each in line.split("\n")), line
        _marshal(values(status.to_json()))

    import time

    time_of_day = time.gmtime(0)
    return _tried(read, AgentError)


def _marshal(found: Mapping[str, tuple[str, Any]]) -> None:
    from dbus_fast import Message, Variant

    body = [{name: Variant(*value) for name, value in found.items()}]
    Message.new_signal("/a", "a.b", "C", "a{sv}", body)._marshall(False)


class _Bus:
    """Takes what the bridge sends; what cannot be sent is a bug."""

    connected = True

    async def send(self, message: Any) -> None:
        message._marshall(False)


class _Link:
    async def ask(self, call: str, **arguments: Any) -> Any:
        line = messages.request_line(call, arguments)
        live, commands = _served()
        peer = Peer(socket=None, uid=0, is_root=True, since=0.0)  # type: ignore[arg-type]
        return messages.parse_answer(answer(line, peer, live, commands))["result"]


@cache
def _bridge() -> tuple[Bridge, asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    bridge = Bridge(_Bus(), Path("/none"), 0)  # type: ignore[arg-type]
    bridge.link = _Link()  # type: ignore[assignment]
    return bridge, loop


def _message(data: bytes) -> Any:
    """The message that JSON stands for, if the bus would let it pass; else None."""
    from dbus_fast import Message, Variant
    from dbus_fast._private.unmarshaller import Unmarshaller

    try:
        found = json.loads(data)
        body = [Variant("s", "x") if each == "variant" else each for each in found.pop("body")]
        message = Message(**found, body=body, serial=1, sender=":1.5")
        wire = io.BytesIO(message._marshall(False))
        return Unmarshaller(wire).unmarshall()  # type: ignore[arg-type]
    except Exception:
        return None


def judge_bus(data: bytes) -> str | None:
    """A message on the bus, which checks its form."""
    message = _message(data)
    if message is None:
        return "not a message"
    bridge, loop = _bridge()
    ways: list[str] = []
    loop.set_exception_handler(lambda _, context: ways.append(str(context)))

    async def handle() -> object:
        found = bridge._handle(message)
        if hasattr(found, "_marshall"):
            found._marshall(False)
        await asyncio.gather(*bridge._work)
        return found

    found = loop.run_until_complete(handle())
    assert not ways, ways
    return f"{type(found).__name__} {message.member}"


def judge_board(data: bytes) -> str | None:
    """board.yaml."""
    path = _folder() / "board" / "board.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return _tried(lambda: load_board(path), BoardError, longest=1 << 20)  # it is the user's own


def judge_record(data: bytes) -> str | None:
    """What the agent's memory holds: the update, what is provided, the slots, the failures."""
    text = data.decode("utf-8", "replace")
    failures._read(text)
    runs.from_text(text)
    provided = _tried(lambda: record.provided(text), AgentError)
    return _tried(lambda: record.to_text(record.from_text(text)), AgentError) or provided


def judge_small_file(data: bytes) -> str | None:
    """Files that others leave: the device type, how /data is, and who a server took us for."""
    folder = _folder() / "small"
    folder.mkdir(exist_ok=True)
    for name in ("data", "device_type", "identity"):
        (folder / name).write_bytes(data)
    data_state(folder)
    accepted(folder / "identity")
    return _tried(lambda: type_in(folder / "device_type"), AgentError)


def judge_boots(data: bytes) -> str | None:
    """The records of a boot, which a power cut or a bad block may have garbled."""
    folder = _folder() / "boots" / "000001-id"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("about", "kernel", "journal", "end"):
        (folder / name).write_bytes(data)
    options = BootLogOptions(folder=folder.parent)
    said = boot_log.collect(options, boots_since=0)
    boot_log.ended(options, boots_since=0)
    return str(len(said).bit_length())


_HTTP = tuple(
    each.encode()
    for each in (
        *("HTTP/1.1 200 OK\r\n", "HTTP/1.1 204 No Content\r\n", "HTTP/1.1 100 Continue\r\n\r\n"),
        *(
            "HTTP/1.1 206 Partial Content\r\n",
            "HTTP/1.1 302 Found\r\nLocation: ",
            "\r\n",
            "\r\n\r\n",
        ),
        *("HTTP/1.1 401 No\r\n", "HTTP/1.1 404 No\r\n", "HTTP/1.1 409 No\r\n", "HTTP/1.0 "),
        *("Transfer-Encoding: chunked\r\n", "Content-Length: ", "Content-Encoding: gzip\r\n"),
        *("Content-Type: text/html; charset=", "Retry-After: ", "Connection: close\r\n", "; x=y"),
        *("Content-Range: bytes 0-9/10\r\n", "Accept-Ranges: none\r\n", 'ETag: "x"\r\n', "0\r\n"),
        *(
            "Location: http://[::1\r\n",
            "Location: //\r\n",
            "Location: ?\r\n",
            "5\r\n",
            "-1",
            "ustar",
        ),
        *('{"error": "x"}', '"update_control_map": ', '"states": ', '"uri": "', "eyJh.eyJz.c2ln"),
    )
)
_CONFIG = tuple(
    each.encode()
    for each in (
        *("[server]\n", "urls = ", "timeout = ", "[keys]\n", "[device]\ndata = ", "inf", "nan"),
        *(
            "window = ",
            '"Mon-Fri 22:00-05:00"',
            "[control]\n",
            "true",
            "1979-05-27",
            "[[server]]\n",
        ),
        *('"""', "'''", "\\u0000", "ServerURL", "Servers", "HttpsClient", "ArtifactVerifyKeys"),
        *("UpdatePollIntervalSeconds", "DeviceTypeFile", "/dev/null", "RootfsPartA", "= []\n"),
    )
)
_BOOT = tuple(
    each.encode()
    for each in (
        *("mender_boot_part=", "upgrade_available=1", "bootcount=", "\0\0", "\0", "=", "==", "\n"),
        *(
            "# GRUB Environment Block\n",
            "#",
            "editing=0",
            "editing=1",
            "\n--\n",
            "\\",
            "/dev/mmcblk0",
        ),
    )
)
_STATES = tuple(
    each.encode()
    for each in (
        *("ArtifactInstall_Enter", "ArtifactCommit_Enter", "pause", "force_continue", "continue"),
        *("fail", "on_map_expire", "on_action_executed", "priority", "states", "id", "action"),
        *(
            "call",
            "status",
            "watch",
            "set_control_map",
            "map",
            "install",
            "source",
            "reason",
            "result",
        ),
        *("format", "state", "update", "Trying", "Erring", "at", "artifact", "source", "provides"),
        *("slots", "running", "release", "device_type=", "areas", "offset", "size", "device"),
    )
)
_BOARD = tuple(
    each.encode()
    for each in (
        *("&a ", "*a", "<<: ", "!!python/object:x", "!!binary ", "---\n", "? ", "- ", ": ", "0o7"),
        *(
            "size: 1 GiB\n",
            "partitions:\n",
            "  extra:\n",
            "offsets: [1, 2]\n",
            "qemu:\n",
            "2001-01-01",
        ),
    )
)


def _target(name: str, judge: Callable[[bytes], str | None], words: Sequence[bytes]) -> Target:
    def inputs(random: Random, corpus: Sequence[bytes]) -> TextMutator:
        return TextMutator(random, corpus, words)

    return Target(judge, lambda: kept(name), inputs)


PARSERS: Mapping[str, Target] = {
    name: _target(name, judge, words)
    for name, judge, words in (
        ("answer", judge_answer, _HTTP),
        ("download", judge_download, _HTTP),
        ("control-map", judge_control_map, _STATES),
        ("mender-conf", partial(judge_settings, "mender.conf"), _CONFIG),
        ("agent-toml", partial(judge_settings, "agent.toml"), _CONFIG),
        ("local-toml", partial(judge_settings, "data/agent.toml"), _CONFIG),
        ("u-boot-environment", judge_u_boot, _BOOT),
        ("fw-env-config", judge_places, _BOOT),
        ("grub-environment", judge_grub, _BOOT),
        ("layout", judge_layout, _STATES),
        ("request", judge_request, _STATES),
        ("status", judge_status, _STATES),
        ("bus", judge_bus, _STATES),
        ("board", judge_board, _BOARD),
        ("record", judge_record, _STATES),
        ("small-file", judge_small_file, _STATES),
        ("boot-log", judge_boots, _STATES),
    )
}
"""By name, which is that of their folder in tests/golden/agent."""
