# SPDX-License-Identifier: Apache-2.0
"""A build does not use what is damaged in the cache, and gives the same bytes as with a new one."""

import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_program
from tests.unit.image.tiny import Tiny, make_tiny

pytestmark = [
    pytest.mark.boot,
    requires_program("debugfs", package="e2fsprogs"),
    requires_program("depmod", package="kmod"),
    requires_program("ar", package="binutils"),
]


def built(tiny: Tiny, cache: Path, output: Path) -> dict[str, str]:
    """Build; gives the digest of each file by its name."""
    command = (sys.executable, "-c", "from ota_image.cli.main import entry; entry()")
    words = (*tiny.options(), "--locked", "--output", str(output))
    settings = {"XDG_CACHE_HOME": str(cache)}
    run((*command, "build", "qemu-x86-64", *words), timeout=60, environment=settings)
    paths = sorted(output.iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_damaged_kernel_and_a_damaged_slot_are_made_again(tmp_path: Path) -> None:
    tiny, cache = make_tiny(tmp_path), tmp_path / "cache"
    tiny.fill(cache)
    usual = built(tiny, cache, tmp_path / "usual")
    [kernel] = cache.glob("ota-kit/kernel/*/boot/vmlinuz-*")
    [slot] = cache.glob("ota-kit/slots/*")
    kernel.write_bytes(b"")

    (slot / "slot.json").write_bytes(b"")  # needs the kernel again
    without_both = built(tiny, cache, tmp_path / "without-both")
    with (slot / "slot.ext4").open("r+b") as file:
        file.write(bytes(4096))
    shutil.rmtree(tmp_path / "without-both")
    without_slot = built(tiny, cache, tmp_path / "without-slot")

    assert without_both == usual
    assert without_slot == usual
