"""What must hold in a run, judged by what both ends sent, installed and removed (Sections 1.4.1, 2.1 to 2.18).

Each check reads a trace and says what it looked at and what was wrong. None asks an endpoint whether it did well: only
its outputs count, and at rest its listing of SAs.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ikeref import crypto
from ikeref.cli.tour.inside import keys_of, sender_keys
from ikeref.cli.tour.story import is_protected
from ikeref.cli.tour.trace import Flight, Moment, Quiescence, Side, Trace
from ikeref.crypto import envelope
from ikeref.crypto.real import RealCrypto
from ikeref.errors import ProtocolError
from ikeref.registry import ExchangeType, ProtocolId
from ikeref.sa import ChildSa, Established, Install, NewKeys, Output, Phase, Received, Remove, Transmit
from ikeref.wire import SA, D, Message, Nonce, decode, encode


class Finding(NamedTuple):
    """What a check found."""

    looked_at: str
    """`20 datagrams`. Empty: nothing in this run had to do with it, so it says nothing."""
    faults: tuple[str, ...] = ()


class Check(NamedTuple):
    """A rule, and the function that judges a trace by it."""

    name: str
    section: str
    judge: Callable[[Trace], Finding]


Key = tuple[Side, bytes, bytes, int]
"""Who sent a message, SPIs of the IKE SA, message ID."""


def _outputs(trace: Trace) -> Iterator[tuple[int, Moment, Output]]:
    for index, moment in enumerate(trace.moments):
        for output in moment.outputs:
            yield index, moment, output


def _messages(trace: Trace) -> Iterator[tuple[Flight, Message]]:
    """All messages of IKE SAs, not of IKE_SA_INIT and no keepalives."""
    for flight in trace.flights:
        message = flight.message
        if message is not None and message.exchange_type != ExchangeType.IKE_SA_INIT:
            yield flight, message


def _key(side: Side, message: Message) -> Key:
    return side, message.spi_i, message.spi_r, message.message_id


def count(number: int, what: str) -> str:
    """`1 datagram`, `20 datagrams`; empty for none."""
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""


# Sections 1.2, 1.4.1, 2.8: which SAs there are


def authenticated_first(trace: Trace) -> Finding:
    """No direction of a Child SA opens at an end that has not authenticated its peer."""
    authenticated: set[Side] = set()
    faults, opened = [], 0
    for _, moment, output in _outputs(trace):
        if isinstance(output, Established):
            authenticated.add(moment.side)
        elif isinstance(output, Install):
            opened += 1
            if moment.side not in authenticated:
                faults.append(f"{moment.side} opens {_direction(output)} before its peer is authenticated")
    return Finding(count(opened, "opening"), tuple(faults))


def _direction(output: Install | Remove) -> str:
    child = output.child
    return f"{'inbound' if output.inbound else 'outbound'} {(child.spi_in if output.inbound else child.spi_out).hex()}"


def _open_directions(trace: Trace, moments: int) -> dict[Side, set[tuple[bool, bytes]]]:
    """What is open after that many moments: by end, whether inbound, and SPI."""
    found: dict[Side, set[tuple[bool, bytes]]] = {side: set() for side in Side}
    for index, moment, output in _outputs(trace):
        if index >= moments:
            break
        match output:
            case Install(inbound=inbound, child=child):
                found[moment.side].add((inbound, child.spi_in if inbound else child.spi_out))
            case Remove(inbound=inbound, child=child):
                found[moment.side].discard((inbound, child.spi_in if inbound else child.spi_out))
            case _:
                pass
    return found


def paired(trace: Trace) -> Finding:
    """At rest, what one end has open inbound the other has open outbound, and nothing else is open."""
    faults = []
    for rest in trace.rests:
        found = _open_directions(trace, rest.moment)
        for side in Side:
            inbound = {spi for is_in, spi in found[side] if is_in}
            outbound = {spi for is_in, spi in found[side.other] if not is_in}
            faults += [f"{_stage(rest)}: {side} receives {spi.hex()}, nobody sends it" for spi in inbound - outbound]
            faults += [f"{_stage(rest)}: {side.other} sends {spi.hex()}, nobody receives" for spi in outbound - inbound]
            listed = {(True, child.spi_in) for child in _children(rest, side)}
            listed |= {(False, child.spi_out) for child in _children(rest, side)}
            for is_in, spi in listed ^ found[side]:
                way = "inbound" if is_in else "outbound"
                faults.append(f"{_stage(rest)}: {side} lists and has open not the same: {way} {spi.hex()}")
    return Finding(count(len(trace.rests), "rest"), tuple(faults))


def _stage(rest: Quiescence) -> str:
    return f"after stage {rest.stage + 1}"


def _children(rest: Quiescence, side: Side) -> tuple[ChildSa, ...]:
    return tuple(child for session in rest.sessions[side] for child in session.children)


def ends_agree(trace: Trace) -> Finding:
    """At rest, both ends have the same IKE SAs, and the same traffic selectors, mirrored, for each Child SA."""
    faults, pairs = [], 0
    for rest in trace.rests:
        ikes = {side: _ikes(rest, side) for side in Side}
        for spi_i, spi_r in ikes[Side.ALICE] ^ ikes[Side.BOB]:
            faults.append(f"{_stage(rest)}: only one end has the IKE SA {spi_i.hex()} {spi_r.hex()}")
        theirs = {(child.spi_out, child.spi_in): child for child in _children(rest, Side.BOB)}
        for child in _children(rest, Side.ALICE):
            pairs += 1
            other = theirs.get((child.spi_in, child.spi_out))
            if other is None:
                faults.append(f"{_stage(rest)}: bob does not have alice's Child SA {child.spi_in.hex()}")
            elif (child.local_ts, child.remote_ts) != (other.remote_ts, other.local_ts) or child.suite != other.suite:
                faults.append(f"{_stage(rest)}: Child SA {child.spi_in.hex()} is not the same at both ends")
    looked = count(len(trace.rests), "rest")
    return Finding(f"{looked}, {count(pairs, 'pair') or 'no pair'}" if looked else "", tuple(faults))


def _ikes(rest: Quiescence, side: Side) -> set[tuple[bytes, bytes]]:
    return {
        (ike.spi_i, ike.spi_r)
        for session in rest.sessions[side]
        for ike in session.ikes
        if ike.phase is not Phase.CLOSED
    }


def nothing_left(trace: Trace) -> Finding:
    """When the IKE SA is deleted, every direction that was ever opened is closed."""
    ever = sum(isinstance(output, Install) for _, _, output in _outputs(trace))
    last = trace.rests[-1] if trace.rests else None
    if last is None or any(_ikes(last, side) for side in Side):
        return Finding("")
    left = _open_directions(trace, last.moment)
    faults = [f"{side} still has {spi.hex()} open" for side in Side for _, spi in sorted(left[side])]
    return Finding(count(ever, "opening"), tuple(faults))


def handed_over(trace: Trace) -> Finding:
    """Between rest and rest around an IKE SA rekey, no Child SA is opened, closed, lost or doubled.

    Where somebody asks for something about a Child SA meanwhile, this check can't tell, and says nothing.
    """
    faults, inherited = [], 0
    for before, after in zip(trace.rests, trace.rests[1:], strict=False):
        window = range(before.moment, after.moment)
        outputs = [(moment.side, output) for index, moment, output in _outputs(trace) if index in window]
        if not any(isinstance(output, Established) and output.succeeds for _, output in outputs):
            continue
        if any(_is_about_child(output) for _, output in outputs):
            continue
        for side in Side:
            old = sorted(child.spi_in for child in _children(before, side))
            new = sorted(child.spi_in for child in _children(after, side))
            inherited += len(new)
            if old != new:
                faults.append(f"{side} had {_spis(old)} before the rekey and has {_spis(new)} after it")
        faults += [
            f"{side} touches {_direction(output)}, though only the IKE SA is rekeyed"
            for side, output in outputs
            if isinstance(output, Install | Remove)
        ]
    return Finding(count(inherited, "inheritance"), tuple(faults))


def _is_about_child(output: Output) -> bool:
    """Whether it is a request about a Child SA that goes out: to create, rekey or delete one."""
    message = output.message if isinstance(output, Transmit) else None
    if message is None or message.is_response:
        return False
    deletes = [payload.protocol_id for payload in message.payloads if isinstance(payload, D)]
    offers = [p.protocol_id for payload in message.payloads if isinstance(payload, SA) for p in payload.proposals]
    asks = message.exchange_type == ExchangeType.CREATE_CHILD_SA and ProtocolId.IKE not in offers
    return asks or any(each != ProtocolId.IKE for each in deletes)


def _spis(spis: list[bytes]) -> str:
    return ", ".join(spi.hex() for spi in spis) or "none"


# Sections 2.14, 2.17, 2.18: keys


def same_keys(trace: Trace) -> Finding:
    """Both ends derive the same keys for each IKE SA and each direction of each Child SA."""
    faults = []
    ikes: dict[tuple[bytes, bytes], dict[Side, crypto.IkeKeys]] = {}
    halves: dict[bytes, dict[tuple[Side, bool], tuple[bytes, bytes]]] = {}
    for _, moment, output in _outputs(trace):
        match output:
            case NewKeys(spi_i=spi_i, spi_r=spi_r, keys=keys):
                ikes.setdefault((spi_i, spi_r), {})[moment.side] = keys
            case Install(inbound=inbound, child=child) if child.keys is not None:
                spi = child.spi_in if inbound else child.spi_out
                of_initiator = child.initiator is not inbound
                keymat = child.keys
                half = (keymat.encr_i, keymat.integ_i) if of_initiator else (keymat.encr_r, keymat.integ_r)
                halves.setdefault(spi, {})[moment.side, inbound] = half
            case Install(child=child):
                faults.append(f"{moment.side} opens Child SA {child.spi_in.hex()} without keys")
            case _:
                pass
    faults += [f"IKE SA {name[0].hex()}: the ends differ" for name, found in ikes.items() if _differ(found.values())]
    faults += [f"SPI {spi.hex()}: the ends differ" for spi, found in halves.items() if _differ(found.values())]
    distinct = {half for found in halves.values() for half in found.values()}
    if not faults and len(distinct) < len(halves):
        faults.append("two Child SAs have the same keys")
    looked = count(len(ikes) + len(halves), "set") + " of keys" if ikes else ""
    return Finding(looked, tuple(faults))


def _differ(values: object) -> bool:
    return len(set(values)) > 1  # type: ignore[call-overload]  # keys are tuples of octets


# Sections 2.1 to 2.3: message IDs, window, retransmission


def message_ids(trace: Trace) -> Finding:
    """Requests of each end on each IKE SA are numbered without gap, from 0, or 1 behind IKE_SA_INIT."""
    faults, numbered = [], 0
    next_id: dict[tuple[Side, bytes, bytes], int] = {}
    for flight, message in _messages(trace):
        if message.is_response or flight.transmit.again or not is_protected(flight):
            continue
        numbered += 1
        ike = (flight.sender, message.spi_i, message.spi_r)
        first = 1 if message.exchange_type == ExchangeType.IKE_AUTH else 0
        expected = next_id.get(ike, first)
        if message.message_id != expected:
            faults.append(f"{flight.sender} sends request {message.message_id}, {expected} was next")
        next_id[ike] = message.message_id + 1
    return Finding(count(numbered, "request"), tuple(faults))


def window(trace: Trace) -> Finding:
    """No end has two requests unanswered on one IKE SA, and each response has the message ID of the request."""
    faults, answered = [], 0
    pending: dict[tuple[Side, bytes, bytes], int] = {}
    sent: dict[int, list[Flight]] = {}
    for flight, _ in _messages(trace):
        sent.setdefault(flight.moment, []).append(flight)
    for index, moment in enumerate(trace.moments):
        for output in moment.outputs:
            message = output.message if isinstance(output, Received) else None
            if message is None or not message.is_response or message.exchange_type == ExchangeType.IKE_SA_INIT:
                continue
            answered += 1
            waiting = pending.pop((moment.side, message.spi_i, message.spi_r), None)
            if waiting != message.message_id:
                faults.append(f"{moment.side} takes a response {message.message_id} when {waiting} was outstanding")
        for flight in sent.get(index, []):
            request = flight.message
            if request is None or request.is_response or flight.transmit.again or not is_protected(flight):
                continue
            ike = (flight.sender, request.spi_i, request.spi_r)
            if ike in pending:
                faults.append(f"{flight.sender} sends {request.message_id} with {pending[ike]} outstanding")
            pending[ike] = request.message_id
    return Finding(count(answered, "exchange"), tuple(faults))


def identical(trace: Trace) -> Finding:
    """A request or response that is sent again has the same octets."""
    faults, again = [], 0
    first: dict[tuple[Key, int, bool], bytes] = {}
    for flight in trace.flights:
        message = flight.message
        if message is None:
            continue
        if message.exchange_type == ExchangeType.IKE_SA_INIT and not flight.transmit.again:
            first[_key(flight.sender, message), message.exchange_type, message.is_response] = flight.transmit.datagram
            continue
        name = _key(flight.sender, message), message.exchange_type, message.is_response
        if name in first:
            again += 1
            if first[name] != flight.transmit.datagram:
                faults.append(f"{flight.sender} sends message {message.message_id} again with other octets")
        first.setdefault(name, flight.transmit.datagram)
    return Finding(count(again, "datagram") + (" sent again" if again else ""), tuple(faults))


def processed_once(trace: Trace) -> Finding:
    """No request is processed twice, however often it arrives."""
    faults = []
    seen: set[Key] = set()
    for _, moment, output in _outputs(trace):
        if isinstance(output, Received) and not output.message.is_response:
            key = _key(moment.side, output.message)
            if key in seen:
                faults.append(f"{moment.side} processes request {output.message.message_id} twice")
            seen.add(key)
    return Finding(count(len(seen), "request"), tuple(faults))


# Sections 2.10, 3.14: what must be fresh


def fresh_nonces(trace: Trace) -> Finding:
    """Every exchange has nonces of its own."""
    faults = []
    users: dict[bytes, tuple[Key, bool]] = {}
    for flight in trace.flights:
        message = flight.message
        for payload in message.payloads if message is not None else ():
            if message is not None and isinstance(payload, Nonce):
                user = _key(flight.sender, message), message.is_response
                if message.exchange_type == ExchangeType.IKE_SA_INIT:
                    user = (flight.sender, message.spi_i, b"", 0), message.is_response
                if users.setdefault(payload.data, user) != user:
                    faults.append(f"{flight.sender} uses a nonce again")
    return Finding(count(len(users), "nonce"), tuple(faults))


def opened(trace: Trace) -> Finding:
    """Every datagram decodes and encodes to the same octets; every SK payload opens with the keys that the *receiver*
    derived, and closes to the same octets again; no IV occurs twice under one key."""
    provider = RealCrypto()
    keys = keys_of(trace)
    faults, total = [], 0
    ivs: dict[tuple[Side, bytes, bytes, bytes], bytes] = {}
    for index, flight in enumerate(trace.flights):
        if flight.message is None:
            continue
        total += 1
        try:
            message = decode(flight.octets)
            if encode(message) != flight.octets:
                faults.append(f"#{index + 1} encodes to other octets")
            known = keys.get((flight.sender.other, message.spi_i, message.spi_r))
            if not is_protected(flight):
                continue
            if known is None:
                faults.append(f"#{index + 1}: its receiver has no keys for it")
                continue
            sk_e, sk_a = sender_keys(known, message)
            inside = envelope.unprotect(provider, known.suite, sk_e, sk_a, flight.octets, message)
            again = envelope.protect(provider, known.suite, sk_e, sk_a, inside.message, inside.iv, inside.padding)
        except ProtocolError as error:
            faults.append(f"#{index + 1}: {error}")
            continue
        if again != flight.octets or inside.message.payloads != flight.message.payloads:
            faults.append(f"#{index + 1} does not open to what was sent")
        name = (flight.sender, message.spi_i, message.spi_r, inside.iv)
        if ivs.setdefault(name, flight.octets) != flight.octets:
            faults.append(f"#{index + 1} has an IV that was used before")
    return Finding(count(total, "datagram"), tuple(faults))


CHECKS: tuple[Check, ...] = (
    Check("No Child SA before the peer is authenticated", "1.2", authenticated_first),
    Check("Child SAs are in pairs at every rest", "1.4.1", paired),
    Check("Both ends have the same SAs and selectors", "2.9", ends_agree),
    Check("An IKE SA rekey hands over each Child SA once", "2.8", handed_over),
    Check("Deleting the IKE SA closes every Child SA", "1.4.1", nothing_left),
    Check("Both ends derive the same keys, all distinct", "2.14, 2.17", same_keys),
    Check("Message IDs of requests have no gap", "2.2", message_ids),
    Check("One request is outstanding at a time", "2.3", window),
    Check("What is sent again is identical to the octet", "2.1", identical),
    Check("Each request is processed once", "2.1", processed_once),
    Check("Nonces are fresh", "2.10", fresh_nonces),
    Check("Datagrams open and close to the same octets", "3.14", opened),
)
