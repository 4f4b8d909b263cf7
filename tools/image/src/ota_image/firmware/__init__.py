# SPDX-License-Identifier: Apache-2.0
"""The programs that run before the slot does."""
