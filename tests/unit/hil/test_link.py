# SPDX-License-Identifier: Apache-2.0
"""The way to a board, with the real ssh."""

from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_hil.link import Ssh
from tests.conftest import requires_program

pytestmark = requires_program("ssh", package="openssh-client")


@pytest.mark.parametrize("folder", ["a%b", "${nothing}", "a b'\"c", "é,;"])
def test_ssh_takes_the_folder_of_a_key_as_it_is(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / folder / "ssh-key"
    key.parent.mkdir()
    key.write_text("")
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n{real_ssh()} -G "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")

    said = Ssh(host="127.0.0.1", port=22, key=key).run("true")

    (found,) = (line for line in said.splitlines() if line.startswith("identityfile "))
    name = found.removeprefix("identityfile ")
    assert "%" not in name
    assert "${" not in name
    assert key.samefile(key.parent / name)


def real_ssh() -> str:
    return run(("sh", "-c", "command -v ssh"), timeout=10).decode().strip()


def test_a_board_that_cannot_be_reached_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ssh-key").write_text("")

    with pytest.raises(ProgramError, match="exit code 255"):
        Ssh(host="127.0.0.1", port=1, key=tmp_path / "ssh-key").run("true")
