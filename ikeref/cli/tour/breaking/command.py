"""`ikeref tour --break RULE`."""

from typing import NoReturn

import typer
from rich.console import Console

from ikeref.cli.complain import stop
from ikeref.cli.tour.annotate import annotate
from ikeref.cli.tour.breaking import show
from ikeref.cli.tour.breaking.choose import Chosen, Standing, Unknown, choose
from ikeref.cli.tour.breaking.code import Ran, plays_of, run
from ikeref.cli.tour.breaking.table import Break, Play
from ikeref.cli.tour.life import Options
from ikeref.cli.tour.report import Report
from ikeref.cli.tour.story import tell
from ikeref.cli.tour.verdicts import Standing as Verdict
from ikeref.cli.tour.verdicts import of_run

FALLEN = 1
"""Exit code where something falls, as it should."""
LIST = "list"


def broken(name: str, console: Console) -> Report | None:
    """Break a rule and show what falls. Returns the run of the code, if there is one; exits for an unknown rule."""
    if name == LIST:
        console.print(show.listing())
        raise typer.Exit
    chosen = choose(name)
    match chosen:
        case Unknown():
            _unknown(chosen)
        case Standing():
            _stands(chosen)
        case Chosen():
            pass
    console.print(show.rule(chosen))
    console.print(show.rows(chosen, console))
    report = None
    if chosen.rule.mutant:
        ran, twin = played(chosen)
        report = judged(ran)
        console.print(show.code(chosen, report, ran, violations(judged(twin)), console))
    if chosen.others:
        console.print(f"\nOf the same row: {', '.join(f'--break {each}' for each in chosen.others)}", style=show.DIM)
    return report


def played(chosen: Chosen) -> tuple[Ran, Ran]:
    """The run of the code with the fault, and without."""
    rule, plays, lowest = chosen.rule, schedule(chosen), _lowest(chosen)
    return run(rule, plays, lowest), run(rule, plays, lowest, broken=False)


def schedule(chosen: Chosen) -> tuple[Play, ...]:
    """What happens to the code: as the break says, else what the model has found."""
    rule: Break = chosen.rule
    return rule.plays or (plays_of(chosen.fall.moves) if chosen.fall is not None else ())


def _lowest(chosen: Chosen) -> str:
    return chosen.rule.lowest or (chosen.fall.lowest if chosen.fall is not None else "")


def judged(ran: Ran) -> Report:
    """A run as a report of the tour."""
    outcome = ran.outcome
    annotations = annotate(outcome.trace)
    verdicts = (*of_run(outcome.trace, annotations, outcome.unfinished), show.invariants(ran))
    names = {side: f"{side} {address}:{port}" for side, (address, port) in outcome.addresses.items()}
    return Report(Options(), outcome, annotations, tell(outcome, annotations), verdicts, names)


def violations(report: Report) -> str:
    """What is violated, in words; empty if nothing is."""
    bad = [each for each in report.verdicts if each.standing is Verdict.VIOLATED]
    return "; ".join(f"{each.name}: {', '.join(each.faults[:2])}" for each in bad)


def _unknown(found: Unknown) -> NoReturn:
    near = f"did you mean {', '.join(found.near)}?" if found.near else "there is none like it."
    stop(f"there is no rule {found.name!r} to break; {near} `ikeref tour --break list` shows those offered")


def _stands(found: Standing) -> NoReturn:
    tried = f"{len(found.tried)} changes of it were tried" if found.tried else "it is only tolerated in others"
    stop(
        f"{found.row}: {tried}, and no run of two ends and no sentence falls; docs/mutants_rows.md says what finds "
        "each. `ikeref tour --break list` shows rules that fall visibly"
    )
