# SPDX-License-Identifier: Apache-2.0
"""A board without a card: it is out, or its contact is bad, or U-Boot is on an eMMC."""

import pytest

from tests.boot.machine import Machine
from tests.sandbox.started import SANDBOX, blank, environment, run_b, started

pytestmark = [*SANDBOX, pytest.mark.parametrize("board_name", ["beaglebone-black", "raspberrypi3"])]
NO_CARD = "OTA: mmc 0 has no card, or it cannot be read; trying again in 10 s"


def test_without_a_card_nothing_is_tried_and_the_board_comes_back_with_it(
    machine: Machine,
) -> None:
    run_b(machine)
    before = environment(machine)
    machine.put_card(is_there=False)

    with machine.powered() as console:
        console.expect(NO_CARD, timeout=30)
        without = console.said
        machine.put_card(is_there=True)
        console.rest(timeout=60)

    assert "OTA: booting" not in without
    assert "Saving" not in without
    assert started(console.said) == "B"
    assert environment(machine) == before


def test_a_card_without_slots_that_start_is_not_called_missing(machine: Machine) -> None:
    machine.boot()
    for slot in ("A", "B"):
        blank(machine, slot)

    said = machine.boot(until="trying again in 10 s")

    assert NO_CARD not in said
    assert "OTA: neither slot boots" in said
