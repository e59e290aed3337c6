"""Two ends that prove themselves by certificates or raw keys, and what happened between them."""

from dataclasses import replace

from ikeref_properties.network import ENDS, A, B, Pair, connection

from ikeref import sa
from ikeref.policy.connections import Connection
from ikeref.policy.credentials import PrivateKey, TrustAnchors
from ikeref.registry import ExchangeType
from ikeref.wire import CERT, CERTREQ, Message
from tests.unit.certificates.making import Made, certificate

NAMES = {A: "a.example", B: "b.example"}
ROOT = certificate("root", ca=True)
BELOW = certificate("below", ROOT, ca=True)
LEAVES = {end: certificate(NAMES[end], BELOW) for end in ENDS}
STRANGER = certificate("stranger", ca=True)


def own(made: Made, *others: Made, **more: object) -> PrivateKey:
    """What an end signs with, and shows."""
    return replace(PrivateKey(made.key, tuple(each.der for each in (made, *others))), **more)  # type: ignore[arg-type]


def trust(*anchors: Made, **more: object) -> TrustAnchors:
    return replace(TrustAnchors(tuple(each.der for each in anchors)), **more)  # type: ignore[arg-type]


def connections(**changes: object) -> dict[str, Connection]:
    """Policy of both ends: a chain over an intermediate authority. `a_local_auth=...` changes one end's."""
    made = {}
    for end in ENDS:
        mine = {key[2:]: value for key, value in changes.items() if key.startswith(f"{end.lower()}_")}
        default = {"local_auth": own(LEAVES[end], BELOW), "remote_auth": trust(ROOT)}
        made[end] = replace(connection(end), **{**default, **mine})  # type: ignore[arg-type]
    return made


def run(**changes: object) -> Pair:
    """A initiates, nothing is lost."""
    ends = Pair(5, connections=connections(**changes))
    ends.initiate(A)
    ends.deliver_all()
    return ends


def is_up(ends: Pair) -> bool:
    """Whether both ends have the IKE SA and a Child SA."""
    return all(
        [ike.phase for ike in ends.ikes(end)] == [sa.Phase.ESTABLISHED] and len(ends.children(end)) == 1 for end in ENDS
    )


def said(ends: Pair, end: str) -> str:
    """What an end told its operator."""
    told = [output for each in ends.records if each.end == end for output in each.outputs]
    return "\n".join(each.reason for each in told if isinstance(each, sa.Audit | sa.Closed))


def messages(ends: Pair, end: str, exchange: int = ExchangeType.IKE_AUTH) -> list[Message]:
    """What an end sent in that exchange, retransmissions left out."""
    told = [output for each in ends.records if each.end == end for output in each.outputs]
    sent = [each.message for each in told if isinstance(each, sa.Transmit) and not each.again]
    return [each for each in sent if each is not None and each.exchange_type == exchange]


def certs(ends: Pair, end: str) -> list[CERT]:
    return [each for message in messages(ends, end) for each in message.payloads if type(each) is CERT]


def certreqs(ends: Pair, end: str) -> list[CERTREQ]:
    exchange = ExchangeType.IKE_AUTH if end == A else ExchangeType.IKE_SA_INIT
    return [each for message in messages(ends, end, exchange) for each in message.payloads if type(each) is CERTREQ]
