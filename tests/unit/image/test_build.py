# SPDX-License-Identifier: Apache-2.0
"""What a build makes of tiny packages, two builds at a time, and which image is the newest."""

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from ota_artifact.run import run
from ota_board.load import load_board
from ota_image.build import build, newest_image
from ota_image.cli.main import main
from ota_image.errors import ImageError
from ota_image.packages.recipe import load_recipe
from ota_image.rootfs.settings import Settings
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.simulators.holding import another_holds
from tests.unit.image.disk.small import tree
from tests.unit.image.tiny import VERSION, Tiny, make_tiny

BOARD = load_board(ROOT / "boards" / "qemu-arm64")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """Packages for a build, in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = make_tiny(tmp_path)
    made.fill(tmp_path / "cache")
    return made


def made(folder: Path, name: str, time: int) -> Path:
    path = folder / name
    path.touch()
    os.utime(path, (time, time))
    return path


def test_the_newest_image_is_the_one_made_last_whatever_its_release(tmp_path: Path) -> None:
    made(tmp_path, "minimal-qemu-arm64-9.sdimg", 100)
    newest = made(tmp_path, "debian-qemu-arm64-1.sdimg", 200)
    made(tmp_path, "minimal-qemu-arm64-9.sdimg.bmap", 300)
    made(tmp_path, "minimal-qemu-arm-9.sdimg", 400)

    assert newest_image(BOARD, tmp_path) == newest


@pytest.mark.parametrize("name", ["missing", "."])
def test_without_an_image_the_error_says_how_to_make_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="make one: ota-image build qemu-arm64"):
        newest_image(BOARD, tmp_path / name)


@pytest.mark.boot
@requires_program("depmod", package="kmod")
@requires_program("debugfs", package="e2fsprogs")
def test_the_list_of_software_has_what_is_in_the_image_and_nothing_else(
    tiny: Tiny, tmp_path: Path
) -> None:
    assert main(["build", "qemu-x86-64", *tiny.options(), "--output", str(tmp_path / "made")]) == 0

    [file] = (tmp_path / "made").glob("*.spdx.json")
    names = [each["name"] for each in json.loads(file.read_text())["packages"]]
    # Neither the package whose only file is left out, nor the kernel's other one, which has none.
    assert names == ["base-passwd", "busybox-static", f"linux-image-{VERSION}", "python3"]


def test_a_kernel_other_than_the_one_depended_on_is_refused(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tiny.images / "tiny.bookworm.amd64.lock"
    lock.write_text(lock.read_text().replace(f"linux-image-{VERSION} ", "linux-image-6.0 "))

    code = main(["build", "qemu-x86-64", *tiny.options(), "--output", str(tmp_path / "made")])

    assert code == 2
    said = capsys.readouterr().err
    assert f"depends on linux-image-{VERSION} (= 1), initramfs-tools | dracut, and" in said
    assert "the kernel is linux-image-6.0 1; run --update-lock" in said


def test_a_build_writes_the_lock_if_asked(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--update-lock", "--mirror", f"file:{tmp_path / 'none'} bookworm"]

    code = main(["build", "qemu-x86-64", *tiny.options(), *options])

    assert code == 3  # before anything else, the archive is asked
    assert "fetching the list of Debian packages for amd64" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["build", "rootfs"])
@requires_program("debugfs", package="e2fsprogs")
def test_an_image_of_another_suite_is_not_replaced_by_one_of_the_same_name(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"etc/os-release": b"VERSION_CODENAME=trixie\n"}
    end = {"build": "sdimg", "rootfs": "ext4"}[command]
    image = tmp_path / "build" / "qemu-arm64" / f"minimal-qemu-arm64-1.{end}"
    image.parent.mkdir(parents=True)
    rootfs = tree(tmp_path / "rootfs", files)
    run(("mke2fs", "-q", "-t", "ext4", "-d", rootfs, image, "4M"), timeout=60)

    code = main([command, "qemu-arm64", "--release", "1", "--suite", "bookworm"])

    assert code == 2
    said = capsys.readouterr().err
    assert f"{image.relative_to(tmp_path)}: is of trixie, and would be replaced by one of" in said
    assert "choose another --release or --output" in said


def test_mirrors_without_security_updates_are_a_warning(
    tiny: Tiny,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tiny.images / "tiny.bookworm.amd64.lock").write_text("wrong\n")

    code = main(["rootfs", "qemu-x86-64", *tiny.options(), "--mirror", "file:/none bookworm"])

    assert code == 2
    assert "add 'URL bookworm-security'" in capsys.readouterr().err


def test_a_second_build_into_a_folder_waits_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> NoReturn:
        raise ImageError("far enough")

    monkeypatch.setattr("ota_image.build.make_slot", stop)
    monkeypatch.setattr("ota_image.build.u_boot_of", lambda *_, **__: None)
    recipe = load_recipe(ROOT / "images" / "minimal.yaml")
    said: list[str] = []
    with another_holds(tmp_path) as process:

        def hear(text: str) -> None:
            said.append(text)
            assert process.stdin
            process.stdin.close()

        with pytest.raises(ImageError, match="far enough"):
            build(BOARD, ROOT / "boards" / "qemu-arm64", recipe, Settings(), tmp_path, say=hear)

    assert [each for each in said if each.startswith(f"{tmp_path}: waiting for ")]
