"""`python -m ikeref_properties.adapter MODULE:FACTORY`: a campaign from the command line.

Exit codes: 0 nothing was found, 1 a rule does not hold, 2 there is nothing to test, 3 nothing can be said: no IKE SA
came about, or some run was not judged to its end.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ikeref_properties.adapter import report
from ikeref_properties.adapter.campaign import Setup, walk
from ikeref_properties.adapter.implementation import Factory, Implementation

METHODS = ("receive", "tick", "next_deadline", "command", "sas", "keys", "close")


class NothingToTest(ValueError):
    """What was named makes no `Implementation`."""


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ikeref_properties.adapter", description="Test an IKEv2 end.")
    parser.add_argument("factory", help="MODULE:NAME of a function that takes a seed and makes an Implementation")
    parser.add_argument("--setup", help="MODULE:NAME of a Setup; default: see docs/adapter.md")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; each further one adds 1")
    parser.add_argument("--failures", type=int, default=1, help="after how many to stop")
    parser.add_argument("--save", type=Path, metavar="STEM", help="write STEM.pcapng and STEM.keys.json of a failure")
    told = parser.parse_args(arguments)
    sys.path.insert(0, "")
    try:
        factory = _factory(told.factory)
        setup: Setup = _load(told.setup) if told.setup else Setup()
    except (ImportError, AttributeError, ValueError) as error:
        print(f"there is nothing to test: {error}", file=sys.stderr)
        return 2
    try:
        result = walk(factory, setup, first=told.seed, count=told.runs, failures=told.failures)
    except NothingToTest as error:
        print(f"there is nothing to test: {error}", file=sys.stderr)
        return 2
    for failure in result.failures:
        print(report.text(failure), end="\n\n")
    if result.failures and told.save is not None:
        print("written:", *report.save(result.failures[0], told.save), end="\n\n")
    print(*report.summary(result), sep="\n")
    if result.failures:
        return 1
    if not result.established:
        print("", report.fruitless(result), sep="\n")
    return 3 if result.limits or not result.established else 0


def _factory(name: str) -> Factory:
    """The function of that name, held to what it promises."""
    made_by = _load(name)
    if not callable(made_by):
        raise ValueError(f"{name} is no function that makes an Implementation")

    def factory(seed: int) -> Implementation:
        made = made_by(seed)
        lacking = [method for method in METHODS if not callable(getattr(made, method, None))]
        if lacking:
            what = f"{name} makes a {type(made).__name__} without {', '.join(lacking)}"
            raise NothingToTest(f"{what}; derive yours from ikeref_properties.adapter.Implementation")
        return made  # type: ignore[no-any-return]  # it has all methods

    return factory


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"{name!r} is not MODULE:NAME")
    return getattr(import_module(module), attribute)


if __name__ == "__main__":
    sys.exit(main())
