# SPDX-License-Identifier: Apache-2.0
"""How this device is set up: agent.toml, Mender's JSON files, and the defaults of each part."""
