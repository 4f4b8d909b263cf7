# SPDX-License-Identifier: Apache-2.0
"""The agent's parsers: whatever they read, they give a value, or an error that says so."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from tests.fuzz.answers import judge_answer, judge_download
from tests.fuzz.clients import judge_bus, judge_control_map, judge_request, judge_status
from tests.fuzz.left import (
    judge_board,
    judge_boots,
    judge_grub,
    judge_layout,
    judge_places,
    judge_record,
    judge_settings,
    judge_small_file,
    judge_trust,
    judge_u_boot,
)
from tests.fuzz.target import Target, kept
from tests.fuzz.text import TextMutator

_HTTP = tuple(
    each.encode()
    for each in (
        *("HTTP/1.1 200 OK\r\n", "HTTP/1.1 204 No Content\r\n", "HTTP/1.1 100 Continue\r\n\r\n"),
        *(
            "HTTP/1.1 206 Partial Content\r\n",
            "HTTP/1.1 302 Found\r\nLocation: ",
            "\r\n",
            "\r\n\r\n",
        ),
        *("HTTP/1.1 401 No\r\n", "HTTP/1.1 404 No\r\n", "HTTP/1.1 409 No\r\n", "HTTP/1.0 "),
        *("Transfer-Encoding: chunked\r\n", "Content-Length: ", "Content-Encoding: gzip\r\n"),
        *("Content-Type: text/html; charset=", "Retry-After: ", "Connection: close\r\n", "; x=y"),
        *("Content-Range: bytes 0-9/10\r\n", "Accept-Ranges: none\r\n", 'ETag: "x"\r\n', "0\r\n"),
        *(
            "Location: http://[::1\r\n",
            "Location: //\r\n",
            "Location: ?\r\n",
            "5\r\n",
            "-1",
            "ustar",
        ),
        *('{"error": "x"}', '"update_control_map": ', '"states": ', '"uri": "', "eyJh.eyJz.c2ln"),
    )
)


_CONFIG = tuple(
    each.encode()
    for each in (
        *("[server]\n", "urls = ", "timeout = ", "[keys]\n", "[device]\ndata = ", "inf", "nan"),
        *(
            "window = ",
            '"Mon-Fri 22:00-05:00"',
            "[control]\n",
            "true",
            "1979-05-27",
            "[[server]]\n",
        ),
        *('"""', "'''", "\\u0000", "ServerURL", "Servers", "HttpsClient", "ArtifactVerifyKeys"),
        *("UpdatePollIntervalSeconds", "DeviceTypeFile", "/dev/null", "RootfsPartA", "= []\n"),
    )
)


_BOOT = tuple(
    each.encode()
    for each in (
        *("mender_boot_part=", "upgrade_available=1", "bootcount=", "\0\0", "\0", "=", "==", "\n"),
        *(
            "# GRUB Environment Block\n",
            "#",
            "editing=0",
            "editing=1",
            "\n--\n",
            "\\",
            "/dev/mmcblk0",
        ),
    )
)


_STATES = tuple(
    each.encode()
    for each in (
        *("ArtifactInstall_Enter", "ArtifactCommit_Enter", "pause", "force_continue", "continue"),
        *("fail", "on_map_expire", "on_action_executed", "priority", "states", "id", "action"),
        *(
            "call",
            "status",
            "watch",
            "set_control_map",
            "map",
            "install",
            "source",
            "reason",
            "result",
        ),
        *("format", "state", "update", "Trying", "Erring", "at", "artifact", "source", "provides"),
        *("slots", "running", "release", "device_type=", "areas", "offset", "size", "device"),
    )
)


_TRUST = tuple(
    each.encode()
    for each in (
        *('"signed": ', '"signatures": ', '"format": 1', '"version": 2', '"threshold": 1', "[]"),
        *('"roles": ["trust", "release"]', '"debug"', '"device_types": ["a"]', '"revoked": ["'),
        *('"expires": "2030-01-31"', "0123456789abcdef", "-----BEGIN PUBLIC KEY-----\\n", "1e99"),
    )
)


_BOARD = tuple(
    each.encode()
    for each in (
        *("&a ", "*a", "<<: ", "!!python/object:x", "!!binary ", "---\n", "? ", "- ", ": ", "0o7"),
        *(
            "size: 1 GiB\n",
            "partitions:\n",
            "  extra:\n",
            "offsets: [1, 2]\n",
            "qemu:\n",
            "2001-01-01",
        ),
    )
)


def _target(name: str, judge: Callable[[bytes], str | None], words: Sequence[bytes]) -> Target:
    def inputs(random: Random, corpus: Sequence[bytes]) -> TextMutator:
        return TextMutator(random, corpus, words)

    return Target(judge, lambda: kept(name), inputs)


PARSERS: Mapping[str, Target] = {
    name: _target(name, judge, words)
    for name, judge, words in (
        ("answer", judge_answer, _HTTP),
        ("download", judge_download, _HTTP),
        ("control-map", judge_control_map, _STATES),
        ("mender-conf", partial(judge_settings, "mender.conf"), _CONFIG),
        ("agent-toml", partial(judge_settings, "agent.toml"), _CONFIG),
        ("local-toml", partial(judge_settings, "data/agent.toml"), _CONFIG),
        ("u-boot-environment", judge_u_boot, _BOOT),
        ("fw-env-config", judge_places, _BOOT),
        ("grub-environment", judge_grub, _BOOT),
        ("layout", judge_layout, _STATES),
        ("trust", judge_trust, _TRUST),
        ("request", judge_request, _STATES),
        ("status", judge_status, _STATES),
        ("bus", judge_bus, _STATES),
        ("board", judge_board, _BOARD),
        ("record", judge_record, _STATES),
        ("small-file", judge_small_file, _STATES),
        ("boot-log", judge_boots, _STATES),
    )
}
"""By name, which is that of their folder in tests/golden/agent."""
