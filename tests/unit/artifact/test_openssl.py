# SPDX-License-Identifier: Apache-2.0
"""Keys are read and used where OpenSSL's legacy ciphers are not installed."""

import sys
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run

LIKE_VERSION_42 = """
import os
if not os.environ.get("CRYPTOGRAPHY_OPENSSL_NO_LEGACY"):
    raise RuntimeError("OpenSSL 3.0's legacy provider failed to load")
raise ImportError("cryptography has started")
"""
"""A `cryptography` that starts as the real one does if the provider is missing."""

OF_ARTIFACTS = "from ota_artifact.keys import parse_public_key; parse_public_key(b'', 'key')"
OF_THE_DEVICE = (
    "import sys; from ota_agent.server.signer import main; sys.argv[1:] = ['make', 'ecdsa']; main()"
)


@pytest.mark.parametrize("code", [OF_ARTIFACTS, OF_THE_DEVICE], ids=("artifacts", "device"))
def test_cryptography_is_told_to_do_without_them(tmp_path: Path, code: str) -> None:
    (tmp_path / "cryptography.py").write_text(LIKE_VERSION_42)
    environment = {"PYTHONPATH": str(tmp_path)}

    with pytest.raises(ProgramError) as raised:
        run((sys.executable, "-c", f"{code}; raise SystemExit(2)"), timeout=30,
            environment=environment)  # fmt: skip

    assert "cryptography has started" in str(raised.value)
