"""docs/mutants_rows.md: every fault, what finds it, how fast; and why some can't be found."""

import re
import tomllib
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ikeref_properties.rowmutants.judge import EQUIVALENT, NOTHING, SPARE, UNJUDGED, Finding

HEAD = """# Faults on the rows

Each row of the model, changed in each of its parts: dropped, a condition dropped or negated, a source state
left out, an update left out or turned, another answer, the peer's SA and the own one taken for each other,
another destination. A check that finds no fault proves nothing about itself; a fault that nothing finds is a
rule that nobody has stated, or makes no difference.

`python -m ikeref_properties.rowmutants` judges them all and writes this page. A fault is judged by the quickest
check first: `code` is a run of two real ends that the changed rows refuse, `sentence:` and `rows:` are what z3
says of one end, `proof:` a search for a violation of a proved statement, or the refusal of its certificate.
`the same rule`: z3 shows that in every state that an end can be in neither guard nor effect differs. `another
row says it too`: what the changed row does not allow any more another row allows, with the same effect.
`argued`: a sentence below says why. `not judged yet`: the row is new or has changed since all were judged.
"""


class Argument(NamedTuple):
    """Why some faults make no difference, or none that the RFC minds."""

    row: str
    what: str
    """Regular expressions for the whole name of the row and for the change."""
    why: str


@cache
def arguments() -> tuple[Argument, ...]:
    """All of them, in order; the first that fits counts."""
    text = files("ikeref_properties.rowmutants").joinpath("arguments.toml").read_text("utf-8")
    return tuple(Argument(each["row"], each["what"], each["why"]) for each in tomllib.loads(text)["argument"])


def argument(finding: Finding) -> str:
    """Why nothing finds this fault; "" if nobody knows."""
    for each in arguments():
        if re.fullmatch(each.row, finding.mutant.row) and re.search(each.what, finding.mutant.what):
            return each.why
    return ""


def verdict(finding: Finding) -> str:
    """The check that finds it, `argued`, or `NOT FOUND`."""
    if finding.by != NOTHING:
        return finding.by
    return "argued" if argument(finding) else "NOT FOUND"


def page(findings: tuple[Finding, ...]) -> str:
    """The whole page."""
    parts = [HEAD, _summary(findings), _argued(findings), _matrix(findings)]
    return "\n".join(parts)


def _summary(findings: tuple[Finding, ...]) -> str:
    kinds = sorted({each.mutant.kind for each in findings})
    columns = ("found", EQUIVALENT, SPARE, "argued", UNJUDGED, "NOT FOUND")
    counts = Counter((each.mutant.kind, _column(each)) for each in findings)
    lines = ["## Summary", "", f"| fault | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    lines += [f"| {kind} | {' | '.join(str(counts[kind, column]) for column in columns)} |" for kind in kinds]
    totals = [sum(counts[kind, column] for kind in kinds) for column in columns]
    lines += [f"| all {len(findings)} | {' | '.join(map(str, totals))} |", ""]
    by = Counter(each.by for each in findings if each.by not in (NOTHING, EQUIVALENT, SPARE, UNJUDGED))
    lines += ["| found first by | faults |", "| --- | ---: |"]
    lines += [f"| `{name}` | {count} |" for name, count in sorted(by.items(), key=lambda item: (-item[1], item[0]))]
    return "\n".join((*lines, ""))


def _column(finding: Finding) -> str:
    found = verdict(finding)
    return found if found in (EQUIVALENT, SPARE, "argued", UNJUDGED, "NOT FOUND") else "found"


def _argued(findings: tuple[Finding, ...]) -> str:
    lines = ["## Argued", "", "| faults | why |", "| --- | --- |"]
    groups: dict[str, list[str]] = {}
    for each in findings:
        if verdict(each) == "argued":
            groups.setdefault(argument(each), []).append(each.mutant.id)
    lines += [f"| {', '.join(f'`{id}`' for id in ids)} | {why} |" for why, ids in groups.items()]
    return "\n".join((*lines, ""))


def _matrix(findings: tuple[Finding, ...]) -> str:
    lines = ["## Every fault", "", "| fault | what | found by | seconds |", "| --- | --- | --- | ---: |"]
    lines += [
        f"| `{each.mutant.id}` | {each.mutant.what} | {verdict(each)} | {each.seconds:.2f} |" for each in findings
    ]
    return "\n".join((*lines, ""))


def listed(text: str) -> tuple[tuple[str, str], ...]:
    """The faults that a page lists, each with what is said to find it."""
    return tuple(
        (found.group(1), found.group(2))
        for found in re.finditer(r"^\| `([^`]+#\d+)` \| .* \| ([^|]+) \| [\d.]+ \|$", text, re.M)
    )


def known(text: str) -> dict[tuple[str, str], tuple[str, float]]:
    """What a page says of each fault, by its row and what is changed: the check that finds it, and its seconds."""
    return {
        (found.group(1), found.group(2)): (found.group(3), float(found.group(4)))
        for found in re.finditer(r"^\| `([^`#]+)#\d+` \| (.*) \| ([^|]+) \| ([\d.]+) \|$", text, re.M)
    }
