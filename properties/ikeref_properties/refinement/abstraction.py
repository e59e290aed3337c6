"""From a session to the state of the model that it stands for (Sections 1.3, 1.4.1, 2.3, 2.8, 2.25).

Read are, and nothing else:

* of an IKE SA: its SPIs and role, phase, `next_request`, `expected`, which later requests were answered, the sizes of
  both windows; of each outstanding request its Message ID, what it asks for, the SPI of the Child SA that it is about,
  the peer's rekey that crossed it, the SPIs that the peer deleted meanwhile; whether a Delete of a replaced IKE SA
  waits; of a Delete that waits or is unanswered the SPI, and whether it is of a Child SA that only the peer has, since
  this end did not accept it; `redundant` and `succeeded`;
* of a Child SA: its SPI at this end, state, which directions are installed; whether a Delete of it waits that a rekey
  calls for, which is told by `initiator`, `replaces` and `redundant`;
* whether the peer is authenticated.

IKE SAs and Child SAs are named by this end's SPI, Child SAs that it does not have (yet) by the peer's. What no row
will read again is left out: IKE SAs that are closed, unless they may still be to inherit, and which successor an IKE
SA had once that is decided. `settled` does the same to states of the model.
"""

from ikeref_model.endpoint_state import ChildRecord, Endpoint, IkeRecord, Outstanding
from ikeref_model.events import Kind
from ikeref_model.state import Child, Ike

from ikeref.sa import ChildSa, ChildState, IkeSa, Phase, Session
from ikeref.sa.values import (
    ChildRequest,
    CreateChild,
    DeleteChild,
    DeleteIke,
    Exchange,
    IkeRequest,
    Informational,
    RekeyChild,
)

READ = {
    Session: "ikes children peer",
    IkeSa: "phase initiator spi_i spi_r next_request expected outstanding answers window peer_window queue redundant "
    "succeeded",
    ChildSa: "spi_in inbound outbound state",
    Exchange: "message_id intent",
    ChildRequest: "command crossing condemned",
    IkeRequest: "crossing",
    DeleteChild: "spi_in due",
}
"""The fields that the abstraction reads: scrambling any of them has to be noticed. (And `DeleteChild.protocol_id`, by
which a Delete of what only the peer has is told; explored ends have none, tests/unit/sa/test_unwanted.py has.)"""
_PHASES = {Phase.CANDIDATE: Ike.ESTABLISHED, Phase.REKEYED: Ike.REPLACED, Phase.DELETING: Ike.DELETING}
_STATES = {ChildState.OPEN: Child.OPEN, ChildState.REKEYING: Child.REKEYING, ChildState.REPLACED: Child.REPLACED}


def ike_name(spi: bytes) -> str:
    """By this end's SPI."""
    return f"IKE SA {spi.hex()}"


def child_name(spi_in: bytes) -> str:
    """By this end's SPI."""
    return f"Child SA {spi_in.hex()}"


def strange_name(spi_out: bytes) -> str:
    """By the peer's SPI: this end has no such Child SA."""
    return f"Child SA of the peer {spi_out.hex()}"


def kind_of_request(exchange: Exchange) -> Kind:
    """What an outstanding request asks for."""
    match exchange.intent:
        case ChildRequest(command=CreateChild()):
            return Kind.CREATE_CHILD
        case ChildRequest():
            return Kind.REKEY_CHILD
        case IkeRequest():
            return Kind.REKEY_IKE
        case Informational(command=DeleteChild()):
            return Kind.DELETE_CHILD
        case Informational(command=DeleteIke()):
            return Kind.DELETE_IKE
        case Informational():
            return Kind.LIVENESS
        case _:
            raise TypeError(f"{type(exchange.intent).__name__} has no place in an established IKE SA")


