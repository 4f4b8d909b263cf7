# SPDX-License-Identifier: Apache-2.0
"""BitBake, and build directories as kas would make them.

$OE_ROOT has a folder for each release, with checkouts of openembedded-core, bitbake,
meta-openembedded, meta-yocto and meta-raspberrypi. To compile U-Boot, it also has `u-boot`: a
source tree of the version that the release has. Nothing in them is changed.
"""

import os
import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ota_artifact.run import run
from ota_board.load import all_boards, load_board
from tests.house.tree import ROOT

OE_ROOT = Path(os.environ.get("OE_ROOT", "/nonexistent"))
RELEASES = [name for name in ("scarthgap", "wrynose") if (OE_ROOT / name).is_dir()]
MACHINES = {
    path.name: board.yocto.machine
    for path in all_boards([ROOT / "boards"])
    if (board := load_board(path)).yocto
}
"""The machine of each board that Yocto builds for."""

MASK = (
    'BBMASK = "/openembedded-core/meta/recipes-'
    "(?!bsp/u-boot|bsp/grub|core/images|devtools/pseudo|kernel/linux/linux-yocto)"
    ' /meta-raspberrypi/(?!conf|recipes-kernel/linux) /meta-yocto/.*/recipes- /meta-openembedded/"'
)
"""A setting for reading only meta-ota's own recipes, and those that it appends to."""

ALONE = (
    'ASSUME_PROVIDED:append = "'
    ' ^(?!grub|linux-yocto|ota-|pseudo|python3-ota-|u-boot|virtual/fakeroot).*$"\n'
    'PSEUDO_SETSCENE_DEPS:forcevariable = ""\n'
    'DEPENDS:append:pn-grub-efi = " linux-yocto u-boot"'  # "world" alone leaves them out
)
"""A setting, in addition to MASK, so that these recipes depend on no others."""

NOBODY = 65534
_AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
_LEAVES = 30.0  # [s]
_SYSTEM = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The build that kas.yml and the overlay of a board describe.

    Attributes:
        layers: their folders, in the checkouts of one release.
        settings: the text of local.conf.
    """

    layers: tuple[Path, ...]
    settings: str


def configuration(release: str, board: str, tree: Path = ROOT) -> Configuration:
    """Read it from the kas files, so that BitBake gets the same settings as from `kas build`.

    Raises:
        OSError: the board has no kas.yml.
    """
    layers: list[Path] = []
    texts: dict[str, str] = {}
    distribution = machine = ""
    for path in (tree / "meta-ota" / "kas" / "base.yml", tree / "boards" / board / "kas.yml"):
        file: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        distribution = file.get("distro", distribution)
        machine = file.get("machine", machine)
        texts |= file.get("local_conf_header", {})
        for name, repository in file.get("repos", {}).items():
            folder = OE_ROOT / release / name if "url" in repository else tree
            names = repository.get("layers", {"": None})
            layers += [folder / each for each, state in names.items() if state != "disabled"]
    settings = (
        f'MACHINE = "{machine}"\nDISTRO = "{distribution}"\nCONF_VERSION = "2"\n'
        'PACKAGE_CLASSES = "package_ipk"\nBB_NO_NETWORK = "1"\nCONNECTIVITY_CHECK_URIS = ""\n'
        + "\n".join(texts.values())
    )
    return Configuration(tuple(layers), settings)


@dataclass(frozen=True, slots=True)
class BuildFolder:
    """A build directory of one release."""

    folder: Path
    release: str

    def configure(self, given: Configuration, settings: str = "") -> None:
        """Write bblayers.conf and local.conf, the latter with more settings."""
        conf = self.folder / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        layers = " ".join(str(layer) for layer in given.layers)
        (conf / "bblayers.conf").write_text(
            f'BBPATH = "${{TOPDIR}}"\nBBFILES ?= ""\nBBLAYERS = "{layers}"\n'
        )
        (conf / "local.conf").write_text(f"{given.settings}\n{settings}\n")
        if os.geteuid() == 0:  # BitBake refuses root
            for path in (self.folder, conf, *conf.iterdir()):
                os.chown(path, NOBODY, NOBODY)

    def remove(self) -> None:
        """Remove it, once BitBake's server has taken its own files away.

        Raises:
            OSError: files keep appearing there.
        """
        end = time.monotonic() + _LEAVES
        while self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=time.monotonic() < end)

    def made_of(self, recipe: str) -> Path:
        """The WORKDIR of a recipe, in which BitBake has built it."""
        (found,) = self.folder.glob(str(Path("tmp*", "work", "*", recipe, "*")))
        return found

    def bitbake(self, *words: str, timeout: float = 840) -> str:
        """What BitBake prints.

        Args:
            timeout: how long it may take [s].

        Raises:
            ProgramError: it ends with an error; the text has what it said.
        """
        return self.run(("bitbake", *words), timeout=timeout)

    def run(self, words: Sequence[str], *, timeout: float) -> str:
        """What a program of BitBake or OpenEmbedded prints, on both of its streams.

        Raises:
            ProgramError: it ends with an error; the text has what it said.
        """
        checkouts = OE_ROOT / self.release
        programs = (checkouts / "bitbake" / "bin", checkouts / "openembedded-core" / "scripts")
        said = shlex.quote(str(self.folder / "said"))
        line = (
            f"cd {shlex.quote(str(self.folder))} && {{ {shlex.join(words)} >{said} 2>&1"
            f" && cat {said} || {{ cat {said} >&2; exit 1; }}; }}"
        )
        shell = (*_AS_NOBODY, "sh", "-c", line) if os.geteuid() == 0 else ("sh", "-c", line)
        environment = {
            "BBPATH": str(self.folder),
            "BUILDDIR": str(self.folder),
            "HOME": str(self.folder),
            "PATH": ":".join((*map(str, programs), _SYSTEM)),
            "PYTHONPATH": str(checkouts / "bitbake" / "lib"),
            "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8",
            "BB_SERVER_TIMEOUT": "0",
        }
        return run(shell, timeout=timeout, environment=environment).decode("utf-8", "replace")


def masked(folder: Path, release: str, board: str, settings: str = "") -> BuildFolder:
    """A build directory in which BitBake reads few recipes, see MASK."""
    build = BuildFolder(folder, release)
    build.configure(configuration(release, board), f"{MASK}\n{settings}")
    return build
