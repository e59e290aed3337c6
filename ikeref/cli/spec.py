"""`ikeref spec`."""

import json as json_
from typing import Annotated, Any

import typer
from ikeref_model import phrases
from ikeref_model.answers import alternatives
from ikeref_model.events import Alarm, Input, Kind, Outcome
from ikeref_model.render import ALL_TABLES, TITLES, as_data, update_text
from ikeref_model.render import as_json as everything
from ikeref_model.rows import LEVELS, Row
from ikeref_model.state import Child, Ike
from ikeref_model.tables import ALLOWED, ROWS
from ikeref_model.terms import TRUE, text
from ikeref_properties.catalogue import Requirement, requirements
from ikeref_properties.catalogue.silences import Silence, of_section
from ikeref_properties.claims import Property, properties
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ikeref.cli.complain import stop
from ikeref.cli.find import Found, find, order, subsections

NO_MATCH = 1
"""Exit code where nothing fits the question."""
LEVEL_STYLES = {
    "MUST": "bold red",
    "SHOULD": "bold yellow",
    "MAY": "bold green",
    "implied": "bold",
    "silent": "bold blue",
}
DIM = "bright_black"
MANY = 40
"""Rows beyond which only headlines are printed, unless all is wanted."""

CHECKS = {
    "model": "about the order of messages",
    "wire": "about what messages say",
    "codec": "about octets",
    "crypto": "about keys, AUTH and certificates",
    "local": "about what an end does for itself, unseen by its peer",
    "operator": "for those who configure an end",
}
"""Where a requirement shows, in words."""


def spec(
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SECTION|STATE|EVENT",
            help="A section (2.8.1), a state (HALF_CLOSED), an event or part of one (rekey_child, delete), a "
            "notification (TEMPORARY_FAILURE), a requirement (7296-2.25.1-01) or a row. Several words narrow each "
            "other down.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    brief: Annotated[bool, typer.Option("--brief", "-b", help="Headlines of rows only.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Formulas too, however many rows.")] = False,
) -> None:
    """Ask what the RFC demands: the rows of the model that fit, with their sections and the answers that are allowed.

    Requirements follow, in our own words, and those of a section that no row cites. Without a question: what there is.

    Exit code: 0 if something fits, 1 if nothing does.
    """
    console = Console(highlight=False)
    if not query:
        if json:
            typer.echo(everything())
        else:
            console.print(overview())
        return
    found = find(query)
    if not (found.rows or found.asked or found.requirements or _below(found)):
        stop(f"{_nothing(' '.join(query), found)}", NO_MATCH)
    if json:
        typer.echo(json_.dumps(as_json(" ".join(query), found), indent=1, ensure_ascii=False))
    else:
        console.print(answer(found, brief=brief or (len(found.rows) > MANY and not full), full=full))


def _nothing(question: str, found: Found) -> str:
    if found.conflict:
        return f"no row fits all of this: {found.title}; leave a word out"
    near = f"did you mean {phrases.listed(found.near)}?" if found.near else "`ikeref spec` lists what there is"
    return f"nothing fits “{question}”; {near}"


# On a terminal


def answer(found: Found, *, brief: bool = False, full: bool = False) -> RenderableType:
    """Title, rows, requirements."""
    parts: list[RenderableType] = [_title(found)]
    if found.ignored:
        parts.append(Text(f"passed over: {', '.join(found.ignored)}", DIM))
    parts.append(Text())
    if found.asked is not None:
        parts += [_rules((found.asked,)), Text(f"  {CHECKS[found.asked.check]}", DIM), Text()]
    for heading, rows in _groups(found):
        if heading:
            parts += [Text(heading, "bold"), Text()]
        for row in rows:
            parts += [headline(row)] if brief else [headline(row), card(row, full), Text()]
        if brief and rows:
            parts.append(Text())
    if not brief and (words := _glossary(found.rows)):
        parts += [words, Text()]
    cited, others = _split(found)
    if cited and not brief:
        parts += [Text("Requirements behind these rows", "bold"), Text(), _rules(cited), Text()]
    if others:
        parts += [Text("Rules that no row cites", "bold"), Text()]
        for check, where in CHECKS.items():
            if shown := tuple(each for each in others if each.check == check):
                parts += [Text(f"  {where}", DIM), _rules(shown), Text()]
    if claims := _claims(found):
        parts += [Text("Properties", "bold"), Text(), _properties(claims), Text()]
    if silent := _silences(found):
        parts += [Text("Where the RFC is silent, or says two things", "bold"), Text(), _silent(silent), Text()]
    if below := _below(found):
        parts += [_see_also(below)]
    elif found.asked is not None and found.section:
        parts += [Text.assemble(("The whole section  ", DIM), f"ikeref spec {found.section}")]
    return Group(*parts)


