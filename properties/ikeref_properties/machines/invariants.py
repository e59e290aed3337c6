"""What must hold in every run of two ends, whatever the network does, judged by what the ends send and install.

`Ledger.note` is called with every step and raises `Violation` where a rule is broken at once; `Ledger.at_rest` is
called when nothing is in flight, outstanding or due. Only outputs are read, and the listing of SAs, never how an
implementation came to them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ikeref_model.events import Kind

from ikeref import sa
from ikeref.crypto import IkeKeys
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from ikeref.sa import ChildSa, Phase
from ikeref.wire import KE, SA, SK, Message, N, Nonce, Proposal, decode
from ikeref.wire.encapsulation import Ike, split
from ikeref_properties.machines.windows import Windows
from ikeref_properties.network import ENDS, PEER, A, B, Pair, Record
from ikeref_properties.refinement.words import deleted_spis, kind_of, rekeyed_spi

IkeName = tuple[bytes, bytes]
"""SPIi and SPIr."""
_IV_OCTETS = 8
"""Of every counter-mode cipher and of the toy one; of a longer IV, the first 8 suffice to tell two apart."""


class Violation(AssertionError):
    """A rule that does not hold."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(f"{rule}: {why}")
        self.rule = rule


class Half(NamedTuple):
    """One direction of a Child SA as an end's data plane has it."""

    encryption: bytes
    integrity: bytes
    source: object
    """Traffic selectors of the sender's side."""
    destination: object
    transport: bool = False
    """Whether transport mode, not tunnel mode (Section 1.3.1)."""


