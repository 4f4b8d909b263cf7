# SPDX-License-Identifier: Apache-2.0
"""GRUB's blocks and the copies of its state, with our code and with GRUB's own tools."""

import hashlib
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.grub_block import (
    BLOCK,
    LOCKED,
    OPEN,
    decode_block,
    decode_copy,
    encode_block,
    encode_copy,
    is_sum,
)
from ota_artifact.run import run
from tests.conftest import requires_program

VARIABLES = {"bootcount": "0", "mender_boot_part": "3", "ota_rollback": r"count 3 \ back"}


def test_a_block_is_read_as_it_was_written() -> None:
    block = encode_block(VARIABLES)

    assert len(block) == BLOCK
    assert decode_block(block) == VARIABLES


@requires_program("grub-editenv", package="grub-common")
def test_grub_editenv_reads_what_we_write(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(encode_block(VARIABLES))

    said = run(("grub-editenv", file, "list"), timeout=10).decode()

    assert dict(line.split("=", 1) for line in said.splitlines()) == VARIABLES


@requires_program("grub-editenv", package="grub-common")
def test_we_read_what_grub_editenv_writes(tmp_path: Path) -> None:
    file = tmp_path / "env"
    run(("grub-editenv", file, "create"), timeout=10)
    for name, value in VARIABLES.items():
        run(("grub-editenv", file, "set", f"{name}={value}"), timeout=10)

    assert decode_block(file.read_bytes()) == VARIABLES


@requires_program("grub-editenv", package="grub-common")
def test_a_lock_has_the_bytes_that_grub_editenv_gives_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    run(("grub-editenv", file, "create"), timeout=10)
    run(("grub-editenv", file, "set", "editing=0"), timeout=10)

    files = encode_copy(VARIABLES)

    assert files["lock"] == file.read_bytes()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert files["lock.sha256sum"] == f"{digest}  lock\n".encode()


@pytest.mark.parametrize(
    "variables", [{"a b": "1"}, {"a": ""}, {"a": "1\nb=2"}, {"": "1"}, {"a": "x" * BLOCK}]
)
def test_what_cannot_be_in_a_block_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(ArtifactError, match="environment: "):
        encode_block(variables)


@pytest.mark.parametrize("raw", [b"", bytes(BLOCK), b"a=1\n", b"#" * BLOCK])
def test_what_is_not_a_block_has_no_variables(raw: bytes) -> None:
    assert decode_block(raw) is None


def test_a_copy_is_used_if_it_is_whole_and_not_locked() -> None:
    block = encode_block(VARIABLES)

    assert decode_copy(block, OPEN) == VARIABLES
    assert decode_copy(block, LOCKED) is None
    assert decode_copy(block, None) is None
    assert decode_copy(None, OPEN) is None
    assert decode_copy(block[:-1], OPEN) is None


def test_the_sum_of_a_lock_is_known_as_menders_tools_know_it() -> None:
    files = encode_copy(VARIABLES)

    assert is_sum(files["lock.sha256sum"], files["lock"])
    assert not is_sum(files["lock.sha256sum"], LOCKED)
    assert not is_sum(b"", OPEN)
