# SPDX-License-Identifier: Apache-2.0
"""What logs and errors quote of a program: its command and its stderr, without PINs and bounded."""

import re

_PIN = re.compile(r"(pin-value=)[^;&?']*")  # Source: RFC 7512, PKCS#11 URIs
_FIRST, _LAST, _WIDTH = 10, 30, 2000  # lines that stay of a long text, and characters of a line


def masked(text: str) -> str:
    """The text without the PINs of tokens."""
    return _PIN.sub(r"\1…", text)


def shortened(text: str) -> str:
    """The first and the last lines of a long text, and the start of each long line."""
    lines = [line[:_WIDTH] for line in text.splitlines()]
    left_out = len(lines) - _FIRST - _LAST
    if left_out > 1:
        lines[_FIRST:-_LAST] = [f"… {left_out} more lines …"]
    return "\n".join(lines)
