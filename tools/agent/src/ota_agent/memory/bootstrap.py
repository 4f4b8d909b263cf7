# SPDX-License-Identifier: Apache-2.0
"""What a device provides before its first update."""

import logging
from pathlib import Path

from ota_agent.device.options import DeviceOptions
from ota_agent.device.release import RELEASE, released
from ota_agent.errors import AgentError
from ota_agent.lifecycle import provides
from ota_agent.lifecycle.update import Artifact
from ota_agent.memory.store import Store
from ota_artifact.errors import ArtifactError

logger = logging.getLogger(__name__)

MENDER = Path("/var/lib/mender/bootstrap.mender")
UNKNOWN = "unknown"


def open_store(options: DeviceOptions) -> Store:
    """Open the agent's memory, with what the device provided at first; the caller closes it.

    Raises:
        AgentError: it cannot be opened.
    """
    try:
        options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise AgentError(f"{options.data}: {error.strerror}; is /data mounted?") from error
    store = Store(options.store)
    try:
        bootstrap(store, options.data)
    except BaseException:
        store.close()
        raise
    return store


def bootstrap(store: Store, data: Path, *, release: Path = RELEASE, mender: Path = MENDER) -> None:
    """Have the device provide what it left the factory with, unless it is known already.

    It is what a bootstrap artifact says (without a payload, and unsigned: who can write it there
    can write anything), else what the root filesystem says of itself.

    Raises:
        AgentError: it cannot be remembered.
    """
    if provides.NAME in store.provides:
        return
    for path in (data / "bootstrap.mender", mender):
        if path.exists():
            try:
                store.save_provides(provides.after(_artifact(path), {}))
                logger.info("bootstrap: %s", path)
                return
            except (ArtifactError, AgentError, OSError) as error:
                logger.error("bootstrap: %s: %s; it is passed over", path, error)
    name = released(release)
    found = {provides.NAME: name or UNKNOWN}
    store.save_provides({**found, "rootfs-image.version": name} if name else found)


def _artifact(path: Path) -> Artifact:
    from ota_artifact.reader import open_artifact

    with path.open("rb") as file:
        artifact = open_artifact(file)
        artifact.drain()
    header = artifact.header
    if any(each.type is not None for each in header.payloads):
        raise AgentError("holds a payload; install it as an update")
    found = {key: value for each in header.payloads for key, value in each.provides.items()}
    return Artifact(
        name=header.artifact_name, group=header.artifact_group or "", provides=found, clears=()
    )
