# SPDX-License-Identifier: Apache-2.0
"""The kas files, resolved by kas itself, against empty repositories in place of the real ones."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

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
LAYERS = ("meta", "meta-oe", "meta-python", "meta-yocto-bsp")

pytestmark = [
    requires_program("git", package="git"),
    pytest.mark.boot,
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the kas files, and an overlay that puts the stand-ins in."""
    place = tmp_path_factory.mktemp("kas")
    root = place / "kit"
    for path in (ROOT / "kas.yml", *ROOT.glob("boards/*/kas.yml"), *ROOT.glob("meta-ota/kas/*")):
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    overlay: dict[str, Any] = {}
    for name in REPOSITORIES:
        commit = _repository(place / name)
        overlay[name] = {"url": f"file://{place / name}", "commit": commit}
    (place / "stand-ins.json").write_text(json.dumps(overlay))
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


def dumped(tree: Path, *files: str) -> dict[str, Any]:
    """What kas makes of the files, the commits of the stand-ins in place of the pinned ones."""
    stand_ins = json.loads((tree.parent / "stand-ins.json").read_text())
    base = yaml.safe_load((tree / "kas.yml").read_text())
    used = set(base["repos"])
    for file in files:
        used |= set(yaml.safe_load((tree / file).read_text()).get("repos", {}))
    own = {name: {"url": each["url"]} for name, each in stand_ins.items() if name in used}
    commits = {name: {"commit": stand_ins[name]["commit"]} for name in own}
    overlay = {"header": {"version": 14}, "repos": own, "overrides": {"repos": commits}}
    (tree / "stand-ins.yml").write_text(yaml.safe_dump(overlay))
    work = tree.parent / "work"
    work.mkdir(exist_ok=True)
    names = (str(tree / name) for name in ("kas.yml", *files, "stand-ins.yml"))
    words = (KAS, "dump", "--format", "json", ":".join(names))
    said = run(words, timeout=60, environment={"KAS_WORK_DIR": str(work)})
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.mark.parametrize(
    ("board", "release"),
    [
        pytest.param(board, release, marks=[pytest.mark.full] if release == "wrynose" else [])
        for board in BOARDS
        for release in RELEASES
    ],
)
def test_every_board_resolves_on_both_releases(tree: Path, board: str, release: str) -> None:
    found = dumped(tree, f"boards/{board}/kas.yml", f"meta-ota/kas/{release}.yml")

    assert found["machine"] == BOARDS[board]
    own = found["local_conf_header"]["ota-board"]
    assert own.strip() == f"require conf/machine/include/ota-{board}.inc"
    assert found["defaults"]["repos"]["branch"] == release
    assert "meta-ota" in found["repos"]["ota-kit"]["layers"]


def test_without_overlays_it_is_the_image_of_qemu(tree: Path) -> None:
    found = dumped(tree)

    assert (found["machine"], found["target"]) == ("qemuarm64", "ota-image-minimal")


def test_what_can_be_chosen_goes_together(tree: Path) -> None:
    found = dumped(tree, *(f"meta-ota/kas/{name}.yml" for name in ("demo", "dbus", "signed")))

    assert found["target"] == "ota-image-demo"
    assert set(found["env"]) == {"OTA_SIGNING_KEY", "OTA_VERIFY_KEYS"}
    assert "meta-python" in found["repos"]["meta-openembedded"]["layers"]


def test_every_repository_is_pinned_on_both_releases() -> None:
    named: set[str] = set()
    for path in (ROOT / "kas.yml", *ROOT.glob("boards/*/kas.yml"), *ROOT.glob("meta-ota/kas/*")):
        repositories = (yaml.safe_load(path.read_text("utf-8")) or {}).get("repos", {})
        named |= {name for name, each in repositories.items() if "url" in each}

    for release in RELEASES:
        file = yaml.safe_load((ROOT / f"meta-ota/kas/{release}.yml").read_text("utf-8"))
        pins = {name: each["commit"] for name, each in file["overrides"]["repos"].items()}
        assert set(pins) == named
        assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in pins.values())