def endpoint(session: Session | None, deferred: frozenset[bytes]) -> Endpoint:
    """The state of the model for a session of which the first IKE SA is established.

    `deferred` are the Child SAs, by this end's SPI, of which only the outbound direction is still to be opened (Section
    2.8), as whoever watches the outputs knows. The model opens both directions at once.
    """
    if session is None:
        return Endpoint()
    ikes = [_ike(ike, session) for ike in session.ikes if ike.phase is not Phase.CLOSED]
    known = {each.name for each in ikes}
    ikes += [_ended(each.theirs) for each in ikes if each.state == Ike.CROSSED and each.theirs not in known]
    home = frozenset(ike_name(ike.spi) for ike in session.ikes if ike.owner)
    children = [_child(child, session, home, child.spi_in in deferred) for child in session.children]
    for ike in session.ikes:
        children += [*_requested(ike, session), *_unwanted(ike, session)]
    return Endpoint(tuple(sorted(ikes)), tuple(sorted(children, key=lambda each: each.name)))


def _ended(name: str) -> IkeRecord:
    """The peer's successor, which the peer has closed: it takes the Child SAs with it (Section 1.4.1)."""
    return IkeRecord(name, Ike.CLOSED)


def _ike(ike: IkeSa, session: Session) -> IkeRecord:
    state, theirs = _PHASES.get(ike.phase, Ike.ESTABLISHED), ""
    rekey = ike.rekey
    if rekey is not None and isinstance(rekey.intent, IkeRequest):
        state = Ike.REKEYING
        if rekey.intent.crossing is not None:
            state, theirs = Ike.CROSSED, ike_name(rekey.intent.crossing.spi)
    due = ike.phase is Phase.REKEYED and any(isinstance(each, DeleteIke) for each in ike.queue)
    if due and not ike.redundant:
        theirs = _superfluous(ike, session)
    return IkeRecord(
        ike_name(ike.spi),
        state,
        tuple([Outstanding(e.message_id, kind_of_request(e), _subjects(ike, e)) for e in ike.outstanding]),
        due,
        session.peer is not None,
        "",
        theirs,
        ike.next_request,
        ike.expected,
        tuple(sorted([number for number in ike.answered if number > ike.expected])),
        ike.window,
        ike.peer_window,
        ike.initiator,
    )


def _superfluous(ike: IkeSa, session: Session) -> str:
    """The peer's successor of a replaced IKE SA, which lost and is still there. It came before ours did."""
    for other in session.ikes[session.ikes.index(ike) + 1 :]:
        if not other.redundant:
            break
        if not other.initiator and other.phase is Phase.REKEYED:
            return ike_name(other.spi)
    return ""


def _subjects(ike: IkeSa, exchange: Exchange) -> tuple[str, ...]:
    match exchange.intent:
        case ChildRequest(command=RekeyChild(spi_in=spi)) | Informational(command=DeleteChild(spi_in=spi)):
            return (child_name(spi),)
        case ChildRequest():
            return (unborn_name(ike.spi, exchange.message_id),)
        case _:
            return ()


def unborn_name(spi: bytes, number: int) -> str:
    """The Child SA for which an IKE SA has asked in the request of that Message ID, as the monitor calls it."""
    return f"~{ike_name(spi)}.{number}"


def _child(child: ChildSa, session: Session, home: frozenset[str], deferred: bool) -> ChildRecord:
    outgoing = child.outbound or deferred
    if child.state is ChildState.DELETING:
        return ChildRecord(
            child_name(child.spi_in),
            Child.DELETING if outgoing else Child.HALF_CLOSED,
            child.inbound,
            outgoing,
            False,
            home,
        )
    state, theirs = _STATES[child.state], ""
    for ike in session.ikes:
        exchange = ike.rekey_of(child.spi_in)
        intent = exchange.intent if exchange is not None else None
        if isinstance(intent, ChildRequest) and intent.crossing is not None:
            state = Child.CROSSED
            if any(other.spi_in == intent.crossing.spi for other in session.children):
                theirs = child_name(intent.crossing.spi)
    waiting = [each for ike in session.ikes for each in ike.queue if type(each) is DeleteChild]
    due = child.state is ChildState.REPLACED and any(each.due and each.spi_in == child.spi_in for each in waiting)
    return ChildRecord(child_name(child.spi_in), state, child.inbound, outgoing, due, home, "", theirs)


