# SPDX-License-Identifier: Apache-2.0
import struct

import pytest

from ota_image.errors import ImageError
from ota_image.hardware.device_tree import LARGEST, read_device_tree
from ota_image.hardware.slot_drivers import judge
from tests.conftest import requires_program
from tests.unit.image.hardware.boards import SOURCE, compiled, machine, tree
from tests.unit.image.hardware.hostile import END, begin, below_root, value

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


@pytest.mark.parametrize(
    "content",
    [
        begin(b"bus/uart") + value(b"acme,uart\0") + END,
        begin(b"/bus") + END,
        begin(b"bus\x1b[2J") + END,
        begin(b"a name") + END,
        begin("b\u00fcs".encode()) + END,
        begin(b"") + END,
        begin(b"n" * 200) + END,
        begin(b"a") * 64 + END * 64,
        begin(b"a") * 100_000,
        value(b"x", offset=10),  # the empty name
        value(b"x", offset=1 << 31),
        value(b"x", offset=17),
        END * 2,
        b"\0\0\0\7",
    ],
    ids=range(14),
)
def test_one_whose_nodes_and_properties_are_called_as_none_can_be_is_refused(
    content: bytes,
) -> None:
    with pytest.raises(ImageError, match="is a damaged device tree"):
        read_device_tree(below_root(content))


def test_a_name_that_does_not_end_is_refused() -> None:
    whole = below_root(value(b"x"), names=b"compatible")

    with pytest.raises(ImageError, match="is a damaged device tree"):
        read_device_tree(whole)


@pytest.mark.parametrize(
    "content",
    [
        value(b"a\0" * LARGEST),
        begin(b"n" * 127) * 60 + (begin(b"x") + END) * 100_000 + END * 60,  # GiBs of paths
    ],
    ids=["a value", "many long paths"],
)
def test_one_that_no_kernel_would_take_costs_neither_time_nor_memory(content: bytes) -> None:
    with pytest.raises(ImageError, match=r"is a damaged device tree|a kernel takes 2097152 B"):
        read_device_tree(below_root(content))


def test_a_device_tree_of_many_aliases_is_judged_in_no_time() -> None:
    count = 10_000
    names = b"compatible\0" + b"".join(b"mmc%05d\0" % number for number in range(count))
    aliases = (value(b"/n%d\0" % each, 11 + 9 * each) for each in range(count))
    nodes = (begin(b"n%d" % each) + value(b"acme,mmc\0") + END for each in range(count))

    found = read_device_tree(
        below_root(begin(b"aliases") + b"".join(aliases) + END + b"".join(nodes), names)
    )

    assert len(found.aliased("mmc")) == count
    assert judge(machine(trees={"board.dtb": found})).findings == ()


def test_what_refers_to_itself_is_followed_once() -> None:
    loop = ('compatible = "acme,regulator";', 'compatible = "acme,regulator"; x-supply = <&card>;')

    assert judge(machine(loop)).findings == ()


def test_a_text_with_characters_for_a_terminal_is_not_taken_as_it_is() -> None:
    found = read_device_tree(below_root(value(b"acme\xff\xc3\xbc\0")))

    assert found.machine.isascii() or "\ufffd" in found.machine
