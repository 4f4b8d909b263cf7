# SPDX-License-Identifier: Apache-2.0
"""Describes an artifact in values for JSON; reading it checks it."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal

from ota_artifact.compressors import OF_CODEC
from ota_artifact.keys import PublicKey
from ota_artifact.payload import Payload
from ota_artifact.reader import Artifact

SignatureState = Literal["none", "unverified", "failed", "verified"]
"""Not signed; signed, but no key to verify with; signed by none of the keys; signed by one."""


def describe(artifact: Artifact, keys: Sequence[PublicKey] = ()) -> dict[str, Any]:
    """Name, compatibility, relations, scripts, payloads and their files.

    Reads the artifact to its end. A bad signature is reported, and is not an error.

    Args:
        keys: to verify the signature with.

    Raises:
        ArtifactError: it is damaged.
    """
    header = artifact.header
    signer = artifact.signature.signer(keys) if artifact.signature else None
    return {
        "format": "mender",
        "version": header.version,
        "artifact_name": header.artifact_name,
        "artifact_group": header.artifact_group,
        "signature": _state(artifact, keys, signer),
        "signed_by": signer.name if signer else None,
        "compatible_types": list(header.compatible_types),
        "depends": {
            "artifact_name": list(header.depends_names),
            "artifact_group": list(header.depends_groups),
        },
        "state_scripts": [
            {
                "name": script.name,
                "size": len(script.content),
                "sha256": hashlib.sha256(script.content).hexdigest(),
            }
            for script in header.scripts
        ],
        "payloads": [_payload(each) for each in artifact.payloads()],
    }


def _state(
    artifact: Artifact, keys: Sequence[PublicKey], signer: PublicKey | None
) -> SignatureState:
    if not artifact.signature:
        return "none"
    if not keys:
        return "unverified"
    return "verified" if signer else "failed"


def _payload(payload: Payload) -> dict[str, Any]:
    about = payload.header
    return {
        "type": about.type,
        "provides": dict(sorted(about.provides.items())),
        "depends": {
            key: wanted if isinstance(wanted, str) else list(wanted)
            for key, wanted in sorted(about.depends.items())
        },
        "clears_provides": list(about.clears),
        "meta_data": json.loads(about.meta_data) if about.meta_data else {},
        "compression": OF_CODEC[payload.codec].name if payload.size else None,
        "stored_size": payload.size,
        "files": [
            {
                "name": file.name,
                "size": file.size,
                "sha256": file.sha256,
                "mode": f"{file.mode:04o}",
                "modified": file.mtime,
            }
            for file in payload.files()
        ],
    }
