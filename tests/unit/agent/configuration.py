# SPDX-License-Identifier: Apache-2.0
"""The configuration file that a device gets, every key explained: made from the options' own docs.

`python -m tests.unit.agent.configuration --write` writes it.
"""

from ota_agent.config.settings import default_file
from tests.house.generated import show_or_write
from tests.house.tree import ROOT

FILE = ROOT / "tools" / "agent" / "system" / "share" / "ota" / "agent.toml"

if __name__ == "__main__":
    show_or_write(FILE, default_file())
