"""Each fault that a claim names, put into the code: its tests must fail, and pass without it.

    python -m ikeref_properties.catalogue.trial               # those whose claim or fault is new
    python -m ikeref_properties.catalogue.trial 7296-2.1-11   # these, in full
    python -m ikeref_properties.catalogue.trial --section 2.3
    python -m ikeref_properties.catalogue.trial --all         # every one anew; some minutes

What has been seen is kept in `claims/tried.json`. Exit status 1 where a test passes under a fault, or fails without.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ikeref_properties.catalogue import requirement
from ikeref_properties.catalogue.claims import Claim, claims, tried
from ikeref_properties.claims.references import checkout
from ikeref_properties.mutants.checks import collect
from ikeref_properties.mutants.matrix import apart
from ikeref_properties.mutants.seeding import Edit, Mutant, place_of

TRIED = Path(__file__).with_name("claims") / "tried.json"
LIMIT = 180.0
"""Seconds for the tests of one claim under one fault."""


PROCESSES = 2
"""At a time."""
Kills = Callable[[tuple[Edit, ...], tuple[str, ...]], frozenset[str]]


class Verdict(NamedTuple):
    """What came of one claim."""

    id: str
    problems: tuple[str, ...]


def stale() -> tuple[Claim, ...]:
    """Claims with faults that have not been tried as they are now."""
    seen = tried()
    return tuple(each for each in claims().by_id.values() if each.faults and seen.get(each.id) != each.key)


def attempt(wanted: Iterable[Claim], root: Path) -> Iterator[Verdict]:
    """Try the faults of these claims, each in a process of its own."""
    chosen = [each for each in wanted if each.faults]
    tests = sorted({test for each in chosen for test in each.tests})
    if not tests:
        return
    collect(tests, root)
    failing = {kill.check.removeprefix("test:") for kill in apart(None, tests, root, LIMIT * 10, tests_alone=True)}
    kills = cache(lambda edits, names: _kills(edits, names, root))
    with ThreadPoolExecutor(PROCESSES) as pool:
        yield from pool.map(lambda claim: Verdict(claim.id, tuple(_judge(claim, failing, kills))), chosen)


def _kills(edits: tuple[Edit, ...], names: tuple[str, ...], root: Path) -> frozenset[str]:
    """Which of these tests fail while the code has this fault."""
    found = apart(Mutant("tried", "", edits), list(names), root, LIMIT, tests_alone=True, first=len(names) == 1)
    return frozenset(kill.check.removeprefix("test:") for kill in found)


def _judge(claim: Claim, failing: set[str], kills: Kills) -> Iterator[str]:
    names = {test: test.partition("[")[0] for test in claim.tests}
    yield from (f"{test} fails without any fault" for test in claim.tests if names[test] in failing)
    seen: set[str] = set()
    for fault in claim.faults:
        if not all(place_of(each) for each in fault.edits):
            yield f"“{fault.name}” does not fit the code"
            continue
        found = kills(fault.edits, claim.tests)
        if not found & set(names.values()):
            yield f"no test fails under “{fault.name}”"
        seen |= found
    if not claim.altered:
        yield from (f"{test} fails under no fault of the claim" for test in claim.tests if names[test] not in seen)


def main(arguments: list[str] | None = None) -> int:
    """Do what is asked; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ikeref_properties.catalogue.trial", description="Put the faults that claims name into the code."
    )
    parser.add_argument("ids", nargs="*", help="requirements")
    parser.add_argument("--section", help="of RFC 7296")
    parser.add_argument("--all", action="store_true", help="every claim anew")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="N claims at random")
    asked = parser.parse_args(arguments)
    root = checkout()
    if root is None:
        print("the tests are not there: run this from a checkout", file=sys.stderr)
        return 2
    wanted = _wanted(asked)
    seen = tried()
    missed = 0
    for number, verdict in enumerate(attempt(wanted, root), 1):
        for each in verdict.problems:
            print(f"{verdict.id}: {each}", flush=True)
        missed += bool(verdict.problems)
        if verdict.problems:
            seen.pop(verdict.id, None)
        else:
            seen[verdict.id] = claims().by_id[verdict.id].key
        if number % 20 == 0:
            save(seen)
    save(seen)
    print(f"{len(wanted)} claims tried, {missed} do not hold")
    return bool(missed)


def _wanted(asked: argparse.Namespace) -> tuple[Claim, ...]:
    known = [each for each in claims().by_id.values() if each.faults]
    if asked.ids:
        return tuple(each for each in known if each.id in asked.ids)
    if asked.section:
        return tuple(each for each in known if requirement(each.id).section == asked.section)
    if asked.sample:
        return tuple(random.sample(known, min(asked.sample, len(known))))
    return tuple(known) if asked.all else stale()


def save(seen: dict[str, str]) -> None:
    """Write the record: of claims that there still are, in order."""
    faulty = {each.id for each in claims().by_id.values() if each.faults}
    kept = {id: key for id, key in sorted(seen.items()) if id in faulty}
    lines = [f"{json.dumps(id)}: {json.dumps(key)}" for id, key in kept.items()]
    TRIED.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
