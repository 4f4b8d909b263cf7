# SPDX-License-Identifier: Apache-2.0
"""Whether the server answers: one authentication, as the agent does it."""

from collections.abc import Iterator

from ota_agent.address import Address
from ota_agent.config.settings import Settings
from ota_agent.errors import AgentError, Unauthorized, Unreachable
from ota_artifact.finding import Finding, fault


def probe(settings: Settings) -> Iterator[Finding]:
    """What keeps this device from its server; makes the device's key, if there is none yet."""
    if not settings.server.urls:
        return
    place = ", ".join(str(Address(each)) for each in settings.server.urls)
    try:
        authenticate(settings)
    except Unauthorized as error:
        yield fault("device-not-accepted", place, error, "accept the device at the server")
    except Unreachable as error:
        yield fault(
            "server-unreachable",
            place,
            error,
            "see whether the network is up, the name is known, and the certificate is the one"
            " that [tls] trusts",
        )
    except AgentError as error:
        yield fault("server-unreachable", place, error, "correct agent.toml")


def authenticate(settings: Settings) -> Address:
    """Have the server accept this device; gives the address that did.

    Raises:
        Unreachable, Unauthorized, AgentError: it did not.
    """
    from ota_agent.server import attributes, http
    from ota_agent.server.client import Server
    from ota_agent.server.key import DeviceKey

    timeout = min(settings.server.timeout, _PATIENCE)
    server = Server(
        settings.server,
        lambda: http.pool(settings.tls, timeout=timeout),
        DeviceKey(settings.key),
        lambda: attributes.identity(settings.attributes.identity),
    )
    return server.authenticate().url


_PATIENCE = 20.0  # [s] a user waits for it
