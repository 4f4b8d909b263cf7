# SPDX-License-Identifier: Apache-2.0
"""The options that every command has."""

import argparse
from pathlib import Path

CONFIGURATION = Path("/etc/ota/agent.toml")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add where the configuration is, and how much is logged."""
    parser.add_argument(
        "--config",
        "-c",
        type=Path,
        default=CONFIGURATION,
        metavar="FILE",
        help="configuration (default: %(default)s; Mender's is read, too)",
    )
    parser.add_argument(
        "--log-level",
        "-l",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="how much is said on stderr (default: %(default)s)",
    )
