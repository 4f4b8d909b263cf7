# SPDX-License-Identifier: Apache-2.0
"""Builds U-Boot's sandbox, a program of this machine, with the environment of each board.

The boards share one tree of objects: for all but the first, only the environment is compiled.
Their own Kconfig fragments are about hardware and are left out; `u-boot.cfg` here replaces them.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ota_artifact.run import run
from ota_board.board import Board
from ota_board.u_boot import default_environment, fragment, missing
from ota_image.cache import key_of, make_once, tree_digest
from ota_image.firmware.u_boot import let_swig_append, tree_version
from ota_image.progress import Say
from tests.house.tree import ROOT

HERE = Path(__file__).parent

BOARD_TREE = "card.dtb"
"""The sandbox's own device tree, next to the programs, which are named after the boards."""

EDITS = (
    # The environment is at the same place as on a board.
    ("board/sandbox/sandbox.c", "\tENVL_NOWHERE,\n", "\tENVL_MMC,\n"),
    # A kernel that was started does not return.
    (
        "arch/sandbox/lib/bootm.c",
        'printf("sandbox: continuing, as we cannot run Linux\\n");',
        "sandbox_exit();",
    ),
    # The memory is zero already; to write all of it would take longer than the boot.
    (
        "arch/sandbox/cpu/start.c",
        "\tif (!state->ram_buf_read)\n\t\tmemset(state->ram_buf, '\\0', state->ram_size);\n",
        "",
    ),
    # A card refuses one write for each file that is called so.
    (
        "drivers/mmc/sandbox_mmc.c",
        "\tcase MMC_CMD_WRITE_MULTIPLE_BLOCK:\n",
        "\tcase MMC_CMD_WRITE_MULTIPLE_BLOCK:\n"
        "\t\tfor (int number = 0; number < 100; number++) {\n"
        "\t\t\tchar name[16];\n\n"
        '\t\t\tsnprintf(name, sizeof(name), "refuse-%d", number);\n'
        "\t\t\tif (!os_unlink(name))\n"
        "\t\t\t\treturn -EIO;\n"
        "\t\t}\n",
    ),
    # The slot is empty as long as there is a file that is called so.
    (
        "drivers/mmc/sandbox_mmc.c",
        "static int sandbox_mmc_get_cd(struct udevice *dev)\n{\n\treturn 1;",
        "static int sandbox_mmc_get_cd(struct udevice *dev)\n{\n\tloff_t size;\n\n"
        '\treturn os_get_filesize("no-card", &size) < 0;',
    ),
)
"""Changes of the sandbox, not of code that boards share: file, old text, new text."""

_TIMEOUT = 1500.0  # [s] on a slow machine


def folder_of(board: Board) -> Path:
    """The folder of a board's description."""
    return ROOT / "boards" / board.name


def build_sandbox(boards: Sequence[Board], source: Path, say: Say) -> Path:
    """A folder with a sandbox for each board, by its name, and its device tree.

    Args:
        source: a tree of U-Boot, from 2023.01 on; it is copied, not changed.

    Raises:
        ImageError: it is not such a tree.
        ProgramError: a compiler is missing, or fails.
        OSError: no space in the cache.
    """
    inputs = [default_environment(board, folder_of(board)) for board in boards]
    inputs += [fragment(board, Path("u-boot.env"), HERE) for board in boards]
    inputs += [(HERE / "card.dts").read_text("utf-8"), repr(EDITS), tree_digest(source)]
    key = key_of(*(board.name for board in boards), *inputs)
    with make_once(f"u-boot/sandbox-{tree_version(source)}-{key}") as (folder, workplace):
        if workplace:
            tree, output = workplace / "source", workplace / "build"
            shutil.copytree(source, tree, symlinks=True)
            output.mkdir()
            for path, old, new in EDITS:
                _edit(tree / path, old, new)
            let_swig_append(tree)
            _make(tree, output, "sandbox_defconfig")
            for board in boards:
                say(f"compiling U-Boot's sandbox for {board.name}")
                _build(board, tree, output)
                run(("strip", "-o", workplace / board.name, output / "u-boot"), timeout=60)
            words = ("dtc", "-q", "-O", "dtb", "-o", workplace / BOARD_TREE, HERE / "card.dts")
            run(words, timeout=60)
            shutil.rmtree(tree)
            shutil.rmtree(output)
    return folder


def _build(board: Board, tree: Path, output: Path) -> None:
    environment, own = output / "u-boot.env", output / "ota.cfg"
    environment.write_text(default_environment(board, folder_of(board)), "utf-8")
    own.write_text(fragment(board, environment, HERE), "utf-8")
    merge = ("scripts/kconfig/merge_config.sh", "-m", "-O", str(output), f"{output}/.config")
    # The script must be started in the tree.
    run(("sh", "-c", 'cd "$0" && exec "$@"', str(tree), *merge, str(own)), timeout=60)
    _make(tree, output, "olddefconfig")
    lost = missing(own.read_text("utf-8"), (output / ".config").read_text("utf-8"))
    assert not lost, f"{board.name}: the sandbox's configuration lost {'; '.join(lost)}"
    _make(tree, output, "u-boot")


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{path}: does not have {old!r} once; this is another version"
    path.write_text(text.replace(old, new), "utf-8")


def _make(tree: Path, output: Path, target: str) -> None:
    environment = {
        "KBUILD_OUTPUT": str(output),
        "NO_SDL": "1",
        "SOURCE_DATE_EPOCH": "0",
        "KBUILD_BUILD_USER": "ota",
        "KBUILD_BUILD_HOST": "ota",
    }
    jobs = str(len(os.sched_getaffinity(0)))
    argv = ("make", "-s", f"-j{jobs}", "-C", tree, target)
    run(argv, timeout=_TIMEOUT, environment=environment)
