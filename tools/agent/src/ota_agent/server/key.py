# SPDX-License-Identifier: Apache-2.0
"""The device's key: what the server knows it by.

All that needs `cryptography` happens in a process of its own, which ends right after: it would cost
the daemon 9 MB for the rest of its life, for one signature a week.
"""

import logging
import sys
from pathlib import Path

from ota_agent.device.second_home import keep
from ota_agent.durable import replace_file
from ota_agent.errors import AgentError
from ota_agent.server.options import KeyOptions
from ota_artifact.errors import ProgramError
from ota_artifact.run import run

logger = logging.getLogger(__name__)

_PATIENCE = 120.0  # [s] RSA 3072 on a slow core
_LIMIT = 1 << 16  # [B] of a PEM file


class DeviceKey:
    """The device's key in its file; made, or taken over, when it is first needed."""

    def __init__(self, options: KeyOptions) -> None:
        self._options = options
        self._public = ""

    @property
    def public(self) -> str:
        """The public key in PEM.

        Raises:
            AgentError: the key cannot be made, or is of no use.
        """
        self.ensure()
        if not self._public:
            self._public = self._signer("public").decode("ascii")
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The signature that Mender's servers check: Ed25519 of the message; RSA (PKCS#1 v1.5) or
        ECDSA (DER) of its SHA-256.

        Raises:
            AgentError: the key cannot be made, or is of no use.
        """
        self.ensure()
        return self._signer("sign", stdin=message)

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
            if mender and Path(mender).is_file():
                with Path(mender).open("rb") as file:
                    pem = file.read(_LIMIT)
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

    def _signer(self, *words: str, stdin: bytes = b"") -> bytes:
        options = self._options
        argv = [sys.executable or "python3", "-m", "ota_agent.server.signer", *words]
        argv += ["--key", str(options.path)] if words[0] != "make" else []
        argv += ["--passphrase-file", options.passphrase_file] if options.passphrase_file else []
        try:
            return run(argv, timeout=_PATIENCE, stdin=stdin)
        except ProgramError as error:
            why = str(error).rpartition("exit code 2: ")[2]
            raise AgentError(f"the device's key: {why}") from error
