# SPDX-License-Identifier: Apache-2.0
"""Hazards of who owns what root obeys: settings, keys, and programs."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ota_agent.admission.keys import parse_key
from ota_agent.admission.ring import NAME as TRUST
from ota_agent.config.environment import NAME, SLOT, settings_in
from ota_agent.config.settings import LOCAL, Settings
from ota_agent.doctor.case import Case
from ota_agent.errors import AgentError
from ota_agent.owners import distrust
from ota_artifact.device_files import FW_ENV_CONFIG, GRUB_CONFIG
from ota_artifact.finding import Finding, fault
from ota_artifact.which import which


def probe(case: Case) -> Iterator[Finding]:
    """What others than root could change."""
    settings = case.settings
    told = set()
    refused = ((each, "is not used") for each in obeyed(settings))
    for path, effect in (*refused, *((each, "is used all the same") for each in _made_of())):
        wrong = distrust(path)
        if wrong and wrong.place not in told:  # a folder is told of once
            told.add(wrong.place)
            yield fault(
                "others-may-change",
                wrong.place,
                f"{wrong.cause}, and may tell root what to do: {path} {effect}",
                wrong.remedy,
            )
    for each in settings_in(settings.device.data):
        if isinstance(each, str):
            place, _, cause = each.partition(": ")
            remedy = "correct it, or remove it"
            yield fault("environment-passed-over", place, f"{cause}: it does not count", remedy)


def _made_of() -> Iterator[Path]:
    """What the agent itself is made of, and where it looks for programs such as fw_setenv."""
    yield from map(Path, (sys.executable, *filter(None, sys.path), *os.get_exec_path()))


def obeyed(settings: Settings) -> Iterator[Path]:
    """What root obeys, or runs; the files that are not there among them."""
    device, tls = settings.device, settings.tls
    yield from (device.data / LOCAL, device.layout, SLOT, device.data / NAME, settings.key.path)
    yield from (device.data / TRUST, settings.keys.trust)
    yield from map(Path, (FW_ENV_CONFIG, GRUB_CONFIG))
    for text in settings.keys.keys:
        with suppress(AgentError):
            yield parse_key(text).path
    for file in (tls.server_certificate, tls.ca_bundle, tls.client_certificate, tls.client_key):
        if file:
            yield Path(file)
    if device.reboot and (reboot := which(device.reboot[0])):
        yield Path(reboot)
    for folder in (
        *settings.modules.folders,
        *(*settings.scripts.folders, settings.scripts.artifact_scripts),
        *(*settings.attributes.identity, *settings.attributes.inventory),
        settings.commit.folder,
        settings.modules.payloads,
    ):
        yield folder
        with suppress(OSError):
            yield from sorted(each for each in folder.iterdir() if not each.is_dir())
