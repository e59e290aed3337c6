"""Whether one step of the code is one that the rows allow, from the state that the session stands for to the next.

Nothing is remembered from step to step: the state of the model before and after is read off the session
(`abstraction`), the observation off the datagram and the outputs. So it can be asked of any state, however it was
reached, and the answer depends on little: names are given by first occurrence, Message IDs are relative, and each
question is answered once (`Referee`).

What an input *is* is judged from the datagram, never from what the end made of it: a request that is due an answer
and gets none is still a request.
"""

from collections import Counter
from typing import NamedTuple

from ikeref_model.endpoint_state import Endpoint, IkeRecord, Outstanding, position_of
from ikeref_model.events import (
    Alarm,
    Asked,
    Change,
    Closed,
    Command,
    Direction,
    Established,
    Event,
    Input,
    Installed,
    Kind,
    Observation,
    OneWay,
    Outcome,
    Removed,
    Repeated,
    Reply,
    Request,
    Response,
    Sent,
    Timer,
)
from ikeref_model.monitor import Accepted, Match, advance
from ikeref_model.rows import Answer, Row

from ikeref import sa
from ikeref.sa import IkeSa, Phase, Session
from ikeref.sa.values import ChildRequest, IkeRequest, Informational
from ikeref.wire import FLAG_INITIATOR, D, Message
from ikeref_properties.refinement import words
from ikeref_properties.refinement.abstraction import (
    child_name,
    endpoint,
    ike_name,
    kind_of_request,
    settled,
    strange_name,
)

Facts = tuple[tuple[str, bool], ...]


class Step(NamedTuple):
    """One step of one end."""

    before: Session
    what: Message | sa.Command | Alarm
    """The datagram's message in clear, a command, a timer."""
    outputs: tuple[sa.Output, ...]
    after: Session | None
    deferred: frozenset[bytes] = frozenset()
    """Before: Child SAs, by SPI of this end, of which only the outbound direction is still to be opened."""
    still: frozenset[bytes] = frozenset()
    """The same after the step, as `deferred_after` says."""


def deferred_after(
    before: Session, message: Message | None, outputs: tuple[sa.Output, ...], deferred: frozenset[bytes]
) -> frozenset[bytes]:
    """Child SAs of which only the outbound direction is still to be opened, as whoever watches knows.

    A responder opens what replaces a Child SA inbound first, and outbound later (Section 2.8); or never, if the peer
    deletes it before.
    """
    for output in outputs:
        match output:
            case sa.Install(inbound=True, child=child):
                deferred |= {child.spi_in}
            case sa.Install(child=child) | sa.Remove(inbound=True, child=child):
                deferred -= {child.spi_in}
            case _:
                pass
    if deferred and message is not None and not message.is_response:
        gone = words.deleted_spis(message)
        deferred -= {child.spi_in for child in before.children if child.spi_out in gone}
    return deferred


class Finding(NamedTuple):
    """What the rows say of a step."""

    why: str
    """Empty if they allow it."""
    taken: tuple[tuple[str, str], ...] = ()
    """Rows with the answer that was given."""


def observe(step: Step) -> Observation | None:
    """A step in the model's words; None where the model knows of nothing that happened."""
    match step.what:
        case Message():
            return _arrived(step, step.what)
        case Alarm():
            return _rang(step, step.what)
        case _:
            return _commanded(step, step.what)


def _rang(step: Step, alarm: Alarm) -> Observation | None:
    sent, changes = _sent(step, ""), _changes(step)
    if not sent and not changes:
        return None
    name = next((each.sa for each in changes if isinstance(each, Closed)), "")
    for output in step.outputs:
        if not name and type(output) is sa.Transmit and output.message is not None:
            name = _carrier(output.message)
    return Observation(name, Timer(alarm), _sent(step, name), changes)


def _commanded(step: Step, command: sa.Command) -> Observation:
    current = step.before.current
    name = ike_name(current.spi) if current is not None else ""
    for output in step.outputs:
        if type(output) is sa.Transmit and output.message is not None:
            name = _carrier(output.message)
            break
    match command:
        case sa.CreateChild():
            event = Command(Kind.CREATE_CHILD)
        case sa.RekeyChild(spi_in=spi):
            event = Command(Kind.REKEY_CHILD, child_name(spi))
        case sa.DeleteChild(spi_in=spi):
            event = Command(Kind.DELETE_CHILD, child_name(spi))
        case sa.RekeyIke():
            event = Command(Kind.REKEY_IKE)
        case sa.DeleteIke():
            event = Command(Kind.DELETE_IKE)
        case _:
            event = Command(Kind.LIVENESS)
    return Observation(name, event, _sent(step, name), _changes(step))


