# SPDX-License-Identifier: Apache-2.0
"""The data of a Mender server: devices, deployments, and reports about them.

Source: Mender's API documentation, device APIs; the checks and their order are those of its server.
"""

import base64
import binascii
import json
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ota_artifact.errors import ArtifactError
from ota_artifact.reader import open_artifact

STATUSES = frozenset(
    {
        "installing",
        "pause_before_installing",
        "downloading",
        "pause_before_rebooting",
        "rebooting",
        "pause_before_committing",
        "success",
        "failure",
        "already-installed",
    }
)
_FINAL = frozenset({"success", "failure", "already-installed"})


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Device:
    """A device, by its identity and its key.

    Attributes:
        identity: sorted JSON.
        status: whether it is accepted.
        attributes: its inventory.
        provides: as it reported when it last asked.
    """

    identity: str
    key: str
    status: Literal["pending", "accepted", "rejected"] = "pending"
    attributes: dict[str, Any] = field(default_factory=dict)
    provides: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Deployment:
    """An artifact for every device that asks.

    Attributes:
        artifact: a file that this server serves.
        control_map: of the answer to version 2; a map without an id gets the deployment's.
        is_aborted: a user has cancelled it.
        statuses: reported so far, with their substates, in order.
        log: reported at its end.
    """

    artifact: Path
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    control_map: Any = None
    is_aborted: bool = False
    statuses: list[str] = field(default_factory=list)
    substates: list[str] = field(default_factory=list)
    log: list[dict[str, str]] = field(default_factory=list)

    @property
    def sent_map(self) -> Any:
        """The control map as it is sent: Mender's client needs an id in it."""
        value = self.control_map
        return {"id": self.id, **value} if isinstance(value, dict) else value

    @property
    def name(self) -> str:
        """The artifact's name; if the file is not an artifact, the file's name."""
        try:
            with self.artifact.open("rb") as file:
                return open_artifact(file).header.artifact_name
        except ArtifactError:
            return self.artifact.stem

    @property
    def is_over(self) -> bool:
        return self.is_aborted or bool(_FINAL.intersection(self.statuses))


class Fleet:
    """The devices and deployments of a server; several threads may use it.

    Attributes:
        accepts: whether a device is accepted at once.
        has_v2: whether it speaks version 2 of deployments, as the open server does not.
    """

    def __init__(self, *, accepts: bool = True, has_v2: bool = True) -> None:
        self.accepts, self.has_v2 = accepts, has_v2
        self.devices: list[Device] = []
        self.deployments: list[Deployment] = []
        self.tenant_tokens: list[str] = []
        self._tokens: dict[str, Device] = {}
        self.changed = threading.Condition()

    @property
    def device(self) -> Device:
        """The only device."""
        (found,) = self.devices
        return found

    def deploy(self, artifact: Path, control_map: Any = None) -> Deployment:
        """Deploy an artifact to the next device that asks."""
        deployment = Deployment(artifact=artifact, control_map=control_map)
        with self.changed:
            self.deployments.append(deployment)
        return deployment

    def revoke_tokens(self) -> None:
        """Make all tokens invalid."""
        with self.changed:
            self._tokens.clear()

    def authenticate(self, body: bytes, signature: str) -> str:
        """A token; `Refused` for a request that is wrong, or a device that is not accepted."""
        try:
            asked = json.loads(body)
        except ValueError as error:
            raise Refused(400, f"failed to decode auth request: {error}") from error
        identity, key = asked.get("id_data"), asked.get("pubkey")
        if not identity or not key or "-----BEGIN PUBLIC KEY-----" not in key:
            raise Refused(400, "id_data and pubkey must be given, the key as PUBLIC KEY")
        if not signature:
            raise Refused(400, "missing request signature header")
        _check_signature(key, body, signature)
        if not isinstance(json.loads(identity), dict):
            raise Refused(400, "id_data is not a JSON object")
        identity = json.dumps(json.loads(identity), sort_keys=True)
        with self.changed:
            self.tenant_tokens.append(asked.get("tenant_token", ""))
            device = self._known(identity, key)
            if device.status != "accepted":
                raise Refused(401, "dev auth: unauthorized")
            token = f"{uuid.uuid4()}.{uuid.uuid4()}"
            self._tokens[token] = device
            return token

    def device_of(self, authorization: str) -> Device:
        """The device that has the token."""
        with self.changed:
            device = self._tokens.get(authorization.removeprefix("Bearer "))
        if device is None or device.status != "accepted":
            raise Refused(401, "unauthorized")
        return device

    def offer(self) -> Deployment | None:
        """The first deployment that is not over."""
        with self.changed:
            return next((each for each in self.deployments if not each.is_over), None)

    def deployment(self, name: str) -> Deployment:
        with self.changed:
            for each in self.deployments:
                if each.id == name:
                    return each
        raise Refused(404, "deployment not found")

    def take_status(self, name: str, told: dict[str, Any]) -> None:
        deployment = self.deployment(name)
        status = told.get("status")
        if status not in STATUSES:
            raise Refused(400, f"unknown status value: {status}")
        if deployment.is_aborted:
            raise Refused(409, "Deployment aborted")
        with self.changed:
            if not deployment.statuses or deployment.statuses[-1] != status:
                deployment.statuses.append(status)
            deployment.substates.append(told.get("substate", ""))
            self.changed.notify_all()

    def take_log(self, name: str, told: dict[str, Any]) -> None:
        messages = told.get("messages")
        if not messages or any({"timestamp", "level", "message"} - set(m) for m in messages):
            raise Refused(400, "messages need timestamp, level and message")
        self.deployment(name).log = messages

    def take_attributes(self, device: Device, told: list[dict[str, Any]], *, merges: bool) -> None:
        for each in told:
            values = each["value"] if isinstance(each["value"], list) else [each["value"]]
            if not 1 <= len(each["name"]) <= 1024 or not all(
                isinstance(value, str | int | float) for value in values
            ):
                raise Refused(400, f"attribute {each['name']!r}: is not a string or a number")
        found = {each["name"]: each["value"] for each in told}
        device.attributes = {**device.attributes, **found} if merges else found

    def _known(self, identity: str, key: str) -> Device:
        for each in self.devices:
            if (each.identity, each.key) == (identity, key):
                return each
        device = Device(
            identity=identity, key=key, status="accepted" if self.accepts else "pending"
        )
        self.devices.append(device)
        return device


def _check_signature(key: str, body: bytes, signature: str) -> None:
    try:
        public = load_pem_public_key(key.encode())
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Refused(400, f"cannot parse key or signature: {error}") from error
    try:
        match public:
            case ed25519.Ed25519PublicKey():
                public.verify(raw, body)
            case ec.EllipticCurvePublicKey():
                public.verify(raw, body, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPublicKey():
                public.verify(raw, body, padding.PKCS1v15(), hashes.SHA256())
            case _:
                raise Refused(400, "unsupported public key type")
    except InvalidSignature as error:
        raise Refused(401, "signature verification failed") from error
