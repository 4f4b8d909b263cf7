# SPDX-License-Identifier: Apache-2.0
import struct

import pytest

from ota_image.errors import ImageError
from ota_image.hardware.device_tree import read_device_tree
from tests.conftest import requires_program
from tests.unit.image.hardware.boards import SOURCE, compiled, tree

pytestmark = requires_program("dtc", package="device-tree-compiler")


def test_nodes_aliases_and_references_are_found() -> None:
    found = tree()

    card = found.find("mmc0")
    assert card is not None
    assert card.path == "/bus/mmc@2000"
    assert card.name == "mmc"
    assert found.number(card, "mmc") == 0
    assert found.referred(card.cells("vmmc-supply")[0]) == found.nodes["/regulator"]
    assert found.machine == "acme,board"
    assert found.find("serial2:115200n8") == found.nodes["/bus/serial@1000"]
    assert found.find("serial7") is None


def test_a_node_below_a_disabled_one_is_not_enabled() -> None:
    found = tree()

    assert found.is_enabled(found.nodes["/bus/mmc@2000"])
    assert not found.is_enabled(found.nodes["/bus/old@7000/part"])


@pytest.mark.parametrize("data", [b"", b"tree", b"\xd0\x0d\xfe\xed", bytes(100)])
def test_what_is_not_a_device_tree_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="is not a device tree"):
        read_device_tree(data)


def test_one_that_is_cut_off_or_damaged_anywhere_is_refused_or_read() -> None:
    whole = compiled(SOURCE)
    with pytest.raises(ImageError, match=f"cut off at 500 of {len(whole)} B"):
        read_device_tree(whole[:500])

    for at in range(8, len(whole), 3):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        try:
            read_device_tree(bytes(damaged))
        except ImageError as error:
            assert "device tree" in str(error)  # noqa: PT017  (many are still whole)


def test_one_of_a_later_form_is_refused() -> None:
    data = bytearray(compiled(SOURCE))
    data[24:28] = struct.pack(">I", 99)

    with pytest.raises(ImageError, match="version 99"):
        read_device_tree(bytes(data))
