# SPDX-License-Identifier: Apache-2.0
"""Builds a board's disk image and artifact from Debian packages, with their metadata."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.header import Header, PayloadHeader
from ota_artifact.hold import hold
from ota_artifact.keys import PrivateKey, Signer
from ota_artifact.layout import to_json
from ota_artifact.output import replacing
from ota_artifact.provides import CHECKSUMS, ROOTFS, Software, default_clears, software_version
from ota_artifact.security_version import provides_of as security_provides
from ota_artifact.spec import ArtifactSpec, FileSource, PayloadSpec
from ota_artifact.writer import write_artifact
from ota_board import grub
from ota_board.board import Board
from ota_board.u_boot import compiled_environment, factory_environment
from ota_image.cache import one_error_if_full
from ota_image.disk.compose import Parts, Raw, compose
from ota_image.disk.image import slot_file
from ota_image.disk.slot import filled_slots, read_slot
from ota_image.disk.split import split
from ota_image.doctor.memory import judge_memory, slot_meta_data
from ota_image.errors import ImageError
from ota_image.firmware.packages import U_BOOT, fetch_firmware
from ota_image.firmware.prior_stage import check_device_tree
from ota_image.firmware.u_boot import UBoot, u_boot_of
from ota_image.packages.reach import unsafe_parts
from ota_image.packages.recipe import Recipe, fitted
from ota_image.packages.sources import ANY_SOURCE, Source
from ota_image.progress import Say
from ota_image.rootfs.access import check_trust
from ota_image.rootfs.settings import Settings
from ota_image.rootfs.slot import Slot, make_slot
from ota_image.spdx import software_list
from ota_image.workfolder import own_folder

_INCOMPARABLE = (
    "warning: a device with a key refuses another build of the same version after this one, since"
    " their names differ only behind the '+'; add --release or --security-version"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build made.

    Attributes:
        name: ``<image>-<release>``, which is the artifact's name.
        image: the disk image; its block map is next to it.
        artifact: the update file with the same root filesystem.
        layout: of the disk, as JSON.
        software: the list of packages, as SPDX.
        parts: the folder of the image's parts; None if they were not asked for.
    """

    name: str
    image: Path
    artifact: Path
    layout: Path
    software: Path
    parts: Path | None = None


def build(
    board: Board,
    board_folder: Path,
    recipe: Recipe,
    settings: Settings,
    output: Path,
    *,
    source: Source = ANY_SOURCE,
    u_boot_tree: Path | None = None,
    signer: Signer | None = None,
    accepted: Collection[str] = (),
    with_parts: bool = False,
    say: Say = lambda text: None,
) -> Built:
    """Make a disk image and the artifact with the same root filesystem.

    Slot A of the image and the payload of the artifact are the same bytes.

    Args:
        output: the folder for all files. If another build has it, this one waits.
        signer: signs the artifact; the device trusts its public half if it is a `PrivateKey`.
        u_boot_tree: a source tree of U-Boot; by default Debian's source package.
        accepted: packages whose licence the user accepts.
        with_parts: also write each part of the image into a file of its own.

    Raises:
        ImageError: the board, the recipe or a setting is wrong, a licence is not accepted, or the
            files do not fit.
        ProgramError: a program is missing or fails, for example without network.
        OSError: no space.
    """
    if isinstance(signer, PrivateKey):
        settings = settings.trusting(signer.public)
    check_trust(settings)  # before minutes of work
    board = fitted(board, recipe)
    wanted = output / f"{recipe.name}-{board.name}-{settings.release}.sdimg"
    check_suite(wanted, recipe.suite)
    if signer and not settings.release and settings.security_version is None:
        say(_INCOMPARABLE)
    firmware = fetch_firmware(board, recipe, source=source, accepted=accepted, say=say)
    is_grub = board.bootloader.kind == "grub" and u_boot_tree is None
    u_boot = (
        None
        if is_grub
        else u_boot_of(board, board_folder, u_boot_tree, say, recipe=recipe, source=source)
    )

    if u_boot:
        on_boot = (*_boot_files(board_folder / "boot"), *(each.path for each in board.firmware))
        check_device_tree(board, (u_boot.folder / ".config").read_text("utf-8"), on_boot)

    def placed(source: str) -> Path:
        if source in firmware.files:
            return firmware.files[source]
        if u_boot is None:
            raise ImageError(f"{board.name}: firmware.from: {source}: the board has no U-Boot")
        return u_boot.folder / source.removeprefix(f"{U_BOOT}/")

    output.mkdir(parents=True, exist_ok=True)
    # Files of two builds, of the same names, would be mixed.
    with (
        hold(output, remedy="or build into another folder with --output", waiting=say),
        own_folder(output) as folder,
        one_error_if_full(output),
    ):
        check_suite(wanted, recipe.suite)  # again: the build that we waited for may have made it
        slot = make_slot(
            board, recipe, settings, folder / "rootfs.ext4", source=source, progress=say
        )
        meta_data = _meta_data(board, slot.path, u_boot)
        name = f"{recipe.name}-{slot.release}"
        stem = f"{recipe.name}-{board.name}-{slot.release}"
        made = Built(
            name=name,
            image=output / f"{stem}.sdimg",
            artifact=output / f"{stem}.mender",
            layout=output / f"{stem}.layout.json",
            software=output / f"{stem}.spdx.json",
        )
        parts = Parts(
            rootfs=slot.path,
            variables=factory_environment(u_boot.environment) if u_boot else {},
            boot={
                **(grub.boot_files(board) if is_grub else {}),
                **_boot_files(board_folder / "boot"),
                **{each.path: placed(each.source) for each in board.firmware if each.path},
            },
            raw=tuple(
                Raw(each.offset, placed(each.source))
                for each in board.firmware
                if each.offset is not None
            ),
        )
        compose(board.layout, parts, made.image, progress=say)
        if with_parts:
            made = replace(made, parts=output / f"{stem}.parts")
            split(made.image, board.layout, parts.raw, output / f"{stem}.parts")
        say(f"artifact {name}{_signed(signer, settings)}")
        with replacing(made.artifact) as file:
            write_artifact(file, _artifact(board, name, slot, meta_data, settings), signer=signer)
        _write(made.layout, to_json(board.layout))
        _write(
            made.software,
            software_list(
                name,
                slot,
                recipe.suite,
                firmware.packages,
                u_boot=u_boot,
                doubts=unsafe_parts(recipe.suite, source),
            ),
        )
    return made


