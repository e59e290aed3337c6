"""Configuration payloads: internal addresses and more, asked for and given (Sections 2.19, 2.20, 3.15).

The initiator asks in the request for its first Child SA, or by INFORMATIONAL; the responder answers from the pools of
the connection. What was given lasts as long as the session, that is until the IKE SA and its successors are gone.
"""

from typing import Final

from ikeref.errors import FailedCpRequired, InternalAddressFailure
from ikeref.policy import pools
from ikeref.policy.attributes import Internal
from ikeref.policy.connections import Connection
from ikeref.registry import CfgAttribute, CfgType, NotifyType, name
from ikeref.sa.compose import first_error
from ikeref.sa.outputs import Configured, Failed
from ikeref.sa.turn import Turn
from ikeref.wire import CP, CfgAttr, Payload

ADDRESSES: Final = (CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS)

SIZES: Final[dict[int, tuple[int, ...]]] = {
    CfgAttribute.INTERNAL_IP4_ADDRESS: (4,),
    CfgAttribute.INTERNAL_IP4_NETMASK: (4,),
    CfgAttribute.INTERNAL_IP4_DNS: (4,),
    CfgAttribute.INTERNAL_IP4_NBNS: (4,),
    CfgAttribute.INTERNAL_IP4_DHCP: (4,),
    CfgAttribute.APPLICATION_VERSION: (),
    CfgAttribute.INTERNAL_IP6_ADDRESS: (17,),
    CfgAttribute.INTERNAL_IP6_DNS: (16,),
    CfgAttribute.INTERNAL_IP6_DHCP: (16,),
    CfgAttribute.INTERNAL_IP4_SUBNET: (8,),
    CfgAttribute.SUPPORTED_ATTRIBUTES: (),
    CfgAttribute.INTERNAL_IP6_SUBNET: (17,),
}
"""Octets of a value that is not empty; () for any number (7296-3.15.1-04)."""

_VOLUNTEERED: Final = (
    CfgAttribute.INTERNAL_IP4_NETMASK,
    CfgAttribute.INTERNAL_IP4_SUBNET,
    CfgAttribute.INTERNAL_IP6_SUBNET,
)
"""Told without being asked for (7296-2.19-08): without them the peer would not know what is behind us."""


def wants_address(connection: Connection) -> bool:
    """Whether we need an internal address of the peer."""
    return any(each.type in ADDRESSES for each in connection.request)


def request(connection: Connection) -> tuple[Payload, ...]:
    """CP(CFG_REQUEST), to stand before the SA payload (7296-2.19-01, 7296-2.19-03, 7296-2.19-04, 7296-2.19-05)."""
    return (CP(CfgType.REQUEST, connection.request),) if connection.request else ()


# Responder