def _requested(ike: IkeSa, session: Session) -> list[ChildRecord]:
    """What outstanding requests are about and is not there: yet, or any more."""
    found: dict[str, ChildRecord] = {}
    home = frozenset((ike_name(ike.spi),))
    for exchange in ike.outstanding:
        intent = exchange.intent
        if isinstance(intent, ChildRequest):
            missing = [ChildRecord(strange_name(spi), Child.DENIED) for spi in intent.condemned]
            missing += _missing(intent, session, home, unborn_name(ike.spi, exchange.message_id))
            found.update({each.name: each for each in missing})
    return [*found.values()]


def _unwanted(ike: IkeSa, session: Session) -> list[ChildRecord]:
    """What only the peer has, since this end did not accept its answer: a Delete waits, or is unanswered."""
    present, home = {child.spi_in for child in session.children}, frozenset((ike_name(ike.spi),))
    waiting = [(command, Child.UNWANTED) for command in ike.queue if type(command) is DeleteChild]
    intents = [each.intent.command for each in ike.outstanding if isinstance(each.intent, Informational)]
    waiting += [(command, Child.DELETING) for command in intents if type(command) is DeleteChild]
    return [
        ChildRecord(child_name(command.spi_in), state, due=state is Child.UNWANTED, homes=home)
        for command, state in waiting
        if command.protocol_id and command.spi_in not in present
    ]


def _missing(intent: ChildRequest, session: Session, home: frozenset[str], unborn: str) -> list[ChildRecord]:
    if isinstance(intent.command, CreateChild):
        return [ChildRecord(unborn, Child.CREATING, homes=home)]
    spi, present = intent.command.spi_in, {child.spi_in for child in session.children}
    if spi in present:
        return []
    if intent.crossing is None:
        return [ChildRecord(child_name(spi), Child.REKEYING_GONE, homes=home)]
    made = intent.crossing.spi
    theirs = child_name(made) if made in present else ""
    return [ChildRecord(child_name(spi), Child.CROSSED_GONE, False, False, False, home, "", theirs)]


def settled(state: Endpoint) -> Endpoint:
    """A state of the model without what no row will read again."""
    ikes = [_settled_ike(each, state) for each in state.ikes if each.state not in (Ike.CLOSED, Ike.IDLE)]
    heirs = [each.theirs for each in ikes if each.state == Ike.CROSSED]
    ikes += [_ended(each.name) for each in state.ikes if each.state == Ike.CLOSED and each.name in heirs]
    present = {each.name for each in state.children}
    expecting = any(each.asks(Kind.CREATE_CHILD) or each.asks(Kind.REKEY_CHILD) for each in ikes)
    children = [_settled_child(each, present) for each in state.children if expecting or each.state != Child.DENIED]
    return Endpoint(tuple(sorted(ikes)), tuple(sorted(children, key=lambda each: each.name)))


def _settled_ike(record: IkeRecord, state: Endpoint) -> IkeRecord:
    theirs = record.theirs
    if record.state == Ike.REPLACED:
        alive = state.ike(theirs).state not in (Ike.CLOSED, Ike.IDLE) if theirs else False
        theirs = theirs if record.due and alive else ""
    elif record.state != Ike.CROSSED:
        theirs = ""
    return record._replace(mine="", theirs=theirs)


_CROSSED: tuple[str, ...] = (Child.CROSSED, Child.CROSSED_GONE)


def _settled_child(record: ChildRecord, present: set[str]) -> ChildRecord:
    if record.state == Child.HALF_CLOSED and not record.incoming:
        record = record._replace(state=Child.DELETING)  # It never had a half: nothing of it is left to close.
    theirs = record.theirs if record.state in _CROSSED and record.theirs in present else ""
    return record._replace(mine="", theirs=theirs)
