"""The rows for readers and for other programs: Markdown pages with tables and diagrams, JSON, DOT, SMT-LIB.

`python -m ikeref_model.render docs/rows` writes the pages; `--json`, `--dot DIAGRAM` and `--smt ROW` print.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ikeref_model import phrases
from ikeref_model.answers import CHILD_REQUESTS, alternatives, child_matrix, ike_matrix
from ikeref_model.diagrams import BY_NAME as DIAGRAMS
from ikeref_model.diagrams import Diagram, dot, mermaid
from ikeref_model.examples import STORIES, tell
from ikeref_model.relaxed import RELAXED
from ikeref_model.rows import LEVELS, Row
from ikeref_model.smtlib import smtlib
from ikeref_model.state import SCOPES, Child, Ike
from ikeref_model.tables import BY_NAME, TABLES
from ikeref_model.terms import Pick, Set, Value, text, to_json

TITLES = {
    "ike_initiator": "The initiator until the IKE SA is established",
    "ike_responder": "The responder until the IKE SA is established",
    "eap": "IKE_AUTH with EAP, in both roles",
    "child": "The life of a Child SA",
    "ike_rekey": "The end of an IKE SA: rekeyed and inherited, or deleted",
    "lifetimes": "The end of an SA's lifetime",
    "collisions": "Which answer to which request in which situation",
    "window": "Message IDs, retransmission, liveness, errors",
    "relaxed": "What others may do although the rows above say otherwise",
}
ALL_TABLES: dict[str, tuple[Row, ...]] = {**TABLES, "relaxed": RELAXED}
"""The tables, and the rows that only a monitor of a foreign implementation uses."""
FORMAT = 1
"""Version of the JSON form; docs/model.md describes it."""
GENERATED = "Generated from the rows by `python -m ikeref_model.render docs/rows`; don't edit."


def _value(value: Value | Pick) -> str:
    if isinstance(value, Pick):
        then = "as before" if value.then is None else str(value.then)
        otherwise = "as before" if value.otherwise is None else str(value.otherwise)
        return f"({then} if {text(value.condition)}, else {otherwise})"
    return str(value)


def update_text(update: Iterable[Set]) -> str:
    """The updates of a row exactly: `ike.own := NOTHING; child.in := False`."""
    return "; ".join(f"{each.variable} := {_value(each.value)}" for each in update)


# Pages


def markdown(rows: Iterable[Row]) -> str:
    """A table of rows, each with a link to the row in full."""
    lines = ["| row | state | event | answer | new state | Section | level |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = (
            f"[`{row.name}`](#{row.name})",
            ", ".join(row.source),
            phrases.event(row.on),
            phrases.answers(row),
            row.destination,
            row.section,
            f"{row.level}, {row.variant}" if row.variant else row.level,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def in_full(row: Row) -> str:
    """Everything about a row."""
    subject = "IKE SA" if row.component == "ike" else "Child SA"
    lines = [f"({row.name})=", f"### `{row.name}`", "", f"Section {row.section}, {row.level}. {subject}:"]
    lines[-1] += f" {', '.join(row.source)}{f' → {row.destination}' if row.destination else ''}."
    items = [f"**Event**: {phrases.event(row.on)}"]
    if conditions := phrases.conjuncts(row.guard):
        items.append(f"**If** {' and '.join(conditions)}: `{text(row.guard)}`")
    items.append(f"**Answer**: {phrases.answers(row)}")
    if row.update:
        items.append(f"**Then** {'; '.join(phrases.updates(row.update))}: `{update_text(row.update)}`")
    if row.choice:
        others = [f"[`{each.name}`](#{each.name})" for each in alternatives(row)]
        items.append(f"**Choice** ({row.choice})" + (f": or {phrases.listed(others)}" if others else ""))
    if row.variant:
        items.append(
            f"**Why it stands here**: it {row.variant}; tolerated in others, not done by ours, and no proof covers it"
        )
    items.append(f"**Requirements**: {', '.join(row.requirements)}")
    return "\n".join([*lines, "", *(f"* {item}" for item in items)])


def table_page(name: str, rows: tuple[Row, ...]) -> str:
    """The page of one table: its diagrams, the table, each row in full."""
    parts = [f"# {TITLES[name]}", "", f"{GENERATED} Module: `ikeref_model.{name}`.", ""]
    for each in DIAGRAMS.values():
        if each.name == name or each.name.startswith(f"{name}_"):
            parts += _diagram(each)
    parts += ["## The table", "", markdown(rows), "", "## Row by row", ""]
    return "\n".join([*parts, "\n\n".join(in_full(row) for row in rows), ""])


def _diagram(diagram: Diagram) -> list[str]:
    parts = [f"## {diagram.title}", ""]
    if diagram.heirs:
        parts += ["*(replacement)*: the row is about another SA, and this one comes into being, or loses, as its heir."]
    if diagram.component == "child":
        parts += ["The end of an IKE SA ends its Child SAs from every state; those arrows are left out."]
    return [*parts, "", "```mermaid", mermaid(diagram), "```", ""]


def answers_page() -> str:
    """The matrices of answers."""
    parts = [
        "# What to answer: state by state",
        "",
        f"{GENERATED}",
        "",
        "What may be answered to a fresh, well-formed request once the IKE SA is authenticated, and (→) the state",
        "that it leads to, if another. Several answers: the RFC allows a choice, or the rows ask more than the two",
        "states; look the rows up. An empty cell can't occur: the two states call for different requests to be",
        "outstanding, and the window is 1. `REFUSED` stands for any error that has no name of its own here, such as",
        "NO_PROPOSAL_CHOSEN; `EMPTY` for a response without a Delete payload; `LIVENESS` for an INFORMATIONAL request",
        "that deletes nothing. What others may do besides stands in [relaxed](relaxed.md).",
        "",
        "## Requests about the IKE SA, and for a new Child SA",
        "",
        ike_matrix(),
        "",
    ]
    for kind in CHILD_REQUESTS:
        parts += [f"## {kind}", "", child_matrix(kind), ""]
    return "\n".join(parts)


def examples_page() -> str:
    """Runs of two ends, step by step."""
    parts = ["# Two ends, step by step", "", GENERATED, ""]
    parts += ["What is in flight is not shown: every message may arrive later, again, or never.", ""]
    return "\n".join([*parts, "\n\n".join(tell(story) for story in STORIES), ""])


def index_page(tables: dict[str, tuple[Row, ...]]) -> str:
    """Overview, states and variables."""
    total = sum(not row.variant for rows in tables.values() for row in rows)
    parts = [
        "# The rows",
        "",
        GENERATED,
        "",
        f"{total} rows state the session layer of RFC 7296 for one end. [The model](../model.md) explains how to read",
        "them; on the command line `ikeref spec` finds those that answer a question.",
        "",
        "```{toctree}",
        ":maxdepth: 1",
        "",
        "examples",
        "answers",
        *tables,
        "```",
        "",
        "## Tables",
        "",
        "| table | rows | " + " | ".join(LEVELS) + " |",
        "|---|---:|" + "---:|" * len(LEVELS),
    ]
    for name, rows in tables.items():
        counts = [sum(row.level == level for row in rows) for level in LEVELS]
        parts.append(
            f"| [{TITLES[name]}]({name}.md) | {len(rows)} | " + " | ".join(str(each or "") for each in counts) + " |"
        )
    parts += ["", "## Words that the RFC does not have", "", "| word | meaning |", "|---|---|"]
    parts += [f"| {word} | {meaning} |" for word, meaning in phrases.TERMS.items()]
    parts += ["", "## States of an IKE SA", "", "| state | meaning |", "|---|---|"]
    parts += [f"| {state} | {phrases.IKE_STATES[state]} |" for state in Ike]
    parts += ["", "## States of a Child SA", "", "| state | meaning |", "|---|---|"]
    parts += [f"| {state} | {phrases.CHILD_STATES[state]} |" for state in Child]
    parts += ["", "## Variables", "", "| variable | values | at first | meaning |", "|---|---|---|---|"]
    for scope in ("ike", "child", "fact"):
        for each in SCOPES[scope]:
            values = "true, false" if each.domain == (False, True) else ", ".join(map(str, each.domain))
            parts.append(f"| `{scope}.{each.name}` | {values} | {each.initial!s} | {each.meaning} |")
    parts += ["", "The same variables exist for "]
    parts[-1] += ", ".join(
        f"`{scope}` ({phrases.SUBJECTS[scope]})" for scope in SCOPES if "_" in scope or scope == "each"
    )
    return "\n".join([parts[0], *parts[1:]]) + ".\n"


def pages(tables: dict[str, tuple[Row, ...]] = ALL_TABLES) -> dict[str, str]:
    """All pages by file name."""
    found = {"index.md": index_page(tables), "answers.md": answers_page(), "examples.md": examples_page()}
    return found | {f"{name}.md": table_page(name, rows) for name, rows in tables.items()}


# Data


def as_data(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows as plain data."""
    return [
        {
            "name": row.name,
            "component": row.component,
            "source": list(row.source),
            "event": {
                "what": row.on.what,
                "kinds": sorted(row.on.kinds),
                "outcomes": sorted(row.on.outcomes),
                "position": row.on.position,
                "alarm": row.on.alarm,
                "input": row.on.input,
            },
            "guard": to_json(row.guard),
            "update": [[each.variable, _json_value(each.value)] for each in row.update],
            "destination": row.destination,
            "answers": sorted([each.what, each.name] for each in row.answers),
            "section": row.section,
            "level": row.level,
            "requirements": list(row.requirements),
            "choice": row.choice,
            "variant": row.variant,
            "words": {
                "event": phrases.event(row.on),
                "guard": phrases.guard(row.guard),
                "answers": phrases.answers(row),
                "update": list(phrases.updates(row.update)),
            },
        }
        for row in rows
    ]


