# SPDX-License-Identifier: Apache-2.0
"""U-Boot's environment, byte by byte; U-Boot's own mkenvimage agrees."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_artifact.run import run
from ota_board.environment import Copy, decode, encode, newest
from ota_board.errors import BoardError
from tests.conftest import requires_program

SIZE = 0x2000
PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="=")
NAMES = st.text(PRINTABLE, min_size=1)
VALUES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=50)
FACTORY = {"bootcount": "0", "mender_boot_part": "2", "upgrade_available": "0"}


@given(
    variables=st.dictionaries(NAMES, VALUES, max_size=8),
    flag=st.one_of(st.none(), st.integers(0, 255)),
)
def test_what_was_encoded_is_decoded(variables: dict[str, str], flag: int | None) -> None:
    raw = encode(variables, SIZE, flag=flag)

    assert len(raw) == SIZE
    assert decode(raw, is_redundant=flag is not None) == Copy(variables, flag)


@pytest.mark.parametrize("options", [(), ("-r",)], ids=["single", "redundant"])
@requires_program("mkenvimage", package="u-boot-tools")
def test_mkenvimage_makes_the_same_bytes(tmp_path: Path, options: tuple[str, ...]) -> None:
    text = "".join(f"{name}={value}\n" for name, value in sorted(FACTORY.items()))
    (tmp_path / "text").write_text(text)
    files = ("-o", str(tmp_path / "raw"), str(tmp_path / "text"))

    run(("mkenvimage", *options, "-p", "0", "-s", str(SIZE), *files), timeout=10)

    ours = encode(FACTORY, SIZE, flag=1 if options else None)
    assert (tmp_path / "raw").read_bytes() == ours


@pytest.mark.parametrize("raw", [b"", bytes(5), bytes(SIZE), b"\xff" * SIZE, b"\xa5" * SIZE])
def test_what_was_never_written_is_not_an_environment(raw: bytes) -> None:
    assert decode(raw, is_redundant=True) is None


@given(st.integers(0, SIZE - 1))
def test_one_flipped_bit_is_found_unless_it_is_in_the_flag(place: int) -> None:
    raw = bytearray(encode(FACTORY, SIZE, flag=7))

    raw[place] ^= 1

    assert (decode(bytes(raw), is_redundant=True) is None) == (place != 4)


def test_a_redundant_copy_is_not_a_single_one() -> None:
    assert decode(encode(FACTORY, SIZE, flag=1), is_redundant=False) is None
    assert decode(encode(FACTORY, SIZE, flag=None), is_redundant=True) is None


def test_too_many_variables_are_refused() -> None:
    with pytest.raises(BoardError, match="there is room for"):
        encode({"a": "x" * SIZE}, SIZE, flag=1)


@pytest.mark.parametrize("pair", [("", "x"), ("a=b", "x"), ("a", ""), ("a\0", "x"), ("a", "x\0y")])
def test_variables_that_no_environment_can_hold_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(BoardError, match="cannot be stored"):
        encode(dict([pair]), SIZE, flag=1)


@pytest.mark.parametrize(
    ("flags", "index"),
    [
        ((None, None), None),
        ((3, None), 0),
        ((None, 3), 1),
        ((4, 3), 0),
        ((3, 4), 1),
        ((255, 0), 1),
        ((0, 255), 0),
        ((5, 5), 0),
    ],
)
def test_the_newer_copy_is_taken(flags: tuple[int | None, int | None], index: int | None) -> None:
    copies = [None if flag is None else Copy({}, flag) for flag in flags]

    assert newest(copies) == index
