# SPDX-License-Identifier: Apache-2.0
"""The floor: how it rises, is lowered, and is put into the bootloader's environment."""

import pytest

from ota_agent.lifecycle.floor import Floor, from_variable, name_of, sentence, to_variable
from ota_artifact.security_version import MOST, SecurityVersion

ROOTFS = "rootfs-image"
ONE, OTHER = "1" * 16, "2" * 16
LONG = "data." + "x" * 60


def test_a_commit_raises_the_floor_and_never_lowers_it() -> None:
    first = Floor().committed([SecurityVersion(ROOTFS, 5)], ONE, None)

    second = first.committed([SecurityVersion(ROOTFS, 4)], ONE, None)

    assert first.of(ROOTFS, None) == second.of(ROOTFS, None) == 5


def test_each_key_and_each_software_has_its_own_number() -> None:
    floor = Floor().committed([SecurityVersion(ROOTFS, 5), SecurityVersion(LONG, 1)], ONE, None)

    floor = floor.committed([SecurityVersion(ROOTFS, 3)], OTHER, None)

    assert floor.of(ROOTFS, [ONE]) == 5
    assert floor.of(ROOTFS, [OTHER]) == 3
    assert floor.of(LONG, [ONE]) == 1
    assert floor.of(LONG, [OTHER]) is None


def test_an_artifact_that_names_the_floor_lowers_it_for_all_keys() -> None:
    floor = Floor({(ROOTFS, ONE[:8]): 9, (ROOTFS, OTHER[:8]): 4, ("app", ONE[:8]): 9})

    lowered = floor.committed([SecurityVersion(ROOTFS, 3, (9,))], OTHER, [ONE, OTHER])
    kept = floor.committed([SecurityVersion(ROOTFS, 3, (8, 10))], OTHER, [ONE, OTHER])

    assert lowered.of(ROOTFS, None) == 3
    assert lowered.of("app", None) == 9
    assert kept.of(ROOTFS, None) == 9


def test_of_two_copies_the_higher_number_counts() -> None:
    one = Floor({(ROOTFS, ""): 5, ("app", ""): 1})
    other = Floor({(ROOTFS, ""): 4, ("lib", ""): 2})

    assert one.merged(other) == other.merged(one)
    assert one.merged(other) == Floor({(ROOTFS, ""): 5, ("app", ""): 1, ("lib", ""): 2})


def test_the_environment_holds_the_floor() -> None:
    floor = Floor().committed([SecurityVersion(ROOTFS, MOST), SecurityVersion(LONG, 1)], ONE, None)
    floor = floor.committed([SecurityVersion(f"{ROOTFS}.app", 0)], "", None)

    text = to_variable(floor)

    assert text == f"{ROOTFS}:11111111:{MOST} rootfs-image.app::0 {name_of(LONG)}:11111111:1"
    assert from_variable(text) == floor
    assert sentence(floor).startswith(f"{ROOTFS} {MOST} of key 11111111, rootfs-image.app 0, ~")


def test_an_environment_without_room_holds_the_root_filesystem_first() -> None:
    many = {(f"app-{number}", ONE[:8]): 7 for number in range(99)}
    floor = Floor({**many, (ROOTFS, ONE[:8]): 5, (ROOTFS, OTHER[:8]): 6})

    text = to_variable(floor)

    assert len(text) <= 300
    assert from_variable(text).of(ROOTFS, [ONE]) == 5
    assert from_variable(text).of(ROOTFS, [OTHER]) == 6


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", None),
        ("3", None),
        ("rootfs-image::3\r", 3),
        ("rootfs-image::3 \x00\xff rootfs-image::2", 3),
        ("rootfs-image::-3", None),
        ("rootfs-image::٣", None),
        (f"rootfs-image::{MOST + 1}", None),
        ("rootfs-image::" + "9" * 9999, None),
        ("rootfs-image:nokey:3", None),
        ("x" * 99999 + " rootfs-image::3", 3),
    ],
)
def test_a_garbled_environment_says_what_can_still_be_read(text: str, number: int | None) -> None:
    assert from_variable(text).of(ROOTFS, None) == number
