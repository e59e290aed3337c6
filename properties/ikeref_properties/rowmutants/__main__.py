"""Judges every fault and writes the page: `python -m ikeref_properties.rowmutants docs/mutants_rows.md`. Minutes."""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from ikeref_properties.rowmutants.corpus import corpus
from ikeref_properties.rowmutants.judge import Corpus, Finding, judge
from ikeref_properties.rowmutants.make import Mutant, mutants
from ikeref_properties.rowmutants.page import page, verdict


@cache
def _corpus() -> Corpus:
    return corpus()


def one(mutant: Mutant) -> Finding:
    """One verdict, in whichever process."""
    return judge(mutant, _corpus())


def main(arguments: list[str]) -> int:
    """Write the page to the path given, or to standard output; exit status 1 if a fault is neither found nor argued."""
    with ProcessPoolExecutor() as pool:
        findings = tuple(pool.map(one, mutants(), chunksize=4))
    text = page(findings)
    if arguments:
        Path(arguments[0]).write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    missed = [each.mutant.id for each in findings if verdict(each) == "NOT FOUND"]
    sys.stderr.write("".join(f"not found: {each}\n" for each in missed))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
