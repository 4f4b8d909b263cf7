# SPDX-License-Identifier: Apache-2.0
"""Packs the agent's wheels into the wheel of ota-image, which puts them into images."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilder


class AgentWheels(BuildHookInterface[BuilderConfig]):
    """Makes them as ota_image/rootfs/agent.py does in the tree, so that images are the same."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to the files of the wheel; an editable one finds the tree instead."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory()  # until hatchling ends
        for name in ("artifact", "agent"):
            builder = WheelBuilder(str(Path(self.root).parent / name))
            with _fixed_time():
                made = list(builder.build(directory=self._folder.name, versions=["standard"]))
            for path in made:
                build_data["force_include"][path] = f"ota_image/wheels/{Path(path).name}"


@contextmanager
def _fixed_time() -> Iterator[None]:
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = "1577836800"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
