"""Fetching certificates by HTTP for peers that name them by hash and URL (Section 3.6).

The peer chose the path, and is not authenticated yet; our operator chose the host. So: one GET, no redirects, no
proxy, a bounded size, a bounded time from name resolution to the last octet, few at once, and a share of these for each
peer. Each runs in a thread, never in the event loop. What comes is not looked at here.
"""

import http.client
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlsplit

from ikeref.sa import nat
from ikeref.sa.certification import Fetched
from ikeref.sa.outputs import Fetch

_log = logging.getLogger("ikeref.net")

SECONDS = 5.0
"""From beginning to end."""
AT_ONCE = 4
"""Lookups under way at once; others wait their turn."""
WAITING = 64
"""Lookups that are under way or wait, at most; more fail at once."""
EACH = 16
"""Of these for one peer, an IPv4 address or 64 bits of IPv6, at most: it does not use up those of others."""
_PIECE = 4096


class Lookup(Protocol):
    """Carries out fetches, and tells what they came to, in any thread, once for each, and whatever happens."""

    def fetch(self, what: Fetch, tell: Callable[[Fetched], None]) -> None: ...

    def close(self) -> None: ...


class HttpLookup:
    """Lookups by HTTP/1.1."""

    def __init__(
        self, seconds: float = SECONDS, at_once: int = AT_ONCE, waiting: int = WAITING, each: int = EACH
    ) -> None:
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="lookup")
        self._waiting, self._each = waiting, each
        self._lock = threading.Lock()
        self._of: Counter[bytes] = Counter()
        """Lookups that are under way or wait, by peer."""

    def fetch(self, what: Fetch, tell: Callable[[Fetched], None]) -> None:
        """Begin; what it comes to is told later, or now where there are too many."""
        peer = _network(what.peer)
        with self._lock:
            has_room = self._of.total() < self._waiting and self._of[peer] < self._each
            if has_room:
                self._of[peer] += 1
        if not has_room:
            tell(Fetched(what.spi, what.url, fault="too many lookups are under way"))
            return
        end = time.monotonic() + self._seconds
        self._pool.submit(self._run, what, tell, end)

    def close(self) -> None:
        """Begin no others; those under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, what: Fetch, tell: Callable[[Fetched], None], end: float) -> None:
        try:
            answer = Fetched(what.spi, what.url, get(what.url, what.limit_octets, end - time.monotonic()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            answer = Fetched(what.spi, what.url, fault=str(error)[:200] or type(error).__name__)
        except Exception:  # whatever it was, a peer waits for the answer
            _log.exception("a lookup failed")
            answer = Fetched(what.spi, what.url, fault="it failed")
        finally:
            self._done(_network(what.peer))
        tell(answer)

    def _done(self, peer: bytes) -> None:
        with self._lock:
            self._of[peer] -= 1
            self._of += Counter()  # peers that have none are forgotten


def _network(host: str) -> bytes:
    return nat.network(host) if host else b""


def get(url: str, limit_octets: int, seconds: float) -> bytes:
    """The octets of a URL. OSError, HTTPException or ValueError where they can't be had as wanted."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or seconds <= 0:
        raise ValueError("no http URL" if seconds > 0 else "no time is left")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or http.client.HTTP_PORT, timeout=seconds)
    late = threading.Event()
    watchdog = threading.Timer(seconds, _cut, (connection, late))
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.connect()
        if late.is_set():  # The name took too long, and there was nothing to cut yet.
            raise TimeoutError
        return _get(connection, parts.path or "/", parts.query, limit_octets)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise TimeoutError(f"it takes longer than {seconds:.1f} seconds") from None
        raise
    finally:
        watchdog.cancel()
        connection.close()


def _get(connection: http.client.HTTPConnection, path: str, query: str, limit_octets: int) -> bytes:
    target = f"{path}?{query}" if query else path
    connection.request("GET", target, headers={"Accept": "*/*", "Connection": "close"})
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise ValueError(f"the server says {answer.status}")
    octets = bytearray()
    while piece := answer.read(_PIECE):
        octets += piece
        if len(octets) > limit_octets:
            raise ValueError(f"larger than {limit_octets} octets")
    if answer.length:
        raise ValueError("it ends early")
    return bytes(octets)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End a connection whose server is slow, however it drips."""
    late.set()
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
