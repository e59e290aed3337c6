"""Child SAs: created by IKE_AUTH and CREATE_CHILD_SA, and rekeyed (Sections 1.2, 1.3.1, 1.3.3, 2.8, 2.9, 2.17)."""

from ikeref.crypto import schedule
from ikeref.errors import (
    InvalidKePayload,
    InvalidSyntax,
    NoAdditionalSas,
    NoProposalChosen,
    RemoteProtocolError,
    TemporaryFailure,
    TsUnacceptable,
)
from ikeref.policy import choice, explain, selectors
from ikeref.policy.connections import ChildConfig
from ikeref.registry import ExchangeType, NotifyType, ProtocolId, name
from ikeref.sa import collisions, configuration, options
from ikeref.sa.compose import first_error, maybe, notification, one
from ikeref.sa.negotiation import (
    Agreed,
    Selectors,
    decide,
    lacks_address,
    offered_selectors,
    own_selectors,
    shared,
    verify_answer,
)
from ikeref.sa.options import NO_OPTIONS
from ikeref.sa.outputs import Failed
from ikeref.sa.retry import try_again
from ikeref.sa.turn import Turn
from ikeref.sa.values import (
    Authentication,
    ChildRequest,
    ChildSa,
    ChildState,
    CreateChild,
    Crossing,
    DeleteChild,
    DeleteIke,
    Handshake,
    IkeSa,
    Informational,
    Phase,
    RekeyChild,
)
from ikeref.wire import KE, SA, Message, N, Nonce, Payload, Proposal, TSi, TSr

_TRANSPORT = N(NotifyType.USE_TRANSPORT_MODE)
_MORE = N(NotifyType.ADDITIONAL_TS_POSSIBLE)


def _offer(proposals: tuple[Proposal, ...], spi: bytes) -> tuple[Proposal, ...]:
    """Numbered from 1, each with our SPI (Section 3.3.1)."""
    return tuple(
        [Proposal(index, proposal.protocol_id, spi, proposal.transforms) for index, proposal in enumerate(proposals, 1)]
    )


# The first Child SA, in IKE_AUTH (Section 1.2)


def first_offer(turn: Turn, ike: IkeSa, config: ChildConfig | None) -> tuple[Authentication, tuple[Payload, ...]]:
    """What IKE_AUTH asks for besides authentication. Raises TsUnacceptable where policy lets nothing be asked for."""
    if config is None:
        return Authentication(None, b"", ()), ()
    packet = ike.handshake.packet if ike.handshake is not None else ()
    local, remote = offered_selectors(turn, ike, config, packet)
    spi = turn.env.new_spi(4)
    proposals = _offer(choice.without_ke(config.proposals), spi)
    transport = (_TRANSPORT,) if config.mode == "transport" else ()
    return Authentication(config, spi, proposals), (
        *configuration.request(turn.connection),
        *transport,
        *options.ask(config, spi),
        SA(proposals),
        TSi(local),
        TSr(remote),
    )


