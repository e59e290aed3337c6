"""A second solver, cvc5, answers every question that the checker has put to z3.

The questions travel as an SMT-LIB script (`check.Transcript`). cvc5 is an optional dependency: `missing` says why it
can't be asked.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ikeref_model.check import Flawed, Transcript


def missing() -> str:
    """Why cvc5 can't be asked; "" if it can."""
    return "" if find_spec("cvc5") else "the package cvc5 is not installed"


def confirm(transcript: Transcript) -> int:
    """Ask cvc5 all that z3 was asked; the number of questions. Raises `Flawed` where the two disagree."""
    cvc5: Any = import_module("cvc5")
    solver = cvc5.Solver()
    symbols = cvc5.SymbolManager(solver)
    parser = cvc5.InputParser(solver, symbols)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, "\n".join(transcript.lines), "certificate")
    answers: list[str] = []
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, symbols).strip()
        if said:
            answers.append(said)
    wanted = ["sat" if each else "unsat" for each in transcript.answers]
    if answers != wanted:
        differ = sum(one != two for one, two in zip(answers, wanted, strict=False))
        raise Flawed(f"cvc5 disagrees with z3 on {differ} of {len(wanted)} questions")
    return len(wanted)
