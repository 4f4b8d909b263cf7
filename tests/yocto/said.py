# SPDX-License-Identifier: Apache-2.0
"""The messages in the code of the project: the texts of its classes, recipes and tools."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import ROOT

GAP = "…"
"""Stands for a name, a path or a number."""

_METADATA = (".bb", ".bbappend", ".bbclass", ".inc")
_SHELL = re.compile(r'^\s*(bbfatal|bbwarn|bbnote) "(.*)"$', re.MULTILINE)
_VARIABLE = re.compile(r"\$\{[^}]+\}|\$\w+|%[sd]")
_PYTHON = re.compile(r"^python\b[^(]*\(\) \{\n(.*?)^\}|^(def .*?)(?=^\S|\Z)", re.M | re.S)
_BOOT_LOGIC = re.compile(r'echo "(.*?)"')


def texts(root: Path = ROOT) -> Iterator[str]:
    """Every text, with a gap for each value."""
    for path in sorted((root / "tools").glob("*/src/**/*.py")):
        yield from _of_python(path.read_text("utf-8"))
    for path in sorted((root / "meta-ota").rglob("*")):
        if path.suffix in _METADATA:
            yield from _of_metadata(path.read_text("utf-8"))
    logic = (root / "bootloader" / "u-boot" / "ota.env.j2").read_text("utf-8")
    yield from (_VARIABLE.sub(GAP, text) for text in _BOOT_LOGIC.findall(logic))


def stops(root: Path = ROOT) -> Iterator[str]:
    """The messages with which a class or a recipe stops a build, or skips an image."""
    for path in sorted((root / "meta-ota").rglob("*")):
        if path.suffix in _METADATA:
            text = path.read_text("utf-8")
            yield from (_filled(said) for kind, said in _SHELL.findall(text) if kind == "bbfatal")
            for node in (each for code in _python(text) for each in ast.walk(ast.parse(code))):
                match node:
                    case ast.Call(func=ast.Attribute(attr="fatal" | "SkipRecipe"), args=[said]):
                        yield next(_of_python(ast.unparse(said)))


def is_said(quote: str, known: list[str]) -> bool:
    """Whether a text has the quote; a gap in either matches any text that is not empty."""
    parts = [" ".join(part.split()) for part in quote.split(GAP)]
    return any(_in_order([part for part in parts if part], text) for text in known)


def _in_order(parts: list[str], text: str) -> bool:
    place = 0
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


def _of_python(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.JoinedStr(values=values):
                yield "".join(
                    str(each.value) if isinstance(each, ast.Constant) else GAP for each in values
                )
            case ast.Constant(value=str(text)):
                yield _VARIABLE.sub(GAP, text)


def _of_metadata(text: str) -> Iterator[str]:
    yield from (_filled(said) for _, said in _SHELL.findall(text))
    for code in _python(text):
        yield from _of_python(code)


def _filled(said: str) -> str:
    return _VARIABLE.sub(GAP, said.replace('\\"', '"'))


def _python(text: str) -> Iterator[str]:
    """The Python of a class: its anonymous functions, and those with a name."""
    for body, function in _PYTHON.findall(text):
        yield function or "if True:\n" + body
