"""What went wrong in daemons, and the test that keeps it from going wrong here: the table and its page.

python -m tests.hardness.incidents > docs/incidents.md
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).parent / "incidents.toml"


class Entry(NamedTuple):
    """An incident, or a property that covers many."""

    id: str
    whose: str
    what: str
    tests: tuple[str, ...]
    """Node ids."""
    fails_on: str
    why: str = ""
    """Why it does not apply; empty where it does."""


def load() -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Incidents and properties."""
    data = tomllib.loads(TABLE.read_text("utf-8"))
    return tuple(map(_entry, data["incident"])), tuple(map(_entry, data["property"]))


def _entry(one: dict[str, object]) -> Entry:
    tests = one.get("tests", [])
    assert isinstance(tests, list)
    why = str(one["why"]) if one.get("applies") is False else ""
    return Entry(
        str(one["id"]), str(one.get("whose", "")), str(one["what"]), tuple(tests), str(one.get("fails_on", "")), why
    )


def page() -> str:
    """The table as Markdown."""
    incidents, properties = load()
    lines = [
        "# Incidents",
        "",
        "What went wrong in IKEv2 daemons, and the tests of ikeref that would see it. *Fails on*: `mutant` is a fault",
        "of [Faults of the code](mutants_code.md), `seeded` one that is seeded beside the tests, `altered` says what",
        "the test itself alters. That the tests exist, and find these faults, is itself tested",
        "(`tests/hardness/test_incidents.py`). This page is made by `python -m tests.hardness.incidents`.",
        "",
        "| incident | whose | what | tests | fails on |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(f"{each.id} | {each.whose}", each) for each in incidents]
    lines += ["", "## Properties that cover most of them", "", "| | what | tests | fails on |", "|---|---|---|---|"]
    lines += [_row(each.id, each) for each in properties]
    return "\n".join(lines) + "\n"


def _row(first: str, each: Entry) -> str:
    if each.why:
        return f"| {first} | {each.what} | does not apply | {each.why} |"
    tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in each.tests)
    return f"| {first} | {each.what} | {tests} | {each.fails_on} |"


if __name__ == "__main__":
    print(page(), end="")
