"""How commands end when they can't do what was asked: a line that says what, where and what to do, and exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

UNABLE = 2
"""Exit code of a command that could not do what was asked."""


def stop(reason: str, code: int = UNABLE) -> NoReturn:
    """Say why, on standard error, and end."""
    typer.secho(f"ikeref: {reason}", err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turns errors of writing a file into a sentence."""
    try:
        yield
    except OSError as error:
        stop(f"can't write {target}: {(error.strerror or str(error)).lower()}; choose another place for it")


def writable(*targets: Path | None) -> None:
    """Stop where one of these can't be written: said before the work is done, not after it."""
    for target in targets:
        if target is not None:
            with writing(target):
                existed = target.exists()
                target.open("ab").close()
                if not existed:
                    target.unlink()


@contextmanager
def reading(source: Path) -> Iterator[None]:
    """Turns errors of reading a file into a sentence."""
    try:
        yield
    except OSError as error:
        stop(f"can't read {source}: {(error.strerror or str(error)).lower()}")
    except UnicodeDecodeError:
        stop(f"can't read {source}: it is no text in UTF-8")
