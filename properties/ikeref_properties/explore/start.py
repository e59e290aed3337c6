"""Where an exploration begins: two ends with an IKE SA and Child SAs, brought about by a real handshake."""

from ikeref import sa
from ikeref.sa import Session
from ikeref_properties.explore import checks, skeleton
from ikeref_properties.explore.local import NOW, SETTINGS
from ikeref_properties.explore.values import Bounds, End, Left, State
from ikeref_properties.network import ENDS, A, Pair, Record, connection

CHILD = "net"


def start(bounds: Bounds, seed: int = 0) -> tuple[State, Pair]:
    """The first state, and the pair of ends in which it came about."""
    connections = {end: connection(end, children=(CHILD,)) for end in ENDS}
    pair = Pair(seed, settings=SETTINGS, connections=connections).establish()
    for _ in range(bounds.children - 1):
        pair.command(A, sa.CreateChild(CHILD))
        pair.deliver_all()
    ends = tuple(_end(pair, end) for end in ENDS)
    assert len(ends) == 2
    return State(ends, (), Left((bounds.commands, bounds.commands), bounds.losses, bounds.duplicates)), pair


def _end(pair: Pair, name: str) -> End:
    records: list[Record] = [record for record in pair.records if record.end == name]
    [session] = pair.sessions(name)
    plane: dict[tuple[bool, bytes], bytes] = {}
    roots: dict[bytes, bytes] = {}
    deviation = checks.plane(tuple(out for record in records for out in record.outputs), session, plane, roots)
    if deviation is not None:
        raise AssertionError(f"{deviation.rule}: {deviation.why}")
    session = _now(session)
    made = skeleton.of_end(session, plane, roots, frozenset(), False)
    return End(session, 0, plane, roots, frozenset(), False, made, {})


def _now(session: Session) -> Session:
    """All of it happened just now."""
    return session._replace(ikes=tuple(ike._replace(heard=NOW, sent=NOW) for ike in session.ikes))
