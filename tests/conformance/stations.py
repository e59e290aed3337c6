"""Moments in the lives of IKE SAs, each just before a certain message arrives: where hostile input is tried.

A session is a value, so such a moment can be kept, and put into an endpoint as often as wanted.
"""

from datetime import UTC, datetime
from pathlib import Path as File
from typing import NamedTuple

from ikeref_properties.network import ENDS, Flight, Pair, Record, connection

from ikeref import sa, wire
from ikeref.crypto.certificates import load_certificates, load_private_key, to_der
from ikeref.crypto.real import RealCrypto
from ikeref.policy import identities, proposals
from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import PrivateKey, TrustAnchors
from ikeref.registry import ProtocolId
from ikeref.sa import IkeSa, Path, Session
from ikeref.wire import FLAG_INITIATOR, Message

PKI = File(__file__).parents[1] / "vectors" / "generated" / "pki"
TODAY = datetime(2030, 1, 1, tzinfo=UTC)
"""The certificates of the vectors are valid then."""
SUITES = (("aes256gcm16-prfsha256-x25519", "aes256gcm16"), ("aes128-sha256-ecp256", "aes128-sha256-ecp256"))
"""Of IKE SA and Child SAs: an AEAD cipher, and one with padding and an ICV of its own, where rekeys have KE as well."""


class Station(NamedTuple):
    """An end about to receive a message."""

    end: str
    session: Session | None
    """None: nobody knows the sender yet."""
    spi: bytes
    """The end's own SPI of the IKE SA that the message is for; empty: none."""
    datagram: bytes
    path: Path
    message: Message
    """The same in clear."""

    def ike(self, session: Session | None) -> IkeSa | None:
        """The IKE SA that the message is for, as it is now."""
        return next((ike for ike in session.ikes if ike.spi == self.spi), None) if session is not None else None


def pair(seed: int, suite: int = 0, *, certificates: bool = False, settings: Settings | None = None) -> Pair:
    """Two ends that use the suite of that number, and accept all of `SUITES`."""
    order = SUITES[suite:] + SUITES[:suite]
    policies = {}
    for end in ENDS:
        policy = connection(end, ike=", ".join(ike for ike, _ in order), esp=order[0][1])
        policies[end] = _certified(policy, end) if certificates else policy
    made = Pair(seed, crypto=RealCrypto, settings=settings, connections=policies)
    for endpoint in made.ends.values():
        endpoint.environment = endpoint.environment._replace(calendar=lambda: TODAY)
    return made


def _certified(policy: Connection, end: str) -> Connection:
    """The same policy with ECDSA signatures instead of a shared key."""
    own, peer = ("a", "b") if end == "A" else ("b", "a")
    chain = load_certificates((PKI / f"ec{own.upper()}.crt").read_bytes())
    anchors = load_certificates((PKI / "rootec.crt").read_bytes())
    return Connection(
        name=policy.name,
        local_id=identities.parse(f"{own}.vec.test"),
        remote_id=identities.parse(f"{peer}.vec.test"),
        local_auth=PrivateKey(
            load_private_key((PKI / f"ec{own.upper()}.key").read_bytes()), tuple(to_der(one) for one in chain)
        ),
        remote_auth=TrustAnchors(tuple(to_der(one) for one in anchors)),
        ike_proposals=proposals.parse(SUITES[0][0], ProtocolId.IKE),
        children=policy.children,
    )


def live(life: Pair) -> None:
    """Every exchange that there is, begun by both ends, some of them at once."""
    life.establish("A")
    life.command("A", sa.CreateChild("web"))
    life.deliver_all()
    for end in ENDS:
        life.command(end, sa.RekeyChild(life.children(end)[0].spi_in))
        life.deliver_all()
        life.command(end, sa.RekeyIke())
        life.deliver_all()
        life.command(end, sa.CheckLiveness())
        life.deliver_all()
    for end in ENDS:
        life.command(end, sa.RekeyChild(life.children(end)[0].spi_in))
    life.deliver_all()
    for end in ENDS:
        life.command(end, sa.RekeyIke())
    life.deliver_all()
    life.command("B", sa.DeleteChild(life.children("B")[0].spi_in))
    life.deliver_all()
    life.command("A", sa.DeleteIke())
    life.deliver_all()


def stations(life: Pair) -> tuple[Station, ...]:
    """The moments before every message of a life arrived."""
    return tuple(_station(record) for record in life.records if isinstance(record.event, Flight))


def _station(record: Record) -> Station:
    flight = record.event
    assert isinstance(flight, Flight)
    assert flight.message is not None
    header = wire.peek(flight.datagram)
    spi = header.spi_r if header.flags & FLAG_INITIATOR else header.spi_i
    session = next((s for s in record.before.values() if any(ike.spi == spi for ike in s.ikes)), None)
    path = Path(flight.path.remote, flight.path.local, flight.path.encapsulated)
    return Station(record.end, session, spi if session is not None else b"", flight.datagram, path, flight.message)


def all_stations() -> tuple[Station, ...]:
    """Lives with both suites, and the beginning of one with certificates."""
    lives = [pair(suite, suite) for suite in range(len(SUITES))]
    for life in lives:
        live(life)
    lives.append(pair(len(SUITES), certificates=True).establish())
    return tuple(station for life in lives for station in stations(life))
