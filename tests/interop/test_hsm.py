# SPDX-License-Identifier: Apache-2.0
"""The commands on the page about HSMs work as written, with SoftHSM."""

from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from tests.conftest import requires_program
from tests.house.pages import commands, follow
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "howto" / "sign-with-an-hsm.md"

pytestmark = [
    pytest.mark.boot,
    requires_program("softhsm2-util", package="softhsm2"),
    requires_program("pkcs11-tool", package="opensc"),
    requires_program("mender-artifact", package="mender-artifact"),
    requires_program("openssl", package="openssl"),
]


def test_the_page_on_hsms_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    said = follow(commands(PAGE.read_text("utf-8")))

    assert said.count("Artifact file 'app.mender' validated successfully") == 4


def test_a_signature_of_another_key_is_not_put_into_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out public.pem"
    script = commands(PAGE.read_text("utf-8"))
    wrong = script.replace("\necho v1 > app\n", f"\n{other}\necho v1 > app\n")

    with pytest.raises(ProgramError, match=r"public\.pem does not accept the signature"):
        follow(wrong)

    assert wrong != script
    assert not (tmp_path / "app.mender").exists()
