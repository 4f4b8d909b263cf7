# SPDX-License-Identifier: Apache-2.0
"""Secrets in a log are taken out, in a time that nothing in the log can stretch."""

import json
import logging
import re
import time
from pathlib import Path

import pytest

from ota_agent.config.settings import load_settings
from ota_agent.errors import AgentError
from ota_agent.server.deployment_log import DeploymentLog, LogOptions
from ota_agent.server.redaction import MASK, check_pattern, redactor

KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKjMzEf"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=hunter2", "password="),
        ("DB_PASSWORD: hunter2, and more", "DB_PASSWORD: "),
        ('{"passwd": "hunter2 3", "user": "ada"}', '{"passwd": '),
        ("wpa_passphrase='hunter2 3'", "wpa_passphrase="),
        ("api_key = hunter2", "api_key = "),
        ("GET /?token=hunter2&b=1", "GET /?token="),
        ("client_secret=hunter2", "client_secret="),
        ("curl --token hunter2 x", "curl --token "),
        ("mount -o user=a,password=hunter2,ro", "password="),
        ("psk=hunter2", "psk="),
        ("Authorization: Bearer hunter2.hunter2", "Authorization:"),
        ('proxy-authorization: Digest username="a", response="hunter2"', "proxy-authorization:"),
        ("sent Bearer hunter2hunter2 to it", "sent Bearer "),
        ("Set-Cookie: id=hunter2; Secure", "Set-Cookie:"),
        (f"eyJhbGciOiJFZERTQSJ9.{'hunter2' * 3}.hunter2", ""),
        (f"-----BEGIN PRIVATE KEY-----{KEY}hunter2", "-----BEGIN PRIVATE KEY-----"),
        (f"module (stdout): {KEY}hunter2", "module (stdout): "),
        ("https://ada:hunter2@a.example/x?X-Sig=hunter2", "https://a.example/x"),
        ("get <https://ada:p<'hunter2@a.example/x>", "get <https://a.example/x>"),
        ("proxy is ada:hunter2@proxy.example:3128", "proxy is ada:"),
        ("http_proxy=ada:hunter2@proxy.example:3128", "http_proxy=ada:"),
        ("GET /a?X-Amz-Signature=hunter2&b=1", "&b=1"),
        (r"sent {\"password\": \"hunter2\", \"a\": 1}", r"\"a\": 1}"),
        ("<Password type='x'>hunter2</Password>", "</Password>"),
        ("password:       hunter2", "password:       "),
        ("'password' => 'hunter2'", "'password' => "),
        ("token := hunter2", "token := "),
        ("password:\n    hunter2", "password:\n    "),
        (r'password="a\"hunter2"', "password="),
        ('"password": ["hunter2"]', '"password": '),
        ("the password 'hunter2' is wrong", " is wrong"),
        ("passphrase: correct horse hunter2", "passphrase: "),
        ("password%3Dhunter2", "password%3D"),
        ("PresharedKey = hunter2", "PresharedKey = "),
        ("WIFI_PASS=hunter2", "WIFI_PASS="),
        ("pkcs11:object=y?pin-value=hunter2", "object=y?pin-value="),
        ("JSESSIONID=hunter2", "JSESSIONID="),
        ("curl -u ada:hunter2 x", "curl -u ada:"),
        ("sshpass -p hunter2 ssh x", "sshpass -p "),
        ("root:$6$salt$hunter2hunter2:19000:0", "root:"),
        ("root:$y$j9T$salt$hunter2hunter2:19000:0", "root:"),
        (f"ghp_{'hunter2' * 5}", ""),
    ],
)
def test_what_is_secret_is_not_shown(line: str, shown: str) -> None:
    found = redactor()(line)

    assert "hunter2" not in found
    assert shown in found
    assert MASK in found or "://" in found


@pytest.mark.parametrize(
    "line",
    [
        "install: slot B: 50 %",
        "payload sha256 is 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "[    0.000000] Kernel command line: root=/dev/mmcblk0p2 ro console=ttyAMA0",
        "the server does not accept this device, or its token has expired",
        "update module app (stdout): passed: 3 of 3",
        "basic setup of eth0",
        "the token is not good, and the signature is missing",
        "mail to ada@a.example: at 12:30",
        "update module app (stdout): GPIO pin: 17, pass: 12 of 12",
        "scp root@a.example:/x costs $5 and $6",
    ],
)
def test_what_is_not_a_secret_stays(line: str) -> None:
    assert redactor()(line) == line


