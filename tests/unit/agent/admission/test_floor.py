# SPDX-License-Identifier: Apache-2.0
"""Which artifacts are below the floor."""

import pytest

from ota_agent.admission.floor import check_floor
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import Floor
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.security_version import provides_of

KEY = "rootfs-image.version"
FLOOR = Floor({("rootfs-image", "11111111"): 5, ("rootfs-image.app", "11111111"): 2})


def rootfs(number: int, *lowers: int) -> PayloadHeader:
    return PayloadHeader(type="rootfs-image", provides=provides_of(number, lowers=lowers))


def module(number: int | None, name: str = "app") -> PayloadHeader:
    key = f"rootfs-image.{name}"
    found = {} if number is None else {f"{key}.security_version": str(number)}
    return PayloadHeader(type=name, provides={f"{key}.version": "9", **found})


def check(*payloads: PayloadHeader, floor: Floor = FLOOR, keys: str | None = "11111111") -> None:
    check_floor(
        Header(version=3, artifact_name="v1", compatible_types=("b",), payloads=payloads),
        floor,
        {},
        keys=None if keys is None else keys.split(),
        key=KEY,
    )


def test_what_is_not_below_its_floor_is_taken() -> None:
    check(rootfs(5), module(2))
    check(rootfs(6))
    check(module(1, "other"))


@pytest.mark.parametrize(
    "payloads", [(rootfs(4),), (module(1),), (rootfs(6), module(1)), (rootfs(0, 6),)]
)
def test_what_is_below_its_floor_is_refused(payloads: tuple[PayloadHeader, ...]) -> None:
    with pytest.raises(AgentError, match=r"downgrade: .* and the floor of this device is"):
        check(*payloads)


@pytest.mark.parametrize(
    "payload",
    [
        module(None),
        module(None, "other"),
        PayloadHeader(type=None),
        PayloadHeader(type="rootfs-image", provides={KEY: "99"}),
    ],
)
def test_without_a_number_nothing_is_taken_once_there_is_a_floor(payload: PayloadHeader) -> None:
    with pytest.raises(AgentError, match="has no security version, and this device has a floor"):
        check(payload)


def test_without_any_floor_the_names_count() -> None:
    check(module(None), floor=Floor())
    check(rootfs(0), floor=Floor())


def test_the_signer_can_lower_exactly_the_floor_that_there_is() -> None:
    check(rootfs(3, 5))
    check(rootfs(3, 7, 5))
    with pytest.raises(AgentError, match="floor of this device is 5"):
        check(rootfs(3, 6))


def test_what_a_key_has_raised_counts_while_it_is_configured() -> None:
    floor = Floor({("rootfs-image", "22222222"): 999, ("rootfs-image", "11111111"): 5})

    check(rootfs(6), floor=floor, keys="11111111")
    for keys in ("11111111 22222222", None):
        with pytest.raises(AgentError, match="floor of this device is 999"):
            check(rootfs(6), floor=floor, keys=keys)


def test_what_was_raised_without_a_key_always_counts() -> None:
    with pytest.raises(AgentError, match="floor of this device is 7"):
        check(rootfs(6), floor=Floor({("rootfs-image", ""): 7}), keys="33333333")


@pytest.mark.parametrize("kind", [None, "script"])
def test_nothing_but_a_root_filesystem_moves_its_floor(kind: str | None) -> None:
    with pytest.raises(AgentError, match=r"payload 0: "):
        check(PayloadHeader(type=kind, provides=provides_of(9)))
