# SPDX-License-Identifier: Apache-2.0
"""The options for the contents of a header, and their values."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ota_artifact.cli.failure import Failure
from ota_artifact.cli.parser import Ordered, OrderedAppend
from ota_artifact.header import Script
from ota_artifact.json_text import parse_object
from ota_artifact.names import check_script_name
from ota_artifact.provides import Software, default_clears, software_version
from ota_artifact.security_version import parse_number
from ota_artifact.security_version import provides_of as security_provides

_SCRIPT_LIMIT = 8 << 20  # [B] all scripts together travel in memory
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?) ?([kmgt]?b)?", re.IGNORECASE)
_SINCE_VERSION_3 = (
    "artifact_name_depends",
    "provides_group",
    "depends_groups",
    "provides",
    "depends",
    "clears_provides",
    "delete_clears_provides",
    "meta_data",
    "security_version",
    "lower_security_floor",
)
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def add_identity(parser: argparse.ArgumentParser) -> None:
    """Add the options for the name of an artifact and its device types."""
    parser.add_argument(
        "-n",
        "--artifact-name",
        required=True,
        metavar="NAME",
        help="release that the device runs after the update",
    )
    parser.add_argument(
        "-c",
        "--compatible-types",
        action="append",
        default=[],
        metavar="TYPE",
        help="device type that may install it, at least one; repeat for several",
    )
    parser.add_argument("-t", "--device-type", action="append", default=[], help=argparse.SUPPRESS)


def add_relations(parser: argparse.ArgumentParser) -> None:
    """Add the options for what the whole artifact depends on and provides."""
    parser.add_argument(
        "-N",
        "--artifact-name-depends",
        action="append",
        metavar="NAME",
        help="release that the device must run; repeat for alternatives",
    )
    parser.add_argument("-g", "--provides-group", metavar="GROUP", help="group that it provides")
    parser.add_argument(
        "-G",
        "--depends-groups",
        action="append",
        metavar="GROUP",
        help="group that the device must be in; repeat for alternatives",
    )


def add_scripts(parser: argparse.ArgumentParser) -> None:
    """Add the option for state scripts."""
    parser.add_argument(
        "-s",
        "--script",
        action="append",
        default=[],
        metavar="FILE",
        help="state script, or a directory of them; repeat for several",
    )


def add_payload_relations(parser: argparse.ArgumentParser) -> None:
    """Add the options for what a payload provides, depends on and clears."""
    parser.add_argument(
        "-p",
        "--provides",
        action=OrderedAppend,
        metavar="KEY:VALUE",
        help="what the payload provides; repeat for several",
    )
    parser.add_argument(
        "-d",
        "--depends",
        action="append",
        metavar="KEY:VALUE",
        help="what the device must provide; repeat for several",
    )
    parser.add_argument(
        "--clears-provides",
        action="append",
        default=[],
        metavar="PATTERN",
        help="provides to drop before the install, * matches anything; repeat for several",
    )


def add_software(parser: argparse.ArgumentParser) -> None:
    """Add the options for how the payload's provides name the software."""
    group = parser.add_argument_group("software version")
    group.add_argument(
        "--software-name", action=Ordered, metavar="NAME", help="second part of the provided key"
    )
    group.add_argument(
        "--software-version",
        action=Ordered,
        metavar="VERSION",
        help="its value (default: the artifact name)",
    )
    group.add_argument(
        "--software-filesystem",
        action=Ordered,
        metavar="NAME",
        help="first part of the provided key (default: rootfs-image)",
    )
    group.add_argument(
        "--no-default-software-version",
        action="store_true",
        help="provide no version and clear nothing, unless another option says so",
    )
    group.add_argument(
        "--no-default-clears-provides",
        action="store_true",
        help="clear only what --clears-provides says",
    )


def add_security_version(parser: argparse.ArgumentParser) -> None:
    """Add the options for the security version of the payload."""
    group = parser.add_argument_group("security version")
    group.add_argument(
        "--security-version",
        metavar="N",
        help="number below which a device that has committed this artifact never goes back",
    )
    group.add_argument(
        "--lower-security-floor",
        action="append",
        default=[],
        metavar="N",
        help="a device whose floor is exactly N may install this artifact, and its floor is lowered"
        " to the security version; repeat for several",
    )


def compatible_types(args: argparse.Namespace) -> tuple[str, ...]:
    """The device types, from the current option or that of mender-artifact 3.

    Raises:
        Failure: neither option, or both.
    """
    if args.device_type:
        warn("--device-type is deprecated; use --compatible-types")
    if args.device_type and args.compatible_types:
        raise Failure("--device-type and --compatible-types mean the same; use the second")
    types = tuple(args.device_type or args.compatible_types)
    if not types:
        raise Failure("--compatible-types: name at least one device type")
    return types


