# SPDX-License-Identifier: Apache-2.0
"""Certificates that name no host, over real TLS, and as every version of urllib3 sees them."""

import ssl
from pathlib import Path

import pytest
import urllib3

from ota_agent.server.names import check_names
from tests.conftest import requires_localhost
from tests.simulators.certificates import Certificate, make
from tests.unit.agent.server.test_http import got, served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def authority(folder: Path) -> Certificate:
    return make(folder, "authority", is_authority=True)


@requires_localhost
@pytest.mark.parametrize("hosts", [(), ("*",)])
def test_a_certificate_that_names_no_host_is_refused(
    folder: Path, authority: Certificate, hosts: tuple[str, ...]
) -> None:
    """Its common name is that of the server; urllib3 1.26 would take it."""
    bare = make(folder, "localhost", by=authority, hosts=hosts)

    for trusted in (authority, bare):
        with (
            served(bare) as address,
            pytest.raises(urllib3.exceptions.HTTPError, match="subjectAltName"),
        ):
            got(
                address.replace("127.0.0.1", "localhost"),
                server_certificate=str(trusted.path),
            )


@requires_localhost
def test_a_certificate_for_any_host_is_refused_and_its_own_names_stay_good(
    folder: Path, authority: Certificate
) -> None:
    certificate = make(folder, "any", by=authority, hosts=("*", "127.0.0.1"))

    with served(certificate) as address:
        assert got(address, ca_bundle=str(authority.path)) == b"here"
        with pytest.raises(urllib3.exceptions.HTTPError, match="names '\\*', which is any host"):
            got(address.replace("127.0.0.1", "localhost"), ca_bundle=str(authority.path))


def test_names_of_other_kinds_do_not_count() -> None:
    subject = ((("commonName", "a.example"),),)

    for names in ((), (("URI", "https://a.example"),), (("email", "a@a.example"),)):
        with pytest.raises(ssl.SSLError, match="make one with subjectAltName"):
            check_names("a.example", {"subject": subject, "subjectAltName": names})

    check_names("a.example", {"subjectAltName": (("DNS", "b.example"),)})  # urllib3 looks for it
    check_names("10.0.0.1", {"subjectAltName": (("IP Address", "10.0.0.1"),)})
