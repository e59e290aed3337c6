"""Rekeying the IKE SA, in both roles; its successor inherits the Child SAs (Sections 1.3.2, 2.8, 2.8.2, 2.18)."""

from ikeref.crypto import Suite, schedule
from ikeref.errors import InvalidKePayload, InvalidSyntax, NoProposalChosen, RemoteProtocolError, TemporaryFailure
from ikeref.policy import choice, explain
from ikeref.registry import ExchangeType, NotifyType, ProtocolId, name
from ikeref.sa import collisions
from ikeref.sa.compose import first_error, one
from ikeref.sa.outputs import Established, Failed
from ikeref.sa.retry import try_again
from ikeref.sa.turn import Turn
from ikeref.sa.values import (
    AnnounceWindow,
    ChildRequest,
    ChildState,
    Crossing,
    DeleteChild,
    DeleteIke,
    IkeRequest,
    IkeSa,
    Informational,
    Intent,
    Phase,
    RekeyIke,
)
from ikeref.wire import KE, SA, Message, N, Nonce, Payload, Proposal

# Initiator


def start(turn: Turn, ike: IkeSa, command: RekeyIke) -> None:
    """Send CREATE_CHILD_SA for a successor of the IKE SA (Section 1.3.2). KE is always there (7296-1.3.2-02)."""
    spi, nonce = turn.env.new_spi(8), turn.env.random(turn.env.settings.nonce_octets)
    offer = tuple(p._replace(number=i, spi=spi) for i, p in enumerate(turn.connection.ike_proposals, 1))
    group = command.group or choice.groups_of(offer)[0]
    private, public = turn.env.crypto.generate(group, turn.env.random)
    payloads = (SA(offer), Nonce(nonce), KE(group, public))
    turn.request(ike, ExchangeType.CREATE_CHILD_SA, payloads, IkeRequest(command, spi, nonce, offer, group, private))


def receive_response(turn: Turn, ike: IkeSa, message: Message, intent: IkeRequest) -> None:
    """Process the answer to our rekey (Sections 1.3.2, 2.8.2, 2.18, 2.25.2)."""
    payloads = message.payloads
    error = first_error(payloads)
    if error is not None:
        _failed(turn, ike, intent, error)
        return
    try:
        # Parse
        answer = one(payloads, SA, "1.3.2")
        nonce = one(payloads, Nonce, "1.3.2").data
        key_exchange = one(payloads, KE, "1.3.2")
        # Check
        chosen = choice.verify_choice(intent.proposals, answer.proposals)
        suite = choice.suite_of(chosen)
        if not key_exchange.group == suite.group == intent.group:
            raise InvalidSyntax("KE is not of the group chosen", section="1.3.2", field="KE.group")
        if chosen.spi == bytes(8):
            raise InvalidSyntax("the new SPI is zero", section="1.3.2", field="SA.Proposal.SPI")
        # Derive
        g_ir = turn.env.crypto.agree(suite.group, intent.private, key_exchange.public)
    except RemoteProtocolError as failure:
        # The peer has a successor that we can't have: state is out of step, so start over (7296-2.21.3-03).
        turn.outputs.append(Failed("rekey of the IKE SA", failure.reason))
        turn.enqueue_first(ike, DeleteIke())
        return
    made = _successor(turn, ike, True, intent.spi, chosen.spi, suite, intent.nonce, nonce, g_ir)
    # State
    crossing = intent.crossing
    theirs = turn.ike(crossing.spi) if crossing is not None else None
    if crossing is not None and collisions.ours_is_redundant(
        (intent.nonce, nonce), crossing.nonces, (made.spi_i, made.spi_r), crossing.spis
    ):
        turn.put(made._replace(phase=Phase.REKEYED, redundant=True, queue=(DeleteIke(),)))
        _yield(turn, ike, theirs)
        return
    if theirs is not None and theirs.phase is Phase.CANDIDATE:
        turn.put(theirs._replace(phase=Phase.REKEYED, redundant=True, expires=turn.now + turn.patience))
    _inherit(turn, ike, made, delete=True)


