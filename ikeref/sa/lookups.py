"""Certificates by hash and URL: an IKE_AUTH message waits until they are fetched (Section 3.6).

Nothing is fetched here: a step says `Fetch`, and later gets `Fetched`. Only a message that was protected by the keys of
the IKE SA can ask for it, and only for hosts that policy names. The message waits as it is, one for an IKE SA; what the
peer sends again meanwhile is dropped.
"""

from ikeref.errors import AuthenticationFailed, Dropped
from ikeref.policy import lookup
from ikeref.policy.credentials import TrustAnchors
from ikeref.registry import ExchangeType
from ikeref.sa import authentication, certification
from ikeref.sa.certification import Fetched
from ikeref.sa.compose import holds
from ikeref.sa.outputs import Fetch
from ikeref.sa.turn import Turn
from ikeref.sa.values import Held, IkeSa, Path
from ikeref.wire import CERT, IDi, IDr, Message


def waits(turn: Turn, ike: IkeSa, message: Message, path: Path) -> bool:
    """Whether the message has to wait; then it is kept, and the lookups are asked for."""
    handshake = ike.handshake
    if handshake is None or message.exchange_type != ExchangeType.IKE_AUTH:
        return False
    if handshake.held is not None:
        raise Dropped("certificates of that peer are being looked up", section="3.6")
    if not holds(message.payloads, CERT):
        return False
    known = [each.url for each in handshake.fetched]
    wanted = [url for url in certification.urls(message.payloads, _hosts(turn, ike, message)) if url not in known]
    if not wanted or known:
        return False
    ike = turn.put(ike._replace(handshake=handshake._replace(held=Held(message, path, tuple(wanted)))))
    for exchange in ike.outstanding:  # The answer is here: no need to ask again soon.
        turn.amend(ike, exchange, exchange._replace(deadline=turn.now + turn.env.settings.half_open_seconds))
    for url in wanted:
        turn.outputs.append(Fetch(ike.spi, url, lookup.MAX_OBJECT_OCTETS, path.remote[0]))
    return True


def arrived(turn: Turn, what: Fetched) -> tuple[IkeSa, Held] | None:
    """Take in what a lookup came to; the message that need not wait any longer, None while others are under way."""
    ike = turn.ike(what.spi)
    handshake = ike.handshake if ike is not None else None
    if ike is None or handshake is None or handshake.held is None:
        raise Dropped("nobody waits for this lookup any longer", section="3.6")
    held, fetched = handshake.held, handshake.fetched
    if what.url not in held.urls or any(each.url == what.url for each in fetched):
        raise Dropped("nobody asked for this lookup", section="3.6")
    if len(what.octets) > lookup.MAX_OBJECT_OCTETS:
        what = what._replace(octets=b"", fault="too large")
    fetched = (*fetched, what)
    complete = len(fetched) == len(held.urls)
    ike = turn.put(ike._replace(handshake=handshake._replace(fetched=fetched, held=None if complete else held)))
    return (ike, held) if complete else None


def _hosts(turn: Turn, ike: IkeSa, message: Message) -> tuple[str, ...]:
    """Of all connections that the peer may be heading for."""
    connections = [turn.connection]
    if not ike.initiator:
        claimed = next((payload for payload in message.payloads if type(payload) is IDi), None)
        wanted = next((payload for payload in message.payloads if type(payload) is IDr), None)
        if claimed is None:
            return ()
        try:
            connections = authentication.fitting_connections(turn, ike, claimed, wanted)
        except AuthenticationFailed:
            return ()
    return tuple(
        host
        for each in connections
        if isinstance(each.remote_auth, TrustAnchors)
        for host in each.remote_auth.lookup_hosts
    )
