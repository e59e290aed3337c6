"""`ikeref`: the commands, and what becomes of errors."""

import sys

import typer

from ikeref import __version__
from ikeref.cli.decode.command import decode
from ikeref.cli.live.command import connect, serve
from ikeref.cli.tour.command import tour

app = typer.Typer(
    name="ikeref",
    help="IKEv2 (RFC 7296) to execute, prove and test against.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ikeref {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    del version


app.command("tour")(tour)
app.command("decode")(decode)
app.command("serve")(serve)
app.command("connect")(connect)


def main() -> None:
    """The entry point of the package."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