def _arrived(step: Step, message: Message) -> Observation:
    spi = message.spi_r if message.flags & FLAG_INITIATOR else message.spi_i
    ike = next((ike for ike in step.before.ikes if ike.spi == spi), None)
    name = ike_name(spi)
    if ike is None or (ike.phase is Phase.CLOSED and message.is_response):
        return Observation("", Input.UNPROTECTED, _sent(step, ""), _changes(step))
    event, facts = _response(ike, message) if message.is_response else _request(step, ike, message)
    kind = event.kind if isinstance(event, Request) else None
    return Observation(name, event, _sent(step, name, kind), _changes(step), facts)


def _request(step: Step, ike: IkeSa, message: Message) -> tuple[Event, Facts]:
    kind = words.kind_of(message)
    number: int | None = message.message_id
    ahead = tuple(sorted([each for each in ike.answered if each > ike.expected]))
    position = position_of(message.message_id, ike.expected, ahead, ike.window)
    facts: Facts = ()
    if kind is Kind.LIVENESS:
        facts = (("reports_failure", words.reports_failure(message)),)
    if ike.phase is Phase.CLOSED:
        number = None
    children: tuple[str, ...] = ()
    if kind is Kind.DELETE_CHILD:
        children = tuple([_of_peer(step.before, spi) for spi in words.deleted_spis(message)])
    elif kind is Kind.REKEY_CHILD:
        children = (_of_peer(step.before, words.rekeyed_spi(message) or b""),)
    return Request(kind, children, position, number, words.window_size(message)), facts


def _of_peer(session: Session, spi_out: bytes) -> str:
    for child in session.children:
        if child.spi_out == spi_out:
            return child_name(child.spi_in)
    for command in _unwanted(session):
        if command.spi_out == spi_out:
            return child_name(command.spi_in)
    return strange_name(spi_out)


def _unwanted(session: Session) -> list[sa.DeleteChild]:
    """The Deletes that wait, or are unanswered, of Child SAs that only the peer has."""
    asked = [
        each.intent.command for ike in session.ikes for each in ike.outstanding if type(each.intent) is Informational
    ]
    queued = [command for ike in session.ikes for command in ike.queue]
    return [each for each in (*asked, *queued) if type(each) is sa.DeleteChild and each.spi_out]


def _response(ike: IkeSa, message: Message) -> tuple[Event, Facts]:
    exchange = next((each for each in ike.outstanding if each.message_id == message.message_id), None)
    if exchange is None:
        return Input.UNEXPECTED, ()
    kind = kind_of_request(exchange)
    outcome = words.outcome_of(kind, message)
    intent = exchange.intent
    facts: Facts = ()
    if isinstance(intent, ChildRequest | IkeRequest) and intent.crossing is not None and outcome is Outcome.OK:
        mine = min(intent.nonce, words.nonce_of(message))
        theirs = min(intent.crossing.nonces)
        if mine != theirs:
            facts = (("lowest_is_mine", mine < theirs),)
    children: tuple[str, ...] = ()
    if deleted := words.deleted_spis(message):
        # In the response the peer lists its own inbound SPIs; the request had one Child SA, ours.
        children = (
            (child_name(exchange.message.payloads[0].spis[0]),) if type(exchange.message.payloads[0]) is D else ()
        )
        assert len(deleted) == 1
    elif isinstance(intent, ChildRequest) and outcome is Outcome.OK:
        made = words.made_spi(message)
        children = (strange_name(made) if made in intent.condemned else child_name(intent.spi_in),)
    return Response(kind, outcome, children, message.message_id, words.window_size(message)), facts


# Outputs


def _carrier(message: Message) -> str:
    return ike_name(message.spi_i if message.flags & FLAG_INITIATOR else message.spi_r)


