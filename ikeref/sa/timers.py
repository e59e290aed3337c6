"""What falls due by itself: retransmission, expiry, liveness, keepalives (Sections 2.1, 2.4, 2.8, 2.23, 2.25)."""

from ikeref.policy.connections import Settings
from ikeref.sa import fragmentation, rekey, window
from ikeref.sa.turn import Turn, waits
from ikeref.sa.values import (
    CheckLiveness,
    ChildState,
    DeleteIke,
    Exchange,
    IkeSa,
    Informational,
    Phase,
    RekeyChild,
    RekeyIke,
    Session,
)

NEVER = float("inf")


def deadline(session: Session, settings: Settings) -> float:
    """When a session wants its next Tick, in seconds of the caller's clock; infinity for never."""
    due = NEVER
    for ike in session.ikes:
        for exchange in ike.outstanding:
            due = min(due, exchange.deadline)
        if ike.expires:
            due = min(due, ike.expires)
        if ike.handshake is not None and ike.handshake.expires:
            due = min(due, ike.handshake.expires)
        for partial in ike.partial:
            due = min(due, partial.expires)
        if ike.ends_at and Phase.CANDIDATE <= ike.phase < Phase.CLOSED:
            due = min(due, ike.ends_at)
        if ike.phase is Phase.ESTABLISHED:
            due = min(due, _established_deadline(ike, settings))
    for retry in session.retries:
        due = min(due, retry.due)
    for child in session.children:
        if child.rekey_at and child.state is ChildState.OPEN:
            due = min(due, child.rekey_at)
        if child.ends_at:
            due = min(due, child.ends_at)
    return due


def _established_deadline(ike: IkeSa, settings: Settings) -> float:
    due = NEVER
    if settings.keepalive_seconds and ike.nat_local:
        due = min(due, ike.sent + settings.keepalive_seconds)
    if not ike.outstanding:
        if settings.liveness_seconds:
            due = min(due, ike.heard + settings.liveness_seconds)
        if ike.rekey_at:
            due = min(due, ike.rekey_at)
        if ike.ends_at:
            due = min(due, _farewell(ike, settings))
    return due


def tick(turn: Turn) -> None:
    """Do all that is due by now."""
    now = turn.now
    _end(turn)
    due = tuple(retry for retry in turn.retries if retry.due <= now)
    if due:
        turn.retries = tuple(retry for retry in turn.retries if retry.due > now)
        for retry in due:
            if (current := turn.current) is not None:
                turn.enqueue(current, retry.command)
    for ike in turn.ikes:
        _tick_ike(turn, ike)
    _rekey_children(turn)


def _end(turn: Turn) -> None:
    """What was not replaced by the end of its life is used no more (7296-2.8-01).

    An IKE SA closes without a word: a Delete would be a use of it, and has been sent in time. Its successor inherits
    where the peer has rekeyed it. A Child SA closes in both directions and takes the IKE SA with it (7296-2.8-05); the
    peer is told, unless it owes us an answer: who does not answer is not waited for.
    """
    for old in turn.ikes:
        if old.ends_at and old.ends_at <= turn.now and Phase.CANDIDATE <= old.phase < Phase.CLOSED:
            rekey.promote_candidate(turn, old)
            turn.close(turn.ike(old.spi) or old, "an IKE SA was not rekeyed by the end of its life")
    ended = [child for child in turn.children if child.ends_at and child.ends_at <= turn.now]
    for child in ended:
        turn.shut(child)
    current = turn.current if ended else None
    if current is None or current.phase is not Phase.ESTABLISHED:
        return
    reason = "a Child SA was not rekeyed by the end of its life"
    if not any(ike.outstanding for ike in turn.ikes):
        turn.audit(reason, current.spi)
        turn.enqueue_first(current, DeleteIke())
        return
    for ike in turn.ikes:
        if ike.phase is Phase.ESTABLISHED or ike.phase is Phase.CANDIDATE:
            turn.close(ike, reason)


