# SPDX-License-Identifier: Apache-2.0
"""Artifacts for update modules, as a device reads them."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ota_agent.payloads import ModuleOptions
from ota_agent.payloads.module import UpdateModule
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.reader import open_artifact
from ota_artifact.spec import PayloadSpec
from tests.unit.artifact.writing import sources, spec, written

CURRENT = {"artifact_name": "release-1", "device_type": "board"}

Files = Mapping[str, bytes]


def artifact(folder: Path, *payloads: tuple[str, Files]) -> bytes:
    """The bytes of an artifact of these payload types and files."""
    specs = [
        PayloadSpec(PayloadHeader(type=kind), sources(folder / f"made-{number}", dict(files)))
        for number, (kind, files) in enumerate(payloads)
    ]
    return written(spec(*specs), folder / "made.mender")


def stored(
    data: bytes, options: ModuleOptions, seen: list[tuple[int, int]] | None = None
) -> list[UpdateModule]:
    """The installers of an artifact's payloads, once all of them are stored as the agent does."""
    opened = open_artifact(io.BytesIO(data))
    modules = begun(opened.header, options)
    for module, payload in zip(modules, opened.payloads(), strict=True):
        module.store(payload, lambda *progress: seen.append(progress) if seen is not None else None)
    opened.drain()
    return modules


def begun(header: Header, options: ModuleOptions) -> list[UpdateModule]:
    """The installers of an artifact whose trees are made."""
    modules = [
        UpdateModule(payload.type or "", number, options)
        for number, payload in enumerate(header.payloads)
    ]
    for module in modules:
        module.begin(header, CURRENT)
    return modules


def after_restart(types: Sequence[str], options: ModuleOptions) -> list[UpdateModule]:
    """The installers as the agent makes them when it starts with an update under way."""
    return [UpdateModule(kind, number, options) for number, kind in enumerate(types)]
