"""One end read from outside: its messages opened, checked, and held against the rows (Sections 1.2 to 1.4, 2.1, 2.25).

What the end has received, when, and what it sent then is known exactly; its SAs are not, so the rows are asked which
states are consistent with what was seen (`visible=False`). `ikeref_model.tables.ALLOWED` are the rows for foreign ends.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Final

from ikeref_model import events
from ikeref_model.endpoint_state import Endpoint, counted, position_of
from ikeref_model.events import Alarm, Kind, Observation, Outcome, Position, Sent
from ikeref_model.monitor import Accepted, Monitor, advance
from ikeref_model.state import Child, Ike
from ikeref_model.tables import ALLOWED

from ikeref.net.packets import Datagram
from ikeref.registry import ExchangeType
from ikeref.wire import NO_SPI, Message
from ikeref_properties.adapter import messages
from ikeref_properties.adapter.arena import Flight, Step, Tick
from ikeref_properties.adapter.messages import violation
from ikeref_properties.adapter.names import Asked, Names, Sa
from ikeref_properties.adapter.probes import CRITICAL
from ikeref_properties.adapter.verdicts import departure, rejected
from ikeref_properties.capture import meaning
from ikeref_properties.capture.keys import Keys
from ikeref_properties.capture.opening import Opener, Seen, State
from ikeref_properties.capture.rules import Finding
from ikeref_properties.network import B
from ikeref_properties.refinement import words

Facts = tuple[tuple[str, bool], ...]
LIMIT: Final = 5000
"""States that are kept at once; beyond, the rest of the run is not judged."""


class Watcher:
    """Watches one end. Mutable. `keys` may grow while it watches."""

    def __init__(self, keys: Mapping[tuple[bytes, bytes], Keys], *, verifies: bool = True) -> None:
        self.ledger = messages.Ledger()
        self.monitor = Monitor(rows=ALLOWED)
        self.rows: Counter[str] = Counter()
        """The rows taken."""
        self.warnings: list[Finding] = []
        self.limit = ""
        """Why the rest was not judged."""
        self.opened: dict[int, Seen] = {}
        """The datagrams of the watched end, by number."""
        self.judged = 0
        self._keys = keys
        self._opener = Opener(())
        self._verifies = verifies
        self._waiting: deque[Step] = deque()
        """Steps with datagrams for which there are no keys yet, and those after them."""
        self._names = Names()
        self._inits: dict[bytes, Sa] = {}
        """By the IKE_SA_INIT request that was answered."""

    @property
    def owes(self) -> bool:
        """Whether the watched end waits for an answer, as far as one can see."""
        return any(sa.asked and self._may_live(sa.name) for sa in self._names.sas.values())

    @property
    def unread(self) -> tuple[Flight, ...]:
        """Datagrams of the watched end that nobody could open."""
        return tuple(
            flight for step in self._waiting if step.end == B for flight in step.sent if not self._readable(flight)
        )

    def note(self, step: Step) -> None:
        """Take a step of either end into account, as soon as it can be read. Raises Violation."""
        self._waiting.append(step)
        while self._waiting and all(self._readable(each) for each in self._waiting[0].sent):
            self._judge(self._waiting.popleft())

    # Opening

    def _readable(self, flight: Flight) -> bool:
        if flight.message is not None or flight.to == B or flight.probe:
            return True
        seen = self.opened.get(flight.number)
        if seen is None or seen.state is State.NO_KEYS:
            self._opener.keys.update(self._keys)
            datagram = Datagram(flight.number, 0.0, "", "", flight.datagram)
            seen = self.opened[flight.number] = self._opener.open(datagram)
        return seen.state is not State.NO_KEYS

    def _content(self, flight: Flight) -> Message:
        """What the watched end has sent. Raises Violation where no peer could read it."""
        seen = self.opened[flight.number]
        message = seen.message
        match seen.state:
            case State.FORGED:
                text = "its ICV is wrong, by the keys that ikeref derived for this IKE SA"
                raise violation("protection", flight.number, text, "2.14", "7296-2.14-02", "7296-3.14-18")
            case State.UNREADABLE | State.MALFORMED:
                raise violation("well formed", flight.number, f"it can't be decoded: {seen.problem}", "3.2")
            case _:
                assert message is not None
                return message

    # Judging

    def _judge(self, step: Step) -> None:
        if step.end != B:
            for flight in step.sent:
                if flight.message is not None and flight.message.is_response:
                    self._names.learn(flight.message)
            return
        contents = [(each, self._content(each)) for each in step.sent if self._whole(each)]
        self._check_replies(step, [each for each in contents if each[1].is_response])
        # A daemon's own timer may fire while it handles something else: what it repeats is judged by itself.
        repeated = [(flight, each) for flight, each in contents if self.ledger.repeats(each, flight.datagram)]
        rest = [each for each in contents if each not in repeated]
        for one in repeated if isinstance(step.event, Flight) else contents:
            self._ask(self._of_itself(*one), one[0].number)
        if isinstance(step.event, Flight):
            self._ask(self._arrived(step.event, rest), rest[0][0].number if rest else step.event.number)
        elif isinstance(step.event, Tick):
            self._time_passes({self._names.carrier(each, flight.number).name for flight, each in contents})

    def _whole(self, flight: Flight) -> bool:
        """Whether a message is complete with this datagram (RFC 7383 section 2.6)."""
        return self.opened[flight.number].state is not State.PIECE

    def _check_replies(self, step: Step, replies: list[tuple[Flight, Message]]) -> None:
        """At most one response, and only to a request. Raises Violation (Sections 1.2, 2.1, 2.2)."""
        if not replies:
            return
        number = replies[0][0].number
        request = step.event.message if isinstance(step.event, Flight) else None
        if request is None or request.is_response:
            text = "a response although no request has just arrived: a responder never sends one of its own accord"
            raise violation("unasked response", number, text, "2.1", "7296-2.1-03", "7296-3.1-25")
        if len(replies) > 1:
            text = "a second response to one request"
            raise violation("one response", replies[1][0].number, text, "2.1", "7296-2.1-03", "7296-2.1-04")
        messages.check_answer(request, replies[0][1], number)

    def _ask(self, observation: Observation | None, number: int) -> None:
        """Let the rows judge. Raises Violation."""
        if observation is None or self.limit:
            return
        self.judged += 1
        before = self.monitor.states
        result = self.monitor.step(observation)
        if not isinstance(result, Accepted):
            raise rejected(result, before, number)
        self.rows.update(each.row.name for each in result.matches)
        if any(each.row.variant for each in result.matches) and not isinstance(advance(before, observation), Accepted):
            self.warnings.append(departure(result.matches, number))
        if len(result.states) > LIMIT:
            self.limit = f"{len(result.states)} states are consistent with what was seen"

    def _supposed(self, alarm: Alarm, name: str) -> None:
        """Something that nobody sees may have happened, or not."""
        result = advance(self.monitor.states, Observation(name, events.Timer(alarm), visible=False), ALLOWED)
        if isinstance(result, Accepted):
            self.monitor.states |= result.states

    # Observations

    def _of_itself(self, flight: Flight, message: Message) -> Observation | None:
        """It sends a request of its own accord, or repeats one."""
        sa = self._names.carrier(message, flight.number)
        sent = self._sent([(flight, message)], sa.name, None)
        match sent:
            case (events.Asked(kind),):
                return Observation(sa.name, events.Command(kind), sent, visible=False)
            case (events.Repeated(),) if self._is_over(sa, message.message_id):
                return None  # the IKE SA is over, only its failure is still to be reported (Section 2.21.2)
            case (events.Repeated(),):
                return Observation(sa.name, events.Timer(Alarm.RETRANSMIT), sent, visible=False)
            case _:
                return Observation(sa.name, events.Command(Kind.LIVENESS), sent, visible=False)

    def _time_passes(self, heard: set[str]) -> None:
        """IKE SAs over which nothing was sent may have been given up in silence (Section 2.4)."""
        for sa in self._names.sas.values():
            if sa.name not in heard:
                if sa.asked:
                    self._supposed(Alarm.GIVE_UP, sa.name)
                self._supposed(Alarm.HALF_OPEN_EXPIRY, sa.name)

    def _arrived(self, flight: Flight, contents: list[tuple[Flight, Message]]) -> Observation:
        message = flight.message
        if message is None:
            return Observation("", events.Input.DROPPED, self._sent(contents, "", None), visible=False)
        initial = message.exchange_type == ExchangeType.IKE_SA_INIT
        if initial and not message.is_response:
            return self._first_request(flight, message, contents)
        sa = self._names.receiver(message)
        if sa is None or (not initial and not words.is_protected(flight.datagram, encapsulated=False)):
            name = sa.name if sa is not None else ""
            return Observation(name, events.Input.UNPROTECTED, self._sent(contents, name, None), visible=False)
        if message.is_response:
            return self._response(message, sa, contents)
        return self._request(flight, message, sa, contents)

    def _first_request(self, flight: Flight, message: Message, contents: list[tuple[Flight, Message]]) -> Observation:
        reply = next((each for _, each in contents if each.is_response), None)
        sa = self._inits.get(flight.datagram)
        if (
            sa is not None
            and reply is not None
            and self._may_be_gone(sa.name)
            and self._names.sas.get(reply.spi_r) is not sa
        ):
            sa = None  # the first is over: a request like any other
        position = Position.FRESH if sa is None else Position.REPLAY
        if sa is None:
            sa = self._names.half_open(reply, contents[0][0].number if contents else flight.number)
            if sa.name:
                self._inits[flight.datagram] = sa
        event = events.Request(Kind.IKE_SA_INIT, (), position, 0)
        sent = self._sent(contents, sa.name, (message, Kind.IKE_SA_INIT))
        return Observation(sa.name, event, sent, visible=False)

    def _request(self, flight: Flight, message: Message, sa: Sa, contents: list[tuple[Flight, Message]]) -> Observation:
        kind = words.kind_of(message)
        number = message.message_id
        position = position_of(number, sa.seen, sa.ahead, sa.window)
        size = words.window_size(message)
        if position is Position.FRESH:
            sa.peer_window = max(sa.peer_window, size)
        subjects = self._names.subjects(kind, message, own=False)
        reply = next((each for _, each in contents if each.is_response), None)
        made = self._names.to_make(kind, message, own=False)
        if reply is not None and position is Position.FRESH:
            self._names.answered(reply, made)
            self._note_crossing(sa, kind, subjects, message, reply)
        facts: Facts = ()
        if kind is Kind.LIVENESS:
            facts = (("reports_failure", words.reports_failure(message)),)
        if kind is Kind.IKE_AUTH:
            facts = (("verifies", self._verifies),)
        if flight.probe == CRITICAL:
            facts = (("malformed", True), ("critical", True))
        sent = self._sent(contents, sa.name, (message, kind))
        if events.OneWay() in sent and self._may_be_gone(sa.name):
            return Observation(sa.name, events.Input.UNPROTECTED, sent, visible=False)
        if position is Position.FRESH and reply is not None:
            sa.seen, sa.ahead = counted(number, sa.seen, sa.ahead)
        elif position is Position.REPLAY and self._may_be_gone(sa.name):
            # For how long a closed IKE SA repeats its response is the implementation's affair (Section 2.1).
            facts = (("forgotten", events.Repeated() not in sent),)
        event = events.Request(kind, subjects, position, number, size)
        return Observation(sa.name, event, sent, made, facts, visible=False)

    def _response(self, message: Message, sa: Sa, contents: list[tuple[Flight, Message]]) -> Observation:
        asked = sa.asked.get(message.message_id)
        if asked is not None and not self._waits_for(sa.name, asked.kind):
            asked = None  # the IKE SA is over, only its failure was still to be reported (Section 2.21.2)
            sa.asked.clear()
        if asked is None:
            sent = self._sent(contents, sa.name, None)
            return Observation(sa.name, events.Input.UNEXPECTED, sent, visible=False)
        outcome = words.outcome_of(asked.kind, message)
        deleted = self._names.of(words.deleted_spis(message), own=False)
        facts: Facts = ()
        if asked.kind is Kind.IKE_AUTH:
            facts = (("verifies", self._verifies and words.has_auth(message)),)
        elif asked.kind is Kind.IKE_SA_INIT and outcome is Outcome.INVALID_KE_PAYLOAD:
            facts = (("group_offered", words.group_offered(asked.message, message)),)
        elif asked.crossing is not None and outcome is Outcome.OK:
            mine = min(words.nonce_of(asked.message), words.nonce_of(message))
            theirs = min(asked.crossing)
            facts = (("lowest_is_mine", mine < theirs),) if mine != theirs else ()
        if asked.kind is not Kind.IKE_SA_INIT or contents:  # else it may go on waiting for a better one (2.21.1)
            del sa.asked[message.message_id]
        if asked.kind is Kind.IKE_SA_INIT and contents:
            self.ledger.over(asked.message)
            sa.next_own = 1 if outcome is Outcome.OK else 0
        size = words.window_size(message)
        sa.peer_window = max(sa.peer_window, size if asked.kind is not Kind.IKE_SA_INIT else 1)
        event = events.Response(asked.kind, outcome, deleted, message.message_id, size)
        sent = self._sent(contents, sa.name, None)
        return Observation(sa.name, event, sent, asked.made, facts, visible=False)

    # What was sent

    def _sent(
        self, contents: list[tuple[Flight, Message]], name: str, request: tuple[Message, Kind] | None
    ) -> tuple[Sent, ...]:
        """The messages sent in the model's words, each checked by itself. Raises Violation."""
        sent: list[Sent] = []
        for flight, message in contents:
            initial = message.exchange_type == ExchangeType.IKE_SA_INIT
            if not initial and not words.is_protected(flight.datagram, encapsulated=False):
                sent.append(self._one_way(flight, message))
            elif self._stateless(message) or not self.ledger.again(message, flight.datagram, flight.number):
                messages.check_form(message, flight.number)
                self.ledger.fresh(message, flight.datagram, flight.number)
                if message.is_response:
                    assert request is not None
                    sent.append(self._replied(request[1], message))
                else:
                    sent.append(self._asked(flight, message, name))
            else:
                sent.append(events.Repeated())
        return tuple(sent)

    def _stateless(self, message: Message) -> bool:
        """A refusal of IKE_SA_INIT by a responder that keeps no state is made anew each time (Section 2.6)."""
        return message.exchange_type == ExchangeType.IKE_SA_INIT and message.is_response and message.spi_r == NO_SPI

    def _one_way(self, flight: Flight, message: Message) -> Sent:
        if not meaning.one_way(message):
            text = "a message of an IKE SA without protection"
            raise violation("protection", flight.number, text, "1.2", "7296-1.2-02")
        return events.OneWay()

    def _replied(self, kind: Kind, message: Message) -> events.Reply:
        outcome = words.outcome_of(kind, message)
        children = self._names.of(words.deleted_spis(message), own=True) if kind is Kind.DELETE_CHILD else ()
        size = words.window_size(message)
        carrier = self._names.sas.get(message.spi_i if message.is_initiator else message.spi_r)
        if carrier is not None and kind is not Kind.IKE_SA_INIT:
            carrier.window = max(carrier.window, size)
        return events.Reply(outcome, children, size)

    def _asked(self, flight: Flight, message: Message, name: str) -> events.Asked:
        kind = words.kind_of(message)
        sa = self._names.carrier(message, flight.number)
        if message.message_id != sa.next_own:
            text = f"request {message.message_id} where {sa.next_own} is next"
            raise violation("message IDs", flight.number, text, "2.2", "7296-2.2-03", "7296-2.2-05")
        if sa.beyond(message.message_id):
            first, size = min(sa.asked), sa.peer_window
            text = f"request {message.message_id} while {first} is unanswered: the window is {size}"
            raise violation("window", flight.number, text, "2.3", "7296-2.3-04", "7296-2.3-08")
        sa.next_own += 1
        subjects = self._names.subjects(kind, message, own=True)
        made = self._names.to_make(kind, message, own=True)
        sa.asked[message.message_id] = Asked(message, kind, subjects, made)
        size = words.window_size(message)
        sa.window = max(sa.window, size if kind is not Kind.IKE_SA_INIT else 1)
        if kind is Kind.CREATE_CHILD:
            subjects = tuple(each.child for each in made if isinstance(each, events.Installed))[:1]
        return events.Asked(kind, subjects, "" if sa.name == name else sa.name, message.message_id, size)

    # What is remembered

    def _note_crossing(self, sa: Sa, kind: Kind, subjects: tuple[str, ...], message: Message, reply: Message) -> None:
        if kind not in (Kind.REKEY_CHILD, Kind.REKEY_IKE) or words.outcome_of(kind, reply) is not Outcome.OK:
            return
        for own in sa.asked.values():
            if own.kind is kind and own.subjects == subjects:
                own.crossing = words.nonce_of(message), words.nonce_of(reply)

    # What may be

    def _may_live(self, name: str) -> bool:
        return any(each.ike(name).outstanding for each in self.monitor.states)

    def _waits_for(self, name: str, kind: Kind) -> bool:
        return any(each.ike(name).asks(kind) for each in self.monitor.states)

    def _is_over(self, sa: Sa, message_id: int) -> bool:
        """Whether an IKE SA does no more than to repeat that request."""
        asked = sa.asked.get(message_id)
        return asked is not None and not self._waits_for(sa.name, asked.kind)

    def _may_be_gone(self, name: str) -> bool:
        return any(each.ike(name).state in (Ike.IDLE, Ike.CLOSED) for each in self.monitor.states)

    def agreements(self, children: frozenset[bytes]) -> Iterator[Endpoint]:
        """The states in which the watched end has just the Child SAs with these SPIs of the peer."""
        wanted = frozenset(self._names.of(tuple(children), own=False))
        for state in self.monitor.states:
            if frozenset(each.name for each in state.children if each.incoming and each.outgoing) == wanted:
                yield state

    def debts(self) -> tuple[str, ...]:
        """What the watched end still has to delete, in whichever state it is (Section 2.8)."""
        found = [
            {ike.name for ike in state.ikes if ike.due and ike.state != Ike.CLOSED}
            | {child.name for child in state.children if child.due and child.state != Child.ABSENT}
            for state in self.monitor.states
        ]
        return tuple(sorted(set.intersection(*found))) if found else ()
