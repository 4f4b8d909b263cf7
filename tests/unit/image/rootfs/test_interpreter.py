# SPDX-License-Identifier: Apache-2.0
"""What a wheel needs is decided for the Python of the image, and not for ours."""

import sys
from pathlib import Path

import pytest

from ota_image.errors import ImageError
from ota_image.rootfs.interpreter import (
    check_wheel,
    distributions,
    marker_environment,
    python_version,
)
from ota_image.rootfs.tree import Tree
from ota_image.rootfs.wheel import read_wheel
from tests.unit.image.rootfs.wheels import wheel, write_wheel

MODULES = "/usr/lib/python3/dist-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A root filesystem with Python 3.11, urllib3, and names in several spellings."""
    (tmp_path / "contents").mkdir()
    tree = Tree(tmp_path / "contents")
    tree.add_file("/usr/bin/python3.11", "ELF", 0o755)
    tree.add_link("/usr/bin/python3", "python3.11")
    tree.add_folder(f"{MODULES}/urllib3-1.26.12.egg-info")
    tree.add_folder(f"{MODULES}/zope.interface-5.4.0-py3.11.egg-info")
    tree.add_file(f"{MODULES}/ruamel_yaml-0.17.dist-info/METADATA", "Name: ruamel.yaml\n")
    tree.add_file(f"{MODULES}/strange-2022q4.dist-info/METADATA", "")
    tree.add_folder(f"{MODULES}/six")
    return tree


def test_distributions_are_found_by_what_installers_leave(tree: Tree) -> None:
    assert distributions(tree, MODULES) == {
        "urllib3": "1.26.12",
        "zope-interface": "5.4.0",
        "ruamel-yaml": "0.17",
        "strange": "2022q4",
    }


@pytest.mark.parametrize(
    "need",
    [
        'tomli; python_version < "3.11"',
        "tomli>=1; python_full_version<='3.11.0a6'",
        'x ; extra=="dbus"',
        'x; "dbus" == extra',
        'x; extra == "dbus" or extra == "host"',
        'x; sys_platform == "win32"',
        'x; platform_machine == "x86_64"',
        'x; implementation_name != "cpython"',
        "Zope_Interface>=5",
        "ruamel.yaml[jinja2]~=0.17",
        'urllib3<3,>=1.26.12; python_version >= "3.11"',
        "urllib3",
        "strange>=3000",
    ],
)
def test_a_requirement_that_is_met_or_not_needed_is_not_reported(
    tree: Tree, tmp_path: Path, need: str
) -> None:
    check_wheel(wheel(tmp_path, "ota_agent", need), tree, MODULES, "arm64")


@pytest.mark.parametrize(
    ("need", "finding"),
    [
        ("six", "needs six; add python3-six to the recipe's packages"),
        ('Typing_Extensions; python_version < "3.12"', "needs typing-extensions; add"),
        ('x; platform_machine == "aarch64"', "needs x; add python3-x"),
        ('x; extra == ""', "needs x; add python3-x"),
        ("urllib3>=2", r"needs urllib3>=2, and the image has 1\.26\.12; choose another release"),
        ("urllib3==1.26.5", r"needs urllib3==1\.26\.5, and the image has 1\.26\.12"),
    ],
)
def test_packages_that_a_wheel_needs_must_be_in_the_image(
    tree: Tree, tmp_path: Path, need: str, finding: str
) -> None:
    with pytest.raises(ImageError, match=f"ota-agent: {finding}"):
        check_wheel(wheel(tmp_path, "ota_agent", need), tree, MODULES, "arm64")


@pytest.mark.parametrize("python", [">=3.12", "<3.11", "==3.10.*"])
def test_a_wheel_of_another_python_is_refused(tree: Tree, tmp_path: Path, python: str) -> None:
    found = read_wheel(write_wheel(tmp_path, "ota_agent", f"Requires-Python: {python}"))

    with pytest.raises(
        ImageError, match=r"is for Python .*, and the image has 3\.11; give another"
    ):
        check_wheel(found, tree, MODULES, "arm64")


@pytest.mark.parametrize("tag", ["py2-none-any", "py312-none-any", "cp312-none-any"])
def test_a_wheel_of_another_interpreter_is_refused(tree: Tree, tmp_path: Path, tag: str) -> None:
    found = read_wheel(write_wheel(tmp_path, tag=tag))

    with pytest.raises(ImageError, match=f"is for Python {tag}, and the image has 3.11"):
        check_wheel(found, tree, MODULES, "arm64")


@pytest.mark.parametrize("tag", ["py2.py3-none-any", "py310-none-any", "cp311-none-any"])
def test_a_wheel_of_this_interpreter_is_taken(tree: Tree, tmp_path: Path, tag: str) -> None:
    check_wheel(read_wheel(write_wheel(tmp_path, tag=tag)), tree, MODULES, "arm64")


def test_nothing_of_this_machine_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    from packaging.markers import default_environment

    monkeypatch.setattr(sys, "platform", "win32")

    found = marker_environment((3, 11), "armhf")

    assert found.keys() == {*default_environment(), "extra"}
    assert (found["platform_machine"], found["sys_platform"]) == ("armv7l", "linux")


def test_a_python_that_does_not_say_its_version_is_refused(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.add_file("/usr/bin/python3", "ELF", 0o755)

    with pytest.raises(ImageError, match=r"/usr/bin/python3: its version is unknown"):
        python_version(tree)
