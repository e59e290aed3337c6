"""When two states count as one: names by first occurrence, numbers relative, nonces by order (Sections 2.2, 2.8.1).

Two states with one fingerprint differ only in the values of SPIs, keys, public values and message IDs, in the order of
nonces as far as no comparison will tell (`comparison`), and in answers and closed IKE SAs that nobody will ask for
again. On demand the whole order is kept of the nonces that may still be compared, equality and prefixes included.
"""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

from ikeref_properties.explore.comparison import IkeKey, Verdicts, pairs
from ikeref_properties.explore.skeleton import EndSkeleton, IkeSkeleton, MessageSkeleton, Origin
from ikeref_properties.explore.values import End, Flight, State

OCTETS = 12


class Merging(NamedTuple):
    """What is forgotten. The defaults are sound; most others are there to show that an unsound one is noticed."""

    nonce_order: bool = False
    """Unsound: the order of nonces that are compared."""
    comparisons: bool = True
    """Of nonces only what comparisons will say; else their whole order."""
    identities: bool = False
    """Unsound: which SPI is which."""
    symmetry: bool = True
    """The ends may change places."""
    exact: bool = False
    """Nothing is forgotten: the octets themselves, all datagrams in flight however old, all answers kept."""


SOUND = Merging()
EXACT = Merging(symmetry=False, exact=True)


class Mark(NamedTuple):
    """A fingerprint."""

    octets: bytes
    """12; the same for states that count as one."""
    turned: bool
    """Whether the ends change places in it."""
    single: bool = True
    """Whether nothing else counts as the same: not even the state with the ends in each other's place."""


def fingerprint(state: State, origin: Origin, merging: Merging = SOUND, verdicts: Verdicts | None = None) -> Mark:
    """The same for states that count as one; `verdicts` remembers what was found out about nonces."""
    verdicts = verdicts or Verdicts()
    if merging.exact:
        return Mark(_exact(state), False)
    if not merging.symmetry:
        return Mark(_digest(state, False, origin, merging, verdicts), False)
    first, second = state.ends[0].skeleton.octets, state.ends[1].skeleton.octets
    if first != second:
        turned = second < first
        return Mark(_digest(state, turned, origin, merging, verdicts), turned, False)
    straight, turned_round = (
        _digest(state, False, origin, merging, verdicts),
        _digest(state, True, origin, merging, verdicts),
    )
    if straight == turned_round:
        commands = state.left.commands
        return Mark(straight, commands[0] < commands[1])
    return Mark(min(straight, turned_round), turned_round < straight, False)


def _digest(state: State, turned: bool, origin: Origin, merging: Merging, verdicts: Verdicts) -> bytes:
    ends = (state.ends[1], state.ends[0]) if turned else state.ends
    first, second = ends[0].skeleton, ends[1].skeleton
    out = bytearray(first.octets + second.octets)
    here, there = origin.selectors
    names: dict[bytes, int] = {b"": 0, there: 1, here: 2} if turned else {b"": 0, here: 1, there: 2}
    slots = bytes([names.setdefault(slot, len(names)) for slot in first.slots + second.slots])
    if not merging.identities:
        out += slots
    flying = [(flight.skeleton, _relative(flight, state.ends)) for flight in state.flights]
    answers = _answers(state.flights, ends, turned)
    ranks: dict[bytes, int] = {}
    if merging.nonce_order or not (first.rekeys or second.rekeys):
        pass
    elif merging.comparisons:
        for pair in pairs(first.rekeys, second.rekeys, _responses(answers, state.flights)):
            out += verdicts.of(pair)
    else:
        ranks = _ranks(_live(first, second, answers, state.flights), first, second, out)
        out += bytes([ranks[nonce] for nonce in first.nonces + second.nonces])
        out += bytes([each.spi < each.crossed_spi for each in (*first.rekeys, *second.rekeys) if each.crossed])
    out += _numbers(first, second)
    known = dict(names)
    if len(flying) > 1:
        flying.sort(key=lambda each: _message(each[0], each[1], known, ranks))
    out += bytes(map(len, answers))
    for kept, ike in zip(answers, (*first.ikes, *second.ikes), strict=True):
        for answer in kept:
            out += _message(answer, answer.message_id - ike.expected, names, ranks)
    for skeleton, number in flying:
        out += _message(skeleton, number, names, ranks, name_unknown=True)
    out += _history(ends, names)
    return blake2b(out, digest_size=OCTETS).digest()


def _message(
    skeleton: MessageSkeleton,
    number: int,
    names: dict[bytes, int],
    ranks: dict[bytes, int],
    *,
    name_unknown: bool = False,
) -> bytes:
    """A message; who receives it follows from its SPIs. 255 stands for a name not given yet."""
    if name_unknown:
        slots = [names.setdefault(slot, len(names)) for slot in skeleton.slots]
    else:
        slots = [names.get(slot, 255) for slot in skeleton.slots]
    nonces = [ranks.get(nonce, 0) for nonce in skeleton.nonces]
    return bytes((number & 0xFF, len(skeleton.octets), *skeleton.octets, *slots, *nonces))


