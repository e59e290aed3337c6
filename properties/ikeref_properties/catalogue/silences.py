"""Where the RFC is silent, or read literally breaks, by section: docs/silences.md as data."""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple


class Silence(NamedTuple):
    """One entry of the page."""

    sections: tuple[str, ...]
    situation: str
    answer: str
    """What the rows do, or how ikeref reads it."""


PAGE: Final = "silences.md"
_ENTRY: Final = re.compile(r"^\*\*(?P<title>[^*]+)\*\* \((?P<where>[^)]*)\)\.\s*(?P<text>.*)", re.DOTALL)
_SECTION: Final = re.compile(r"(?<![\w.-])\d+(?:\.\d+)+")
_REQUIREMENT: Final = re.compile(r"7296-([\d.]+)-\d+")


@cache
def silences() -> tuple[Silence, ...]:
    """All entries; none where the page was not shipped."""
    packaged = files("ikeref_properties.catalogue").joinpath(PAGE)
    if packaged.is_file():
        return parse(packaged.read_text("utf-8"))
    checkout = Path(__file__).parents[3] / "docs" / PAGE
    return parse(checkout.read_text("utf-8")) if checkout.is_file() else ()


def of_section(section: str) -> tuple[Silence, ...]:
    """The entries that name that section of RFC 7296."""
    return tuple(each for each in silences() if section in each.sections)


def parse(text: str) -> tuple[Silence, ...]:
    """The entries of the page: paragraphs that begin with a title in bold, and lines of tables."""
    found: list[Silence] = []
    for block in text.split("\n\n"):
        match = _ENTRY.match(block.strip())
        if match is not None:
            sections = tuple(dict.fromkeys(_SECTION.findall(match["where"])))
            found.append(Silence(sections, match["title"], _plain(match["text"])))
        elif block.lstrip().startswith("|"):
            found += _table(block)
    return tuple(found)


def _table(block: str) -> list[Silence]:
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.strip().splitlines()]
    head, rows = lines[0], lines[2:]
    if head[0] == "sections":
        return [Silence(tuple(_SECTION.findall(first)), _plain(two), _plain(ours)) for first, two, ours in rows]
    return [
        Silence(tuple(dict.fromkeys(_REQUIREMENT.findall(ids))), _plain(situation), _plain(answer))
        for situation, answer, ids in rows
    ]


def _plain(text: str) -> str:
    """Without Markdown's marks and line breaks."""
    return " ".join(re.sub(r"[*`]|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", text).split())
