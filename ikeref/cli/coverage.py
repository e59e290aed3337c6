"""`ikeref coverage`: what is claimed of each requirement of RFC 7296, and what is still open."""

import json as json_
import re
from typing import Annotated, Any

import typer
from ikeref_properties.catalogue import coverage as data
from ikeref_properties.catalogue import requirements
from ikeref_properties.catalogue.claims import claims
from ikeref_properties.catalogue.coverage import Entry, Figures
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ikeref.cli.complain import stop

DIM = "bright_black"
OPEN = 1
"""Exit code where --open shows something."""
STYLES = {"claimed": "green", "waived": "yellow", "open": "bold red"}
_QUESTION = re.compile(
    r"(?:RFC\s*(?P<rfc>\d{4})\b)?\s*(?:§|SECTION)?\s*(?P<section>[\dA-F](?:[\d.]*\d)?)?\.?", re.IGNORECASE
)


def coverage(
    question: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SECTION|ID]", help="A section (2.8), RFC 7383 or RFC 7383 2.3, or an id (7296-2.1-11)."
        ),
    ] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only what is neither claimed nor waived.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is claimed of each requirement: code, rows, properties, tests, and the faults that the tests find.

    Without a question: figures by level and by section. RFC 7296 and its extensions RFC 7383, 7427, 6989 and 6023.

    Exit code: 0; 1 with --open if something is open; 2 if there is nothing of that name, or the claims are broken.
    """
    if claims().problems:
        stop("the claims are broken: " + "; ".join(claims().problems[:5]))
    words = " ".join(question or ())
    chosen = select(words) if words else data.entries()
    if not chosen:
        stop(f"no requirement fits “{words}”; `ikeref coverage` lists the sections")
    if only_open:
        chosen = tuple(each for each in chosen if each.status == "open")
    console = Console(highlight=False)
    if json:
        console.file.write(json_.dumps(as_json(chosen), indent=1, ensure_ascii=False) + "\n")
    elif words or only_open:
        console.print(listing(chosen))
    else:
        console.print(overview(chosen))
    if only_open and chosen:
        raise typer.Exit(OPEN)


def select(words: str) -> tuple[Entry, ...]:
    """The requirements that a question names."""
    everything = data.entries({each.rfc for each in requirements().values()})
    if any(each.rule.id == words for each in everything):
        return tuple(each for each in everything if each.rule.id == words)
    match = _QUESTION.fullmatch(words.strip())
    if match is None or not (match["rfc"] or match["section"]):
        return ()
    rfc, section = int(match["rfc"] or 7296), (match["section"] or "").upper()
    return tuple(each for each in everything if each.rule.rfc == rfc and section in ("", each.rule.section))


# On a terminal


def overview(chosen: tuple[Entry, ...]) -> RenderableType:
    """The figures."""
    rest = Text("ikeref coverage 2.8 · ikeref coverage --open · ikeref coverage 7296-2.1-11", DIM)
    return Group(
        _figures("level", data.levels(chosen)), Text(), _figures("section", data.sections(chosen)), Text(), rest
    )


def _figures(word: str, groups: dict[str, list[Entry]]) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style=DIM)
    grid.add_column(word, no_wrap=True)
    for head in ("rules", "claimed", "waived", "open", *data.PLACES):
        grid.add_column(head, justify="right")
    for name, some in groups.items():
        grid.add_row(Text(name), *_cells(data.figures(some)))
    everything = data.figures(each for some in groups.values() for each in some)
    grid.add_row(Text("all", "bold"), *_cells(everything))
    return grid


def _cells(counts: Figures) -> tuple[Text, ...]:
    shown = (counts.requirements, counts.claimed, counts.waived, counts.open, *counts.places.values())
    styles = ("", STYLES["claimed"], STYLES["waived"], STYLES["open"], *[""] * len(counts.places))
    return tuple(Text(str(count) if count else "", style) for count, style in zip(shown, styles))


def listing(chosen: tuple[Entry, ...]) -> RenderableType:
    """Each requirement with its claim."""
    if not chosen:
        return Text("nothing is open", STYLES["claimed"])
    parts: list[RenderableType] = []
    for each in chosen:
        parts += [
            Text.assemble((each.rule.id, "cyan"), f"  {each.rule.level}  ", (each.status, STYLES[each.status])),
            Padding(Group(Text(each.rule.summary), _claim(each)), (0, 0, 1, 2)),
        ]
    return Group(*parts)


def _claim(each: Entry) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=DIM, no_wrap=True, width=10)
    grid.add_column(overflow="fold")
    claim = each.claim
    if claim is None:
        return grid
    for place, names in each.places.items():
        if names:
            grid.add_row(place, "\n".join(names))
    for fault in claim.faults:
        grid.add_row("fault", Text(fault.name) if fault.section else _edit(fault.edits))
    for word, text in (("altered", claim.altered), (f"waived ({claim.kind})", claim.waived), ("note", claim.note)):
        if text:
            grid.add_row(
                word.split()[0], Text(f"{claim.kind.replace('_', ' ')}: {text}" if text == claim.waived else text)
            )
    return grid


def _edit(edits: Any) -> Text:
    shown = Text()
    for each in edits:
        shown.append(f"{each.module}\n")
        for sign, text, style in (("-", each.old, "red"), ("+", each.new, "green")):
            shown.append("".join(f"{sign} {line}\n" for line in text.splitlines()), style)
    shown.rstrip()
    return shown


# As data


def as_json(chosen: tuple[Entry, ...]) -> dict[str, Any]:
    """The same for a machine."""
    return {
        "figures": data.figures(chosen)._asdict(),
        "levels": {name: data.figures(some)._asdict() for name, some in data.levels(chosen).items()},
        "sections": {name: data.figures(some)._asdict() for name, some in data.sections(chosen).items()},
        "requirements": [data.as_data(each) for each in chosen],
    }
