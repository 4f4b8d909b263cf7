# SPDX-License-Identifier: Apache-2.0
"""What shows that stored scripts and files are still those of the artifact that was accepted.

Days may pass between a download and its install, and the files wait on /data. So the artifact's
manifest, signature and header are kept, and are checked again whenever something of it is used.
"""

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ota_agent.durable import remove_folder, sync_folder, write_file
from ota_agent.errors import AgentError
from ota_agent.lifecycle.update import Artifact
from ota_agent.owners import require_trusted
from ota_agent.small_file import read_small
from ota_artifact.errors import ArtifactError
from ota_artifact.limits import Limits
from ota_artifact.provides import ROOTFS

if TYPE_CHECKING:
    from ota_artifact.header import Header
    from ota_artifact.keys import PublicKey
    from ota_artifact.manifest import Manifest
    from ota_artifact.reader import Head

logger = logging.getLogger(__name__)

FOLDER = "artifact"
"""In `DeviceOptions.data`."""

_PIECE = 1 << 20  # [B]
_VERSION, _MANIFEST, _SIGNATURE, _HEADER = "version", "manifest", "manifest.sig", "header"
_REMEDY = "install the artifact again"


class Evidence:
    """The head of the artifact that was stored last.

    Args:
        folder: where it is kept.
        keys: gives those that must have signed it; none: anybody may.
        accept: raises an AgentError for a header that is too old for this device: the head of an
            old artifact is still signed.
    """

    def __init__(
        self,
        folder: Path,
        keys: "Callable[[], Sequence[PublicKey]]",
        accept: "Callable[[Header], object]" = lambda header: None,
    ) -> None:
        self._folder, self._keys, self._accept = folder, keys, accept
        self._kept = ""  # digest of the manifest that was kept since the agent started

    def keep(self, head: "Head") -> None:
        """Keep the head of an artifact in place of the last one's.

        Raises:
            AgentError: it cannot be written.
        """
        folder = self._folder
        try:
            remove_folder(folder)
            folder.mkdir(parents=True, mode=0o700)
            for name, content in (
                (_VERSION, head.version),
                (_MANIFEST, head.manifest),
                (_SIGNATURE, head.signature or b""),
                (_HEADER, head.header),
            ):
                write_file(folder / name, (content,))
            sync_folder(folder, folder.parent)
        except OSError as error:
            raise AgentError(f"{folder}: {error.strerror}; is there room on /data?") from error
        self._kept = hashlib.sha256(head.manifest).hexdigest()

    def read(self) -> "tuple[Header, Manifest] | None":
        """What the artifact has, if its signature is good; None if it may be without one, and is
        not kept.

        Raises:
            AgentError: it cannot be verified, or is too old.
        """
        from ota_artifact.reader import Head, check_head

        keys, limits = self._keys(), Limits()
        if not self._folder.is_dir():
            if keys:
                raise AgentError(
                    f"{self._folder}: is gone, and what is stored of the artifact cannot be"
                    f" verified; {_REMEDY}"
                )
            return None
        try:
            require_trusted(self._folder)
            parts = [
                read_small(self._folder / name, limit + 1)
                for name, limit in (
                    (_VERSION, limits.version),
                    (_MANIFEST, limits.manifest),
                    (_SIGNATURE, limits.signature),
                    (_HEADER, limits.packed_header),
                )
            ]
            head = Head(
                version=parts[0], manifest=parts[1], signature=parts[2] or None, header=parts[3]
            )
            header, manifest = check_head(head, keys=keys, limits=limits)
        except (ArtifactError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise AgentError(f"{self._folder}: cannot be verified: {why}; {_REMEDY}") from error
        if keys:
            self._accept(header)
        return header, manifest

    def proves(self, artifact: Artifact) -> bool:
        """Whether what is remembered of an artifact is what its signed header says.

        The memory is on /data, where nothing is signed. Without keys, it is believed.
        """
        if not self._keys() or (found := self.read()) is None:
            return True
        header, manifest = found
        provides = {key: text for each in header.payloads for key, text in each.provides.items()}
        is_same = hashlib.sha256(manifest.raw).hexdigest() == artifact.digest
        return is_same and provides == dict(artifact.provides)

    def check_slot(self, artifact: Artifact, node: Path) -> None:
        """Raise unless a slot has the root filesystem of the artifact that was accepted.

        It is read once more if another run of the agent has written it: what that remembers may be
        forged, so that the slot has an older release.

        Raises:
            AgentError: it has something else, or is another artifact's.
        """
        from ota_agent.payloads.slot_writer import hash_of_slot

        if not self._keys() or (found := self.read()) is None:
            return
        header, manifest = found
        types = tuple(each.type for each in header.payloads)
        digest = hashlib.sha256(manifest.raw).hexdigest()
        if (types, digest) != (artifact.types, artifact.digest) or ROOTFS not in types:
            raise AgentError(f"{self._folder}: is another artifact's; {_REMEDY}")
        if self._kept == digest:
            return
        number = types.index(ROOTFS)
        wanted = {sha256 for (of, _), sha256 in manifest.files.items() if of == number}
        if {hash_of_slot(node, artifact.size).hexdigest()} != wanted:
            raise AgentError(f"{node}: was changed after it was written; {_REMEDY}")

    def check_script(self, script: Path) -> None:
        """Raise unless a stored state script is the artifact's.

        Raises:
            AgentError: it is another one, or was changed.
        """
        if (found := self.read()) is None:
            return
        wanted = {each.name: each.content for each in found[0].scripts}.get(script.name)
        if wanted is None:
            raise AgentError(f"{script}: is not in the artifact; {_REMEDY}")
        if _digest(script) != hashlib.sha256(wanted).hexdigest():
            raise AgentError(f"{script}: was changed after it was stored; {_REMEDY}")

    def check_files(self, tree: Path, number: int, kind: str) -> None:
        """Raise unless the stored files of a payload are the artifact's.

        Args:
            tree: of the update module.
            number: of the payload.
            kind: the payload's type, which says which module installs it.

        Raises:
            AgentError: one is another one, or was changed, or is missing.
        """
        if (found := self.read()) is None:
            return
        header, manifest = found
        if number >= len(header.payloads) or header.payloads[number].type != kind:
            raise AgentError(f"{tree}: payload {number:04} is not of type {kind}; {_REMEDY}")
        folder = tree / "files"
        if not os.path.lexists(folder):
            return  # the module has read them itself
        require_trusted(folder)
        wanted = {name: digest for (of, name), digest in manifest.files.items() if of == number}
        for name in sorted({*wanted, *(each.name for each in folder.iterdir())}):
            if name not in wanted:
                raise AgentError(f"{folder}/{name}: is not in the artifact; {_REMEDY}")
            if _digest(folder / name) != wanted[name]:
                raise AgentError(f"{folder}/{name}: was changed after it was stored; {_REMEDY}")


def _digest(path: Path) -> str:
    """SHA-256 of a file, which is not a link [hex]; empty if it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return ""
        digest = hashlib.sha256()
        while piece := os.read(file, _PIECE):
            digest.update(piece)
        return digest.hexdigest()
    except OSError:
        return ""
    finally:
        os.close(file)
