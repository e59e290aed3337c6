"""The tour as one HTML page that needs nothing else: the ladder, every message octet by octet, the verdicts."""

import json
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from ikeref import __version__
from ikeref.cli.tour.bars import Bar, Bars
from ikeref.cli.tour.export import datagrams
from ikeref.cli.tour.report import Report
from ikeref.cli.tour.story import Arrow, Chapter, Item, Note, Verdict
from ikeref.cli.tour.table import HEADINGS
from ikeref.cli.tour.trace import Side
from ikeref.cli.tour.verdicts import About, Standing

ASSETS = ("page.html.j2", "page.css", "page.js")


def page(report: Report) -> str:
    """The page. It loads nothing from anywhere."""
    folder = resources.files("ikeref.cli.tour") / "assets"
    assets = {name: (folder / name).read_text(encoding="utf-8") for name in ASSETS}
    environment = Environment(
        loader=DictLoader(assets), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(Side=Side, link=section_link)
    bars = Bars()
    chapters = [_chapter(chapter, bars) for chapter in report.chapters]
    return environment.get_template("page.html.j2").render(
        version=__version__,
        report=report,
        chapters=chapters,
        slots=max(1, bars.slots),
        legend=bars.legend,
        groups=_groups(report),
        facts=_facts(report),
        style=assets["page.css"],
        script=assets["page.js"],
        data=_embedded(datagrams(report)),
    )


def _embedded(values: Any) -> str:
    """JSON that may stand inside a script element."""
    text = json.dumps(values, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def section_link(section: str) -> str:
    """Where a section stands: `3.14` of RFC 7296, or `RFC 7383 2.5`."""
    rfc, _, number = section.rpartition(" ")
    number = number.split(",")[0]
    return f"https://www.rfc-editor.org/rfc/rfc{rfc.removeprefix('RFC ') or '7296'}#section-{number}"


def _chapter(chapter: Chapter, bars: Bars) -> dict[str, Any]:
    beside = bars.line()
    lines = [_line(item, bars) for item in chapter.items]
    return {"number": chapter.number, "stage": chapter.stage, "bars": beside, "lines": lines}


def _line(item: Item, bars: Bars) -> dict[str, Any]:
    beside: dict[Side, tuple[Bar, ...]]
    match item:
        case Note(side=side, output=output) if output is not None:
            beside = bars.line(side, output)
            return {"kind": "note", "item": item, "bars": beside, "sa": bars.sa_of(output)}
        case Note():
            return {"kind": "note", "item": item, "bars": bars.line(), "sa": None}
        case Verdict():
            return {"kind": "verdict", "item": item, "bars": bars.line()}
        case Arrow():
            message = item.flight.message
            return {
                "kind": "arrow",
                "item": item,
                "bars": bars.line(),
                "response": message is not None and message.is_response,
                "symbols": _symbols(item.notation),
            }


def _symbols(notation: str) -> list[tuple[str, bool]]:
    """The symbols of `HDR, SK {IDi, AUTH}`, and whether each is inside SK."""
    outside, brace, inside = notation.partition(" {")
    found = [(symbol, False) for symbol in outside.split(", ")]
    found += [(symbol, True) for symbol in inside.rstrip("}").split(", ") if brace and symbol]
    return found


def _groups(report: Report) -> list[dict[str, Any]]:
    found = []
    for about in About:
        chosen = [each for each in report.verdicts if each.about is about]
        if chosen:
            title, meaning = HEADINGS[about]
            found.append({"title": title, "meaning": meaning, "verdicts": chosen})
    return found


def _facts(report: Report) -> list[tuple[str, str]]:
    trace = report.outcome.trace
    profile = report.options.profile
    lost = sum(flight.fate.dropped for flight in trace.flights)
    again = sum(flight.transmit.again for flight in trace.flights)
    network = [f"{lost} lost"] if lost else []
    network += [f"{again} sent again"] if again else []
    network += [f"seed {profile.seed}"] if report.options.disturbed else ["undisturbed"]
    held = sum(each.standing in (Standing.HOLDS, Standing.PROVED) for each in report.verdicts)
    silent = sum(each.standing is Standing.SILENT for each in report.verdicts)
    told = "verdicts hold" if not silent else f"verdicts hold, {silent} had no occasion"
    return [
        (str(len(trace.flights)), "datagrams"),
        (str(sum(each.judged for each in report.annotations)), "steps judged by the model"),
        (f"{held} of {len(report.verdicts) - silent}", told),
        (f"{report.outcome.seconds * 1000:.0f} ms", ", ".join(network)),
    ]
