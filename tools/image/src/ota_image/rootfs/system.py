# SPDX-License-Identifier: Apache-2.0
"""Does what packages do when they are installed, and adds what the board and the build set.

Debian's packages run scripts for that. Here the few things that they do are done to the tree.
"""

import json
import posixpath
from collections.abc import Sequence
from pathlib import Path

from ota_artifact import device_files
from ota_artifact.layout import LAYOUT_JSON
from ota_artifact.provides import NAME
from ota_board.board import Board
from ota_board.device import device_settings, shell_text
from ota_board.render import rendered
from ota_board.template import fill_in
from ota_image.errors import ImageError
from ota_image.packages.recipe import Recipe, User
from ota_image.rootfs.settings import Settings, check_users
from ota_image.rootfs.toml import toml_text
from ota_image.rootfs.tree import Tree

_BUSYBOX = "/bin/busybox"
_APPLETS = b"[\0[[\0"
"""The start of busybox's list of its own names, which is in the program as one text each."""
_ROOT_APPLETS = ("init", "modprobe", "getty", "reboot", "poweroff", "halt", "udhcpc", "ifconfig")
"""Applets that the kernel and scripts look for in /sbin too."""
_AGENT_TOML = Path(__file__).with_name("agent.toml.j2")
_CERTIFICATE = "/etc/ota/server.crt"
_MASTERS = "/usr/share/base-passwd"
_AUTHORITIES = "/usr/share/ca-certificates"
_SHADOW_GROUP = 42  # Source: Debian, base-passwd, group.master


def add_applets(tree: Tree) -> None:
    """Add a link to busybox for each of its names that no package has.

    Raises:
        ImageError: busybox is there, but has no such list.
    """
    busybox = tree.get(_BUSYBOX)
    if busybox is None or busybox.content is None:
        return
    program = busybox.content.read_bytes()
    begin = program.find(_APPLETS)
    end = program.find(b"\0\0", begin)
    if begin < 0 or end < 0:
        raise ImageError(
            f"{_BUSYBOX}: has no list of its applets; use the one of Debian's busybox-static"
        )
    folders = ("/usr/bin", "/usr/sbin")
    for name in program[begin:end].decode("ascii").split("\0"):
        if not any(f"{folder}/{name}" in tree for folder in folders):
            for folder in folders if name in _ROOT_APPLETS else folders[:1]:
                tree.add_link(f"{folder}/{name}", "/usr/bin/busybox")


_UNPACKER = "ota-unpack", "811"
"""Whom the agent's process becomes that unpacks: it owns nothing, and cannot log in."""


def add_accounts(tree: Tree, recipe: Recipe, settings: Settings) -> None:
    """Write passwd, group and shadow. Only in an open image can root log in without a key.

    The accounts that installed packages made stay; without them, they are those of base-passwd.

    Raises:
        ImageError: there are no accounts to start from, or two have the same name or number.
    """
    rows, group, origin = _accounts(tree)
    users = (*recipe.users, *settings.users)
    known = [User(row[0], int(row[2])) for row in rows if row[0] != _UNPACKER[0]]
    check_users((*known, User(_UNPACKER[0], int(_UNPACKER[1])), *users))
    for user in users:
        home = f"/home/{user.name}"
        rows.append([user.name, "x", str(user.uid), str(user.uid), "", home, "/bin/sh"])
        group.append(f"{user.name}:x:{user.uid}:")
        tree.add_folder(home, 0o755, uid=user.uid)
        _add_keys(tree, home, user.uid, settings.ssh_keys)
    name, number = _UNPACKER
    if all(row[0] != name for row in rows):
        rows.append([name, "x", number, number, "", "/nonexistent", "/usr/sbin/nologin"])
        group.append(f"{name}:x:{number}:")
    _add_keys(tree, "/root", 0, settings.ssh_keys)
    root = "" if recipe.login == "open" else "*"
    shadow = [f"{row[0]}:{root if row[0] == 'root' else '*'}::0:99999:7:::" for row in rows]
    passwd = "".join(f"{':'.join(row)}\n" for row in rows)
    tree.add_file("/etc/passwd", passwd, origin=origin)
    tree.add_file("/etc/group", "".join(f"{line}\n" for line in group))
    tree.add_file("/etc/shadow", "".join(f"{line}\n" for line in shadow), 0o640)
    tree.own("/etc/shadow", gid=_SHADOW_GROUP)


