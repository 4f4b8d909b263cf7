# SPDX-License-Identifier: Apache-2.0
"""How long work reports what it is doing."""

from collections.abc import Callable

Say = Callable[[str], None]
"""Told what is being done, one short line each."""
