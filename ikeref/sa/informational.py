"""INFORMATIONAL in both roles: Delete, liveness, notifications (Sections 1.4, 1.4.1, 2.4, 2.21, 2.25)."""

from ikeref.registry import CfgType, ExchangeType, NotifyType, ProtocolId, name
from ikeref.sa import configuration, rekey
from ikeref.sa.authentication import Reply, is_report
from ikeref.sa.compose import window_size
from ikeref.sa.turn import Turn
from ikeref.sa.values import (
    AnnounceWindow,
    AskConfiguration,
    CheckLiveness,
    ChildRequest,
    ChildSa,
    ChildState,
    DeleteChild,
    DeleteIke,
    IkeSa,
    Informational,
    Notice,
    Phase,
    Report,
    TellInvalidSpi,
)
from ikeref.wire import CP, D, Message, N

# Initiator


def start(turn: Turn, ike: IkeSa, command: Notice) -> None:
    """Send INFORMATIONAL."""
    match command:
        case DeleteChild():
            _start_delete(turn, ike, command)
        case DeleteIke():
            intent = Informational(command)
            turn.request(
                ike._replace(phase=Phase.DELETING, queue=()),
                ExchangeType.INFORMATIONAL,
                (D(ProtocolId.IKE, 0, ()),),
                intent,
            )
        case CheckLiveness():
            turn.request(ike, ExchangeType.INFORMATIONAL, (), Informational(command))
        case Report():
            turn.request(ike, ExchangeType.INFORMATIONAL, (N(command.notify),), Informational(command))
        case AnnounceWindow():
            size = turn.env.settings.window_size
            ike = ike._replace(window=max(ike.window, size))
            turn.request(ike, ExchangeType.INFORMATIONAL, window_size(size), Informational(command))
        case TellInvalidSpi(spi=spi):
            turn.request(ike, ExchangeType.INFORMATIONAL, (N(NotifyType.INVALID_SPI, spi),), Informational(command))
        case AskConfiguration(attributes=attributes):
            asked = CP(CfgType.REQUEST, attributes or turn.connection.request)
            turn.request(ike, ExchangeType.INFORMATIONAL, (asked,), Informational(command))


def _start_delete(turn: Turn, ike: IkeSa, command: DeleteChild) -> None:
    child = _meant(turn, command.spi_in)
    if child is not None:
        command = DeleteChild(child.spi_in, child.protocol_id)
        turn.put_child(child._replace(state=ChildState.DELETING))
    elif not command.protocol_id:
        return  # It went in the meantime, as was wanted.
    payload = D(command.protocol_id, 4, (command.spi_in,))
    turn.request(ike, ExchangeType.INFORMATIONAL, (payload,), Informational(command))


def _meant(turn: Turn, spi_in: bytes) -> ChildSa | None:
    """The Child SA of a waiting command."""
    child = turn.child(spi_in)
    return child if child is not None and child.state is not ChildState.DELETING else None


def receive_response(turn: Turn, ike: IkeSa, message: Message, intent: Informational) -> None:
    """Process the answer (Sections 1.4.1, 2.19, 2.21.3)."""
    match intent.command:
        case DeleteChild(spi_in=spi_in):
            child = turn.child(spi_in)
            if child is not None:
                # Both directions, or the inbound one alone where the deletes crossed (7296-1.4.1-09).
                turn.remove(child)
        case DeleteIke():
            turn.close(ike, "deleted by this end")
        case Report(notify=notify):
            turn.close(ike, f"authentication of the responder failed: {name(NotifyType, notify)}")
        case AskConfiguration():
            configuration.receive_response(turn, message.payloads)
        case CheckLiveness() | AnnounceWindow() | TellInvalidSpi():
            pass


# Responder


def respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:
    """Answer INFORMATIONAL: always (7296-1.4-05), with Delete payloads where Child SAs are deleted (7296-1.4.1-07)."""
    payloads = message.payloads
    amid = ike.phase is Phase.HALF_OPEN
    follows = ike.authenticated_by and message.message_id == ike.authenticated_by + 1
    if (follows or amid) and not ike.initiator and (notify := is_report(message)):
        return Reply((), close=f"the initiator says {name(NotifyType, notify)}")
    deletes = [payload for payload in payloads if type(payload) is D]
    if any(delete.protocol_id == ProtocolId.IKE for delete in deletes):
        rekey.promote_candidate(turn, ike)
        # Empty, whatever of ours is under way (7296-1.4.1-12, 7296-2.25.2-04, 7296-2.25.2-05).
        return Reply((), close="deleted by the peer")
    closed: dict[int, list[bytes]] = {}
    for delete in deletes:
        for spi in delete.spis:
            child = turn.child_by_peer(delete.protocol_id, spi)
            if child is None:
                _condemn(turn, ike.spi, spi)
                continue  # 7296-2.25.1-07
            if child.state is ChildState.DELETING:
                # 7296-1.4.1-08, 7296-1.4.1-10, 7296-2.25.1-05
                turn.close_outbound(child)
            else:
                turn.remove(child)
                closed.setdefault(child.protocol_id, []).append(child.spi_in)
    for payload in payloads:
        if type(payload) is N:
            turn.audit(f"the peer says {name(NotifyType, payload.type)}")
    configured = configuration.respond(turn, payloads)
    return Reply((*configured, *[D(protocol, 4, tuple(spis)) for protocol, spis in closed.items()]))


def _condemn(turn: Turn, ike_spi: bytes, spi: bytes) -> None:
    """Remember a Delete for a Child SA that the peer may have just created for us, its answer still on the way."""
    ike = turn.ike(ike_spi)
    assert ike is not None
    for exchange in ike.outstanding:
        if isinstance(exchange.intent, ChildRequest):
            intent = exchange.intent._replace(condemned=(*exchange.intent.condemned, spi))
            ike = turn.amend(ike, exchange, exchange._replace(intent=intent))