def _sent(step: Step, name: str, answering: Kind | None = None) -> tuple[Sent, ...]:
    sent: list[Sent] = []
    for output in step.outputs:
        if type(output) is not sa.Transmit or output.message is None:
            continue
        message = output.message
        if output.again:
            sent.append(Repeated())
        elif message.is_response:
            kind = answering or Kind.LIVENESS
            outcome = words.outcome_of(kind, message)
            gone = words.deleted_spis(message) if kind is Kind.DELETE_CHILD else ()
            sent.append(Reply(outcome, tuple([child_name(spi) for spi in gone]), words.window_size(message)))
        else:
            kind, carrier = words.kind_of(message), _carrier(message)
            children: tuple[str, ...] = ()
            if kind is Kind.DELETE_CHILD:
                children = tuple([child_name(spi) for spi in words.deleted_spis(message)])
            elif kind is Kind.REKEY_CHILD:
                children = (child_name(words.rekeyed_spi(message) or b""),)
            over = "" if carrier == name else carrier
            sent.append(Asked(kind, children, over, message.message_id, words.window_size(message)))
    return tuple(sent)


def _changes(step: Step) -> tuple[Change, ...]:
    changes: list[Change] = []
    opened, closed = set(step.deferred), set()
    """Of which the model has opened the outbound direction already; of which it is closed."""
    for output in step.outputs:
        match output:
            case sa.Install(inbound=True, child=child):
                # The model opens both directions at once; that the outbound one is opened at last is not for the rows.
                name = child_name(child.spi_in)
                changes += [Installed(name, Direction.IN), Installed(name, Direction.OUT)]
                opened.add(child.spi_in)
            case sa.Install(child=child) if child.spi_in not in opened:
                changes.append(Installed(child_name(child.spi_in), Direction.OUT))
            case sa.Remove(inbound=True, child=child):
                changes.append(Removed(child_name(child.spi_in), Direction.IN))
                if child.spi_in in step.deferred:
                    changes.append(Removed(child_name(child.spi_in), Direction.OUT))
                closed.add(child.spi_in)
            case sa.Remove(child=child):
                changes.append(Removed(child_name(child.spi_in), Direction.OUT))
            case sa.Install(child=child):
                closed.add(child.spi_in)
            case sa.NewKeys(spi_i, spi_r):
                made = [ike for ike in (step.after.ikes if step.after is not None else ()) if ike.spi_i == spi_i]
                changes += [Established(ike_name(ike.spi)) for ike in made if ike.spi_r == spi_r]
            case sa.Closed(spi_i, spi_r):
                ended = [ike for ike in step.before.ikes if (ike.spi_i, ike.spi_r) == (spi_i, spi_r)]
                changes += [Closed(ike_name(ike.spi)) for ike in ended]
            case _:
                pass
    gone = step.deferred - step.still - closed
    return (*changes, *(Removed(child_name(spi), Direction.OUT) for spi in sorted(gone)))


class Referee:
    """Answers each question once. Mutable: remembers answers, and which rows were taken."""

    def __init__(self, rows: tuple[Row, ...] | None = None) -> None:
        self._rows = rows
        self._known: dict[tuple[Endpoint, Observation | None, Endpoint], Finding] = {}
        self.taken: Counter[tuple[str, str]] = Counter()
        """Rows with the answer given; how often."""

    def judge(self, step: Step) -> Finding:
        """Whether the rows allow a step, and which."""
        before = endpoint(step.before, step.deferred)
        after = endpoint(step.after, step.still)
        names = _Names(before)
        question = names.state(before), names.observation(observe(step)), names.state(after)
        finding = self._known.get(question)
        if finding is None:
            finding = self._known[question] = self._judge(*question)
        self.taken.update(finding.taken)
        return finding

    def forget(self) -> None:
        """As if nothing had been judged."""
        self._known.clear()
        self.taken.clear()

    @property
    def questions(self) -> int:
        """How many different ones there were."""
        return len(self._known)

    def _judge(self, before: Endpoint, observation: Observation | None, after: Endpoint) -> Finding:
        if observation is None:
            return Finding("" if settled(before) == settled(after) else "it changes, and nothing is to be seen of it")
        result = advance(frozenset((before,)), observation, self._rows)
        if not isinstance(result, Accepted):
            return Finding(str(result))
        wanted = settled(after)
        for state, matches in result.ways:
            if settled(state) == wanted:
                return Finding("", tuple(taken(each, observation) for each in matches))
        rows = ", ".join(match.row.name for match in result.matches)
        return Finding(f"by {rows} it should be {settled(result.ways[0][0])}; it is {wanted}")


