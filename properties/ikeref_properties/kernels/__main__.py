"""`python -m ikeref_properties.kernels [--large] [--mutants]`: the verdicts, or the faults and what found them."""

import argparse

from ikeref_properties.kernels import MUTANTS, checks, each_verdict, hunt
from ikeref_properties.kernels.checks import KernelVerdict


def main() -> int:
    """1 if a claim is missing or a fault survives, else 0."""
    parser = argparse.ArgumentParser(prog="python -m ikeref_properties.kernels", description=__doc__)
    parser.add_argument("--large", action="store_true", help="larger bounds: minutes instead of seconds")
    parser.add_argument("--mutants", action="store_true", help="seed each fault and say what finds it")
    parser.add_argument("--seconds", type=float, default=600.0, help="a check that takes longer was only tested")
    options = parser.parse_args()
    if options.mutants:
        return _mutants()
    print("| kernel | property | bound | paths | s | claim |\n|---|---|---|---|---|---|")
    weak = 0
    for verdict in each_verdict("large" if options.large else "small", seconds=options.seconds):
        print(_line(verdict), flush=True)
        weak += verdict.claim not in ("all paths", "exhaustive")
    return int(weak > 0)


def _line(verdict: KernelVerdict) -> str:
    claim = f"{verdict.claim} {verdict.counterexample}".strip()
    cells = (verdict.kernel, verdict.property, verdict.bound, verdict.paths, f"{verdict.seconds:.1f}", claim)
    return f"| {' | '.join(map(str, cells))} |"


def _mutants() -> int:
    all_checks = checks()
    survived = 0
    print("| kernel | fault | what does not hold | for example |\n|---|---|---|---|")
    for mutant in MUTANTS:
        found = hunt(mutant, all_checks)
        survived += not found.by
        wrong, _, inputs = found.counterexample.partition(": ")
        cells = (mutant.kernel, mutant.fault, wrong or "nothing", inputs)
        print("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |", flush=True)
    return int(survived > 0)


if __name__ == "__main__":
    raise SystemExit(main())