def check_suite(image: Path, suite: str) -> None:
    """Check that a build does not replace an image of another suite, which has the same name.

    Raises:
        ImageError: it would.
    """
    slots = filled_slots(image) if image.is_file() else ()
    if slots and all(slot.suite not in ("", suite) for slot in slots):
        raise ImageError(
            f"{image}: is of {slots[0].suite}, and would be replaced by one of {suite}; choose"
            " another --release or --output, or remove it"
        )


def _meta_data(board: Board, rootfs: Path, u_boot: UBoot | None) -> bytes:
    """What a slot needs of the bootloader, which this board's has.

    Args:
        u_boot: None for GRUB.

    Raises:
        ImageError: U-Boot has no room where it loads the slot's files.
    """
    slot = read_slot(slot_file(rootfs), is_grub=u_boot is None)
    if u_boot:
        for found in judge_memory(slot, compiled_environment(u_boot.environment)):
            raise ImageError(
                f"boards/{board.name}/board.yaml: bootloader.addresses: {found.cause};"
                f" {found.remedy}"
            )
    return slot_meta_data(slot)


def newest_image(board: Board, folder: Path) -> Path:
    """The newest disk image of a board in a folder.

    Raises:
        ImageError: there is none.
    """
    images = sorted(folder.glob(f"*-{board.name}-*.sdimg"), key=lambda path: path.stat().st_mtime)
    if not images:
        raise ImageError(
            f"{folder}: has no image of {board.name}; make one: ota-image build {board.name}"
        )
    return images[-1]


def _boot_files(folder: Path) -> dict[str, Path]:
    """The files that a board has for its boot partition, by their path on it."""
    return {
        f"/{path.relative_to(folder)}": path for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _artifact(
    board: Board, name: str, slot: Slot, meta_data: bytes, settings: Settings
) -> ArtifactSpec:
    software = Software()
    number = settings.security_version
    payload = PayloadHeader(
        type=ROOTFS,
        provides=software_version(software, name)
        | ({} if number is None else security_provides(number)),
        clears=default_clears(software),
        meta_data=meta_data,
    )
    header = Header(version=3, artifact_name=name, compatible_types=board.device_types, payloads=())
    content = (FileSource("rootfs.ext4", slot.path),)
    return ArtifactSpec(header, (PayloadSpec(payload, content, CHECKSUMS[0]),))


def _signed(signer: Signer | None, settings: Settings) -> str:
    """What to say of an artifact without a signature."""
    if signer:
        return ""
    rest = "; devices refuse it until `ota-artifact sign` has signed it"
    return f", unsigned{rest if settings.verify_keys else ''}"


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())
