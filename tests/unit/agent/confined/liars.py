# SPDX-License-Identifier: Apache-2.0
"""Processes that do not do what they should, in place of the one that unpacks."""

import os
import signal
import sys
import time

from ota_agent.confined.child import BEGUN, DATA, END, NOWHERE, Output
from ota_artifact.unpack import PIECE


def main(words: list[str]) -> None:
    """Lie.

    Args:
        words: how, and what `child.main` takes.
    """
    how, memory, back = words[:3]
    output = Output(int(memory), int(back))
    if how != "impatient":
        output.say(BEGUN)
    match how:
        case "impatient":
            output.put(b"data")
            output.flush(DATA)
        case "boastful":
            _say(DATA, PIECE + 1, NOWHERE)
        case "negative":
            _say(DATA, 4, -7)
        case "ahead":
            _say(DATA, 4, 1 << 40)
        case "empty":
            _say(DATA, 0, NOWHERE)
        case "again":
            _say(BEGUN, 4, NOWHERE)
        case "gibberish":
            os.write(1, b"?" * 13)
        case "curt":
            os.write(1, b"d\0")
        case "hasty":
            _say(END, 0, NOWHERE)
        case "silent":
            time.sleep(60)
        case "drip":
            os.write(1, b"d")
            time.sleep(60)
        case "gone":
            sys.exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "busy":
            while True:
                pass
        case "cut":
            os.ftruncate(int(memory), 0)
    time.sleep(5)


def _say(kind: bytes, size: int, boundary: int) -> None:
    os.write(1, kind + size.to_bytes(4, "little") + boundary.to_bytes(8, "little", signed=True))
