# SPDX-License-Identifier: Apache-2.0
"""The device API, against a server over real HTTP that checks what a Mender server checks."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ota_agent.address import Address
from ota_agent.errors import Aborted, AgentError, Unauthorized, Unreachable
from ota_agent.server.client import Deployment, Server
from ota_agent.server.http import pool
from ota_agent.server.options import ServerOptions, TlsOptions
from ota_agent.server.response import LIMIT
from ota_agent.server.signer import signature
from tests.simulators.certificates import make
from tests.simulators.mender_fleet import Fleet
from tests.simulators.mender_server import Fault, MenderServer, mender_server

IDENTITY = '{"mac":"00:11:22:33:44:55"}'
PROVIDES = {"artifact_name": "v1", "rootfs-image.version": "v1"}


class MemoryKey:
    """A key in memory, that signs as the one in the file does."""

    def __init__(self, kind: str = "ed25519") -> None:
        self.key: Any = ed25519.Ed25519PrivateKey.generate()
        if kind == "ecdsa":
            self.key = ec.generate_private_key(ec.SECP256R1())
        elif kind == "rsa":
            self.key = rsa.generate_private_key(65537, 2048)

    @property
    def public(self) -> str:
        public = self.key.public_key()
        found: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return found.decode()

    def sign(self, message: bytes) -> bytes:
        return signature(self.key, message)


_open: list[urllib3.PoolManager] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Connections of a test end with it."""
    yield
    while _open:
        _open.pop().clear()


@pytest.fixture
def server() -> Iterator[MenderServer]:
    with mender_server() as found:
        yield found


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "v2.mender"
    path.write_bytes(bytes(range(256)) * 4)
    return path


def connected(options: TlsOptions, timeout: float = 2.0) -> urllib3.PoolManager:
    _open.append(pool(options, timeout=timeout, environment={}))
    return _open[-1]


def client(*servers: MenderServer | str, key: MemoryKey | None = None, **options: Any) -> Server:
    urls = tuple(each if isinstance(each, str) else each.url for each in servers)
    connections = connected(TlsOptions(allow_plain_http=True))
    settings = ServerOptions(**{"urls": urls, "timeout": 2.0, **options})
    return Server(settings, lambda: connections, key or MemoryKey(), lambda: IDENTITY)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_device_proves_who_it_is_with_any_kind_of_key(server: MenderServer, kind: str) -> None:
    key = MemoryKey(kind)

    session = client(server, key=key, tenant_token="mine").authenticate()

    assert session.url.full == server.url
    assert server.fleet.device.key == key.public
    assert server.fleet.device.identity.replace(" ", "") == IDENTITY
    assert server.fleet.tenant_tokens == ["mine"]


def test_a_signature_by_another_key_is_not_accepted(server: MenderServer) -> None:
    key, other = MemoryKey(), MemoryKey()
    key.sign = other.sign  # type: ignore[method-assign]

    with pytest.raises(Unauthorized, match="signature verification failed"):
        client(server, key=key).authenticate()


def test_a_device_that_is_not_accepted_yet_is_later() -> None:
    with mender_server(Fleet(accepts=False)) as server:
        device = client(server)
        with pytest.raises(Unauthorized, match=r"does not accept this device, or not yet .*accept"):
            device.next_deployment(PROVIDES, "board")
        server.fleet.device.status = "accepted"

        assert device.next_deployment(PROVIDES, "board") is None


def test_the_server_is_told_what_the_device_provides_and_says_what_to_install(
    server: MenderServer, artifact: Path
) -> None:
    states = {"states": {"ArtifactInstall_Enter": {"action": "pause"}}}
    deployment = server.fleet.deploy(artifact, states)

    found = client(server).next_deployment(PROVIDES, "board")

    url = f"{server.url}/artifacts/{deployment.id}/v2.mender"
    control_map = {"id": deployment.id, **states}
    assert found == Deployment(id=deployment.id, url=Address(url), control_map=control_map)
    assert found.artifact == "v2"
    assert server.fleet.device.provides == {**PROVIDES, "device_type": "board"}
    assert server.asked("next")[0].json["update_control_map"] is True


def test_a_server_without_version_2_is_asked_in_version_1_from_then_on(artifact: Path) -> None:
    with mender_server(Fleet(has_v2=False)) as server:
        device = client(server)
        assert device.next_deployment(PROVIDES, "a board") is None
        deployment = server.fleet.deploy(artifact)

        found = device.next_deployment(PROVIDES, "a board")

    assert found is not None
    assert found.id == deployment.id
    assert [each.method for each in server.asked("next")] == ["POST", "GET", "GET"]
    assert server.fleet.device.provides == {"artifact_name": "v1", "device_type": "a board"}


