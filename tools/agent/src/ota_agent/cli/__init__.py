# SPDX-License-Identifier: Apache-2.0
"""The command `ota-agent`: each sub-command is a module here."""
