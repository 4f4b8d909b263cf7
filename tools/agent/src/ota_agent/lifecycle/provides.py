# SPDX-License-Identifier: Apache-2.0
"""What a device provides, before and after an update. Source: Mender's client, its documentation
of provides, depends and clears.
"""

import re
from collections.abc import Mapping

from ota_agent.lifecycle.update import Artifact
from ota_artifact.provides import GROUP, NAME

INCONSISTENT = "_INCONSISTENT"
"""Behind the name of an artifact that has failed, and could not be rolled back."""


def after(artifact: Artifact, before: Mapping[str, str]) -> dict[str, str]:
    """What the device provides once the artifact is committed.

    What matches one of its clears is forgotten, then its own provides are added. An artifact that
    says nothing of clears forgets all, as those did that were made before there were any.
    """
    if artifact.clears is None:
        kept = {GROUP: before[GROUP]} if GROUP in before else {}
    else:
        patterns = [_pattern(each) for each in artifact.clears]
        kept = {
            key: value
            for key, value in before.items()
            if not any(each.fullmatch(key) for each in patterns)
        }
    group = {GROUP: artifact.group} if artifact.group else {}
    return {**kept, **artifact.provides, **group, NAME: artifact.name}


def after_failure(artifact: Artifact, before: Mapping[str, str]) -> dict[str, str]:
    """What a device provides that is neither as before nor as the artifact says."""
    found = {**before, NAME: artifact.name + INCONSISTENT}
    return {**found, **({GROUP: artifact.group} if artifact.group else {})}


def _pattern(clears: str) -> re.Pattern[str]:
    """``*`` is any text, empty too; all else is itself."""
    return re.compile(".*".join(map(re.escape, clears.split("*"))), re.DOTALL)
