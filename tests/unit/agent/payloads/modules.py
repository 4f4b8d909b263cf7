# SPDX-License-Identifier: Apache-2.0
"""Update modules that a test writes in a few lines of sh."""

from pathlib import Path

from ota_agent.payloads import ModuleOptions
from ota_agent.payloads.module import UpdateModule
from ota_artifact.header import Header, PayloadHeader
from tests.unit.agent.payloads.artifacts import artifact, begun, stored

HEADER = Header(
    version=3,
    artifact_name="release-2",
    compatible_types=("board",),
    payloads=(PayloadHeader(type="app", meta_data=b'{"a":1}'),),
    artifact_group="beta",
)
TWO = {"one": b"1" * 100_000, "two": b""}

READS = """
while next="$(cat stream-next)" && [ -n "$next" ]; do
    echo "$next" >> tmp/asked
    cat "${next%% *}" > tmp/"$(basename "${next%% *}")"
done"""


class Modules:
    """Folders of update modules, and where their trees are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options = ModuleOptions(
            folders=(folder / "ota", folder / "mender"), payloads=folder / "payloads"
        )
        self.tree = folder / "payloads" / "0000" / "tree"

    def put(self, body: str, *, type_: str = "app", place: str = "ota", mode: int = 0o755) -> None:
        """Put a module there: ``body`` is a case for each state, in sh."""
        path = self.folder / place / type_
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\ncase "$1" in\n{body}\nesac\n')
        path.chmod(mode)

    def begun(self, header: Header = HEADER) -> UpdateModule:
        return begun(header, self.options)[0]

    def stored(self, files: dict[str, bytes] = TWO) -> UpdateModule:
        return stored(artifact(self.folder, ("app", files)), self.options)[0]

    def files(self, folder: str) -> dict[str, bytes]:
        found = self.tree / folder
        return {each.name: each.read_bytes() for each in found.iterdir()} if found.exists() else {}