def test_statuses_and_the_log_arrive(server: MenderServer, artifact: Path) -> None:
    deployment, device = server.fleet.deploy(artifact), client(server)
    line = {"timestamp": "2026-11-23T10:00:00Z", "level": "info", "message": "ä"}

    device.report(deployment.id, "downloading")
    device.report(deployment.id, "installing", "script " + "x" * 300)
    device.send_log(deployment.id, [line])
    device.send_log(deployment.id, [])

    assert deployment.statuses == ["downloading", "installing"]
    assert deployment.substates == ["", ("script " + "x" * 300)[:200]]
    assert deployment.log == [line]
    assert len(server.asked("/log")) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_an_aborted_deployment_is_known_when_its_status_is_told(
    server: MenderServer, artifact: Path, gone: bool
) -> None:
    deployment, device = server.fleet.deploy(artifact), client(server)
    deployment.is_aborted = not gone

    with pytest.raises(Aborted, match="has aborted it"):
        device.report("another" if gone else deployment.id, "installing")


def test_the_control_map_is_asked_for_again(server: MenderServer, artifact: Path) -> None:
    deployment, device = server.fleet.deploy(artifact), client(server)
    assert device.control_map(deployment.id) is None

    deployment.control_map = {"priority": 1}
    assert device.control_map(deployment.id) == {"id": deployment.id, "priority": 1}

    deployment.is_aborted = True
    with pytest.raises(Aborted):
        device.control_map(deployment.id)


def test_an_inventory_is_sent_once_unless_it_changes_or_the_token_does(
    server: MenderServer,
) -> None:
    device = client(server)
    for attributes in ({"a": "1"}, {"a": "1"}, {"a": ("1", "2")}):
        device.send_inventory(attributes)
    assert len(server.asked("attributes")) == 2
    assert server.fleet.device.attributes == {"a": ["1", "2"]}

    device.forget_token()
    device.send_inventory({"a": ("1", "2")})
    assert len(server.asked("attributes")) == 3


def test_a_server_that_knows_no_put_of_an_inventory_gets_a_patch(server: MenderServer) -> None:
    server.faults.append(Fault(path="attributes", status=405))

    client(server).send_inventory({"a": "1"})

    assert [each.method for each in server.asked("attributes")] == ["PUT", "PATCH"]
    assert server.fleet.device.attributes == {"a": "1"}


def test_a_token_that_is_refused_is_replaced_once(server: MenderServer) -> None:
    device = client(server)
    device.authenticate()
    server.fleet.revoke_tokens()

    assert device.next_deployment(PROVIDES, "board") is None
    assert len(server.asked("auth_requests")) == 2

    server.faults.append(Fault(path="next", status=401, times=9))
    with pytest.raises(Unauthorized, match="still accepted"):
        device.next_deployment(PROVIDES, "board")
    assert len(server.asked("auth_requests")) == 3


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (Fault(status=500), "500: internal error"),
        (Fault(status=502, body=b"<html>Bad\nGateway</html>"), "502: <html>Bad Gateway</html>"),
        (Fault(kind="reset", times=2), "reset|aborted|closed"),  # an idle connection, and a new one
        (Fault(status=200, body=b'{"id": '), "is not JSON.*is this the address"),
        (Fault(status=200, body=b"[1]"), "must be a JSON object"),
        (Fault(status=200, body=b"x" * (LIMIT + 1)), "longer than 1048576 B"),
        (Fault(status=200, body=b'{"id":"d","artifact":{}}'), "d has no address"),
        (Fault(status=200, body=b'{"id":"../x"}'), "without a name that can be one"),
        (
            Fault(status=200, body=b'{"id":"d","artifact":{"source":{"uri":"file:///etc/x"}}}'),
            "d has no address",
        ),
        (
            Fault(status=200, body=b'{"id":"d","artifact":{"source":{"uri":["x"]}}}'),
            "d has no address",
        ),
    ],
)
def test_an_answer_without_sense_is_a_server_out_of_reach(
    server: MenderServer, fault: Fault, finding: str
) -> None:
    device = client(server)
    device.authenticate()
    server.faults.append(fault)

    with pytest.raises(Unreachable, match=finding):
        device.next_deployment(PROVIDES, "board")
    assert device.next_deployment(PROVIDES, "board") is None


