# SPDX-License-Identifier: Apache-2.0
"""What kind of device this is."""

import re
from pathlib import Path

from ota_agent.device.options import DeviceOptions
from ota_agent.errors import AgentError

MENDER = Path("/var/lib/mender/device_type")


def device_type_of(options: DeviceOptions) -> str:
    """The device type, as configured, or as a file ``device_type=<name>`` says.

    Raises:
        AgentError: no file has it.
    """
    if options.device_type:
        return options.device_type
    own = options.data / "device_type"
    for path in (own, MENDER):
        try:
            text = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        match = re.fullmatch(r"device_type=(\S+)", text)
        if not match:
            raise AgentError(f"{path}: must be one line, device_type=<name>; it is {text[:60]!r}")
        return match[1]
    raise AgentError(
        f"{own}: is not there, and no artifact is for this device; write device_type=<name>"
        " into it, or set it in the section [device] of agent.toml"
    )
