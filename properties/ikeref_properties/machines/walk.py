"""Random walks: many schedules a second, each judged at every step and at rest."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ikeref.policy.connections import Settings
from ikeref_properties.machines.invariants import Ledger, Violation
from ikeref_properties.machines.schedule import Schedule, Weights, perform, random_schedule, shrink, text
from ikeref_properties.network import ENDS, A, B, Pair, Record, connection
from ikeref_properties.refinement import Observer

Watch = Callable[[Record], None]
MakePair = Callable[[int, Watch], Pair]
"""Two ends that have an established IKE SA or are about to; each step is to be shown to the watch."""


def established(seed: int, watch: Watch) -> Pair:
    """Two ends on the toy provider with an IKE SA and one Child SA."""
    return Pair(seed, settings=Settings(), watch=watch).establish()


def starting(seed: int, watch: Watch) -> Pair:
    """Two ends on the toy provider of which one has just sent IKE_SA_INIT."""
    pair = Pair(seed, settings=Settings(), watch=watch)
    pair.initiate()
    return pair


def other_groups(seed: int, watch: Watch) -> Pair:
    """Two ends, established, that prefer different key exchange groups: many a first try gets INVALID_KE_PAYLOAD."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256", esp="aes256gcm16-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256", esp="aes256gcm16-ecp256"),
    }
    return Pair(seed, connections=connections, watch=watch).establish(B if seed % 2 else A)


def cookies(seed: int, watch: Watch) -> Pair:
    """Two ends of which one has just sent IKE_SA_INIT; it will be asked for a cookie and for another group."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256"),
    }
    pair = Pair(seed, settings=Settings(cookie_threshold=0), connections=connections, watch=watch)
    pair.initiate()
    return pair


def both_starting(seed: int, watch: Watch) -> Pair:
    """Two ends that have just sent IKE_SA_INIT to each other."""
    pair = Pair(seed, watch=watch)
    pair.initiate(A)
    pair.initiate(B)
    return pair


def limited(seed: int, watch: Watch) -> Pair:
    """Two ends, established, that allow two Child SAs."""
    return Pair(seed, settings=Settings(child_limit=2), watch=watch).establish()


class Finding(NamedTuple):
    """A run in which something did not hold."""

    seed: int
    schedule: Schedule
    error: Exception

    def __str__(self) -> str:
        return f"seed {self.seed}: {type(self.error).__name__}: {self.error}\n{text(self.schedule)}"


class Judge:
    """Judges every step of two ends: the invariants, and what the model's rows allow."""

    def __init__(self, *, model: bool = True) -> None:
        self.ledger = Ledger()
        self.observers = {end: Observer(end) for end in ENDS} if model else {}

    def __call__(self, record: Record) -> None:
        """Raises Violation."""
        self.ledger.note(record)
        if record.end in self.observers:
            verdict = self.observers[record.end].observe(record)
            if not verdict.ok:
                raise Violation("the model", f"step {record.number} of {record.end}: {verdict.explanation}")


def run(seed: int, schedule: Schedule, make: MakePair = established, *, model: bool = True) -> Pair:
    """Let a schedule happen, then let everything settle. Raises Violation where something does not hold."""
    judge = Judge(model=model)
    pair = make(seed, judge)
    for act in schedule:
        perform(pair, act)
    pair.settle()
    judge.ledger.at_rest(pair)
    return pair


def attempt(seed: int, schedule: Schedule, make: MakePair = established, *, model: bool = True) -> Exception | None:
    """What a run breaks; None for nothing."""
    try:
        run(seed, schedule, make, model=model)
    except Exception as error:  # whatever it is, it is a finding
        return error
    return None


def walk(
    first: int,
    count: int,
    weights: Weights | None = None,
    make: MakePair = established,
    *,
    findings: int = 1,
    model: bool = True,
) -> list[Finding]:
    """Runs with the seeds `first` to `first + count`, up to so many findings, each shrunk."""
    found: list[Finding] = []
    weights = weights or Weights()
    for seed in range(first, first + count):
        schedule = random_schedule(Random(seed), weights)
        error = attempt(seed, schedule, make, model=model)
        if error is None:
            continue
        found.append(_shrunk(seed, schedule, error, make, model))
        if len(found) >= findings:
            break
    return found


def _shrunk(seed: int, schedule: Schedule, error: Exception, make: MakePair, model: bool) -> Finding:
    rule = _rule(error)

    def fails(shorter: Schedule) -> bool:
        again = attempt(seed, shorter, make, model=model)
        return again is not None and _rule(again) == rule

    shorter = shrink(schedule, fails)
    return Finding(seed, shorter, attempt(seed, shorter, make, model=model) or error)


def _rule(error: Exception) -> str:
    return error.rule if isinstance(error, Violation) else type(error).__name__
