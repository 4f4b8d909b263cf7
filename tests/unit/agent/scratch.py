# SPDX-License-Identifier: Apache-2.0
"""A device in a folder: files as slots, a real redundant environment, the agent's own folders.

What U-Boot does at a boot is done here on the same bytes that fw_setenv writes: it counts trials,
and goes back to the old slot after one that was not committed. tests/boot holds the real one to it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ota_artifact.layout import Area, Layout, by_offset, to_json
from ota_board.environment import decode, encode, newest

SIZE = 0x4000
OFFSETS = (0x4000, 0xC000)
_ALIGNMENT = 1 << 20
NUMBERS = {"A": 2, "B": 3}
FACTORY = {
    "mender_boot_part": "2",
    "mender_boot_part_hex": "2",
    "upgrade_available": "0",
    "bootcount": "0",
    "bootlimit": "1",
    "mender_check_saveenv_canary": "1",
    "mender_saveenv_canary": "1",
}


@dataclass
class Scratch:
    """The device.

    Attributes:
        folder: all of it.
        boots: how often it was started.
        sections: of its agent.toml, in addition to that of the device.
    """

    folder: Path
    boots: int = 1
    sections: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def configuration(self) -> Path:
        """The agent's configuration."""
        return self.folder / "agent.toml"

    @property
    def environment(self) -> dict[str, str]:
        """The variables, of the newer copy."""
        return self._newest()[1]

    def copies(self) -> list[dict[str, str]]:
        """The variables of each copy."""
        data = (self.folder / "environment").read_bytes()
        found = [decode(data[at : at + SIZE], is_redundant=True) for at in OFFSETS]
        return [dict(each.variables) for each in found if each]

    @property
    def running(self) -> str:
        """The slot that runs."""
        return (self.folder / "running").read_text()

    @property
    def boot_id(self) -> Path:
        """Stands for /proc/sys/kernel/random/boot_id."""
        return self.folder / "boot_id"

    def slot(self, name: str) -> Path:
        """The file that is slot A or B."""
        return self.folder / f"slot-{name.lower()}"

    def boot(self) -> None:
        """Start it, as U-Boot does by the contract."""
        self.boots += 1
        variables = dict(self.environment)
        if variables["upgrade_available"] == "1":
            if int(variables["bootcount"]) >= 1:
                old = variables["mender_boot_part"]
                other = "2" if old == "3" else "3"
                reason = f"count of slot {'A' if old == '2' else 'B'}"
                variables |= {"mender_boot_part": other, "mender_boot_part_hex": other}
                variables |= {"upgrade_available": "0", "bootcount": "0", "ota_rollback": reason}
                self._save(variables)
            else:
                self._save({**variables, "bootcount": "1"})
        names = {str(number): name for name, number in NUMBERS.items()}
        self._configure(names[self.environment["mender_boot_part"]])

    def set(self, **changes: str) -> None:
        """Change variables as U-Boot saves them; an empty one goes."""
        variables = {**self.environment, **changes}
        self._save({name: value for name, value in variables.items() if value})

    def set_up(self, slot_size: int) -> None:
        """Make it as it leaves the factory."""
        for name in NUMBERS:
            with self.slot(name).open("wb") as file:
                file.write(b"old " * 1024)
                file.truncate(slot_size)
        disk = self.folder / "environment"
        disk.write_bytes(bytes(0x10000))
        for number, offset in enumerate(OFFSETS):
            self._put(offset, encode(FACTORY, SIZE, flag=number + 1))
        lines = [f"{disk} {offset:#x} {SIZE:#x}\n" for offset in OFFSETS]
        (self.folder / "fw_env.config").write_text("".join(lines))
        (self.folder / "layout.json").write_text(to_json(_layout(slot_size)))
        (self.folder / "data").mkdir()
        (self.folder / "data" / "device_type").write_text("device_type=scratch\n")
        self._configure("A")

    def _configure(self, running: str) -> None:
        (self.folder / "running").write_text(running)
        self.boot_id.write_text(f"boot-{self.boots}\n")
        device = {
            "data": str(self.folder / "data"),
            "run": str(self.folder / "run"),
            "layout": str(self.folder / "layout.json"),
            "slot_a": str(self.slot("A")),
            "slot_b": str(self.slot("B")),
            "running": running,
            "bootloader": "u-boot",
            "environment": str(self.folder / "fw_env.config"),
            "boot_id": str(self.boot_id),
            "reboot": ["touch", str(self.folder / "rebooted")],
        }
        sections = {"device": device, **self.sections}
        text = "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in each.items())
            for name, each in sections.items()
        )
        self.configuration.write_text(text)

    def _newest(self) -> tuple[int, dict[str, str]]:
        """The place and the variables of the copy that counts."""
        data = (self.folder / "environment").read_bytes()
        copies = [decode(data[at : at + SIZE], is_redundant=True) for at in OFFSETS]
        place = newest(copies)
        assert place is not None, "no copy of the environment is valid: BRICK"
        copy = copies[place]
        assert copy is not None
        return place, dict(copy.variables)

    def _save(self, variables: Mapping[str, str]) -> None:
        """As U-Boot does: into the older copy, with the next number."""
        place, _ = self._newest()
        data = (self.folder / "environment").read_bytes()
        copy = decode(data[OFFSETS[place] : OFFSETS[place] + SIZE], is_redundant=True)
        assert copy is not None
        flag = ((copy.flag or 0) + 1) % 256
        self._put(OFFSETS[1 - place], encode(variables, SIZE, flag=flag))

    def _put(self, offset: int, data: bytes) -> None:
        with (self.folder / "environment").open("r+b") as file:
            file.seek(offset)
            file.write(data)


def scratch(folder: Path, *, slot: int = 8 << 20, **sections: Mapping[str, object]) -> Scratch:
    """A device that has just left the factory.

    Args:
        slot: its size [B].
        sections: more of its agent.toml, by section.
    """
    device = Scratch(folder, sections=sections)
    folder.mkdir(exist_ok=True, parents=True)
    device.set_up(slot)
    return device


def _layout(slot_size: int) -> Layout:
    """A disk with both copies of the environment and the two slots."""
    copies = [
        Area(kind="environment", name=f"environment {number}", offset=offset, size=SIZE)
        for number, offset in enumerate(OFFSETS)
    ]
    room = -(-slot_size // _ALIGNMENT) * _ALIGNMENT
    slots = [
        Area(kind="partition", name=name, offset=number * room, size=slot_size, number=number)
        for name, number in NUMBERS.items()
    ]
    areas = tuple(sorted((*copies, *slots), key=by_offset))
    return Layout(size=4 * room, device="/dev/none", table="mbr", areas=areas)