def _failed(turn: Turn, ike: IkeSa, intent: IkeRequest, error: N) -> None:
    """A refusal changes nothing (Section 1.3); some call for another attempt (Section 2.25)."""
    turn.outputs.append(Failed("rekey of the IKE SA", name(NotifyType, error.type)))
    if error.type == NotifyType.NO_PROPOSAL_CHOSEN:
        turn.audit(explain.offer(intent.proposals), ike.spi)
    if intent.crossing is not None:
        _yield(turn, ike, turn.ike(intent.crossing.spi))
        return
    try_again(turn, ike, intent.command, intent.proposals, error)


# Responder


def respond(turn: Turn, ike: IkeSa, message: Message) -> tuple[Payload, ...]:
    """Answer the peer's rekey. Raises RemoteProtocolError where it is refused."""
    # Check
    if ike.phase is not Phase.ESTABLISHED:
        # 7296-2.25.2-03, 7296-2.8.2-03
        raise TemporaryFailure("the IKE SA is being rekeyed or closed", section="2.25.2")
    if any(_concerns_child(exchange.intent) for exchange in ike.outstanding) or _has_delete_due(turn, ike):
        # 7296-2.25.1-08
        raise TemporaryFailure("a Child SA is being created, rekeyed or closed", section="2.25.1")
    exchange = ike.rekey
    intent = exchange.intent if exchange is not None else None
    if isinstance(intent, IkeRequest) and intent.crossing is not None:
        raise TemporaryFailure("the IKE SA has been rekeyed", section="2.25.2")
    # Parse
    payloads = message.payloads
    offer = one(payloads, SA, "1.3.2").proposals
    nonce = one(payloads, Nonce, "1.3.2").data
    key_exchange = one(payloads, KE, "1.3.2")
    chosen = choice.choose(offer, turn.connection.ike_proposals)
    if chosen is None:
        detail = explain.suites(offer, turn.connection.ike_proposals)
        raise NoProposalChosen("no proposal for an IKE SA is acceptable", section="2.7", field="SA", detail=detail)
    spi_i = _offered_spi(offer, chosen)
    if len(spi_i) != 8 or spi_i == bytes(8):
        raise InvalidSyntax("the SPI of an IKE SA has 8 octets, not all zero", section="3.3.1", field="SA.Proposal.SPI")
    suite = choice.suite_of(chosen)
    if key_exchange.group != suite.group:
        wanted = suite.group.to_bytes(2, "big")
        raise InvalidKePayload(f"the group chosen is {suite.group}", section="1.3.2", data=wanted)
    # Derive
    private, public = turn.env.crypto.generate(suite.group, turn.env.random)
    g_ir = turn.env.crypto.agree(suite.group, private, key_exchange.public)
    own, spi_r = turn.env.random(turn.env.settings.nonce_octets), turn.env.new_spi(8)
    made = _successor(turn, ike, False, spi_i, spi_r, suite, nonce, own, g_ir)
    # State
    if exchange is not None and isinstance(intent, IkeRequest):
        # 7296-2.25.2-01, 7296-2.25.2-02
        crossing = Crossing((nonce, own), made.spi, (spi_i, spi_r))
        turn.amend(ike, exchange, exchange._replace(intent=intent._replace(crossing=crossing)))
        turn.put(made._replace(phase=Phase.CANDIDATE))
    else:
        _inherit(turn, ike, made)
    # Reply
    return (SA((chosen._replace(spi=spi_r),)), Nonce(own), KE(suite.group, public))


def _concerns_child(intent: Intent) -> bool:
    return isinstance(intent, ChildRequest) or (
        isinstance(intent, Informational) and isinstance(intent.command, DeleteChild)
    )


def _has_delete_due(turn: Turn, ike: IkeSa) -> bool:
    """Whether a Delete waits for the window that ends the rekey of a Child SA, or one that we did not accept."""
    for command in ike.queue:
        if isinstance(command, DeleteChild):
            old = turn.child(command.spi_in)
            if command.protocol_id if old is None else old.state is ChildState.REPLACED:
                return True
    return False


