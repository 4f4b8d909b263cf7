# SPDX-License-Identifier: Apache-2.0
"""The description of a wheel, and hostile wheels that are refused."""

import shutil
import warnings
import zipfile
from pathlib import Path

import pytest

from ota_image.errors import ImageError
from ota_image.rootfs.wheel import commands, contents, read_wheel
from tests.unit.image.rootfs.wheels import wheel, write_wheel

INFO = "ota_agent-1.2.dist-info"


def rewritten(path: Path, name: str, content: bytes | str) -> Path:
    """Rewrite a wheel with another content of one member, or with one more."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in {**members, name: content}.items():
            archive.writestr(each, data)
    return path


def test_a_wheel_says_its_name_version_and_needs(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "ota_agent",
        "Requires-Python: >=3.11",
        'Requires-Dist: Zope.Interface_X[all] (<3,>=1.26) ; extra == "y"',
        "Requires-Dist: six",
        tag="py2.py3-none-any",
    )

    found = read_wheel(path)

    assert (found.name, found.version, found.python) == ("ota-agent", "1.2", ">=3.11")
    assert len(found.needs) == 2
    assert set(found.tags) == {"py2-none-any", "py3-none-any"}
    assert found.path == path


@pytest.mark.parametrize(
    "name",
    [
        "agent.zip",
        "text-none-any.whl",
        "ota_agent-1.2-none-any.whl",
        "ota_agent-x-py3-none-any.whl",
    ],
)
def test_a_file_whose_name_is_not_that_of_a_wheel_is_refused(tmp_path: Path, name: str) -> None:
    shutil.copyfile(write_wheel(tmp_path), tmp_path / name)

    with pytest.raises(ImageError, match=r"is not a wheel: .*name"):
        read_wheel(tmp_path / name)


@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "py3-none-linux_x86_64"])
def test_a_wheel_of_one_cpu_is_refused(tmp_path: Path, tag: str) -> None:
    with pytest.raises(ImageError, match=r"is for one kind of machine.*-none-any\.whl"):
        read_wheel(write_wheel(tmp_path, tag=tag))


def test_what_is_not_a_zip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ota_agent-1.2-py3-none-any.whl"
    path.write_text("text")

    with pytest.raises(ImageError, match="is not a wheel: File is not a zip file"):
        read_wheel(path)


@pytest.mark.parametrize(
    ("metadata", "finding"),
    [
        ("Metadata-Version: 2.4\nVersion: 1.2\n", "its METADATA has no Name"),
        ("Metadata-Version: 2.4\nName: ota-agent\n", "its METADATA has no Version"),
        ("Name: ota-agent\nVersion: 1.3\n", "ota-agent 1.3.* ota-agent 1.2"),
        ("Name: other\nVersion: 1.2\n", "other 1.2.* ota-agent 1.2"),
        ("Name: ota-agent\nVersion: 1.2\nRequires-Dist: a b\n", "Requires-Dist: 'a b'"),
        ("Name: ota-agent\nVersion: 1.2\nRequires-Dist: ../a\n", "Requires-Dist: '../a'"),
        ("Name: ota-agent\nVersion: 1.2\nRequires-Python: three\n", "Requires-Python: 'three'"),
        ("Name: ota-agent\nVersion: 1.2\n\n" + "x" * (1 << 20), "METADATA of 1048606 B"),
        (b"Name: \xff\xfe\nVersion: 1.2\n", "its METADATA has no Name"),
    ],
)
def test_impossible_metadata_is_refused(
    tmp_path: Path, metadata: str | bytes, finding: str
) -> None:
    path = rewritten(write_wheel(tmp_path), f"{INFO}/METADATA", metadata)

    with pytest.raises(ImageError, match=f"{path.name}: .*{finding}"):
        read_wheel(path)


def test_a_wheel_has_one_file_of_metadata(tmp_path: Path) -> None:
    path = rewritten(write_wheel(tmp_path), "other-1.dist-info/METADATA", "Name: other\n")

    with pytest.raises(ImageError, match="is not a wheel: it has 2 files METADATA"):
        read_wheel(path)


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "a/../../b", "/etc/x", "a//b", "./a", "a\\b", "a\nb"]
)
def test_a_member_that_leads_out_of_its_place_is_refused(tmp_path: Path, name: str) -> None:
    path = rewritten(write_wheel(tmp_path), name, "x")

    with pytest.raises(ImageError, match=r"py3-none-any\.whl: .* is not a path inside a wheel"):
        read_wheel(path)


@pytest.mark.parametrize("second", ["ota_agent/cli.py", "ota_agent/cli.py/"])
def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, second: str) -> None:
    path = write_wheel(tmp_path)
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(second, "other")

    with pytest.raises(ImageError, match=r"'ota_agent/cli\.py' is in it twice"):
        read_wheel(path)


def test_a_member_that_is_encrypted_is_refused(tmp_path: Path) -> None:
    path = write_wheel(tmp_path)
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)

    with pytest.raises(ImageError, match=r"is not a wheel: .*encrypted"):
        read_wheel(path)


def test_a_compression_that_cannot_be_bounded_is_refused(tmp_path: Path) -> None:
    path = write_wheel(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("ota_agent/data", "x")

    with pytest.raises(ImageError, match="ota_agent/data: is compressed by a method other than"):
        read_wheel(path)


def test_a_wheel_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = rewritten(write_wheel(tmp_path), "ota_agent/zeros", bytes(65 << 20))

    with pytest.raises(ImageError, match="would unpack to 65 MiB; the limit is 64 MiB"):
        read_wheel(path)


def test_a_member_that_is_damaged_is_refused(tmp_path: Path) -> None:
    found = wheel(tmp_path)
    data = found.path.read_bytes()
    with zipfile.ZipFile(found.path) as archive:
        start = archive.getinfo("ota_agent/cli.py").header_offset + 30 + len("ota_agent/cli.py")
    found.path.write_bytes(data[: start + 3] + bytes(8) + data[start + 11 :])

    with pytest.raises(ImageError, match="is not a wheel: "):
        list(contents(found))


def test_the_contents_are_files_with_their_executable_bits(tmp_path: Path) -> None:
    found = {each.name: each for each in contents(wheel(tmp_path))}

    assert found["ota_agent/cli.py"].data == b"def entry() -> int:\n    return 0\n"
    assert not found["ota_agent/cli.py"].is_executable
    assert found["ota_agent-1.2.data/data/lib/ota/agent"].is_executable


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[console_scripts]\nA-b.c = m.n : f.g\n[other]\nX = y\n", [("A-b.c", "m.n", "f.g")]),
        ("[console_scripts]\na = m:f [extra]\n", [("a", "m", "f")]),
        ("[gui_scripts]\na = m:f\n", []),
        ("", []),
    ],
)
def test_commands_are_read(tmp_path: Path, text: str, found: list[tuple[str, str, str]]) -> None:
    path = rewritten(write_wheel(tmp_path), f"{INFO}/entry_points.txt", text)

    assert list(commands(read_wheel(path))) == found


@pytest.mark.parametrize(
    "text",
    [
        "[console_scripts]\n../../etc/x = m:f\n",
        "[console_scripts]\n.. = m:f\n",
        "[console_scripts]\na b = m:f\n",
        "[console_scripts]\na = m\n",
        "[console_scripts]\na = m:f\n  import os\n",
        "[console_scripts]\na = m:f();x\n",
        "[console_scripts]\na = m:f\na = m:g\n",
        "a = m:f\n",
        b"[console_scripts]\na\xff = m:f\n",
    ],
)
def test_an_impossible_command_is_refused(tmp_path: Path, text: str | bytes) -> None:
    path = rewritten(write_wheel(tmp_path), f"{INFO}/entry_points.txt", text)

    with pytest.raises(ImageError, match=r"entry_points\.txt: "):
        list(commands(read_wheel(path)))