def own(skeleton: EndSkeleton, spi: bytes) -> IkeSkeleton | None:
    """The IKE SA of an end with that SPI of its own."""
    for ike in skeleton.ikes:
        if ike.spi == spi:
            return ike
    return None


def shared(skeleton: EndSkeleton, key: IkeKey) -> IkeSkeleton | None:
    """The IKE SA with these SPIs at an end."""
    for ike in skeleton.ikes:
        if ike.ike == key:
            return ike
    return None


def _relative(flight: Flight, ends: tuple[End, End]) -> int:
    """The message ID as seen from what the receiver expects."""
    message = flight.skeleton
    ike = own(ends[flight.to].skeleton, message.to_spi)
    if ike is None:
        return message.message_id
    return message.message_id - (ike.next_request if message.response else ike.expected)


def _numbers(first: EndSkeleton, second: EndSkeleton) -> bytes:
    """What each end expects as against what the other sends next, for each IKE SA that both have."""
    out = bytearray()
    for ike in first.ikes:
        peer = shared(second, ike.ike)
        if peer is not None:
            out += bytes(((ike.next_request - peer.expected) & 0xFF, (peer.next_request - ike.expected) & 0xFF))
    return bytes(out)


def wanted(ike: IkeSkeleton, who: int, other: EndSkeleton, flights: Iterable[Flight]) -> tuple[MessageSkeleton, ...]:
    """The kept answers of an IKE SA that may still be asked for: the request is unanswered, or on its way again."""
    if not ike.answers:
        return ()
    peer = shared(other, ike.ike)
    waiting = peer.outstanding if peer is not None else ()
    coming = [
        flight.skeleton.message_id
        for flight in flights
        if flight.to == who and not flight.skeleton.response and flight.skeleton.ike == ike.ike
    ]
    return tuple([each for each in ike.answers if each.message_id in waiting or each.message_id in coming])


def _answers(flights: tuple[Flight, ...], ends: tuple[End, End], turned: bool) -> list[tuple[MessageSkeleton, ...]]:
    """The kept answers that may still be asked for, of each IKE SA of each end."""
    first, second = ends[0].skeleton, ends[1].skeleton
    return [wanted(ike, turned, second, flights) for ike in first.ikes] + [
        wanted(ike, not turned, first, flights) for ike in second.ikes
    ]


def _responses(
    answers: list[tuple[MessageSkeleton, ...]], flights: tuple[Flight, ...]
) -> dict[tuple[IkeKey, int], bytes]:
    """The nonces in responses that are still to be received."""
    coming = [*[each for kept in answers for each in kept], *[flight.skeleton for flight in flights]]
    return {(each.ike, each.message_id): each.nonces[0] for each in coming if each.response and each.nonces}


def _live(
    first: EndSkeleton,
    second: EndSkeleton,
    answers: list[tuple[MessageSkeleton, ...]],
    flights: tuple[Flight, ...],
) -> set[bytes]:
    """The nonces that may still be compared: of rekeys without a response, what crossed them, and their responses."""
    live = {*first.nonces, *second.nonces}
    if live:
        waiting = {(ike.ike, number) for end in (first, second) for ike in end.ikes for number in ike.rekeys}
        for message in (*[each for kept in answers for each in kept], *[flight.skeleton for flight in flights]):
            if message.response and (message.ike, message.message_id) in waiting:
                live.update(message.nonces)
    return live


def _ranks(live: set[bytes], first: EndSkeleton, second: EndSkeleton, out: bytearray) -> dict[bytes, int]:
    """Each nonce's place in the order; `out` gets which is a prefix of the next, and the SPIs' order if it decides."""
    order = sorted(live)
    out.append(len(order))
    out += bytes([after.startswith(before) for before, after in pairwise(order)])
    for rekey in first.rekeys:
        for other in second.rekeys:
            if rekey.size == other.size and rekey.nonce == other.nonce:
                out.append(1 + (rekey.spi < other.spi))
    return {nonce: place for place, nonce in enumerate(order, 1)}


def _history(ends: tuple[End, End], names: dict[bytes, int]) -> bytes:
    """Which Child SAs are being deleted by command, and which went without: what the checks look at."""
    first, second = ends
    doomed = first.doomed | second.doomed
    out = bytearray()
    for end in ends:
        out += bytes([root in doomed for root in end.skeleton.sorted_children])
    gone = [names.get(root, 0) for end in ends for root in end.skeleton.lost if root not in doomed]
    return bytes(out) + bytes((len(gone), *gone))


def _exact(state: State) -> bytes:
    """Sessions, datagrams and bounds as they are."""
    parts = [repr(end.session) for end in state.ends]
    parts += sorted(flight.datagram.hex() for flight in state.flights)
    return blake2b(repr(parts).encode(), digest_size=OCTETS).digest()
