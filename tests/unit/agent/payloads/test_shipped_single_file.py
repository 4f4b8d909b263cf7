# SPDX-License-Identifier: Apache-2.0
"""The update module single-file: one step, the old file back, and no harm from a wrong payload."""

import stat
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads import ModuleOptions
from tests.unit.agent.payloads.artifacts import after_restart
from tests.unit.agent.payloads.shipped import Store, cut, names


def one_file(place: Path, content: bytes = b"new", mode: bytes = b"640\n") -> dict[str, bytes]:
    """The payload as Mender's single-file-artifact-gen makes it."""
    texts = {"dest_dir": f"{place}\n".encode(), "filename": b"app\n", "permissions": mode}
    return {**texts, "app": content}


def test_a_file_is_installed_and_stays(store: Store, place: Path) -> None:
    module = store("single-file", one_file(place))

    module.call("ArtifactInstall")
    module.call("ArtifactCommit")
    module.call("Cleanup")

    assert names(place) == ["app"]
    assert (place / "app").read_bytes() == b"new"
    assert stat.S_IMODE((place / "app").stat().st_mode) == 0o640


def test_a_file_takes_the_place_of_another_and_goes_back(store: Store, place: Path) -> None:
    place.mkdir(parents=True)
    (place / "app").write_bytes(b"old")
    (place / "app").chmod(0o755)
    module = store("single-file", one_file(place))

    module.call("ArtifactInstall")
    installed = (place / "app").read_bytes()
    module.call("ArtifactRollback")
    module.call("Cleanup")

    assert installed == b"new"
    assert names(place) == ["app"]
    assert (place / "app").read_bytes() == b"old"
    assert stat.S_IMODE((place / "app").stat().st_mode) == 0o755


def test_a_file_that_was_not_there_is_gone_after_a_rollback(store: Store, place: Path) -> None:
    module = store("single-file", one_file(place))

    module.call("ArtifactInstall")
    module.call("ArtifactRollback")

    assert names(place) == []


def test_a_link_comes_back_as_a_link(store: Store, place: Path) -> None:
    place.mkdir(parents=True)
    (place / "app").symlink_to("app-1")
    module = store("single-file", one_file(place))

    module.call("ArtifactInstall")
    installed = (place / "app").read_bytes()
    module.call("ArtifactRollback")

    assert installed == b"new"
    assert (place / "app").readlink() == Path("app-1")


def test_a_file_that_is_installed_twice_goes_back_to_the_old_one(
    store: Store, options: ModuleOptions, place: Path
) -> None:
    place.mkdir(parents=True)
    (place / "app").write_bytes(b"old")
    store("single-file", one_file(place)).call("ArtifactInstall")
    (module,) = after_restart(("single-file",), options)

    module.call("ArtifactInstall")
    module.call("ArtifactRollback")
    module.call("ArtifactRollback")

    assert (place / "app").read_bytes() == b"old"


@pytest.mark.parametrize("number", range(14))
def test_a_file_survives_a_cut_at_any_command(
    store: Store, options: ModuleOptions, place: Path, tmp_path: Path, number: int
) -> None:
    place.mkdir(parents=True)
    (place / "app").write_bytes(b"old")
    store("single-file", one_file(place))
    cut(options, "single-file", number, tmp_path)
    content = (place / "app").read_bytes()

    (module,) = after_restart(("single-file",), options)
    module.call("ArtifactRollback")
    module.call("Cleanup")

    assert content in (b"old", b"new")
    assert names(place) == ["app"]
    assert (place / "app").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"dest_dir": b""}, "must begin with /"),
        ({"dest_dir": b"opt\n"}, "must begin with /"),
        ({"filename": b""}, "must be the name of a file"),
        ({"filename": b"../app\n"}, "must be the name of a file"),
        ({"filename": b"..\n"}, "must be the name of a file"),
        ({"filename": b"other\n"}, "the payload has no file 'other'"),
        ({"permissions": b"u+s\n"}, "must be octal"),
    ],
)
def test_a_payload_of_one_file_that_is_wrong_changes_nothing(
    store: Store,
    place: Path,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, bytes],
    finding: str,
) -> None:
    caplog.set_level("INFO")
    place.mkdir(parents=True)
    (place / "app").write_bytes(b"old")
    module = store("single-file", one_file(place) | change)

    with pytest.raises(AgentError, match="single-file: ArtifactInstall: exit code 1"):
        module.call("ArtifactInstall")
    module.call("ArtifactRollback")

    assert finding in caplog.text
    assert names(place) == ["app"]
    assert (place / "app").read_bytes() == b"old"


def test_a_file_in_the_place_of_a_folder_is_refused(store: Store, place: Path) -> None:
    (place / "app").mkdir(parents=True)

    with pytest.raises(AgentError, match="exit code 1"):
        store("single-file", one_file(place)).call("ArtifactInstall")

    assert names(place) == ["app"]
