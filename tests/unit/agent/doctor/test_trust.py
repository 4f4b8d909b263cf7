# SPDX-License-Identifier: Apache-2.0
"""Hazards of clock, certificates and keys."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ota_agent.doctor.trust import addresses, clock, validity
from ota_agent.server.options import ServerOptions, TlsOptions
from tests.simulators.certificates import make
from tests.unit.agent.doctor.patient import patient, public_key

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_clock_before_the_agent_was_built_is_an_error_unless_it_is_set() -> None:
    assert list(clock(2.0, 1.0, is_set=True)) == []
    assert [each.severity for each in clock(0.0, 1.0, is_set=True)] == ["warning"]
    assert [each.severity for each in clock(0.0, 1.0, is_set=False)] == ["error"]


@pytest.mark.parametrize(
    ("urls", "tls", "found"),
    [
        (("https://a.example",), TlsOptions(), []),
        ((), TlsOptions(), [("no-server", "warning")]),
        (("a.example",), TlsOptions(), [("server-url-wrong", "error")]),
        (("http://a",), TlsOptions(), [("plain-http", "error")]),
        (("http://a",), TlsOptions(allow_plain_http=True), [("plain-http", "warning")]),
        (("https://a",), TlsOptions(skip_verify=True), [("any-server-believed", "warning")]),
    ],
)
def test_addresses(urls: tuple[str, ...], tls: TlsOptions, found: list[tuple[str, str]]) -> None:
    hazards = [(each.hazard, each.severity) for each in addresses(ServerOptions(urls), tls)]

    assert hazards == found


@pytest.mark.parametrize(
    ("days", "severity"), [(-1, ["error"]), (0, ["error"]), (29, ["warning"]), (31, [])]
)
def test_how_long_a_certificate_is_good(days: int, severity: list[str]) -> None:
    found = list(validity("x", NOW + timedelta(days=days), NOW))

    assert [each.severity for each in found] == severity


def test_a_certificate_that_has_expired_is_found_in_its_file(tmp_path: Path) -> None:
    old = make(tmp_path, "old", valid=(-20, -10))
    device = patient(tmp_path, tls={"server_certificate": str(old.path)})

    assert str(old.path) in device.hazards()["certificate-expired"].place


def test_an_expired_certificate_is_not_a_hazard_if_its_successor_is_there(tmp_path: Path) -> None:
    old, new = make(tmp_path, "old", valid=(-20, -10)), make(tmp_path, "new", valid=(-1, 300))
    both = tmp_path / "both.pem"
    both.write_bytes(old.path.read_bytes() + new.path.read_bytes())
    device = patient(tmp_path, tls={"server_certificate": str(both)})

    assert not {each for each in device.hazards() if each.startswith("certificate")}


@pytest.mark.parametrize("text", [None, "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_files_that_are_not_certificates_are_found(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "server.crt"
    if text is not None:
        path.write_text(text + "-----END CERTIFICATE-----\n")
    device = patient(tmp_path, tls={"server_certificate": str(path)})

    assert f"[tls] server_certificate: {path}" == device.hazards()["tls-file-unreadable"].place


def test_a_private_key_that_others_can_read_is_found(tmp_path: Path) -> None:
    own = make(tmp_path, "own", valid=(-1, 300))
    own.key_path.chmod(0o644)
    tls = {"client_certificate": str(own.path), "client_key": str(own.key_path)}

    assert "chmod 600" in patient(tmp_path, tls=tls).hazards()["private-key-open"].remedy


def test_a_pin_that_is_not_a_digest_is_found(tmp_path: Path) -> None:
    assert "pin-wrong" in patient(tmp_path, tls={"pins": ["abc"]}).hazards()


def test_keys(tmp_path: Path) -> None:
    good = str(public_key(tmp_path / "good.pem"))
    old = f"{good}, expires = 2020-01-01"
    (tmp_path / "bad.pem").write_text("no key")
    device = patient(tmp_path)

    def hazards(*keys: str) -> dict[str, str]:
        text = device.device.configuration.read_text()
        before, _, behind = text.partition("keys = [")
        device.device.configuration.write_text(
            f"{before}keys = [{', '.join(f'{chr(39)}{key}{chr(39)}' for key in keys)}"
            f"]{behind.partition(']')[2]}"
        )
        found = device.hazards()
        return {name: found[name].severity for name in found if "key" in name}

    assert hazards() == {"no-verification-keys": "warning"}
    assert hazards(good) == {}
    assert hazards(good, old) == {"key-expired": "warning"}
    assert hazards(old) == {"key-expired": "error", "no-key-is-good": "error"}
    assert hazards(good, str(tmp_path / "bad.pem")) == {"key-unreadable": "warning"}
    assert hazards(str(tmp_path / "none.pem")) == {
        "key-unreadable": "error",
        "no-key-is-good": "error",
    }
    assert hazards(f"{good}, expires = soon", good) == {"key-unreadable": "warning"}
    soon = (datetime.now(UTC) + timedelta(days=3)).date()
    assert hazards(f"{good}, expires = {soon}") == {"key-expires": "warning"}
