"""How far the catalogue is claimed, by section and by kind: the figures, docs/coverage.md, and the floor under them.

In a checkout: `python -m ikeref_properties.catalogue.coverage` writes docs/coverage.md and raises `claims/floor.json`.
`ikeref coverage` shows the same on a terminal.
"""

import json
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

from ikeref_properties.catalogue import Requirement
from ikeref_properties.catalogue.claims import SCOPE, STRICT, Claim, Claims, claims, in_scope, properties_of, rows_of
from ikeref_properties.mutants.seeding import place_of

PLACES: Final = ("code", "rows", "properties", "tests", "interop")
"""Where a rule is met, stated, established and tried."""
ALLOWED_WAIVERS: Final = 3
"""Per cent of an RFC's requirements that may be waived, operator advice aside."""
LEVELS: Final = (*STRICT, "SHOULD", "SHOULD NOT", "RECOMMENDED", "MAY", "OPTIONAL", "implied")
FLOOR: Final = Path(__file__).with_name("claims") / "floor.json"
_ID: Final = re.compile(r"\b\d{4}-[0-9A-Z.]+-\d{2}\b")


class Entry(NamedTuple):
    """A requirement and what is claimed of it."""

    rule: Requirement
    claim: Claim | None

    @property
    def status(self) -> str:
        """`claimed`, `waived` or `open`."""
        return "open" if self.claim is None else "waived" if self.claim.waived else "claimed"

    @property
    def places(self) -> dict[str, tuple[str, ...]]:
        """By place, what is there; nothing for what is not claimed."""
        if self.claim is None or self.claim.waived:
            return dict.fromkeys(PLACES, ())
        found = {
            "code": _code(self.claim),
            "rows": rows_of(self.claim),
            "properties": tuple(str(number) for number in properties_of(self.claim)),
            "tests": self.claim.tests,
            "interop": self.claim.interop,
        }
        return {place: found[place] for place in PLACES}


class Figures(NamedTuple):
    """Counts of some requirements."""

    requirements: int
    claimed: int
    waived: int
    """Operator advice included."""
    advice: int
    """Of the waived."""
    open: int
    strict: int
    """Of the claimed, those that say MUST or MUST NOT: each names a test, and what makes it fail."""
    places: dict[str, int]


def _touched(claim: Claim) -> tuple[str, ...]:
    """The functions that the faults of a claim change."""
    return tuple(place_of(each) for fault in claim.faults for each in fault.edits)


def _code(claim: Claim) -> tuple[str, ...]:
    """The functions, and files that name the requirement where no function of theirs is named."""
    functions = dict.fromkeys((*claim.code, *_touched(claim)))
    known = {each.partition("::")[0] for each in functions}
    return (*functions, *[file for file in cited().get(claim.id, ()) if file not in known])


@cache
def cited() -> dict[str, tuple[str, ...]]:
    """The files of `ikeref` that name each requirement, but for those of the commands, where it is an example."""
    root = Path(str(files("ikeref")))
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.py")):
        name = f"ikeref/{path.relative_to(root).as_posix()}"
        if name.startswith("ikeref/cli/"):
            continue
        for id in dict.fromkeys(_ID.findall(path.read_text("utf-8"))):
            found.setdefault(id, []).append(name)
    return {id: tuple(names) for id, names in found.items()}


def entries(scope: Iterable[int] = SCOPE, known: Claims | None = None) -> tuple[Entry, ...]:
    """All requirements of these RFCs, with their claims."""
    said = (known or claims()).by_id
    return tuple(Entry(rule, said.get(rule.id)) for rule in in_scope(scope))


def figures(chosen: Iterable[Entry]) -> Figures:
    """Count them."""
    listed = tuple(chosen)
    by = {status: [each for each in listed if each.status == status] for status in ("claimed", "waived", "open")}
    places = {place: sum(bool(each.places[place]) for each in listed) for place in PLACES}
    advice = sum(each.claim is not None and each.claim.kind == "operator" for each in by["waived"])
    strict = sum(each.rule.level in STRICT for each in by["claimed"])
    claimed, waived, rest = (len(by[status]) for status in ("claimed", "waived", "open"))
    return Figures(len(listed), claimed, waived, advice, rest, strict, places)


def sections(chosen: Iterable[Entry]) -> dict[str, list[Entry]]:
    """By section; other RFCs by themselves."""
    found: dict[str, list[Entry]] = {}
    for each in chosen:
        name = each.rule.section if each.rule.rfc == 7296 else f"RFC {each.rule.rfc}"
        found.setdefault(name, []).append(each)
    return found


