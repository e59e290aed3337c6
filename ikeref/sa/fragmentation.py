"""Messages in fragments: negotiated, sent above a size, put together again (RFC 7383).

Each fragment is protected by itself. A message that is not complete is no message: nothing but its fragments is kept,
within bounds, for as long as a peer would retransmit it.
"""

from ikeref import wire
from ikeref.crypto import envelope
from ikeref.crypto.envelope import Fragment
from ikeref.errors import Dropped, RemoteProtocolError
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa.compose import notification
from ikeref.sa.turn import Turn
from ikeref.sa.values import IkeSa, Partial
from ikeref.wire import FLAG_RESPONSE, Message, N, Payload

ANNOUNCED = N(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)
"""7383-2.3-02, 7383-2.3-03, 7383-2.3-04."""


def offered(settings: Settings) -> tuple[Payload, ...]:
    """What IKE_SA_INIT says of it (7383-2.3-01)."""
    return (ANNOUNCED,) if settings.fragment_octets else ()


def accepted(settings: Settings, payloads: tuple[Payload, ...]) -> bool:
    """Whether both ends take fragments (7383-2.4-01)."""
    if not settings.fragment_octets:
        return False
    return notification(payloads, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) is not None


def arrived(turn: Turn, ike: IkeSa, outer: Message, datagram: bytes, *, wanted: bool) -> Message | None:
    """What a fragment completes: the message, or None while others are missing (RFC 7383 section 2.6).

    `wanted` tells whether the message is one to process; of one that was answered, the first fragment stands for the
    whole (7383-2.6.1-02). Raises Dropped for what changes nothing, and what the parsing of a whole message raises.
    """
    # Check
    if not ike.fragmentation:
        raise Dropped("fragments were not negotiated", section="RFC 7383 2.4")  # 7383-2.4-01
    closed = outer.payloads[-1]
    assert isinstance(closed, wire.SKF)
    number, total = closed.fragment_number, closed.total_fragments
    if not 1 <= number <= total or (closed.next_payload and number > 1):
        raise Dropped(f"fragment {number} of {total}", section="RFC 7383 2.6", field="Fragment Number")  # 7383-2.6-01
    response = bool(outer.flags & FLAG_RESPONSE)
    known = next((p for p in ike.partial if (p.message_id, p.response) == (outer.message_id, response)), None)
    if wanted:
        _check_new(turn, known, number, total)
    # Verify
    fragment = _open(turn, ike, outer, datagram)
    if not wanted:
        if number == 1:
            return fragment.message
        raise Dropped("a fragment of a message that was processed", section="RFC 7383 2.6.1")
    # State
    parts = (fragment,) if known is None or known.total < total else (*known.parts, fragment)  # 7383-2.6-04
    if sum(len(part.content) for part in parts) > turn.env.settings.message_octets:
        raise Dropped("the fragments are too much together", section="RFC 7383 2.6")
    others = tuple([each for each in ike.partial if each is not known])
    if len(parts) < total:
        expires = known.expires if known is not None else turn.now + turn.patience
        turn.put(ike._replace(partial=(*others, Partial(outer.message_id, response, total, expires, parts))))
        return None
    turn.put(ike._replace(partial=others))
    return envelope.reassemble(parts)


def _check_new(turn: Turn, known: Partial | None, number: int, total: int) -> None:
    limit = turn.env.settings.fragment_limit
    if total > limit:
        raise Dropped(f"{total} fragments, at most {limit} are taken", section="RFC 7383 2.6")
    if known is not None and total < known.total:
        raise Dropped("of a set with fewer fragments", section="RFC 7383 2.6", field="Total Fragments")  # 7383-2.6-01
    if known is not None and total == known.total and any(part.fragment_number == number for part in known.parts):
        raise Dropped("a fragment that is there already", section="RFC 7383 2.6")  # 7383-2.6-02


def _open(turn: Turn, ike: IkeSa, outer: Message, datagram: bytes) -> Fragment:
    """Verify and decrypt one fragment; what is wrong with it never concerns the message (7383-2.6-03)."""
    assert ike.keys is not None
    assert ike.suite is not None
    sk_e, sk_a = (ike.keys.sk_er, ike.keys.sk_ar) if ike.initiator else (ike.keys.sk_ei, ike.keys.sk_ai)
    try:
        return envelope.unprotect_fragment(turn.env.crypto, ike.suite, sk_e, sk_a, datagram, outer)
    except RemoteProtocolError as error:
        raise Dropped(f"a malformed fragment: {error.reason}", section="RFC 7383 2.6") from error


def forget(turn: Turn, ike: IkeSa) -> IkeSa:
    """Without the messages whose fragments did not all come in time (7383-2.6-05, 7383-2.6-06)."""
    return turn.put(ike._replace(partial=tuple([each for each in ike.partial if each.expires > turn.now])))
