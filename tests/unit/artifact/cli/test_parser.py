# SPDX-License-Identifier: Apache-2.0
"""Command lines as Go's flag package parses them, since scripts for mender-artifact need that."""

import argparse

import pytest

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.main import build_parser
from ota_artifact.cli.parser import spelled_out

ROOTFS = ("write", "rootfs-image")


def parsed(*argv: str) -> argparse.Namespace:
    parser = build_parser()
    return parser.parse_args(spelled_out(parser, argv))


def rootfs(*argv: str) -> argparse.Namespace:
    return parsed(*ROOTFS, "-f", "image", *argv)


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "x"),
        ("--n", "x"),
        ("-n=x",),
        ("--n=x",),
        ("-artifact-name", "x"),
        ("--artifact-name", "x"),
        ("-artifact-name=x",),
        ("--artifact-name=x",),
    ],
)
def test_an_option_may_have_one_dash_or_two_and_its_value_after_either(
    words: tuple[str, ...],
) -> None:
    args = rootfs(*words)

    assert args.artifact_name == "x"


def test_a_value_may_begin_with_a_dash() -> None:
    args = rootfs("-n", "-x", "-S", "-p 22", "--ssh-args", "-v", "--provides", "--a:-b")

    assert args.artifact_name == "-x"
    assert args.ssh_args == ["-p 22", "-v"]
    assert args.provides == ["--a:-b"]


def test_a_value_may_be_an_option_or_a_command() -> None:
    args = rootfs("-n", "--output-path", "-o", "read")

    assert args.artifact_name == "--output-path"
    assert args.output_path == "read"


def test_a_value_may_hold_an_equals_sign() -> None:
    args = rootfs("-n=a=b", "--provides", "k:a=b", "--depends=k:=")

    assert args.artifact_name == "a=b"
    assert args.provides == ["k:a=b"]
    assert args.depends == ["k:="]


@pytest.mark.parametrize("words", [("-g", ""), ("--provides-group=",), ("-g=",)])
def test_a_value_may_be_empty(words: tuple[str, ...]) -> None:
    args = rootfs("-n", "x", *words)

    assert args.provides_group == ""


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--no-progress", True),
        ("-no-progress", True),
        ("--no-progress=true", True),
        ("--no-progress=1", True),
        ("--no-progress=T", True),
        ("--no-progress=false", False),
        ("--no-progress=0", False),
        ("-no-progress=F", False),
        ("--no-progress=FALSE", False),
    ],
)
def test_a_switch_may_be_given_a_truth_value(word: str, expected: bool) -> None:
    args = rootfs("-n", "x", word)

    assert args.no_progress is expected


def test_a_switch_with_another_value_is_refused() -> None:
    with pytest.raises(Failure, match="--no-progress: 'maybe' is neither true nor false"):
        rootfs("-n", "x", "--no-progress=maybe")


def test_a_switch_takes_no_value_from_the_next_word() -> None:
    args = parsed("sign", "--force", "v2.mender", "-k", "key")

    assert args.force is True
    assert args.artifact == "v2.mender"


@pytest.mark.parametrize(
    "words",
    [
        ("--compression", "none", *ROOTFS),
        ("-compression=none", *ROOTFS),
        (*ROOTFS, "--compression", "none"),
        ("--compression", "lzma", *ROOTFS, "-compression=none"),
    ],
)
def test_compression_may_come_before_and_after_the_command_and_the_latter_counts(
    words: tuple[str, ...],
) -> None:
    args = parsed(*words, "-f", "image", "-n", "x")

    assert (args.compression or args.global_compression) == "none"


def test_what_follows_two_dashes_is_not_an_option() -> None:
    args = parsed("read", "--json", "--", "-v2.mender")

    assert args.json is True
    assert args.artifact == "-v2.mender"


def test_a_single_dash_is_not_an_option() -> None:
    args = parsed("read", "-", "--json")

    assert args.artifact == "-"
    assert args.json is True


def test_options_may_follow_the_file() -> None:
    args = parsed("read", "v2.mender", "-k", "public.pem", "-key", "other.pem")

    assert args.artifact == "v2.mender"
    assert args.key == ["public.pem", "other.pem"]


def test_the_same_letter_means_what_the_command_says() -> None:
    modify = parsed("modify", "x", "-t", "token", "-c", "cert", "-v", "key")
    write = rootfs("-n", "x", "-t", "type", "-c", "other", "-v", "2")

    assert (modify.tenant_token, modify.server_cert, modify.verification_key) == (
        *("token", "cert"),
        "key",
    )
    assert (write.device_type, write.compatible_types, write.version) == (["type"], ["other"], 2)


@pytest.mark.parametrize("word", ["--art", "--artifact-nam", "-artifact"])
def test_an_abbreviation_is_refused(word: str) -> None:
    with pytest.raises(Failure) as caught:
        rootfs("-n", "x", word, "y")

    assert caught.value.code == Exit.WRONG


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((*ROOTFS, "-n"), "expected one argument; see ota-artifact write rootfs-image --help"),
        ((*ROOTFS, "-n", "x"), "required: -f/--file; see ota-artifact write rootfs-image --help"),
        (("read", "a", "b"), "unrecognized arguments: b; see ota-artifact read --help"),
        (
            (*ROOTFS, "-f", "x", "-n", "x", "--bogus"),
            "unrecognized arguments: --bogus; see ota-artifact write rootfs-image --help",
        ),
        ((*ROOTFS, "-f", "x", "-n", "x", "-v", "three"), "invalid int value: 'three'"),
    ],
)
def test_a_wrong_command_line_says_what_and_where_to_look(argv: tuple[str, ...], said: str) -> None:
    with pytest.raises(Failure) as caught:
        parsed(*argv)

    assert said in str(caught.value)
    assert caught.value.code == Exit.WRONG


@pytest.mark.parametrize("argv", [("bogus",), ("write", "bogus")])
def test_an_unknown_command_has_the_code_of_mender_artifact(argv: tuple[str, ...]) -> None:
    with pytest.raises(Failure, match="'bogus'") as caught:
        parsed(*argv)

    assert caught.value.code == Exit.CREATE