def levels(chosen: Iterable[Entry]) -> dict[str, list[Entry]]:
    """By level: MUST and so on."""
    listed = tuple(chosen)
    found = {level: [each for each in listed if each.rule.level == level] for level in LEVELS}
    return {level: some for level, some in found.items() if some}


def too_many_waived(chosen: Iterable[Entry]) -> bool:
    """More than may be, operator advice aside."""
    counts = figures(chosen)
    return (counts.waived - counts.advice) * 100 > ALLOWED_WAIVERS * counts.requirements


# The floor


def floor() -> dict[str, int]:
    """By section, how many were claimed at most so far."""
    return dict(json.loads(FLOOR.read_text("utf-8"))) if FLOOR.is_file() else {}


def risen(chosen: Iterable[Entry]) -> dict[str, int]:
    """The floor raised to what is claimed now; it never falls."""
    before = floor()
    now = {name: figures(some).claimed for name, some in sections(chosen).items()}
    return {name: max(count, before.get(name, 0)) for name, count in now.items()}


# As data and as a page


def as_data(each: Entry) -> dict[str, Any]:
    """One requirement for a machine."""
    said = each.claim
    more: dict[str, Any] = {}
    if said is not None:
        more = {
            "faults": [fault.name for fault in said.faults],
            "altered": said.altered,
            "waived": said.waived,
            "kind": said.kind,
            "note": said.note,
        }
    return {**each.rule._asdict(), "status": each.status, **each.places, **more}


def page() -> str:
    """docs/coverage.md."""
    everything = entries()
    lines = [
        "# What is claimed of each requirement",
        "",
        "Made by `python -m ikeref_properties.catalogue.coverage` from `ikeref_properties/catalogue`, shown also by",
        "`ikeref coverage`, with the faults in full. *Claimed*: it is said where the rule is met, stated,",
        "established or tried; for every MUST and MUST NOT a test is named, with the fault of the code, or the altered",
        "message, under which it fails. *Waived*: a reason is given instead. *Open*: nothing is said yet.",
        "",
        "## By level",
        "",
        *_table("level", levels(everything)),
        "",
        "## By section",
        "",
        *_table("section", sections(everything)),
        "",
        "## Each requirement",
        "",
        "Under *code*: the functions that the fault changes, or the files that name the requirement. Under *fails",
        "under*: a fault's name, *edit* for one made for the claim, or what the test alters.",
    ]
    for name, some in sections(everything).items():
        lines += ["", f"### {name}", "", *_matrix(some)]
    return "\n".join(lines) + "\n"


def _table(word: str, groups: dict[str, list[Entry]]) -> list[str]:
    heads = ("requirements", "claimed", "waived", "open", *PLACES)
    lines = [f"| {word} | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    rows = {**groups, "all": [each for some in groups.values() for each in some]}
    for name, some in rows.items():
        counts = figures(some)
        cells = (counts.requirements, counts.claimed, counts.waived, counts.open, *counts.places.values())
        lines.append(f"| {name} | {' | '.join(str(cell or '') for cell in cells)} |")
    return lines


def _matrix(some: Iterable[Entry]) -> list[str]:
    lines = ["| id | level | rule | code | test | fails under | also |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for each in some:
        cells = (each.rule.id, each.rule.level, each.rule.summary, *_cells(each))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _cells(each: Entry) -> tuple[str, str, str, str]:
    """Code, test, what it fails under, what else there is."""
    claim, places = each.claim, each.places
    if claim is None:
        return ("", "", "", "open")
    if claim.waived:
        return ("", "", "", f"waived ({claim.kind.replace('_', ' ')}): {claim.waived}")
    under = [fault.name if fault.section else "*edit*" for fault in claim.faults]
    also = []
    if places["rows"]:
        also.append(f"{len(places['rows'])} rows" if len(places["rows"]) > 1 else "1 row")
    also += [f"property {number}" for number in places["properties"]]
    also += [f"interop `{name.rpartition('::')[2]}`" for name in places["interop"]]
    return (
        ", ".join(f"`{place.removeprefix('ikeref/')}`" for place in places["code"]),
        ", ".join(f"`{test.removeprefix('tests/')}`" for test in claim.tests),
        "; ".join(dict.fromkeys((*under, *((claim.altered,) if claim.altered else ())))),
        "; ".join((*also, *((claim.note,) if claim.note else ()))),
    )


def main() -> int:
    """Write the page and the floor."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    (root / "docs" / "coverage.md").write_text(page(), "utf-8")
    raised = risen(entries())
    FLOOR.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {v}" for k, v in raised.items()) + "\n}\n", "utf-8")
    for problem in claims().problems:
        print(problem, file=sys.stderr)
    return bool(claims().problems)


if __name__ == "__main__":
    sys.exit(main())
