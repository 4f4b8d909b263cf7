# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on the device, grouped by what is at fault."""


class AgentError(Exception):
    """An update, the device or its configuration is at fault; the text has place and remedy."""


class EnvironmentFault(AgentError):
    """The bootloader's environment cannot be trusted with an update; the text says why."""


NOTHING = "No update in progress."
"""What Mender's client says, and scripts look for."""


class NothingInProgress(AgentError):
    """There is no update that this could be about."""


class Busy(AgentError):
    """The agent is at work on an update: ask again later."""


class Unreachable(AgentError):
    """The server did not answer, or not with sense: try again later.

    Attributes:
        retry_after: what it asks us to wait at least [s]; 0 if it does not say.
    """

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unauthorized(Unreachable):
    """The server does not accept this device, or not yet."""


class Aborted(AgentError):
    """The update is no longer wanted: the server, or a user, has called it off."""


class NotGiven(AgentError):
    """A server does not give the artifact; a signed address may have expired."""


_LONGEST = 300
"""Characters of what a library says: all of a status line that a server has sent may be in it."""


def innermost(error: BaseException) -> str:
    """What an error of a library says, without those that it is wrapped in; it may hold a URL."""
    for each in (getattr(error, "reason", None), *error.args[-1:]):
        if isinstance(each, BaseException):
            return innermost(each)
    return (str(error) or type(error).__name__)[:_LONGEST]
