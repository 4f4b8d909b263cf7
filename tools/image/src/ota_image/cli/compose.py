# SPDX-License-Identifier: Apache-2.0
"""`compose`: make a disk image from a root filesystem."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ota_board.board import Board
from ota_board.cli.arguments import add_slots, grown_board_of
from ota_board.grub import boot_files
from ota_board.load import board_folders, find_board
from ota_board.size import format_size
from ota_board.u_boot import default_environment, factory_environment
from ota_image.disk.boot import Content
from ota_image.disk.compose import Parts, Raw, compose
from ota_image.disk.split import split
from ota_image.errors import ImageError

_EXAMPLE = """\
examples:
  ota-image compose qemu-arm64 --rootfs rootfs.ext4 --output my.sdimg
  ota-image compose beaglebone-black --rootfs rootfs.tar --u-boot MLO u-boot.img --output my.sdimg
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `compose`."""
    parser = sub.add_parser(
        "compose",
        help="make a disk image from a root filesystem",
        description="Makes the disk image of a board, and its block map (.bmap), from any root"
        " filesystem: partition table, bootloader, its environment, boot partition, slot A with the"
        " root filesystem, an empty slot B, data. Needs neither root nor loop devices.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")
    parser.add_argument(
        "--rootfs",
        metavar="PATH",
        required=True,
        help="an ext4 image, which is used as it is, or a tar or a folder to make one from",
    )
    add_slots(parser)
    parser.add_argument("--boot", metavar="DIR", help="the files for the boot partition")
    parser.add_argument("--data", metavar="DIR", help="the files for the data partition")
    parser.add_argument(
        "--u-boot",
        metavar="FILE",
        nargs="+",
        default=[],
        help="the board's firmware files, with the names that its board.yaml has",
    )
    parser.add_argument("--output", metavar="FILE", required=True, help="the image")
    parser.add_argument(
        "--parts",
        metavar="DIR",
        help="also write each part of the image into a file in this folder",
    )
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


def _run(args: argparse.Namespace) -> int:
    folder = find_board(args.board, list(board_folders(args.boards)))
    board, output = grown_board_of(args), Path(args.output)
    raw, files = _firmware(board, [Path(each) for each in args.u_boot])
    text = default_environment(board, folder) if board.environment.kind == "raw" else ""
    parts = Parts(
        rootfs=Path(args.rootfs),
        variables=factory_environment(text),
        boot={**_own_files(board), **files, **_boot_files(args.boot)},
        raw=raw,
        data=Path(args.data) if args.data else None,
    )
    done = compose(board.layout, parts, output, progress=_say)
    if args.parts:
        split(output, board.layout, raw, Path(args.parts))
    if args.json:
        said = {"image": str(output), "map": f"{output}.bmap", "size": done.size}
        print(json.dumps({**said, "mapped": done.mapped}))
    else:
        print(f"{output}: {format_size(done.size)}; {done.mapped} B of it need to be written")
    return 0


def _firmware(board: Board, given: list[Path]) -> tuple[tuple[Raw, ...], Mapping[str, Content]]:
    """The given files where the board wants them: at an offset, or on the boot partition.

    Raises:
        ImageError: the board does not take one of them, or one that it needs is missing.
    """
    by_name = {path.name: path for path in given}
    wanted = {each.source.rpartition("/")[2] for each in board.firmware}
    for name, path in by_name.items():
        if name not in wanted:
            known = ", ".join(sorted(wanted)) or "none"
            raise ImageError(
                f"{path}: {board.name} has no firmware called {name}; it takes: {known}"
            )
    raw, files = [], dict[str, Content]()
    for each in board.firmware:
        found = by_name.get(each.source.rpartition("/")[2])
        if found is None:
            if each.offset is not None:
                raise ImageError(
                    f"{board.name}: does not boot without {each.source}; give it with --u-boot"
                )
            continue
        if each.offset is None:
            files[each.path] = found
        else:
            raw.append(Raw(each.offset, found))
    return tuple(raw), files


def _own_files(board: Board) -> Mapping[str, Content]:
    """The files that follow from the board alone: GRUB's configuration and its factory state."""
    return boot_files(board) if board.bootloader.kind == "grub" else {}


def _boot_files(folder: str | None) -> Mapping[str, Content]:
    if not folder:
        return {}
    top = Path(folder)
    if not top.is_dir():
        raise ImageError(f"{folder}: no such folder")
    return {f"/{path.relative_to(top)}": path for path in sorted(top.rglob("*")) if path.is_file()}


def _say(text: str) -> None:
    print(text, file=sys.stderr)