def _json_value(value: Value | Pick) -> Any:
    if isinstance(value, Pick):
        return {"if": to_json(value.condition), "then": value.then, "else": value.otherwise}
    return value


def as_json(tables: dict[str, tuple[Row, ...]] = ALL_TABLES) -> str:
    """Variables and rows as JSON."""
    variables = {
        scope: [
            {"name": each.name, "domain": list(each.domain), "initial": each.initial, "meaning": each.meaning}
            for each in record
        ]
        for scope, record in SCOPES.items()
    }
    states = {
        "ike": {str(state): meaning for state, meaning in phrases.IKE_STATES.items()},
        "child": {str(state): meaning for state, meaning in phrases.CHILD_STATES.items()},
    }
    data = {
        "format": FORMAT,
        "states": states,
        "variables": variables,
        "tables": {name: as_data(rows) for name, rows in tables.items()},
    }
    return json.dumps(data, indent=1, ensure_ascii=False)


def main(arguments: list[str] | None = None) -> None:
    """Write the pages, or print one form."""
    parser = argparse.ArgumentParser(prog="python -m ikeref_model.render", description="The rows in other forms.")
    parser.add_argument("folder", nargs="?", type=Path, help="where the pages are written")
    parser.add_argument("--json", action="store_true", help="print the rows and variables as JSON")
    parser.add_argument("--dot", metavar="DIAGRAM", choices=sorted(DIAGRAMS), help=f"one of {', '.join(DIAGRAMS)}")
    parser.add_argument("--mermaid", metavar="DIAGRAM", choices=sorted(DIAGRAMS), help="the same for Mermaid")
    parser.add_argument("--smt", metavar="ROW", choices=sorted(BY_NAME), help="print a row as SMT-LIB")
    wanted = parser.parse_args(arguments)
    if wanted.json:
        print(as_json())
    elif wanted.dot:
        print(dot(DIAGRAMS[wanted.dot]))
    elif wanted.mermaid:
        print(mermaid(DIAGRAMS[wanted.mermaid]))
    elif wanted.smt:
        print(smtlib(BY_NAME[wanted.smt]), end="")
    elif wanted.folder:
        wanted.folder.mkdir(parents=True, exist_ok=True)
        for name, page in pages().items():
            (wanted.folder / name).write_text(page, encoding="utf-8")
    else:
        parser.error("name a folder for the pages, or a form")


if __name__ == "__main__":
    main()
