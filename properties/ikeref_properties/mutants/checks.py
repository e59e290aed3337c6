"""What is tried on a fault: the cheap checks behind the claims about the code, each by the name that the claims use.

* `invariant:RULE`: random walks of two ends of every kind, each judged at every step and at rest, by itself: that one
  rule is broken hides no other. `invariant:the model` is what the rows allow.
* `explored:RULE`: a search of a small space of states of two ends, where the walks find nothing.
* `kernel:FUNCTION`: every path of a decision kernel, for a fault in one.
* `test:PATH::NAME`: the tests of the repository that a claim about the code names, but for those that do the same as
  the walks here, and those that take long.
"""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, Phase, settings

from ikeref_properties import kernels
from ikeref_properties.claims import properties
from ikeref_properties.claims.references import EVERY_SUITE
from ikeref_properties.explore.search import Search
from ikeref_properties.explore.values import Bounds
from ikeref_properties.kernels import schedule
from ikeref_properties.kernels.source import load
from ikeref_properties.machines import walk
from ikeref_properties.machines.invariants import Violation
from ikeref_properties.machines.schedule import Weights, perform, random_schedule
from ikeref_properties.machines.walk import Judge, MakePair
from ikeref_properties.mutants.seeding import Mutant
from ikeref_properties.network import ENDS, Pair, Record

KINDS = ("rekey child", "rekey IKE", "delete child", "create", "rekey child", "rekey IKE", "delete IKE")
REKEYS = Weights(acts=40, commands=6, kinds=KINDS)
QUIET = Weights(commands=0)


class Kind(NamedTuple):
    """A kind of walk."""

    make: MakePair
    weights: Weights
    runs: int
    """At most."""
    model: bool = True
    rests: bool = True
    """Whether it comes to rest in the end."""


WALKS: tuple[Kind, ...] = (
    Kind(walk.established, REKEYS, 80),
    Kind(walk.other_groups, REKEYS, 30),
    Kind(walk.limited, REKEYS, 20),
    Kind(walk.modes, REKEYS, 40),
    Kind(walk.aging, REKEYS, 20, rests=False),
    Kind(walk.starting, Weights(), 20),
    Kind(walk.cookies, Weights(), 20),
    Kind(walk.both_starting, Weights(), 20),
    Kind(walk.strangers, QUIET, 3),
    Kind(walk.unanswered, QUIET, 3),
    Kind(walk.skipping, QUIET, 2),
)
LEFT_OUT = (
    "tests/refinement/test_machine.py",
    "tests/refinement/test_mutants.py",
    "tests/explore/",
    "tests/properties/test_scrambled.py",
)
"""The walks do what the first three do; the last is about the judge, not the code."""
EXAMPLES = 60
"""Of a Hypothesis test at most, and none of them is shrunk."""
SLOW = (
    "test_hostile_datagrams_raise_nothing_and_leave_nothing",
    "test_s1_3_1_both_ends_agree_on_the_mode_whatever_happens",
    "test_s2_8_lifetimes_of_both_ends_collide_and_lose_nothing",
    "test_s2_8_nothing_expired_is_used_whatever_happens",
)
"""Tests that take long; the walks come close to what they do."""
PATIENCE = 10.0
"""Seconds of processor time for one run or one test: what takes longer does not end."""
MODEL, RAISED, REST = "the model", "nothing raises (Section 2.21)", "rest"


class Kill(NamedTuple):
    """A check that finds a fault."""

    check: str
    how: str
    """What it took: the run of a walk, how many cases of a test."""
    seconds: float


class Unending(Exception):
    """A run takes too long."""


@contextlib.contextmanager
def bounded(seconds: float = PATIENCE) -> Iterator[None]:
    """Raises Unending where the block takes more processor time."""

    def ring(*_: object) -> None:
        raise Unending(f"more than {seconds:.0f} s")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


# Walks


class Listener:
    """Judges a run by invariants and by the model, each to its first finding."""

    def __init__(self, make: MakePair, *, model: bool) -> None:
        self.invariants = Judge(model=False)
        self.model = Judge(make=make) if model else None
        self.broken: dict[str, int] = {}
        """Rules, and at which step."""
        self.sound = True

    def __call__(self, record: Record) -> None:
        """Take a step into account."""
        if self.sound:
            try:
                self.invariants.ledger.note(record)
            except Violation as found:
                self.note(found.rule, record.number)
        if self.model is not None:
            try:
                verdict = self.model.observers[record.end].observe(record)
            except (KeyError, AssertionError, ValueError):
                verdict = None
            if verdict is None or not verdict.ok:
                self.broken.setdefault(MODEL, record.number)
                self.model = None

    def note(self, rule: str, step: int) -> None:
        """A rule of the ledger is broken; what the ledger knows from here on is not to be trusted."""
        self.broken.setdefault(rule, step)
        self.sound = False

    def rest(self, pair: Pair) -> None:
        """Judge what is left at rest, each rule by itself."""
        ledger = self.invariants.ledger
        rules: list[Any] = [ledger._no_business, ledger._ikes_agree, ledger._children_agree, ledger._lineages]
        rules += [lambda pair, end=end: ledger._installed_is_listed(pair, end) for end in ENDS]
        rules.append(ledger.each_at_rest)
        for rule in rules:
            try:
                rule(pair)
            except Violation as found:
                self.broken.setdefault(found.rule, len(pair.records))
            except KeyError:
                self.broken.setdefault("paired Child SAs (Section 1.4.1)", len(pair.records))


