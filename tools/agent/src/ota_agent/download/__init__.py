# SPDX-License-Identifier: Apache-2.0
"""Brings an artifact here, over as many connections as it takes."""

from dataclasses import dataclass

from ota_agent.bounds import bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """How patient a download is, and how gentle.

    Attributes:
        no_progress: after this long without one new byte it is given up [s].
        total: after this long it is given up, whatever it did; neither a restart of the agent nor
            a reboot of the device begins this time again [s].
        inactivity: a connection that is silent for this long is taken for lost, and so is one whose
            answer has not begun by then, whatever drips [s].
        first_delay: before the first retry; each further one without a new byte waits twice as
            long, and all of them up to a quarter more or less, so that a fleet spreads out [s].
        longest_delay: between two retries [s].
        longest_retry_after: a server that asks for more than this (Retry-After) is asked again
            after this [s].
        bandwidth: bytes taken from the network at most [B/s]; 0 for no limit.
        is_comparing: read each block of the slot first, and write only what differs: flash lives
            longer.
        is_reading_back: read the whole slot once more when it is written, and compare its digest.
        checkpoint_bytes: after so much, it is remembered how far the slot is written [B].
        checkpoint_interval: the same after so long [s].
    """

    no_progress: float = 3600.0
    total: float = 86400.0
    inactivity: float = bounded(300.0, least=0.1)
    first_delay: float = bounded(2.0, least=0.01)
    longest_delay: float = bounded(300.0, least=0.1)
    longest_retry_after: float = 3600.0
    bandwidth: int = 0
    is_comparing: bool = True
    is_reading_back: bool = False
    checkpoint_bytes: int = 16 << 20
    checkpoint_interval: float = 10.0
