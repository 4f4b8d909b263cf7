# SPDX-License-Identifier: Apache-2.0
"""Each command reports wrong input in one line with exit code 2, and leaves nothing behind."""

from pathlib import Path

import pytest

from ota_image.cli.main import main
from tests.house.tree import ROOT

BOARDS = ("--boards", str(ROOT / "boards"))
COMPOSE = ("compose", "qemu-arm64", *BOARDS, "--output", "new.sdimg", "--rootfs")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with next to nothing in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no image\n" * 200)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("build", "nope", *BOARDS), "nope: no such board in"),
        (("build", "qemu-arm64", *BOARDS, "--image", "nope"), "nope"),
        (("build", "qemu-arm64", *BOARDS, "--release", "a b"), "must not have spaces"),
        (("build", "qemu-arm64", *BOARDS, "--server", "http://x"), "must be an address with https"),
        (("rootfs", "nope", *BOARDS), "nope: no such board in"),
        (("u-boot", "nope", *BOARDS), "nope: no such board in"),
        (("u-boot", "qemu-arm64", *BOARDS, "--u-boot", "folder"), "is not a source tree of U-Boot"),
        (("u-boot", "qemu-x86-64", *BOARDS, "--u-boot", "folder"), "not with U-Boot"),
        (("run", "nope", *BOARDS), "nope: no such board in"),
        (("run", "qemu-arm64", *BOARDS), "has no image of qemu-arm64; make one: ota-image build"),
        (("run", "qemu-arm64", *BOARDS, "--disk", "missing"), "missing: no such image"),
        ((*COMPOSE, "missing"), "missing: no such file"),
        ((*COMPOSE, "text"), "text: is neither ext4, nor a tar, nor a folder"),
        ((*COMPOSE, "folder", "--boot", "missing"), "missing: no such folder"),
        ((*COMPOSE, "folder", "--data", "missing"), "missing: no such file or folder"),
        ((*COMPOSE, "folder", "--u-boot", "MLO"), "qemu-arm64 has no firmware called MLO"),
        (
            ("compose", "beaglebone-black", *BOARDS, "--rootfs", "folder", "--output", "new.sdimg"),
            "does not boot without u-boot/MLO; give it with --u-boot",
        ),
        (("inspect", "missing"), "missing: no such file"),
        (("inspect", "folder"), "folder: is a folder; name a disk image"),
        (("inspect", "text"), "text: "),
        (("doctor", "missing"), "missing: no such file"),
        (("doctor", "text", "--board", "nope", *BOARDS), "nope: no such board in"),
        (("env", "get", "missing"), "missing: no such file"),
        (("env", "set", "missing", "a=b"), "missing: no such file"),
        (("flash", "missing", "/dev/null"), "missing: no such file"),
        (("flash", "text", "/dev/null"), "text: "),
    ],
)
def test_wrong_input_is_one_line_that_names_it_and_leaves_nothing(
    place: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(place.rglob("*"))

    assert main(words) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("ota-image: ")
    assert err.count("\n") == 1
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    "words",
    [
        ("build", "qemu-arm64", *BOARDS, "--ssh-key", "missing.pub"),
        (*COMPOSE[:4], "--output", "no/new.sdimg", "--rootfs", "folder"),
    ],
)
def test_a_file_that_cannot_be_read_or_written_is_named(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) in (2, 3)

    err = capsys.readouterr().err
    assert "missing.pub" in err or "no: no such folder" in err


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("TMPDIR", "missing", 3, "TMPDIR=missing: is not a folder that can be written; make it"),
        ("TMPDIR", "text", 3, "TMPDIR=text: is not a folder that can be written; make it"),
        ("SOURCE_DATE_EPOCH", "yesterday", 2, "SOURCE_DATE_EPOCH='yesterday': not seconds"),
    ],
)
def test_a_setting_that_a_program_would_refuse_later_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv(name, value)

    ended = main(["build", "qemu-arm64", *BOARDS])

    assert ended == code
    assert capsys.readouterr().err.startswith(f"ota-image: {said}")
