# SPDX-License-Identifier: Apache-2.0
"""A device that was never updated says what it runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.memory.bootstrap import bootstrap
from ota_agent.memory.store import Store
from ota_artifact.cli.main import main


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "state.db")
    yield found
    found.close()


def release(tmp_path: Path) -> Path:
    path = tmp_path / "release"
    path.write_text("image=minimal\nrelease='1.0+abc'\nartifact='minimal-1.0+abc'\n")
    return path


def test_the_root_filesystem_says_which_release_it_is(tmp_path: Path, store: Store) -> None:
    bootstrap(store, tmp_path, release=release(tmp_path), mender=tmp_path / "none")

    name = "minimal-1.0+abc"
    assert store.provides == {"artifact_name": name, "rootfs-image.version": name}


def test_a_bootstrap_artifact_says_it_better(tmp_path: Path, store: Store) -> None:
    words = ("write", "bootstrap-artifact", "-n", "v1", "-t", "pi", "-g", "lab", "-p", "app:3")
    assert main([*words, "-o", str(tmp_path / "bootstrap.mender")]) == 0

    bootstrap(store, tmp_path, release=release(tmp_path), mender=tmp_path / "none")

    assert store.provides == {"artifact_name": "v1", "artifact_group": "lab", "app": "3"}


def test_a_damaged_bootstrap_artifact_is_passed_over(tmp_path: Path, store: Store) -> None:
    (tmp_path / "bootstrap.mender").write_bytes(b"not one")

    bootstrap(store, tmp_path, release=tmp_path / "none", mender=tmp_path / "none")

    assert store.provides == {"artifact_name": "unknown"}


def test_what_is_known_already_stays(tmp_path: Path, store: Store) -> None:
    store.save_provides({"artifact_name": "v7"})

    bootstrap(store, tmp_path, release=release(tmp_path), mender=tmp_path / "none")

    assert store.provides == {"artifact_name": "v7"}
