"""Every course of the first exchanges, and of a restart: two endpoints that begin with nothing (Sections 1.2, 2.4).

`search` begins with an IKE SA; here the whole of `ikeref.endpoint` is explored: half-open IKE SAs, cookies, other
groups, failed authentication, both ends at once, an end that loses all it had and says so by INITIAL_CONTACT (Sections
2.4, 2.6, 2.21.2). A state is the schedule that leads to it, done again from the start. Every step is put to the rows,
by observers of both ends, and to the invariants of random walks; and from every state the network is perfect for
once, and both ends have to agree.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import NamedTuple

from ikeref.crypto.free import FreeCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Connection, Settings
from ikeref.sa import CheckLiveness, Phase
from ikeref_properties.explore.spelling import spelled
from ikeref_properties.explore.values import Deviation
from ikeref_properties.machines.invariants import Violation
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, A, B, Pair, Record, connection
from ikeref_properties.refinement import Observer

Act = tuple[str, str | int]
"""What happens, and to which datagram in flight, or end: deliver, duplicate, lose, begin, restart, wait."""


class Scene(NamedTuple):
    """Two ends, and what they may do."""

    name: str
    what: str
    section: str
    connections: Callable[[], dict[str, Connection]]
    settings: Settings = Settings()
    begin: str = A
    """Which ends begin an IKE SA, each once."""
    restarts: int = 0
    """How often A loses everything, and begins anew."""
    ikes: int = 1
    """How many IKE SAs each end has at rest, for each that was begun and outlived all restarts."""
    waits: int = 1
    """How often the next timer may fire, whatever is on its way."""


class Left(NamedTuple):
    """What may still happen."""

    losses: int
    duplicates: int
    waits: int
    restarts: int
    begin: str


class Found(NamedTuple):
    """What an exploration of a scene saw."""

    scene: Scene
    states: int
    steps: int
    taken: Counter[str]
    rows: Counter[str]
    seconds: float
    complete: bool
    deviation: Deviation | None = None
    schedule: tuple[Act, ...] = ()


def _alike(**changes: object) -> dict[str, Connection]:
    return {end: replace(connection(end, children=("net",)), **changes) for end in ENDS}  # type: ignore[arg-type]


def _groups() -> dict[str, Connection]:
    suites = {A: "aes256gcm16-prfsha256-x25519-ecp256", B: "aes256gcm16-prfsha256-ecp256"}
    return {end: connection(end, ike=suites[end], children=("net",)) for end in ENDS}


def _strangers() -> dict[str, Connection]:
    return {end: connection(end, secret=f"the secret of {end}".encode(), children=("net",)) for end in ENDS}


def _refused() -> dict[str, Connection]:
    suites = {A: "aes256gcm16", B: "aes128-sha256"}
    return {end: connection(end, esp=suites[end], children=("net",)) for end in ENDS}


def _contact() -> dict[str, Connection]:
    return _alike(initial_contact=True)


_COOKIES = Settings(cookie_threshold=0)

SCENES = (
    Scene("plain", "one end begins", "1.2", _alike),
    Scene("cookie", "a cookie is demanded", "2.6", _alike, _COOKIES),
    Scene("group", "the responder wants another group", "1.2", _groups),
    Scene("cookie-and-group", "a cookie, then another group", "2.6.1", _groups, _COOKIES, waits=0),
    Scene("strangers", "authentication fails at both ends", "2.21.2", _strangers, ikes=0),
    Scene("child-refused", "the first Child SA is refused", "1.2", _refused),
    Scene("both", "both ends begin", "2.8", _alike, begin=A + B, waits=0),
    Scene("restart", "an end restarts and says INITIAL_CONTACT", "2.4", _contact, restarts=1, waits=0),
)


class _World:
    """One schedule done again. Mutable."""

    def __init__(self, scene: Scene, losses: int, duplicates: int) -> None:
        self.scene = scene
        self.judge = Judge()
        self.rows: Counter[str] = Counter()
        self.left = Left(losses, duplicates, scene.waits, scene.restarts, scene.begin)
        self.pair = Pair(0, connections=scene.connections(), settings=scene.settings, watch=self._watch)
        self.begun = 0

    def _watch(self, record: Record) -> None:
        self.judge.ledger.note(record)
        verdict = self.judge.observers[record.end].observe(record)
        self.rows.update(match.row.name for match in verdict.rows)
        if not verdict.ok:
            raise Violation("the rows", f"step {record.number} of {record.end}: {verdict.explanation}")

    def acts(self) -> list[Act]:
        """What may happen now."""
        found: list[Act] = []
        seen = set()
        for place, flight in enumerate(self.pair.flying):
            if (flight.to, flight.datagram) in seen:
                continue
            seen.add((flight.to, flight.datagram))
            found.append(("deliver", place))
            found += [("duplicate", place)] * bool(self.left.duplicates) + [("lose", place)] * bool(self.left.losses)
        found += [("begin", end) for end in self.left.begin]
        found += [("wait", "")] * bool(self.left.waits and self.begun)
        found += [("restart", A)] * bool(self.left.restarts and self.begun)
        return found

    def do(self, act: Act) -> None:
        """Let it happen. Raises Violation."""
        pair, left = self.pair, self.left
        match act:
            case ("deliver", int() as place):
                pair.deliver(pair.flying[place])
            case ("duplicate", int() as place):
                self.left = left._replace(duplicates=left.duplicates - 1)
                pair.deliver(pair.flying[place], keep=True)
            case ("lose", int() as place):
                self.left = left._replace(losses=left.losses - 1)
                pair.lose(pair.flying[place])
            case ("begin", str() as end):
                self.left = left._replace(begin=left.begin.replace(end, ""))
                self.begun += 1
                pair.initiate(end)
            case ("wait", _):
                self.left = left._replace(waits=left.waits - 1)
                pair.advance()
            case (_, str() as end):
                self.left = left._replace(restarts=left.restarts - 1)
                self._restart(end)

    def _restart(self, end: str) -> None:
        """All that an end knew is gone, and it begins anew (Section 2.4)."""
        environment, ledger = self.pair.ends[end].environment, self.judge.ledger
        self.pair.ends[end] = Endpoint(environment.connections, FreeCrypto(), environment.random, self.scene.settings)
        self.judge.observers[end] = Observer(end)
        ledger.halves = {key: half for key, half in ledger.halves.items() if key[0] != end}
        ledger.closing = True  # what there was is lost, by the restart
        self.pair.initiate(end)

    def mark(self) -> bytes:
        """The same for states that count as one."""
        pair = self.pair
        ends = []
        for end in ENDS:
            endpoint = pair.ends[end]
            ends.append((tuple(endpoint.sessions.values()), endpoint.half_open))
        flights = sorted(
            [(flight.to, flight.datagram, flight.message) for flight in pair.flying], key=lambda each: each[:2]
        )
        return spelled((tuple(ends), tuple(flights), self.left), pair.now)

    def settle(self) -> None:
        """From here on the network is perfect: both ends agree, and have what they should. Raises Violation."""
        pair = self.pair
        pair.settle()
        if self.scene.restarts:
            self._check_liveness()
        self.judge.ledger.at_rest(pair)
        wanted = self.begun * self.scene.ikes
        for end in ENDS:
            if len(pair.ikes(end)) != wanted:
                raise Violation("the first exchanges", f"{end} has {len(pair.ikes(end))} IKE SAs, not {wanted}")
            if self.scene.name != "child-refused" and len(pair.children(end)) != wanted:
                raise Violation("the first exchanges", f"{end} has {len(pair.children(end))} Child SAs, not {wanted}")

    def _check_liveness(self) -> None:
        """Each end asks on each IKE SA whether the other has it still (Section 2.4)."""
        for end in ENDS:
            for number in tuple(self.pair.ends[end].sessions):
                if any(ike.phase is Phase.ESTABLISHED for ike in self.pair.ends[end].sessions[number].ikes):
                    self.pair.command(end, CheckLiveness(), number)
        self.pair.settle()


def explore(
    scene: Scene,
    losses: int = 1,
    duplicates: int = 1,
    *,
    seconds: float = float("inf"),
    merge: bool = True,
) -> Found:
    """Every state of a scene within bounds; `merge` False tells all schedules apart."""
    begun = monotonic()
    taken: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    known: set[bytes] = set()
    todo: deque[tuple[Act, ...]] = deque([()])
    states = steps = 0

    def again(schedule: tuple[Act, ...]) -> _World:
        world = _World(scene, losses, duplicates)
        for act in schedule:
            world.do(act)
        return world

    tried: tuple[Act, ...] = ()
    try:
        while todo:
            if monotonic() - begun > seconds:
                return Found(scene, states, steps, taken, rows, monotonic() - begun, False)
            before = todo.popleft()
            for act in again(before).acts():
                tried = (*before, act)
                world = again(tried)
                steps += 1
                taken[act[0]] += 1
                mark = world.mark() if merge else repr(tried).encode()
                if mark in known:
                    continue
                known.add(mark)
                states += 1
                todo.append(tried)
                world.settle()
                rows.update(world.rows)
    except Exception as error:  # whatever it is, it is a finding
        rule = error.rule if isinstance(error, Violation) else type(error).__name__
        spent = monotonic() - begun
        return Found(scene, states, steps, taken, rows, spent, False, Deviation(rule, str(error)), tried)
    return Found(scene, states, steps, taken, rows, monotonic() - begun, True)
