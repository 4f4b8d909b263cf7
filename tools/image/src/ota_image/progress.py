# SPDX-License-Identifier: Apache-2.0
"""How work that takes long reports its steps."""

from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one short line for each step, as the step begins."""
