# SPDX-License-Identifier: Apache-2.0
"""What files say that others may have written or damaged."""

import re
from collections.abc import Mapping
from pathlib import Path

from ota_agent.bootloader import contract, u_boot
from ota_agent.bootloader.grub import Grub
from ota_agent.config.settings import load_settings
from ota_agent.device.device_type import type_in
from ota_agent.device.second_home import data_state
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import from_variable
from ota_agent.memory import record, runs
from ota_agent.server import failures
from ota_agent.server.identity import accepted
from ota_agent.trial import boot_log
from ota_agent.trial.boot_log import BootLogOptions
from ota_artifact import grub_block
from ota_artifact.errors import ArtifactError
from ota_artifact.layout import from_json as layout_from_json
from ota_artifact.trust import format_trust, parse_trust
from ota_board import environment
from ota_board.errors import BoardError
from ota_board.load import load_board
from tests.fuzz.target import LONGEST, memory_folder, tried


def judge_settings(name: str, data: bytes) -> str | None:
    """A configuration: of the slot, on /data, or Mender's."""
    folder = memory_folder()
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
    way = tried(load, *refusals)
    assert all(len(each) < LONGEST for each in found)
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
    return tried(lambda: contract.trial_of(_SLOTS, _SLOTS.a, "B", variables), AgentError)


def judge_places(data: bytes) -> str | None:
    """fw_env.config."""
    path = memory_folder() / "fw_env.config"
    path.write_bytes(data)
    return tried(lambda: u_boot.UBoot(path).places(), AgentError)


def judge_grub(data: bytes) -> str | None:
    """The files of a copy of GRUB's environment, and the same with a sum that is right."""
    import hashlib

    block, lock, total = (*data.split(b"\n--\n", 2), b"", b"")[:3]
    way: str | None = None
    for each in (total, hashlib.sha256(lock).hexdigest().encode()):
        for copy in grub_block.COPIES:
            folder = memory_folder() / "grub" / copy
            folder.mkdir(parents=True, exist_ok=True)
            (folder / grub_block.STATE).write_bytes(block)
            (folder / grub_block.LOCK).write_bytes(lock)
            (folder / grub_block.SUM).write_bytes(each)
        (memory_folder() / "grub" / grub_block.LAST).write_bytes(block)
        grub = Grub(memory_folder() / "grub")
        grub.is_whole()
        way = tried(lambda grub=grub: _follow(grub.read()), AgentError)  # type: ignore[misc]
    return way


def judge_layout(data: bytes) -> str | None:
    """layout.json."""
    return tried(lambda: layout_from_json(data), ArtifactError)


def judge_trust(data: bytes) -> str | None:
    """A trust file; what is read can be written, and is the same."""

    def read() -> None:
        found = parse_trust(data, "trust.json")
        again = parse_trust(format_trust(found, indent=None), "trust.json")
        assert again.signed == found.signed
        found.signers(found.keys)

    return tried(read, ArtifactError)


def judge_board(data: bytes) -> str | None:
    """board.yaml."""
    path = memory_folder() / "board" / "board.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return tried(lambda: load_board(path), BoardError, longest=1 << 20)  # it is the user's own


def judge_record(data: bytes) -> str | None:
    """What the memory holds: the update, what is provided, versions, floor, slots, failures."""
    text = data.decode("utf-8", "replace")
    record.versions_of(text)
    from_variable(text)
    failures._read(text)
    runs.from_text(text)
    provided = tried(lambda: record.provided(text), AgentError)
    return tried(lambda: record.to_text(record.from_text(text)), AgentError) or provided


def judge_small_file(data: bytes) -> str | None:
    """Files that others leave: the device type, how /data is, and who a server took us for."""
    folder = memory_folder() / "small"
    folder.mkdir(exist_ok=True)
    for name in ("data", "device_type", "identity"):
        (folder / name).write_bytes(data)
    data_state(folder)
    accepted(folder / "identity")
    return tried(lambda: type_in(folder / "device_type"), AgentError)


def judge_boots(data: bytes) -> str | None:
    """The records of a boot, which a power cut or a bad block may have garbled."""
    folder = memory_folder() / "boots" / "000001-id"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("about", "kernel", "journal", "end"):
        (folder / name).write_bytes(data)
    options = BootLogOptions(folder=folder.parent)
    said = boot_log.collect(options, boots_since=0)
    boot_log.ended(options, boots_since=0)
    return str(len(said).bit_length())
