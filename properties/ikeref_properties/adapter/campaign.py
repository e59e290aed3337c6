"""A campaign: many runs of ikeref against an implementation, each judged at every step and at rest; failures shortened.

A run follows from a seed and a schedule. The seed says who begins, whether the network is good until the IKE SA stands,
and whether ikeref knows the shared key; the schedule is what users and the network do then.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import NamedTuple

from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.sa import Phase
from ikeref_properties.adapter.arena import Arena, Crashed, Step
from ikeref_properties.adapter.implementation import Address, Ask, Command, Factory, Unsupported, View
from ikeref_properties.adapter.messages import Violation, violation
from ikeref_properties.adapter.probes import EARLY, PROBES, probe
from ikeref_properties.adapter.watcher import Watcher
from ikeref_properties.capture.rules import Finding, Weight
from ikeref_properties.machines import schedule
from ikeref_properties.machines.schedule import Act, Schedule, Weights, random_schedule, shrink
from ikeref_properties.network import ADDRESS, A, B, connection

PROBE = "probe"


class Start(StrEnum):
    """How a run begins."""

    QUIET = "the IKE SA is established without a disturbance"
    ROUGH = "the network is bad from the first message on"
    IMPOSTOR = "ikeref does not know the shared key"
    EARLY = "ikeref sends CREATE_CHILD_SA instead of IKE_AUTH"


@dataclass(frozen=True, slots=True)
class Setup:
    """What is tested against what."""

    policy: Connection = field(default_factory=lambda: connection(A, children=("net",)))
    """ikeref's: the implementation has to be the peer that it describes."""
    addresses: tuple[Address, Address] = (ADDRESS[A], ADDRESS[B])
    """ikeref's and the implementation's."""
    begins: tuple[str, ...] = (A, B)
    """Who may begin the IKE SA."""
    starts: tuple[Start, ...] = (Start.QUIET,) * 5 + (Start.ROUGH, Start.IMPOSTOR, Start.EARLY)
    """As often as they stand here."""
    weights: Weights = field(
        default_factory=lambda: Weights(
            kinds=("create", "rekey child", "rekey child", "rekey IKE", "delete child", "liveness", "delete IKE")
        )
    )
    crossings: int = 2
    """How often at most both ends are told something at once, half the time the same (Sections 2.8, 2.25)."""
    probes: int = 2
    """Probes a run at most."""
    settings: Settings = field(default_factory=Settings)
    waits: int = 40
    """How often an implementation that still waits for an answer is asked whether it has something to send."""


class Run(NamedTuple):
    """A run that is over."""

    arena: Arena
    watcher: Watcher
    start: Start
    established: bool


class Failure(NamedTuple):
    """A run in which something did not hold."""

    seed: int
    schedule: Schedule
    error: AssertionError
    arena: Arena
    watcher: Watcher


@dataclass(slots=True)
class Result:
    """What a campaign has shown."""

    runs: int = 0
    established: int = 0
    """Runs in which there was an IKE SA."""
    judged: int = 0
    """Steps of the implementation that the rows have judged."""
    failures: list[Failure] = field(default_factory=list)
    warnings: Counter[Finding] = field(default_factory=Counter)
    """Departures from a SHOULD, and silences filled differently; their datagram numbers are 0."""
    rows: Counter[str] = field(default_factory=Counter)
    unsupported: set[Ask] = field(default_factory=set)
    limits: Counter[str] = field(default_factory=Counter)
    """Why something was not judged."""
    fruitless: "Match | None" = None
    """The first run without a disturbance in which no IKE SA came about."""


