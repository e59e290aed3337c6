"""The published matrix: docs/mutants_code.md."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from ikeref_properties.claims import properties
from ikeref_properties.mutants import MUTANTS, children, deletes, initial, messages, rekeys
from ikeref_properties.mutants.checks import Kill
from ikeref_properties.mutants.matrix import Entry, killers, stale
from ikeref_properties.mutants.seeding import Mutant
from ikeref_properties.mutants.uniqueness import Only, only_in_code, only_in_rows

_HEAD = """# Faults of the code

Small changes of the shipped code, each a mistake that an implementer could make: known from advisories and bug
trackers, from the requirements that are violated most often, from literal readings of the RFC that break, or a rule
turned around. While a fault is seeded nothing on the disk changes: the function is compiled anew with it. Every fault
meets every cheap check behind the [claims about the code](properties.md). A check that finds none proves nothing about
itself; a fault that nothing finds is a property that nobody has stated.

    python -m ikeref_properties.mutants                    # list; a word shows those in full
    python -m ikeref_properties.mutants --try "both lose"  # one, now; about 10 seconds
    python -m ikeref_properties.mutants --changed          # what has no result for its present content
    python -m ikeref_properties.mutants --all              # all of them anew; about 30 minutes of one core
    python -m ikeref_properties.mutants --page docs/mutants_code.md

The tests repeat the first finding of every fault that a random walk finds, those of the changed ones, and a sample of
the rest. `invariant:` is a rule by which random walks of two ends are judged at every step and at rest (`the model`:
no row allows the step), `explored:` a search of all states within a small bound, `kernel:` every path of a decision
kernel, `test:` a test. The walks come first and are cheapest, so they are named where they find it at all; the run says
how many walks of that kind it took. Seconds are of one core.
"""
_GROUPS = (
    ("Beginnings: IKE_SA_INIT, cookies, IKE_AUTH, what is chosen, many IKE SAs", initial.MUTANTS),
    ("Any message: IDs, windows, protection, octets, keys", messages.MUTANTS),
    ("Deletes", deletes.MUTANTS),
    ("Child SAs: created and rekeyed", children.MUTANTS),
    ("The IKE SA's rekey, retries and time", rekeys.MUTANTS),
)


@cache
def _written() -> dict[str, dict[str, str]]:
    text = files("ikeref_properties.mutants").joinpath("arguments.toml").read_text("utf-8")
    found: dict[str, dict[str, str]] = tomllib.loads(text)
    return found


def argument(fault: str) -> str:
    """Why nothing has to find a fault; "" where something has to."""
    return _written().get("fault", {}).get(fault, "")


def reason(property_id: int) -> str:
    """Why a property stays that finds nothing alone; "" where nobody says."""
    return _written().get("property", {}).get(str(property_id), "")


def page(entries: dict[str, Entry]) -> str:
    """All of it, in Markdown."""
    found = sum(bool(entries[each.name].kills) for each in MUTANTS if each.name in entries)
    argued = sum(bool(argument(each.name)) and not _kills(entries, each) for each in MUTANTS)
    parts = [
        _HEAD,
        f"{len(MUTANTS)} faults: {found} found, {argued} argued, {len(MUTANTS) - found - argued} neither"
        f" or not tried yet. Of {len(stale(entries))} the function has changed since it was tried, or it was not tried;"
        " `--changed` tries those.\n",
        "## What each property finds\n",
        _properties(entries),
    ]
    for title, faults in _GROUPS:
        parts += [f"## {title}\n", _faults(faults, entries)]
    return "\n".join(parts)


def _kills(entries: dict[str, Entry], fault: Mutant) -> tuple[Kill, ...]:
    return entries[fault.name].kills if fault.name in entries else ()


def _properties(entries: dict[str, Entry]) -> str:
    code, rows = only_in_code(entries), only_in_rows()
    count = {each.id: 0 for each in properties()}
    for entry in entries.values():
        for id in killers(entry):
            count[id] += 1
    lines = [
        "*Alone*: a fault that of all the properties only this one finds, in the code or in the",
        "[rows](mutants_rows.md); else why the property stays. Refinement (36) holds the code against all rows at",
        "once, and finds nearly all that the others find, so for them it does not count.\n",
        "| | property | faults of the code | alone |",
        "| ---: | --- | ---: | --- |",
    ]
    for each in properties():
        alone = _alone(each.id, (("", code), ("rows: ", rows)))
        lines.append(f"| {each.id} | {each.title} | {count[each.id]} | {alone or reason(each.id) or 'not shown'} |")
    return "\n".join(lines) + "\n"


def _alone(id: int, kinds: Iterable[tuple[str, Only]]) -> str:
    for prefix, only in kinds:
        first, *others = only.get(id) or ("",)
        if first:
            return f"{prefix}{first}" + (f" and {len(others)} more" if others else "")
    return ""


def _faults(faults: tuple[Mutant, ...], entries: dict[str, Entry]) -> str:
    lines = [
        "| fault | section | known from | found first by | how fast | properties |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in faults:
        kills = _kills(entries, each)
        if not kills:
            lines.append(f"| {each.name} | {each.section} | {each.origin} | {argument(each.name) or 'NOT FOUND'} | | |")
            continue
        first = kills[0]
        ids = ", ".join(map(str, sorted(killers(entries[each.name]))))
        check = first.check.replace("tests/", "", 1)
        fast = f"{first.how}, {_class(first.seconds)}"
        lines.append(f"| {each.name} | {each.section} | {each.origin} | `{check}` | {fast} | {ids} |")
    return "\n".join(lines) + "\n"


def _class(seconds: float) -> str:
    """Seconds in classes: they differ from run to run."""
    for limit, name in ((0.1, "under 0.1 s"), (1, "under 1 s"), (5, "under 5 s"), (30, "under 30 s")):
        if seconds < limit:
            return name
    return "longer"
