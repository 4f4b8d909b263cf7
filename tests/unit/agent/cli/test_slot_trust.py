# SPDX-License-Identifier: Apache-2.0
"""A slot may carry a trust file, from which on newer ones are taken."""

import pytest

from ota_artifact.trust import format_trust
from tests.conftest import requires_program
from tests.unit.agent.cli.test_floor import ONE, OTHER, Board
from tests.unit.agent.cli.test_rotation import (
    FIRST,
    SECOND,
    THIRD,
    board,
    key,
    refused,
    rotated,
    take,
    trust,
)

__all__ = ["board", "rotated"]

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")


def test_a_slot_with_a_trust_file_begins_with_that(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    path = board.folder / "trust.json"
    path.write_bytes(format_trust(SECOND))
    board.trust(ONE, trust=str(path))

    refused(board, board.artifact(1, key=ONE), capsys)
    assert board.install(board.artifact(1, key=THIRD)) == 0
    assert board.call("rollback") == 0

    take(board, trust(3, key(THIRD), signed=(OTHER, THIRD)), by=OTHER)
    refused(board, board.artifact(1, key=OTHER), capsys)


def test_a_trust_file_without_other_keys_has_artifacts_verified_and_compared(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    path = board.folder / "trust.json"
    path.write_bytes(format_trust(SECOND))
    board.trust(trust=str(path))

    assert board.install(board.artifact(3, key=ONE)) != 0
    board.update(board.artifact(5, key=THIRD))

    assert "floor of this device is 5" in refused(board, board.artifact(4, key=THIRD), capsys)


def test_a_slots_trust_file_of_another_user_does_not_count(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    path = board.folder / "trust.json"
    path.write_bytes(format_trust(SECOND))
    path.chmod(0o666)
    board.trust(ONE, trust=str(path))

    refused(board, board.artifact(1, key=THIRD), capsys)
    assert board.install(board.artifact(1, key=ONE)) == 0

    board.call("doctor")
    assert "trust-file-passed-over" in capsys.readouterr().out


def test_a_slot_with_an_older_trust_file_brings_no_key_back(
    rotated: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rotated.folder / "trust.json"
    path.write_bytes(format_trust(FIRST))
    rotated.trust(ONE, trust=str(path))

    refused(rotated, rotated.artifact(9, key=ONE), capsys)

    assert rotated.install(rotated.artifact(9, key=THIRD)) == 0
