# SPDX-License-Identifier: Apache-2.0
"""Chooses the packages of an image: those of its lock that the archive still has."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ota_artifact.errors import ProgramError
from ota_artifact.run import stream
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, Package, download, package_file
from ota_image.packages.lock import IMAGE, Lock, lock_file, lock_text, read_lock
from ota_image.packages.recipe import Recipe
from ota_image.progress import Say

_KERNELS = "linux-image-"
"""Of what a kernel's package depends on we take only kernels: the initrd is ours, without tools."""

_OLD = 30  # [days] from then on, a lock says its age


@dataclass(frozen=True, slots=True)
class Chosen:
    """The packages of a slot, all in the cache.

    Attributes:
        image: those of the recipe.
        kernel: the kernel package that the board names, and the one of its version.
    """

    image: tuple[Package, ...]
    kernel: tuple[Package, ...]


def choose(
    recipe: Recipe, arch: str, kernel: str, *, apt: Callable[[], AptRoot], is_locked: bool, say: Say
) -> Chosen:
    """Choose and download the packages of an image, by its lock if it has one.

    Args:
        kernel: the package of the board's kernel.
        apt: called only if a package is not in the cache.
        is_locked: take exactly the packages of the lock, or fail.

    Raises:
        ImageError: a package is unknown; or the lock does not match and ``is_locked``.
        ProgramError: the archive cannot be reached.
    """
    place = lock_file(recipe, arch)
    lock = read_lock(place)
    if lock and lock.choice != recipe.choice:
        complain(f"{place}: was made for another recipe", is_locked, say)
    elif lock and lock.made:
        _say_age(lock.made, place.name, say)

    def chosen(group: _Group) -> tuple[Package, ...]:
        return _chosen(group, recipe, arch, apt, is_locked=is_locked, say=say)

    return Chosen(chosen(_image(recipe)), chosen(_kernel(kernel)))


def choose_alone(
    name: str,
    recipe: Recipe,
    arch: str,
    *,
    apt: Callable[[], AptRoot],
    is_locked: bool,
    say: Say,
) -> Package:
    """Choose and download one package, without what it depends on, by the lock of an image.

    Raises:
        ImageError: it is unknown; or the lock does not match and ``is_locked``.
        ProgramError: the archive cannot be reached.
    """
    [package] = _chosen(_alone(name), recipe, arch, apt, is_locked=is_locked, say=say)
    return package


def newest_alone(name: str, apt: AptRoot) -> Package:
    """The newest version of one package, without what it depends on.

    Raises:
        ImageError: it is unknown.
        ProgramError: the archive cannot be reached.
    """
    [package] = _newest(_alone(name), apt)
    return package


def locked_packages(name: str, recipe: Recipe, arch: str) -> tuple[Package, ...] | None:
    """The packages of a group, as the lock of an image has them; None if it has no such group.

    Raises:
        ImageError: the lock is damaged.
    """
    lock = read_lock(lock_file(recipe, arch))
    return lock.groups.get(name) if lock and lock.choice == recipe.choice else None


