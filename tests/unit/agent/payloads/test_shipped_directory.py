# SPDX-License-Identifier: Apache-2.0
"""The update module directory: a folder is swapped whole, comes back whole, and is never lost."""

import io
import os
import shutil
import stat
import tarfile
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads import ModuleOptions
from tests.unit.agent.payloads.artifacts import after_restart
from tests.unit.agent.payloads.shipped import Store, cut, names


def packed(mode: int = 0o750, /, **files: bytes) -> bytes:
    """A tar of files, as ``tar -C folder .`` makes it, and the mode of the folder itself."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        top = tarfile.TarInfo("./")
        top.type, top.mode, top.uid, top.gid = tarfile.DIRTYPE, mode, os.getuid(), os.getgid()
        tar.addfile(top)
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def a_folder(place: Path | str, tar: bytes | None = None) -> dict[str, bytes]:
    """The payload as Mender's directory-artifact-gen makes it."""
    return {
        "update.tar": packed(app=b"new", extra=b"more") if tar is None else tar,
        "dest_dir": f"{place}\n".encode(),
    }


def old_folder(place: Path) -> None:
    (place / "sub").mkdir(parents=True)
    (place / "app").write_bytes(b"old")
    (place / "link").symlink_to("app")
    (place / "sub" / "file").write_bytes(b"deep")
    place.chmod(0o700)


def is_old(place: Path) -> bool:
    return (
        names(place) == ["app", "link", "sub", "sub/file"]
        and (place / "app").read_bytes() == b"old"
        and stat.S_IMODE(place.stat().st_mode) == 0o700
    )


def test_a_folder_is_installed_and_stays(store: Store, place: Path) -> None:
    old_folder(place)
    module = store("directory", a_folder(place))

    module.call("ArtifactInstall")
    module.call("ArtifactCommit")
    module.call("Cleanup")

    assert names(place.parent) == ["opt", "opt/app", "opt/extra"]
    assert (place / "app").read_bytes() == b"new"
    assert stat.S_IMODE(place.stat().st_mode) == 0o750


@pytest.mark.parametrize("mode", [0o700, 0o2751, 0o1777, 0o7000, 0o5544])
def test_a_folder_has_the_mode_that_the_tar_gives_it(store: Store, place: Path, mode: int) -> None:
    module = store("directory", a_folder(place, packed(mode)))

    module.call("ArtifactInstall")

    assert f"{stat.S_IMODE(place.stat().st_mode):o}" == f"{mode:o}"


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a folder to another user")
def test_a_folder_has_the_owner_that_the_tar_gives_it(store: Store, place: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed())) as tar:
        top = tar.getmember(".")
    top.uid, top.gid = 1234, 4321
    module = store("directory", a_folder(place, top.tobuf() + bytes(1024)))

    module.call("ArtifactInstall")

    assert (place.stat().st_uid, place.stat().st_gid) == (1234, 4321)


def test_a_folder_goes_back_to_what_it_was(store: Store, place: Path) -> None:
    old_folder(place)
    module = store("directory", a_folder(place))

    module.call("ArtifactInstall")
    installed = names(place)
    module.call("ArtifactRollback")
    module.call("Cleanup")

    assert installed == ["app", "extra"]
    assert is_old(place)
    assert os.listdir(place.parent) == ["opt"]  # noqa: PTH208


def test_a_folder_that_was_not_there_is_gone_after_a_rollback(store: Store, place: Path) -> None:
    module = store("directory", a_folder(place))

    module.call("ArtifactInstall")
    installed = names(place)
    module.call("ArtifactRollback")
    module.call("ArtifactRollback")
    module.call("Cleanup")

    assert installed == ["app", "extra"]
    assert names(place.parent) == []


def test_a_folder_that_is_installed_twice_goes_back_to_the_old_one(
    store: Store, options: ModuleOptions, place: Path
) -> None:
    old_folder(place)
    store("directory", a_folder(place)).call("ArtifactInstall")
    (module,) = after_restart(("directory",), options)

    module.call("ArtifactInstall")
    installed = names(place)
    module.call("ArtifactRollback")

    assert installed == ["app", "extra"]
    assert is_old(place)


def test_the_folder_that_a_link_leads_to_is_replaced(store: Store, place: Path) -> None:
    old_folder(place)
    link = place.with_name("link")
    link.symlink_to("opt")
    module = store("directory", a_folder(f"{link}//"))

    module.call("ArtifactInstall")

    assert link.is_symlink()
    assert names(place) == ["app", "extra"]


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("number", range(14))
def test_a_folder_survives_a_cut_at_any_command(
    store: Store, options: ModuleOptions, place: Path, tmp_path: Path, number: int, is_there: bool
) -> None:
    place.parent.mkdir()
    if is_there:
        old_folder(place)
    store("directory", a_folder(place))
    cut(options, "directory", number, tmp_path)

    (module,) = after_restart(("directory",), options)
    module.call("ArtifactRollback")
    module.call("Cleanup")

    assert is_old(place) if is_there else not place.exists()
    assert os.listdir(place.parent) == (["opt"] if is_there else [])  # noqa: PTH208


def test_a_cleanup_alone_leaves_a_folder_there(
    store: Store, options: ModuleOptions, place: Path
) -> None:
    old_folder(place)
    module = store("directory", a_folder(place))
    module.call("ArtifactInstall")
    shutil.rmtree(place)  # as between the two moves

    module.call("Cleanup")

    assert is_old(place)


def test_what_a_lost_update_left_is_put_back_before_the_next(store: Store, place: Path) -> None:
    old_folder(place)
    place.rename(place.with_name(".opt.ota-old"))
    module = store("directory", a_folder(place))

    module.call("ArtifactInstall")
    module.call("ArtifactRollback")

    assert is_old(place)


@pytest.mark.parametrize(
    ("where", "finding"),
    [
        ("/", "would replace the whole system"),
        ("//", "would replace the whole system"),
        ("", "must begin with /"),
        ("opt", "must begin with /"),
        ("/opt/..", "must not hold . or .."),
        ("/./", "must not hold . or .."),
        ("{root}", "leads to /"),
        ("{file}", "is not a folder; it stays"),
        ("/proc", "is a mount point"),
    ],
)
def test_a_folder_that_cannot_be_meant_is_refused(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, where: str, finding: str
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "file").touch()
    (tmp_path / "to-root").symlink_to("/")
    text = where.format(root=tmp_path / "to-root", file=tmp_path / "file")
    module = store("directory", a_folder(text))

    with pytest.raises(AgentError, match="directory: ArtifactInstall: exit code 1"):
        module.call("ArtifactInstall")
    module.call("ArtifactRollback")

    assert finding in caplog.text


def test_a_tar_that_is_damaged_changes_nothing(store: Store, place: Path) -> None:
    old_folder(place)
    module = store("directory", a_folder(place, packed(app=b"new" * 1000)[:2000]))

    with pytest.raises(AgentError, match="directory: ArtifactInstall: exit code"):
        module.call("ArtifactInstall")
    between = is_old(place)
    module.call("ArtifactRollback")
    module.call("Cleanup")

    assert between
    assert is_old(place)
    assert os.listdir(place.parent) == ["opt"]  # noqa: PTH208
