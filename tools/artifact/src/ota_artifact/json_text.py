# SPDX-License-Identifier: Apache-2.0
"""JSON as artifacts hold it: UTF-8, one object, each key once, finite numbers."""

import json
import math
from typing import Any

from ota_artifact.errors import ArtifactError
from ota_artifact.names import shown


def parse_any(text: str | bytes) -> Any:
    """What a text of JSON holds, whatever that is.

    Raises:
        ValueError: it is not JSON, or nests too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def parse_object(raw: bytes, what: str) -> dict[str, Any]:
    """The object that ``raw`` holds.

    Raises:
        ArtifactError: not UTF-8, not JSON, too deep, a repeated key, or not an object.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_refuse,
            parse_float=_finite,
        )
        # A lone surrogate ("\\ud800") passes the parser, but fails when it is printed.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise ArtifactError(f"{what}: is not UTF-8: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{what}: is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{what}: must be a JSON object")
    return value


def format_object(value: dict[str, Any], *, sort: bool = False) -> bytes:
    """Minified JSON; keys as given, or sorted.

    Raises:
        ArtifactError: a string is not UTF-8, which is possible on the command line.
    """
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=sort, separators=(",", ":")
    )
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        near = text[max(0, error.start - 20) : error.end]
        raise ArtifactError(f"{shown(near)} is not UTF-8; write it in UTF-8") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, each in pairs:
        if name in value:
            raise ValueError(f"the key {shown(name)} appears twice")
        value[name] = each
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number
