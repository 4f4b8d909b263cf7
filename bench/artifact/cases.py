# SPDX-License-Identifier: Apache-2.0
"""What is measured: ota-artifact and mender-artifact at the same work, in turn."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.artifact.measure import Sample, measure, median
from bench.artifact.targets import Result

OURS = "ota-artifact"
THEIRS = "mender-artifact"

_WRITE = ("write", "rootfs-image", "--no-progress", "-n", "v2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The same work for both.

    Attributes:
        name: as tables show it.
        ours: arguments of ota-artifact.
        theirs: arguments of mender-artifact.
        output: the file that it writes, if any; deleted before each run.
        is_long: whether it takes minutes, so that it runs only once.
    """

    name: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    output: Path
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Programs:
    """The paths of the two commands that are compared."""

    ours: str
    theirs: str


def cases(image: Path, folder: Path, *, is_quick: bool) -> Iterator[Case]:
    """Every case, in order; those that validate need the artifact of the first one.

    Args:
        image: the root filesystem.
        folder: for the artifacts of both programs, on one filesystem.
        is_quick: whether to leave out xz.
    """
    output = folder / "written.mender"

    def write(name: str, ours: str, theirs: str, *, is_long: bool = False) -> Case:
        image_and_output = ("-f", str(image), "-o", str(output))
        return Case(
            name=f"write {name}",
            ours=(*_WRITE, "-c", "qemu-arm64", "--compression", ours, *image_and_output),
            theirs=(*_WRITE, "-t", "qemu-arm64", "--compression", theirs, *image_and_output),
            output=output,
            is_long=is_long,
        )

    yield write("gzip", "gzip", "gzip")
    yield write("zstd", "zstd_fast", "gzip")
    yield write("none", "none", "none")
    for name, file in (("validate gzip", "theirs"), ("validate gzip of ours", "ours")):
        words = ("validate", str(folder / f"{file}.mender"))
        yield Case(name=name, ours=words, theirs=words, output=output)
    if not is_quick:
        yield write("xz", "lzma", "lzma", is_long=True)


def compare(
    case: Case, programs: Programs, *, rounds: int, image: Path, say: Callable[[str], None]
) -> Result:
    """The medians of a case; the two take turns, so that both see the same changes of the machine.

    Raises:
        ProgramError: one failed.
    """
    samples: dict[str, list[Sample]] = {OURS: [], THEIRS: []}
    rounds = 1 if case.is_long else rounds
    for number in range(rounds):
        for who in (OURS, THEIRS) if number % 2 == 0 else (THEIRS, OURS):
            say(f"{case.name}: {number + 1} of {rounds}: {who}")
            argv = (programs.ours, *case.ours) if who == OURS else (programs.theirs, *case.theirs)
            samples[who].append(_sample(argv, case.output, image))
    return Result(median(samples[OURS]), median(samples[THEIRS]))


def prepare(image: Path, folder: Path, programs: Programs) -> None:
    """Make what the cases need: an artifact of each program, and the compiled bytecode of ours.

    Raises:
        ProgramError: one failed.
    """
    first = next(cases(image, folder, is_quick=True))
    for name, argv in (
        ("ours", (programs.ours, *first.ours)),
        ("theirs", (programs.theirs, *first.theirs)),
    ):
        _sample(argv, first.output, image)
        first.output.replace(folder / f"{name}.mender")
    _sample((programs.ours, "validate", str(folder / "ours.mender")), first.output, image)


def _sample(argv: tuple[str, ...], output: Path, image: Path) -> Sample:
    """Run a program once, on a quiet disk with the image in memory."""
    output.unlink(missing_ok=True)
    os.sync()
    with image.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
    return measure(argv, environment=_environment(output.parent), output=output)


def _environment(folder: Path) -> dict[str, str]:
    """An environment in which ours keeps its bytecode, which pip compiles in a real install."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def our_program() -> Path:
    """The ota-artifact of this Python's environment."""
    return Path(sys.executable).with_name(OURS)
