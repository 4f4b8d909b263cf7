# SPDX-License-Identifier: Apache-2.0
"""What `setup` asks on a terminal; Enter keeps what is there."""

from collections.abc import Callable, Mapping
from typing import get_args

from ota_agent.address import Address
from ota_agent.config.settings import Settings
from ota_agent.device.device_type import device_type_of
from ota_agent.errors import AgentError
from ota_agent.trial.health import Policy

Ask = Callable[[str], str]

_PLAIN = "Talk to it without TLS? Anybody on the way can read and change it"
_POLICY = """\
If a new system runs, and its server is out of reach, it is
  require-server  rolled back after a while: a system without its server is useless
  grace           kept after a day, if the health checks pass
  local           kept at once, if the health checks pass"""


def asked(
    now: Settings,
    said: Mapping[str, object],
    *,
    ask: Ask = input,
    say: Callable[[str], None] = print,
) -> dict[str, object]:
    """The values from options, and the answers to all other questions; None for what stays.

    Args:
        said: the values by option; None for what is to be asked.
    """
    found = dict(said)

    def fill(name: str, answer: Callable[[], object]) -> None:
        if found[name] is None:
            found[name] = answer()

    say("Enter keeps what is in brackets; a single - takes it away.")
    fill(
        "server", lambda: _list(ask, "Server, such as https://updates.example.com", now.server.urls)
    )
    urls = found["server"] if found["server"] is not None else now.server.urls
    if urls:
        fill("tenant_token", lambda: _text(ask, "Tenant token", now.server.tenant_token))
        fill(
            "server_certificate",
            lambda: _text(ask, "Certificate of your own server (file)", now.tls.server_certificate),
        )
        if any(str(each).startswith("http://") for each in urls):  # type: ignore[attr-defined]
            fill("allow_plain_http", lambda: _yes(ask, _PLAIN, now.tls.allow_plain_http))
    fill("device_type", lambda: _text(ask, "Device type", _type(now)) or None)
    fill(
        "key",
        lambda: _list(ask, "Public keys that artifacts are signed with (files)", now.keys.keys),
    )
    if found["policy"] is None and urls:
        say(_POLICY)
    fill("policy", lambda: _choice(ask, now.commit.policy) if urls else None)
    if found["device_type"] == _type(now):
        found["device_type"] = None  # a file on /data says so: it stays the one that does
    return found


def _type(now: Settings) -> str:
    try:
        return device_type_of(now.device)
    except AgentError:
        return ""


def _text(ask: Ask, question: str, now: str) -> str:
    answer = ask(f"{question} [{now}]: ").strip()
    return "" if answer == "-" else answer or now


def _list(ask: Ask, question: str, now: tuple[str, ...]) -> list[str]:
    shown = " ".join(str(Address(each)) for each in now)
    answer = ask(f"{question} [{shown}]: ").strip()
    return [] if answer == "-" else answer.split() or list(now)


def _yes(ask: Ask, question: str, default: bool) -> bool:
    answer = ask(f"{question} [{'Y/n' if default else 'y/N'}]: ").strip()
    return answer.lower().startswith("y") if answer else default


def _choice(ask: Ask, now: str) -> str:
    while True:
        answer = ask(f"Policy [{now}]: ").strip() or now
        if answer in get_args(Policy):
            return answer
