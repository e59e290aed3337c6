"""Faults of the code: what there is, what finds one, what finds all, and the page about it.

    python -m ikeref_properties.mutants                       # list them, with what finds each first
    python -m ikeref_properties.mutants swap                  # those with that word, in full
    python -m ikeref_properties.mutants --try "both lose"     # try one now, against every check; about 10 seconds
    python -m ikeref_properties.mutants --changed             # try those that have no result for their present content
    python -m ikeref_properties.mutants --all                 # try every one anew; about 30 minutes of one core
    python -m ikeref_properties.mutants --page docs/mutants_code.md

Exit status 1 where a fault is not found and no argument says why.
"""

import argparse
import sys
from pathlib import Path

from ikeref_properties.mutants import MUTANTS, Mutant, find, matrix
from ikeref_properties.mutants.matrix import Entry
from ikeref_properties.mutants.page import argument, page


def main(arguments: list[str] | None = None) -> int:
    """Do what is asked; the exit status."""
    asked = _parser().parse_args(arguments)
    entries = matrix.load()
    if asked.page is not None:
        asked.page.write_text(page(entries), "utf-8")
        return 0
    if asked.try_one:
        return _tried([find(name) for name in asked.try_one], entries, asked.processes, keep=False)
    if asked.all or asked.changed:
        return _tried(list(MUTANTS) if asked.all else matrix.stale(entries), entries, asked.processes, keep=True)
    return _listed(asked.word or "", entries)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ikeref_properties.mutants", description="Faults of the code, and what finds them."
    )
    parser.add_argument("word", nargs="?", help="show the faults with this in their names, in full")
    parser.add_argument("--try", dest="try_one", action="append", metavar="NAME", help="try this fault now")
    parser.add_argument("--changed", action="store_true", help="try what has no result for its present content")
    parser.add_argument("--all", action="store_true", help="try every fault anew")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="so many at a time (2)")
    parser.add_argument("--page", type=Path, metavar="PATH", help="write the page from the committed results")
    return parser


def _listed(word: str, entries: dict[str, Entry]) -> int:
    chosen = [each for each in MUTANTS if word.lower() in each.name.lower()]
    for fault in chosen:
        entry = entries.get(fault.name)
        first = entry.kills[0].check if entry is not None and entry.kills else argument(fault.name) or "not found"
        print(f"{fault.section:8}{fault.name}: {first}")
        if word:
            _full(fault, entry)
    if not chosen:
        print(f"no fault has {word!r} in its name", file=sys.stderr)
    return 0 if chosen else 2


def _full(fault: Mutant, entry: Entry | None) -> None:
    for each in fault.edits:
        print(f"    in {each.module}:")
        print("".join(f"      - {line}\n" for line in each.old.splitlines()), end="")
        print("".join(f"      + {line}\n" for line in each.new.splitlines()), end="")
    for kill in entry.kills if entry is not None else ():
        print(f"    {kill.check} ({kill.how}, {kill.seconds:.1f} s)")


def _tried(faults: list[Mutant], entries: dict[str, Entry], processes: int, *, keep: bool) -> int:
    missed = 0
    for number, entry in enumerate(matrix.run(faults, processes), 1):
        entries[entry.fault] = entry
        first = f"{entry.kills[0].check}, {len(entry.kills)} in all" if entry.kills else "NOT FOUND"
        why = argument(entry.fault)
        missed += not entry.kills and not why
        print(f"{number}/{len(faults)} {entry.fault}: {why if not entry.kills and why else first}", flush=True)
        if not keep:
            _full(find(entry.fault), entry)
        elif number % 5 == 0:
            matrix.save(entries)
    if keep:
        matrix.save(entries)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
