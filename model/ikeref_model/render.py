"""The rows for readers and for other programs: Markdown tables, Mermaid state diagrams, JSON."""

import json
from collections.abc import Iterable
from typing import Any

from ikeref_model.rows import Row
from ikeref_model.state import SCOPES
from ikeref_model.tables import TABLES
from ikeref_model.terms import Pick, Set, Value, text, to_json

TITLES = {
    "ike_initiator": "The initiator until the IKE SA is established",
    "ike_responder": "The responder until the IKE SA is established",
    "child": "The life of a Child SA",
    "ike_rekey": "The end of an IKE SA: rekeyed and inherited, or deleted",
    "collisions": "Which answer to which request in which situation",
    "window": "Message IDs, retransmission, liveness, errors",
}


def _value(value: Value | Pick) -> str:
    if isinstance(value, Pick):
        then = "as before" if value.then is None else str(value.then)
        otherwise = "as before" if value.otherwise is None else str(value.otherwise)
        return f"{then} if {text(value.condition)}, else {otherwise}"
    return str(value)


def update_text(update: Iterable[Set]) -> str:
    """The updates of a row for a person."""
    return "; ".join(f"{each.variable} := {_value(each.value)}" for each in update)


def markdown(rows: Iterable[Row]) -> str:
    """A table of rows."""
    lines = [
        "| row | from | event | guard | answer | to | updates | Section | level | requirements |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            f"`{row.name}`",
            ", ".join(row.source),
            row.on.text(),
            text(row.guard),
            " or ".join(sorted(each.text() for each in row.answers)),
            row.destination or "stays",
            update_text(row.update),
            row.section,
            row.level,
            ", ".join(row.requirements),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def page(tables: dict[str, tuple[Row, ...]] = TABLES) -> str:
    """All tables as one Markdown page, with the diagrams."""
    parts = ["# The rows", ""]
    parts += ["This page is generated from the rows: `python -m ikeref_model.render`.", ""]
    parts += ["## The IKE SA at one end", "", "```mermaid", mermaid(tables, "ike"), "```", ""]
    parts += ["## The Child SA at one end", "", "```mermaid", mermaid(tables, "child"), "```", ""]
    for name, rows in tables.items():
        parts += [f"## {TITLES.get(name, name)}", "", markdown(rows), ""]
    return "\n".join(parts)


def mermaid(tables: dict[str, tuple[Row, ...]], component: str) -> str:
    """A state diagram of the IKE SA (`ike`) or of the Child SA (`child`): the rows that change its state."""
    edges: dict[tuple[str, str], list[str]] = {}
    for row in (row for rows in tables.values() for row in rows):
        if row.component == component and row.destination:
            for source in row.source:
                if source != row.destination:
                    edges.setdefault((source, row.destination), []).append(row.name)
    lines = ["stateDiagram-v2"]
    for (source, destination), names in edges.items():
        lines += [f"    {source} --> {destination}: {name}" for name in names]
    return "\n".join(lines)


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
        }
        for row in rows
    ]


def _json_value(value: Value | Pick) -> Any:
    if isinstance(value, Pick):
        return {"if": to_json(value.condition), "then": value.then, "else": value.otherwise}
    return value


def as_json(tables: dict[str, tuple[Row, ...]] = TABLES) -> str:
    """Variables and rows as JSON."""
    variables = {
        scope: [{"name": each.name, "domain": list(each.domain), "initial": each.initial} for each in record]
        for scope, record in SCOPES.items()
    }
    return json.dumps(
        {"variables": variables, "tables": {name: as_data(rows) for name, rows in tables.items()}}, indent=1
    )


if __name__ == "__main__":
    print(page())