class Match:
    """One run under way."""

    def __init__(self, seed: int, factory: Factory, setup: Setup) -> None:
        random = Random(f"{seed} start")
        self.setup = setup
        self.start = random.choice(setup.starts)
        self.begins = random.choice(setup.begins)
        if self.start is Start.EARLY:
            self.begins = A
        policy = setup.policy
        if self.start is Start.IMPOSTOR:
            policy = replace(policy, local_auth=Secret(random.randbytes(32)))
        self.watcher: Watcher | None = None
        self.arena = Arena(
            seed,
            factory,
            policy,
            self._watch,
            addresses=dict(zip((A, B), setup.addresses, strict=True)),
            settings=setup.settings,
            waits=setup.waits,
        )
        self.watcher = Watcher(self.arena.keys, verifies=self.start is not Start.IMPOSTOR)
        self.arena.owes = lambda: self.judge.owes
        self.established = False

    @property
    def judge(self) -> Watcher:
        """The watcher of the implementation."""
        assert self.watcher is not None
        return self.watcher

    def _watch(self, step: Step) -> None:
        self.judge.note(step)
        if not self.established and step.end == A:
            self.established = any(ike.phase is Phase.ESTABLISHED for ike in self.arena.ikes())

    def begin(self) -> None:
        """Someone begins an IKE SA, and how. Raises Violation."""
        try:
            self.arena.initiate(self.begins)
        except Unsupported:
            self.arena.unsupported.add(Ask.INITIATE)
            self.arena.initiate(A)
        match self.start:
            case Start.QUIET | Start.IMPOSTOR:
                self.arena.deliver_all()
            case Start.EARLY:
                while self.arena.flying and not any(ike.phase is Phase.AUTH_SENT for ike in self.arena.ikes()):
                    self.arena.deliver(self.arena.flying[0])
                if probe(self.arena, EARLY):
                    self.arena.forget()
            case Start.ROUGH:
                pass

    def perform(self, act: Act) -> bool:
        """Let something happen; False where it can't. Raises Violation."""
        arena = self.arena
        match act.what:
            case schedule.ADVANCE:
                return arena.advance()
            case schedule.COMMAND:
                return arena.tell(act.end, _command(arena, act))
            case schedule.REPLAY if arena.past:
                arena.deliver(arena.past[act.which % len(arena.past)], keep=True)
                return True
            case "probe":
                return probe(arena, PROBES[act.which % len(PROBES)])
            case schedule.DELIVER | schedule.DUPLICATE if arena.flying:
                flight = arena.flying[act.which % len(arena.flying)]
                arena.deliver(flight, keep=act.what == schedule.DUPLICATE)
                return True
            case schedule.LOSE if arena.flying:
                arena.lose(arena.flying[act.which % len(arena.flying)])
                return True
            case _:
                return False

    def finish(self) -> None:
        """Everything comes to rest, both ends agree, and then the IKE SA is deleted. Raises Violation."""
        arena = self.arena
        arena.settle()
        self._at_rest()
        self.judge.warnings += [_owed(name) for name in self.judge.debts()]
        if arena.ikes():
            arena.tell(A, Command(Ask.LIVENESS))
            arena.settle()
            self._at_rest()
            arena.tell(A, Command(Ask.DELETE_IKE))
            arena.settle()
            self._at_rest()
        for flight in self.judge.unread:
            self.judge.limit = f"nobody has the keys of datagram {flight.number}"

    def _at_rest(self) -> None:
        """Both ends agree, as far as one can see. Raises Violation (Sections 1.4.1, 2.8)."""
        arena, judge = self.arena, self.judge
        children = arena.children()
        view = arena.foreign.sas()
        if view is not None:
            _compare(arena, view)
        if judge.limit or judge.unread:
            return
        if next(judge.agreements(frozenset(each.spi_in for each in children)), None) is None:
            names = ", ".join(f"{each.spi_in.hex()}/{each.spi_out.hex()}" for each in children) or "none"
            text = f"at rest ikeref has the Child SAs {names}; by what it said, the implementation has others"
            raise violation("Child SAs in pairs", 0, text, "1.4.1", "7296-1.4.1-02", "7296-1.4.1-03")


def _command(arena: Arena, act: Act) -> Command:
    ask = Ask(act.command)
    children = arena.children()
    if ask not in (Ask.REKEY_CHILD, Ask.DELETE_CHILD) or not children:
        return Command(ask)
    child = children[act.which % len(children)]
    return Command(ask, child.spi_in if act.end == A else child.spi_out)


