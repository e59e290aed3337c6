"""The rows as a monitor: which states of one endpoint are consistent with what was seen of it.

`advance` takes the set of states in which the endpoint may be and one observation, and returns those in which it may be
afterwards with the rows that explain the step, or a `Rejection` that names the rows which came closest and why they
don't fit. The rows for a Child SA are used for every Child SA by name, those for an IKE SA for every generation by
name.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ikeref_model import reasons
from ikeref_model.endpoint_state import Endpoint, Outstanding, View, apply, scopes
from ikeref_model.events import (
    Asked,
    Change,
    Command,
    Established,
    Input,
    Installed,
    Kind,
    Observation,
    OneWay,
    Outcome,
    Position,
    Repeated,
    Reply,
    Request,
    Response,
    Sent,
    Superseded,
    Timer,
)
from ikeref_model.rows import Answer, Row
from ikeref_model.state import ASSUMED, Child, Ike
from ikeref_model.tables import ROWS
from ikeref_model.terms import Pick, holds, variables_of


class Match(NamedTuple):
    """A row that explains a part of a step."""

    row: Row
    child: str = ""

    def text(self) -> str:
        """`Section 2.8 · child.rekey.request.accept`."""
        return f"Section {self.row.section} · {self.row.name}"


class Accepted(NamedTuple):
    """The step is one that the rows allow."""

    states: frozenset[Endpoint]
    matches: tuple[Match, ...]
    """The rows of one explanation."""
    explanations: int
    """How many explanations there are."""
    ways: tuple[tuple[Endpoint, tuple[Match, ...]], ...] = ()
    """For each of the states the rows of one explanation that leads to it."""


class Candidate(NamedTuple):
    """A row that was tried, and why it does not explain the step."""

    row: str
    section: str
    why: str


class Rejection(NamedTuple):
    """No row explains the step."""

    observation: Observation
    reason: str
    candidates: tuple[Candidate, ...]

    def __str__(self) -> str:
        lines = [f"{self.reason}: {self.observation}"]
        lines += [f"  {each.row} (Section {each.section}): {each.why}" for each in self.candidates]
        return "\n".join(lines)


Reasons = dict[str, tuple[str, Callable[[], str]]]
"""By row: its section, and why it does not explain the step."""
UNNAMED = "~"
"""Begins the name of a Child SA that was asked for and that the observer has not named yet."""
START = frozenset((Endpoint(),))
"""An endpoint without any SA."""


class _Path(NamedTuple):
    """One way to explain the part of a step that was looked at so far."""

    state: Endpoint
    matches: tuple[Match, ...]
    rest: tuple[Sent, ...]
    """What was sent and is not explained yet."""


class _Step:
    """The explanation of one observation from one state."""

    def __init__(self, observation: Observation, rows: "_Index", against: "Reasons") -> None:
        self.observation = observation
        self.rows = rows
        self.against = against
        self.told = dict(observation.facts)
        self.heirs = [each.sa for each in observation.changes if isinstance(each, Established)]
        self.sizes = _sizes(observation)
        """What SET_WINDOW_SIZE says in the message that arrived and in the response to it; 0 where there is none."""

    def fail(self, row: Row, why: Callable[[], str]) -> None:
        """Remember why a row does not explain the step; the words are made only if nothing else does."""
        self.against[row.name] = (row.section, why)

    def explain(self, state: Endpoint) -> Iterator[_Path]:
        """The ways to explain the whole observation."""
        for path in self.announced(state) if self.sizes != (0, 0) else self.first(state):
            for finished in self.follow(path):
                if not self.observation.visible and self.assumes_refusal(state, finished.state):
                    continue
                changes = finished.state.changes_since(state)
                observed = self.observation.changes
                if not self.observation.visible or (
                    _essential(changes) == _essential(observed) and _superseded(observed) <= _superseded(changes)
                ):
                    yield finished
                else:
                    for match in finished.matches[:1]:
                        self.fail(match.row, partial(reasons.changes, changes, observed))

    @staticmethod
    def assumes_refusal(before: Endpoint, after: Endpoint) -> bool:
        """Whether an end would not have accepted what it was answered. Where SAs are not seen, that is not supposed of
        it before its Delete comes: that is one which it may send of its own accord in any case."""
        return any(each.state == Child.UNWANTED != before.child(each.name).state for each in after.children)

    def announced(self, state: Endpoint) -> Iterator[_Path]:
        """As `first`, with SET_WINDOW_SIZE in the message that arrived, before it is handled, or in the response."""
        sa, (arrived, replied) = self.observation.sa, self.sizes
        for before in self.announcement(_Path(state, (), ()), "announced", sa, arrived):
            for path in self.first(before.state):
                told = path._replace(matches=(*path.matches, *before.matches))
                yield from self.announcement(told, "announce", sa, replied)

    def announcement(self, path: _Path, what: str, sa: str, size: int) -> Iterator[_Path]:
        """The path after SET_WINDOW_SIZE was sent ("announce") or arrived ("announced"); `size` 0: there was none."""
        rows, state = self.rows.windows(what) if size else (), path.state
        if not rows:
            yield path
            return
        ike = state.ike(sa)
        facts = {"larger": size > (ike.window if what == "announce" else ike.peer_window)}
        view = scopes(state, sa, "", facts, announced=size)
        for row in rows:
            if holds(row.condition(), view.read, view.children()):
                after = apply(state, row, view, [], "")
                yield path._replace(state=after, matches=(*path.matches, Match(row)))

    def first(self, state: Endpoint) -> Iterator[_Path]:
        """The ways to explain the event itself and the answer to it."""
        observation = self.observation
        sent = observation.sent
        match observation.event:
            case Command(kind):
                if not sent:
                    yield from self.rule(_Path(state, (), sent), self.rows.waits(kind), observation.sa, "")
                else:
                    yield _Path(state, (), sent)
            case Request(kind, children, position, message_id, _, initiator):
                if not state.flag_fits(observation.sa, initiator):
                    return
                if not state.position_fits(observation.sa, position, message_id, kind):
                    return
                paths: Iterable[_Path] = [_Path(state, (), sent)]
                rows = self.rows.requests(kind, position)
                if kind is Kind.DELETE_CHILD and position is Position.FRESH:
                    paths = self.each_child(state, rows, children, sent)
                else:
                    name = children[0] if children else self.new_child(state)
                    paths = self.rule(_Path(state, (), sent), rows, observation.sa, name)
                for path in paths:
                    answered = position is Position.FRESH and any(isinstance(each, Reply) for each in sent)
                    yield path._replace(state=path.state.counted(observation.sa, answered, message_id))
            case Response(kind, outcome, children, message_id, _, initiator):
                if not state.flag_fits(observation.sa, initiator):
                    return
                own = state.ike(observation.sa).answered_by(kind, message_id)
                if own is None:
                    return
                subjects = own.subjects
                if kind is Kind.DELETE_CHILD and outcome in (Outcome.OK, Outcome.EMPTY):
                    yield from self.each_answered(state, own, outcome, children, sent)
                else:
                    name = subjects[0] if subjects else self.new_child(state)
                    if name.startswith(UNNAMED):
                        state, name = state.renamed(name, self.new_child(state) or name)
                    if kind is Kind.REKEY_CHILD:
                        state = state.with_child(state.child(name)._replace(mine=self.new_child(state)))
                    rows = self.rows.responses(kind, outcome)
                    for path in self.rule(_Path(state, (), sent), rows, observation.sa, name, number=own.number):
                        over = kind in (Kind.CREATE_CHILD, Kind.REKEY_CHILD)
                        yield path._replace(state=path.state.without_denied(observation.sa)) if over else path
            case Timer(alarm, child):
                yield from self.rule(_Path(state, (), sent), self.rows.timers(alarm), observation.sa, child)
            case Input() as what:
                yield from self.rule(_Path(state, (), sent), self.rows.inputs(what), observation.sa, "")

    def each_child(
        self, state: Endpoint, rows: tuple[Row, ...], children: tuple[str, ...], sent: tuple[Sent, ...]
    ) -> Iterable[_Path]:
        """A Delete of several Child SAs: each by its own row; the answer lists those whose paired Delete is in it."""
        replies = [each for each in sent if isinstance(each, Reply)]
        rest = tuple(each for each in sent if not isinstance(each, Reply))
        if len(replies) != 1 or replies[0].outcome not in (Outcome.OK, Outcome.EMPTY) or not children:
            yield from self.rule(_Path(state, (), sent), rows, self.observation.sa, children[0] if children else "")
            return
        listed = replies[0].children or (children if replies[0].outcome is Outcome.OK else ())
        paths = [_Path(state, (), rest)]
        for child in children:
            answer = Reply(Outcome.OK if child in listed else Outcome.EMPTY)
            paths = [
                found._replace(rest=rest)
                for path in paths
                for found in self.rule(path._replace(rest=(answer, *rest)), rows, self.observation.sa, child, state)
            ]
        yield from paths

    def each_answered(
        self,
        state: Endpoint,
        own: Outstanding,
        outcome: Outcome,
        children: tuple[str, ...],
        sent: tuple[Sent, ...],
    ) -> Iterable[_Path]:
        """The response to a Delete of several Child SAs: each by its own row."""
        listed = children or (own.subjects if outcome is Outcome.OK else ())
        paths = [_Path(state, (), sent)]
        sa = self.observation.sa
        for child in own.subjects:
            rows = self.rows.responses(Kind.DELETE_CHILD, Outcome.OK if child in listed else Outcome.EMPTY)
            paths = [found for path in paths for found in self.rule(path, rows, sa, child, state, number=own.number)]
        yield from paths

    def follow(self, path: _Path) -> Iterator[_Path]:
        """The ways to explain the requests sent besides: each is one that this end may send of its own accord."""
        if not path.rest:
            yield path
            return
        request, rest = path.rest[0], path.rest[1:]
        if not isinstance(request, Asked):
            return
        sa = request.sa or self.observation.sa
        rows = self.rows.sends(request.kind)
        if not path.state.may_number(sa, request.message_id):
            for row in rows:
                self.fail(row, partial(reasons.not_next, request.message_id))
            return
        paths = [path._replace(rest=rest)]
        unnamed = f"{UNNAMED}{sa}.{path.state.ike(sa).sent}"
        for child in request.children or ("",):
            name = child or (unnamed if request.kind is Kind.CREATE_CHILD else "")
            paths = [found for each in paths for found in self.rule(each, rows, sa, name, path.state, asked=request)]
        if request.kind is Kind.CREATE_CHILD and not request.children:
            request = replace(request, children=(unnamed,))
        for each in paths:
            sent = each._replace(state=each.state.asked(sa, request))
            for announced in self.announcement(sent, "announce", sa, request.window):
                yield from self.follow(announced)

    def rule(
        self,
        path: _Path,
        rows: tuple[Row, ...],
        sa: str,
        child: str,
        before: Endpoint | None = None,
        *,
        asked: Asked | None = None,
        number: int | None = None,
    ) -> Iterator[_Path]:
        """The ways in which one row explains the next part; guards about the IKE SA read the state `before`."""
        state = path.state
        for row in rows:
            rest = path.rest if asked else _permitted(row, path.rest)
            if rest is None:
                self.fail(row, partial(reasons.answered, row, path.rest))
                continue
            fitting = False
            views: list[View] = []
            for facts in self.worlds(row):
                view = scopes(state, sa, child, facts, ike_from=before, number=number)
                if not holds(row.condition(), view.read, view.children()):
                    views.append(view)
                    continue
                fitting = True
                after = apply(state, row, view, self.heirs, self.new_child(state))
                repeats = [each for each in row.answers if each.what == "ask" and len(rest) < len(path.rest)]
                if repeats and not asked:
                    consumed = next(each for each in path.rest if isinstance(each, Asked))
                    if not after.may_number(sa, consumed.message_id, kind=consumed.kind):
                        self.fail(row, partial(reasons.not_next, consumed.message_id))
                        continue
                    after = after.asked(sa, consumed)
                    asking = _Path(after, (*path.matches, Match(row, child)), rest)
                    yield from self.announcement(asking, "announce", sa, consumed.window)
                    continue
                yield _Path(after, (*path.matches, Match(row, child)), rest)
            if not fitting:
                self.fail(row, partial(reasons.needs, row, tuple(views), state, sa, child))

    def worlds(self, row: Row) -> Iterator[dict[str, bool]]:
        """The facts as far as they are told, each way for those that the row reads and nobody told."""
        read = variables_of(row.guard)
        for each in row.update:
            if isinstance(each.value, Pick):
                read |= variables_of(each.value.condition)
        unknown = [name for name in (each[5:] for each in read if each.startswith("fact.")) if name not in self.told]
        worlds: list[dict[str, bool]] = [dict(self.told)]
        for name in unknown:
            values = (False,) if name in ASSUMED else (False, True)
            worlds = [{**world, name: value} for world in worlds for value in values]
        yield from worlds

    def new_child(self, state: Endpoint) -> str:
        """The name of the Child SA that this step brings into being, or that would have been; "" if none."""
        event = self.observation.event
        answer = event if isinstance(event, Response) and event.kind is not Kind.DELETE_CHILD else None
        if answer is not None and answer.children:
            return answer.children[0]
        known = {each.name for each in state.children}
        for change in self.observation.changes:
            if isinstance(change, Installed) and change.child not in known:
                return change.child
        if answer is None or answer.outcome is not Outcome.OK:
            return ""
        return next((each.name for each in state.children if each.state == Child.DENIED), "")


def _sizes(observation: Observation) -> tuple[int, int]:
    event = observation.event
    arrived = event.window if isinstance(event, Request | Response) else 0
    if isinstance(event, Request) and event.position is not Position.FRESH:
        arrived = 0  # it was handled before, or is not handled at all
    return arrived, next((each.window for each in observation.sent if isinstance(each, Reply)), 0)


def _permitted(row: Row, sent: tuple[Sent, ...]) -> tuple[Sent, ...] | None:
    """What of `sent` is left to explain if `row` explains the answer; None if the row does not allow the answer."""
    replies = [each for each in sent if isinstance(each, Reply | Repeated | OneWay)]
    rest = tuple(each for each in sent if isinstance(each, Asked))
    if len(replies) > 1:
        return None
    if replies:
        answer = replies[0]
        match answer:
            case Reply(outcome):
                wanted = Answer("reply", outcome)
            case Repeated():
                wanted = Answer("repeat")
            case OneWay():
                wanted = Answer("one-way")
        return rest if wanted in row.answers else None
    kinds = {each.name for each in row.answers if each.what == "ask"}
    for index, each in enumerate(rest):
        if each.kind in kinds and (not each.sa or each.kind in (Kind.IKE_SA_INIT, Kind.IKE_AUTH)):
            return rest[:index] + rest[index + 1 :]
    return rest if Answer("nothing") in row.answers or row.on.what == "wait" else None


def _essential(changes: Iterable[Change]) -> frozenset[Change]:
    return frozenset(each for each in changes if not isinstance(each, Superseded))


def _superseded(changes: Iterable[Change]) -> frozenset[Change]:
    return frozenset(each for each in changes if isinstance(each, Superseded))


class _Index:
    """The rows by event."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._rows = rows
        self._found: dict[tuple[object, ...], tuple[Row, ...]] = {}

    def _select(self, key: tuple[object, ...], found: Iterable[Row]) -> tuple[Row, ...]:
        if key not in self._found:
            self._found[key] = tuple(found)
        return self._found[key]

    def sends(self, kind: Kind) -> tuple[Row, ...]:
        return self._select(("send", kind), (r for r in self._rows if r.on.what == "send" and kind in r.on.kinds))

    def waits(self, kind: Kind) -> tuple[Row, ...]:
        return self._select(("wait", kind), (r for r in self._rows if r.on.what == "wait" and kind in r.on.kinds))

    def requests(self, kind: Kind, position: Position) -> tuple[Row, ...]:
        return self._select(
            ("request", kind, position),
            (r for r in self._rows if r.on.what == "request" and kind in r.on.kinds and r.on.position is position),
        )

    def responses(self, kind: Kind, outcome: Outcome) -> tuple[Row, ...]:
        return self._select(
            ("response", kind, outcome),
            (r for r in self._rows if r.on.what == "response" and kind in r.on.kinds and outcome in r.on.outcomes),
        )

    def windows(self, what: str) -> tuple[Row, ...]:
        return self._select((what,), (r for r in self._rows if r.on.what == what))

    def timers(self, alarm: object) -> tuple[Row, ...]:
        return self._select(("timer", alarm), (r for r in self._rows if r.on.what == "timer" and r.on.alarm == alarm))

    def inputs(self, what: object) -> tuple[Row, ...]:
        return self._select(("input", what), (r for r in self._rows if r.on.what == "input" and r.on.input == what))