def _accounts(tree: Tree) -> tuple[list[list[str]], list[str], str]:
    """The rows of passwd and the lines of group before ours are added, and whose they are."""
    if "/etc/passwd" in tree:
        rows = [line.split(":") for line in tree.text("/etc/passwd").splitlines()]
        return rows, tree.text("/etc/group").splitlines(), _origin(tree, "/etc/passwd")
    origin = _origin(tree, f"{_MASTERS}/passwd.master")
    passwd = [line.split(":") for line in tree.text(f"{_MASTERS}/passwd.master").splitlines()]
    group = tree.text(f"{_MASTERS}/group.master").replace(":*:", ":x:").splitlines()
    tree.remove(_MASTERS)
    rows = [[name, "x", *rest[1:-1], _shell(rest[-1])] for name, *rest in passwd]
    return rows, group, origin


def _origin(tree: Tree, path: str) -> str:
    entry = tree.get(path)
    return entry.origin if entry else ""


def add_certificates(tree: Tree) -> None:
    """Put the bundle of known authorities where OpenSSL looks for it, if the packages have any.

    This is what the script of ca-certificates does.
    """
    names = [path for path, entry in tree if path.startswith(f"{_AUTHORITIES}/") and entry.content]
    if not names:
        return
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    text = "".join(tree.text(name).rstrip() + "\n" for name in names)
    tree.add_file(bundle, text, origin=_origin(tree, names[0]))
    tree.add_link("/usr/lib/ssl/cert.pem", bundle)
    tree.add_link("/usr/lib/ssl/certs", posixpath.dirname(bundle))
    tree.remove(_AUTHORITIES)


def add_board(tree: Tree, board: Board, recipe: Recipe, settings: Settings, clock: int) -> None:
    """Add the files that say which board, which release and which server this is.

    Args:
        clock: a time that is past on every device [s since 1970].
    """
    files = rendered(board)
    tree.add_file("/etc/fstab", files["fstab"])
    tree.add_file(device_files.LAYOUT, files[LAYOUT_JSON])
    for path in (device_files.FW_ENV_CONFIG, device_files.GRUB_CONFIG):
        if (name := posixpath.basename(path)) in files:
            tree.add_file(path, files[name])
    tree.add_file("/etc/hostname", f"{board.name}\n")
    artifact = f"{recipe.name}-{settings.release}"
    release = {"image": recipe.name, "release": settings.release, "artifact": artifact}
    if settings.security_version is not None:
        release["security_version"] = str(settings.security_version)
    tree.add_file(device_files.RELEASE, shell_text({**release, "board": board.name}))
    tree.add_file("/etc/ota/board", shell_text(_board(board, recipe, settings, clock)))
    tree.add_file(device_files.MENDER_INFO, f"{NAME}={artifact}\n")
    keys = [f"{device_files.KEYS}/{each.name}" for each in settings.verify_keys]
    for path, key in zip(keys, settings.verify_keys, strict=True):
        tree.add_file(path, key.pem)
    if settings.server or keys:
        _add_mender_conf(tree, settings, keys)
    if settings.server or keys or settings.wheels:
        certificate = _CERTIFICATE if settings.certificate else ""
        text = fill_in(
            _AGENT_TOML,
            server=settings.server,
            certificate=certificate,
            keys=keys,
            is_open=_is_open(recipe, settings),
            text=toml_text,
        )
        tree.add_file(device_files.AGENT_TOML, text)


def _is_open(recipe: Recipe, settings: Settings) -> bool:
    """Whether root needs no password."""
    return recipe.login == "open" and not settings.ssh_keys


def _board(board: Board, recipe: Recipe, settings: Settings, clock: int) -> dict[str, str]:
    """What the scripts in a slot need to know, by the name of the variable."""
    return {
        **device_settings(board),
        "OTA_DROPBEAR": "-B"
        if _is_open(recipe, settings)
        else "-s",  # empty passwords are accepted, or no passwords at all
        "OTA_CLOCK": str(clock),
    }


def _add_mender_conf(tree: Tree, settings: Settings, keys: Sequence[str]) -> None:
    """Add the server's certificate, and a configuration for Mender's client, if it is there.

    Args:
        keys: paths on the device.
    """
    mender: dict[str, object] = {"ServerURL": settings.server} if settings.server else {}
    if keys:
        mender["ArtifactVerifyKeys"] = list(keys)
    if settings.certificate:
        tree.add_file(_CERTIFICATE, settings.certificate)
        mender["ServerCertificate"] = _CERTIFICATE
    tree.add_file(device_files.MENDER_CONF, json.dumps(mender, indent=1) + "\n")


def _add_keys(tree: Tree, home: str, uid: int, keys: tuple[str, ...]) -> None:
    if keys:
        tree.add_folder(f"{home}/.ssh", 0o700, uid=uid)
        text = "".join(f"{key}\n" for key in keys)
        tree.add_file(f"{home}/.ssh/authorized_keys", text, 0o600, uid=uid)


def _shell(path: str) -> str:
    return "/bin/sh" if path == "/bin/bash" else path
