# SPDX-License-Identifier: Apache-2.0
"""Keys on a device are replaced by trust files; nobody brings a revoked one back."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.keys import PrivateKey
from ota_artifact.provides import TRUST_FILE
from ota_artifact.security_version import MOST, provides_of
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from ota_artifact.trust import FILE, STEP, Role, TrustedKey, TrustFile, format_trust, sign
from tests.conftest import requires_program
from tests.unit.agent.cli.test_floor import ONE, OTHER, Board
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

THIRD = PrivateKey("3", ec.generate_private_key(ec.SECP256R1()))


def key(private: PrivateKey, *roles: Role, types: tuple[str, ...] = ()) -> TrustedKey:
    return TrustedKey(
        public=private.public, roles=roles or ("trust", "release"), device_types=types
    )


def trust(
    version: int,
    *keys: TrustedKey,
    signed: tuple[PrivateKey, ...] = (ONE,),
    revoked: tuple[PrivateKey, ...] = (),
    threshold: int = 1,
) -> TrustFile:
    made = TrustFile(
        version=version,
        keys=keys,
        threshold=threshold,
        revoked=tuple(each.public.id for each in revoked),
        signatures={},
    )
    for each in signed:
        made = sign(made, each, [each.public])
    return made


FIRST = trust(1, key(ONE), key(OTHER))
SECOND = trust(2, key(OTHER), key(THIRD), signed=(OTHER,), revoked=(ONE,))


def carrying(
    board: Board,
    file: TrustFile | bytes,
    *,
    by: PrivateKey = ONE,
    provides: int | None = None,
    scripts: tuple[Script, ...] = (),
) -> Path:
    """An artifact with a trust file."""
    raw = file if isinstance(file, bytes) else format_trust(file)
    number = provides or (file.version if isinstance(file, TrustFile) else 1)
    header = PayloadHeader(type=TRUST_FILE, provides=provides_of(number, module=TRUST_FILE))
    board.count += 1
    path = board.folder / f"trust-{board.count}.mender"
    spec = ArtifactSpec(
        Header(
            version=3,
            artifact_name=f"t{number}",
            compatible_types=("scratch",),
            payloads=(header,),
            scripts=scripts,
        ),
        (PayloadSpec(header, sources(board.folder / f"t{board.count}", {FILE: raw})),),
    )
    written(spec, path, signer=by)
    return path


def take(board: Board, file: TrustFile, *, by: PrivateKey = ONE) -> None:
    """Install a trust file, and commit it."""
    assert board.install(carrying(board, file, by=by)) == 0
    assert board.call("commit") == 0


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


@pytest.fixture
def rotated(board: Board) -> Board:
    """From key 1, which its slot names, to key 2; key 1 is revoked."""
    take(board, FIRST)
    take(board, SECOND, by=OTHER)
    return board


def refused(board: Board, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    before = board.device.environment
    capsys.readouterr()
    assert board.install(path) != 0
    now = board.device.environment
    assert {n: v for n, v in now.items() if n != "ota_floor"} == {
        n: v for n, v in before.items() if n != "ota_floor"
    }
    return capsys.readouterr().err


def test_a_fleet_goes_from_one_key_to_the_next(
    rotated: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "manifest.sig" in refused(rotated, rotated.artifact(5, key=ONE), capsys)

    rotated.update(rotated.artifact(5, key=OTHER))

    assert rotated.device.environment["ota_floor"].split() == [
        f"rootfs-image:{OTHER.public.id[:8]}:5",
        "rootfs-image.ota-trust::2",
        f"ota-revoked:{ONE.public.id[:8]}:2",
    ]


def test_one_lost_key_of_two_does_not_lose_the_fleet(board: Board) -> None:
    take(board, FIRST)

    board.update(board.artifact(1, key=OTHER))

    take(board, SECOND, by=OTHER)


@pytest.mark.parametrize(
    "lost", [("memory",), ("variable",), ("trust",), ("memory", "trust"), ("variable", "trust")]
)
def test_a_revoked_key_does_not_come_back(
    rotated: Board, lost: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    rotated.trust(ONE, OTHER)
    if "memory" in lost:
        rotated.lose_memory()
    if "variable" in lost:
        rotated.lose_variable()
    if "trust" in lost:
        (rotated.device.folder / "data" / "trust").unlink()

    refused(rotated, rotated.artifact(9, key=ONE), capsys)

    assert rotated.install(rotated.artifact(9, key=OTHER)) == 0


def test_a_lost_trust_file_can_be_installed_again_but_no_older_one(
    rotated: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    rotated.trust(ONE, OTHER)
    (rotated.device.folder / "data" / "trust").unlink()

    assert "floor of this device is 2" in refused(
        rotated, carrying(rotated, FIRST, by=OTHER), capsys
    )
    assert rotated.call("doctor") == 1
    assert "version 2 of the trust file is lost" in capsys.readouterr().out

    take(rotated, SECOND, by=OTHER)
    assert rotated.install(rotated.artifact(9, key=THIRD)) == 0


def test_a_trust_file_that_was_taken_is_not_taken_again(
    rotated: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "version 2 is known" in refused(rotated, carrying(rotated, SECOND, by=OTHER), capsys)
    assert "floor of this device is 2" in refused(
        rotated, carrying(rotated, FIRST, by=OTHER), capsys
    )


@pytest.mark.parametrize(
    ("file", "finding"),
    [
        (trust(2, key(THIRD), signed=(THIRD,)), "0 of the keys that are trusted until now"),
        (trust(2, key(THIRD), signed=(ONE,)), "0 of the keys that it names itself"),
        (trust(2 + STEP, key(ONE)), "more than 1000 above 1"),
        (trust(MOST, key(ONE)), "more than 1000 above 1"),
        (trust(2, key(ONE), key(OTHER), signed=(ONE,), threshold=2), "and 2 must sign it"),
        (replace(trust(2, key(ONE)), version=3), "0 of the keys"),
    ],
    ids=["stranger", "unsigned-by-itself", "jump", "most", "threshold", "changed"],
)
def test_a_trust_file_of_a_stranger_is_refused(
    board: Board, file: TrustFile, finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    take(board, FIRST)

    assert finding in refused(board, carrying(board, file), capsys)

    assert board.install(board.artifact(1, key=OTHER)) == 0


def test_a_threshold_of_two_applies_to_the_next_version(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = key(ONE), key(OTHER), key(THIRD)
    take(board, trust(1, *keys, signed=(ONE, OTHER), threshold=2))

    one = trust(2, key(ONE), key(OTHER), signed=(ONE,))
    both = trust(2, key(ONE), key(OTHER), signed=(ONE, THIRD))

    assert "1 of the keys" in refused(board, carrying(board, one), capsys)
    take(board, both)


def test_what_a_role_may_sign(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    keys = key(ONE, "release"), key(OTHER, "trust"), key(THIRD, "debug")
    take(board, trust(1, *keys, signed=(ONE, OTHER)))

    only_trust = refused(board, board.artifact(1, key=OTHER), capsys)
    refused(board, board.artifact(1, key=THIRD), capsys)
    by_release = trust(2, *keys, signed=(ONE,))
    assert "may sign trust files only" in only_trust
    assert "0 of the keys" in refused(board, carrying(board, by_release), capsys)

    board.trust(ONE, debug=True)
    assert "is for debugging" in refused(
        board, carrying(board, trust(2, *keys, signed=(OTHER,)), by=THIRD), capsys
    )
    assert board.install(board.artifact(1, key=THIRD)) == 0


def test_a_key_of_another_device_type_does_not_count(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = key(ONE), key(OTHER, "release", types=("else",)), key(THIRD, types=("scratch",))
    take(board, trust(1, *keys))

    refused(board, board.artifact(1, key=OTHER), capsys)

    assert board.install(board.artifact(1, key=THIRD)) == 0


def test_an_artifact_with_a_trust_file_has_nothing_else(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    number = carrying(board, FIRST, provides=7)
    damaged = carrying(board, b"{}")
    scripts = (Script("ArtifactInstall_Enter_00", b"#!/bin/sh\n"),)
    with_code = carrying(board, FIRST, scripts=scripts)

    assert "has version 1, and the artifact provides 7" in refused(board, number, capsys)
    assert "and something else" in refused(board, with_code, capsys)
    assert "trust.json.signed: must be an object" in refused(board, damaged, capsys)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [],
        lambda lines: lines[::-1],
        lambda lines: [b"\0" * 100 + b"\n"],
        lambda lines: [b"x" * 20000],
        lambda lines: lines[:1],
        lambda lines: [lines[1].replace(b'"version": 2', b'"version": 3')],
        lambda lines: [*lines, format_trust(trust(3, key(ONE)), indent=None)],
        lambda lines: [format_trust(trust(3, key(ONE)), indent=None)],
    ],
    ids=["empty", "reversed", "zeros", "large", "older", "changed", "by-revoked", "only-revoked"],
)
def test_what_is_done_to_the_trust_files_on_data_brings_no_key_back(
    rotated: Board, spoil: object, capsys: pytest.CaptureFixture[str]
) -> None:
    rotated.trust(ONE, OTHER)
    path = rotated.device.folder / "data" / "trust"
    path.write_bytes(b"".join(spoil(path.read_bytes().splitlines(keepends=True))))  # type: ignore[operator]

    refused(rotated, rotated.artifact(9, key=ONE), capsys)

    assert rotated.install(rotated.artifact(9, key=OTHER)) == 0


def test_a_file_on_data_may_not_say_that_debugging_is_allowed(board: Board) -> None:
    keys = key(ONE), key(OTHER, "debug")
    take(board, trust(1, *keys))
    (board.device.folder / "data" / "agent.toml").write_text("[keys]\ndebug = true\n")

    assert board.install(board.artifact(1, key=OTHER)) != 0


def test_a_file_on_data_may_leave_a_key_of_the_slot_out(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.trust(ONE, OTHER)
    take(board, FIRST)
    local = board.device.folder / "data" / "agent.toml"
    local.write_text(f'[keys]\nkeys = ["{board.folder}/1.pem"]\n')

    refused(board, board.artifact(1, key=OTHER), capsys)

    assert board.install(board.artifact(1, key=ONE)) == 0


OVER = date(2020, 1, 1)


@pytest.mark.parametrize(
    ("keys", "finding"),
    [
        ((replace(key(THIRD), expires=OVER),), "0 keys for trust are good"),
        ((key(THIRD, "trust"), replace(key(OTHER), expires=OVER)), "no key for releases is"),
        ((key(ONE), key(THIRD, "release")), "0 keys for trust are good"),
    ],
    ids=["all-expired", "releases-expired", "revoked-before"],
)
def test_a_trust_file_that_would_strand_the_device_is_refused(
    rotated: Board,
    keys: tuple[TrustedKey, ...],
    finding: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stranding = trust(3, *keys, signed=(ONE, OTHER, THIRD))

    assert finding in refused(rotated, carrying(rotated, stranding, by=OTHER), capsys)

    assert rotated.install(rotated.artifact(9, key=THIRD)) == 0


def test_a_key_signs_no_trust_file_after_its_last_day(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    old = replace(key(ONE, "trust"), expires=OVER)
    take(board, trust(1, old, key(OTHER)))

    late = trust(2, key(ONE), key(THIRD), signed=(ONE,))

    assert "0 of the keys" in refused(board, carrying(board, late, by=OTHER), capsys)


def test_a_device_that_verifies_nothing_takes_no_trust_file(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.trust()

    assert "verifies no artifacts" in refused(board, carrying(board, FIRST), capsys)


def test_a_device_whose_last_key_for_trust_is_alone_is_warned(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    take(board, trust(1, key(ONE)))

    board.call("doctor")

    assert "one-key-for-trust" in capsys.readouterr().out
