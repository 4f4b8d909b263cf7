# SPDX-License-Identifier: Apache-2.0
"""The command `ota-artifact`: one file for each sub-command, which parses, calls and prints."""
