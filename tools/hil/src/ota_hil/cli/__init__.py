# SPDX-License-Identifier: Apache-2.0
"""The command `ota-hil`: each sub-command is a module here."""
