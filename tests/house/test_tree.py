# SPDX-License-Identifier: Apache-2.0
"""Rules about files: first lines, lengths, versions, packages, and names that must not be there."""

import importlib
import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.house.keywords import positional
from tests.house.mirrors import hosts, mentions, mirrors, neighbours
from tests.house.tree import ROOT, files, place, tools

LICENCE = "# SPDX-License-Identifier: Apache-2.0"
LONGEST = 400  # lines of a module; a longer one needs a second room
_SERVICE = re.compile(r"/etc/init\.d/.|/systemd/system/.*\.(service|socket)$")


def unlicensed(text: str) -> bool:
    lines = text.splitlines()[:2]
    return LICENCE not in (lines[1:] if lines and lines[0].startswith("#!") else lines[:1])


def packages_without_why(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [line for line in lines if not re.fullmatch(r"[a-z0-9.+-]+ +# \S.*", line)]


def changelog_version(text: str) -> str:
    """The newest released version."""
    found = re.search(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    assert found, "CHANGELOG.md: no line such as '## [0.1.0] - 2026-11-23'"
    return found[1]


def locked_versions(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, re.MULTILINE))


def not_locked(requirements: Iterable[str], locked: Mapping[str, str]) -> list[str]:
    """The requirements that no locked version meets."""
    missing = []
    for requirement in map(Requirement, requirements):
        version = locked.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version):
            missing.append(str(requirement))
    return missing


