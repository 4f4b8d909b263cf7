# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, grouped by who must act."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ArtifactError(Exception):
    """The input is wrong: artifact, key or option. The text has place, finding, remedy."""


class UnsupportedVersion(ArtifactError):
    """The artifact has a format version that is not supported."""


class UnsupportedFeature(ArtifactError):
    """The input is well-formed but needs a feature that we lack, such as augmented artifacts."""


class SignatureError(ArtifactError):
    """The signature is missing, or none of the given keys made it."""


class LayoutError(ArtifactError):
    """A layout.json is damaged, or what is asked of a disk's layout cannot be."""


class RolesError(ArtifactError):
    """A disk image does not say which of its partitions is boot, A, B and data.

    Attributes:
        finding: the text without the table.
    """

    def __init__(self, finding: str, table: str) -> None:
        super().__init__(f"{finding}. The table has:\n{table}")
        self.finding = finding


class MatchError(RolesError):
    """The layout.json of a disk image does not match its partition table."""


class ProgramError(Exception):
    """Another program failed, is missing or did not answer in time: the world is to blame."""


@contextmanager
def about(name: str) -> Iterator[None]:
    """Prefix the text of an `ArtifactError` with the name of the file."""
    try:
        yield
    except ArtifactError as error:
        error.args = (f"{name}: {error}",)
        raise


@contextmanager
def blaming(path: Path, copy: Path) -> Iterator[None]:
    """Make errors name the user's file instead of a temporary copy of it."""
    try:
        yield
    except ArtifactError as error:
        error.args = (str(error).replace(str(copy), str(path)),)
        raise