def update_lock(
    recipe: Recipe,
    arch: str,
    kernels: Sequence[str],
    apt: AptRoot,
    *,
    others: Mapping[str, tuple[Package, ...]] | None = None,
    say: Say = lambda text: None,
) -> Lock:
    """Choose the newest version of every package, and write the lock.

    Args:
        others: groups that are chosen already.

    Raises:
        ImageError: a package is unknown.
        OSError: the lock cannot be written.
    """
    wanted = (_image(recipe), *map(_kernel, kernels))
    groups = {each.name: _newest(each, apt, say) for each in wanted}
    lock = Lock(recipe.choice, {**(others or {}), **groups}, _today())
    lock_file(recipe, arch).write_text(lock_text(lock), "utf-8")
    return lock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Packages that are chosen together.

    Attributes:
        name: in the lock.
        asked: what to ask apt for.
        is_kept: whether to take a package, by its name, of those that apt would install.
        without: names of those that are left out.
    """

    name: str
    asked: tuple[str, ...]
    is_kept: Callable[[str], bool]
    without: tuple[str, ...] = ()


def _image(recipe: Recipe) -> _Group:
    return _Group(
        name=IMAGE,
        asked=recipe.wanted,
        is_kept=lambda name: name not in recipe.without,
        without=recipe.without,
    )


def _kernel(package: str) -> _Group:
    return _Group(
        name=package, asked=(package,), is_kept=lambda name: name.startswith((package, _KERNELS))
    )


def _alone(package: str) -> _Group:
    return _Group(name=package, asked=(package,), is_kept=lambda name: name == package)


def _chosen(
    group: _Group,
    recipe: Recipe,
    arch: str,
    apt: Callable[[], AptRoot],
    *,
    is_locked: bool,
    say: Say,
) -> tuple[Package, ...]:
    place = lock_file(recipe, arch).name
    locked = locked_packages(group.name, recipe, arch)
    if locked is None:
        complain(f"{place}: has no section [{group.name}]", is_locked, say)
        root = apt()
        packages = _newest(group, root, say)
        download(root, packages, say)
        return packages
    _check_one_kernel(group.name, locked, place)
    absent = [package for package in locked if not package_file(package).exists()]
    if not absent:
        return locked
    root = apt()
    found = _find(absent, root)
    gone = [package for package in absent if found[package] is None]
    if not gone:
        there = tuple(found[package] or package for package in locked if package in found)
        _check_digests(there, locked, place)
        download(root, there, say)
        return locked
    check_reached(place, gone, root)
    if is_locked:
        raise ImageError(gone_text(place, gone))
    packages = _replace(group, locked, root)
    _check_one_kernel(group.name, packages, place)
    _check_digests(packages, locked, place)
    check_newer(packages, locked, place, recipe.suite)
    for text in _changes(locked, packages, gone):
        say(f"warning: {text}")
    download(root, packages, say)
    return packages


def check_reached(place: str, gone: Sequence[Package], apt: AptRoot) -> None:
    """Check that the archive was asked for what the lists lack: a lock may be newer than they are.

    Raises:
        ProgramError: it was not.
    """
    if apt.unreached:
        raise ProgramError(
            f"{place}: {_names(gone)}: not in the cache, nor in the lists of packages, which may be"
            f" older than the lock; newer ones cannot be fetched: {apt.unreached}; try again with a"
            " network"
        )


def gone_text(place: str, gone: Sequence[Package]) -> str:
    """The error for packages of a lock that the archive no longer has."""
    return f"{place}: the archive no longer has {_names(gone)}; --update-lock takes the newest"


def _names(packages: Sequence[Package]) -> str:
    return ", ".join(f"{each.name} {each.version}" for each in packages)


def _find(locked: Sequence[Package], apt: AptRoot) -> dict[Package, Package | None]:
    """Look each package up in the archive, for its URI; None if the archive no longer has it."""
    apt.update()  # not among what is tried: the others would ask an archive that is away again
    try:  # all at once is quick, but fails for all if one is gone
        names = [f"{each.name}={each.version}" for each in locked]
        packages = apt.resolve(names, is_exact=True)
    except (ImageError, ProgramError):
        return {each: apt.find(each.name, each.version) for each in locked}
    there = {(each.name, each.version): each for each in packages}
    return {each: there[each.name, each.version] for each in locked}


def _replace(group: _Group, locked: Sequence[Package], apt: AptRoot) -> tuple[Package, ...]:
    """Choose again, by the lock as far as the archive still has it.

    Only what the group asks for is asked for: what nothing depends on any more goes.
    """
    try:
        packages = apt.resolve(group.asked, locked)
    except (ProgramError, ImageError):  # a package that stayed needs the one that is gone
        return _newest(group, apt)
    return tuple(each for each in packages if group.is_kept(each.name))


def _changes(
    locked: Sequence[Package], packages: Sequence[Package], gone: Sequence[Package]
) -> Iterator[str]:
    """A sentence for each package that differs from the lock."""
    now = {each.name: each.version for each in packages}
    for each in locked:
        newer, known = now.get(each.name), f"{each.name} {each.version}"
        if newer == each.version:
            continue
        if each in gone:
            what = f"{newer} takes its place" if newer else "it is left out"
            yield f"the archive no longer has {known}; {what}"
        elif newer:
            yield f"{known} is left out; {newer} takes its place"
        else:
            yield f"{known} is left out, since nothing depends on it any more"
    before = {each.name for each in locked}
    for each in packages:
        if each.name not in before:
            yield f"{each.name} {each.version} is new, since another package depends on it"


def _newest(group: _Group, apt: AptRoot, say: Say = lambda text: None) -> tuple[Package, ...]:
    packages = apt.resolve(group.asked)
    names = {each.name for each in packages}
    for name in group.without:
        if name not in names:
            say(
                f"warning: without: {name}: no package needs it here; leave it out of the recipe,"
                " or name it only in the suites that need it"
            )
    return tuple(each for each in packages if group.is_kept(each.name))


def _check_digests(found: Sequence[Package], locked: Sequence[Package], place: str) -> None:
    digests = {(each.name, each.version): each.sha256 for each in locked}
    for each in found:
        if digests.get((each.name, each.version), each.sha256) != each.sha256:
            raise ImageError(
                f"{place}: {each.name} {each.version}: the archive has another file with this"
                " version; if that is right, run --update-lock"
            )


def check_newer(
    found: Sequence[Package], locked: Sequence[Package], place: str, suite: str
) -> None:
    """Check that nothing goes back: without its security suite, an archive has older versions.

    Raises:
        ImageError: a package is older than the lock's.
    """
    before = {each.name: each.version for each in locked}
    for each in found:
        version = before.get(each.name, each.version)
        if version != each.version and _is_older(each.version, version):
            raise ImageError(
                f"{place}: the archive has {each.name} {each.version}, which is older than the"
                f" lock's {version}; name the archive of the security updates too, with --mirror"
                f" 'URL {suite}-security', or take the older version with --update-lock"
            )


def _is_older(version: str, other: str) -> bool:
    """Whether a version comes before another one. Source: Debian Policy, 5.6.12.

    Raises:
        ProgramError: dpkg is missing.
    """
    argv = ("dpkg", "--compare-versions", version, "lt", other)
    return stream(argv, silence=30, sink=lambda data: None).code == 0


def _check_one_kernel(name: str, packages: Sequence[Package], place: str) -> None:
    kernels = [each.name for each in packages if each.name != name]
    if name != IMAGE and len(kernels) > 1:
        raise ImageError(
            f"{place}: [{name}] has {len(kernels)} kernels, {' and '.join(kernels)}; run"
            " --update-lock, which takes the one that the first package depends on"
        )


def complain(finding: str, is_locked: bool, say: Say) -> None:
    """Say that the newest packages are taken.

    Raises:
        ImageError: the lock has to match, and does not.
    """
    if is_locked:
        raise ImageError(f"{finding}; run --update-lock, or leave out --locked")
    say(f"warning: {finding}; taking the newest packages")


def _say_age(made: date, place: str, say: Say) -> None:
    days = (_today() - made).days
    if days >= _OLD:
        say(f"warning: {place}: is {days} days old; --update-lock takes the security updates since")


def _today() -> date:
    return datetime.now(UTC).date()
