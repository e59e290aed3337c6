"""States of an endpoint in which fuzzed messages arrive: every moment of many lives (Sections 1 to 2).

Lives with whole messages and in fragments, with certificates, with EAP in all its rounds, with internal addresses, in
transport mode through a NAT, with windows above 1. All use real cryptography, so what is not sealed rightly is refused.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ikeref_properties.network import ENDS, A, B, Flight, Pair, connection

from ikeref import sa
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.policy import addresses, attributes
from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import EapPeer, EapServer, Secret
from ikeref.policy.pools import Pool, range_of
from ikeref.registry import EapType
from ikeref.sa import Phase
from tests.conformance.stations import Station, live, stations
from tests.conformance.stations import pair as certified_pair

ANY = addresses.from_text("0.0.0.0/0")
USER = (b"carol", Secret(b"a password"))
METHODS = (int(EapType.MD5_CHALLENGE), int(EapType.MSCHAPV2))


class Scene(NamedTuple):
    """A state, and the message that is about to arrive in it."""

    life: str
    place: int
    """The message's place in the life."""
    station: Station
    endpoint: Endpoint
    now: float


def all_scenes() -> tuple[Scene, ...]:
    """Every moment of every life, in the same order each time."""
    found: list[Scene] = []
    for name, make in LIVES:
        life = make()
        for place, (station, now) in enumerate(zip(stations(life), _times(life), strict=True)):
            found.append(Scene(name, place, station, life.ends[station.end], now))
    for scene in found:
        scene.endpoint.sessions.clear()
    for endpoint in {id(scene.endpoint): scene.endpoint for scene in found}.values():
        empty(endpoint)
    return tuple(found)


def _times(life: Pair) -> list[float]:
    return [record.now for record in life.records if isinstance(record.event, Flight)]


def empty(endpoint: Endpoint) -> None:
    """Nothing is left of the life: its states are put in one by one."""
    for held in (value for value in vars(endpoint).values() if isinstance(value, dict | list)):
        held.clear()
    endpoint.leases.held.clear()
    endpoint.half_open = 0


# Lives


def _plain(suite: int) -> Pair:
    life = certified_pair(suite, suite)
    live(life)
    return life


def _certified() -> Pair:
    life = certified_pair(9, certificates=True).establish()
    life.command(A, sa.DeleteIke())
    life.deliver_all()
    return life


def _fragments() -> Pair:
    life = certified_pair(10, certificates=True, settings=Settings(fragment_octets=200)).establish()
    life.command(B, sa.RekeyChild(life.children(B)[0].spi_in))
    life.deliver_all()
    life.command(A, sa.RekeyIke())
    life.deliver_all()
    return life


def _by_eap(method: int) -> Pair:
    policies = {
        A: replace(connection(A), local_auth=EapPeer((method,), *USER)),
        B: replace(connection(B), remote_auth=EapServer((method, *METHODS), (USER,))),
    }
    return _real(11 + method, policies).establish()


def _wrong_password() -> Pair:
    policies = {
        A: replace(connection(A), local_auth=EapPeer(METHODS, USER[0], Secret(b"wrong"))),
        B: replace(connection(B), remote_auth=EapServer(METHODS[::-1], (USER,))),
    }
    return _real(12, policies).establish()


def _configured() -> Pair:
    pool = Pool(
        "office",
        (range_of("10.9.0.1-10.9.0.9"), range_of("2001:db8:9::/120")),
        (attributes.server("dns", "10.2.0.53"), attributes.subnet("10.2.0.0/16")),
    )
    asker, giver = connection(A), connection(B)
    children = tuple(replace(each, local_ts=(), remote_ts=(ANY,)) for each in asker.children)
    asker = replace(asker, request=attributes.request(("ipv4", "ipv6", "dns", "version")), children=children)
    children = tuple(replace(each, local_ts=(ANY,), remote_ts=()) for each in giver.children)
    giver = replace(giver, pools=(pool,), children=children, application_version="ikeref")
    life = _real(13, {A: asker, B: giver}).establish()
    life.command(A, sa.AskConfiguration())
    life.deliver_all()
    return life


def _transport() -> Pair:
    policies = {}
    for end in ENDS:
        policy = connection(end)
        children = tuple(replace(each, mode="transport", local_ts=(), remote_ts=()) for each in policy.children)
        policies[end] = replace(policy, children=children, force_encapsulation=True)
    life = _real(14, policies).establish()
    life.command(B, sa.RekeyChild(life.children(B)[0].spi_in))
    life.deliver_all()
    return life


def _windows() -> Pair:
    """Several requests of each end are under way at once."""
    life = _real(15, None, Settings(window_size=4)).establish()
    for end in ENDS:
        life.command(end, sa.CreateChild("web"))
        life.command(end, sa.CheckLiveness())
        life.command(end, sa.RekeyChild(life.children(end)[0].spi_in))
    life.deliver_all()
    for end in ENDS:
        for child in life.children(end)[:2]:
            _try(life, end, sa.DeleteChild(child.spi_in))
    life.deliver_all()
    return life


def _crossing() -> Pair:
    """Everything of both ends crosses, and comes in another order."""
    life = _real(16, None).establish()
    both: tuple[tuple[sa.Command, sa.Command], ...] = (
        (sa.RekeyIke(), sa.RekeyIke()),
        (sa.DeleteIke(), sa.RekeyIke()),
    )
    for commands in both:
        for end, command in zip(ENDS, commands, strict=True):
            life.command(end, command)
        while life.flying:
            life.deliver(life.flying[-1])
    return life


def _refused() -> Pair:
    """Shared keys differ: the report of the initiator."""
    policies = {A: connection(A, secret=b"one"), B: connection(B, secret=b"two")}
    return _real(17, policies).establish()


def _groups() -> Pair:
    """Cookies, and another group than the first."""
    policies = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256", esp="aes256gcm16-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256", esp="aes256gcm16-ecp256"),
    }
    life = _real(18, policies, Settings(cookie_threshold=0)).establish()
    life.command(B, sa.RekeyChild(life.children(B)[0].spi_in))
    life.command(A, sa.RekeyChild(life.children(A)[0].spi_in))
    life.deliver_all()
    return life


def _real(seed: int, policies: dict[str, Connection] | None, settings: Settings | None = None) -> Pair:
    return Pair(seed, crypto=RealCrypto, connections=policies, settings=settings)


def _try(life: Pair, end: str, command: sa.Command) -> None:
    try:
        life.command(end, command)
    except LocalProtocolError:
        return


LIVES: tuple[tuple[str, Callable[[], Pair]], ...] = (
    ("AEAD", lambda: _plain(0)),
    ("CBC and HMAC", lambda: _plain(1)),
    ("certificates", _certified),
    ("fragments", _fragments),
    ("EAP-MD5", lambda: _by_eap(METHODS[0])),
    ("EAP-MSCHAPv2", lambda: _by_eap(METHODS[1])),
    ("a wrong password", _wrong_password),
    ("configuration", _configured),
    ("transport mode", _transport),
    ("windows", _windows),
    ("crossing", _crossing),
    ("refused", _refused),
    ("other groups", _groups),
)


def phases(scenes: tuple[Scene, ...]) -> set[Phase]:
    """The phases of IKE SAs that the scenes have."""
    return {ike.phase for scene in scenes if scene.station.session for ike in scene.station.session.ikes}
