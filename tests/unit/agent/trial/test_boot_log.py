# SPDX-License-Identifier: Apache-2.0
"""What trial boots said, on its way into the deployment's log."""

from pathlib import Path

import pytest

from ota_agent.trial.boot_log import BootLogOptions, collect, newest, stop

KERNEL = b"6,1,2500000,-;Booting Linux\n SUBSYSTEM=x\n3,2,61000005,-;EXT4-fs error\n"


@pytest.fixture
def options(tmp_path: Path) -> BootLogOptions:
    return BootLogOptions(
        folder=tmp_path / "boots", pstore=tmp_path / "pstore", stop=tmp_path / "run" / "stop"
    )


def keep(options: BootLogOptions, number: int, **files: bytes) -> Path:
    folder = options.folder / f"{number:06}-id{number}"
    folder.mkdir(parents=True)
    (folder / "about").write_text(f"boot id{number}\nkernel 6.1\n")
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


def test_the_boots_since_the_update_are_given_and_no_others(options: BootLogOptions) -> None:
    keep(options, 8, kernel=b"6,1,1,-;old\n")
    before = newest(options)
    keep(options, 9, kernel=KERNEL, agent=b"ota-agent: state Trying\n")

    lines = collect(options, boots_since=before)

    assert lines == [
        "boot 9: id9 kernel 6.1",
        "[    2.500000] Booting Linux",
        "[   61.000005] EXT4-fs error",
        "agent: ota-agent: state Trying",
    ]


def test_a_record_that_is_in_both_files_comes_once_and_in_order(options: BootLogOptions) -> None:
    keep(options, 1, kernel_old=KERNEL, kernel=b"3,2,61000005,-;EXT4-fs error\n6,3,62000000,-;c\n")

    lines = collect(options, boots_since=0)

    assert [line.rpartition("] ")[2] for line in lines[1:]] == [
        "Booting Linux",
        "EXT4-fs error",
        "c",
    ]


def test_what_a_power_cut_left_of_a_file_is_given(options: BootLogOptions) -> None:
    keep(options, 1, kernel=KERNEL + b"6,3,62\0\0\0", agent=b"caf\xc3")

    lines = collect(options, boots_since=0)

    assert lines[1:3] == ["[    2.500000] Booting Linux", "[   61.000005] EXT4-fs error"]
    assert lines[3].startswith("agent: caf")


def test_what_a_dying_kernel_left_is_given(options: BootLogOptions) -> None:
    folder = keep(options, 1, kernel=KERNEL)
    (folder / "pstore").mkdir()
    (folder / "pstore" / "dmesg-ramoops-0").write_text("Panic#1\nKernel panic - not syncing\n")

    lines = collect(options, boots_since=0)

    assert lines[-3:] == [
        "left by the boot before it, dmesg-ramoops-0:",
        "Panic#1",
        "Kernel panic - not syncing",
    ]


def test_of_a_long_log_the_end_is_given(options: BootLogOptions) -> None:
    keep(options, 1, kernel=b"".join(b"6,%d,%d,-;x\n" % (n, n) for n in range(5000)))

    lines = collect(options, boots_since=0)

    assert lines[1] == "kernel: 2000 lines before these are left out"
    assert lines[-1] == "[    0.004999] x"


@pytest.mark.parametrize(
    ("rollback", "meaning", "absence"),
    [
        ("load 3", "partition 3 did not load", "its kernel was not started"),
        ("count 3", "was started on trial, and never committed", "before /data was mounted"),
    ],
)
def test_the_log_of_a_trial_that_left_nothing_says_why(
    options: BootLogOptions, rollback: str, meaning: str, absence: str
) -> None:
    first, last = collect(options, boots_since=0, rollback=rollback)

    assert first.startswith(f"the bootloader went back: {rollback} (")
    assert meaning in first
    assert absence in last


def test_an_empty_pstore_is_told_from_none(options: BootLogOptions) -> None:
    without = collect(options, boots_since=0)
    options.pstore.mkdir()
    empty = collect(options, boots_since=0)

    assert "this kernel has no pstore" in without[0]
    assert "pstore holds nothing" in empty[0]


def test_pstore_alone_is_not_a_log_of_the_trial(options: BootLogOptions) -> None:
    folder = keep(options, 1)
    (folder / "pstore").mkdir()
    (folder / "pstore" / "dmesg").write_text("Oops\n")

    lines = collect(options, boots_since=0, rollback="count 3")

    assert "Oops" in lines
    assert "no log of the trial boot" in lines[-1]


def test_other_files_in_the_folder_are_not_boots(options: BootLogOptions) -> None:
    options.folder.mkdir()
    (options.folder / "lost+found").mkdir()

    assert newest(options) == 0


def test_the_log_ends_when_the_trial_is_over(options: BootLogOptions) -> None:
    stop(options)
    stop(options)

    assert options.stop.exists()