def test_a_key_over_several_lines_is_not_shown_to_its_last_one() -> None:
    redact = redactor()
    said = (
        *("-----BEGIN EC PRIVATE KEY-----", "hunter2Ab" * 7 + "A", "and finished"),
        *("hunter2hunter2hunter2AB", "hunter2=", "-----END EC PRIVATE KEY-----"),
    )
    lines = [f"update module app (stdout): {each}" for each in said]

    shown = [redact(each) for each in (*lines, "checked hunter2hunter2hunter2")]

    assert "hunter2" not in "".join(shown[:-1])
    assert shown[2] == lines[2]
    assert shown[-1] == "checked hunter2hunter2hunter2"


def test_a_key_in_a_text_of_several_lines_is_not_shown() -> None:
    key = f"-----BEGIN PRIVATE KEY-----\n{'hunter2Ab' * 7}A\nhunter2=\n"

    shown = redactor()(f"{key}-----END PRIVATE KEY-----\ndone")

    assert "hunter2" not in shown
    assert shown.endswith("-----END PRIVATE KEY-----\ndone")


def test_patterns_of_the_user_are_added() -> None:
    redact = redactor([r"(?P<keep>serial[:=])[0-9]+", "Ada [A-Z][a-z]{1,20}"])

    assert redact("serial=123 of Ada Lovelace, password=x") == (
        f"serial={MASK} of {MASK}, password={MASK}"
    )


@pytest.mark.parametrize(
    ("pattern", "finding"),
    [
        ("(a+)+b", "could take very long"),
        ("(a|aa)+b", "could take very long"),
        ("a*a*b", "could take very long"),
        (".*x.*y", "could take very long"),
        ("(a{1,9}){1,9}", "could take very long"),
        (r"(a+)\1", "could take very long"),
        ("(a|b|ab){1,11}c", "could take very long"),
        ("((((a?){3}){3}){3}){3}b", "could take very long"),
        ("[", "is not a regular expression"),
        ("x{1,99999999999999999999}", "is not a regular expression"),
        ("(" * 200 + ")" * 200, "also matches nothing"),
        ("a*", "also matches nothing"),
        ("", "also matches nothing"),
        ("a" * 501, "is longer than 500 characters"),
    ],
)
def test_a_pattern_that_could_hold_the_agent_up_is_refused(
    pattern: str, finding: str, tmp_path: Path
) -> None:
    with pytest.raises(AgentError, match=finding):
        check_pattern(pattern)

    path = tmp_path / "agent.toml"
    path.write_text(f"[log]\nredact = [{json.dumps(pattern)}]\n")
    with pytest.raises(AgentError, match=rf"agent\.toml: \[log\] redact: .*{finding}"):
        load_settings(path, menders=())


@pytest.mark.parametrize(
    "line",
    [
        *("a" * 16384, "password" * 2048, "token=" * 2700, " " * 16384, "eyJ" * 5400),
        *("Bearer " * 2300, "-----BEGIN " * 1400, "://" * 5400, "--" * 8192, "a=" * 8192),
        *("<password " * 1600, "-u a:" * 3200, "pass" * 4096, "x:y" * 5400, "$6$a" * 4096),
        *("password" + " " * 4000, "-----BEGIN PRIVATE KEY-----\n" * 580, "token\\" * 2700),
        *("A+/" * 5400, "secret\"  = '" * 1300, "eyJaaaaaaaa." * 1300, "passwd." * 2300),
    ],
    ids=lambda line: line[:12],
)
def test_no_line_holds_the_agent_up(line: str) -> None:
    """A pattern of the user's may look through a line once from each of its characters."""
    own = "[a-z ]+!"
    redact = redactor([own, "(?:a|b)[ab]{1,9}=x"])
    begun = time.process_time()
    re.sub(own, "", "a" * 16384)
    once, begun = time.process_time() - begun, time.process_time()

    redact(line)

    assert time.process_time() - begun < 4 * once


def test_a_deployments_log_has_no_secret_neither_its_own_nor_a_boots(tmp_path: Path) -> None:
    log = DeploymentLog(LogOptions(folder=tmp_path, redact=("gate-[0-9]+",)))
    log.open("d1")
    logging.getLogger("x").warning("module (stdout): password=%s at gate-7", "hunter2")

    lines = log.lines(["kernel: token: hunter2 at gate-8"])
    log.close()

    messages = [each["message"] for each in lines]
    assert messages == [
        f"kernel: token: {MASK} at {MASK}",
        f"module (stdout): password={MASK} at {MASK}",
    ]
    assert not re.search(b"hunter2|gate", (tmp_path / "deployments.d1.log").read_bytes())