def _offered_spi(offer: tuple[Proposal, ...], chosen: Proposal) -> bytes:
    for proposal in offer:
        if proposal.number == chosen.number and proposal.protocol_id == ProtocolId.IKE:
            return proposal.spi
    return b""


# Both ends


def _successor(
    turn: Turn, ike: IkeSa, initiator: bool, spi_i: bytes, spi_r: bytes, suite: Suite, ni: bytes, nr: bytes, g_ir: bytes
) -> IkeSa:
    """The new IKE SA, its counters at 0: SKEYSEED by the old PRF from the old SK_d, SK_* by the new (Section 2.18).

    7296-1.3.2-06, 7296-1.3.2-09, 7296-2.18-03, 7296-2.18-04, 7296-2.18-10.
    """
    assert ike.keys is not None
    assert ike.suite is not None
    crypto = turn.env.crypto
    skeyseed = schedule.skeyseed_rekey(crypto, ike.suite.prf, ike.keys.sk_d, g_ir, ni, nr)
    keys = schedule.ike_keys(crypto, suite, skeyseed, ni, nr, spi_i, spi_r)
    turn.announce_keys(spi_i, spi_r, suite, keys)
    return turn.put(
        IkeSa(
            Phase.ESTABLISHED,
            initiator,
            spi_i,
            spi_r,
            ike.path,
            suite,
            keys,
            fragmentation=ike.fragmentation,
            nat_local=ike.nat_local,
            nat_remote=ike.nat_remote,
            rekey_at=turn.env.lifetime(turn.now, turn.env.settings.rekey_ike_seconds),
            ends_at=turn.env.end(turn.now, turn.env.settings.expire_ike_seconds),
            heard=turn.now,
            sent=turn.now,
        )
    )


def _inherit(turn: Turn, old: IkeSa, heir: IkeSa, *, delete: bool = False) -> None:
    """The heir takes over: Child SAs (they follow `current`), and the commands that wait (7296-2.8-09, 7296-2.8.2-02).

    Whoever's exchange made the heir deletes the old IKE SA, and that is its last request (7296-2.8-10, 7296-2.8-11).
    """
    old = turn.ike(old.spi) or old
    waiting = tuple(command for command in old.queue if not isinstance(command, RekeyIke))
    # The window of the heir is 1 until it is told otherwise (7296-2.3-14).
    announcing = (AnnounceWindow(),) if turn.env.settings.window_size > 1 else ()
    turn.put(heir._replace(phase=Phase.ESTABLISHED, queue=(*heir.queue, *announcing, *waiting)))
    expires = 0.0 if delete else turn.now + turn.patience
    queue = (DeleteIke(),) if delete else ()
    turn.put(old._replace(phase=Phase.REKEYED, succeeded=True, queue=queue, expires=expires))
    assert turn.peer is not None
    turn.outputs.append(Established(heir.spi_i, heir.spi_r, turn.peer, succeeds=old.spi))


def _yield(turn: Turn, old: IkeSa, theirs: IkeSa | None) -> None:
    """The peer's successor inherits; if it was deleted by then, the Child SAs went with it (7296-1.4.1-11)."""
    if theirs is not None and theirs.phase is Phase.CANDIDATE:
        _inherit(turn, old, theirs)
        return
    old = turn.ike(old.spi) or old
    turn.put(old._replace(phase=Phase.REKEYED, succeeded=True, queue=(), expires=turn.now + turn.patience))
    turn.close_children()


def promote_candidate(turn: Turn, old: IkeSa) -> None:
    """The old IKE SA goes before our own rekey was answered: the peer's successor inherits (7296-2.8.2-04)."""
    intent = old.rekey.intent if old.rekey is not None else None
    if isinstance(intent, IkeRequest) and intent.crossing is not None:
        candidate = turn.ike(intent.crossing.spi)
        if candidate is not None and candidate.phase is Phase.CANDIDATE:
            _inherit(turn, old, candidate)
