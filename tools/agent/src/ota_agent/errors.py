# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on the device, grouped by what is at fault."""


class AgentError(Exception):
    """An update, the device or its configuration is at fault; the text has place and remedy."""


class EnvironmentFault(AgentError):
    """The bootloader's environment cannot be trusted with an update; the text says why."""


class NothingInProgress(AgentError):
    """There is no update that this could be about."""
