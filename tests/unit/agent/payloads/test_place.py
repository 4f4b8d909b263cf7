# SPDX-License-Identifier: Apache-2.0
"""Root puts files into a folder of another user, who does what they can to lead root elsewhere."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads import place
from tests.unit.agent.api.other_user import NOBODY, opened_to_all, requires_root
from tests.unit.agent.payloads.shipped import Store
from tests.unit.agent.payloads.test_shipped_directory import packed
from tests.unit.agent.payloads.test_shipped_single_file import one_file

pytestmark = requires_root

_RACE = """
import os, sys
home, protected = sys.argv[1:]
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print("ready", flush=True)
os.chdir(home)
step = 0
def quietly(do, *words):
    try:
        do(*words)
    except OSError:
        pass
def renamed_to_link():
    os.rename("conf", "real"); os.symlink(protected, "conf")
def renamed_back():
    os.unlink("conf"); os.rename("real", "conf")
while True:
    step += 1
    quietly(renamed_to_link)
    quietly(renamed_back)
    try:
        names = os.listdir("conf")
    except OSError:
        continue
    for name in {*names, ".app.ota-new"}:
        if name.startswith(".app"):
            target = (protected + "/secret", protected, protected + "/public")[step % 3]
            quietly(os.unlink, "conf/" + name)
            quietly(os.symlink, target, "conf/" + name)
            quietly(os.link, protected + "/secret", "conf/" + name)
    if step % 50 == 0:
        quietly(os.unlink, "conf/app")
        quietly(os.symlink, protected + "/secret", "conf/app")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of nobody's with a folder in it."""
    folder = opened_to_all(tmp_path) / "home"
    (folder / "conf").mkdir(parents=True)
    for each in (folder, folder / "conf"):
        os.chown(each, NOBODY, NOBODY)
    return folder


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[Path]:
    """A folder of root's, in which nothing changes."""
    folder = tmp_path / "protected"
    folder.mkdir(mode=0o755)
    secret = folder / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    public = folder / "public"
    public.write_text("public")
    yield folder
    assert {each.name for each in folder.iterdir()} == {"secret", "public"}
    assert (public.read_text(), stat.S_IMODE(public.stat().st_mode)) == ("public", 0o644)
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("secret", 0o600)
    assert secret.stat().st_uid == 0


