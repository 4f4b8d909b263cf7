# SPDX-License-Identifier: Apache-2.0
"""`modify`: what changes, what stays, and that a failure changes nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.image.disk import open_image
from tests.unit.artifact.cli.conftest import Command, Keys, Make, files_of, header_of, state_of
from tests.unit.artifact.image.conftest import Tool


def text_in(artifact: Path, path: str, to: Path) -> str:
    """A file of the root filesystem in an artifact."""
    (image,) = files_of(artifact).values()
    (to / "unpacked").write_bytes(image)
    return text_of(to / "unpacked", path, to)


def text_of(image: Path, path: str, to: Path) -> str:
    open_image(image).read_file(path, to / "read")
    return (to / "read").read_text()


@pytest.fixture
def configured(command: Command, make_ext: Make, tmp_path: Path, tool: Tool) -> Path:
    """An artifact whose root filesystem has Mender's files."""
    image = make_ext("configured.ext4")
    (tmp_path / "mender.conf").write_text('{"ServerURL": "https://old", "Kept": {"a": [1]}}')
    (tmp_path / "artifact_info").write_text("artifact_name=v1\nkept=1\n")
    script = "mkdir /etc/mender\ncd /etc/mender\n" + "".join(
        f"write {tmp_path / name} {name}\nset_inode_field {name} mode 0100600\n"
        for name in ("mender.conf", "artifact_info")
    )
    tool("debugfs", "-w", "-f", "-", image, stdin=script)
    path = tmp_path / "configured.mender"
    command.ok("write", "rootfs-image", "-n", "v1", "-c", "board", "-f", image, "-o", path)
    return path


def test_another_name_is_the_versions_name_too(command: Command, rootfs: Path) -> None:
    before = files_of(rootfs)

    done = command.ok("modify", rootfs, "-n", "v2")

    header = header_of(rootfs)
    assert header.artifact_name == "v2"
    assert header.payloads[0].provides["rootfs-image.version"] == "v2"
    assert files_of(rootfs) == before
    assert (done.raw, done.err) == (b"", "")


def test_a_version_of_its_own_stays_when_the_name_changes(command: Command, image: Path) -> None:
    options = ("-n", "v1", "-c", "board", "-f", image, "--software-version", "7", "-o", "a.mender")
    command.ok("write", "rootfs-image", *options)

    command.ok("modify", "a.mender", "--name", "v2")

    assert header_of(Path("a.mender")).payloads[0].provides["rootfs-image.version"] == "7"


def test_what_is_named_is_replaced_and_the_rest_stays(
    command: Command, module: Path, tmp_path: Path
) -> None:
    before = header_of(module)
    (tmp_path / "ArtifactCommit_Leave_01").write_text("added\n")
    (tmp_path / "new.json").write_text('{"new": true}')

    command.ok(
        *("modify", module, "-N", "v9", "-g", "prod", "-G", "beta", "-G", "gamma"),
        *("-p", "only:this", "-d", "and:that", "-m", "new.json", "-s", "ArtifactCommit_Leave_01"),
        *("--clears-provides", "added.*", "--delete-clears-provides", "rootfs-image.files.*"),
    )

    header = header_of(module)
    (payload,) = header.payloads
    assert (header.artifact_name, header.compatible_types) == ("app-2", ("board", "other"))
    assert (header.depends_names, header.depends_groups) == (("v9",), ("beta", "gamma"))
    assert header.artifact_group == "prod"
    assert [each.name for each in header.scripts] == [
        "ArtifactCommit_Leave_01",
        "ArtifactInstall_Enter_00",
    ]
    assert header.scripts[1:] == before.scripts
    assert payload.type == "files"
    assert (payload.provides, payload.depends) == ({"only": "this"}, {"and": "that"})
    assert payload.clears == ("added.*",)
    assert payload.meta_data == b'{"new":true}'
    assert files_of(module) == {"app": b"app\n", "lib": b"lib\n"}


