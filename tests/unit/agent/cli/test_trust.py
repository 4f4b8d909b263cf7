# SPDX-License-Identifier: Apache-2.0
"""Which artifacts a device installs: signed by whom, and not older than what it has."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ota_agent.cli.main import main
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.keys import PrivateKey
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

VENDOR, STRANGER = (PrivateKey("test", ec.generate_private_key(ec.SECP256R1())) for _ in "12")


def artifact(folder: Path, version: str, key: PrivateKey | None = None) -> Path:
    header = PayloadHeader(type="rootfs-image", provides={"rootfs-image.version": version})
    payload = PayloadSpec(header, sources(folder / version, {"root": b"new" * 1000}))
    spec = ArtifactSpec(
        Header(
            version=3,
            artifact_name=f"v{version}",
            compatible_types=("scratch",),
            payloads=(header,),
        ),
        (payload,),
    )
    path = folder / f"{version}.mender"
    written(spec, path, signer=key)
    return path


def trusted(folder: Path) -> str:
    path = folder / "vendor.pem"
    public = VENDOR.key.public_key()
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return str(path)


def install(device: Scratch, path: Path) -> int:
    return main(["install", "--config", str(device.configuration), str(path)])


def device_with(folder: Path, **keys: object) -> Scratch:
    health = folder / "health.d"
    health.mkdir()
    return scratch(
        folder / "device",
        slot=1 << 20,
        keys=keys,
        commit={"folder": str(health)},
        scripts={"folders": []},
    )


def test_what_a_trusted_key_has_signed_is_installed(tmp_path: Path) -> None:
    device = device_with(tmp_path, keys=[trusted(tmp_path)])

    assert install(device, artifact(tmp_path, "1", VENDOR)) == 0


@pytest.mark.parametrize(
    ("key", "finding"),
    [(None, "is not signed"), (STRANGER, "was not made by any of the given keys")],
)
def test_what_nobody_trusted_has_signed_is_refused_before_the_slot_is_touched(
    tmp_path: Path, key: PrivateKey | None, finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device = device_with(tmp_path, keys=[trusted(tmp_path)])
    before = device.slot("B").read_bytes()

    assert install(device, artifact(tmp_path, "1", key)) == 1

    assert finding in capsys.readouterr().err
    assert device.slot("B").read_bytes() == before


def test_an_install_that_nothing_verifies_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = device_with(tmp_path)
    path = artifact(tmp_path, "1", STRANGER)

    assert install(device, path) == 0

    said = capsys.readouterr().err
    assert f"install: {path}: NOT VERIFIED: no key is configured" in said


def test_a_verified_install_is_silent_about_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = device_with(tmp_path, keys=[trusted(tmp_path)])

    assert install(device, artifact(tmp_path, "1", VENDOR)) == 0

    assert "NOT VERIFIED" not in capsys.readouterr().err


def test_a_device_whose_keys_have_all_expired_installs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = device_with(tmp_path, keys=[f"{trusted(tmp_path)}, expires = 2020-01-01"])

    assert install(device, artifact(tmp_path, "1", VENDOR)) == 1

    assert "expired on 2020-01-01" in capsys.readouterr().err


def test_an_older_version_is_refused_once_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = device_with(tmp_path, forbid_downgrade=True)
    assert install(device, artifact(tmp_path, "1.10")) == 0
    device.boot()
    assert main(["commit", "--config", str(device.configuration)]) == 0
    before = device.slot("A").read_bytes()

    assert install(device, artifact(tmp_path, "1.9")) == 1

    assert "downgrade: the artifact has rootfs-image.version '1.9'" in capsys.readouterr().err
    assert device.slot("A").read_bytes() == before
