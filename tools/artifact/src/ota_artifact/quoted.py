# SPDX-License-Identifier: Apache-2.0
"""What messages and logs quote of a command line, and of what a program said."""

import re

_FIRST, _LAST = 10, 30  # lines that are quoted
_WIDTH = 2000  # characters of a line
_PIN = re.compile(r"(pin-value=)[^;&?']*")  # Source: RFC 7512, PKCS#11 URIs


def shortened(text: str) -> str:
    """The first and the last lines of a long text, and of a long line its begin."""
    lines = [line[:_WIDTH] for line in text.splitlines()]
    left_out = len(lines) - _FIRST - _LAST
    if left_out > 1:
        lines[_FIRST:-_LAST] = [f"… {left_out} more lines …"]
    return "\n".join(lines)


def masked(text: str) -> str:
    """A text without the PIN of a token."""
    return _PIN.sub(r"\1…", text)
