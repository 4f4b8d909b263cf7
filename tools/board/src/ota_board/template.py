# SPDX-License-Identifier: Apache-2.0
"""Fills in templates: files of their own, in the language of jinja2.

A value is only ever text. It is not read as a template, and it stays on its line: with a line break
it could add a line to a file that the bootloader or BitBake believes. A text that may have several
lines is marked as `Lines`.
"""

import errno
import os
import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ota_board.errors import BoardError, TemplateFault

if TYPE_CHECKING:
    from jinja2 import Environment


class Lines(str):
    """A text that may have line breaks where a template prints it."""

    __slots__ = ()


def fill_in(template: Path, **values: object) -> str:
    """Fill in a template with these values, by name.

    Raises:
        BoardError: a value has a line break.
        TemplateFault: the template is wrong, or uses a value that was not given.
        OSError: the template cannot be read.
    """
    # Late: importing jinja2 takes longer than everything else that `ota-board list` does.
    from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError

    try:
        return _environment(template.parent).get_template(template.name).render(values, lines=Lines)
    except TemplateNotFound as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(template)) from error
    except TemplateSyntaxError as error:
        raise TemplateFault(f"{template}:{error.lineno}: {error.message}") from error
    except UndefinedError as error:
        raise TemplateFault(f"{template}:{_line_of(error, template)}: {error.message}") from error
    except _LineBreak as error:
        raise BoardError(
            f"{template.name}:{_line_of(error, template)}: the value {error.value!r} has a line"
            " break; write it on one line"
        ) from error


class _LineBreak(Exception):
    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


@cache
def _environment(folder: Path) -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=False,  # noqa: S701  (none of the files is a web page)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_one_line,
    )


def _one_line(value: object) -> object:
    """What a template prints for a value; one with a line break is refused."""
    if isinstance(value, Lines) or not isinstance(value, str):
        return value
    if value.splitlines() not in ([], [value]):
        raise _LineBreak(value)
    return value


def _line_of(error: Exception, template: Path) -> int:
    """The line of the template where an error arose; jinja2 adds it to the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return next(
        (each.lineno or 0 for each in reversed(frames) if each.filename == str(template)), 0
    )
