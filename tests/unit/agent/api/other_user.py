# SPDX-License-Identifier: Apache-2.0
"""Another user of the device, who connects to the socket from a process of their own."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from ota_artifact.run import run

NOBODY = 65534
GROUP = "nogroup"
"""Nobody's group; the user of `ask` is in it only if a test says so."""

requires_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

_ASK = """
import json, os, socket, sys
path, uid, groups, connections, requests = json.loads(sys.argv[1])
os.setgroups(groups); os.setgid(60000); os.setuid(uid)
said, peers = [], []
for _ in range(connections):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(10)
    peers.append(peer)
    try:
        peer.connect(path)
        lines = peer.makefile("rb")
        for request in requests:
            try:
                peer.sendall((json.dumps(request) + "\\n").encode())
            except BrokenPipeError:
                pass  # it was answered before it was asked
            said.append(json.loads(lines.readline()))
    except OSError as error:
        said.append(type(error).__name__)
print(json.dumps(said))
"""


def ask(
    path: Path, *requests: dict[str, Any], groups: tuple[int, ...] = (), connections: int = 1
) -> list[Any]:
    """What another user is answered; the name of an error where the system refuses.

    Args:
        groups: the numbers of the user's groups.
        connections: how many are open at once; each sends all the requests.
    """
    what = json.dumps([str(path), NOBODY, groups, connections, requests])
    said = run((sys.executable, "-S", "-E", "-c", _ASK, what), timeout=30)
    answers: list[Any] = json.loads(said)
    return answers


def opened_to_all(folder: Path) -> Path:
    """The folder of a test, once every user may enter it."""
    for each in (folder, *list(folder.parents)[:2]):
        each.chmod(stat.S_IMODE(each.stat().st_mode) | 0o055)
    return folder
