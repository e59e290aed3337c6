"""`ikeref`: the commands, and what becomes of errors."""

import os
import sys
from importlib import import_module
from inspect import cleandoc
from io import TextIOWrapper
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from ikeref import __version__


class Entry(NamedTuple):
    """A command, and where its function is: only the one that is called for is imported, for some take their time."""

    name: str
    module: str


COMMANDS: Final = (
    Entry("tour", "ikeref.cli.tour.command"),
    Entry("check", "ikeref.cli.check"),
    Entry("spec", "ikeref.cli.spec"),
    Entry("coverage", "ikeref.cli.coverage"),
    Entry("explore", "ikeref.cli.explore"),
    Entry("prove", "ikeref.cli.prove"),
    Entry("decode", "ikeref.cli.decode.command"),
    Entry("serve", "ikeref.cli.live.command"),
    Entry("connect", "ikeref.cli.live.command"),
)


class Commands(TyperGroup):
    """The commands of the table above. (Typer has types for contexts and commands that only it can name.)"""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        for entry in COMMANDS:
            if entry.name == cmd_name:
                single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
                function = getattr(import_module(entry.module), entry.name)
                single.command(entry.name, help=_paragraphs(function.__doc__))(function)
                return typer.main.get_command(single)
        return None


app = typer.Typer(
    cls=Commands,
    name="ikeref",
    help="IKEv2 (RFC 7296) to execute, prove and test against.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _paragraphs(docstring: str) -> str:
    """A line for each paragraph: the terminal breaks it where it ends, not where the source does."""
    return "\n\n".join(" ".join(each.split()) for each in cleandoc(docstring).split("\n\n"))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ikeref {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    del version


def main() -> None:
    """The entry point of the package."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our characters gets question marks
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more must be written, not even on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
