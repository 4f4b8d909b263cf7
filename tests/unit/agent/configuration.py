# SPDX-License-Identifier: Apache-2.0
"""The configuration file that a device gets, every key explained: made from the options' own docs.

`python -m tests.unit.agent.configuration --write` writes it.
"""

import sys

from ota_agent.config.settings import default_file
from tests.house.tree import ROOT

FILE = ROOT / "tools" / "agent" / "system" / "share" / "ota" / "agent.toml"

if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text(default_file(), "utf-8")
    else:
        print(default_file(), end="")
