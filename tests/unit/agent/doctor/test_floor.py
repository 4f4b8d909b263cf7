# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the floor of security versions."""

from pathlib import Path

import pytest

from ota_agent.admission.keys import VerifyOptions
from ota_agent.doctor.floor import copies, running, setting
from ota_agent.lifecycle.floor import Floor, to_variable
from tests.conftest import requires_program
from tests.unit.agent.doctor.patient import patient

FLOOR = Floor({("rootfs-image", "11111111"): 5})
MANY = Floor({(f"app-{number}", "11111111"): 1 for number in range(99)})


def test_keys_without_a_floor_are_told() -> None:
    def hazards(options: VerifyOptions) -> list[str]:
        return [each.hazard for each in setting(options)]

    assert hazards(VerifyOptions(keys=("a",), forbid_downgrade=False)) == ["downgrades-allowed"]
    assert not hazards(VerifyOptions(keys=("a",)))
    assert not hazards(VerifyOptions(forbid_downgrade=False))


@pytest.mark.parametrize(
    ("floor", "text", "hazards"),
    [
        (FLOOR, to_variable(FLOOR), []),
        (Floor(), "", []),
        (FLOOR, "", ["floor-copies-differ"]),
        (FLOOR, "3\r", ["floor-copies-differ"]),
        (Floor(), to_variable(FLOOR), ["floor-copies-differ"]),
        (MANY, to_variable(MANY), ["floor-without-room"]),
    ],
)
def test_copies_that_do_not_hold_the_same_are_told(
    floor: Floor, text: str, hazards: list[str]
) -> None:
    assert [each.hazard for each in copies(floor, text)] == hazards


@pytest.mark.parametrize(("number", "is_below"), [(4, True), (5, False), (None, False)])
def test_a_release_below_the_floor_that_runs_is_told(number: int | None, is_below: bool) -> None:
    found = list(running(FLOOR, number, ["11111111"]))

    assert [each.hazard for each in found] == (["runs-below-floor"] if is_below else [])
    assert not list(running(FLOOR, number, ["22222222"]))


@requires_program("fw_setenv", package="libubootenv-tool")
def test_a_device_from_the_factory_has_nothing_wrong_with_its_floor(tmp_path: Path) -> None:
    assert not [each for each in patient(tmp_path).hazards() if "floor" in each]
