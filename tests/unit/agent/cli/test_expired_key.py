# SPDX-License-Identifier: Apache-2.0
"""A key that has expired, and a clock that was set back."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ota_agent.cli.main import main
from ota_agent.memory.store import Store
from ota_agent.memory.trusted_time import note_time
from tests.conftest import requires_program
from tests.unit.agent.cli.test_trust import VENDOR, artifact, device_with, install, trusted

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

LATER = datetime(2099, 6, 1, tzinfo=UTC).timestamp()


def test_a_clock_that_was_set_back_brings_no_expired_key_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = device_with(tmp_path, keys=[f"{trusted(tmp_path)}, expires = 2099-01-01"])
    with closing(Store(device.folder / "data" / "state.db")) as store:
        note_time(store, LATER, now=lambda: LATER)

    assert install(device, artifact(tmp_path, "1", VENDOR)) == 1
    assert "expired on 2099-01-01" in capsys.readouterr().err
    main(["doctor", "--config", str(device.configuration)])
    assert "its last day was 2099-01-01" in capsys.readouterr().out