def first_accept(turn: Turn, ike: IkeSa, handshake: Handshake, payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
    """Answer what IKE_AUTH asks for. Raises RemoteProtocolError where the Child SA is refused."""
    configured = configuration.answer(turn, payloads)
    config, agreed, chosen = decide(turn, ike, payloads, with_ke=False)
    return (*configured, *_create(turn, ike, config, payloads, agreed, chosen, handshake.ni, handshake.nr, b""))


def first_answer(
    turn: Turn, ike: IkeSa, handshake: Handshake, intent: Authentication, payloads: tuple[Payload, ...]
) -> None:
    """Process the answer to what IKE_AUTH asked for. A failure leaves the IKE SA (7296-1-06, 7296-2.21.2-10)."""
    config = intent.child
    assert config is not None
    try:
        if maybe(payloads, SA, "1.2") is None:
            error = first_error(payloads)
            reason = "no Child SA in the answer" if error is None else name(NotifyType, error.type)
            turn.outputs.append(Failed(f"Child SA {config.name}", reason))
            _explain(turn, ike, error, intent.proposals, *offered_selectors(turn, ike, config, handshake.packet))
            if error is not None and error.type == NotifyType.SINGLE_PAIR_REQUIRED:
                # IKE_AUTH is over: another attempt is an exchange of its own.
                try_again(turn, ike, CreateChild(config.name, packet=handshake.packet), intent.proposals, error)
            return
        configuration.receive(turn, payloads)
        local, remote = offered_selectors(turn, ike, config, handshake.packet)
        agreed = verify_answer(
            ike, config, intent.spi_in, config.mode == "transport", intent.proposals, local, remote, payloads
        )
    except RemoteProtocolError as failure:
        spi_out = _answered_spi(payloads)
        _refuse_answer(turn, ike, config, intent.spi_in, intent.proposals, failure, spi_out)
        return
    if agreed.more:
        _hint(turn)
    _establish(turn, ike, config, intent.spi_in, agreed, handshake.ni, handshake.nr, b"")


def _explain(
    turn: Turn, ike: IkeSa, error: N | None, proposals: tuple[Proposal, ...], tsi: Selectors, tsr: Selectors
) -> None:
    """Tell whoever watches what it was that the peer refused."""
    if error is None:
        return
    if error.type == NotifyType.NO_PROPOSAL_CHOSEN:
        turn.audit(explain.offer(proposals), ike.spi)
    elif error.type in (NotifyType.TS_UNACCEPTABLE, NotifyType.SINGLE_PAIR_REQUIRED):
        turn.audit(f"we offered: TSi {explain.texts(tsi)}, TSr {explain.texts(tsr)}", ike.spi)


def _hint(turn: Turn) -> None:
    turn.audit("the peer would accept more of this traffic, in another Child SA (Section 2.9)")


def _refuse_answer(
    turn: Turn,
    ike: IkeSa,
    config: ChildConfig,
    spi_in: bytes,
    offer: tuple[Proposal, ...],
    error: RemoteProtocolError,
    spi_out: bytes,
) -> None:
    """The peer has a Child SA that we don't want: it has to be deleted (7296-1.3.1-08, 7296-2.21-03)."""
    turn.outputs.append(Failed(f"Child SA {config.name}", error.reason))
    if error.detail:
        turn.audit(error.detail, ike.spi)
    turn.enqueue_first(ike, DeleteChild(spi_in, offer[0].protocol_id, spi_out))


def _is_unwanted(ike: IkeSa, spi_out: bytes) -> bool:
    """Whether only the peer has that Child SA, since we did not accept it, and our Delete waits or is unanswered."""
    asked = [exchange.intent.command for exchange in ike.outstanding if isinstance(exchange.intent, Informational)]
    return any(type(command) is DeleteChild and command.spi_out == spi_out for command in (*ike.queue, *asked))


# Establishing


def _made(
    turn: Turn,
    ike: IkeSa,
    config: ChildConfig,
    spi_in: bytes,
    agreed: Agreed,
    initiator: bool,
    ni: bytes,
    nr: bytes,
    g_ir: bytes,
    replaces: bytes,
) -> ChildSa:
    """A Child SA with its keys, not installed yet (Section 2.17)."""
    assert ike.keys is not None
    assert ike.suite is not None
    local, remote = (agreed.tsi, agreed.tsr) if initiator else (agreed.tsr, agreed.tsi)
    local, remote = shared(local, config.local_ts), shared(remote, config.remote_ts)
    return ChildSa(
        config.name,
        spi_in,
        agreed.spi,
        agreed.suite,
        local,
        remote,
        initiator,
        schedule.child_keys(turn.env.crypto, ike.suite.prf, ike.keys.sk_d, ni, nr, agreed.suite, g_ir),
        agreed.transport,
        replaces=replaces,
        rekey_at=turn.env.lifetime(turn.now, turn.env.settings.rekey_child_seconds),
        options=agreed.options,
        original=agreed.original,
        ends_at=turn.env.end(turn.now, turn.env.settings.expire_child_seconds),
    )


def _create(
    turn: Turn,
    ike: IkeSa,
    config: ChildConfig,
    payloads: tuple[Payload, ...],
    agreed: Agreed,
    chosen: Proposal,
    ni: bytes,
    nr: bytes,
    g_ir: bytes,
    replaces: bytes = b"",
) -> tuple[Payload, ...]:
    """Create a Child SA as responder, and say what was chosen (Section 1.3.1).

    Inbound is installed before the response goes out (7296-2.8-17), and outbound too; in a rekey outbound waits until
    the peer deletes the old SA, which tells that it has the new one (7296-2.8-22, 7296-2.8-23).
    """
    spi = turn.env.new_spi(4)
    granted, said = options.grant(config, spi, payloads)
    if granted != NO_OPTIONS:
        agreed = agreed._replace(options=granted)
    made = _made(turn, ike, config, spi, agreed, False, ni, nr, g_ir, replaces)
    turn.install(made, ike.path, outbound=not replaces)
    transport = (_TRANSPORT,) if agreed.transport else ()
    more = (_MORE,) if agreed.more else ()
    return (*transport, *more, *said, SA((chosen._replace(spi=spi),)), TSi(agreed.tsi), TSr(agreed.tsr))


def _establish(
    turn: Turn,
    ike: IkeSa,
    config: ChildConfig,
    spi_in: bytes,
    agreed: Agreed,
    ni: bytes,
    nr: bytes,
    g_ir: bytes,
    replaces: bytes = b"",
    *,
    gone: bool = False,
) -> ChildSa:
    """Install a Child SA as initiator: the peer can receive already (7296-2.8-18).

    Not if it is `gone`: the peer has deleted it meanwhile, and was told that there is none (Section 1.4.1).
    """
    made = _made(turn, ike, config, spi_in, agreed, True, ni, nr, g_ir, replaces)
    if not gone:
        turn.install(made, ike.path)
    return made


def _answered_spi(payloads: tuple[Payload, ...]) -> bytes:
    """The peer's SPI in an answer, whatever is wrong with the rest; empty where there is none."""
    offers = [payload.proposals for payload in payloads if type(payload) is SA]
    return next((proposal.spi for proposals in offers for proposal in proposals), b"")


def _acquit(turn: Turn, ike: IkeSa, spi: bytes) -> IkeSa:
    """What the peer has deleted has come. Then it is not what other requests of ours may yet bring: the peer may give
    them the same SPI (Section 1.4.1)."""
    for exchange in ike.outstanding:
        if isinstance(exchange.intent, ChildRequest) and spi in exchange.intent.condemned:
            others = tuple([each for each in exchange.intent.condemned if each != spi])
            ike = turn.amend(ike, exchange, exchange._replace(intent=exchange.intent._replace(condemned=others)))
    return ike


# CREATE_CHILD_SA, initiator


def start(turn: Turn, ike: IkeSa, command: CreateChild | RekeyChild) -> None:
    """Send CREATE_CHILD_SA for a new Child SA, or for one that replaces another (Sections 1.3.1, 1.3.3)."""
    old = None
    if isinstance(command, RekeyChild):
        old = turn.child(command.spi_in)
        if old is None or old.state is not ChildState.OPEN:
            turn.outputs.append(Failed("rekey of a Child SA", "it is gone, or on its way"))
            return
    config_name = old.name if old is not None else command.name if isinstance(command, CreateChild) else ""
    config = next((c for c in turn.connection.children if c.name == config_name), None)
    if config is None:
        turn.outputs.append(Failed(f"Child SA {config_name}", "no such Child SA is configured"))
        return
    try:
        local, remote = _selectors_to_offer(turn, ike, config, command, old)
    except TsUnacceptable as failure:
        turn.outputs.append(Failed(f"Child SA {config_name}", failure.reason))
        return
    spi, nonce = turn.env.new_spi(4), turn.env.random(turn.env.settings.nonce_octets)
    policy = config.proposals if old is None else choice.in_use_first(config.proposals, old.suite)
    proposals = _offer(policy, spi)
    groups = choice.groups_of(proposals)
    group = command.group or (groups[0] if groups else 0)
    private = None
    key_exchange: tuple[Payload, ...] = ()
    if group:
        private, public = turn.env.crypto.generate(group, turn.env.random)
        key_exchange = (KE(group, public),)
    rekey: tuple[Payload, ...] = ()
    if old is not None:
        rekey = (N(NotifyType.REKEY_SA, b"", old.protocol_id, old.spi_in),)
        turn.put_child(old._replace(state=ChildState.REKEYING))
    transport = old.transport if old is not None else config.mode == "transport"  # A rekey keeps it (7296-2.8-08).
    mode = (_TRANSPORT,) if transport else ()
    asked = options.ask(config, spi)
    payloads = (*rekey, *mode, *asked, SA(proposals), Nonce(nonce), *key_exchange, TSi(local), TSr(remote))
    intent = ChildRequest(command, config, spi, nonce, proposals, group, private, local, remote, transport)
    turn.request(ike, ExchangeType.CREATE_CHILD_SA, payloads, intent)


def _selectors_to_offer(
    turn: Turn, ike: IkeSa, config: ChildConfig, command: CreateChild | RekeyChild, old: ChildSa | None
) -> tuple[Selectors, Selectors]:
    """What CREATE_CHILD_SA offers. Raises TsUnacceptable where policy lets nothing be offered.

    A rekey offers the same as in use, or more (7296-2.9.2-03), and no packet's selectors (7296-2.9.2-05). One of a
    single pair of addresses stays that: its policy may have made others beside it.
    """
    if isinstance(command, CreateChild) and command.packet:
        return offered_selectors(turn, ike, config, command.packet, alone=command.alone)
    if old is None:
        if lacks_address(turn, config):
            raise TsUnacceptable("we have no internal address yet", section="2.19")
        return offered_selectors(turn, ike, config)
    if selectors.has_single_address(old.local_ts) and selectors.has_single_address(old.remote_ts):
        return old.local_ts, old.remote_ts
    local, remote = own_selectors(turn, config, ike)
    return (
        local if selectors.is_within(old.local_ts, local) else old.local_ts,
        remote if selectors.is_within(old.remote_ts, remote) else old.remote_ts,
    )


def receive_response(turn: Turn, ike: IkeSa, message: Message, intent: ChildRequest) -> None:
    """Process the answer to CREATE_CHILD_SA (Sections 1.3, 2.8.1, 2.21.3, 2.25)."""
    payloads = message.payloads
    old = turn.child(intent.command.spi_in) if isinstance(intent.command, RekeyChild) else None
    error = first_error(payloads)
    if error is not None:
        old = _not_rekeyed(turn, old, intent)
        _failed(turn, ike, intent, old, error)
        return
    try:
        # Parse
        nonce = one(payloads, Nonce, "1.3.1").data
        key_exchange = maybe(payloads, KE, "1.3.1")
        # Check
        agreed = verify_answer(
            ike, intent.config, intent.spi_in, intent.transport, intent.proposals, intent.tsi, intent.tsr, payloads
        )
        if isinstance(intent.command, RekeyChild) and old is not None:
            wide = selectors.is_within(old.local_ts, agreed.tsi) and selectors.is_within(old.remote_ts, agreed.tsr)
            if not wide:
                raise TsUnacceptable("the rekeyed Child SA is narrower than the old one", section="2.9.2", field="TS")
        # Derive
        g_ir = b""
        if agreed.suite.group:
            if key_exchange is None or not key_exchange.group == agreed.suite.group == intent.group:
                raise InvalidSyntax("KE is not of the group chosen", section="1.3.1", field="KE.group")
            try:
                g_ir = turn.env.crypto.agree(intent.group, intent.private, key_exchange.public)
            except InvalidSyntax as failure:
                _not_rekeyed(turn, old, intent)
                turn.outputs.append(Failed(f"Child SA {intent.config.name}", failure.reason))
                turn.enqueue_first(ike, DeleteIke())  # 6989-2.5-06
                return
    except RemoteProtocolError as failure:
        _not_rekeyed(turn, old, intent)
        spi_out = _answered_spi(payloads)
        ike = _acquit(turn, ike, spi_out)
        if spi_out in intent.condemned:
            turn.outputs.append(Failed(f"Child SA {intent.config.name}", failure.reason))
        else:
            _refuse_answer(turn, ike, intent.config, intent.spi_in, intent.proposals, failure, spi_out)
        return
    # State
    if agreed.more:
        _hint(turn)
    replaces = intent.command.spi_in if isinstance(intent.command, RekeyChild) else b""
    ike = _acquit(turn, ike, agreed.spi)
    gone = agreed.spi in intent.condemned
    made = _establish(turn, ike, intent.config, intent.spi_in, agreed, intent.nonce, nonce, g_ir, replaces, gone=gone)
    if isinstance(intent.command, RekeyChild):
        _replace(turn, ike, intent, made, old, nonce)


def _replace(turn: Turn, ike: IkeSa, intent: ChildRequest, made: ChildSa, old: ChildSa | None, nonce: bytes) -> None:
    """A rekey succeeded: the old Child SA goes (7296-2.8.1-05), or our new one if it lost (7296-2.8.1-03)."""
    crossing = intent.crossing
    if crossing is not None and collisions.ours_is_redundant(
        (intent.nonce, nonce), crossing.nonces, (made.spi_in, made.spi_out), crossing.spis
    ):
        if old is not None:
            turn.put_child(old._replace(state=ChildState.REPLACED))
        if turn.child(made.spi_in) is not None:
            turn.put_child(made._replace(keys=None, redundant=True, state=ChildState.REPLACED))
            turn.enqueue_first(ike, DeleteChild(made.spi_in, due=True))
        return
    theirs = turn.child(crossing.spi) if crossing is not None else None
    if theirs is not None and theirs.state is ChildState.OPEN:
        turn.put_child(theirs._replace(redundant=True, state=ChildState.REPLACED, keys=None))
    if old is not None and old.state is not ChildState.DELETING:
        turn.put_child(old._replace(state=ChildState.REPLACED))
        turn.enqueue_first(ike, DeleteChild(old.spi_in, due=True))


def _not_rekeyed(turn: Turn, old: ChildSa | None, intent: ChildRequest) -> ChildSa | None:
    """Our rekey failed: the old Child SA stays, unless the peer replaced it by a rekey that crossed (7296-2.8.1-08)."""
    if old is None or old.state is not ChildState.REKEYING:
        return old
    return turn.put_child(old._replace(state=ChildState.OPEN if intent.crossing is None else ChildState.REPLACED))


def _failed(turn: Turn, ike: IkeSa, intent: ChildRequest, old: ChildSa | None, error: N) -> None:
    """A refusal leaves the IKE SA; some call for another attempt (Sections 1.3, 2.21.3, 2.25)."""
    command = intent.command
    what = f"{'rekey of ' if isinstance(command, RekeyChild) else ''}Child SA {intent.config.name}"
    turn.outputs.append(Failed(what, name(NotifyType, error.type)))
    _explain(turn, ike, error, intent.proposals, intent.tsi, intent.tsr)
    if intent.crossing is not None or (isinstance(command, RekeyChild) and old is None):
        return  # The peer's rekey, or its delete, has done it already (7296-2.8.1-10).
    if error.type == NotifyType.CHILD_SA_NOT_FOUND and old is not None:
        # 7296-2.25-09, 7296-2.25-10
        turn.remove(old)
        turn.enqueue_first(ike, CreateChild(old.name))
        return
    try_again(turn, ike, command, intent.proposals, error)


# CREATE_CHILD_SA, responder


def respond(turn: Turn, ike: IkeSa, message: Message) -> tuple[Payload, ...]:
    """Answer CREATE_CHILD_SA for a Child SA. Raises RemoteProtocolError where it is refused."""
    # Parse
    payloads = message.payloads
    nonce = one(payloads, Nonce, "1.3.1").data
    key_exchange = maybe(payloads, KE, "1.3.1")
    rekey = notification(payloads, NotifyType.REKEY_SA)
    # Check
    if ike.rekey is not None:
        # 7296-2.25.2-06
        raise TemporaryFailure("the IKE SA is being rekeyed", section="2.25.2")
    old = turn.child_by_peer(rekey.protocol_id, rekey.spi) if rekey is not None else None
    if rekey is not None and old is None:
        if any(isinstance(exchange.intent, ChildRequest) for exchange in ike.outstanding):
            raise TemporaryFailure("the Child SA may be the one that is being created", section="2.25")
        if _is_unwanted(ike, rekey.spi):
            # 7296-2.25.1-01
            raise TemporaryFailure("the Child SA may be one that we do not accept and delete", section="2.25.1")
        # 7296-2.25.1-04, 7296-2.25-08
        return (N(NotifyType.CHILD_SA_NOT_FOUND, b"", rekey.protocol_id, rekey.spi),)
    if ike.phase is not Phase.ESTABLISHED:
        raise TemporaryFailure("the IKE SA is being closed", section="2.25")
    if old is not None:
        ours = ike.rekey_of(old.spi_in)
        crossed = ours is not None and isinstance(ours.intent, ChildRequest) and ours.intent.crossing is not None
        if old.state in (ChildState.DELETING, ChildState.REPLACED) or (old.state is ChildState.REKEYING and crossed):
            # 7296-2.25.1-01
            raise TemporaryFailure("the Child SA is being closed", section="2.25.1")
    limit = turn.env.settings.child_limit
    if rekey is None and limit and len(turn.children) >= limit:
        raise NoAdditionalSas(f"an IKE SA has at most {limit} Child SAs here", section="1.3")
    configured = configuration.answer(turn, payloads)
    config, agreed, chosen = decide(turn, ike, payloads, with_ke=True, old=old)
    if turn.child_by_peer(chosen.protocol_id, agreed.spi) is not None:
        raise NoProposalChosen("the peer's SPI is that of another Child SA", section="1.4.1", field="SA.Proposal.SPI")
    # Derive
    g_ir = b""
    reply_ke: tuple[Payload, ...] = ()
    group = agreed.suite.group
    if group:
        if key_exchange is None or key_exchange.group != group:
            raise InvalidKePayload(f"the group chosen is {group}", section="1.3", data=group.to_bytes(2, "big"))
        private, public = turn.env.crypto.generate(group, turn.env.random)
        g_ir = turn.env.crypto.agree(group, private, key_exchange.public)
        reply_ke = (KE(group, public),)
    own = turn.env.random(turn.env.settings.nonce_octets)
    # State
    replaces = old.spi_in if old is not None else b""
    reply = (*configured, *_create(turn, ike, config, payloads, agreed, chosen, nonce, own, g_ir, replaces))
    if old is not None:
        _note_rekey(turn, ike, old, agreed.spi, (nonce, own))
    # Reply
    position = next(i for i, payload in enumerate(reply) if type(payload) is SA) + 1
    return (*reply[:position], Nonce(own), *reply_ke, *reply[position:])


def _note_rekey(turn: Turn, ike: IkeSa, old: ChildSa, peer_spi: bytes, nonces: tuple[bytes, bytes]) -> None:
    """The peer's rekey succeeded. If ours is under way, remember that they crossed (7296-2.25.1-02, 7296-2.25.1-03).

    The peer has the old Child SA, if it rekeys it: there is nothing to wait for any more before we send on it.
    """
    made, old = turn.children[-1], turn.open_outbound(old)
    exchange = ike.rekey_of(old.spi_in)
    if exchange is not None and isinstance(exchange.intent, ChildRequest) and old.state is ChildState.REKEYING:
        crossing = Crossing(nonces, made.spi_in, (peer_spi, made.spi_in))
        turn.amend(ike, exchange, exchange._replace(intent=exchange.intent._replace(crossing=crossing)))
    else:
        turn.put_child(old._replace(state=ChildState.REPLACED))


def protocol_of(message: Message) -> int:
    """Which protocol an SA payload is for: it tells the kinds of CREATE_CHILD_SA apart (Section 1.3)."""
    offer = maybe(message.payloads, SA, "1.3")
    return offer.proposals[0].protocol_id if offer is not None and offer.proposals else ProtocolId.ESP
