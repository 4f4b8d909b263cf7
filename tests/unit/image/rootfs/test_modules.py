# SPDX-License-Identifier: Apache-2.0
"""The modules that are loaded, and their order."""

import lzma
import struct
from pathlib import Path

import pytest

from ota_image.errors import ImageError
from ota_image.rootfs.modules import Modules, dependencies, modinfo


def module(*texts: str, is_64: bool = True) -> bytes:
    """An ELF file with nothing but a section .modinfo of these texts."""
    info = b"".join(text.encode() + b"\0" for text in texts)
    names = b"\0.modinfo\0.shstrtab\0"
    form, head = ("<IIQQQQIIQQ", 64) if is_64 else ("<IIIIIIIIII", 52)
    sections = (
        struct.pack(form, *([0] * 10)),
        struct.pack(form, 1, 1, 0, 0, head, len(info), 0, 0, 1, 0),
        struct.pack(form, 10, 3, 0, 0, head + len(info), len(names), 0, 0, 1, 0),
    )
    table = head + len(info) + len(names)
    ident = b"\x7fELF" + bytes((2 if is_64 else 1, 1, 1)) + bytes(9)
    words = "<HHIQQQIHHHHHH" if is_64 else "<HHIIIIIHHHHHH"
    values = (1, 0, 1, 0, 0, table, 0, head, 0, 0, struct.calcsize(form), len(sections), 2)
    return ident + struct.pack(words, *values) + info + names + b"".join(sections)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The modules of a kernel: ext4 needs jbd2 and crc16, sdhci-pci needs sdhci."""
    kernel = tmp_path / "6.1" / "kernel"
    kernel.mkdir(parents=True)
    (kernel / "ext4.ko").write_bytes(module("depends=jbd2,crc16", "softdep=pre: crc32c post: x"))
    (kernel / "jbd2.ko").write_bytes(module("depends=crc16"))
    (kernel / "crc16.ko").write_bytes(module("depends="))
    (kernel / "crc32c.ko").write_bytes(module("license=GPL"))
    (kernel / "sdhci-pci.ko.xz").write_bytes(lzma.compress(module("depends=sdhci")))
    (kernel / "sdhci.ko").write_bytes(module("depends=", is_64=False))
    (tmp_path / "6.1" / "modules.builtin").write_text("kernel/drivers/mmc/core/mmc_core.ko\n")
    return tmp_path / "6.1"


def test_each_module_comes_after_those_that_it_needs(folder: Path) -> None:
    found = Modules(folder).needed(["ext4", "sdhci_pci"])

    assert [each.name for each in found] == [
        "crc16",
        "jbd2",
        "crc32c",
        "ext4",
        "sdhci",
        "sdhci_pci",
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("jbd2.ko", b""),
        ("jbd2.ko", b"\x7fELF\2\1" + b"\xff" * 80),
        ("jbd2.ko.xz", b"not xz"),
        ("jbd2.ko.xz", lzma.compress(module("depends="))[:-9]),
    ],
)
def test_a_damaged_module_is_named(folder: Path, name: str, data: bytes) -> None:
    (folder / "kernel" / "jbd2.ko").unlink()
    (folder / "kernel" / name).write_bytes(data)

    with pytest.raises(ImageError, match=rf"/kernel/{name}: "):
        Modules(folder).needed(["ext4"])


def test_lists_that_are_not_text_are_read(folder: Path) -> None:
    (folder / "modules.builtin").write_bytes(b"kernel/\xff\xfe/mmc_core.ko\n\xff\n")

    assert Modules(folder).has("mmc_core")


@pytest.mark.parametrize("is_reversed", [False, True])
def test_of_two_modules_with_one_name_it_is_the_same_on_every_host(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_reversed: bool
) -> None:
    for place in ("kernel", "updates"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "vfat.ko").write_bytes(module("depends="))
    listed = sorted(folder.rglob("*.ko*"), reverse=is_reversed)
    monkeypatch.setattr(Path, "rglob", lambda path, pattern: iter(listed))

    [vfat] = Modules(folder).needed(["vfat"])

    assert vfat.path.parent.name == "updates"


def test_dash_and_underscore_are_one(folder: Path) -> None:
    modules = Modules(folder)

    assert modules.needed(["sdhci-pci"]) == modules.needed(["sdhci_pci"])


def test_what_is_built_in_is_there_and_needs_nothing(folder: Path) -> None:
    modules = Modules(folder)

    assert modules.has("mmc-core")
    assert modules.needed(["mmc_core"]) == ()


def test_a_module_that_the_kernel_lacks_is_named(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"dwmmc: kernel 6\.1 has no such module"):
        Modules(folder).needed(["dwmmc"])


def test_a_compressed_module_is_given_plain(folder: Path) -> None:
    found = Modules(folder).needed(["sdhci-pci"])

    assert found[-1].image() == module("depends=sdhci")


def test_modules_of_32_bits_are_read_too() -> None:
    assert modinfo(module("name=a", "depends=b", is_64=False)) == ["name=a", "depends=b"]


def test_what_must_come_later_is_not_a_dependency() -> None:
    found = dependencies(module("depends=a,b", "softdep=pre: c d post: e"))

    assert found == ["a", "b", "c", "d"]


@pytest.mark.parametrize("image", [b"", b"\x7fELF", b"no module" * 20, module("a=b")[:-64]])
def test_what_is_not_a_module_is_refused(image: bytes) -> None:
    with pytest.raises(ImageError, match="this kernel module"):
        modinfo(image)


def test_a_file_that_is_not_a_module_is_named(folder: Path) -> None:
    (folder / "kernel" / "jbd2.ko").write_bytes(b"garbage")

    with pytest.raises(ImageError, match=r"jbd2\.ko: this kernel module is not an ELF file"):
        Modules(folder).needed(["ext4"])