def test_every_module_starts_with_its_licence() -> None:
    assert [place(path) for path in files("*.py") if unlicensed(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("text", ["", "import os\n", '"""Text."""\n' + LICENCE, "#!/bin/sh\n"])
def test_a_module_without_a_licence_is_found(text: str) -> None:
    assert unlicensed(text)
    assert not unlicensed(f"#!/usr/bin/env python3\n{LICENCE}\n")


def test_no_module_is_too_long() -> None:
    lengths = {place(path): len(path.read_text("utf-8").splitlines()) for path in files("*.py")}

    assert len(lengths) > 10
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_a_dataclass_of_many_fields_takes_them_by_name() -> None:
    findings = [
        finding
        for path in files("*.py")
        for finding in positional(place(path), path.read_text("utf-8"))
    ]

    assert findings == []


@pytest.mark.parametrize("decorator", ["@dataclass", "@dataclass(frozen=True, slots=True)"])
def test_a_dataclass_that_takes_many_fields_by_position_is_found(decorator: str) -> None:
    source = f"{decorator}\nclass A:\n    a: int\n    b: int\n    c: int\n    d: int = 0\n"

    assert list(positional("a.py", source)) == ["a.py:2: A has 4 fields; give it kw_only=True"]
    assert list(positional("a.py", source.replace("    d: int = 0\n", ""))) == []
    assert list(positional("a.py", source.replace("d: int", "d: ClassVar[int]"))) == []


PACKAGES = ("debian-packages.txt", "tests/debian-packages.txt", "tests/yocto/debian-packages.txt")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_debian_package_says_why(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert text.count("#") > 5
    assert packages_without_why(text) == []


def test_a_debian_package_without_a_why_is_found() -> None:
    assert packages_without_why("# all\ncurl  # pipes\nmtools\nopenssl #\n") == [
        "mtools",
        "openssl #",
    ]


def listed(name: str) -> list[str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return [line.split()[0] for line in lines if not line.startswith("#")]


def test_a_debian_package_is_listed_once() -> None:
    packages = [each for name in PACKAGES for each in listed(name)]

    assert len(packages) == len(set(packages))


NO_SERVERS = {
    "e2fsprogs": "checks filesystems now and then",
    "grub-common": "tells GRUB that a boot went well",
    "kmod": "loads modules at boot",
}
"""Packages whose unit does not serve anybody, and what it does."""


@requires_program("dpkg", package="dpkg")
def test_no_debian_package_of_ours_starts_a_server() -> None:
    servers = []
    for package in (each for name in PACKAGES for each in listed(name)):
        try:
            paths = run(("dpkg", "-L", package), timeout=30).decode().splitlines()
        except ProgramError:
            continue  # not installed
        if any(_SERVICE.search(path) for path in paths):
            servers.append(package)

    assert set(servers) <= set(NO_SERVERS), "unpack it instead, as tests/interop/sshd.py does"


def test_every_version_is_the_newest_of_the_changelog() -> None:
    version = changelog_version((ROOT / "CHANGELOG.md").read_text("utf-8"))

    assert {tool.package: tool.version for tool in tools()} == {
        tool.package: version for tool in tools()
    }
    for tool in tools():
        assert importlib.import_module(tool.package).__version__ == version


def test_our_packages_need_exactly_each_other_and_no_newer_ones_of_strangers() -> None:
    needs = [
        need
        for path in sorted((ROOT / "tools").glob("*/pyproject.toml"))
        for need in tomllib.loads(path.read_text("utf-8"))["project"].get("dependencies", ())
        if need.startswith("ota-")
    ]
    version = changelog_version((ROOT / "CHANGELOG.md").read_text("utf-8"))

    assert len(needs) >= 7
    assert [need for need in needs if not need.endswith(f"=={version}")] == []


def test_the_newest_version_of_a_changelog_is_its_first() -> None:
    text = "## [Unreleased]\n\n## [0.2.0] - 2027-01-02\n\n## [0.1.0] - 2026-11-23\n"

    assert changelog_version(text) == "0.2.0"


def test_the_lock_has_what_the_tools_and_the_tests_need() -> None:
    wanted = re.findall(r"^\w\S*", (ROOT / "requirements.in").read_text("utf-8"), re.MULTILINE)
    wanted += [each for tool in tools() for each in tool.requirements]

    assert wanted
    assert (
        not_locked(wanted, locked_versions((ROOT / "requirements.lock").read_text("utf-8"))) == []
    )


def test_a_requirement_that_the_lock_does_not_meet_is_found() -> None:
    locked = locked_versions("pyyaml==6.0 \\\n    --hash=sha256:00\nrich==12.0\n")

    assert not_locked(["PyYAML>=5", "rich>=13", "isal"], locked) == ["rich>=13", "isal"]


@pytest.mark.boot  # asks each package manager
def test_the_tree_does_not_know_where_packages_come_from() -> None:
    registries = mirrors()

    assert registries, "no package manager told of a mirror"
    assert list(mentions(registries)) == []


def test_the_tree_does_not_know_the_machine_it_is_on() -> None:
    assert list(mentions(neighbours())) == []


def test_hosts_are_found_in_what_package_managers_say() -> None:
    said = "global.index-url='https://me:secret@mirror.test:8080/simple'\nhttp://deb.test/debian\n"

    assert hosts(said) == {"mirror.test", "deb.test"}
    assert hosts("file:///opt/simple http://localhost/ http://127.0.0.1:3128/") == set()


def test_a_mention_is_found_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_text("# from\n--index-url http://mirror.test/simple\n")
    (tmp_path / "b.md").write_text("See example.mirror.test and mirror.testing.\n")
    (tmp_path / "c.mender").write_bytes(b"\xff mirror.test")

    assert list(mentions({"mirror.test"}, root=tmp_path)) == ["a.lock:2: names mirror.test"]


def test_paths_next_to_the_tree_are_known(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "shared").mkdir()

    assert neighbours(tmp_path / "tree") == {f"{tmp_path}/tree", f"{tmp_path}/shared"}
    assert neighbours(Path(tempfile.gettempdir()).resolve() / "tree") != set()
    assert list(mentions(neighbours(Path("/src")), root=ROOT / "docs")) == []


def test_files_leave_out_what_git_ignores(tmp_path: Path) -> None:
    for name in ("a.py", "build/b.py", "sub/c.py", ".git/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("# generated\nbuild/\n")

    found = [place(path, tmp_path) for path in files("*.py", root=tmp_path)]

    assert found == ["a.py", "sub/c.py"]