def _compare(arena: Arena, view: View) -> None:
    """ikeref's SAs and the view of the implementation's. Raises Violation."""
    ikes = {(ike.spi_i, ike.spi_r) for ike in arena.ikes()}
    if ikes != view.ikes:
        text = (
            f"orphans at rest: IKE SAs {_spis(ikes - view.ikes)} at ikeref, {_spis(view.ikes - ikes)} at the other end"
        )
        raise violation("IKE SAs agree", 0, text, "2.8.2", "7296-2.8.2-01", "7296-1.4.1-11")
    ours = {(child.spi_out, child.spi_in) for child in arena.children()}
    theirs = {(child.spi_in, child.spi_out) for child in view.children}
    if ours != theirs:
        text = f"orphans at rest: Child SAs {_spis(ours - theirs)} at ikeref, {_spis(theirs - ours)} at the other end"
        raise violation("Child SAs in pairs", 0, text, "1.4.1", "7296-1.4.1-02", "7296-1.4.1-03")
    for child in view.children:
        for inbound, spi, key in ((False, child.spi_in, child.key_in), (True, child.spi_out, child.key_out)):
            if key and arena.child_keys.get((inbound, spi), key) != key:
                raise violation("keys", 0, f"the ends have other keys for SPI {spi.hex()}", "2.17", "7296-2.17-04")


def _owed(name: str) -> Finding:
    kind = name.rsplit(" ", 1)[0]
    section, ids = ("2.8", ("7296-2.8-10",)) if kind.startswith("IKE SA") else ("2.8", ("7296-2.8-07",))
    return Finding(Weight.WARNING, 0, f"at rest a rekeyed {kind} is not deleted by who rekeyed it", section, ids)


def _spis(pairs: set[tuple[bytes, bytes]] | frozenset[tuple[bytes, bytes]]) -> str:
    return ", ".join(f"{one.hex()}/{two.hex()}" for one, two in sorted(pairs)) or "none"


def draw(seed: int, setup: Setup) -> Schedule:
    """The schedule of a seed, probes strewn in."""
    random = Random(f"{seed} schedule")
    acts = list(random_schedule(random, setup.weights))
    for _ in range(random.randint(0, setup.crossings)):
        which, kinds = random.randrange(4), setup.weights.kinds
        both = [Act(schedule.COMMAND, which, end, random.choice(kinds)) for end in random.sample((A, B), 2)]
        if random.random() < 0.5:
            both[1] = both[1]._replace(command=both[0].command)
        place = random.randrange(len(acts) + 1)
        acts[place:place] = both
    for _ in range(random.randint(0, setup.probes)):
        acts.insert(random.randrange(len(acts) + 1), Act(PROBE, random.randrange(len(PROBES))))
    return tuple(acts)


def attempt(seed: int, acts: Schedule, factory: Factory, setup: Setup) -> tuple[Match, AssertionError | None]:
    """One run, and what it broke."""
    match = Match(seed, factory, setup)
    try:
        match.begin()
        for act in acts:
            match.perform(act)
        match.finish()
    except (Violation, Crashed) as error:
        return match, error
    finally:
        match.arena.close()
    return match, None


def rule_of(error: AssertionError) -> str:
    """What to compare when a run is shortened."""
    return error.rule if isinstance(error, Violation) else str(error).partition(":")[0]


def shortened(seed: int, acts: Schedule, error: AssertionError, factory: Factory, setup: Setup) -> Failure:
    """The same failure with as few acts as will do."""
    rule = rule_of(error)

    def fails(shorter: Schedule) -> bool:
        again = attempt(seed, shorter, factory, setup)[1]
        return again is not None and rule_of(again) == rule

    acts = shrink(acts, fails)
    match, last = attempt(seed, acts, factory, setup)
    return Failure(seed, acts, last or error, match.arena, match.judge)


def walk(
    factory: Factory,
    setup: Setup | None = None,
    *,
    first: int = 0,
    count: int = 200,
    failures: int = 1,
    progress: Callable[[Result], None] = lambda _: None,
) -> Result:
    """Runs with the seeds `first` to `first + count`, up to so many failures, each shortened."""
    setup = setup or Setup()
    result = Result()
    for seed in range(first, first + count):
        acts = draw(seed, setup)
        match, error = attempt(seed, acts, factory, setup)
        _count(result, match)
        if error is not None:
            result.failures.append(shortened(seed, acts, error, factory, setup))
        progress(result)
        if len(result.failures) >= failures:
            break
    return result


def _count(result: Result, match: Match) -> None:
    judge = match.judge
    result.runs += 1
    result.established += match.established
    if result.fruitless is None and match.start is Start.QUIET and not match.established:
        result.fruitless = match
    result.judged += judge.judged
    result.rows.update(judge.rows)
    result.unsupported |= match.arena.unsupported
    result.warnings.update(each._replace(number=0) for each in judge.warnings)
    if judge.limit:
        result.limits[judge.limit] += 1
