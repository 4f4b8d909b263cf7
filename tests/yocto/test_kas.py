# SPDX-License-Identifier: Apache-2.0
"""The kas files, resolved by kas itself, against empty repositories in place of the real ones."""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_board.load import all_boards, load_board
from tests.conftest import requires_program
from tests.house.tree import ROOT

KAS = Path(sys.executable).with_name("kas")
BOARDS = {
    path.name: board.yocto.machine
    for path in all_boards([ROOT / "boards"])
    if (board := load_board(path)).yocto
}
RELEASES = ("scarthgap", "wrynose")
REPOSITORIES = (
    "bitbake",
    "meta-openembedded",
    "meta-raspberrypi",
    "meta-yocto",
    "openembedded-core",
)
FILES = (ROOT / "kas.yml", *ROOT.glob("boards/*/kas.yml"), *ROOT.glob("meta-ota/kas/*.yml"))
LAYERS = ("meta", "meta-oe", "meta-python", "meta-yocto-bsp")

pytestmark = [
    requires_program("git", package="git"),
    pytest.mark.boot,
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the kas files, whose lock files have the commits of the empty repositories."""
    place = tmp_path_factory.mktemp("kas")
    root = place / "kit"
    for path in FILES:
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    commits = {name: {"commit": _repository(place / name)} for name in REPOSITORIES}
    for release in RELEASES:
        lock = {"header": {"version": 14}, "overrides": {"repos": commits}}
        (root / f"meta-ota/kas/{release}.lock.yml").write_text(yaml.safe_dump(lock))
    run(("git", "init", "--quiet", root), timeout=30)
    return root


def _repository(path: Path) -> str:
    """A repository with a layer of each name and the branches of both releases; its commit."""
    for layer in LAYERS:
        (path / layer / "conf").mkdir(parents=True)
        (path / layer / "conf" / "layer.conf").touch()
    (path / "oe-init-build-env").touch()
    git = ("git", "-C", path, "-c", "user.name=ota", "-c", "user.email=ota@otakit.example")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "stand-in")):
        run((*git, *words), timeout=30)
    for branch in (*RELEASES, "2.8", "2.18"):
        run((*git, "branch", branch), timeout=30)
    return run((*git, "rev-parse", "HEAD"), timeout=30).decode().strip()


def repositories(file: Path) -> set[str]:
    """The repositories that a kas file takes from elsewhere."""
    found = (yaml.safe_load(file.read_text("utf-8")) or {}).get("repos", {})
    return {name for name, each in found.items() if "url" in each}


def dump(tree: Path, *files: str) -> dict[str, Any]:
    """The configuration that kas makes from kas.yml and other files."""
    found: dict[str, Any] = json.loads(kas(tree, ("dump", "--format", "json"), "kas.yml", *files))
    return found


def kas(tree: Path, words: Sequence[str], *files: str) -> bytes:
    """Run kas with the empty repositories; gives what it prints."""
    used = {
        name for file in ("meta-ota/kas/base.yml", *files) for name in repositories(tree / file)
    }
    own = {name: {"url": f"file://{tree.parent / name}"} for name in used}
    (tree / "stand-ins.yml").write_text(yaml.safe_dump({"header": {"version": 14}, "repos": own}))
    work = tree.parent / "work"
    work.mkdir(exist_ok=True)
    names = ":".join(str(tree / name) for name in (*files, "stand-ins.yml"))
    return run((KAS, *words, names), timeout=60, environment={"KAS_WORK_DIR": str(work)})


@pytest.mark.parametrize(
    ("board", "release"),
    [
        pytest.param(board, release, marks=[pytest.mark.full] if release == "wrynose" else [])
        for board in BOARDS
        for release in RELEASES
    ],
)
def test_every_board_resolves_on_both_releases(tree: Path, board: str, release: str) -> None:
    found = dump(tree, f"boards/{board}/kas.yml", f"meta-ota/kas/{release}.yml")

    assert found["machine"] == BOARDS[board]
    own = found["local_conf_header"]["ota-board"]
    assert own.strip() == f"require conf/machine/include/ota-{board}.inc"
    assert found["defaults"]["repos"]["branch"] == release
    assert "meta-ota" in found["repos"]["ota-kit"]["layers"]


def test_without_overlays_it_is_the_image_of_qemu(tree: Path) -> None:
    found = dump(tree)

    assert (found["machine"], found["target"]) == ("qemuarm64", "ota-image-minimal")


def test_what_can_be_chosen_goes_together(tree: Path) -> None:
    names = ("demo", "dbus", "read-only", "signed", "sysv")
    found = dump(tree, *(f"meta-ota/kas/{name}.yml" for name in names))

    assert found["target"] == "ota-image-demo"
    settings = "".join(found["local_conf_header"].values())
    assert 'INIT_MANAGER = "sysvinit"' in settings
    assert 'INIT_MANAGER = "systemd"' not in settings
    assert '" read-only-rootfs"' in settings
    assert "BB_SIGNATURE_LOCAL_DIRS_EXCLUDE" in settings
    assert set(found["env"]) == {"OTA_SIGNING_KEY", "OTA_VERIFY_KEYS"}
    assert "meta-python" in found["repos"]["meta-openembedded"]["layers"]


@pytest.mark.parametrize("release", RELEASES)
def test_kas_takes_the_commits_of_the_releases_lock_file(tree: Path, release: str) -> None:
    lock = tree / f"meta-ota/kas/{release}.lock.yml"
    whole = lock.read_text()
    other = yaml.safe_load(whole)
    other["overrides"]["repos"]["bitbake"]["commit"] = "0" * 40
    lock.write_text(yaml.safe_dump(other))

    try:
        with pytest.raises(ProgramError, match="0" * 40):
            dump(tree, f"meta-ota/kas/{release}.yml")
    finally:
        lock.write_text(whole)


def test_one_release_is_brought_up_to_date_and_the_other_stays(tree: Path) -> None:
    folder = tree / "meta-ota/kas"
    before = {path.name: path.read_text() for path in folder.glob("*.lock.yml")}
    git = ("git", "-C", tree.parent / "bitbake")
    words = ("commit", "--quiet", "--allow-empty", "-m", "newer")
    run((*git, "checkout", "--quiet", "2.8"), timeout=30)
    run((*git, "-c", "user.name=ota", "-c", "user.email=ota@otakit.example", *words), timeout=30)
    newest = run((*git, "rev-parse", "HEAD"), timeout=30).decode().strip()

    kas(tree, ("lock", "--update"), "meta-ota/kas/base.yml", "meta-ota/kas/scarthgap.yml")

    pins = yaml.safe_load((folder / "scarthgap.lock.yml").read_text())["overrides"]["repos"]
    assert pins["bitbake"]["commit"] == newest
    assert (folder / "wrynose.lock.yml").read_text() == before["wrynose.lock.yml"]
    assert {path.name for path in folder.glob("*.lock.yml")} == set(before)
    (folder / "scarthgap.lock.yml").write_text(before["scarthgap.lock.yml"])


def test_every_repository_is_pinned_on_both_releases() -> None:
    named = {name for path in FILES for name in repositories(path)}

    for release in RELEASES:
        file = yaml.safe_load((ROOT / f"meta-ota/kas/{release}.lock.yml").read_text("utf-8"))
        pins = {name: each["commit"] for name, each in file["overrides"]["repos"].items()}
        assert set(pins) == named
        assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in pins.values())
