# SPDX-License-Identifier: Apache-2.0
"""`write`: the security version of each kind of artifact."""

from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import Command, header_of
from tests.unit.artifact.cli.test_write import BOOTSTRAP, MODULE, OUT, ROOTFS


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (ROOTFS, "rootfs-image"),
        (MODULE, "rootfs-image.mod"),
        (BOOTSTRAP, "rootfs-image"),
        ((*MODULE, "--software-name", "app"), "rootfs-image.app"),
    ],
)
def test_each_kind_of_artifact_takes_a_security_version(
    command: Command, image: Path, kind: tuple[str, ...], key: str
) -> None:
    command.ok(*kind, "--security-version", "3", "--lower-security-floor", "5")

    (payload,) = header_of(OUT).payloads
    assert payload.provides[f"{key}.security_version"] == "3"
    assert payload.provides[f"{key}.security_lowers"] == "5"
    assert f"{key}.security_version: 3" in command.ok("read", OUT).out


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (("--security-version", "x"), "--security-version: 'x' is not a security version"),
        (("--lower-security-floor", "5"), "needs --security-version"),
        (("--security-version", "0", "-v", "2"), "--security-version: format version 2 cannot"),
        (("-p", "rootfs-image.app.security_version:3"), "does not belong to"),
        (
            ("--security-version", "7", "-p", "rootfs-image.security_version:3"),
            "contradicts --security-version",
        ),
    ],
)
def test_a_wrong_security_version_is_refused(
    command: Command, image: Path, options: tuple[str, ...], finding: str
) -> None:
    done = command(*ROOTFS, *options)

    assert done.code
    assert finding in done.err
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("kind", "key"),
    [(ROOTFS, "rootfs-image"), ((*MODULE, "--software-name", "app"), "rootfs-image.app")],
)
def test_a_changed_artifact_keeps_its_security_version_or_gets_the_one_that_is_asked_for(
    command: Command, image: Path, kind: tuple[str, ...], key: str
) -> None:
    command.ok(*kind, "--security-version", "3", "--lower-security-floor", "5")

    command.ok("modify", OUT, "-p", "other:x")

    kept = {f"{key}.security_version": "3", f"{key}.security_lowers": "5"}
    assert header_of(OUT).payloads[0].provides == {"other": "x", **kept}
    command.ok("modify", OUT, "--security-version", "4")
    assert header_of(OUT).payloads[0].provides == {"other": "x", f"{key}.security_version": "4"}
    command.ok("modify", OUT, "-p", f"{key}.security_version:6")
    assert header_of(OUT).payloads[0].provides == {f"{key}.security_version": "6"}
    assert command("modify", OUT, "--security-version", "").code