def answer(turn: Turn, payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
    """CP(CFG_REPLY) to a request for a Child SA; never without a CFG_REQUEST (7296-2.19-10).

    Raises FailedCpRequired where policy demands an internal address and the peer asks for none (7296-2.19-11), and
    InternalAddressFailure where none of those asked for can be given (7296-3.15.4-01, 7296-3.15.4-06).
    """
    asked = _first(payloads, CfgType.REQUEST)
    reply: tuple[Payload, ...] = ()
    if asked is not None:
        attributes = _reply(turn, asked)
        # Without pools a CFG_REQUEST is ignored, but for what concerns no address (7296-3.15.4-03).
        reply = (CP(CfgType.REPLY, attributes),) if attributes or turn.connection.pools else ()
    if turn.connection.configuration_required and (turn.internal is None or not turn.internal.packed):
        raise FailedCpRequired("policy demands that the peer asks for an internal address", section="2.19", field="CP")
    return reply


def respond(turn: Turn, payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
    """Answer what an INFORMATIONAL request asks or says: CFG_SET is acknowledged, but nothing of it is accepted.

    (7296-3.15.1-38, 7296-3.15.1-39, 7296-3.15.1-40.)
    """
    asked = _first(payloads, CfgType.REQUEST)
    if asked is not None:
        return (CP(CfgType.REPLY, _reply(turn, asked)),)
    return (CP(CfgType.ACK),) if _first(payloads, CfgType.SET) is not None else ()


def _first(payloads: tuple[Payload, ...], cfg_type: int) -> CP | None:
    for payload in payloads:
        if type(payload) is CP and payload.cfg_type == cfg_type:
            return payload
    return None


def _reply(turn: Turn, asked: CP) -> tuple[CfgAttr, ...]:
    """What a CFG_REPLY says. What we don't know of a request is ignored (7296-2.19-09, 7296-3.15.1-36)."""
    kinds = [each.type for each in asked.attributes]
    addresses = _addresses(turn, asked)
    found = [*addresses]
    for pool in turn.connection.pools:
        for attribute in pool.attributes:
            needless = attribute.type == CfgAttribute.INTERNAL_IP4_NETMASK and (
                not any(each.type == CfgAttribute.INTERNAL_IP4_ADDRESS for each in addresses)  # 7296-3.15.1-14
                or any(each.type == attribute.type for each in found)  # 7296-3.15.1-13
            )
            if (attribute.type in kinds or attribute.type in _VOLUNTEERED) and not needless and attribute not in found:
                found.append(attribute)
    if addresses:
        turn.internal = Internal(False, tuple(found))
        turn.outputs.append(Configured(turn.internal))
    if CfgAttribute.APPLICATION_VERSION in kinds:
        # Empty where we don't tell (7296-2.20-02, 7296-2.20-03).
        version = turn.connection.application_version.encode("ascii")
        found.append(CfgAttr(CfgAttribute.APPLICATION_VERSION, version))
    if CfgAttribute.SUPPORTED_ATTRIBUTES in kinds:
        # 7296-3.15.1-29
        known = b"".join(kind.to_bytes(2) for kind in SIZES)
        found.append(CfgAttr(CfgAttribute.SUPPORTED_ATTRIBUTES, known))
    return tuple(found)


def _addresses(turn: Turn, asked: CP) -> tuple[CfgAttr, ...]:
    """The internal addresses of the peer: one for each that it asks for (7296-3.15.1-05, 7296-3.15.1-09).

    Those that it has already count first. A family that no pool has is ignored (7296-3.15.4-05).
    """
    connection, peer = turn.connection, turn.peer
    assert peer is not None
    if turn.internal is not None and turn.internal.ours:
        return ()  # We are the guest in its network.
    had = turn.internal.attributes if turn.internal is not None else ()
    given: list[CfgAttr] = []
    failed = False
    for kind in ADDRESSES:
        wishes = [each for each in asked.attributes if each.type == kind]
        if not wishes or not pools.serves(connection.pools, kind):
            continue
        mine = [each for each in had if each.type == kind]
        for wish in wishes[len(mine) : pools.MOST_ADDRESSES]:
            taken = tuple([each.value[:16] for each in (*mine, *given)])
            found = pools.assign(connection.pools, wish, peer, turn.env.lease_of, turn.env.leases_to, taken)
            if found is None:
                failed = True
                break
            mine.append(found)
        given += mine
    if failed and not given:
        raise InternalAddressFailure("no internal address is free", section="3.15.4", field="CP")
    # What it has of the other family it keeps.
    return (*given, *[each for each in had if each.type in ADDRESSES and each not in given])


# Initiator


def receive(turn: Turn, payloads: tuple[Payload, ...]) -> None:
    """Take in the CFG_REPLY to what we asked for with a Child SA; one that we did not ask for is ignored.

    Raises InternalAddressFailure where we need an address and there is none in it (7296-3.15.4-04).
    """
    if not turn.connection.request:
        return
    reply = _first(payloads, CfgType.REPLY)
    if reply is not None:
        _take_in(turn, reply)
    if wants_address(turn.connection) and (turn.internal is None or not turn.internal.ours):
        raise InternalAddressFailure("the answer has no internal address for us", section="3.15.4", field="CP")


def receive_response(turn: Turn, payloads: tuple[Payload, ...]) -> None:
    """Process the answer to what we asked for by INFORMATIONAL."""
    error, reply = first_error(payloads), _first(payloads, CfgType.REPLY)
    if error is not None:
        turn.outputs.append(Failed("configuration", name(NotifyType, error.type)))
    elif reply is None:
        turn.outputs.append(Failed("configuration", "the peer does not answer such requests"))
    else:
        _take_in(turn, reply)


def _take_in(turn: Turn, reply: CP) -> None:
    """Keep what the reply says; with an address in it, that is what is valid from now on."""
    known = tuple([each._replace(reserved=0) for each in reply.attributes if _is_valid(turn, each)])
    told = Internal(True, known)
    turn.outputs.append(Configured(told))
    if told.packed and (turn.internal is None or turn.internal.ours):
        turn.internal = told


def _is_valid(turn: Turn, attribute: CfgAttr) -> bool:
    """Whether we know an attribute, and its value is of a length that it can have; others are ignored (3.15.1)."""
    sizes = SIZES.get(attribute.type)
    if sizes is None:
        return False  # 7296-3.15.1-36
    if sizes and len(attribute.value) not in sizes:
        what = name(CfgAttribute, attribute.type)
        turn.audit(f"{what} of {len(attribute.value)} octets is ignored (Section 3.15.1)")
        return False
    return True
