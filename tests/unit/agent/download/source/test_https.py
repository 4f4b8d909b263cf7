# SPDX-License-Identifier: Apache-2.0
"""Over TLS: who is believed, and what is only waited for."""

from dataclasses import replace
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.server.options import TlsOptions
from tests.simulators.certificates import make
from tests.simulators.file_server import FileServer, Manner, file_server, moved
from tests.unit.agent.download.source.reading import CONTENT, OPTIONS, Reading


def test_a_certificate_that_is_trusted_is_enough(tmp_path: Path) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    trust = TlsOptions(ca_bundle=str(authority.path))
    with file_server(CONTENT, tls=make(tmp_path, "server", by=authority)) as server:
        server.next = [Manner(reset_after=150_000)]
        reading = Reading(server.url, tls=trust)

        assert reading.rest() == CONTENT
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("valid", "is_known", "said"),
    [
        ((-30.0, -1.0), True, "certificate has expired"),
        ((-1.0, 30.0), False, "unable to get local issuer certificate"),
    ],
)
def test_a_user_is_told_at_once_that_a_certificate_is_not_believed(
    tmp_path: Path, valid: tuple[float, float], is_known: bool, said: str
) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    other = make(tmp_path, "other", is_authority=True)
    trust = TlsOptions(ca_bundle=str((authority if is_known else other).path))
    with file_server(CONTENT, tls=make(tmp_path, "server", by=authority, valid=valid)) as server:
        reading = Reading(server.url, tls=trust, is_by_hand=True)

        with pytest.raises(AgentError, match=f"is not trusted: {said}; correct the"):
            reading.rest()

        assert reading.time.slept == []


def test_a_certificate_of_tomorrow_is_waited_for_since_the_clock_may_be_wrong(
    tmp_path: Path,
) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    trust = TlsOptions(ca_bundle=str(authority.path))
    with file_server(CONTENT, tls=make(tmp_path, "server", by=authority, valid=(1, 2))) as server:
        reading = Reading(server.url, replace(OPTIONS, no_progress=30.0), tls=trust)

        with pytest.raises(AgentError, match=r"not one new byte for .*not yet valid"):
            reading.rest()


def test_another_name_in_the_certificate_is_named(tmp_path: Path) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    trust = TlsOptions(ca_bundle=str(authority.path))
    wrong = make(tmp_path, "server", by=authority, hosts=("elsewhere.test",))
    with (
        file_server(CONTENT, tls=wrong) as server,
        pytest.raises(AgentError, match=r"is not trusted: .*127\.0\.0\.1"),
    ):
        Reading(server.url, tls=trust, is_by_hand=True).rest()


@pytest.mark.parametrize("is_by_hand", [False, True])
def test_the_certificate_of_a_captive_portal_is_waited_out(
    tmp_path: Path, is_by_hand: bool
) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    trust = TlsOptions(ca_bundle=str(authority.path))
    good, portal = make(tmp_path, "server", by=authority), make(tmp_path, "portal")
    with file_server(CONTENT, tls=good) as server:
        server.next = [Manner(reset_after=150_000)]
        reading = Reading(server.url, tls=trust, is_by_hand=is_by_hand)
        begin = reading.source.read(1)
        server.shows(portal)
        reading.time.meanwhile = lambda: (
            server.shows(good) if len(reading.time.slept) == 5 else None
        )

        assert begin + reading.rest() == CONTENT
        assert len(reading.time.slept) >= 5


def test_a_certificate_that_stays_wrong_ends_the_budget_with_the_reason(tmp_path: Path) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    trust = TlsOptions(ca_bundle=str(authority.path))
    with (
        file_server(CONTENT, tls=make(tmp_path, "portal")) as server,
        pytest.raises(AgentError, match=r"not one new byte for .*certificate is not trusted"),
    ):
        Reading(server.url, replace(OPTIONS, no_progress=30.0), tls=trust).rest()


def test_plain_http_behind_a_redirect_from_https_is_refused(tmp_path: Path) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    trust = TlsOptions(ca_bundle=str(authority.path), allow_plain_http=True)
    with (
        file_server(CONTENT) as plain,
        file_server(CONTENT, tls=make(tmp_path, "server", by=authority)) as server,
    ):
        server.manner = moved(plain.url)

        with pytest.raises(AgentError, match="and from https that must be https"):
            Reading(server.url, tls=trust).rest()

        assert plain.requests == []


def test_a_server_that_speaks_no_tls_does_not_hang_the_download(server: FileServer) -> None:
    reading = Reading(server.url.replace("http", "https"), replace(OPTIONS, no_progress=5.0))

    with pytest.raises(AgentError, match="not one new byte for"):
        reading.rest()
