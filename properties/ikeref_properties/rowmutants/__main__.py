"""Judges every fault and writes the page: `python -m ikeref_properties.rowmutants [--new] docs/mutants_rows.md`.

Minutes. With `--new` faults that the page lists already, word for word, keep what is said of them there: for when a few
rows have changed.

`python -m ikeref_properties.rowmutants --unique 12 16` looks, for these properties, for a fault that each finds alone,
and keeps it in unique.json; half a minute for each. docs/mutants_code.md shows them.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from ikeref_properties.rowmutants import unique
from ikeref_properties.rowmutants.corpus import corpus
from ikeref_properties.rowmutants.judge import NOTHING, UNJUDGED, Corpus, Finding, judge
from ikeref_properties.rowmutants.make import Mutant, mutants
from ikeref_properties.rowmutants.page import known, page, verdict


@cache
def _corpus() -> Corpus:
    return corpus()


def one(mutant: Mutant) -> Finding:
    """One verdict, in whichever process."""
    return judge(mutant, _corpus())


def main(arguments: list[str]) -> int:
    """Write the page to the path given, or to standard output; exit status 1 if a fault is neither found nor argued."""
    if arguments[:1] == ["--unique"]:
        unique.save(unique.alone(map(int, arguments[1:])))
        return 0
    paths = [Path(each) for each in arguments if each != "--new"]
    before = known(paths[0].read_text("utf-8")) if "--new" in arguments else {}
    kept = {
        each.id: Finding(each, NOTHING if by in ("argued", "NOT FOUND") else by, "", seconds)
        for each in mutants()
        if (each.row, each.what) in before
        for by, seconds in (before[each.row, each.what],)
        if by != UNJUDGED
    }
    with ProcessPoolExecutor() as pool:
        found = {
            each.mutant.id: each for each in pool.map(one, (m for m in mutants() if m.id not in kept), chunksize=4)
        }
    findings = tuple((kept | found)[each.id] for each in mutants())
    text = page(findings)
    if paths:
        paths[0].write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    missed = [each.mutant.id for each in findings if verdict(each) == "NOT FOUND"]
    sys.stderr.write("".join(f"not found: {each}\n" for each in missed))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
