"""What exploration found, for people: a schedule as a ladder, a capture with its keys, the rows taken."""

from collections import Counter
from pathlib import Path
from typing import Final

from ikeref_model.tables import ROWS
from ikeref_properties.explore.beginning import Found
from ikeref_properties.explore.moves import Successor
from ikeref_properties.explore.reach import reason
from ikeref_properties.explore.search import Begins, Search
from ikeref_properties.explore.values import NAMES, Bounds
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ikeref import sa
from ikeref.cli import words
from ikeref.cli.tour.export import Files
from ikeref.crypto.real import RealCrypto
from ikeref.net.disturb import Fate
from ikeref.net.transport import Sent

_WIDEST: Final = 110
_NARROWEST: Final = 60
_PAUSE: Final = 0.01
"""Seconds between two datagrams of a capture: there is no clock in an exploration."""


def print_ladder(steps: tuple[Successor, ...], console: Console) -> None:
    """The steps of a schedule, A to the left."""
    inner = max(_NARROWEST, min(console.width, _WIDEST)) - 7
    console.print(f"\n    {NAMES[0]}{NAMES[1]:>{inner + 2}}", style="bold")
    for number, step in enumerate(steps, 1):
        action = step.action
        right = action.end == 1
        if action.flight is not None:
            title = action.flight.skeleton.title
            if action.what == "lose":
                _line(console, number, _arrow(f"{title} ", inner, right, "✗"), "bold red")
            else:
                again = " (and comes again)" if action.what == "duplicate" else ""
                _line(console, number, _arrow(f"{title}{again} ", inner, right, "▶" if right else "◀"), "cyan")
            if about := words.about(action.flight.skeleton.message):
                _line(console, 0, _beside(about, inner, right), "dim")
        else:
            text = words.command(action.command) if action.command is not None else action.what
            _line(console, number, _beside(f"▸ {text}", inner, right), "bold")
        if action.branch:
            _line(console, 0, _beside(f"  nonces: order {action.branch}", inner, right), "dim")
        for output in step.branch.outputs if step.branch is not None else ():
            if text := words.effect(output):
                _line(console, 0, _beside(text, inner, right), "magenta")
    console.print()


def _beside(text: str, inner: int, right: bool) -> str:
    text = text[: inner - 2]
    return f" {text:>{inner - 2}} " if right else f" {text:<{inner - 2}} "


def _arrow(text: str, inner: int, right: bool, head: str) -> str:
    text = text[: inner - 6]
    return f"── {text}".ljust(inner - 1, "─") + head if right else head + f" {text}──".rjust(inner - 1, "─")


def _line(console: Console, number: int, middle: str, style: str) -> None:
    head = f"{number:>3} " if number else "    "
    console.print(Text.assemble((head, "bright_black"), "│", (middle, style), "│", no_wrap=True))


def write_capture(file: Path, real: Search, ordinals: tuple[int, ...], begins: Begins | None = None) -> str:
    """The same schedule once more, with real cryptography, as a capture; what was sent and lost is in it too.

    `real` is a search with the same bounds and real cryptography. Says how to read the capture.
    """
    files = Files(file)
    outputs = [output for record in real.handshake for output in record.outputs]
    for step in real.replay(ordinals, begins):
        outputs += step.branch.outputs if step.branch is not None else ()
    for place, output in enumerate(outputs):
        at = place * _PAUSE
        if type(output) is sa.Transmit:
            if not output.again:
                files(Sent(output, Fate()), at)
        else:
            files(output, at)
    files.close()
    return f"ikeref decode {file} --keys {files.folder}"


def real_search(bounds: Bounds) -> Search:
    """To replay schedules with real cryptography. To be made before a fault is seeded."""
    return Search(bounds, judged=False, crypto=RealCrypto)


def rows_table(taken: Counter[tuple[str, str]]) -> Table:
    """The rows with the answers that were given, and why the others can't be taken."""
    table = Table("row", "section", "taken", "answers, or why not", box=None, pad_edge=False)
    for row in ROWS:
        answers = {answer: count for (name, answer), count in taken.items() if name == row.name}
        why = ", ".join(sorted(answers)) or reason(row)
        table.add_row(row.name, row.section, f"{sum(answers.values()):,}" if answers else "-", why)
    return table


def scenes_table(found: list[Found]) -> Table:
    """What was seen of each scene that begins with nothing."""
    table = Table("scene", "states", "steps", "seconds", "rows", "taken", box=None, pad_edge=False)
    for each in found:
        taken = ", ".join(f"{what} {count:,}" for what, count in sorted(each.taken.items()))
        numbers = (f"{each.states:,}", f"{each.steps:,}", f"{each.seconds:,.0f}", str(len(each.rows)))
        table.add_row(each.scene.name, *numbers, taken)
    return table
