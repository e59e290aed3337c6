"""From a real step to the model's observation of it, and the model's verdict (Sections 1.2 to 1.4, 2.1 to 2.3, 2.8).

What the event was is judged from what arrived, never from what the endpoint made of it: a request that is due an answer
and gets none is still a request. Read are the outputs of the step (messages, SA directions, IKE SAs) and, of the
arguments, the datagram's own message; of the session before the step when its SAs may be used no longer (Section 2.8).
Two simplifications:

* The successor of an IKE SA comes into being when its keys do.
* What a timer does to several IKE SAs at once is one observation for each.

What befalls an IKE SA because of another one (INITIAL_CONTACT), or because no Message ID is left, is an observation of
its own. An IKE SA that never had an authenticated peer ends without the model seeing a change.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ikeref_model import events
from ikeref_model.endpoint_state import position_of
from ikeref_model.events import Alarm, Direction, Kind, Observation, Outcome, Position
from ikeref_model.monitor import Accepted, Match, Monitor
from ikeref_model.rows import Row

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.policy.identities import Identity
from ikeref.registry import ExchangeType
from ikeref.sa.window import LAST_MESSAGE_ID
from ikeref.wire import FLAG_INITIATOR, NO_SPI, Message
from ikeref_properties.network import Flight, Initiate, Record
from ikeref_properties.refinement import words
from ikeref_properties.refinement.ends import Ends
from ikeref_properties.refinement.fragments import Assembly, part_of
from ikeref_properties.refinement.memory import Outstanding, Taken, extended, messages

Facts = tuple[tuple[str, bool], ...]
_MAKING = (Kind.IKE_AUTH, Kind.CREATE_CHILD, Kind.REKEY_CHILD)
"""Exchanges that bring a Child SA into being."""


class Verdict(NamedTuple):
    """What the model says of a step."""

    ok: bool
    rows: tuple[Match, ...]
    """The rows that explain it; empty where nothing happened that the model knows of."""
    explanation: str
    """Empty, or why no row allows it."""
    observations: tuple[Observation, ...]


class Observer:
    """Watches one end. Mutable: it remembers names, and what is outstanding, as anybody does who reads along."""

    def __init__(
        self,
        end: str,
        *,
        verifies: bool | None = None,
        rows: tuple[Row, ...] | None = None,
        linger: float = Settings().closed_linger_seconds,
    ) -> None:
        """`linger`: for how many seconds an IKE SA that a request ended repeats its response (Section 2.1)."""
        self.end = end
        self._linger = linger
        self.monitor = Monitor(rows=rows) if rows is not None else Monitor()
        self._verifies = verifies
        """Whether the peer's AUTH is right, where the observer knows."""
        self._ikes: dict[bytes, str] = {}
        """Names by this end's SPI."""
        self._ended: set[str] = set()
        self._up: list[str] = []
        """IKE SAs with an authenticated peer, not ended, the newest last."""
        self._children: dict[bytes, str] = {}
        """Names by this end's SPI."""
        self._by_peer: dict[bytes, str] = {}
        """Names by the peer's SPI."""
        self._inits: dict[bytes, str] = {}
        """IKE SAs by the IKE_SA_INIT request that they answered."""
        self._outstanding: dict[str, dict[int, Outstanding]] = {}
        """By Message ID."""
        self._taken: dict[str, Taken] = {}
        self._peers: dict[str, Identity] = {}
        """Who the authenticated peer of an IKE SA is. Its own identity is the same towards all."""
        self._kept: dict[str, float] = {}
        """Until when, seconds, an IKE SA that a request ended repeats its response."""
        self._assembly = Assembly()

    def observe(self, record: Record) -> Verdict:
        """The verdict on one step of this end."""
        observations = self.abstract(record)
        rows: tuple[Match, ...] = ()
        for observation in observations:
            result = self.monitor.step(observation)
            if not isinstance(result, Accepted):
                return Verdict(False, rows, str(result), observations)
            rows += result.matches
        return Verdict(True, rows, "", observations)

    def abstract(self, record: Record) -> tuple[Observation, ...]:
        """A step in the model's words."""
        main, apart = self._divided(record)
        first = self._of(record._replace(outputs=main))
        return (*first, *(self._besides(record, name, outputs) for name, outputs in apart))

    def _of(self, record: Record) -> tuple[Observation, ...]:
        match record.event:
            case Initiate():
                return (self._commanded(record, Kind.IKE_SA_INIT, ""),)
            case Flight(message=None):
                return (Observation("", events.Input.UNPROTECTED),)
            case Flight(datagram=datagram, path=path, message=Message() as message):
                if not self._assembly.arrives(message, part_of(datagram, path.encapsulated)):
                    return (
                        Observation("", events.Input.DROPPED, self._sent(record.outputs, ""), self._changes(record)),
                    )
                return (self._arrived(record, message),)
            case sa.Tick():
                return self._ticked(record)
            case sa.CreateChild():
                return (self._commanded(record, Kind.CREATE_CHILD, ""),)
            case sa.RekeyChild(spi_in=spi):
                return (self._commanded(record, Kind.REKEY_CHILD, self._child(spi)),)
            case sa.DeleteChild(spi_in=spi):
                return (self._commanded(record, Kind.DELETE_CHILD, self._child(spi)),)
            case sa.RekeyIke():
                return (self._commanded(record, Kind.REKEY_IKE, ""),)
            case sa.DeleteIke():
                return (self._commanded(record, Kind.DELETE_IKE, ""),)
            case _:
                return (self._commanded(record, Kind.LIVENESS, ""),)

    def number(self, spi: bytes, *, sent: int = -1, seen: int = -1) -> None:
        """Somebody has moved the Message IDs of an IKE SA by hand: of this end's requests, or of those of the peer."""
        name = self._ikes[spi]
        if seen >= 0:
            self._taken[name] = self._taken.get(name, Taken())._replace(seen=seen)
        moved = []
        for state in self.monitor.states:
            ike = state.ike(name)
            ike = ike._replace(sent=sent if sent >= 0 else ike.sent, seen=seen if seen >= 0 else ike.seen)
            moved.append(state.with_ike(ike))
        self.monitor.states = frozenset(moved)

    # What befalls other IKE SAs

    def _divided(self, record: Record) -> tuple[tuple[sa.Output, ...], list[tuple[str, tuple[sa.Output, ...]]]]:
        """The outputs of what happened, and those of IKE SAs that end because of something else, by name."""
        main: list[sa.Output] = []
        apart: list[tuple[str, list[sa.Output]]] = []
        taken = False
        for output in record.outputs:
            if type(output) is sa.Closed:
                name = self._own_name(output.spi_i, output.spi_r)
                taken = self._has_no_id_left(name, main) or self._is_stale(record, name)
                if taken:
                    apart.append((name, []))
            elif type(output) is not sa.Remove:
                taken = False
            (apart[-1][1] if taken else main).append(output)
        return tuple(main), [(name, tuple(outputs)) for name, outputs in apart]

    def _besides(self, record: Record, name: str, outputs: tuple[sa.Output, ...]) -> Observation:
        changes = self._changes(record, outputs)
        if not self._is_stale(record, name):
            return Observation(name, events.Timer(Alarm.USED_UP), (), changes)
        assert isinstance(record.event, Flight)
        assert record.event.message is not None
        speaker = self._peers.get(self._addressed(record.event.message) or "")
        facts = (("verifies", speaker is not None), ("same_identities", self._peers.get(name) == speaker))
        return Observation(name, events.Input.INITIAL_CONTACT, (), changes, facts)

    def _is_stale(self, record: Record, name: str) -> bool:
        """Whether an IKE SA may be ended by what came in over another one, INITIAL_CONTACT (Section 2.4)."""
        message = record.event.message if isinstance(record.event, Flight) else None
        return message is not None and words.says_initial_contact(message) and name != self._addressed(message)

    def _has_no_id_left(self, name: str, before: list[sa.Output]) -> bool:
        """Whether the step, as far as it was looked at, used the last Message ID of either end (Section 2.2)."""
        used = [message.message_id for message, _ in messages(tuple(before)) if self._carrier(message) == name]
        return any(each == LAST_MESSAGE_ID for each in used)

    # Commands

    def _commanded(self, record: Record, kind: Kind, child: str) -> Observation:
        carriers = [self._carrier(message) for message, _ in messages(record.outputs)]
        name = carriers[0] if carriers else self._up[-1] if self._up else ""
        return Observation(name, events.Command(kind, child), self._sent(record.outputs, name), self._changes(record))

    # Datagrams

    def _arrived(self, record: Record, message: Message) -> Observation:
        if message.exchange_type == ExchangeType.IKE_SA_INIT and not message.is_response:
            return self._first_request(record, message)
        name = self._addressed(message)
        assert isinstance(record.event, Flight)
        if message.exchange_type != ExchangeType.IKE_SA_INIT and not words.is_protected(
            record.event.datagram, record.event.path.encapsulated
        ):
            sent = self._sent(record.outputs, name or "")
            return Observation(name or "", events.Input.UNPROTECTED, sent, self._changes(record))
        stray = self._ikes.get(message.spi_i if message.flags & FLAG_INITIATOR else message.spi_r)
        if name is None and stray is not None:
            return Observation(
                stray, events.Input.MISDIRECTED, self._sent(record.outputs, stray), self._changes(record)
            )
        if message.is_response:
            return self._response(record, message, name)
        return self._request(record, message, name)

    def _first_request(self, record: Record, message: Message) -> Observation:
        assert isinstance(record.event, Flight)
        datagram = record.event.datagram
        name = self._inits.get(datagram)
        reply, again = next(messages(record.outputs), (None, False))
        if name is None or (name in self._ended and reply is not None and not again):
            spi = reply.spi_r if reply is not None else NO_SPI
            name = self._ike(spi)
            if spi != NO_SPI:
                self._inits[datagram] = name
            position = Position.FRESH
        else:
            position = Position.REPLAY
        event = events.Request(Kind.IKE_SA_INIT, (), position, message.message_id, words.window_size(message))
        sent = self._sent(record.outputs, name, answering=Kind.IKE_SA_INIT)
        if position is Position.FRESH and sent:
            self._taken[name] = Taken(message.message_id + 1)
        return Observation(name, event, sent, self._changes(record))

    def _request(self, record: Record, message: Message, name: str | None) -> Observation:
        kind = words.kind_of(message)
        if name is None:
            return Observation("", events.Input.UNPROTECTED, self._sent(record.outputs, "", answering=kind))
        taken = self._taken.get(name, Taken())
        number = message.message_id
        position = position_of(number, *taken)
        children: tuple[str, ...] = ()
        if kind is Kind.DELETE_CHILD:
            children = tuple(self._child_of_peer(spi) for spi in words.deleted_spis(message))
        elif kind is Kind.REKEY_CHILD:
            children = (self._child_of_peer(words.rekeyed_spi(message) or b""),)
        facts: Facts = ()
        if kind is Kind.LIVENESS:
            facts = (("reports_failure", words.reports_failure(message)),)
        if kind is Kind.IKE_AUTH:
            known = () if self._verifies is None else (("verifies", self._verifies),)
            facts = (*known, ("without_auth", not words.has_auth(message)))
        if position is Position.FRESH:
            self._note_crossing(name, kind, message, record)
        sent = self._sent(record.outputs, name, answering=kind)
        if name in self._ended and events.OneWay() in sent:
            return Observation(name, events.Input.UNPROTECTED, sent, self._changes(record))
        if position is Position.FRESH and any(isinstance(each, events.Reply) for each in sent):
            self._taken[name] = self._taken.get(name, taken).after(number)
        if name in self._ended and position is Position.REPLAY:
            facts = (("forgotten", record.now > self._kept.get(name, -1.0)),)
        changes = self._changes(record)
        if any(type(output) is sa.Closed for output in record.outputs):
            self._kept[name] = record.now + self._linger
        flag = bool(message.flags & FLAG_INITIATOR)
        event = events.Request(kind, children, position, number, words.window_size(message), flag)
        return Observation(name, event, sent, changes, facts)

    def _note_crossing(self, name: str, kind: Kind, message: Message, record: Record) -> None:
        if kind not in (Kind.REKEY_CHILD, Kind.REKEY_IKE):
            return
        for number, own in self._outstanding.get(name, {}).items():
            if own.kind is not kind:
                continue
            if kind is Kind.REKEY_CHILD:
                mine = self._child(words.rekeyed_spi(own.message) or b"")
                if mine != self._child_of_peer(words.rekeyed_spi(message) or b""):
                    continue
            for answer, _ in messages(record.outputs):
                if answer.is_response and words.outcome_of(kind, answer) is Outcome.OK:
                    crossing = words.nonce_of(message), words.nonce_of(answer)
                    self._outstanding[name][number] = own._replace(crossing=crossing)

    def _response(self, record: Record, message: Message, name: str | None) -> Observation:
        own = self._outstanding.get(name, {}).get(message.message_id) if name is not None else None
        if name is None or own is None:
            sent = self._sent(record.outputs, name or "")
            return Observation(name or "", events.Input.UNEXPECTED, sent, self._changes(record))
        outcome = words.outcome_of(own.kind, message)
        children = tuple(self._child_of_peer(spi) for spi in words.deleted_spis(message))
        if own.kind in _MAKING and outcome is Outcome.OK:
            children = (self._child_of_peer(words.made_spi(message)),)
            self._children.setdefault(words.made_spi(own.message), children[0])
        facts = self._facts_of_response(own, outcome, message)
        if own.kind is not Kind.IKE_SA_INIT or any(type(output) is sa.NewKeys for output in record.outputs):
            del self._outstanding[name][message.message_id]
            facts = (*facts, *self._facts_of_next(record))
        flag = bool(message.flags & FLAG_INITIATOR)
        window = words.window_size(message)
        event = events.Response(own.kind, outcome, children, message.message_id, window, flag)
        changes = self._changes(record)
        return Observation(name, event, self._sent(record.outputs, name), changes, facts)

    def _facts_of_next(self, record: Record) -> Facts:
        """Whether the first IKE_AUTH request asks for EAP (Section 2.16)."""
        sent = [message for message, _ in messages(record.outputs) if message.exchange_type == ExchangeType.IKE_AUTH]
        return (("without_auth", not words.has_auth(sent[0])),) if sent else ()

    def _facts_of_response(self, own: Outstanding, outcome: Outcome, message: Message) -> Facts:
        if own.kind is Kind.IKE_AUTH:
            if not words.has_auth(message):
                if words.asks_for_eap_alone(own.message) and words.eap_code(message) is not None:
                    return ()  # Nobody has proved anything yet, and that is as it should be (RFC 5998 section 3).
                return (("verifies", False),)
            return () if self._verifies is None else (("verifies", self._verifies),)
        if own.kind is Kind.IKE_SA_INIT and outcome is Outcome.INVALID_KE_PAYLOAD:
            return (("group_offered", words.group_offered(own.message, message)),)
        if own.crossing is not None and outcome is Outcome.OK:
            mine = min(words.nonce_of(own.message), words.nonce_of(message))
            theirs = min(own.crossing)
            return (("lowest_is_mine", mine < theirs),) if mine != theirs else ()
        return ()

    # Timers

    def _ticked(self, record: Record) -> tuple[Observation, ...]:
        ends = Ends.of(record, self._ikes, self._children)
        found: list[Observation] = []
        waiting: list[sa.Output] = []
        """Changes that come before what they belong to."""
        for output in record.outputs:
            match output:
                case sa.Transmit(message=Message() as message) if ends.children and not output.again:
                    found += self._expired(record, ends, waiting, self._sent((output,), ends.home))
                    waiting, ends = [], ends._replace(children=())
                case sa.Transmit(message=Message() as message):
                    name = self._carrier(message)
                    alarm = Alarm.RETRANSMIT if output.again else Alarm.RETRY
                    sent = self._sent((output,), name)
                    found.append(Observation(name, events.Timer(alarm), sent, self._changes(record, tuple(waiting))))
                    waiting.clear()
                case sa.Closed():
                    name = self._own_name(output.spi_i, output.spi_r)
                    timer = self._why_closed(name, ends)
                    changes = self._changes(record, (*waiting, output))
                    if timer is None:  # It closes with the one before, of which it is the successor.
                        found[-1] = extended(found[-1], changes)
                    else:
                        found.append(Observation(name, timer, (), changes))
                    ends = ends.without(name)
                    waiting.clear()
                case sa.Remove() if found and not waiting:
                    found[-1] = extended(found[-1], self._changes(record, (output,)))
                case _:
                    waiting.append(output)
        still = [Observation(name, events.Timer(Alarm.EXPIRY)) for name in ends.ikes]
        return (*found, *self._expired(record, ends, waiting, ()), *still)

    def _why_closed(self, name: str, ends: Ends) -> events.Timer | None:
        """Why a timer has ended an IKE SA; None if it was not that one's own."""
        if name in ends.ikes:
            return events.Timer(Alarm.EXPIRY)
        if ends.children:
            return events.Timer(Alarm.CHILD_EXPIRY, ends.children[0][0])
        if ends.closing and not self._outstanding.get(name):
            return None
        known = name in self._up or self._outstanding.get(name)
        return events.Timer(Alarm.GIVE_UP if known else Alarm.HALF_OPEN_EXPIRY)

    def _expired(
        self, record: Record, ends: Ends, outputs: list[sa.Output], sent: tuple[events.Sent, ...]
    ) -> Iterator[Observation]:
        """The end of each Child SA whose lifetime is over; what is sent belongs to the last."""
        for place, (name, spi) in enumerate(ends.children, 1):
            own = tuple(each for each in outputs if type(each) is sa.Remove and each.child.spi_in == spi)
            timer = events.Timer(Alarm.CHILD_EXPIRY, name)
            last = sent if place == len(ends.children) else ()
            yield Observation(ends.home, timer, last, self._changes(record, own))

    # Outputs

    def _sent(
        self, outputs: tuple[sa.Output, ...], name: str, answering: Kind | None = None
    ) -> tuple[events.Sent, ...]:
        sent: list[events.Sent] = []
        for output in outputs:
            message = output.message if type(output) is sa.Transmit else None
            if type(output) is not sa.Transmit or message is None:
                continue
            if message.exchange_type != ExchangeType.IKE_SA_INIT and not words.is_protected(
                output.datagram, output.path.encapsulated
            ):
                sent.append(events.OneWay())
            elif output.again:
                sent.append(events.Repeated())
            elif message.is_response:
                sent.append(self._replied(answering or Kind.LIVENESS, message, name))
            else:
                sent.append(self._asked(message, name))
        return tuple(sent)

    def _replied(self, kind: Kind, message: Message, name: str) -> events.Reply:
        outcome = words.outcome_of(kind, message)
        children: tuple[str, ...] = ()
        if kind is Kind.DELETE_CHILD:
            children = tuple(self._child(spi) for spi in words.deleted_spis(message))
        return events.Reply(outcome, children, self._announced(name, message))

    def _asked(self, message: Message, name: str) -> events.Asked:
        kind = words.kind_of(message)
        carrier = self._carrier(message)
        self._outstanding.setdefault(carrier, {})[message.message_id] = Outstanding(message, kind)
        children: tuple[str, ...] = ()
        if kind is Kind.DELETE_CHILD:
            children = tuple(self._child(spi) for spi in words.deleted_spis(message))
        elif kind is Kind.REKEY_CHILD:
            children = (self._child(words.rekeyed_spi(message) or b""),)
        sa = "" if carrier == name else carrier
        return events.Asked(kind, children, sa, message.message_id, self._announced(carrier, message))

    def _announced(self, name: str, message: Message) -> int:
        """What this end says of its window. In IKE_SA_INIT it says nothing that counts (Section 2.3)."""
        size = words.window_size(message)
        if size and message.exchange_type != ExchangeType.IKE_SA_INIT:
            taken = self._taken.get(name, Taken())
            self._taken[name] = taken._replace(window=max(taken.window, size))
        return size

    def _changes(self, record: Record, outputs: tuple[sa.Output, ...] | None = None) -> tuple[events.Change, ...]:
        changes: list[events.Change] = []
        for output in record.outputs if outputs is None else outputs:
            match output:
                case sa.Install(inbound=inbound, child=child):
                    name = self._name_child(child) if inbound else self._child(child.spi_in)
                    changes.append(events.Installed(name, _direction(inbound)))
                case sa.Remove(inbound=inbound, child=child):
                    changes.append(events.Removed(self._child(child.spi_in), _direction(inbound)))
                case sa.NewKeys(spi_i, spi_r):
                    self._keyed(record, spi_i, spi_r, changes)
                case sa.Established(spi_i, spi_r, peer, succeeds=b""):
                    self._peers[self._own_name(spi_i, spi_r)] = peer
                    self._come_up(self._own_name(spi_i, spi_r), changes)
                case sa.Established(spi_i, spi_r, peer):
                    self._peers[self._own_name(spi_i, spi_r)] = peer
                case sa.Closed(spi_i, spi_r):
                    self._closed(self._own_name(spi_i, spi_r), changes)
                case _:
                    pass
        return tuple(changes)

    def _keyed(self, record: Record, spi_i: bytes, spi_r: bytes, changes: list[events.Change]) -> None:
        """The first IKE SA is up once its peer is authenticated, a successor as soon as it has keys."""
        assert isinstance(record.event, Flight)
        message = record.event.message
        assert message is not None
        name = self._ike(spi_i if message.is_response else spi_r)
        if message.exchange_type == ExchangeType.CREATE_CHILD_SA:
            self._come_up(name, changes)

    def _come_up(self, name: str, changes: list[events.Change]) -> None:
        self._up.append(name)
        changes.append(events.Established(name))

    def _closed(self, name: str, changes: list[events.Change]) -> None:
        if name in self._up:
            changes.append(events.Closed(name))
            self._up.remove(name)
        self._ended.add(name)
        self._outstanding.pop(name, None)

    # Names

    def _ike(self, spi: bytes) -> str:
        """The name of the IKE SA with that SPI of this end."""
        return self._ikes.setdefault(spi, f"IKE SA {len(self._ikes) + 1}")

    def _addressed(self, message: Message) -> str | None:
        """The IKE SA to which the peer sent a message."""
        return self._ikes.get(message.spi_r if message.flags & FLAG_INITIATOR else message.spi_i)

    def _own_name(self, spi_i: bytes, spi_r: bytes) -> str:
        return self._ike(spi_i if spi_i in self._ikes else spi_r)

    def _carrier(self, message: Message) -> str:
        """The IKE SA over which this end sent a message."""
        return self._ike(message.spi_i if message.flags & FLAG_INITIATOR else message.spi_r)

    def _child(self, spi: bytes) -> str:
        """The name of the Child SA with that inbound SPI of this end."""
        return self._children.get(spi) or f"unknown {spi.hex()}"

    def _child_of_peer(self, spi: bytes) -> str:
        """The name of the Child SA that the peer calls so; it keeps it should this end learn of it later."""
        return self._by_peer.setdefault(spi, f"Child SA {len(self._by_peer) + 1}")

    def _name_child(self, child: sa.ChildSa) -> str:
        name = self._child_of_peer(child.spi_out)
        self._children[child.spi_in] = name
        return name


def _direction(inbound: bool) -> Direction:
    return Direction.IN if inbound else Direction.OUT