def test_an_empty_group_removes_the_group(command: Command, module: Path) -> None:
    command.ok("modify", module, "-g", "")

    assert header_of(module).artifact_group is None


def test_a_clears_pattern_that_is_not_there_is_reported(command: Command, module: Path) -> None:
    done = command.ok("modify", module, "--delete-clears-provides", "other.*")

    assert "warning: --delete-clears-provides: 'other.*' is not cleared" in done.err
    assert header_of(module).payloads[0].clears == ("rootfs-image.files.*",)


@pytest.mark.parametrize("name", ["none", "lzma", "zstd_better"])
def test_compression_changes_if_it_is_given(command: Command, module: Path, name: str) -> None:
    before = header_of(module)

    command.ok("modify", module, "--compression", name)

    found = json.loads(command.ok("read", "--json", module).out)
    assert found["payloads"][0]["compression"] == name.replace("better", "fast")
    assert header_of(module) == before
    assert files_of(module) == {"app": b"app\n", "lib": b"lib\n"}


def test_another_level_of_zstd_is_used(command: Command, tmp_path: Path) -> None:
    lines = b"".join(b"line %d of many\n" % (number * number) for number in range(20000))
    (tmp_path / "root.img").write_bytes(lines)
    options = ("-n", "v1", "-c", "board", "-f", "root.img")
    for name in ("zstd_fastest", "zstd_best"):
        command.ok("write", "rootfs-image", *options, "--compression", name, "-o", name)

    command.ok("modify", "zstd_fastest", "--compression", "zstd_best")

    sizes = {name: Path(name).stat().st_size for name in ("zstd_fastest", "zstd_best")}
    assert sizes["zstd_fastest"] == sizes["zstd_best"]


def test_a_dropped_signature_is_reported(command: Command, module: Path, keys: Keys) -> None:
    command.ok("sign", module, "-k", keys.rsa)

    done = command.ok("modify", module, "-n", "app-3")

    assert done.err == (
        f"ota-artifact: warning: {module}: lost its signature; sign it again with"
        " `ota-artifact sign`, or give --key\n"
    )
    command.ok("validate", module)


@pytest.mark.parametrize("was_signed", [True, False])
def test_a_key_signs_again(command: Command, module: Path, keys: Keys, was_signed: bool) -> None:
    if was_signed:
        command.ok("sign", module, "-k", keys.rsa)

    done = command.ok("modify", module, "-n", "app-3", "-k", keys.ec)

    assert done.err == ""
    command.ok("validate", module, "-k", keys.ec_public)


def test_a_changed_artifact_has_the_bytes_of_one_written_so(
    command: Command, image: Path, rootfs: Path
) -> None:
    command.ok("write", "rootfs-image", "-n", "v2", "-c", "board", "-f", image)

    command.ok("modify", rootfs, "-n", "v2")

    assert rootfs.read_bytes() == Path("artifact.mender").read_bytes()


def test_menders_files_in_the_root_filesystem_change(
    command: Command, configured: Path, keys: Keys, tmp_path: Path
) -> None:
    old = header_of(configured).payloads[0].provides["rootfs-image.checksum"]

    command.ok(
        *("modify", configured, "-n", "v2", "-u", "https://new", "-t", "token"),
        *("-c", keys.rsa_public, "-v", keys.ec_public),
    )

    settings = json.loads(text_in(configured, "/etc/mender/mender.conf", tmp_path))
    assert settings == {"ServerURL": "https://new", "Kept": {"a": [1]}, "TenantToken": "token"}
    assert text_in(configured, "/etc/mender/artifact_info", tmp_path) == (
        "artifact_name=v2\nkept=1\n"
    )
    assert text_in(configured, "/etc/mender/server.crt", tmp_path) == keys.rsa_public.read_text()
    assert (
        text_in(configured, "/etc/mender/artifact-verify-key.pem", tmp_path)
        == keys.ec_public.read_text()
    )
    provides = header_of(configured).payloads[0].provides
    assert provides["rootfs-image.checksum"] != old
    assert provides["rootfs-image.version"] == "v2"


