"""Protocol values in words for people: RFC notation, outputs and commands in a line (Sections 1.2 to 1.4)."""

from typing import Final

from ikeref.policy import addresses, attributes, identities
from ikeref.registry import Encr, ExchangeType, Integ, KeGroup, NotifyType, Prf, ProtocolId, name
from ikeref.sa import (
    AskConfiguration,
    Audit,
    CheckLiveness,
    ChildSa,
    Closed,
    Command,
    Configured,
    CreateChild,
    DeleteChild,
    DeleteIke,
    Established,
    Failed,
    Fetch,
    InitialContact,
    Install,
    Internal,
    Moved,
    NewKeys,
    Output,
    Received,
    RekeyChild,
    RekeyIke,
    Remove,
    Replayed,
    Transmit,
    Unconfigured,
)
from ikeref.wire import KE, SA, D, Message, N, Nonce, Payload, payload_name


def notation(message: Message, *, protected: bool) -> str:
    """The message as the RFC writes it: `HDR, SAi1, KEi, Ni`, or `HDR, SK {IDi, AUTH, SAi2, TSi, TSr}`."""
    words = ", ".join(_symbol(payload, message) for payload in message.payloads)
    if protected:
        return f"HDR, SK {{{words}}}"
    return f"HDR, {words}" if words else "HDR"


def _symbol(payload: Payload, message: Message) -> str:
    role = "r" if message.is_response else "i"
    match payload:
        case SA():
            ordinal = _ORDINALS.get(message.exchange_type)
            return f"SA{role}{ordinal}" if ordinal else "SA"
        case KE():
            return f"KE{role}"
        case Nonce():
            return f"N{role}"
        case _:
            return payload_name(payload)


_ORDINALS: Final[dict[int, str]] = {ExchangeType.IKE_SA_INIT: "1", ExchangeType.IKE_AUTH: "2"}
"""What the RFC numbers SA payloads with: SAi1, SAr2 (Section 1.2)."""


def exchange(message: Message) -> str:
    """`IKE_AUTH request 1`."""
    return f"{name(ExchangeType, message.exchange_type)} {direction(message)} {message.message_id}"


def about(message: Message) -> str:
    """What a message deletes or rekeys: `deletes ESP 0063bd80`; empty where it does neither (Sections 1.3.3, 1.4.1)."""
    found = []
    for payload in message.payloads:
        match payload:
            case N(type=NotifyType.REKEY_SA, protocol_id=protocol, spi=spi):
                found.append(f"rekeys {name(ProtocolId, protocol)} {spi.hex()}")
            case D(protocol_id=ProtocolId.IKE):
                found.append("deletes the IKE SA")
            case D(protocol_id=protocol, spis=spis):
                found.append(f"deletes {name(ProtocolId, protocol)} {', '.join(each.hex() for each in spis)}")
            case SA(proposals=(first, *_)) if first.protocol_id == ProtocolId.IKE and _creates(message):
                found.append("rekeys the IKE SA")
            case _:
                pass
    return "; ".join(found)


def _creates(message: Message) -> bool:
    return message.exchange_type == ExchangeType.CREATE_CHILD_SA and not message.is_response


def direction(message: Message) -> str:
    return "response" if message.is_response else "request"


def command(what: Command) -> str:
    """What an operator asked for."""
    match what:
        case CreateChild(name=wanted):
            return f"create Child SA {wanted}"
        case RekeyChild(spi_in=spi):
            return f"rekey Child SA {spi.hex()}"
        case RekeyIke():
            return "rekey the IKE SA"
        case DeleteChild(spi_in=spi):
            return f"delete Child SA {spi.hex()}"
        case DeleteIke():
            return "delete the IKE SA"
        case CheckLiveness():
            return "check liveness"
        case AskConfiguration():
            return "ask for configuration"
        case _:
            return type(what).__name__


def ike_name(spi_i: bytes, spi_r: bytes) -> str:
    """An IKE SA by both its SPIs."""
    return f"{spi_i.hex()}_i {spi_r.hex()}_r"


def child_way(inbound: bool) -> str:
    return "inbound" if inbound else "outbound"


def spi_of(inbound: bool, child: ChildSa) -> str:
    """The SPI that packets of that direction bear."""
    return (child.spi_in if inbound else child.spi_out).hex()


def effect(output: Output) -> str:
    """An output in a line; empty for those that only carry messages and keys."""
    match output:
        case Transmit() | Received() | NewKeys():
            return ""
        case Replayed(message=message):
            return f"knows this {exchange(message)}; answers with the same octets again"
        case Install(inbound=inbound, child=child):
            protocol = name(ProtocolId, child.protocol_id)
            return f"installs {protocol} {child_way(inbound)} {spi_of(inbound, child)} ({child.name})"
        case Remove(inbound=inbound, child=child):
            protocol = name(ProtocolId, child.protocol_id)
            return f"removes {protocol} {child_way(inbound)} {spi_of(inbound, child)} ({child.name})"
        case Moved(path=path):
            return f"the peer is now at {path.remote[0]} port {path.remote[1]} (Section 2.23)"
        case Established(spi_i=spi_i, peer=peer, succeeds=succeeds):
            if succeeds:
                return f"IKE SA {spi_i.hex()} succeeds {succeeds.hex()}"
            return f"IKE SA {spi_i.hex()} established with {identities.to_text(peer)}"
        case Configured(internal=internal):
            return f"{'configured' if internal.ours else 'configures the peer'}: {configuration(internal)}"
        case Unconfigured(internal=internal):
            return f"{'no longer has' if internal.ours else 'takes back'} {configuration(internal)}"
        case Fetch(url=url):
            return f"looks up {url}"
        case InitialContact(peer=peer):
            return f"{identities.to_text(peer)} has no other IKE SA with us (INITIAL_CONTACT)"
        case Closed(spi_i=spi_i, reason=reason):
            return f"IKE SA {spi_i.hex()} closed: {reason}"
        case Failed(what=what, reason=reason):
            return f"{what} failed: {reason}"
        case Audit(reason=reason):
            return reason


def configuration(internal: Internal) -> str:
    """Internal addresses and what else was told with them."""
    return ", ".join(attributes.to_text(each) for each in internal.attributes) or "nothing"


def selectors(child: ChildSa) -> str:
    """`10.1.0.0/16 === 10.2.0.0/16`, this end first."""
    local = ", ".join(addresses.to_text(each) for each in child.local_ts)
    remote = ", ".join(addresses.to_text(each) for each in child.remote_ts)
    return f"{local} === {remote}"


def transforms(encr: int, key_bits: int, prf: int, integ: int, group: int) -> str:
    """Chosen transforms: `AES_GCM_16-256, PRF HMAC_SHA2_256, CURVE25519`; 0 where there is none."""
    words = [name(Encr, encr) + (f"-{key_bits}" if key_bits else "")] if encr else []
    if integ:
        words.append(name(Integ, integ))
    if prf:
        words.append(f"PRF {name(Prf, prf)}")
    if group:
        words.append(name(KeGroup, group))
    return ", ".join(words)