def key_values(option: str, pairs: Sequence[str] | None) -> dict[str, str]:
    """The values of a repeated ``KEY:VALUE`` option; the last one of a key wins.

    Raises:
        Failure: one has no colon.
    """
    values = {}
    for pair in pairs or ():
        key, colon, value = pair.partition(":")
        if not colon:
            raise Failure(f"{option}: {pair!r} has no colon; write it as KEY:VALUE")
        values[key] = value
    return values


def meta_data_of(name: str) -> bytes:
    """The content of a file of meta-data.

    Raises:
        ArtifactError: not a JSON object.
        OSError: it cannot be read.
    """
    raw = Path(name).read_bytes()
    parse_object(raw, name)
    return raw


def refuse_in_version_2(args: argparse.Namespace) -> None:
    """Pass if no option needs format version 3, since version 2 would drop its value silently.

    Raises:
        Failure: one does.
    """
    for option in _SINCE_VERSION_3:
        if getattr(args, option, None):
            name = option.replace("_", "-")
            raise Failure(f"--{name}: format version 2 cannot hold it; write version 3")


def provides_of(args: argparse.Namespace, module: str = "") -> dict[str, str]:
    """What the payload provides: the software version, and what the options say.

    A ``--provides`` for the key of the version wins, unless it is empty or a ``--software-…``
    option follows it.

    Raises:
        ArtifactError: a security version is wrong.
        Failure: it is given twice, or in half.
    """
    version = software_version(_software(args), args.artifact_name, module)
    security = security_provides_of(args, module, _software(args) if module else None)
    named = key_values("--provides", args.provides)
    for key in security.keys() & named.keys():
        raise Failure(f"--provides {key}: contradicts --security-version; leave one of them out")
    version |= security
    given = {key: value for key, value in named.items() if value or key not in version}
    owner = "provides"
    for option, value in getattr(args, "given", ()):
        if option != "provides" or value.partition(":")[0] in version:
            owner = option
    return version | given if owner == "provides" else given | version


def security_provides_of(
    args: argparse.Namespace, module: str = "", software: Software | None = None
) -> dict[str, str]:
    """What a payload provides of its security version; nothing without one.

    Args:
        software: how that of a module's payload is named.

    Raises:
        ArtifactError: a number is wrong.
        Failure: the floor is to be lowered, and no option says to what.
    """
    numbers = [parse_number(each, "--lower-security-floor") for each in args.lower_security_floor]
    if args.security_version is None:
        if numbers:
            raise Failure("--lower-security-floor: needs --security-version, what to lower it to")
        return {}
    return security_provides(
        parse_number(args.security_version, "--security-version"),
        lowers=tuple(numbers),
        software=software,
        module=module,
    )


def clears_of(args: argparse.Namespace, module: str = "") -> tuple[str, ...]:
    """What the payload clears: the patterns of the options, then the defaults."""
    given = tuple(args.clears_provides)
    if args.no_default_clears_provides or args.no_default_software_version:
        return given
    *others, own = default_clears(_software(args), module)
    return (*given, *others, *(() if own in given else (own,)))


def scripts_of(paths: Sequence[str]) -> tuple[Script, ...]:
    """The state scripts in files, and in directories of them.

    Raises:
        ArtifactError: a name that a state script cannot have.
        Failure: they are too large.
        OSError: one cannot be read.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        files += sorted(path.iterdir()) if path.is_dir() else (path,)
    total = sum(file.stat().st_size for file in files)
    if total > _SCRIPT_LIMIT:
        raise Failure(f"--script: the scripts have {total} B; the limit is {_SCRIPT_LIMIT} B")
    return tuple(
        Script(check_script_name(file.name, str(file)), file.read_bytes()) for file in files
    )


def size_limit(option: str, text: str | None) -> int | None:
    """A size such as ``5MB`` or ``1.5 GB``, decimal units [B].

    Raises:
        Failure: not a size.
    """
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise Failure(f"{option}: {text!r} is not a size; write it as 5MB, 1.5GB or 5000000")
    return int(float(match[1]) * _UNITS[(match[2] or "").lower()])


def warn(text: str) -> None:
    """Print a warning."""
    print(f"ota-artifact: warning: {text}", file=sys.stderr)


def _software(args: argparse.Namespace) -> Software:
    return Software(
        filesystem=args.software_filesystem or "",
        name=args.software_name or "",
        version=args.software_version or "",
        is_default=not args.no_default_software_version,
    )
