"""`ikeref decode`."""

import json as json_module
import sys
from pathlib import Path
from typing import Annotated

import typer
from ikeref_properties.capture.keys import read as read_keys
from rich.console import Console
from rich.text import Text
from typer import Argument, Option

from ikeref.cli.complain import reading, stop
from ikeref.cli.decode import show
from ikeref.cli.decode.explain import Explainer, KeyRing
from ikeref.cli.decode.source import Given, SourceError, digits, given
from ikeref.net.keylog import IKE_TABLE
from ikeref.net.packets import Unreadable

DEFECTS = 1
"""Exit code where a datagram has a defect."""


def decode(
    what: Annotated[
        list[str], Argument(metavar="HEX|FILE|-", help="Hexadecimal digits, a file (binary, text, capture) or stdin.")
    ],
    keys: Annotated[
        Path | None, Option(metavar="FILE", help="Opens SK: a key log of ikeref, Wireshark's table, or keys.json.")
    ] = None,
    json: Annotated[bool, Option("--json", help="Print JSON: a list with an object for each datagram.")] = False,
    port: Annotated[
        int | None, Option(metavar="500|4500", help="The UDP port it came to; on 4500 the non-ESP marker leads.")
    ] = None,
    full: Annotated[bool, Option("--full", help="Every octet of every datagram, long fields too.")] = False,
    packet: Annotated[int | None, Option(min=1, metavar="N", help="Of a capture, packet N alone.")] = None,
) -> None:
    """Explain octets field by field, and name what is wrong with them.

    A defect comes with its octet, its field and the section of RFC 7296 that it breaks. Of a capture with several
    datagrams, only payloads and defects are listed, unless one packet or everything is asked for.

    Exit code: 0 if there is no defect, 1 if there is one, 2 if there is nothing to decode.
    """
    if port not in (None, 500, 4500):
        stop(f"--port is 500 or 4500, not {port}: on 4500 a non-ESP marker stands in front, on 500 none")
    ring = _ring(keys)
    found = _given(what, port)
    if packet is not None:
        found = [each for each in found if each.where.startswith(f"packet {packet},")]
        if not found:
            stop(f"packet {packet} is no IKE; leave --packet out to see which are")
    explainer = Explainer(ring)
    explained = [explainer.explain(each) for each in found]
    if json:
        typer.echo(json_module.dumps([show.values(each) for each in explained], indent=1))
    else:
        console = Console(highlight=False)
        for each in explained:
            in_full = full or len(explained) == 1
            console.print(show.full(each, everything=full) if in_full else show.brief(each))
        if len(explained) > 1:
            bad = sum(bool(each.defects) for each in explained)
            text = f"{len(explained)} datagrams, {bad or 'none'} with defects"
            console.print(Text(text, style="bold red" if bad else "bold green"))
    if any(each.defects for each in explained):
        raise typer.Exit(DEFECTS)


def _ring(path: Path | None) -> KeyRing:
    if path is None:
        return {}
    with reading(path / IKE_TABLE if path.is_dir() else path):
        try:
            return {(each.spi_i, each.spi_r): each for each in read_keys(path)}
        except Unreadable as error:
            stop(str(error))
    raise AssertionError  # stop and reading both end


def _given(what: list[str], port: int | None) -> list[Given]:
    """All arguments that are digits make one datagram, as a shell splits `de ad be ef`."""
    joined = [" ".join(what)] if len(what) > 1 and all(_are_digits(each) for each in what) else what
    found: list[Given] = []
    for each in joined:
        with reading(Path(each)):
            try:
                found += given(each, sys.stdin.buffer, port)
            except SourceError as error:
                stop(str(error))
    return found


def _are_digits(text: str) -> bool:
    return digits(text) is not None and not Path(text).exists()
