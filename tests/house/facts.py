# SPDX-License-Identifier: Apache-2.0
"""Facts that packages must agree on, and that more than one of them writes down.

A fact is a whole string of one of the kinds below; text for people is not one. A package that needs
a fact of another one imports it, where the arrows allow that.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KINDS: Mapping[str, str] = {
    "path on the device": r"/(?:boot|data|etc|run|uboot|usr/share|var)(?:/[\w.@+-]+)+",
    "file": r"[\w-][\w.-]*\.(?:conf|config|db|env|img|json|pem|sdimg|sha256sum|socket|toml)",
    "variable of the bootloader": r"mender_\w+|ota_[a-z]+|upgrade_available|boot(?:count|limit)",
    "setting of a slot": r"OTA_[A-Z_]+",
    "type of a partition": r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "word of an artifact": r"rootfs-image|rootfs_image_checksum|artifact_(?:name|group)",
}
"""A pattern for each kind; it matches the whole string, without `/` before a file and `=` after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One string of one kind in one place."""

    text: str
    kind: str
    package: str
    place: str


def facts(package: str, name: str, source: str) -> list[Fact]:
    """The facts that a file writes down, in the order of the source.

    Args:
        package: such as ``ota_agent``.
        name: of the file, for the message.
        source: its text.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)):
                pass
            case ast.Constant(value=bytes(raw)):
                text = raw.decode("latin-1")
            case _:
                continue
        text = text.removesuffix("=")
        text = text.removeprefix("/") if text.count("/") == 1 else text
        for kind, pattern in KINDS.items():
            if re.fullmatch(pattern, text):
                place = f"{name}:{node.lineno}"
                found.append(Fact(text=text, kind=kind, package=package, place=place))
    return found


def scattered(found: Iterable[Fact], allowed: Iterable[str] = ()) -> list[str]:
    """The facts that more than one package writes down, a line each.

    Args:
        allowed: facts that several may write down.
    """
    places: dict[tuple[str, str], dict[str, str]] = {}
    for each in found:
        places.setdefault((each.text, each.kind), {}).setdefault(each.package, each.place)
    return [
        f"{text}: a {kind} in {' and '.join(sorted(where.values()))}; import it from one of them"
        for (text, kind), where in sorted(places.items())
        if len(where) > 1 and text not in allowed
    ]
