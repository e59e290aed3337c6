"""The verdicts as a table on a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ikeref.cli.tour.verdicts import About, Standing, Verdict

HEADINGS = {
    About.ROWS: ("The rows", "every run that they allow; certificates checked again just now"),
    About.BOTH: ("Rows and code", "this run, step by step against the rows"),
    About.CODE: ("The code", "this run: what was sent, opened and closed"),
}
MARKS = {
    Standing.PROVED: ("✓", "bold green"),
    Standing.HOLDS: ("✓", "green"),
    Standing.VIOLATED: ("✗", "bold red"),
    Standing.SILENT: ("·", "bright_black"),
    Standing.UNKNOWN: ("?", "yellow"),
}


NAME_COLUMNS = 46
SHOWN_FAULTS = 5


def table(verdicts: tuple[Verdict, ...]) -> RenderableType:
    """Grouped by what they are about."""
    parts: list[RenderableType] = []
    for about in About:
        chosen = [each for each in verdicts if each.about is about]
        if chosen:
            title, meaning = HEADINGS[about]
            parts += [Text(), Text.assemble((title, "bold"), "  ", (meaning, "italic bright_black"))]
            parts.append(_proofs(chosen) if about is About.ROWS else _group(chosen))
    return Group(*parts)


def _group(chosen: list[Verdict]) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    grid.add_column(width=1)
    grid.add_column(width=NAME_COLUMNS)
    grid.add_column(style="bright_black", width=10)
    grid.add_column(style="bright_black")
    for each in chosen:
        mark, style = MARKS[each.standing]
        quiet = "bright_black" if each.standing is Standing.SILENT else ""
        grid.add_row(Text(mark, style=style), Text(each.name, style=quiet), each.section, _evidence(each))
        for fault in each.faults[:SHOWN_FAULTS]:
            grid.add_row("", Text(fault, style="red"))
        if len(each.faults) > SHOWN_FAULTS:
            grid.add_row("", Text(f"and {len(each.faults) - SHOWN_FAULTS} more", style="red"))
    return grid


def _proofs(chosen: list[Verdict]) -> Table:
    """Proofs say of what system they speak, which takes room."""
    grid = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    grid.add_column(width=1)
    grid.add_column()
    grid.add_column(style="bright_black")
    for each in chosen:
        mark, style = MARKS[each.standing]
        grid.add_row(Text(mark, style=style), each.name, each.section)
        told = "\n".join(each.faults) or f"{each.evidence}: {each.bounds}"
        grid.add_row("", Text(told, style="red" if each.faults else "bright_black"))
    return grid


def _evidence(each: Verdict) -> str:
    return each.standing if each.standing is Standing.SILENT else each.evidence
