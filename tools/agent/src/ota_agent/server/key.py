# SPDX-License-Identifier: Apache-2.0
"""The device's key: what the server knows it by.

All that needs `cryptography` happens in a process of its own, which ends right after: it would cost
the daemon 9 MB for the rest of its life, for one signature a week.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ota_agent.device.second_home import keep
from ota_agent.durable import aside, put_aside, replace_file
from ota_agent.errors import AgentError
from ota_agent.server.options import KeyOptions
from ota_agent.server.signer import DAMAGED
from ota_agent.small_file import read_small
from ota_artifact.errors import ProgramError
from ota_artifact.run import run

logger = logging.getLogger(__name__)

_PATIENCE = 120.0  # [s] RSA 3072 on a slow core
_LIMIT = 1 << 16  # [B] of a PEM file


class _Damaged(AgentError):
    """The file holds no key."""


class DeviceKey:
    """The device's key in its file; made, or taken over, when it is first needed.

    Args:
        is_own: the agent may make another one in the place of a key that is damaged: the server
            sees a new key, and a user accepts the device again. Without it, a damaged key is an
            error: a user has put it there, and has it still.
        tell: told of that.
    """

    def __init__(
        self,
        options: KeyOptions,
        *,
        is_own: bool = False,
        tell: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._options, self._is_own, self._tell = options, is_own, tell
        self._public = ""

    @property
    def public(self) -> str:
        """The public key in PEM.

        Raises:
            AgentError: the key cannot be made, or is of no use.
        """
        self.ensure()
        if not self._public:
            self._public = self._signed("public").decode("ascii")
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The signature that Mender's servers check: Ed25519 of the message; RSA (PKCS#1 v1.5) or
        ECDSA (DER) of its SHA-256.

        Raises:
            AgentError: the key cannot be made, or is of no use.
        """
        self.ensure()
        return self._signed("sign", stdin=message)

    def ensure(self) -> None:
        """Have a key in its place, whole and on the disk.

        Raises:
            AgentError: it cannot be made or written.
        """
        path = self._options.path
        if path.exists():
            return
        mender = self._options.mender_key
        try:
            if mender and Path(mender).is_file() and self._is_good(Path(mender)):
                pem = read_small(Path(mender), _LIMIT)
                source = f"taken over from {mender}"
            else:
                pem = self._signer("make", self._options.algorithm)
                source = "made"
            replace_file(path, [pem])
        except OSError as error:
            raise AgentError(
                f"{path}: the device's key: {error.strerror}; is its folder there, and writable?"
            ) from error
        keep()
        logger.info("key: %s: %s", path, source)

    def _signed(self, word: str, *, stdin: bytes = b"") -> bytes:
        """What the signer says; with a new key, if ours is damaged."""
        try:
            return self._signer(word, stdin=stdin)
        except _Damaged as error:
            if not self._is_own:
                raise
            self._put_aside(str(error))
        self.ensure()
        return self._signer(word, stdin=stdin)

    def _put_aside(self, why: str) -> None:
        path = self._options.path
        try:
            put_aside(path)
        except OSError as error:
            raise AgentError(f"{why}; and it cannot be put aside: {error.strerror}") from error
        self._public = ""
        logger.error("%s; it is put aside as .broken", why)
        self._tell(replaced(path))

    def _is_good(self, path: Path) -> bool:
        """Whether a key may be taken over."""
        try:
            DeviceKey(replace(self._options, path=path))._signer("check")
        except _Damaged as error:
            logger.error("%s; it is not taken over", error)
            return False
        return True

    def _signer(self, *words: str, stdin: bytes = b"") -> bytes:
        options = self._options
        argv = [sys.executable or "python3", "-m", "ota_agent.server.signer", *words]
        argv += ["--key", str(options.path)] if words[0] != "make" else []
        argv += ["--passphrase-file", options.passphrase_file] if options.passphrase_file else []
        try:
            return run(argv, timeout=_PATIENCE, stdin=stdin)
        except ProgramError as error:
            said = str(error)
            if f"exit code {DAMAGED}: " in said:
                why = said.rpartition(f"exit code {DAMAGED}: ")[2]
                raise _Damaged(f"the device's key: {why}") from error
            raise AgentError(f"the device's key: {said.rpartition('exit code 2: ')[2]}") from error


def replaced(path: Path) -> str:
    """That a key was put aside, for users; empty if it was not."""
    broken = aside(path)
    if not os.path.lexists(broken):
        return ""
    return (
        f"{path}: was damaged, and the device has a new key: accept the device at the server, then"
        f" remove {broken}"
    )
