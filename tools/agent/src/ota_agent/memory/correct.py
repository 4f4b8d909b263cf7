# SPDX-License-Identifier: Apache-2.0
"""Opens the agent's memory, and has it hold what runs."""

import logging
from pathlib import Path

from ota_agent.device.options import DeviceOptions
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import State
from ota_agent.memory.bootstrap import MENDER, is_undecided, truth_of
from ota_agent.memory.runs import Running, committed
from ota_agent.memory.store import Store

logger = logging.getLogger(__name__)


def open_store(options: DeviceOptions) -> Store:
    """Open the agent's memory; the caller closes it.

    Raises:
        AgentError: it cannot be opened.
    """
    try:
        options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise AgentError(f"{options.data}: {error.strerror}; is /data mounted?") from error
    return Store(options.store)


def correct(store: Store, state: State, now: Running, *, mender: Path = MENDER) -> str:
    """Have the memory hold what the running slot says; gives what is odd about that.

    While an update of a root filesystem is under way, the old system is what is remembered, and the
    end of the update decides.

    What runs on trial, and by no update that the agent knows, is not remembered: the next boot ends
    it. Neither is what runs if it is not known whether it is on trial.
    """
    store.assume(None)
    if is_undecided(state):
        return store.odd
    found = truth_of(store.provides, store.slots, now, store.path, mender)
    is_new = found.provides != store.provides
    if now.is_trial is not False:
        store.assume(found.provides)
        return found.finding
    if is_new or store.slots is None:
        if found.finding:
            logger.warning("%s", found.finding)
        slots = committed(store.slots, now, found.provides)
        try:
            store.save_provides(found.provides, slots, odd=found.finding)
        except AgentError as error:  # a disk that is full keeps nobody from looking for updates
            logger.warning("%s", error)
            store.assume(found.provides)
            return found.finding
    return store.odd