class Ledger:
    """What one run of a pair of ends has shown so far."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, IkeName, int], bytes] = {}
        """By end, IKE SA and message ID."""
        self.asked: dict[tuple[str, IkeName, int], Message] = {}
        """Requests that rekey something."""
        self.responses: dict[tuple[str, IkeName, int], bytes] = {}
        self.last_request: dict[tuple[str, IkeName], int] = {}
        self.deleting: set[tuple[str, IkeName]] = set()
        """IKE SAs that an end has asked to delete."""
        self.answered: set[tuple[str, IkeName, int]] = set()
        """Requests of an end whose response it has accepted."""
        self.accepted: dict[tuple[str, IkeName, int], int] = {}
        """Requests of the peer that an end has accepted, and their exchange types."""
        self.nonces: dict[bytes, tuple[object, ...]] = {}
        self.publics: dict[bytes, tuple[object, ...]] = {}
        self.ivs: dict[tuple[str, IkeName, bytes], bytes] = {}
        self.keys: dict[tuple[str, IkeName], IkeKeys] = {}
        self.halves: dict[tuple[str, bool, bytes], Half] = {}
        """By end, whether inbound, and SPI."""
        self.ends: dict[tuple[str, bool, bytes], float] = {}
        """When one may be used no longer, where it has an end."""
        self.spent: set[tuple[str, bytes]] = set()
        """Inbound SPIs that an end has used already."""
        self.lineage: dict[tuple[str, bytes], int] = {}
        """Which Child SA, by end and inbound SPI, continues which: all that replace one another have one number."""
        self.names: dict[int, str] = {}
        self.doomed: set[int] = set()
        """Lineages that a command has deleted, or the end of an IKE SA."""
        self.closing: bool = False
        """Whether some end was told to delete an IKE SA."""
        self.silent: bool = False
        """Whether some end gave the other one up."""
        self.pairs: dict[tuple[str, bytes], bytes] = {}
        """Our inbound SPI of the Child SA that the peer receives on by an SPI, by end."""
        self.windows = Windows()
        self.carried: dict[int, set[str]] = {}
        """Ends that could send to the other one on a Child SA, or what it replaced, by lineage."""

    # Every step

    def note(self, record: Record) -> None:
        """Take one step into account. Raises Violation."""
        self._command(record)
        for output in record.outputs:
            match output:
                case sa.Received(message):
                    self._received(record.end, message)
                    self._patient(record, message)
                case sa.Transmit(message=None):
                    pass
                case sa.Transmit(message=Message() as message):
                    self._sent(record, output, message)
                case sa.NewKeys():
                    self.keys[record.end, (output.spi_i, output.spi_r)] = output.keys
                case sa.Install():
                    self._install(record.end, output)
                case sa.Remove():
                    self._remove(record.end, output)
                case sa.Closed(reason=reason) if "does not answer" in reason:
                    self.silent = True
                case sa.Closed(reason=reason) | sa.Audit(reason=reason) if "end of its life" in reason:
                    self.closing = True
                case _:
                    pass
        self._refused(record)
        self._half_closed(record)
        self._traffic(record)
        self._expired(record)

    def _command(self, record: Record) -> None:
        match record.event:
            case sa.DeleteChild(spi_in=spi):
                self.doomed.add(self.lineage.get((record.end, spi), -1))
            case sa.DeleteIke():
                self.closing = True
            case _:
                pass

    def _received(self, end: str, message: Message) -> None:
        ike, number = (message.spi_i, message.spi_r), message.message_id
        if message.exchange_type == ExchangeType.IKE_SA_INIT:
            return
        if not message.is_response:
            if (end, ike, number) in self.accepted:
                raise Violation("message IDs (Section 2.2)", f"{end} accepted request {number} twice")
            self.accepted[end, ike, number] = message.exchange_type
            self._within(self.windows.received(end, message))
            return
        if (end, ike, number) not in self.requests:
            raise Violation("responses (Section 2.1)", f"{end} accepted a response to request {number}, never sent")
        if (end, ike, number) in self.answered:
            raise Violation("responses (Section 2.1)", f"{end} accepted two responses to request {number}")
        self.answered.add((end, ike, number))
        self._within(self.windows.received(end, message))

    def _within(self, why: str) -> None:
        if why:
            raise Violation("window (Section 2.3)", why)

    def _patient(self, record: Record, response: Message) -> None:
        """A rekey that got TEMPORARY_FAILURE is not tried again at once (Section 2.25)."""
        failed = self.asked.get((record.end, (response.spi_i, response.spi_r), response.message_id))
        if failed is None or not response.is_response or not _temporary(response):
            return
        for output in record.outputs:
            if (
                type(output) is sa.Transmit
                and output.message is not None
                and _rekeys(output.message) == _rekeys(failed)
            ):
                raise Violation("patience (Section 2.25)", f"{record.end} tries again at once after TEMPORARY_FAILURE")

    def _sent(self, record: Record, output: sa.Transmit, message: Message) -> None:
        end = record.end
        ike, number = (message.spi_i, message.spi_r), message.message_id
        if message.exchange_type == ExchangeType.IKE_SA_INIT:
            if number:
                raise Violation("message IDs (Section 2.2)", f"{end} sent IKE_SA_INIT with ID {number}")
            self._fresh(end, message)
            return
        sealed = _sealed(output)
        if sealed is None:
            self._unprotected(record, message)
            return
        known = self.responses if message.is_response else self.requests
        before = known.get((end, ike, number))
        if before is not None:
            if before != output.datagram:
                what = "response" if message.is_response else "request"
                raise Violation("retransmission (Section 2.1)", f"{end} sent {what} {number} again with other octets")
            return
        known[end, ike, number] = output.datagram
        self._within(self.windows.sent(end, message))
        if message.is_response:
            self._ready(end, message)
            if (end, ike, number) not in self.accepted:
                raise Violation("responses (Section 2.1)", f"{end} answers request {number}, which it never accepted")
            if self.accepted[end, ike, number] != message.exchange_type:
                raise Violation("responses (Section 2.1)", f"{end} answers request {number} by another exchange")
        else:
            last = self.last_request.get((end, ike))
            if last is not None and number != last + 1:
                raise Violation("message IDs (Section 2.2)", f"{end} sent request {number} after {last}")
            self.last_request[end, ike] = number
            if (end, ike) in self.deleting:
                raise Violation("the Delete is last (Section 1.4.1)", f"{end} sent request {number} after it")
            if kind_of(message) is Kind.DELETE_IKE:
                self.deleting.add((end, ike))
            if _rekeys(message) is not None:
                self.asked[end, ike, number] = message
        self._fresh(end, message)
        iv = sealed.body[:_IV_OCTETS]
        if self.ivs.setdefault((end, ike, iv), output.datagram) != output.datagram:
            raise Violation("IVs (Section 3.14)", f"{end} used an IV twice under one key")

    def _ready(self, end: str, response: Message) -> None:
        """What a response says was created can receive already (7296-2.8-17)."""
        for chosen in _chosen(response):
            if (end, True, chosen.spi) not in self.halves:
                raise Violation("ready to receive (Section 2.8)", f"{end} answers, and can't receive yet")

    def _unprotected(self, record: Record, message: Message) -> None:
        """An answer outside of any IKE SA: only where there is none (Sections 1.5, 2.21.4)."""
        ikes = [ike for sessions in (record.before, record.after) for s in sessions.values() for ike in s.ikes]
        if not message.is_response or (message.spi_i, message.spi_r) in [(ike.spi_i, ike.spi_r) for ike in ikes]:
            raise Violation("protection (Section 2.21)", f"{record.end} sent a message of an IKE SA without SK")

    def _fresh(self, end: str, message: Message) -> None:
        """Nonces and public values are of one exchange; IKE_SA_INIT sent anew is the same exchange (Section 2.10)."""
        if message.exchange_type == ExchangeType.IKE_SA_INIT:
            used_for: tuple[object, ...] = (end, message.is_response, message.spi_i)
            if message.is_response:
                used_for = (*used_for, message.spi_r)
        else:
            used_for = (end, message.is_response, message.spi_i, message.spi_r, message.message_id)
        for payload in message.payloads:
            if type(payload) is Nonce and self.nonces.setdefault(payload.data, used_for) != used_for:
                raise Violation("nonces (Section 2.10)", f"{end} used a nonce twice")
            if type(payload) is KE and self.publics.setdefault(payload.public, used_for) != used_for:
                raise Violation("public values (Section 2.12)", f"{end} used a public value in two exchanges")

    def _install(self, end: str, output: sa.Install) -> None:
        child, inbound = output.child, output.inbound
        keys = child.keys
        if keys is None:
            raise Violation("keys (Section 2.17)", f"{end} installs a Child SA without keys")
        spi = child.spi_in if inbound else child.spi_out
        if (end, inbound, spi) in self.halves:
            raise Violation("directions (Section 1.4.1)", f"{end} installs {_side(inbound)} SA {spi.hex()} twice")
        if inbound:
            if (end, spi) in self.spent:
                raise Violation("SPIs (Section 1.4.1)", f"{end} gives out SPI {spi.hex()} again")
            self.spent.add((end, spi))
            self.pairs[end, child.spi_out] = spi
            self._descend(end, child)
        from_initiator = child.initiator is not inbound
        encryption = keys.encr_i if from_initiator else keys.encr_r
        integrity = keys.integ_i if from_initiator else keys.integ_r
        local, remote = child.local_ts, child.remote_ts
        source, destination = (remote, local) if inbound else (local, remote)
        half = Half(encryption, integrity, source, destination, child.transport)
        other = self.halves.get((PEER[end], not inbound, spi), half)
        if half.transport is not other.transport:
            raise Violation("same mode (Section 1.3.1)", f"SA {spi.hex()} is in transport mode at one end only")
        if half != other:
            raise Violation("same keys (Section 2.17)", f"the ends of SA {spi.hex()} differ")
        self.halves[end, inbound, spi] = half
        if child.ends_at:
            self.ends[end, inbound, spi] = child.ends_at

    def _refused(self, record: Record) -> None:
        """A Child SA whose initiator does not like the answer is deleted, without ever being its own (1.3.1)."""
        if any(type(output) is sa.Failed for output in record.outputs):
            for output in record.outputs:
                if type(output) is sa.Received and output.message.is_response:
                    for chosen in _chosen(output.message):
                        self.doomed.add(self.lineage.get((PEER[record.end], chosen.spi), -1))

    def _half_closed(self, record: Record) -> None:
        """What the peer deleted and this end still receives on is half closed: an operator is told (7296-1.4.1-13)."""
        told = {output.spi for output in record.outputs if type(output) is sa.Audit}
        for output in record.outputs:
            if type(output) is sa.Received and not output.message.is_response:
                for spi in deleted_spis(output.message):
                    own = self.pairs.get((record.end, spi), b"")
                    if (record.end, True, own) in self.halves and own not in told:
                        raise Violation("half closed (Section 1.4.1)", f"{record.end} says nothing of {own.hex()}")

    def _expired(self, record: Record) -> None:
        """What has come to the end of its life is not there any more (7296-2.8-01)."""
        for (end, inbound, spi), ends_at in self.ends.items():
            if record.now > ends_at and (end, inbound, spi) in self.halves:
                raise Violation("expired (Section 2.8)", f"{end} still has {_side(inbound)} SA {spi.hex()}")

    def _traffic(self, record: Record) -> None:
        """Who could send on a Child SA once can do so until it is deleted, however often it is rekeyed."""
        if self.closing or self.silent:
            return
        able: dict[int, set[str]] = {}
        for end, inbound, spi in self.halves:
            if not inbound and (PEER[end], True, spi) in self.halves:
                number = self.lineage[PEER[end], spi]
                able.setdefault(number, set()).add(end)
        for number, ends in able.items():
            self.carried.setdefault(number, set()).update(ends)
        for number, ends in self.carried.items():
            lost = ends - able.get(number, set()) if number not in self.doomed else set()
            if lost:
                raise Violation("traffic goes on (Section 2.8)", f"{sorted(lost)} can't send, step {record.number}")

    def _descend(self, end: str, child: ChildSa) -> None:
        other = self.lineage.get((PEER[end], child.spi_out))
        own = self.lineage.get((end, child.replaces)) if child.replaces else None
        number = own if own is not None else other
        if number is None:
            number = len(self.names)
            self.names[number] = child.name
        self.lineage[end, child.spi_in] = number

    def _remove(self, end: str, output: sa.Remove) -> None:
        child, inbound = output.child, output.inbound
        spi = child.spi_in if inbound else child.spi_out
        if self.halves.pop((end, inbound, spi), None) is None:
            raise Violation("directions (Section 1.4.1)", f"{end} removes {_side(inbound)} SA {spi.hex()}, not there")

    # At rest

    def at_rest(self, pair: Pair) -> None:
        """Nothing is in flight, outstanding or due, and neither end gave up the other. Raises Violation."""
        self.each_at_rest(pair)
        self._ikes_agree(pair)
        self._children_agree(pair)
        self._lineages(pair)

    def each_at_rest(self, pair: Pair) -> None:
        """The same, where an end may have given up the other: each is in order by itself. Raises Violation."""
        self._no_business(pair)
        for end in ENDS:
            self._installed_is_listed(pair, end)
            if pair.children(end) and not pair.ikes(end):
                raise Violation("closing (Section 1.4.1)", f"{end} has Child SAs and no IKE SA")

    def _no_business(self, pair: Pair) -> None:
        if pair.flying:
            raise Violation("rest", "something is still in flight")
        for end in ENDS:
            for session in pair.sessions(end):
                if session.retries:
                    raise Violation("rest", f"{end} still wants to retry")
                for ike in session.ikes:
                    if ike.outstanding or ike.queue:
                        raise Violation("rest", f"{end} still waits, {ike.phase.name}")
                    if ike.phase not in (Phase.ESTABLISHED, Phase.CLOSED):
                        raise Violation("rest", f"{end} keeps an IKE SA that is {ike.phase.name}")

    def _ikes_agree(self, pair: Pair) -> None:
        names: dict[str, set[IkeName]] = {}
        for end in ENDS:
            names[end] = {(ike.spi_i, ike.spi_r) for ike in pair.ikes(end)}
        if names[A] != names[B]:
            raise Violation(
                "IKE SAs agree (Section 2.8.2)",
                f"orphans: {_spis(names[A] - names[B])} at A, {_spis(names[B] - names[A])} at B",
            )
        for name in names[A]:
            if self.keys[A, name] != self.keys[B, name]:
                raise Violation("same keys (Section 2.14)", f"IKE SA {name[0].hex()} has other keys at each end")
            began = [ike.initiator for end in ENDS for ike in pair.ikes(end) if (ike.spi_i, ike.spi_r) == name]
            if sorted(began) != [False, True]:
                raise Violation("original initiator (Section 2.2)", f"{began} of IKE SA {name[0].hex()}")
        for end in ENDS:
            for session in pair.sessions(end):
                if sum(ike.phase is Phase.ESTABLISHED for ike in session.ikes) > 1:
                    raise Violation("one successor (Section 2.8.2)", f"{end} has two IKE SAs in one session")

    def _children_agree(self, pair: Pair) -> None:
        pairs = {end: {(child.spi_in, child.spi_out) for child in pair.children(end)} for end in ENDS}
        crossed = {(spi_out, spi_in) for spi_in, spi_out in pairs[B]}
        if pairs[A] != crossed:
            raise Violation(
                "paired Child SAs (Section 1.4.1)",
                f"only at A: {_spis(pairs[A] - crossed)}; only at B: {_spis(crossed - pairs[A])}",
            )

    def _installed_is_listed(self, pair: Pair, end: str) -> None:
        installed = {(inbound, spi) for owner, inbound, spi in self.halves if owner == end}
        children = pair.children(end)
        listed = {(True, child.spi_in) for child in children} | {(False, child.spi_out) for child in children}
        if installed != listed:
            raise Violation(
                "both directions (Section 1.4.1)",
                f"at {end} installed but not listed: {_halves(installed - listed)}; "
                f"listed but not installed: {_halves(listed - installed)}",
            )

    def _lineages(self, pair: Pair) -> None:
        alive = [self.lineage[A, child.spi_in] for child in pair.children(A)]
        doubled = {number for number in alive if alive.count(number) > 1}
        if doubled:
            raise Violation("a rekey leaves one (Section 2.8.1)", f"doubled: {self._named(doubled)}")
        if self.closing:
            return
        lost = set(self.names) - set(alive) - self.doomed
        if lost:
            raise Violation("none is lost (Section 2.8)", f"lost: {self._named(lost)}")

    def _named(self, numbers: Iterable[int]) -> str:
        return ", ".join(f"{self.names[number]} (no. {number})" for number in sorted(numbers))


def _rekeys(request: Message) -> tuple[Kind, bytes] | None:
    """What a request rekeys; None for another request, and for a response."""
    kind = Kind.LIVENESS if request.is_response else kind_of(request)
    return (kind, rekeyed_spi(request) or b"") if kind in (Kind.REKEY_CHILD, Kind.REKEY_IKE) else None


def _chosen(response: Message) -> tuple[Proposal, ...]:
    """The proposals for Child SAs in a response."""
    offers = [payload.proposals for payload in response.payloads if type(payload) is SA]
    return tuple(each for offer in offers for each in offer if each.protocol_id != ProtocolId.IKE)


def _temporary(message: Message) -> bool:
    return any(type(payload) is N and payload.type == NotifyType.TEMPORARY_FAILURE for payload in message.payloads)


def _side(inbound: bool) -> str:
    return "inbound" if inbound else "outbound"


def _spis(pairs: Iterable[tuple[bytes, bytes]]) -> str:
    return ", ".join(f"{first.hex()}/{second.hex()}" for first, second in sorted(pairs)) or "none"


def _halves(halves: Iterable[tuple[bool, bytes]]) -> str:
    return ", ".join(f"{_side(inbound)} {spi.hex()}" for inbound, spi in sorted(halves)) or "none"


def _sealed(output: sa.Transmit) -> SK | None:
    """The SK payload of a datagram, None where it has none."""
    datagram = output.datagram
    if output.path.encapsulated:
        content = split(datagram)
        assert type(content) is Ike
        datagram = content.datagram
    payloads = decode(datagram).payloads
    return payloads[-1] if payloads and type(payloads[-1]) is SK else None