@contextmanager
def racing(home: Path, protected: Path) -> Iterator[None]:
    """Nobody, at work in their own folder."""
    words = [sys.executable, "-S", "-E", "-c", _RACE, str(home), str(protected)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as race:  # noqa: S603
        try:
            assert race.stdout
            assert race.stdout.readline() == b"ready\n"
            yield
            assert race.poll() is None, "the race has ended"
        finally:
            race.send_signal(signal.SIGKILL)


def test_no_race_leads_root_out_of_the_folder(home: Path, protected: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_text("payload")
    done = 0

    with racing(home, protected):
        end = time.monotonic() + 0.5
        for number in range(1000):
            backup = tmp_path / f"backup{number}"
            backup.mkdir()
            folder = str(home / "conf")
            for words in (
                ["keep", folder, "app", str(backup)],
                ["put", folder, "app", str(new), "640"],
                ["put", folder, "app", str(new)],
                ["remove", folder, "app"],
            ):
                done += place.main(words) == 0
            if time.monotonic() > end:
                break

    assert done, "nothing was ever put there"


@pytest.mark.boot  # many starts of a shell
def test_no_race_leads_the_module_out_of_the_folder(
    home: Path, protected: Path, store: Store
) -> None:
    with racing(home, protected):
        for _ in range(8):
            for call in ("ArtifactInstall", "ArtifactRollback", "Cleanup"):
                module = store("single-file", one_file(home / "conf", b"payload", b"0600\n"))
                with suppress(AgentError):
                    module.call(call)


def test_a_file_in_a_folder_of_another_user_is_installed_and_goes_back(
    home: Path, store: Store
) -> None:
    old = home / "conf" / "app"
    old.write_text("old")
    os.chown(old, NOBODY, NOBODY)
    old.chmod(0o604)
    module = store("single-file", one_file(home / "conf", b"payload"))

    module.call("ArtifactInstall")
    installed, found = old.read_text(), old.stat()
    module.call("ArtifactRollback")

    assert (installed, stat.S_IMODE(found.st_mode), found.st_uid) == ("payload", 0o640, 0)
    assert (old.read_text(), stat.S_IMODE(old.stat().st_mode)) == ("old", 0o604)
    assert old.stat().st_uid == NOBODY
    assert [each.name for each in old.parent.iterdir()] == ["app"]


def test_a_file_that_was_not_there_in_such_a_folder_is_gone_again(home: Path, store: Store) -> None:
    module = store("single-file", one_file(home / "conf" / "inner"))

    module.call("ArtifactInstall")
    assert (home / "conf" / "inner" / "app").read_text() == "new"
    assert (home / "conf" / "inner").stat().st_uid == NOBODY
    module.call("ArtifactRollback")

    assert not (home / "conf" / "inner" / "app").exists()


@pytest.mark.parametrize("is_roots", [False, True])
def test_setuid_of_another_users_file_does_not_become_roots(
    is_roots: bool, home: Path, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "roots" if is_roots else home / "conf"
    folder.mkdir(exist_ok=True)
    old = folder / "app"
    old.write_text("old")
    os.chown(old, NOBODY, NOBODY)
    old.chmod(0o6755)
    payload = one_file(folder)
    del payload["permissions"]

    store("single-file", payload).call("ArtifactInstall")

    assert (stat.S_IMODE(old.stat().st_mode), old.stat().st_uid) == (0o755, 0)


def test_a_link_in_such_a_folder_comes_back_as_a_link(
    home: Path, protected: Path, store: Store
) -> None:
    link = home / "conf" / "app"
    link.symlink_to(protected / "secret")
    module = store("single-file", one_file(home / "conf"))

    module.call("ArtifactInstall")
    installed = link.is_symlink()
    module.call("ArtifactRollback")

    assert not installed
    assert link.readlink() == protected / "secret"


@pytest.mark.parametrize("kind", ["link", "folder of root's", "dots"])
def test_what_leads_elsewhere_is_refused(
    kind: str, home: Path, protected: Path, store: Store
) -> None:
    conf = home / "conf"
    if kind == "link":
        conf.rmdir()
        conf.symlink_to(protected)
    elif kind == "folder of root's":
        os.chown(conf, 0, 0)
    else:
        conf = conf / ".." / ".." / "protected"

    with pytest.raises(AgentError, match="exit code 1"):
        store("single-file", one_file(conf)).call("ArtifactInstall")

    if kind == "folder of root's":
        assert list(conf.iterdir()) == []


def test_a_folder_is_not_replaced_where_another_user_may_write(home: Path, store: Store) -> None:
    (home / "conf" / "old").touch()
    payload = {"dest_dir": f"{home}/conf\n".encode(), "update.tar": packed(a=b"1")}

    with pytest.raises(AgentError, match="exit code 1"):
        store("directory", payload).call("ArtifactInstall")

    assert [each.name for each in home.iterdir()] == ["conf"]
    assert [each.name for each in (home / "conf").iterdir()] == ["old"]


def test_a_folder_of_another_user_in_one_of_roots_is_replaced(
    tmp_path: Path, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "opt" / "app"
    (folder / "inner").mkdir(parents=True)
    for each in (folder, folder / "inner"):
        os.chown(each, NOBODY, NOBODY)
    payload = {"dest_dir": f"{folder}\n".encode(), "update.tar": packed(a=b"1")}
    module = store("directory", payload)

    module.call("ArtifactInstall")
    module.call("Cleanup")

    assert [each.name for each in folder.parent.iterdir()] == ["app"]
    assert (folder / "a").read_bytes() == b"1"


@pytest.mark.parametrize("kind", ["single-file", "directory"])
def test_a_folder_that_is_made_where_anybody_may_make_one_leads_nowhere(
    kind: str, protected: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, fast = tmp_path / "shared", tmp_path / "fast"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / ".link").symlink_to(protected)
    (shared / ".folder").mkdir()
    for each in (shared / ".link", shared / ".folder"):
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
    fast.mkdir()
    # Nobody is as fast as can be: they make the folder first, and then put a link in its place.
    steps = {"mkdir": "mv .folder new", "cp": "rmdir new && mv .link new"}
    for name, step in steps.items():
        first = f"#!/bin/sh\n(cd {shared} && {step}) 2>/dev/null\n"
        (fast / name).write_text(f'{first}PATH=${{PATH#*:}} exec ${{0##*/}} "$@"\n')
        (fast / name).chmod(0o755)
    (fast / "tar").symlink_to("cp")
    monkeypatch.setenv("PATH", f"{fast}:{os.environ['PATH']}")
    files = {"dest_dir": f"{shared}/new/app\n".encode(), "update.tar": packed(a=b"1")}
    payload = one_file(shared / "new") if kind == "single-file" else files

    with suppress(AgentError):
        store(kind, payload).call("ArtifactInstall")


def test_a_link_that_comes_back_is_still_the_other_users(home: Path, store: Store) -> None:
    link = home / "conf" / "app"
    link.symlink_to("/nowhere")
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    module = store("single-file", one_file(home / "conf"))

    module.call("ArtifactInstall")
    module.call("ArtifactRollback")

    assert link.lstat().st_uid == NOBODY