def test_a_server_that_says_nothing_is_given_up(server: MenderServer) -> None:
    server.faults.append(Fault(path="next", kind="stall", seconds=30))
    connections = connected(TlsOptions(allow_plain_http=True), 30)  # as downloads have it
    options = ServerOptions((server.url,), timeout=0.2)
    device = Server(options, lambda: connections, MemoryKey(), lambda: IDENTITY)

    with pytest.raises(Unreachable, match="timed out"):
        device.next_deployment(PROVIDES, "board")


@pytest.mark.parametrize(
    ("status", "finding"),
    [(413, "it is not sent again"), (400, "400: why"), (302, "the server redirects")],
)
def test_what_the_server_would_refuse_again_is_not_tried_again(
    server: MenderServer, artifact: Path, status: int, finding: str
) -> None:
    deployment = server.fleet.deploy(artifact)
    headers = {"Location": f"{server.url}/elsewhere"}
    server.faults.append(Fault(path="log", status=status, body=b'{"error":"why"}', headers=headers))
    line = {"timestamp": "t", "level": "info", "message": "m"}

    with pytest.raises(AgentError, match=finding) as caught:
        client(server).send_log(deployment.id, [line])

    assert not isinstance(caught.value, Unreachable)
    assert not server.asked("elsewhere")


def test_another_address_is_tried_when_one_is_out_of_reach(server: MenderServer) -> None:
    with mender_server() as other:
        device = client("http://127.0.0.1:1", server, other)
        assert device.authenticate().url.full == server.url
        server.faults.append(Fault(path="next", times=99))

        assert device.next_deployment(PROVIDES, "board") is None

        assert device.session is not None
        assert device.session.url.full == other.url
        other.faults.append(Fault(times=99))
        with pytest.raises(Unreachable):
            device.next_deployment(PROVIDES, "board")


def test_a_device_that_one_address_does_not_accept_may_be_accepted_by_the_next(
    server: MenderServer,
) -> None:
    with mender_server(Fleet(accepts=False)) as strict:
        assert client(strict, server).authenticate().url.full == server.url
        with pytest.raises(Unauthorized):
            client(strict, "http://127.0.0.1:1").authenticate()


def test_a_device_without_a_server_says_so() -> None:
    with pytest.raises(AgentError, match=r"server\.urls: is empty"):
        client().authenticate()
    with pytest.raises(AgentError, match="is not an address; write it as https"):
        client("updates.example.com")


def test_a_token_is_not_believed_to_be_one(server: MenderServer) -> None:
    for body in (b"", b"a b", b"x\r\nEvil: 1", "ä".encode(), b"x" * 20000):
        server.faults.append(Fault(path="auth", status=200, body=body))
        with pytest.raises(Unreachable, match="is not a token"):
            client(server).authenticate()


def test_a_server_with_an_expired_certificate_is_refused_with_a_hint(tmp_path: Path) -> None:
    old = make(tmp_path, "old", valid=(-9, -1))
    options = TlsOptions(ca_bundle=str(old.path))

    with mender_server(certificate=old) as server:
        connections = connected(options)
        device = Server(
            ServerOptions((server.url,)), lambda: connections, MemoryKey(), lambda: IDENTITY
        )
        with pytest.raises(Unreachable, match=r"expired.*is this device's clock right"):
            device.authenticate()


def test_a_device_with_a_certificate_may_talk_to_a_server_that_asks_for_one(tmp_path: Path) -> None:
    authority = make(tmp_path, "authority", is_authority=True)
    leaf = make(tmp_path, "leaf", by=authority)
    device = make(tmp_path, "device", by=authority)
    options = TlsOptions(
        ca_bundle=str(authority.path),
        client_certificate=str(device.path),
        client_key=str(device.key_path),
    )
    heard: list[float] = []

    with mender_server(certificate=leaf, clients_of=authority) as server:
        connections = connected(options)
        settings = ServerOptions((server.url,))
        found = Server(
            settings, lambda: connections, MemoryKey(), lambda: IDENTITY, heard=heard.append
        )
        assert found.next_deployment(PROVIDES, "board") is None

    assert heard == [pytest.approx(time.time(), abs=30)]


def test_what_time_it_is_is_not_believed_without_tls(server: MenderServer) -> None:
    heard: list[float] = []
    connections = connected(TlsOptions(allow_plain_http=True))
    settings = ServerOptions((server.url,))
    found = Server(settings, lambda: connections, MemoryKey(), lambda: IDENTITY, heard=heard.append)

    found.next_deployment(PROVIDES, "board")

    assert heard == [0.0]
