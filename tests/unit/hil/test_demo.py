# SPDX-License-Identifier: Apache-2.0
"""What the demo says before it does anything."""

import io
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from ota_hil.cli.main import main
from ota_hil.console import Console
from ota_hil.demo.play import Play, Stage
from ota_hil.demo.releases import build_releases
from ota_hil.errors import HilError
from ota_hil.link import Ssh
from ota_hil.qemu import Qemu
from tests.simulators.holding import another_holds


def test_a_second_demo_in_a_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with another_holds(tmp_path):
        code = main(["demo", "--output", str(tmp_path)])

    assert code == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"ota-hil: {tmp_path}: ")
    assert "is using it; wait until it has ended, or take another folder with --output" in err
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_that_lacks_a_character_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding="latin-1"))

    Play().quote("é … end")

    assert terminal.getvalue().endswith(b"\xe9 ? end\n")


def test_a_warning_of_three_builds_is_shown_once_and_an_error_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "ota-image"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\necho 'warning: old lock' >&2; echo step >&2\n"
        'case "$*" in *release-3*) printf "ota-image: no space" >&2; exit 3;; esac\n'
        'echo \'{"image": "a", "artifact": "b"}\'\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake.with_name("python")))
    shown: list[str] = []

    with pytest.raises(HilError) as caught:
        build_releases(tmp_path, shown.append)

    assert shown == ["warning: old lock", "step", "step", "step", "ota-image: no space"]
    assert str(caught.value) == "ota-image build qemu-arm64 failed with exit code 3; see above"


def test_suite_and_mirrors_reach_each_command_of_ota_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "ota-image"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\necho "$@" >>"{tmp_path}/said"\n'
        '[ "$1" = build ] || exit 3\necho \'{"image": "a", "artifact": "b"}\'\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake.with_name("python")))
    words = ["--suite", "trixie", "--mirror", "http://a.example", "--mirror", "http://b.example"]

    code = main(["demo", "--output", str(tmp_path / "demo"), *words])

    lines = (tmp_path / "said").read_text().splitlines()
    assert code != 0
    assert [line.split()[0] for line in lines] == ["build", "build", "build", "u-boot"]
    assert all(" ".join(words) in line for line in lines)


def test_images_of_an_earlier_demo_are_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "ota-image"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake.with_name("python")))
    folder = tmp_path / "demo" / "release-1"
    folder.mkdir(parents=True)
    for name in ("minimal-qemu-arm64-1.sdimg", "minimal-qemu-x86-64-1.sdimg", "mine"):
        (folder / name).touch()

    with pytest.raises(HilError):
        build_releases(tmp_path / "demo", print)

    left = {path.name for path in folder.iterdir()}
    assert left == {"minimal-qemu-x86-64-1.sdimg", "mine"}


def test_a_line_of_the_console_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    machine = SimpleNamespace(console=Console(reading))
    stage = Stage(cast(Qemu, machine), Ssh(host="", port=0, key=Path()), Play())

    def say() -> None:
        for text in ("[1] Kernel panic", " - not syncing\n", "next\n"):
            os.write(writing, text.encode())
            time.sleep(0.05)

    thread = threading.Thread(target=say)
    thread.start()
    stage.hear("Kernel panic", timeout=5)
    thread.join()
    os.close(writing)
    machine.console.close()
    os.close(reading)

    assert capsys.readouterr().out.endswith("console: [1] Kernel panic - not syncing\n")