def _groups(found: Found) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """The rows; for an outcome first those of who answers so, then those of who gets the answer."""
    if not found.outcome:
        return (("", found.rows),)
    answers = tuple(row for row in found.rows if any(each.name == found.outcome for each in row.answers))
    gets = tuple(row for row in found.rows if row not in answers)
    return ((f"Who may answer {found.outcome}", answers), (f"What is done about {found.outcome}", gets))


def _claims(found: Found) -> tuple[Property, ...]:
    """The properties of the section that was asked for, or that rest on the requirement that was."""
    if found.asked is not None:
        return tuple(each for each in properties() if found.asked.id in each.requirements)
    return tuple(each for each in properties() if found.section and found.section in each.sections)


def _properties(claims: tuple[Property, ...]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    for each in claims:
        said = ", ".join(f"{subject} {claim}" for subject in ("rows", "code") if (claim := each.claim(subject)))
        grid.add_row(Text(each.name, "cyan"), Text.assemble(each.title, (f"  {said}", DIM)))
    return Padding(grid, (0, 0, 0, 2))


def _silences(found: Found) -> tuple[Silence, ...]:
    return of_section(found.section) if found.section and found.asked is None else ()


def _silent(entries: tuple[Silence, ...]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold", ratio=2)
    grid.add_column(overflow="fold", ratio=3)
    for each in entries:
        grid.add_row(each.situation, Text(each.answer, DIM))
    return Padding(grid, (0, 0, 0, 2))


def _title(found: Found) -> Text:
    count = f"{len(found.rows)} row{'s' if len(found.rows) != 1 else ''}" if found.rows else "no row"
    return Text.assemble((found.title, "bold cyan"), (f"  {count}", DIM))


def headline(row: Row) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(
        Text(row.name, "bold"),
        Text.assemble(f"Section {row.section}  ", _level(row)),
    )
    return grid


def _level(row: Row) -> Text:
    if row.variant:
        return Text("tolerated", "magenta")
    return Text(f"{row.level:>9}", LEVEL_STYLES.get(row.level, ""))


def card(row: Row, full: bool) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=DIM, no_wrap=True, width=6)
    grid.add_column(overflow="fold")
    subject, states = ("IKE SA", Ike) if row.component == "ike" else ("Child SA", Child)
    state = Text(f"{subject} {phrases.members(row.source, states)}")
    if row.destination:
        state.append(" → ", DIM).append(row.destination, "bold")
    grid.add_row("state", state)
    grid.add_row("event", phrases.event(row.on))
    for word, phrase in zip(("if", *[""] * 9), phrases.conjuncts(row.guard), strict=False):
        grid.add_row(word, phrase)
    if full and row.guard != TRUE:
        grid.add_row("", Text(text(row.guard), DIM))
    grid.add_row("answer", Text(phrases.answers(row), "green"))
    for word, phrase in zip(("then", *[""] * 19), phrases.updates(row.update), strict=False):
        grid.add_row(word, phrase)
    if full and row.update:
        grid.add_row("", Text(update_text(row.update), DIM))
    if row.choice:
        others = ", ".join(each.name for each in alternatives(row))
        grid.add_row("choice", Text(f"{row.choice}{f': or {others}' if others else ''}"))
    if row.variant:
        grid.add_row("why", Text(f"it {row.variant} here: tolerated in others, not done by ours", "magenta"))
    grid.add_row("rules", Text(", ".join(row.requirements), DIM))
    return Padding(grid, (0, 0, 0, 2))


def _glossary(rows: tuple[Row, ...]) -> Table | None:
    """What the words of these rows mean that the RFC does not have."""
    said = " ".join(f"{phrases.event(row.on)} {phrases.guard(row.guard)} {phrases.answers(row)}" for row in rows)
    used = [word for word in phrases.TERMS if word in said.replace(",", "").split()]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(style=DIM, overflow="fold")
    for word in used:
        grid.add_row(word, phrases.TERMS[word])
    return grid if used else None


def _rules(rules: tuple[Requirement, ...]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    for each in rules:
        grid.add_row(Text(each.id, "cyan"), Text(each.level, LEVEL_STYLES.get(each.level.split()[0], "")), each.summary)
    return Padding(grid, (0, 0, 0, 2))


def overview() -> RenderableType:
    """What there is: tables, sections, what may be asked."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style=DIM)
    grid.add_column("table")
    for head in ("rows", *LEVELS):
        grid.add_column(head, justify="right")
    for name, rows in ALL_TABLES.items():
        counts = [sum(row.level == level for row in rows) for level in LEVELS]
        grid.add_row(TITLES[name], str(len(rows)), *(str(each or "") for each in counts))
    per_section: dict[str, int] = {}
    for row in ALLOWED:
        per_section[row.section] = per_section.get(row.section, 0) + 1
    sections = ", ".join(f"{each} ({per_section[each]})" for each in sorted(per_section, key=order))
    cited = {id for row in ALLOWED for id in row.requirements}
    known = [each for each in requirements().values() if each.rfc == 7296]
    words = Table.grid(padding=(0, 2, 0, 0))
    words.add_column(style=DIM, no_wrap=True)
    words.add_column(overflow="fold")
    words.add_row("sections", sections)
    words.add_row("states of an IKE SA", ", ".join(Ike))
    words.add_row("states of a Child SA", ", ".join(Child))
    words.add_row("requests", ", ".join(Kind))
    words.add_row("responses", ", ".join(Outcome))
    words.add_row("timers", ", ".join(Alarm))
    words.add_row("other input", ", ".join(Input))
    count = f"{len(requirements())}, of which {len(known)} of RFC 7296; the rows rest on {len(cited)}"
    words.add_row("requirements", count)
    others = len(ALLOWED) - len(ROWS)
    return Group(
        Text.assemble(
            ("The rows of the model", "bold cyan"),
            (f"  {len(ROWS)} rows for one end, {others} more tolerated in others", DIM),
        ),
        Text(),
        grid,
        Text("implied: said without MUST, SHOULD or MAY; silent: the RFC leaves it open (docs/silences.md)", DIM),
        Text(),
        words,
        Text(),
        Text.assemble(("Ask  ", DIM), "ikeref spec 2.8.1 · ikeref spec rekey_child deleting · ikeref spec delete"),
    )


def _split(found: Found) -> tuple[tuple[Requirement, ...], tuple[Requirement, ...]]:
    """The requirements that the rows shown rest on, and those asked for that no row cites."""
    cited = {id for row in found.rows for id in row.requirements}
    anywhere = {id for row in ALLOWED for id in row.requirements}
    wanted = {each.id for each in found.requirements} | cited - {found.asked.id if found.asked else ""}
    behind = tuple(each for each in requirements().values() if each.id in wanted)
    return (
        tuple(each for each in behind if each.id in anywhere),
        tuple(each for each in found.requirements if each.id not in anywhere),
    )


def _below(found: Found) -> tuple[str, ...]:
    return subsections(found.section) if found.section else ()


def _see_also(sections: tuple[str, ...]) -> Text:
    counts = [f"{each} ({sum(row.section == each for row in ALLOWED)} rows)" for each in sections]
    return Text.assemble(("Below it  ", DIM), ", ".join(counts))


# As data


def as_json(question: str, found: Found) -> dict[str, Any]:
    """The same for a machine; `no_row` are the requirements asked for that no row cites."""
    cited, others = _split(found)
    return {
        "question": question,
        "about": found.title,
        "requirement": found.asked._asdict() if found.asked else None,
        "rows": as_data(found.rows),
        "requirements": [each._asdict() for each in cited],
        "no_row": [each._asdict() for each in others],
        "subsections": list(_below(found)),
        "properties": [
            {"name": each.name, "title": each.title, "level": each.level}
            | {subject: each.claim(subject) for subject in ("rows", "code")}
            for each in _claims(found)
        ],
        "silences": [each._asdict() for each in _silences(found)],
        "passed_over": list(found.ignored),
    }
