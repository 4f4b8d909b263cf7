# SPDX-License-Identifier: Apache-2.0
"""What is set for the server: who it is, whom we believe, and how it knows us.

Apart from what uses them: every command reads its options, and few need a connection.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ota_agent.bounds import bounded


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The server that says what this device should run.

    Attributes:
        urls: its addresses, such as https://updates.example.com; the next one is tried when one
            cannot be reached. None: this device has no server.
        tenant_token: whose device this is, where a server has several owners; empty for none.
        timeout: seconds that a question and its answer may take in all, from the server's name to
            the last byte; what is sent may take a second more for each 4 KiB.
    """

    urls: tuple[str, ...] = field(default=(), repr=False)
    tenant_token: str = field(default="", repr=False)
    timeout: float = bounded(60.0, least=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Which servers are believed, and how we prove who we are.

    Attributes:
        server_certificate: PEM file with certificates that are trusted in addition to the
            system's; empty for none.
        ca_bundle: PEM file with certificates that are trusted instead of the system's; empty for
            the system's.
        pins: SHA-256 of public keys, in hex or base64: the server's certificate has to hold one of
            them. Without server_certificate and ca_bundle, that is all it has to prove, whatever
            the clock says.
        pinned_hosts: the hosts that pins are for, such as the server's but not that of a storage
            which artifacts are downloaded from; none means every host.
        client_certificate: PEM file with our certificate, for mutual TLS; empty for none.
        client_key: PEM file with its key; empty if that is in client_certificate.
        skip_verify: believe any server. Only for the bench: any machine on the network between
            can be the server.
        allow_plain_http: also talk to servers without TLS. Only for the bench.
        set_clock: when the agent starts and the clock is before the time the agent was built, set
            it to that: a board without a battery cannot check certificates in 1970.
    """

    server_certificate: str = ""
    ca_bundle: str = ""
    pins: tuple[str, ...] = ()
    pinned_hosts: tuple[str, ...] = ()
    client_certificate: str = ""
    client_key: str = ""
    skip_verify: bool = False
    allow_plain_http: bool = False
    set_clock: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions:
    """The device's key, which proves to the server who this device is.

    Attributes:
        path: the private key in PEM; it is made when it is not there.
        algorithm: of a key that is made. A key that is there may be any of them.
        passphrase_file: file whose first line is the key's passphrase; empty for a key without
            one.
        mender_key: the key of Mender's client: it becomes ours if there is no other; the server
            then still knows the device; empty for none.
    """

    path: Path = Path("/data/ota/key.pem")
    algorithm: Literal["ed25519", "ecdsa", "rsa"] = "ed25519"
    passphrase_file: str = ""
    mender_key: str = "/var/lib/mender/mender-agent.pem"


@dataclass(frozen=True, slots=True)
class AttributeOptions:
    """Programs that say who this device is, and what is in it; each line of theirs is key=value.

    Attributes:
        identity: folders with programs that say what tells this device from all others; those of
            the first folder that has any count.
        inventory: folders with programs that say what a user of the server may want to know; a
            program in an earlier folder takes the place of one with its name in a later one.
    """

    identity: tuple[Path, ...] = (
        Path("/usr/share/ota/identity"),
        Path("/usr/share/mender/identity"),
    )
    inventory: tuple[Path, ...] = (
        Path("/usr/share/ota/inventory"),
        Path("/usr/share/mender/inventory"),
    )
