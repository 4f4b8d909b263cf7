# SPDX-License-Identifier: Apache-2.0
"""`build`: make a disk image and its artifact from Debian packages."""

import argparse
import json
import sys
from pathlib import Path

from ota_artifact.keys import PASSPHRASE_VARIABLE, PrivateKey, load_private_key, read_passphrase
from ota_board.load import board_folders, find_board, load_board
from ota_image.build import build
from ota_image.cli.rootfs import (
    add_options,
    recipe_of,
    settings_of,
    source_of,
    update_lock_if_asked,
)
from ota_image.errors import ImageError
from ota_image.firmware.packages import VARIABLE, accepted_licences

_EXAMPLE = """\
examples:
  ota-image build qemu-arm64
  ota-image build qemu-arm64 --image debian --suite bookworm --parts
  ota-image build raspberrypi3 --accept-licence raspi-firmware --ssh-key ~/.ssh/id_ed25519.pub
  ota-image build beaglebone-black --ssh-key ~/.ssh/id_ed25519.pub --key private.pem --release 1.2
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `build`."""
    parser = sub.add_parser(
        "build",
        help="make a board's disk image and artifact from Debian packages",
        description="Makes the disk image of a board and the artifact with the same root"
        " filesystem; also a block map, the layout and a list of the software. Does not need root;"
        " what is the same every time is cached.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    parser.add_argument("--output", metavar="DIR", help="default: build/BOARD")
    parser.add_argument(
        "--key",
        metavar="PEM",
        help="sign the artifact with this private key; the device then installs only what is signed"
        " with it, or with a --verify-key",
    )
    parser.add_argument(
        "--key-passphrase-file",
        metavar="FILE",
        help=f"first line is the key's passphrase (default: ${PASSPHRASE_VARIABLE})",
    )
    parser.add_argument(
        "--u-boot", metavar="DIR", help="a source tree of U-Boot (default: Debian's source package)"
    )
    parser.add_argument(
        "--accept-licence",
        metavar="PACKAGE",
        action="append",
        default=[],
        help=f"accept the licence of non-free firmware (default: ${VARIABLE}; repeatable)",
    )
    parser.add_argument(
        "--parts",
        action="store_true",
        help="also write each partition and each raw area as a file, for tools that flash boards in"
        " production; parts.json lists where each belongs",
    )
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    add_options(parser)


def _run(args: argparse.Namespace) -> int:
    folder = find_board(args.board, list(board_folders(args.boards)))
    board = load_board(folder)
    recipe, settings = recipe_of(args, board), settings_of(args)
    update_lock_if_asked(args, recipe, board)
    made = build(
        board,
        folder,
        recipe,
        settings,
        Path(args.output or f"build/{board.name}"),
        source=source_of(args),
        u_boot_tree=Path(args.u_boot) if args.u_boot else None,
        signer=_signer(args),
        accepted=accepted_licences(args.accept_licence),
        with_parts=args.parts,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    paths = {
        "image": str(made.image),
        "artifact": str(made.artifact),
        "layout": str(made.layout),
        "software": str(made.software),
        **({"parts": [str(each) for each in sorted(made.parts.iterdir())]} if made.parts else {}),
    }
    print(json.dumps({"name": made.name, **paths}, indent=1) if args.json else made.image)
    return 0


def _signer(args: argparse.Namespace) -> PrivateKey | None:
    """The key of the options; None without one.

    Raises:
        ImageError: it is not a file, or there is a passphrase for none.
        ArtifactError: it is not a usable key.
        OSError: a file cannot be read.
    """
    name: str | None = args.key_passphrase_file
    if name and not args.key:
        raise ImageError("--key-passphrase-file: needs --key; give it too")
    if not args.key:
        return None
    if args.key.startswith("pkcs11:"):
        raise ImageError(
            "--key: must be a file; for a key in a token, give its public half with --verify-key,"
            " and sign the artifact with `ota-artifact sign --key-pkcs11`"
        )
    return load_private_key(Path(args.key), read_passphrase(Path(name)) if name else None)