_ALL = _Index(ROWS)


def advance(
    states: frozenset[Endpoint], observation: Observation, rows: tuple[Row, ...] | None = None
) -> Accepted | Rejection:
    """The states after `observation`, or why no row allows it. `rows` replaces the tables (for seeded faults)."""
    return _advance(states, observation, _ALL if rows is None else _Index(rows))


def _advance(states: frozenset[Endpoint], observation: Observation, index: _Index) -> Accepted | Rejection:
    against: Reasons = {}
    found: dict[Endpoint, tuple[Match, ...]] = {}
    for state in states:
        for path in _Step(observation, index, against).explain(state):
            known = found.get(path.state)
            if known is None or (_chosen(known) and not _chosen(path.matches)):
                found[path.state] = path.matches
    if found:
        return Accepted(frozenset(found), next(iter(found.values())), len(found), tuple(found.items()))
    told = tuple(Candidate(name, section, why()) for name, (section, why) in against.items())
    return Rejection(observation, "No row allows this step", told)


def _chosen(matches: tuple[Match, ...]) -> bool:
    """Whether it is by a free choice of policy; a row that leaves none tells more."""
    return bool(matches) and matches[0].row.choice == "policy"


class Monitor:
    """A running monitor: keeps the set of states and the rows taken. Not a value; one per observed endpoint."""

    def __init__(self, states: frozenset[Endpoint] = START, rows: tuple[Row, ...] | None = None) -> None:
        """`rows` replaces the tables: `tables.ALLOWED` for an implementation that is not ours."""
        self.states = states
        self._index = _ALL if rows is None else _Index(rows)

    def step(self, observation: Observation) -> Accepted | Rejection:
        """Advance; after a rejection the states stay as they were."""
        result = _advance(self.states, observation, self._index)
        if isinstance(result, Accepted):
            self.states = result.states
        return result

    def live(self, sa: str) -> bool:
        """Whether the IKE SA may still be there."""
        return any(state.ike(sa).state not in (Ike.IDLE, Ike.CLOSED) for state in self.states)
