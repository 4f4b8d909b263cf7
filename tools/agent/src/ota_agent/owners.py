# SPDX-License-Identifier: Apache-2.0
"""Refuses what root must not obey: files that other users own, or may write or replace.

As sudo, ssh and cron do. The permissions that an access control list gives to others are within
those that the mode shows for the group, so the mode is enough.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ota_agent.errors import AgentError
from ota_agent.small_file import read_small
from ota_artifact.which import which

_MOST_LINKS = 40  # Source: path_resolution(7)
_MOST_SCRIPTS = 5  # whose interpreter is one. Source: execve(2)
_FIRST_LINE = 256  # [B] Source: Linux, include/uapi/linux/binfmts.h, BINPRM_BUF_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Distrust:
    """Why a file is not trusted.

    Attributes:
        place: the file itself, or the folder or the link that leads to it.
        cause: what is wrong there.
        remedy: what root does about it.
    """

    place: str
    cause: str
    remedy: str


def distrust(path: Path) -> Distrust | None:
    """Why a file or folder is not trusted; None if it is, or is not there.

    Trusted are root and the user who asks. A user who may write a folder on the way can put
    another file there, so each of them counts, also those that symbolic links lead through. A
    folder with the sticky bit, such as /tmp, may hold folders of trusted users, but no files: there
    anybody may give a file of root another name. A script is as good as its interpreter.
    """
    found = [path]
    try:
        for each in found:
            if wrong := _walked(Path.cwd() / each):
                return wrong
            if len(found) < _MOST_SCRIPTS:
                found += _interpreters(each)
    except OSError:
        pass  # the one that reads it says so
    return None


def _interpreters(program: Path) -> list[Path]:
    """What runs a script: a program, and another one if that is env; none if it is not a script.

    Raises:
        OSError: it cannot be read.
    """
    if not program.stat().st_mode & 0o111 or program.is_dir():
        return []
    begin = read_small(program, _FIRST_LINE)
    words = begin[2:].partition(b"\n")[0].split() if begin.startswith(b"#!") else []
    first, *rest = map(os.fsdecode, words or [b""])
    if Path(first).name == "env":
        others = (each for each in rest if not each.startswith("-") and "=" not in each)
        rest = [which(next(others, "")) or ""]
    else:
        rest = []
    return [Path(each) for each in (first, *rest) if each]


def _walked(path: Path) -> Distrust | None:
    """The first place on the way to a path that is not trusted.

    Raises:
        OSError: something on the way is not there, or cannot be looked at.
    """
    here, parts, links = Path("/"), [*path.parts[1:]][::-1], 0
    in_sticky = _judged(here, here.lstat())
    if in_sticky and not _is_sticky(here.lstat()):
        return in_sticky
    while parts:
        if (part := parts.pop()) == "..":
            here = here.parent
            continue
        found = here / part
        status = found.lstat()
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(found))
            if not _is_trusted(status.st_uid):
                return _owned(found, status.st_uid, "chown -h")
            target = found.readlink()
            here = Path("/") if target.is_absolute() else here
            parts += [each for each in target.parts if each != "/"][::-1]
            continue
        wrong, is_folder = _judged(found, status), stat.S_ISDIR(status.st_mode)
        if wrong and not (is_folder and parts and _is_sticky(status)):
            return wrong
        if in_sticky and not is_folder:
            return in_sticky
        here, in_sticky = found, wrong
    return None


def require_trusted(path: Path) -> None:
    """Raise for a file that is not trusted.

    Raises:
        AgentError: place, finding, remedy.
    """
    if wrong := distrust(path):
        raise AgentError(sentence(path, wrong))


def sentence(path: Path, wrong: Distrust) -> str:
    """Why a file is refused, with what to do about it."""
    where = "" if wrong.place == str(path) else f"{wrong.place} "
    return f"{path}: {where}{wrong.cause}, and may tell root what to do; {wrong.remedy}"


def _is_trusted(uid: int) -> bool:
    return uid in (0, os.geteuid())


def _is_sticky(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_ISVTX) and _is_trusted(status.st_uid)


def _judged(place: Path, status: os.stat_result) -> Distrust | None:
    if not _is_trusted(status.st_uid):
        return _owned(place, status.st_uid, "chown")
    mode = status.st_mode
    is_own_group = os.geteuid() != 0 and status.st_gid == os.getegid()
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and not is_own_group):
        who = "every user" if mode & stat.S_IWOTH else f"the group {status.st_gid}"
        cause = f"can be written by {who} (mode {stat.S_IMODE(mode):04o})"
        return Distrust(place=str(place), cause=cause, remedy=_remedy(place, "chown"))
    return None


def _owned(place: Path, uid: int, chown: str) -> Distrust:
    return Distrust(place=str(place), cause=f"belongs to user {uid}", remedy=_remedy(place, chown))


def _remedy(place: Path, chown: str) -> str:
    also = f" && chmod go-w {place}" if chown == "chown" else ""
    return f"{chown} root: {place}{also}"
