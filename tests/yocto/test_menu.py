# SPDX-License-Identifier: Apache-2.0
"""The result of `kas menu` for choices in Kconfig, with kas's own code and no screen."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ota_artifact.run import run
from ota_board.load import all_boards, load_board
from tests.house.tree import ROOT

DEBIAN = Path("/usr/lib/python3/dist-packages")
"""The folder of Debian's python3 with kconfiglib and newt, which kas needs."""

MISSING = [
    package
    for file, package in (("kconfiglib.py", "python3-kconfiglib"), ("snack.py", "python3-newt"))
    if not (DEBIAN / file).exists()
]

# Loads choices as kas does from an earlier menu, and saves the result.
MENU = """
import json, sys
sys.path.append(sys.argv[1])
from kas.plugins.menu import Kconfig, Menu
menu, file = Menu(), sys.argv[3]
menu.kconf = Kconfig(sys.argv[2], warn_to_stderr=False)
menu.load_config(file)
menu.save_config(file, sys.argv[4])
json.dump(menu.kconf.warnings, sys.stdout)
"""

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(bool(MISSING), reason=f"apt-get install {' '.join(MISSING)}"),
]


def chosen(folder: Path, **choices: bool | str) -> dict[str, Any]:
    """The file from which kas builds after these choices, with defaults for the rest."""
    file = folder / ".config.yaml"
    header = {"version": 14}
    file.write_text(yaml.safe_dump({"header": header, "menu_configuration": choices}))

    said = run(
        (sys.executable, "-c", MENU, DEBIAN, ROOT / "Kconfig", file, ROOT),
        timeout=60,
    )
    assert json.loads(said) == []
    saved: dict[str, Any] = yaml.safe_load(file.read_text())
    assert set(choices) <= set(saved["menu_configuration"]), "the menu does not know a choice"
    return saved


def includes(saved: dict[str, Any]) -> list[str]:
    """The kas files that were chosen."""
    found: list[str] = saved["header"]["includes"]
    return found


def test_without_a_choice_the_menu_builds_what_kas_yml_builds(tmp_path: Path) -> None:
    files = includes(chosen(tmp_path))

    own = yaml.safe_load((ROOT / "kas.yml").read_text())["header"]["includes"]
    assert [file for file in files if not file.startswith("boards/")] == own
    assert "boards/qemu-arm64/kas.yml" in files


def test_every_choice_at_once_is_files_that_are_there(tmp_path: Path) -> None:
    saved = chosen(
        tmp_path,
        BOARD_BEAGLEBONE_BLACK=True,
        RELEASE_SCARTHGAP=True,
        IMAGE_DEMO=True,
        INIT_SYSV=True,
        READ_ONLY=True,
        DBUS=True,
        SIGNED=True,
        OTA_SIGNING_KEY="private.pem",
        OTA_VERIFY_KEYS="public.pem",
        HAS_SERVER=True,
        OTA_SERVER_URLS="https://updates.example.com",
    )

    assert all((ROOT / file).is_file() for file in includes(saved))
    own = {path.name for path in (ROOT / "meta-ota/kas").glob("*.yml") if ".lock" not in path.name}
    unused = own - {Path(file).name for file in includes(saved)}
    assert unused == {"wrynose.yml", "signed.yml"}  # the menu asks for the keys itself
    (settings,) = saved["local_conf_header"].values()
    assert sorted(settings.splitlines()) == [
        'OTA_SERVER_URLS = "https://updates.example.com"',
        'OTA_SIGNING_KEY = "private.pem"',
        'OTA_VERIFY_KEYS = "public.pem"',
    ]


@pytest.mark.parametrize(
    "board", [path.name for path in all_boards([ROOT / "boards"]) if load_board(path).yocto]
)
def test_every_board_of_yocto_can_be_chosen(tmp_path: Path, board: str) -> None:
    choice = f"BOARD_{board.upper().replace('-', '_')}"

    assert f"boards/{board}/kas.yml" in includes(chosen(tmp_path, **{choice: True}))


def test_nothing_is_set_that_was_not_asked_for(tmp_path: Path) -> None:
    assert "local_conf_header" not in chosen(tmp_path)