def test_a_file_that_is_rewritten_keeps_its_mode(
    command: Command, configured: Path, tmp_path: Path, tool: Tool
) -> None:
    command.ok("modify", configured, "-t", "token")

    (tmp_path / "image").write_bytes(files_of(configured)["configured.ext4"])
    assert "Mode:  0600" in tool("debugfs", "-R", "stat /etc/mender/mender.conf", "image")


def test_a_root_filesystem_without_menders_folder_gets_it(
    command: Command, update: Path, tmp_path: Path
) -> None:
    command.ok("modify", update, "-n", "v2", "-u", "https://new")

    assert text_in(update, "/etc/mender/artifact_info", tmp_path) == "artifact_name=v2\n"
    settings = json.loads(text_in(update, "/etc/mender/mender.conf", tmp_path))
    assert settings == {"ServerURL": "https://new"}


def test_a_list_of_servers_that_takes_precedence_is_reported(
    command: Command, make_ext: Make, tmp_path: Path
) -> None:
    image = make_ext()
    (tmp_path / "conf").write_text('{"Servers": [{"ServerURL": "https://first"}]}')
    command.ok("install", "-d", f"{image}:/etc/mender")
    command.ok("cp", "conf", f"{image}:/etc/mender/mender.conf")

    done = command.ok("modify", image, "-u", "https://new")

    assert "has 'Servers', which Mender's client prefers to ServerURL" in done.err


def test_a_filesystem_image_changes(command: Command, ext4: Path, tmp_path: Path) -> None:
    command.ok("modify", ext4, "-n", "v2")

    assert text_of(ext4, "/etc/mender/artifact_info", tmp_path) == "artifact_name=v2\n"


def test_both_slots_of_a_disk_image_change(
    command: Command, make_disk: Callable[..., str], tmp_path: Path
) -> None:
    disk = Path(make_disk())

    command.ok("modify", disk, "-n", "v2", "-u", "https://new")

    for start in (6, 11):
        slot = tmp_path / "slot"
        slot.write_bytes(disk.read_bytes()[start << 20 : (start + 4) << 20])
        assert text_of(slot, "/etc/mender/artifact_info", tmp_path) == "artifact_name=v2\n"
        assert "https://new" in text_of(slot, "/etc/mender/mender.conf", tmp_path)


FAILURES = [
    (("-n", "x\ny"), "--artifact-name: 'x\\ny' contains white space; remove it"),
    (("-n", "x y"), "--artifact-name: 'x y' contains white space; remove it"),
    (("-n", ""), "--artifact-name: is empty"),
    (("-n", "x\x7f"), "artifact name: 'x\\x7f' contains an unprintable character"),
    (("-p", "no colon"), "--provides: 'no colon' has no colon"),
    (("-p", "artifact_name:x"), "'artifact_name', which is already provided"),
    (("-m", "broken.json"), "broken.json: is not JSON"),
    (("-m", "none.json"), "none.json: No such file"),
    (("-s", "source"), "source: 'source' is not the name of a state script"),
    (("-c", "none.crt"), "none.crt: no such file"),
    (("-v", "none.pem"), "none.pem: no such file"),
    (("-k", "none.pem"), "none.pem: No such file"),
    (("-k", "source"), "source: is not a usable private key"),
    (("-n", "v2", "--sign-command", "false"), "exit code 1"),
    (("--compression", "brotli"), "'brotli' is not one of"),
    (("--azure-key", "x"), "--azure-key: is not supported"),
    (("-n", "v2", "--tmp", "none"), "none"),
    (("-c", "large"), "no space"),
]


