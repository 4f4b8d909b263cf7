# SPDX-License-Identifier: Apache-2.0
"""`write`: the artifact for each option. Expectations: mender-artifact 4.4."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ota_artifact.keys import load_public_key
from ota_artifact.reader import open_artifact
from tests.unit.artifact.cli.conftest import IMAGE, Command, Keys, files_of, header_of

ROOTFS = ("write", "rootfs-image", "-n", "v1", "-c", "board", "-f", "root.img", "-o", "out.mender")
MODULE = ("write", "module-image", "-T", "mod", "-n", "v1", "-c", "board", "-o", "out.mender")
BOOTSTRAP = ("write", "bootstrap-artifact", "-n", "v1", "-c", "board", "-o", "out.mender")

OUT = Path("out.mender")
SHA256 = hashlib.sha256(IMAGE).hexdigest()
CLEARS = ("artifact_group", "rootfs_image_checksum", "rootfs-image.*")


def script(folder: Path, name: str, content: str = "#!/bin/sh\n") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    return folder / name


def test_a_root_filesystem_has_what_devices_expect(command: Command, image: Path) -> None:
    command.ok(*ROOTFS)

    header = header_of(OUT)
    (payload,) = header.payloads
    assert (header.version, header.artifact_name, header.compatible_types) == (3, "v1", ("board",))
    assert payload.type == "rootfs-image"
    assert payload.provides == {"rootfs-image.checksum": SHA256, "rootfs-image.version": "v1"}
    assert payload.clears == CLEARS
    assert files_of(OUT) == {"root.img": IMAGE}


def test_a_module_has_its_files_in_their_order_and_its_meta_data(
    command: Command, module: Path
) -> None:
    header = header_of(module)

    (payload,) = header.payloads
    assert payload.type == "files"
    assert list(files_of(module).items()) == [("app", b"app\n"), ("lib", b"lib\n")]
    assert payload.meta_data == '{"a":"ä & <b>","b":[1,{"x":null}]}'.encode()
    assert payload.provides == {
        "a": "1",
        "z": "with: colon",
        "rootfs-image.files.version": "app-2",
    }
    assert payload.depends == {"needs": "this"}
    assert payload.clears == ("rootfs-image.files.*",)
    assert header.compatible_types == ("board", "other")
    assert (header.depends_names, header.depends_groups) == (("v1", "v2"), ("alpha",))
    assert header.artifact_group == "beta"
    assert [each.name for each in header.scripts] == ["ArtifactInstall_Enter_00"]


def test_a_bootstrap_artifact_has_only_what_is_given(command: Command) -> None:
    command.ok(*BOOTSTRAP, "-p", "a:b", "-d", "c:d", "--clears-provides", "x.*")

    (payload,) = header_of(OUT).payloads
    assert payload.type is None
    assert payload.provides == {"a": "b"}
    assert payload.depends == {"c": "d"}
    assert payload.clears == ("x.*",)
    assert files_of(OUT) == {}


PROVIDES: Sequence[tuple[str, dict[str, str]]] = (
    ("", {"V": "v1"}),
    ("-p V:x", {"V": "x"}),
    ("-p V:x --software-version y", {"V": "y"}),
    ("-p V:x --software-version=y", {"V": "y"}),
    ("--software-version y -p V:x", {"V": "x"}),
    ("-p V:x -p other:z --software-version y -p last:z", {"V": "y", "other": "z", "last": "z"}),
    ("-p V: ", {"V": "v1"}),
    ("-p k: ", {"V": "v1", "k": ""}),
    ("-p k:a:b", {"V": "v1", "k": "a:b"}),
    ("-p k:a -p k:b", {"V": "v1", "k": "b"}),
    ("--software-name N", {"PN.version": "v1"}),
    ("--software-filesystem F --software-name N --software-version 7", {"F.N.version": "7"}),
    ("-p PN.version:x --software-name N", {"PN.version": "v1"}),
    ("--software-name N -p PN.version:x", {"PN.version": "x"}),
    ("--no-default-software-version", {}),
    ("--no-default-software-version --software-name N", {}),
    ("--no-default-software-version --software-name N --software-version 7", {"PN.version": "7"}),
)


@pytest.mark.parametrize(("words", "expected"), PROVIDES)
def test_a_root_filesystem_provides_the_version_that_the_options_say(
    command: Command, image: Path, words: str, expected: dict[str, str]
) -> None:
    options = words.replace("PN", "rootfs-image.N").replace("V:", "rootfs-image.version:").split()

    command.ok(*ROOTFS, "--no-checksum-provide", *options)

    assert header_of(OUT).payloads[0].provides == {
        key.replace("PN", "rootfs-image.N").replace("V", "rootfs-image.version"): value
        for key, value in expected.items()
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"rootfs-image.mod.version": "v1"}),
        ("--software-name N", {"rootfs-image.N.version": "v1"}),
        ("--software-filesystem F", {"F.mod.version": "v1"}),
        ("--software-version 7", {"rootfs-image.mod.version": "7"}),
        ("--no-default-software-version", {}),
        (
            "--no-default-software-version --software-version 7",
            {"rootfs-image.version": "7"},
        ),
    ],
)
def test_a_module_provides_the_version_that_the_options_say(
    command: Command, words: str, expected: dict[str, str]
) -> None:
    command.ok(*MODULE, *words.split())

    assert header_of(OUT).payloads[0].provides == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", CLEARS),
        ("--clears-provides x --clears-provides y.*", ("x", "y.*", *CLEARS)),
        ("--clears-provides rootfs-image.*", ("rootfs-image.*", *CLEARS[:2])),
        ("--software-name N", ("rootfs-image.N.*",)),
        ("--software-filesystem F", ("F.*",)),
        ("--software-filesystem F --software-name N", ("F.N.*",)),
        ("--no-default-clears-provides", ()),
        ("--no-default-clears-provides --clears-provides x", ("x",)),
        ("--no-default-software-version", ()),
    ],
)
def test_a_root_filesystem_clears_what_the_options_say(
    command: Command, image: Path, words: str, expected: tuple[str, ...]
) -> None:
    command.ok(*ROOTFS, *words.split())

    assert header_of(OUT).payloads[0].clears == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ("rootfs-image.mod.*",)),
        ("--software-filesystem F --software-name N", ("F.N.*",)),
        ("--clears-provides rootfs-image.mod.*", ("rootfs-image.mod.*",)),
        ("--no-default-clears-provides", ()),
    ],
)
def test_a_module_clears_what_the_options_say(
    command: Command, words: str, expected: tuple[str, ...]
) -> None:
    command.ok(*MODULE, *words.split())

    assert header_of(OUT).payloads[0].clears == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"rootfs-image.checksum": SHA256}),
        ("--legacy-rootfs-image-checksum", {"rootfs_image_checksum": SHA256}),
        ("--no-checksum-provide", {}),
        ("-p rootfs-image.checksum:wrong", {"rootfs-image.checksum": SHA256}),
        ("--no-checksum-provide -p rootfs-image.checksum:x", {"rootfs-image.checksum": "x"}),
    ],
)
def test_the_checksum_provided_is_the_one_computed(
    command: Command, image: Path, words: str, expected: dict[str, str]
) -> None:
    command.ok(*ROOTFS, *words.split(), "--no-default-software-version")

    assert header_of(OUT).payloads[0].provides == expected


@pytest.mark.parametrize(
    ("name", "member"),
    [("none", ""), ("gzip", ".gz"), ("lzma", ".xz"), ("zstd_fastest", ".zst"), ("xz", ".xz")],
)
def test_compression_is_chosen_by_name(
    command: Command, image: Path, name: str, member: str
) -> None:
    command.ok(*ROOTFS, "--compression", name)

    assert f"data/0000.tar{member}\0".encode() in OUT.read_bytes()
    assert files_of(OUT) == {"root.img": IMAGE}


def test_the_output_has_mender_artifacts_name_by_default(command: Command, image: Path) -> None:
    command.ok(*ROOTFS[:-2])

    assert header_of(Path("artifact.mender")).artifact_name == "v1"


def test_the_same_input_gives_the_same_bytes_from_another_place_and_at_another_time(
    command: Command, image: Path, tmp_path: Path
) -> None:
    command.ok(*ROOTFS)
    first = OUT.read_bytes()
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "root.img"
    copy.write_bytes(IMAGE)
    copy.chmod(0o600)
    os.utime(copy, (1, 1))

    command.ok(*ROOTFS[:6], "-f", copy, "-o", "again.mender")

    assert Path("again.mender").read_bytes() == first


def test_stdout_gets_the_bytes_that_a_file_gets(command: Command, image: Path) -> None:
    command.ok(*ROOTFS)

    done = command.ok(*ROOTFS, "-o", "-")

    assert done.raw == OUT.read_bytes()
    assert done.err == ""


def test_a_folder_of_scripts_goes_in_whole_and_sorted(command: Command, tmp_path: Path) -> None:
    single = script(tmp_path / "one", "ArtifactCommit_Enter_05", "single\n")
    script(tmp_path / "more", "ArtifactInstall_Leave_10_x")
    script(tmp_path / "more", "ArtifactFailure_Error_99")

    command.ok(*MODULE, "-s", tmp_path / "more", "-s", single)

    assert [each.name for each in header_of(OUT).scripts] == [
        "ArtifactCommit_Enter_05",
        "ArtifactFailure_Error_99",
        "ArtifactInstall_Leave_10_x",
    ]
    assert header_of(OUT).scripts[0].content == b"single\n"


def test_the_device_type_of_older_scripts_is_accepted_with_a_warning(
    command: Command, image: Path
) -> None:
    done = command.ok("write", "rootfs-image", "-n", "v1", "-t", "a", "-t", "b", "-f", image)

    assert header_of(Path("artifact.mender")).compatible_types == ("a", "b")
    assert "warning: --device-type is deprecated; use --compatible-types" in done.err


def test_version_2_is_written_for_a_root_filesystem(
    command: Command, image: Path, tmp_path: Path
) -> None:
    command.ok(*ROOTFS, "-v", "2", "-s", script(tmp_path / "s", "ArtifactInstall_Enter_00"))

    header = header_of(OUT)
    assert (header.version, header.artifact_name, header.compatible_types) == (2, "v1", ("board",))
    assert header.payloads[0].type == "rootfs-image"
    assert files_of(OUT) == {"root.img": IMAGE}


@pytest.mark.parametrize(
    "option", ["-p=a:b", "-d=a:b", "-N=v0", "-g=group", "-G=group", "--clears-provides=x"]
)
def test_what_version_2_has_no_room_for_is_refused(
    command: Command, image: Path, option: str
) -> None:
    done = command(*ROOTFS, "-v", "2", option)

    assert done.code == 1
    assert "format version 2 cannot hold it; write version 3" in done.err
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*ROOTFS, "-v", "1"), 2, "--version: 1 is not supported; use 2 or 3"),
        ((*ROOTFS, "-v", "4"), 2, "--version: 4 is not supported"),
        ((*MODULE, "-v", "2"), 1, "module images need format version 3"),
        ((*BOOTSTRAP, "-v", "2"), 1, "bootstrap artifacts need format version 3"),
        ((*ROOTFS, "--compression", "brotli"), 1, "'brotli' is not one of none, gzip, lzma"),
        ((*ROOTFS, "-n", "a b"), 1, "--artifact-name: 'a b' contains white space; remove it"),
        ((*ROOTFS, "-n", ""), 1, "artifact name: is empty"),
        ((*MODULE, "-n", "a\x1bb"), 1, "name: 'a\\x1bb' contains an unprintable character"),
        ((*ROOTFS, "-n", "x" * 257), 1, "is longer than 256 B"),
        ((*ROOTFS, "-c", ""), 1, "is empty"),
        ((*ROOTFS, "-t", "other"), 1, "--device-type and --compatible-types mean the same"),
        (ROOTFS[:4] + ROOTFS[6:], 1, "--compatible-types: name at least one device type"),
        ((*ROOTFS, "-p", "novalue"), 1, "--provides: 'novalue' has no colon; write it as KEY:VAL"),
        ((*ROOTFS, "-d", "novalue"), 1, "--depends: 'novalue' has no colon"),
        ((*ROOTFS, "-p", "artifact_name:x"), 1, "'artifact_name', which is already provided"),
        ((*ROOTFS, "-f", "none.img"), 1, "none.img: No such file or directory"),
        ((*ROOTFS, "-f", "."), 1, "is not the name of a payload file"),
        ((*MODULE, "-f", "root.img", "-f", "root.img"), 1, "files: two have the same name"),
        ((*MODULE, "-T", "../bin/sh"), 1, "'../bin/sh' is not a payload type"),
        ((*MODULE, "-T", "rootfs-image"), 1, "rootfs-image takes one file, not 0"),
        ((*MODULE, "-m", "list.json"), 1, "list.json: must be a JSON object"),
        ((*MODULE, "-m", "root.img"), 1, "root.img: is not JSON"),
        ((*MODULE, "-m", "none.json"), 1, "none.json: No such file or directory"),
        ((*ROOTFS, "-s", "root.img"), 1, "root.img: 'root.img' is not the name of a state script"),
        ((*ROOTFS, "-s", "none"), 1, "none: No such file or directory"),
        ((*ROOTFS, "--max-artifact-size", "big"), 1, "'big' is not a size; write it as 5MB"),
        ((*MODULE, "--augment-type", "x"), 6, "not supported: no signature covers augmented"),
        ((*MODULE, "--augment-file", "root.img"), 6, "--augment-file: not supported: no signature"),
        ((*ROOTFS, "-o", "none/out.mender"), 3, "none/out.mender: cannot be created"),
        ((*ROOTFS, "-o", "."), 3, ".: cannot be created: is a directory"),
    ],
)
def test_what_cannot_be_an_artifact_is_refused_and_nothing_is_left(
    command: Command, image: Path, tmp_path: Path, words: Sequence[str], code: int, said: str
) -> None:
    (tmp_path / "list.json").write_text("[1]")
    before = set(tmp_path.iterdir())

    done = command(*words)

    assert (done.code, said in done.err) == (code, True), done.err
    assert done.err.startswith("ota-artifact: ")
    assert set(tmp_path.iterdir()) == before


def test_an_output_that_is_there_stays_when_writing_fails(
    command: Command, image: Path, tmp_path: Path
) -> None:
    OUT.write_bytes(b"precious")

    done = command(*MODULE, "-f", "root.img", "-f", "none")

    assert done.code == 1
    assert OUT.read_bytes() == b"precious"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.mender", "root.img"]


def test_white_space_in_the_name_of_a_module_is_accepted_with_a_warning(command: Command) -> None:
    done = command.ok(*MODULE, "-n", "a b")

    assert header_of(OUT).artifact_name == "a b"
    assert "warning: --artifact-name: 'a b' contains white space" in done.err


@pytest.mark.parametrize("size", ["1KB", "1 kb", "1000", "0.001MB", "0"])
def test_an_artifact_above_the_limit_is_not_kept(
    command: Command, image: Path, tmp_path: Path, size: str
) -> None:
    done = command(*ROOTFS, "--compression", "none", "--max-artifact-size", size)

    assert done.code == 3
    assert f"more than --max-artifact-size {size}; nothing was written" in done.err
    assert [each.name for each in tmp_path.iterdir()] == ["root.img"]


def test_an_artifact_above_the_soft_limit_is_kept_with_a_warning(
    command: Command, image: Path
) -> None:
    limits = ("--warn-artifact-size", "1KB", "--max-artifact-size", "1MB")

    done = command.ok(*ROOTFS, "--compression", "none", *limits)

    assert OUT.stat().st_size > 1000
    assert "warning: out.mender: is " in done.err


def test_limits_do_not_apply_to_stdout_and_a_warning_says_so(command: Command, image: Path) -> None:
    done = command.ok(*ROOTFS, "-o", "-", "--max-artifact-size", "1KB")

    assert done.raw
    assert "warning: --max-artifact-size, --warn-artifact-size: do not apply to" in done.err


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_key_signs(command: Command, image: Path, keys: Keys, kind: str) -> None:
    command.ok(*ROOTFS, "-k", getattr(keys, kind))

    with OUT.open("rb") as file:
        artifact = open_artifact(file, keys=(load_public_key(getattr(keys, f"{kind}_public")),))
        artifact.drain()
    assert artifact.signed_by


def test_a_key_that_cannot_be_used_leaves_nothing(
    command: Command, image: Path, tmp_path: Path
) -> None:
    done = command(*ROOTFS, "-k", "root.img")

    assert done.code == 1
    assert "root.img: is not a usable private key in PEM" in done.err
    assert [each.name for each in tmp_path.iterdir()] == ["root.img"]
