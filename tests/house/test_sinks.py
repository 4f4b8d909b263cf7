# SPDX-License-Identifier: Apache-2.0
"""Whatever a command prints, no text from outside steers the terminal or begins a line of ours."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.house.test_commands import COMMANDS, DEADLINE, PROGRAM
from tests.house.tree import ROOT, files, place

HOSTILE = "a\x1b]0;b\x07c\x9b2Jd\u202ee\u2028f\x7fg\x00h\rota: slot B\udc9bi"
"""Escape sequences of seven and eight bits, the direction of writing, line ends, half a letter."""

FORGED = f"{HOSTILE}\nota-agent: state ArtifactCommit"

WRITES = """\
    import logging, pathlib, warnings
    text = {text!r}
    print(text)
    print(text, file=sys.stderr)
    logging.getLogger("x").warning("%s", text)
    warnings.warn(text)
    {then}
"""
ENDS = {
    "returns": "return 0",
    "a file is not there": "raise FileNotFoundError(2, text, text)",
    "a bug": "raise ValueError(text)",
}

BYTES = {
    "ota_agent/server/signer.py": "a signature, for the agent",
    "ota_artifact/cli/cat.py": "a file that the user wants as it is",
    "ota_artifact/cli/dump.py": "words for xargs -0",
    "ota_image/rootfs/compile_modules.py": "code, for the builder",
}
"""Modules that write bytes to their stdout, and what those are."""

DOOR = "ota_artifact/terminal.py"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_what_steers_a_terminal(name: str, end: str) -> None:
    work = WRITES.format(text=HOSTILE, then=ENDS[end])

    said = printed(name, work)

    assert said.count("\\x1b]0;b\\x07c\\x9b2Jd\\u202ee\\u2028f\\u007fg\\x00h\\rota: slot") >= 4
    assert [each for each in said if not each.isprintable() and each not in "\n\t"] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_an_error_with_many_lines_forges_none(name: str) -> None:
    said = printed(name, f"    raise OSError(5, {FORGED!r})\n")

    assert "ota-agent: state ArtifactCommit" in said
    assert not any(line.startswith("ota-agent: state") for line in said.splitlines())


def printed(name: str, work: str) -> str:
    program = PROGRAM.format(module=COMMANDS[name], work=work, is_ours=True)
    done = subprocess.run(  # noqa: S603
        (sys.executable, "-c", program), capture_output=True, timeout=DEADLINE, check=False
    )
    return (done.stdout + done.stderr).decode("utf-8")


def test_only_one_module_writes_past_the_filter() -> None:
    found = [
        each
        for path in files("*.py", root=ROOT / "tools")
        if "src" in path.parts and not place(path).endswith(DOOR)
        for each in doors(place(path), path.read_text("utf-8"))
    ]

    assert found == []


def doors(name: str, source: str) -> Iterator[str]:
    """Where a module writes to a terminal in another way than by print or a text stream."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(
                value=ast.Attribute(value=ast.Name("sys"), attr="stdout" | "stderr"), attr="buffer"
            ) if not name.endswith(tuple(BYTES)):
                yield f"{name}:{node.lineno}: writes bytes; write a text"
            case ast.Attribute(value=ast.Name("sys"), attr="__stdout__" | "__stderr__"):
                yield f"{name}:{node.lineno}: goes past the filter"
            case ast.Call(func=ast.Attribute(value=ast.Name("os"), attr="write"), args=args) if (
                isinstance(args[0], ast.Constant)
            ):
                yield f"{name}:{node.lineno}: goes past the filter"
            case ast.Constant(value="/dev/tty" | "/dev/console" | "/dev/kmsg" | "/dev/stderr"):
                yield f"{name}:{node.lineno}: opens a terminal"
            case ast.Call(func=ast.Name("steer"), args=[_, text]) if not is_own(text):
                yield f"{name}:{node.lineno}: steers with what is not a constant"
            case ast.Call(func=ast.Name("Steered")) if not name.endswith("cli/progress.py"):
                yield f"{name}:{node.lineno}: only a progress bar may do that"


def is_own(text: ast.expr) -> bool:
    """Whether a text is written in the module itself."""
    is_constant = isinstance(text, ast.Name) and text.id.isupper()
    return is_constant or (isinstance(text, ast.Constant) and isinstance(text.value, str))


@pytest.mark.parametrize(
    "source",
    [
        "sys.stdout.buffer.write(data)",
        "sys.__stderr__.write(text)",
        "os.write(2, data)",
        "open('/dev/console')",
        "steer(sys.stderr, text)",
        "steer(sys.stderr, f'{CLEAR}{text}')",
        "Steered(sys.stderr)",
    ],
)
def test_a_way_past_the_filter_is_found(source: str) -> None:
    assert len(list(doors("ota_agent/a.py", source))) == 1


@pytest.mark.parametrize("source", ["print(text)", "steer(sys.stderr, _CLEAR)", "os.write(fd, d)"])
def test_what_is_filtered_may_be_written(source: str) -> None:
    assert list(doors("ota_agent/a.py", source)) == []


def test_what_may_write_bytes_is_there() -> None:
    known = {place(path) for path in files("*.py", root=ROOT / "tools")}

    assert [each for each in BYTES if not any(path.endswith(each) for path in known)] == []


def test_every_handler_of_logs_is_known() -> None:
    """A new one has to make a record's text visible, as tests/unit/agent/test_sinks.py checks."""
    classes = [
        node
        for path in files("*.py", root=ROOT / "tools")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]

    found = [each.name for each in classes if "logging.Handler" in map(ast.unparse, each.bases)]

    assert sorted(found) == ["Console", "DeploymentLog"]
