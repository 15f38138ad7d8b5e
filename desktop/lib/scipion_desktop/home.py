"""Makes the home directory, which is empty in a new pod. Everything here may run any number of times."""

import os
import pathlib
import shutil

from . import paths
from .log import log


def prepare(home: pathlib.Path = paths.HOME, skeleton: pathlib.Path = paths.HOME_SKELETON) -> None:
    """Copies the skeleton without touching what is there, and links both volumes into ~/ScipionUserData."""
    copy_missing(skeleton, home)
    data = home / "ScipionUserData"
    data.mkdir(parents=True, exist_ok=True)
    link(data / "source", paths.SOURCE_VOLUME)
    link(data / "projects", paths.PROJECT_VOLUME)


def copy_missing(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies files of `source` that `target` lacks; never overwrites."""
    for directory, _, names in os.walk(source):
        wanted = target / pathlib.Path(directory).relative_to(source)
        wanted.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not os.path.lexists(wanted / name):
                shutil.copyfile(pathlib.Path(directory) / name, wanted / name)


def link(place: pathlib.Path, target: pathlib.Path) -> None:
    """Makes `place` a symbolic link to `target`. A directory that stands there with content is moved aside, not lost."""
    if place.is_symlink():
        if os.readlink(place) == str(target):
            return
        place.unlink()
    elif place.is_dir() and not any(place.iterdir()):
        place.rmdir()
    elif place.exists():
        aside = free_name(place)
        place.rename(aside)
        log(f"{place} held files of its own; they are in {aside} now, {place} is the volume {target}")
    place.symlink_to(target)


def free_name(place: pathlib.Path) -> pathlib.Path:
    number = 1
    while os.path.lexists(place.with_name(f"{place.name}.aside-{number}")):
        number += 1
    return place.with_name(f"{place.name}.aside-{number}")
