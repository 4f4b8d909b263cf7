# SPDX-License-Identifier: Apache-2.0
"""The command `ota-image`: one file for each sub-command, which parses, calls and prints."""
