# SPDX-License-Identifier: Apache-2.0
"""`read`: the layout of mender-artifact 4, and JSON."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.artifact.cli.conftest import Command, Keys

GOLDEN = Path(__file__).parents[3] / "golden"

MODULE = """\
Mender Artifact:
  Name: app-2
  Format: mender
  Version: 3
  Signature: no signature
  Compatible types: [board, other]
  Provides group: beta
  Depends on one of artifact(s): [v1, v2]
  Depends on one of group(s): [alpha]
  State scripts:
    - ArtifactInstall_Enter_00

Updates:
  - Type: files
    Provides:
      a: 1
      rootfs-image.files.version: app-2
      z: with: colon
    Depends:
      needs: this
    Clears Provides: [rootfs-image.files.*]
    Metadata:
      {
        "a": "ä & <b>",
        "b": [
          1,
          {
            "x": null
          }
        ]
      }
    Files:
      - checksum: 8a8f60ecb09b7e64c6d5214a8043865e608507db8c3f61f995eae6d078875901
        modified: 1970-01-01 00:00:00 +0000 UTC
        name: app
        size: 4
      - checksum: a325dcacb80b202a014b420b93fc19061900018f8ce216d0a0cb00d610ec7f97
        modified: 1970-01-01 00:00:00 +0000 UTC
        name: lib
        size: 4
"""
"""What mender-artifact 4.4 prints, except for ``<`` and ``&`` in JSON."""

BOOTSTRAP = """\
Mender Artifact:
  Name: v1
  Format: mender
  Version: 3
  Signature: no signature
  Compatible types: [board]
  Provides group: 
  Depends on one of artifact(s): []
  Depends on one of group(s): []
  State scripts: []

Updates:
  - Type: Empty type
    Provides:
      rootfs-image.version: v1
    Depends: {}
    Clears Provides: []
    Metadata: {}
    Files: []
"""  # noqa: W291 -- so it is, group or none

VERSION_2 = """\
Mender Artifact:
  Name: v1
  Format: mender
  Version: 2
  Signature: no signature
  Compatible types: [board]
  State scripts: []

Updates:
  - Type: rootfs-image
    Provides: {}
    Depends: {}
    Clears Provides: []
    Metadata: {}
