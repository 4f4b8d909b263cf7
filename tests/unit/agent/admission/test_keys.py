# SPDX-License-Identifier: Apache-2.0
"""Which keys are good, and until when."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ota_agent.admission.keys import TrustedKey, VerifyOptions, load_keys, parse_key
from ota_agent.errors import AgentError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def loaded(*keys: str, now: float = NOW, least: float = 0.0) -> list[str]:
    found = load_keys(VerifyOptions(keys=keys), now=lambda: now, least=lambda: least)
    return [each.name for each in found]


def test_without_keys_nothing_is_verified() -> None:
    assert loaded() == []


def test_keys_are_good_until_the_end_of_their_last_day(pem: Path) -> None:
    assert loaded(str(pem), f"{pem}, expires = 2026-11-23") == [str(pem)] * 2
    assert loaded(str(pem), f"{pem},expires=2026-11-22") == [str(pem)]
    assert TrustedKey(pem, date(9999, 12, 31)).is_good(NOW)


def test_keys_that_have_all_expired_refuse_every_artifact(pem: Path) -> None:
    with pytest.raises(AgentError, match=r"key\.pem: expired on 2026-11-22; configure a key"):
        loaded(f"{pem}, expires = 2026-11-22")


def test_a_clock_in_1970_brings_no_expired_key_back(pem: Path) -> None:
    with pytest.raises(AgentError, match="expired on"):
        loaded(f"{pem}, expires = 2026-11-22", now=12.0, least=NOW)


def test_a_key_that_cannot_be_read_is_left_out_if_another_is_good(
    pem: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")

    assert loaded(str(tmp_path / "none.pem"), str(bad), str(pem)) == [str(pem)]

    assert "none.pem: No such file" in caplog.text
    assert "bad.pem: is not a public key" in caplog.text
    with pytest.raises(AgentError, match=r"no artifact can be verified: .*none\.pem"):
        loaded(str(tmp_path / "none.pem"))


@pytest.mark.parametrize(
    "text", ["/k.pem, expires = soon", "/k.pem, expires=2026-13-01", "/k.pem, expires ="]
)
def test_a_last_day_that_is_not_a_date_is_refused(text: str) -> None:
    with pytest.raises(AgentError, match="write it as expires = 2027-01-01"):
        parse_key(text)


def test_a_path_may_have_spaces_and_commas() -> None:
    assert parse_key(" /a, b/k.pem , expires = 2027-01-01 ") == TrustedKey(
        Path("/a, b/k.pem"), date(2027, 1, 1)
    )
    assert parse_key("/a, b/k.pem") == TrustedKey(Path("/a, b/k.pem"))