@pytest.mark.parametrize(("words", "said"), FAILURES)
def test_a_change_that_fails_leaves_the_file_as_it_was(
    command: Command, update: Path, source: Path, keys: Keys, words: tuple[str, ...], said: str
) -> None:
    command.ok("sign", update, "-k", keys.rsa)
    update.chmod(0o640)
    Path("broken.json").write_text("{")
    Path("large").write_bytes(b"x" * (6 << 20))
    before = state_of(update)

    done = command("modify", update, *words)

    assert done.code in {1, 7}
    assert said in done.err
    assert done.err.startswith("ota-artifact: ")
    assert state_of(update) == before


def test_a_script_of_a_name_that_is_there_is_refused(
    command: Command, module: Path, tmp_path: Path
) -> None:
    before = state_of(module)

    done = command("modify", module, "-s", tmp_path / "ArtifactInstall_Enter_00")

    assert done.code == 1
    assert "scripts: two have the same name; rename one" in done.err
    assert state_of(module) == before


def test_a_module_has_no_files_of_mender_to_change(command: Command, module: Path) -> None:
    before = state_of(module)

    done = command("modify", module, "-n", "v2", "-u", "https://new")

    assert done.code == 1
    assert (
        f"{module}: payloads: 1, files: 2; only an artifact with one payload of one file"
        in done.err
    )
    assert state_of(module) == before


def test_a_configuration_that_is_not_json_is_left_alone(
    command: Command, ext4: Path, source: Path
) -> None:
    command.ok("install", "-d", f"{ext4}:/etc/mender")
    command.ok("cp", source, f"{ext4}:/etc/mender/mender.conf")
    before = state_of(ext4)

    done = command("modify", ext4, "-n", "v2", "-u", "https://new")

    assert done.code == 1
    assert "/etc/mender/mender.conf: is not JSON" in done.err
    assert state_of(ext4) == before


@pytest.mark.parametrize("option", ["-N=x", "-p=a:b", "-d=a:b", "-G=x", "--clears-provides=x"])
def test_what_version_2_has_no_room_for_is_refused(
    command: Command, image: Path, option: str
) -> None:
    options = ("-n", "v1", "-c", "board", "-f", image, "-o", "a.mender")
    command.ok("write", "rootfs-image", "-v", "2", *options)

    refused = command("modify", "a.mender", option)
    command.ok("modify", "a.mender", "-n", "v2")

    assert refused.code == 1
    assert "format version 2 cannot hold it" in refused.err
    assert (header_of(Path("a.mender")).version, header_of(Path("a.mender")).artifact_name) == (
        2,
        "v2",
    )


@pytest.mark.parametrize(
    "words", [("-p", "a:b"), ("-N", "x"), ("--compression", "none"), ("-m", "source"), ("-g", "x")]
)
def test_an_image_accepts_no_option_of_an_artifact(
    command: Command, ext4: Path, source: Path, words: tuple[str, ...]
) -> None:
    before = state_of(ext4)

    done = command("modify", ext4, *words)

    assert done.code == 1
    assert f"{ext4} is an image, not an artifact" in done.err
    assert state_of(ext4) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.mender", "none.mender: no such file"),
        ("source", "source: 4 B hold no partition table"),
        (".", ".: no such file"),
    ],
)
def test_what_is_neither_artifact_nor_image_is_refused(
    command: Command, source: Path, name: str, said: str
) -> None:
    done = command("modify", name, "-n", "v2")

    assert (done.code, said in done.err) == (1, True), done.err


def test_an_image_has_no_signature(command: Command, ext4: Path, keys: Keys) -> None:
    done = command("modify", ext4, "-n", "v2", "-k", keys.rsa)

    assert done.code == 1
    assert "is not an artifact; only artifacts are signed" in done.err


def test_a_link_is_followed_and_mode_and_owner_stay(command: Command, rootfs: Path) -> None:
    rootfs.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(rootfs, 12345, 23456)
    before = state_of(rootfs)
    Path("link").symlink_to(rootfs)

    command.ok("modify", "link", "-n", "v2")

    assert Path("link").is_symlink()
    assert header_of(rootfs).artifact_name == "v2"
    assert state_of(rootfs)[1:4] == before[1:4]
