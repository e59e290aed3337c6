"""Words for what two real ends say to each other: for the tests that are named after sections."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ikeref_properties.network import ADDRESS, ENDS, PEER, A, Flight, Pair, Record, connection

from ikeref import sa, wire
from ikeref.crypto import Provider
from ikeref.policy.connections import Connection, Settings
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from ikeref.registry import name as name_of
from ikeref.sa import Output, Path
from ikeref.wire import Message, N, Payload
from tests.properties.forging import Answered, arrive, sealed

P = TypeVar("P")
PFS = "aes256gcm16-x25519"
"""A policy of Child SAs with a key exchange of their own."""
ESP = int(ProtocolId.ESP)
INIT, AUTH, CREATE, INFO = (
    ExchangeType.IKE_SA_INIT,
    ExchangeType.IKE_AUTH,
    ExchangeType.CREATE_CHILD_SA,
    ExchangeType.INFORMATIONAL,
)


def policies(*, only: str = "", esp: str = "aes256gcm16", ike: str = "", **changed: Any) -> dict[str, Connection]:
    """Of both ends; that of one, or of both, is changed. What is said of `child` is changed in each Child SA's."""
    words = {"esp": esp} | ({"ike": ike} if ike else {})
    made = {end: connection(end, **words) for end in ENDS}  # type: ignore[arg-type]  # both take text
    child = changed.pop("child", {})
    for end in (only,) if only else ENDS:
        children = tuple(replace(each, **child) for each in made[end].children)
        made[end] = replace(made[end], **({"children": children} | changed))
    return made


def established(*, settings: Settings | None = None, connections: dict[str, Connection] | None = None) -> Pair:
    """Two ends with an IKE SA and a Child SA."""
    return Pair(1, settings=settings, connections=connections).establish()


def after_init(connections: dict[str, Connection] | None = None, settings: Settings | None = None) -> Pair:
    """IKE_SA_INIT is over, and A's IKE_AUTH request is in flight."""
    pair = Pair(1, connections=connections, settings=settings)
    pair.initiate(A)
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    return pair


def flights(pair: Pair, exchange: int = 0, *, end: str = "", response: bool | None = None) -> list[Flight]:
    """What was sent first, not again: of an exchange, by an end, requests or responses."""
    return [
        each
        for each in pair.past
        if each.message is not None
        and not each.again
        and exchange in (0, each.message.exchange_type)
        and end in ("", PEER[each.to])
        and response in (None, each.message.is_response)
    ]


def messages(pair: Pair, exchange: int = 0, *, end: str = "", response: bool | None = None) -> list[Message]:
    """The same, in clear."""
    return [each.message for each in flights(pair, exchange, end=end, response=response) if each.message is not None]


def kinds(message: Message) -> list[str]:
    """The payloads by name, notifications as N(TYPE)."""
    return [f"N({name_of(NotifyType, p.type)})" if type(p) is N else type(p).__name__ for p in message.payloads]


def plain(message: Message) -> list[str]:
    """The payloads by name, without notifications."""
    return [each for each in kinds(message) if not each.startswith("N(")]


def errors(message: Message) -> list[int]:
    """The error notifications of a message."""
    return [p.type for p in message.payloads if type(p) is N and p.type < 16384]


def of(message: Message, kind: type[P]) -> P:
    """The payload of that class: there is exactly one."""
    (found,) = (each for each in message.payloads if type(each) is kind)
    return found


def outputs(pair: Pair, kind: type[P], *, end: str = "", since: int = 0) -> list[P]:
    """What the ends did, of one kind."""
    records = (record for record in pair.records[since:] if end in ("", record.end))
    return [each for record in records for each in record.outputs if type(each) is kind]


def done(record: Record, kind: type[P]) -> list[P]:
    """What a step did, of one kind."""
    return [each for each in record.outputs if type(each) is kind]


def command(pair: Pair, end: str, what: sa.Command) -> None:
    """A command, and all that follows at once; no time passes."""
    pair.command(end, what)
    pair.deliver_all()


def altered(
    pair: Pair, change: Callable[[tuple[Payload, ...]], tuple[Payload, ...]], *, crypto: Provider | None = None
) -> Answered:
    """The oldest protected message in flight arrives, under the same keys, with other payloads."""
    flight = pair.flying.pop(0)
    message = flight.message
    assert message is not None
    ike = next(each for each in pair.ikes(PEER[flight.to]) if each.spi_i == message.spi_i)
    datagram = sealed(
        ike,
        message.exchange_type,
        change(message.payloads),
        message.message_id,
        response=message.is_response,
        crypto=crypto,
    )
    return arrive(pair, flight.to, datagram)


def receive(pair: Pair, end: str, datagram: bytes, path: Path | None = None) -> tuple[Output, ...]:
    """A datagram arrives at an end, from the other's address."""
    return pair.ends[end].receive(datagram, path or Path(ADDRESS[end], ADDRESS[PEER[end]]), pair.now)


def replies(found: tuple[Output, ...]) -> list[Message]:
    """What an end sent."""
    return [each.message for each in found if type(each) is sa.Transmit and each.message is not None]


def raw(datagram: bytes) -> Message:
    """As anybody sees it: protected payloads are one SK."""
    return wire.decode(datagram)