"""


def facts(text: str) -> dict[str, Any]:
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def test_the_layout_is_that_of_mender_artifact(command: Command, module: Path) -> None:
    done = command.ok("read", module)

    assert done.out == MODULE
    assert done.err == ""


def test_an_empty_payload_is_shown_as_such(command: Command, bootstrap: Path) -> None:
    done = command.ok("read", bootstrap)

    assert done.out == BOOTSTRAP


def test_version_2_is_shown_without_what_it_does_not_have(command: Command, image: Path) -> None:
    command.ok("write", "rootfs-image", "-v", "2", "-n", "v1", "-c", "board", "-f", image)

    done = command.ok("read", "artifact.mender")

    assert done.out.startswith(VERSION_2)


def test_what_is_printed_is_yaml(command: Command, rootfs: Path) -> None:
    done = command.ok("read", rootfs)

    found = facts(done.out)
    assert found["Mender Artifact"] == {
        "Name": "v1",
        "Format": "mender",
        "Version": 3,
        "Signature": "no signature",
        "Compatible types": ["board"],
        "Provides group": None,
        "Depends on one of artifact(s)": [],
        "Depends on one of group(s)": [],
        "State scripts": [],
    }
    (payload,) = found["Updates"]
    assert list(payload) == [
        *("Type", "Provides", "Depends", "Clears Provides", "Metadata", "Files"),
    ]
    assert payload["Clears Provides"] == [
        *("artifact_group", "rootfs_image_checksum", "rootfs-image.*"),
    ]
    (file,) = payload["Files"]
    assert (file["name"], file["size"]) == ("root.img", 16000)
    assert file["checksum"] == payload["Provides"]["rootfs-image.checksum"]


def test_each_payload_is_an_item_of_the_list(command: Command) -> None:
    done = command.ok("read", GOLDEN / "good" / "two-payloads.mender")

    assert len(facts(done.out)["Updates"]) == 2


def test_json_has_everything_that_the_text_has(command: Command, module: Path) -> None:
    done = command.ok("read", "--json", module)

    found = json.loads(done.out)
    assert (found["format"], found["version"], found["signature"]) == ("mender", 3, "none")
    assert found["artifact_name"] == "app-2"
    assert found["artifact_group"] == "beta"
    assert found["compatible_types"] == ["board", "other"]
    assert found["depends"] == {"artifact_name": ["v1", "v2"], "artifact_group": ["alpha"]}
    assert [each["name"] for each in found["state_scripts"]] == ["ArtifactInstall_Enter_00"]
    (payload,) = found["payloads"]
    assert payload["type"] == "files"
    assert payload["meta_data"] == {"a": "ä & <b>", "b": [1, {"x": None}]}
    assert payload["depends"] == {"needs": "this"}
    assert payload["clears_provides"] == ["rootfs-image.files.*"]
    assert payload["compression"] == "gzip"
    assert [(each["name"], each["size"], each["modified"]) for each in payload["files"]] == [
        ("app", 4, 0),
        ("lib", 4, 0),
    ]


@pytest.mark.parametrize(
    ("key", "line", "state"),
    [
        (
            None,
            "signed but no key for verification provided; please use `-k` option for providing"
            " verification key",
            "unverified",
        ),
        ("ec_public", "signed; verification using provided key failed", "failed"),
        ("rsa_public", "signed and verified correctly", "verified"),
        ("rsa", "signed and verified correctly", "verified"),
    ],
)
def test_a_signature_is_shown_and_is_not_an_error(
    command: Command, rootfs: Path, keys: Keys, key: str | None, line: str, state: str
) -> None:
    command.ok("sign", rootfs, "-k", keys.rsa)
    options = ("-k", getattr(keys, key)) if key else ()

    text = command.ok("read", rootfs, *options)
    as_json = command.ok("read", "--json", rootfs, *options)

    assert f"  Signature: {line}\n" in text.out
    assert json.loads(as_json.out)["signature"] == state


def test_one_of_several_keys_is_enough_and_is_named(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    command.ok("sign", rootfs, "-k", keys.rsa)

    done = command.ok("read", "--json", rootfs, "-k", keys.ec_public, "-k", keys.rsa_public)

    assert json.loads(done.out)["signature"] == "verified"
    assert json.loads(done.out)["signed_by"] == str(keys.rsa_public)


def test_a_key_for_an_artifact_without_signature_changes_nothing(
    command: Command, rootfs: Path, keys: Keys
) -> None:
    done = command.ok("read", rootfs, "-k", keys.rsa_public)

    assert "  Signature: no signature\n" in done.out


def test_what_would_move_the_cursor_is_shown_escaped(command: Command, tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"k\x1b[2J": "\u202eevil\u009b\u2028"}))
    command.ok(
        *("write", "module-image", "-T", "mod", "-n", "v1", "-c", "board", "-m", "meta.json"),
        *("-p", "key:\x1b]0;title\x07\nName: fake", "--clears-provides", "\x1b[31m"),
    )

    done = command.ok("read", "artifact.mender")

    assert done.out.isascii()
    assert not set(done.out) & set(map(chr, range(32))) - {"\n"}
    assert "      key: \\x1b]0;title\\x07\\nName: fake\n" in done.out
    assert "Clears Provides: [rootfs-image.mod.*" not in done.out
    assert "Clears Provides: [\\x1b[31m, rootfs-image.mod.*]\n" in done.out
    assert '"\\u202eevil\\x9b\\u2028"' in done.out


def test_an_artifact_from_stdin_is_read(command: Command, module: Path) -> None:
    done = command.ok("read", "-", stdin=module.read_bytes())

    assert done.out == MODULE


def test_what_mender_artifact_3_wrote_is_read(command: Command) -> None:
    artifacts = sorted((GOLDEN / "mender-artifact-3.9.0").glob("*.mender"))

    codes = {each.name: command("read", each).code for each in artifacts}

    assert len(codes) > 3
    assert {name for name, code in codes.items() if code} == {"augmented.mender"}


def test_a_file_that_is_not_an_artifact_is_an_error_as_in_mender_artifact(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("hello" * 200)

    done = command("read", "text")

    assert (done.code, done.raw) == (1, b"")
    assert done.err.startswith("ota-artifact: text: artifact: ")


def test_nothing_is_printed_of_a_damaged_artifact(command: Command, rootfs: Path) -> None:
    raw = bytearray(rootfs.read_bytes())
    with tarfile.open(rootfs) as outer:
        raw[outer.getmember("data/0000.tar.gz").offset_data + 60] ^= 1
    rootfs.write_bytes(raw)

    done = command("read", "--json", rootfs)

    assert (done.code, done.raw) == (1, b"")
    assert "rootfs.mender: data/0000.tar.gz: " in done.err


def test_a_file_that_is_not_there_has_the_code_for_it(command: Command) -> None:
    done = command("read", "none.mender")

    assert (done.code, done.err) == (
        4,
        "ota-artifact: none.mender: cannot be opened: No such file or directory\n",
    )


def test_a_directory_is_not_an_artifact(command: Command, tmp_path: Path) -> None:
    done = command("read", tmp_path)

    assert (done.code, done.err) == (
        1,
        f"ota-artifact: {tmp_path}: is a directory; name a file\n",
    )


@pytest.mark.parametrize("option", ["--gcp-kms-key", "--vault-transit-key", "--azure-key"])
def test_a_key_service_is_refused_with_its_replacement_named(
    command: Command, rootfs: Path, option: str
) -> None:
    done = command("read", rootfs, option, "name")

    assert done.code == 1
    assert f"{option}: is not supported; " in done.err
    assert "--sign-command" in done.err


def test_what_is_not_a_key_is_refused(command: Command, rootfs: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no key")

    done = command("read", rootfs, "-k", "text.pem")

    assert done.code == 1
    assert "text.pem: is not a public key in PEM" in done.err
