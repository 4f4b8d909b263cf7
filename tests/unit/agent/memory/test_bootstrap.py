# SPDX-License-Identifier: Apache-2.0
"""A device says what it runs: before its first update, and after all that can go wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.lifecycle.states import Idle, State, Trying
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.bootstrap import look
from ota_agent.memory.correct import correct
from ota_agent.memory.runs import Running, Slot, Slots, committed, from_text, to_text
from ota_agent.memory.store import Store
from ota_artifact.cli.main import main


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "state.db")
    yield found
    found.close()


def now(slot: str, release: str, **more: object) -> Running:
    return Running(slot=slot, release=release, **more)  # type: ignore[arg-type]


def started(store: Store, runs: Running, state: State | None = None) -> str:
    """What the agent finds odd as it starts."""
    return correct(store, state or Idle(), runs, mender=store.path.with_name("none"))


def test_the_root_filesystem_says_which_release_it_is(tmp_path: Path) -> None:
    path = tmp_path / "release"
    path.write_text("image=minimal\nrelease='1.0+abc'\nartifact='minimal-1.0+abc'\n")

    assert look(None, release=path) == Running(release="minimal-1.0+abc")


def test_a_device_begins_with_the_release_that_runs(store: Store) -> None:
    assert started(store, now("A", "v1")) == ""
    assert store.provides == {"artifact_name": "v1", "rootfs-image.version": "v1"}


def test_a_bootstrap_artifact_says_it_better(tmp_path: Path, store: Store) -> None:
    words = ("write", "bootstrap-artifact", "-n", "v1", "-t", "pi", "-g", "lab", "-p", "app:3")
    assert main([*words, "-o", str(tmp_path / "bootstrap.mender")]) == 0

    started(store, now("A", "minimal-1"))

    assert store.provides == {"artifact_name": "v1", "artifact_group": "lab", "app": "3"}


def test_a_damaged_bootstrap_artifact_is_passed_over(tmp_path: Path, store: Store) -> None:
    (tmp_path / "bootstrap.mender").write_bytes(b"not one")

    started(store, Running())

    assert store.provides == {"artifact_name": "unknown"}


def test_a_bootstrap_artifact_is_of_the_factory_and_not_of_a_memory_that_was_lost(
    tmp_path: Path,
) -> None:
    words = ("write", "bootstrap-artifact", "-n", "v1", "-t", "pi")
    assert main([*words, "-o", str(tmp_path / "bootstrap.mender")]) == 0
    (tmp_path / "state.db").write_bytes(b"damaged" * 999)
    store = Store(tmp_path / "state.db")

    odd = started(store, now("B", "v2"))

    assert odd == "what the agent remembered is lost"
    assert store.provides == {"artifact_name": "v2", "rootfs-image.version": "v2"}
    store.close()


def test_what_is_known_already_stays(store: Store) -> None:
    store.save_provides({"artifact_name": "v7"}, Slots("A", {"A": Slot("minimal-7", {})}))

    assert started(store, now("A", "minimal-7")) == ""
    assert store.provides == {"artifact_name": "v7"}


MODULES = {"data-partition.app.version": "3"}


def v1(store: Store) -> None:
    """The device runs v1 in slot A, made from release minimal-1, and then an app."""
    provides = {"artifact_name": "v1", "rootfs-image.version": "v1", "rootfs-image.checksum": "c1"}
    store.save_provides(provides, committed(store.slots, now("A", "minimal-1"), provides))
    both = {**provides, "artifact_name": "app-3", **MODULES}
    store.save_provides(both, committed(store.slots, now("A", "minimal-1"), both))


def v2(store: Store) -> None:
    """It was updated to v2 in slot B."""
    provides = {"artifact_name": "v2", "rootfs-image.version": "v2", **MODULES}
    store.save_provides(provides, committed(store.slots, now("B", "minimal-2"), provides))


def test_a_module_that_names_the_artifact_changes_nothing_about_the_slot(store: Store) -> None:
    v1(store)

    assert started(store, now("A", "minimal-1")) == ""
    assert store.provides["artifact_name"] == "app-3"


def test_after_a_fallback_the_old_slot_provides_what_it_did_when_it_was_committed(
    store: Store,
) -> None:
    v1(store)
    v2(store)

    odd = started(store, now("A", "minimal-1", why="load 3"))

    assert odd == (
        "the bootloader went back (load 3): slot A runs, with minimal-1; the last update that was"
        " committed is v2 in slot B"
    )
    assert store.provides == {
        "artifact_name": "app-3",
        "rootfs-image.version": "v1",
        "rootfs-image.checksum": "c1",
        **MODULES,
    }
    assert started(store, now("A", "minimal-1")) == odd, "until the next update"
    v2(store)
    assert started(store, now("B", "minimal-2")) == ""


def test_a_slot_that_was_written_by_other_means_provides_its_release(store: Store) -> None:
    v1(store)

    odd = started(store, now("A", "minimal-9"))

    assert "slot A runs, with minimal-9" in odd
    name = {"artifact_name": "minimal-9", "rootfs-image.version": "minimal-9"}
    assert store.provides == {**name, **MODULES}


def test_a_slot_that_was_overwritten_since_is_not_what_it_was(store: Store) -> None:
    v1(store)
    v2(store)
    store.forget_slot("A")

    started(store, now("A", ""))

    assert store.provides == {"artifact_name": "unknown", **MODULES}


@pytest.mark.parametrize("is_trial", [True, None])
def test_nothing_is_remembered_of_a_trial_that_no_update_began(
    store: Store, is_trial: bool | None
) -> None:
    """The next boot runs the old slot, and must not find the trial's release remembered."""
    started(store, now("B", "v2", is_trial=is_trial))

    assert store.provides == {"artifact_name": "v2", "rootfs-image.version": "v2"}
    store.close()
    again = Store(store.path)
    assert again.provides == {}
    assert started(again, now("A", "v1", why="count 3")) == (
        "the bootloader went back (count 3), and what the agent remembered is lost"
    )
    assert again.provides["artifact_name"] == "v1"
    again.close()


