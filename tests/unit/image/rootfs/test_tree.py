# SPDX-License-Identifier: Apache-2.0
"""The tree from which a root filesystem is made."""

import io
import tarfile
from pathlib import Path

import pytest

from ota_image.errors import ImageError
from ota_image.rootfs.tree import Entry, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> tarfile.TarFile:
    """A stream of these members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    file.seek(0)
    return tarfile.open(fileobj=file, mode="r|")


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """A member of a tar, as dpkg has it."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def paths(tree: Tree) -> list[str]:
    return [path for path, _ in tree]


def test_what_packages_put_into_bin_comes_into_usr(tree: Tree) -> None:
    tree.add_tar(
        tar(
            (member("./bin", tarfile.DIRTYPE, mode=0o755), b""),
            (member("./bin/su", mode=0o4755, uid=0, gid=7), b"su"),
        )
    )

    entry = tree.get("/bin/su")
    assert "/usr/bin/su" in tree
    assert entry is not None
    assert (entry.mode, entry.gid) == (0o4755, 7)
    link = dict(tree)["/bin"]
    assert (link.kind, link.target) == ("symlink", "usr/bin")


def test_hard_links_share_their_content(tree: Tree) -> None:
    tree.add_tar(
        tar(
            (member("./sbin/mke2fs"), b"program"),
            (member("./sbin/mkfs.ext4", tarfile.LNKTYPE, linkname="./sbin/mke2fs"), b""),
        )
    )

    first, second = tree.get("/sbin/mke2fs"), tree.get("/sbin/mkfs.ext4")
    assert first is second is not None


def test_capabilities_come_along(tree: Tree) -> None:
    headers = {"SCHILY.xattr.security.capability": "\x01\x02"}
    tree.add_tar(tar((member("./bin/ping", pax_headers=headers), b"ping")))

    entry = tree.get("/bin/ping")

    assert entry is not None
    assert entry.attributes == (("security.capability", b"\x01\x02"),)


def test_the_newest_time_is_given(tree: Tree) -> None:
    found = tree.add_tar(tar((member("./a", mtime=7), b""), (member("./b", mtime=5), b"")))

    assert found == 7


@pytest.mark.parametrize("name", ["../etc/passwd", "./usr/../../x"])
def test_a_path_that_leads_out_is_refused(tree: Tree, name: str) -> None:
    with pytest.raises(ImageError, match="leads out of the root filesystem"):
        tree.add_tar(tar((member(name), b"")))


def test_a_hard_link_to_nothing_is_refused(tree: Tree) -> None:
    with pytest.raises(ImageError, match=r"/b: is a hard link to \./a, which is missing"):
        tree.add_tar(tar((member("./b", tarfile.LNKTYPE, linkname="./a"), b"")))


def test_links_that_form_a_loop_are_refused(tree: Tree) -> None:
    tree.add_link("/a", "/b")
    tree.add_link("/b", "/a")

    with pytest.raises(ImageError, match="/a/x: its symlinks form a loop"):
        tree.add_file("/a/x", "")


def test_a_file_is_not_a_folder(tree: Tree) -> None:
    tree.add_file("/etc", "")

    with pytest.raises(ImageError, match="/etc/passwd: /etc is not a folder"):
        tree.add_file("/etc/passwd", "")


def test_a_folder_that_is_there_keeps_its_mode(tree: Tree) -> None:
    tree.add_folder("/srv", 0o1777)
    tree.add_folder("/srv")

    entry = tree.get("/srv")

    assert entry is not None
    assert entry.mode == 0o1777


def test_a_link_replaces_a_folder_and_its_contents(tree: Tree) -> None:
    tree.add_file("/var/log/dpkg.log", "")
    tree.add_link("/var/log", "/run/log")

    assert [path for path in paths(tree) if path.startswith("/var")] == ["/var", "/var/log"]


def test_what_matches_is_removed_with_everything_below(tree: Tree) -> None:
    for path in ("/usr/lib/python3.11/test/a.py", "/usr/lib/python3.11/test.py"):
        tree.add_file(path, "")
    tree.add_file("/usr/share/test/b", "")

    tree.remove("/usr/lib/python3.*/test")

    assert "/usr/lib/python3.11/test" not in tree
    assert "/usr/lib/python3.11/test/a.py" not in tree
    assert "/usr/lib/python3.11/test.py" in tree
    assert "/usr/share/test/b" in tree


def test_a_pattern_may_lead_through_a_link(tree: Tree) -> None:
    tree.add_file("/lib/systemd/system/a.service", "")

    tree.remove("/lib/systemd")

    assert "/usr/lib/systemd" not in tree


def test_an_overlay_is_owned_by_root_and_keeps_executable_bits(tree: Tree, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    (overlay / "sbin").mkdir(parents=True)
    (overlay / "sbin" / "start").write_text("#!/bin/sh\n")
    (overlay / "sbin" / "start").chmod(0o700)
    (overlay / "etc").mkdir()
    (overlay / "etc" / "issue").symlink_to("/run/issue")

    tree.add_from(overlay)

    start = tree.get("/usr/sbin/start")
    assert start is not None
    assert (start.mode, start.uid) == (0o755, 0)
    assert dict(tree)["/etc/issue"] == Entry(kind="symlink", mode=0o777, target="/run/issue")