def _farewell(ike: IkeSa, settings: Settings) -> float:
    """When to delete an IKE SA that was not rekeyed, in time for an answer before its end; infinity for never."""
    if not ike.ends_at or any(isinstance(command, DeleteIke) for command in ike.queue):
        return NEVER
    return ike.ends_at - min(settings.retransmit_initial_seconds, settings.expire_ike_seconds / 10)


def _tick_ike(turn: Turn, ike: IkeSa) -> None:
    now, settings = turn.now, turn.env.settings
    if ike.expires and ike.expires <= now:
        _expire(turn, ike)
        return
    if ike.handshake is not None and ike.handshake.expires and ike.handshake.expires <= now:
        slow = "did not go on to IKE_AUTH" if ike.handshake.eap is None else "did not come to the end of EAP in time"
        turn.close(ike, f"the initiator {slow}")
        return
    if any(partial.expires <= now for partial in ike.partial):
        ike = fragmentation.forget(turn, ike)
    overdue = [exchange for exchange in ike.outstanding if exchange.deadline <= now]
    if overdue:
        _retransmit(turn, ike, overdue)
        return
    if ike.phase is not Phase.ESTABLISHED:
        return
    if settings.keepalive_seconds and ike.nat_local and ike.sent + settings.keepalive_seconds <= now:
        turn.keepalive(ike)
        ike = turn.put(ike._replace(sent=now))
    if not ike.outstanding and not ike.queue:
        if ike.rekey_at and ike.rekey_at <= now:
            turn.enqueue(ike._replace(rekey_at=turn.env.lifetime(now, settings.rekey_ike_seconds)), RekeyIke())
        elif _farewell(ike, settings) <= now:
            # 7296-2.4-26
            turn.enqueue(ike, DeleteIke())
        elif settings.liveness_seconds and ike.heard + settings.liveness_seconds <= now:
            turn.enqueue(ike, CheckLiveness())


def _rekey_children(turn: Turn) -> None:
    """Ask once in a lifetime; what fails is tried again as its answer says (Section 2.25), or a lifetime later."""
    for child in turn.children:
        if child.rekey_at and child.rekey_at <= turn.now and child.state is ChildState.OPEN:
            later = turn.env.lifetime(turn.now, turn.env.settings.rekey_child_seconds)
            turn.put_child(child._replace(rekey_at=later))
            current, command = turn.current, RekeyChild(child.spi_in)
            if current is not None and not waits(current, command):
                turn.enqueue(current, command)


def _expire(turn: Turn, ike: IkeSa) -> None:
    """A closed IKE SA is forgotten; one whose Delete by the peer never came is deleted by us (Section 2.8)."""
    if ike.phase is Phase.CLOSED:
        turn.ikes = tuple(other for other in turn.ikes if other.spi != ike.spi)
    else:
        turn.enqueue(ike._replace(expires=0.0), DeleteIke())


def _retransmit(turn: Turn, ike: IkeSa, overdue: list[Exchange]) -> None:
    """Send the same octets again, or give the peer up (7296-2.1-09, 7296-2.1-11)."""
    settings = turn.env.settings
    if any(exchange.transmissions > settings.retransmit_tries for exchange in overdue):
        _give_up(turn, ike)
        return
    for exchange in overdue:
        count = exchange.transmissions + 1
        wait = window.wait(count, settings.retransmit_initial_seconds, settings.retransmit_base)
        ike = turn.amend(ike, exchange, exchange._replace(transmissions=count, deadline=turn.now + wait))
        ike = turn.put(ike._replace(sent=turn.now))
        turn.transmit(ike.path, exchange.datagrams, exchange.message, again=True)


def _give_up(turn: Turn, ike: IkeSa) -> None:
    """The peer is dead as far as this IKE SA goes; all its state is discarded (7296-2.1-10, 7296-2.4-09)."""
    rekey.promote_candidate(turn, ike)
    hint = ike.handshake.hint if ike.handshake is not None else ""
    reason = "the peer does not answer" + (f"; it said, unauthenticated: {hint}" if hint else "")
    deleting = any(isinstance(exchange.intent, Informational) for exchange in ike.outstanding)
    if deleting and ike.phase is Phase.DELETING:
        reason = f"deleted by this end; {reason}"
    turn.close(turn.ike(ike.spi) or ike, reason)
