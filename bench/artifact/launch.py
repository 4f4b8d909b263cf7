# SPDX-License-Identifier: Apache-2.0
"""Runs a program and prints what it cost, in JSON: CPU and wall [s], peak RSS [B], exit code.

A program's peak RSS begins with that of the process that started it: Linux keeps the maximum
across exec. So this one runs as an isolated script, and imports only built-in modules.
"""

import posix
import sys
import time


def main(argv: list[str]) -> None:
    """Run ``argv`` with its stdout on stderr, and print the costs on stdout."""
    begin = time.perf_counter()
    pid = posix.posix_spawn(
        argv[0], argv, posix.environ, file_actions=[(posix.POSIX_SPAWN_DUP2, 2, 1)]
    )
    _, status, usage = posix.wait4(pid, 0)
    wall = time.perf_counter() - begin
    code = posix.waitstatus_to_exitcode(status)
    rss = usage.ru_maxrss * 1024
    print(f'{{"cpu": {usage.ru_utime + usage.ru_stime}, "wall": {wall}, "rss": {rss},', end=" ")
    print(f'"code": {code}}}')


if __name__ == "__main__":
    main(sys.argv[1:])
