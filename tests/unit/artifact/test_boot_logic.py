# SPDX-License-Identifier: Apache-2.0
"""Which boot logic started a device, and which one a slot needs."""

import json

import pytest

from ota_artifact.boot_logic import logic_in, started_by, with_logic


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ("root=/dev/mmcblk0p2 ota.logic=1 ro", 1),
        ("ota.logic=1 ota.logic=12", 12),
        ("root=/dev/mmcblk0p2 ota.logic= ro", 0),
        ("ota.logic=${ota_logic}", 0),
        ("ota.logic=-1", 0),
        ("ota.logic=" + "9" * 5000, 0),
        ("root=/dev/mmcblk0p2 ota.logic ro", None),
        ("xota.logic=1", None),
        ("", None),
    ],
)
def test_the_kernels_arguments_name_the_boot_logic(arguments: str, number: int | None) -> None:
    assert started_by(arguments) == number


def test_the_meta_data_of_a_payload_keep_what_they_have() -> None:
    found = with_logic(b'{"memory": {"kernel": 1}}', 2)

    assert json.loads(found) == {"memory": {"kernel": 1}, "boot_logic": 2}
    assert logic_in(found) == 2
    assert logic_in(with_logic(b"", 1)) == 1


@pytest.mark.parametrize(
    "meta_data",
    [b"", b"{}", b"[]", b"7", b"{", b"\xff", b"[" * 9999],
)
def test_other_meta_data_ask_for_nothing(meta_data: bytes) -> None:
    assert logic_in(meta_data) is None


@pytest.mark.parametrize("value", ['"1"', "-1", "true", "1.5", "null", "[1]"])
def test_what_is_not_a_number_asks_for_nothing(value: str) -> None:
    assert logic_in(f'{{"boot_logic": {value}}}'.encode()) is None
