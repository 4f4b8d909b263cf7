# SPDX-License-Identifier: Apache-2.0
"""What the tests of the shipped update modules share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads import ModuleOptions
from ota_agent.payloads.module import UpdateModule
from tests.house.tree import ROOT
from tests.unit.agent.payloads.artifacts import after_restart

SHIPPED = ROOT / "tools" / "agent" / "modules" / "v3"

Store = Callable[[str, dict[str, bytes]], UpdateModule]
"""Stores a payload of a type as the agent does, and gives what installs it."""


def names(folder: Path) -> list[str]:
    """All that is in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def cut(options: ModuleOptions, kind: str, number: int, tmp_path: Path) -> None:
    """Call ArtifactInstall, and have the module die before its command of that number."""
    program = options.folders[0] / kind
    first, _, rest = program.read_text().partition("\n")
    count = tmp_path / "count"
    count.write_text("")
    dying = "".join(
        f"{name}() {{ echo >> {count}; [ $(wc -l < {count}) -le {number} ] || kill -9 $$;"
        f' command {name} "$@"; }}\n'
        for name in ("mv", "cp", "rm", "tar", "sync", "mkdir", "chmod")
    )
    folder = tmp_path / "dying"
    folder.mkdir()
    (folder / kind).write_text(f"{first}\n{dying}{rest}")
    (folder / kind).chmod(0o755)
    (module,) = after_restart((kind,), ModuleOptions(folders=(folder,), payloads=options.payloads))
    with pytest.raises(AgentError, match="exit code -9"):
        module.call("ArtifactInstall")
