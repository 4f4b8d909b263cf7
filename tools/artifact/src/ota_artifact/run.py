# SPDX-License-Identifier: Apache-2.0
"""The one door to other programs."""

import logging
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from ota_artifact.errors import ProgramError

logger = logging.getLogger(__name__)

_PIN = re.compile(r"(pin-value=)[^;&?']*")  # Source: RFC 7512, PKCS#11 URIs


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    success: Sequence[int] = (0,),
) -> bytes:
    """Run a program to its end and give what it printed on stdout.

    The command is logged (DEBUG) in a form to copy and paste, all but the PIN of a token.

    Args:
        argv: the program and its arguments; never a shell's line.
        timeout: how long it may take [s].
        stdin: what it reads; by default nothing.
        environment: variables set on top of ours.
        success: exit codes that mean success.

    Raises:
        ProgramError: it is not installed, ran too long, or ended with another code; the text
            holds the command and what it said on stderr.
    """
    words = [os.fspath(word) for word in argv]
    line = _masked(shlex.join(words))
    logger.debug("+ %s", line)
    try:
        done = subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **environment} if environment else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise ProgramError(f"{words[0]}: not found; install the package that has it") from error
    except OSError as error:
        raise ProgramError(f"{line}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{line}: no end after {timeout:g} s") from error
    if done.returncode not in success:
        said = _masked(done.stderr.decode("utf-8", "replace").strip()) or "(nothing on stderr)"
        raise ProgramError(f"{line}: exit code {done.returncode}: {said}")
    return done.stdout


def _masked(text: str) -> str:
    return _PIN.sub(r"\1…", text)
