# SPDX-License-Identifier: Apache-2.0
"""The agent in a root filesystem: wheels, taken apart as an installer would do it."""

import shutil
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.errors import ImageError
from ota_image.rootfs.agent import PACKAGES, add_agent, check_wheels, own_wheels, tree_wheels
from ota_image.rootfs.tree import Tree
from tests.house.tree import ROOT
from tests.unit.image.rootfs.wheels import wheel


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "contents").mkdir()
    tree = Tree(tmp_path / "contents")
    tree.add_file("/usr/bin/python3.11", "ELF", 0o755)
    tree.add_link("/usr/bin/python3", "python3.11")
    tree.add_folder("/usr/lib/python3/dist-packages/urllib3-1.26.12.egg-info")
    return tree


def test_modules_commands_and_files_are_where_debian_has_them(tree: Tree, tmp_path: Path) -> None:
    add_agent(tree, [wheel(tmp_path, "ota_agent", "urllib3<3,>=1.26", 'x; extra == "y"')], "arm64")

    modules = "/usr/lib/python3/dist-packages"
    command, script = tree.get("/usr/bin/X"), tree.get("/usr/lib/ota/agent")
    assert "from ota_agent.cli import entry" in tree.text("/usr/bin/X")
    assert tree.text("/usr/bin/X").startswith("#!/usr/bin/python3 -I\n")
    assert f"{modules}/ota_agent/cli.py" in tree
    assert f"{modules}/ota_agent-1.2.dist-info/METADATA" in tree
    assert command is not None
    assert script is not None
    assert (command.mode, script.mode) == (0o755, 0o755)


def test_packages_that_a_wheel_needs_must_be_in_the_image(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="ota-agent: needs six; add python3-six to the recipe's"):
        add_agent(tree, [wheel(tmp_path, "ota_agent", "six")], "arm64")


def test_an_image_without_python_says_how_to_do_without_the_agent(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ImageError, match=r"add python3 and python3-urllib3.*--without-agent"):
        add_agent(Tree(tmp_path / "empty"), [wheel(tmp_path)], "arm64")


def test_busyboxs_init_starts_the_agent_once(tree: Tree, tmp_path: Path) -> None:
    tree.add_file("/etc/inittab", "::sysinit:/usr/lib/ota/start\n")

    for _ in range(2):
        add_agent(tree, [wheel(tmp_path)], "arm64")

    assert tree.text("/etc/inittab") == (
        "::sysinit:/usr/lib/ota/start\n::respawn:/usr/lib/ota/agent\n"
    )


def test_systemd_starts_what_its_units_ask_for(tree: Tree, tmp_path: Path) -> None:
    tree.add_file("/usr/lib/systemd/systemd", "ELF", 0o755)
    units = "ota_agent-1.2.data__data__lib__systemd__system__"
    enabled = {f"{units}ota-a.service": "[Install]\nWantedBy=multi-user.target\n"}
    add_agent(
        tree, [wheel(tmp_path, **enabled, **{f"{units}ota-b.service": "[Service]\n"})], "arm64"
    )

    links = {path: entry.target for path, entry in tree if ".wants/" in path}
    assert links == {
        "/etc/systemd/system/multi-user.target.wants/ota-a.service": (
            "/usr/lib/systemd/system/ota-a.service"
        )
    }


def test_an_image_without_the_agent_stays_as_it_is(tree: Tree) -> None:
    before = list(tree)

    add_agent(tree, [], "arm64")

    assert list(tree) == before


def test_a_file_without_a_place_is_refused(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="an image has no folder for files of this kind"):
        add_agent(tree, [wheel(tmp_path, **{"ota_agent-1.2.data__platlib__x.so": "x"})], "arm64")


def test_each_of_the_two_wheels_is_to_be_given_once(tmp_path: Path) -> None:
    agent, artifact = wheel(tmp_path), wheel(tmp_path, "ota_artifact")

    assert check_wheels([agent, artifact]) == (artifact, agent)
    for wrong in ([agent], [agent, agent], [agent, artifact, wheel(tmp_path, "other")]):
        with pytest.raises(ImageError, match="must be given for ota-agent and ota-artifact"):
            check_wheels(wrong)


def test_without_the_tree_the_error_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="give its wheels with --agent-wheel, or leave it out"):
        tree_wheels(tmp_path)


def test_the_wheels_that_came_with_the_tool_are_taken_in_order(tmp_path: Path) -> None:
    agent, artifact = wheel(tmp_path), wheel(tmp_path, "ota_artifact")

    assert own_wheels(tmp_path) == (artifact, agent)


@pytest.mark.boot
def test_the_trees_own_wheels_are_the_same_bytes_wherever_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / "tools" / name, tmp_path / "else" / name, ignore=ignored)
    made = []
    for place in (ROOT / "tools", tmp_path / "else"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / place.parent.name))
        made.append(tree_wheels(place))

    first, second = made
    assert [each.name for each in first] == ["ota-artifact", "ota-agent"]
    assert [each.sha256 for each in first] == [each.sha256 for each in second]
    assert first[0].path != second[0].path


@pytest.mark.boot
def test_the_trees_own_agent_brings_its_units_scripts_and_modules(tree: Tree) -> None:
    tree.add_file("/etc/inittab", "")

    add_agent(tree, tree_wheels(), "arm64")

    for path in (
        "/usr/bin/ota-agent",
        "/usr/bin/ota-artifact",
        "/usr/lib/ota/boot-log",
        "/usr/lib/ota/deadline",
        "/usr/lib/ota/agent",
        "/usr/lib/systemd/system/ota-agent.service",
        "/usr/share/dbus-1/system-services/io.otakit.Agent1.service",
        "/usr/share/ota/init.d/ota-agent",
        "/usr/share/ota/modules/v3/single-file",
        "/usr/share/ota/agent.toml",
    ):
        assert path in tree
    module = tree.get("/usr/share/ota/modules/v3/single-file")
    assert module is not None
    assert module.mode == 0o755


def test_every_script_of_the_agent_is_executable_in_the_tree() -> None:
    for path in (ROOT / "tools" / "agent").glob("[ms]*/**/*"):
        if path.is_file() and path.read_bytes().startswith(b"#!"):
            assert path.stat().st_mode & 0o111 == 0o111, path
            assert run(("sh", "-n", path), timeout=10) == b""
