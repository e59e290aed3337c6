"""A tour from beginning to end: run, judged and told."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from ikeref.cli.tour.annotate import Annotation, annotate
from ikeref.cli.tour.checks import count
from ikeref.cli.tour.life import STAGE_SECONDS, STAGES, Factory, Options, Outcome, Stage, default_factory, live
from ikeref.cli.tour.proved import Proved
from ikeref.cli.tour.story import Chapter, tell
from ikeref.cli.tour.trace import Side
from ikeref.cli.tour.verdicts import Standing, Verdict, of_rows, of_run
from ikeref.net.transport import Observer


class Report(NamedTuple):
    """All there is to say of a tour."""

    options: Options
    outcome: Outcome
    annotations: tuple[Annotation, ...]
    chapters: tuple[Chapter, ...]
    verdicts: tuple[Verdict, ...]
    names: dict[Side, str]
    """`alice 127.0.0.1:40500`."""

    @property
    def good(self) -> bool:
        """Whether nothing is violated and nothing was left unchecked."""
        return not any(each.standing in (Standing.VIOLATED, Standing.UNKNOWN) for each in self.verdicts)

    def with_proofs(self, proved: tuple[Proved, ...]) -> "Report":
        """The same, with what is proved of the rows in front."""
        return self._replace(verdicts=(*of_rows(proved), *self.verdicts))


def run(
    options: Options,
    *,
    stages: Sequence[Stage] = STAGES,
    observers: Sequence[Observer] = (),
    factory: Factory = default_factory,
    stage_seconds: float = STAGE_SECONDS,
) -> Report:
    """Run the tour and judge the run. OSError if loopback UDP is not to be had."""
    life = live(options, stages=stages, observers=observers, factory=factory, stage_seconds=stage_seconds)
    outcome = asyncio.run(life)
    annotations = annotate(outcome.trace)
    found = of_run(outcome.trace, annotations, outcome.unfinished)
    names = {side: f"{side} {address[0]}:{address[1]}" for side, address in outcome.addresses.items()}
    return Report(options, outcome, annotations, tell(outcome, annotations), found, names)


def closing(report: Report) -> Text:
    """The last line: how it went, in a sentence."""
    trace = report.outcome.trace
    flights, lost = len(trace.flights), sum(flight.fate.dropped for flight in trace.flights)
    again = sum(flight.transmit.again for flight in trace.flights)
    facts = [count(flights, "datagram")]
    facts += [f"{lost} lost"] if lost else []
    facts += [f"{again} sent again"] if again else []
    facts.append(f"{report.outcome.seconds * 1000:.0f} ms")
    bad = [each for each in report.verdicts if each.standing is Standing.VIOLATED]
    unknown = [each for each in report.verdicts if each.standing is Standing.UNKNOWN]
    if bad:
        head = (f"✗ {count(len(bad), 'verdict')} violated", "bold red")
    elif unknown:
        head = (f"? {count(len(unknown), 'verdict')} not checked", "bold yellow")
    else:
        head = ("✓ nothing violated", "bold green")
    return Text.assemble("\n", head, f"  ({', '.join(facts)})")
