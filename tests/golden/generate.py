# SPDX-License-Identifier: Apache-2.0
"""Writes the golden artifacts: ``python -m tests.golden.generate``.

Those of mender-artifact are not made again: that program wrote them once.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.golden.accepted import good_artifacts
from tests.golden.cases import FOLDER, Broken, Good
from tests.golden.refused import broken_artifacts


def generated() -> Iterator[tuple[Path, bytes]]:
    """Each file and its bytes."""
    cases: tuple[Good | Broken, ...] = (
        *good_artifacts().values(),
        *broken_artifacts().values(),
    )
    for case in cases:
        if case.is_committed:
            yield case.path, case.content


def main() -> None:
    """Write each file whose bytes differ; remove files that are not generated."""
    wanted = dict(generated())
    for kind in ("good", "broken"):
        (FOLDER / kind).mkdir(exist_ok=True)
        for path in (FOLDER / kind).iterdir():
            if path not in wanted:
                path.unlink()
    for path, content in wanted.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


if __name__ == "__main__":
    main()
