"""Where an exploration begins: two ends with an IKE SA and Child SAs, brought about by a real handshake."""

from collections.abc import Callable
from dataclasses import replace

from ikeref import sa
from ikeref.crypto import Provider
from ikeref.crypto.free import FreeCrypto
from ikeref.policy.connections import Connection, Settings
from ikeref.sa import Session
from ikeref_properties.explore import checks, skeleton
from ikeref_properties.explore.local import NOW, SETTINGS
from ikeref_properties.explore.skeleton import Origin
from ikeref_properties.explore.values import Bounds, End, Left, State
from ikeref_properties.network import ENDS, A, Pair, Record, connection

CHILD = "net"


def start(bounds: Bounds, seed: int = 0, crypto: Callable[[], Provider] = FreeCrypto) -> tuple[State, Origin, Pair]:
    """The first state, what is in it, and the pair of ends in which it came about."""
    connections = {end: _connection(end, bounds) for end in ENDS}
    pair = Pair(seed, crypto=crypto, settings=settings(bounds), connections=connections).establish()
    for _ in range(bounds.children - 1):
        pair.command(A, sa.CreateChild(CHILD))
        pair.deliver_all()
    origin = _origin(pair)
    first, second = (_end(pair, end, origin) for end in ENDS)
    left = Left((bounds.commands, bounds.commands), bounds.losses, bounds.duplicates)
    return State((first, second), (), left), origin, pair


def settings(bounds: Bounds) -> Settings:
    """Of both ends."""
    return replace(SETTINGS, window_size=bounds.window) if bounds.window > 1 else SETTINGS


def _connection(end: str, bounds: Bounds) -> Connection:
    if not bounds.groups:
        return connection(end, children=(CHILD,))
    groups = "x25519-ecp256" if end == A else "ecp256-x25519"
    return connection(end, ike=f"aes256gcm16-prfsha256-{groups}", esp=f"aes256gcm16-{groups}", children=(CHILD,))


def _origin(pair: Pair) -> Origin:
    [ike] = pair.ikes(A)
    spis = frozenset(spi for child in pair.children(A) for spi in (child.spi_in, child.spi_out))
    child = pair.children(A)[0]
    traffic = skeleton.selectors(child.local_ts), skeleton.selectors(child.remote_ts)
    return Origin((ike.spi_i, ike.spi_r), spis, traffic)


def _end(pair: Pair, name: str, origin: Origin) -> End:
    records: list[Record] = [record for record in pair.records if record.end == name]
    [session] = pair.sessions(name)
    plane: dict[tuple[bool, bytes], bytes] = {}
    roots: dict[bytes, bytes] = {}
    deviation = checks.plane(tuple(out for record in records for out in record.outputs), session, plane, roots)
    if deviation is not None:
        raise AssertionError(f"{deviation.rule}: {deviation.why}")
    session = _now(session)
    made = skeleton.of_end(session, plane, roots, frozenset(), False, frozenset(), origin)
    return End(session, 0, plane, roots, frozenset(), False, made, {})


def _now(session: Session) -> Session:
    """All of it happened just now."""
    return session._replace(ikes=tuple(ike._replace(heard=NOW, sent=NOW) for ike in session.ikes))
