# SPDX-License-Identifier: Apache-2.0
"""Each command that may need a Debian archive takes it from --mirror, for U-Boot's source too."""

from pathlib import Path

import pytest

from ota_image.cli.main import main
from ota_image.errors import ImageError
from ota_image.packages import sources
from tests.conftest import requires_program

pytestmark = requires_program("/usr/lib/apt/apt-helper", package="apt")

MIRROR = "file:/none bookworm"


@pytest.fixture(autouse=True)
def _another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose apt knows no archive of the release, and whose cache is empty."""

    def host_archives(release: str) -> None:
        raise ImageError(f"/etc/apt: names no Debian archive of {release}")

    monkeypatch.setattr(sources, "host_archives", host_archives)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("command", ["build", "rootfs", "u-boot", "run"])
def test_the_archive_of_the_option_is_asked(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk").touch()
    words = {"run": ["--disk", str(tmp_path / "disk")]}.get(command, [])

    code = main([command, "qemu-arm64", *words, "--mirror", MIRROR])

    said = capsys.readouterr().err
    assert code == 3
    assert "file:/none" in said
    assert "names no Debian archive" not in said