def taken(match: Match, observation: Observation) -> tuple[str, str]:
    """A row that explains a part of an observation, and the answer that was given."""
    row = match.row
    if row.on.what == "send":
        return row.name, f"ask {next(iter(row.on.kinds))}"
    for each in observation.sent:
        match each:
            case Reply(outcome) if row.on.what == "request":
                return row.name, f"reply {outcome}"
            case Asked(kind) if Answer("ask", kind) in row.answers:
                return row.name, f"ask {kind}"
            case Repeated() if Answer("repeat") in row.answers:
                return row.name, "repeat"
            case OneWay() if Answer("one-way") in row.answers:
                return row.name, "one-way"
            case _:
                pass
    return row.name, "nothing"


_ZERO = 100
"""Stands for the Message ID that is next before the step."""


class _Names:
    """Names by first occurrence, Message IDs relative: so that what is alike is asked once."""

    def __init__(self, before: Endpoint) -> None:
        self._names: dict[str, str] = {"": ""}
        self._sent = {each.name: each.sent - _ZERO for each in before.ikes}
        self._seen = {each.name: each.seen - _ZERO for each in before.ikes}

    def name(self, old: str) -> str:
        known = self._names.get(old)
        if known is None:
            if old.startswith("~"):
                name, _, number = old[1:].rpartition(".")
                known = f"~{self.name(name)}.{int(number) - self._sent.get(name, 0)}"
            else:
                known = f"{'IKE SA' if old.startswith('IKE') else 'Child SA'} {len(self._names)}"
            self._names[old] = known
        return known

    def many(self, old: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([self.name(each) for each in old]) if old else ()

    def state(self, state: Endpoint) -> Endpoint:
        ikes = [
            each._replace(
                name=self.name(each.name),
                theirs=self.name(each.theirs),
                outstanding=self.outstanding(each),
                sent=each.sent - self._sent.get(each.name, 0),
                seen=each.seen - self._seen.get(each.name, 0),
                ahead=tuple([number - self._seen.get(each.name, 0) for number in each.ahead]),
            )
            for each in state.ikes
        ]
        children = [
            each._replace(
                name=self.name(each.name),
                homes=frozenset([self.name(home) for home in each.homes]),
                theirs=self.name(each.theirs),
            )
            for each in state.children
        ]
        return Endpoint(tuple(sorted(ikes)), tuple(sorted(children, key=lambda each: each.name)))

    def outstanding(self, record: IkeRecord) -> tuple[Outstanding, ...]:
        base = self._sent.get(record.name, 0)
        return tuple(
            [Outstanding(each.number - base, each.kind, self.many(each.subjects)) for each in record.outstanding]
        )

    def observation(self, observation: Observation | None) -> Observation | None:
        if observation is None:
            return None
        return Observation(
            self.name(observation.sa),
            self.event(observation.event, observation.sa),
            tuple([self.sent(each, observation.sa) for each in observation.sent]),
            tuple([self.change(each) for each in observation.changes]),
            observation.facts,
        )

    def event(self, event: Event, name: str) -> Event:
        match event:
            case Command(kind, child):
                return Command(kind, self.name(child))
            case Request(kind, children, position, number, size):
                if number is not None:
                    number -= self._seen.get(name, 0)
                return Request(kind, self.many(children), position, number, size)
            case Response(kind, outcome, children, number, size):
                assert number is not None
                return Response(kind, outcome, self.many(children), number - self._sent.get(name, 0), size)
            case _:
                return event

    def sent(self, sent: Sent, name: str) -> Sent:
        match sent:
            case Reply(outcome, children, size):
                return Reply(outcome, self.many(children), size)
            case Asked(kind, children, carrier, number, size):
                assert number is not None
                number -= self._sent.get(carrier or name, 0)
                return Asked(kind, self.many(children), self.name(carrier), number, size)
            case _:
                return sent

    def change(self, change: Change) -> Change:
        match change:
            case Installed(child, direction):
                return Installed(self.name(child), direction)
            case Removed(child, direction):
                return Removed(self.name(child), direction)
            case Established(name):
                return Established(self.name(name))
            case Closed(name):
                return Closed(self.name(name))
            case _:
                return change
