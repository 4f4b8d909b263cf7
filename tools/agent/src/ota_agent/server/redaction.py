# SPDX-License-Identifier: Apache-2.0
"""Takes secrets out of what is kept in a deployment's log, and sent to the server.

A pattern must not hold the agent up, whatever it is given: each of ours is bounded, and those of
the configuration are refused unless they are, too.
"""

import re
from collections.abc import Callable, Iterable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from ota_agent.address import hide
from ota_agent.errors import AgentError

MASK = "(redacted)"

_MOST = 2048  # ways to match at one place
_UNBOUNDED = 512  # of them for a repetition without an end
_LONGEST = 500  # characters of a pattern

_NAMES = (
    r"(?:pass(?:word|wort|wd|phrase|code)|_pass(?![a-z])|(?<![a-z])pass(?==)|pwd|secret|token"
    r"|(?:api|private|access|auth|session|signing|encryption|master|hmac|license|pre-?shared|wep)"
    r"[_-]?key|session[_-]?id|credentials?|psk|pin[_-]?(?:code|value)|signature(?==)"
    r"|(?<![a-z])sig(?==))"
)
_IS = r"(?:\[[^\]]{0,32}\])?\\{0,3}[\"']?\s{0,8}(?:=>|:=|==?|:|%3d|\\u003d)\s{0,8}"
"""Between a name and its value: as in JSON, also inside a string, in YAML, Ruby and a URL."""

_QUOTED = r"(?:\"(?:[^\"\\]|\\.){1,4096}\"?|'(?:[^'\\]|\\.){1,4096}'?)"
_VALUE = (
    rf"(?:[bu]?{_QUOTED}|\\{{1,3}}[\"'][^\"'\\]{{1,4096}}|[\[(]?{_QUOTED}"
    r"|[^\s&,;\"'<]{1,4096})"
)
_BEGIN, _END = (rf"-----{word} [A-Z ]{{0,40}}PRIVATE KEY-----" for word in ("BEGIN", "END"))
_DEFAULT = (
    rf"(?i)(?P<keep>(?:passphrase|psk)[\w.-]{{0,16}}{_IS})[^\s&,;\"'\\][^&,;\"'\n]{{0,4096}}",
    rf"(?i)(?P<keep>{_NAMES}[\w.-]{{0,16}}{_IS}){_VALUE}",
    rf"(?i)(?P<keep>{_NAMES}[\w.-]{{0,16}}\s{{1,4}}){_QUOTED}",
    rf"(?i)(?P<keep><(?:\w{{1,32}}:)?{_NAMES}[\w.-]{{0,16}}(?:\s[^<>]{{0,200}})?>)[^<]{{1,4096}}",
    rf"(?i)(?P<keep>--?{_NAMES}\s{{1,2}})\S{{1,4096}}",
    r"(?i)(?P<keep>(?:^|\s)(?:-u|--user|--proxy-user)[\s=]\s{0,4}[^\s:]{1,64}:)\S{1,4096}",
    r"(?P<keep>\bsshpass\s{1,4}-p\s{0,4})\S{1,4096}",
    r"(?P<keep>(?:^|[\s=/\"'(])[\w.%+-]{1,64}:)[^\s@/]{1,256}(?=@[\w\[])",
    r"(?i)(?P<keep>(?:proxy-)?authorization[\"']?\s{0,2}[=:]).{1,8192}",
    r"(?i)(?P<keep>\b(?:set-)?cookie:).{1,8192}",
    r"(?i)(?P<keep>\b(?:bearer|basic)\s{1,2})[\w+/=.~-]{8,8192}",
    r"\beyJ[\w-]{8,4096}\.[\w-]{8,4096}(?:\.[\w-]{1,4096})?",
    r"\b(?:gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_live_|(?i:age-secret-key-)1)[\w-]{6,512}",
    r"\$(?:1|2[abxy]?|5|6|7|g?y|argon2\w{1,2})\$[\w./$,=+-]{8,512}",  # as in /etc/shadow
    rf"(?P<keep>{_BEGIN})(?:[\s\S]{{0,8192}}?(?={_END}|\Z)|.{{0,8192}})",
    r"(?<![\w+/])(?=[a-z0-9+/]{0,50}[A-Z])(?=[A-Z0-9+/]{0,50}[a-z])(?=[A-Za-z]{0,50}[0-9+/])"
    r"[A-Za-z0-9+/]{60,8192}={0,2}",  # a line of a key in PEM
)
"""Passwords, tokens and keys as programs print them."""

_REST = re.compile(r"(?:[A-Za-z0-9+/]{16,4096}={0,2}|[A-Za-z0-9+/]{2,16}={1,2})\s{0,8}$")
"""A line of a key in PEM, also the last one; other programs may have said something between."""

_MOST_LINES = 100  # of a key; one of 16384 bit has 200, and the long ones are known without this


def redactor(more: Iterable[str] = ()) -> Callable[[str], str]:
    """What takes secrets out of one line after the other: a key in PEM has several.

    Args:
        more: regular expressions in addition to ours; see `check_pattern`.

    Raises:
        AgentError: one of them cannot be used.
    """
    patterns = [*map(re.compile, _DEFAULT)]
    for each in more:
        check_pattern(each)
        patterns.append(re.compile(each))

    begin, end, left = re.compile(_BEGIN), re.compile(_END), 0

    def redact(line: str) -> str:
        nonlocal left
        if left:
            left = 0 if end.search(line) else left - 1
            line = _REST.sub(MASK, line)
        if found := [*begin.finditer(line)]:
            left = 0 if end.search(line, found[-1].end()) else _MOST_LINES
        line = hide(line)
        for pattern in patterns:
            line = pattern.sub(_masked, line)
        return line

    return redact


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that is not a regular expression, or could take very long.

    Raises:
        AgentError: it is one.
    """
    if len(pattern) > _LONGEST:
        raise AgentError(f"{pattern[:40]!r}… is longer than {_LONGEST} characters")
    try:
        parsed = parser.parse(pattern)
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise AgentError(f"{pattern!r} is not a regular expression: {error}") from error
    if parsed.getwidth()[0] == 0:
        raise AgentError(f"{pattern!r} also matches nothing; have it match one character at least")
    if _ways(parsed) > _MOST:
        raise AgentError(
            f"{pattern!r} could take very long; repeat one thing in it without an end, such as"
            " [0-9]+, and the others a few times, as in [a-z]{1,4}"
        )


def _masked(match: "re.Match[str]") -> str:
    kept = match.groupdict().get("keep") or ""
    return f"{kept}{MASK}"


def _ways(parsed: Any) -> int:
    """In how many ways a parsed pattern could match at one place, at most; or `_MOST` and more."""
    ways = 1
    for kind, value in parsed:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            least, most, inner = value
            ways *= _repeated(least, most, _ways(inner))
        elif kind is op.BRANCH:
            ways *= sum(map(_ways, value[1]))
        elif kind is op.SUBPATTERN:
            ways *= _ways(value[-1])
        elif kind is op.ATOMIC_GROUP:
            ways *= _ways(value)
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            ways *= _ways(value[1])
        elif kind in (op.GROUPREF, op.GROUPREF_EXISTS, op.GROUPREF_IGNORE):
            return _MOST + 1
        if ways > _MOST:
            return _MOST + 1
    return ways


def _repeated(least: int, most: int, inner: int) -> int:
    if inner > 1:
        return int(inner ** min(most, 12)) if most < 12 else _MOST + 1
    return _UNBOUNDED if most is op.MAXREPEAT else most - least + 1