def one_walk(kind: Kind, seed: int) -> dict[str, int]:
    """The rules that one run breaks, and at which step."""
    listener = Listener(kind.make, model=kind.model)
    steps = 0
    try:
        with bounded():
            pair = kind.make(seed, listener)
            for act in random_schedule(Random(seed), kind.weights):
                perform(pair, act)
            steps = len(pair.records)
            if kind.rests:
                pair.settle(300)
                if listener.sound:
                    listener.rest(pair)
    except Violation as found:
        listener.note(found.rule, steps)
    except Unending:
        listener.note(REST, steps)
    except Exception as error:
        listener.note(REST if "come to rest" in str(error) else RAISED, steps)
    return listener.broken


def walks(seconds: float = 60.0, *, deep: bool = False) -> list[Kill]:
    """What random walks find, each rule once. Deep: many more, until something is found."""
    found: dict[str, Kill] = {}
    started = time.process_time()
    kinds = tuple(kind._replace(runs=kind.runs * 20) for kind in WALKS[:2]) if deep else WALKS
    for run in range(max(kind.runs for kind in kinds)):
        for kind in kinds:
            spent = time.process_time() - started
            if run >= kind.runs or spent > seconds or (deep and found):
                continue
            for rule, step in one_walk(kind, run).items():
                how = f"{kind.make.__name__}, run {run + 1}, step {step}"
                found.setdefault(rule, Kill(f"invariant:{rule}", how, time.process_time() - started))
    return list(found.values())


# Exploration and kernels


def explored(seconds: float = 2.0) -> list[Kill]:
    """What a search of the states of two ends finds: the nearest deviation."""
    started = time.process_time()
    try:
        with bounded(3 * seconds):
            result = Search(Bounds(commands=1, losses=0, duplicates=0)).run(seconds=seconds)
    except Exception as error:
        return [Kill("explored:totality", f"{type(error).__name__}", time.process_time() - started)]
    if result.counterexample is None:
        return []
    steps = len(result.counterexample.schedule)
    return [Kill(f"explored:{result.counterexample.deviation.rule}", f"{steps} steps", time.process_time() - started)]


def of_kernels(fault: Mutant) -> list[Kill]:
    """What the checks of decision kernels find, for a fault in one of them."""
    found: list[Kill] = []
    if len(fault.edits) == 1:
        each = fault.edits[0]
        if each.module == "ikeref.crypto.schedule":
            started = time.process_time()
            verdict = schedule.every_suite(load(each.module, old=each.old, new=each.new))
            if verdict.claim == "violated":
                spent = time.process_time() - started
                found += [Kill(f"kernel:{each.module}.{name}", "every suite", spent) for name in EVERY_SUITE]
        for check in kernels.checks():
            if check.module == each.module:
                started = time.process_time()
                verdict = kernels.run(check, old=each.old, new=each.new, seconds=10.0)
                if verdict.claim == "violated":
                    spent = time.process_time() - started
                    found += [
                        Kill(f"kernel:{check.module}.{name}", f"{verdict.paths} paths", spent)
                        for name in check.kernel.split(", ")
                    ]
    return found


# Tests


def cheap_tests() -> list[str]:
    """The tests that claims about the code name, but for the slow ones and those that do the same as the walks."""
    named = [
        check.name
        for each in properties()
        for part in each.parts
        if part.subject == "code"
        for check in part.checks
        if check.kind == "test"
    ]
    return [
        name for name in dict.fromkeys(named) if not name.startswith(LEFT_OUT) and name.partition("::")[2] not in SLOW
    ]


_SETTINGS = "_hypothesis_internal_use_settings"
_PHASES = (Phase.explicit, Phase.generate)
_OPTIONS = [
    *("-o", "addopts=", "--import-mode=importlib", "-p", "no:terminal", "-p", "no:cacheprovider"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
]


class Outcomes:
    """A plugin of pytest: which cases failed."""

    def __init__(self) -> None:
        self.failed: dict[str, list[float]] = {}
        self.passed: dict[str, int] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Bound the Hypothesis tests."""
        for item in items:
            function = getattr(item, "obj", None)
            wanted = getattr(function, _SETTINGS, None)
            if wanted is not None:
                bound = min(EXAMPLES, wanted.max_examples)
                patient = settings(
                    wanted, deadline=None, suppress_health_check=cast("list[HealthCheck]", list(HealthCheck))
                )
                setattr(function, _SETTINGS, settings(patient, max_examples=bound, phases=_PHASES))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """A test that does not end fails."""
        with bounded():
            yield

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count it."""
        name = report.nodeid.partition("[")[0]
        if report.failed:
            self.failed.setdefault(name, []).append(report.duration)
        elif report.passed and report.when == "call":
            self.passed[name] = self.passed.get(name, 0) + 1


def collect(names: list[str], root: Path) -> None:
    """Import the tests, so that processes forked from this one need not."""
    with contextlib.chdir(root):
        pytest.main([*_OPTIONS, "--collect-only", *names], plugins=[])


def tests(names: list[str], root: Path, *, first: bool) -> list[Kill]:
    """Which of these tests fail, or the `first` that does.

    Run in a process of its own: pytest is not made to be run twice in one. Raises RuntimeError where it runs no test.
    """
    outcomes = Outcomes()
    code: object = None
    with contextlib.chdir(root):
        try:
            code = pytest.main([*_OPTIONS, *(("-x",) if first else ()), *names], plugins=[outcomes])
        except ExceptionGroup as error:  # what tests that failed have left open
            code = error
    if not outcomes.failed and not outcomes.passed:
        raise RuntimeError(f"pytest ran none of {', '.join(names)}: it ended with {code}")
    found = []
    for name, seconds in outcomes.failed.items():
        count = len(seconds)
        of = count + outcomes.passed.get(name, 0)
        found.append(Kill(f"test:{name}", f"{count} of {of} case{'s' if of != 1 else ''}", sum(seconds)))
    return found
