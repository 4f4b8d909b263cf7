# SPDX-License-Identifier: Apache-2.0
"""Names that must not be in the tree: of the machine that it is on, and of package mirrors."""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from tests.house.tree import ROOT, files, place

# The configuration, and the default addresses of pip.
_ASK_PIP = """
from pip._internal.configuration import Configuration
from pip._internal.models.index import PyPI
configuration = Configuration(isolated=False)
configuration.load()
print(*configuration.items(), PyPI.url, "https://" + PyPI.file_storage_domain)
"""
_QUESTIONS = (
    ("apt-get", "indextargets", "--format", "$(SITE)"),
    (sys.executable, "-c", _ASK_PIP),
    ("npm", "config", "get", "registry"),
)
_HOST = re.compile(r"//(?:[^/@\s]*@)?([A-Za-z0-9.-]+)")


def hosts(said: str) -> set[str]:
    """The host names in what a package manager says of its mirrors, but no addresses in numbers."""
    return {host for host in _HOST.findall(said) if "." in host and re.search("[A-Za-z]", host)}


def mirrors() -> set[str]:
    """The hosts that this machine's package managers ask."""
    return {host for question in _QUESTIONS for host in hosts(_answer(question))}


def _answer(question: tuple[str, ...]) -> str:
    if shutil.which(question[0]) is None:
        return ""
    try:
        return run(question, timeout=60).decode()
    except ProgramError:
        return ""


def neighbours(root: Path = ROOT) -> set[str]:
    """The paths of the tree and of the files next to it.

    A tree in / has none, since many texts have a name such as /src. Of a tree in /tmp only its own
    path counts, since examples write their files there.
    """
    match root.parent:
        case Path(parts=(_,)):
            return set()
        case parent if parent == Path(tempfile.gettempdir()).resolve():
            return {str(root)}
        case parent:
            return {str(path) for path in parent.iterdir()}


def mentions(words: Iterable[str], *, root: Path = ROOT) -> Iterator[str]:
    """Where a file of the tree has one of the words, one line each."""
    either = "|".join(re.escape(word) for word in sorted(words)) or "(?!)"  # nothing for no word
    any_word = re.compile(rf"(?<![\w.-])({either})(?![\w-])")
    for path in files(root=root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a golden file
        for number, line in enumerate(text.splitlines(), start=1):
            if found := any_word.search(line):
                yield f"{place(path, root)}:{number}: names {found[1]}"
