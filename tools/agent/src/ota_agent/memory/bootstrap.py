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
from ota_artifact.provides import NAME

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
    if NAME not in store.provides:
        store.save_provides(_factory(data, release, mender))


def provided(options: DeviceOptions) -> dict[str, str]:
    """What this device provides, for those who only look.

    Raises:
        Unreadable: the agent's memory is damaged, or the user may not read it.
    """
    from ota_agent.memory.peek import peek  # a daemon does without

    found = peek(options.store)
    if found is not None and NAME in found.provides:
        return dict(found.provides)
    return _factory(options.data)


def _factory(data: Path, release: Path = RELEASE, mender: Path = MENDER) -> dict[str, str]:
    """What the device left the factory with."""
    for path in (data / "bootstrap.mender", mender):
        if path.exists():
            try:
                return provides.after(_artifact(path), {})
            except (ArtifactError, AgentError, OSError) as error:
                logger.error("bootstrap: %s: %s; it is passed over", path, error)
    name = released(release)
    found = {NAME: name or UNKNOWN}
    return {**found, "rootfs-image.version": name} if name else found


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
