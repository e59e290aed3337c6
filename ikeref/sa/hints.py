"""What nobody protects may hint at: that a peer has lost its SAs, or is gone (Sections 1.5, 2.4, 2.21.4).

A hint is believed so far as to ask the peer whether it lives, where it was silent for a while: a liveness check that
is answered makes it heard, and one that is not stays outstanding until the peer is given up. So an IKE SA is asked once
in that while, whatever comes; nothing need be remembered for that.
"""

from typing import Final

from ikeref import wire
from ikeref.errors import Dropped, RemoteProtocolError
from ikeref.registry import NotifyType, PayloadType
from ikeref.sa.values import Path, Phase, Session

_OCTETS: Final = 128
"""Such messages are short: a header, and a notification with one SPI."""
_HINTS: Final = (NotifyType.INVALID_IKE_SPI, NotifyType.INVALID_SPI)


def is_hint(datagram: bytes) -> bool:
    """Whether this message, which is not protected, says that an SPI is unknown to who sent it."""
    if len(datagram) > _OCTETS:
        return False
    try:
        if wire.peek(datagram).next_payload != PayloadType.N:
            return False
        payloads = wire.decode(datagram).payloads
    except (Dropped, RemoteProtocolError):
        return False
    return any(type(each) is wire.N and each.type in _HINTS for each in payloads)


def concerns(session: Session, path: Path) -> bool:
    """Whether a session has an IKE SA with who is at the other end of this path: its address counts, and its port where
    a NAT may be before it."""
    ike = session.current
    if ike is None or ike.phase is not Phase.ESTABLISHED:
        return False
    return path.remote == ike.path.remote if ike.path.encapsulated else path.remote[0] == ike.path.remote[0]


def is_busy(session: Session) -> bool:
    """Whether a request is unanswered, or about to be sent: it shows by itself whether the peer lives."""
    return any(ike.outstanding or ike.queue for ike in session.ikes)


def is_silent(session: Session, now: float, seconds: float) -> bool:
    """Whether nothing authentic came for so long."""
    return max(ike.heard for ike in session.ikes) + seconds <= now


class Bucket:
    """At most so many takings a second, as many at once."""

    __slots__ = ("_left", "_rate", "_then")

    def __init__(self, rate: float) -> None:
        self._rate = self._left = rate
        self._then: float | None = None

    def take(self, now: float) -> bool:
        """Whether one more is allowed at time `now`."""
        if self._then is not None:
            self._left = min(self._rate, self._left + max(0.0, now - self._then) * self._rate)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def move(number: int, session: Session | None, hosts: dict[int, str], at: dict[str, dict[int, None]]) -> None:
    """Note where a session has its peer now; `None` where it is over. `at` has the sessions of a host in order."""
    host = session.ikes[-1].path.remote[0] if session is not None else None
    before = hosts.get(number)
    if host == before:
        return
    if before is not None:
        del hosts[number]
        del at[before][number]
        if not at[before]:
            del at[before]
    if host is not None:
        hosts[number] = host
        at.setdefault(host, {})[number] = None
