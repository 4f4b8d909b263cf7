# SPDX-License-Identifier: Apache-2.0
"""The meta-data of a root filesystem, such as how much memory it needs."""

from pathlib import Path

from tests.unit.artifact.cli.conftest import Command, header_of
from tests.unit.artifact.cli.test_write import OUT, ROOTFS


def test_a_root_filesystem_has_the_meta_data_that_are_given(command: Command, image: Path) -> None:
    Path("memory.json").write_text('{"memory":{"kernel":1}}')

    command.ok(*ROOTFS, "--meta-data", "memory.json")

    (payload,) = header_of(OUT).payloads
    assert payload.meta_data == b'{"memory":{"kernel":1}}'