def test_a_trial_that_no_update_began_is_not_what_is_committed(store: Store) -> None:
    v1(store)

    odd = started(store, now("B", "minimal-2", is_trial=True))

    assert "slot B runs, with minimal-2" in odd
    assert store.provides["artifact_name"] == "minimal-2"
    assert started(store, now("A", "minimal-1")) == ""
    assert store.provides["artifact_name"] == "app-3"


def test_the_trial_of_an_update_leaves_the_old_system_remembered(store: Store) -> None:
    v1(store)
    artifact = Artifact(name="v2", types=("rootfs-image",))
    state = Trying(Update(source=Address("u"), artifact=artifact, target="B"))

    assert started(store, now("B", "minimal-2", is_trial=True), state) == ""
    assert store.provides["artifact_name"] == "app-3"


@pytest.mark.parametrize("name", ["minimal-1", "rootfs"])
def test_the_memory_of_an_older_agent_is_believed_if_the_names_go_together(
    store: Store, name: str
) -> None:
    store.save_provides({"artifact_name": name, "rootfs-image.version": "minimal-1"})

    assert started(store, now("A", "minimal-1")) == ""
    assert store.provides["artifact_name"] == name
    assert store.slots == Slots("A", {"A": Slot("minimal-1", store.provides)})


def test_the_memory_of_an_older_agent_that_says_what_does_not_run_is_corrected(
    store: Store,
) -> None:
    store.save_provides({"artifact_name": "minimal-2", "rootfs-image.version": "minimal-2"})

    odd = started(store, now("A", "minimal-1", why="count 3"))

    assert odd.startswith("the bootloader went back (count 3): slot A runs, with minimal-1")
    assert store.provides["artifact_name"] == "minimal-1"


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"running": "A"}', '{"slots": {"A": 1}}'])
def test_a_damaged_record_of_the_slots_is_as_none(text: str) -> None:
    assert from_text(text) is None


def test_a_record_of_the_slots_comes_back_as_it_was() -> None:
    slots = Slots("B", {"A": Slot("r1", {"artifact_name": "v1"}), "B": Slot("", {})})

    assert from_text(to_text(slots)) == slots
