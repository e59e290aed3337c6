"""Fetching certificates by HTTP from servers that are kind, slow or malicious (Section 3.6)."""

import asyncio
import os
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ikeref_properties.mutants.seeding import edit, mutant, seeded

from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.net.lookup import HttpLookup, get
from ikeref.net.transport import Bind, Node
from ikeref.sa import Fetch, Fetched, Path
from ikeref.sa.outputs import Established
from tests.unit.certificates import scene
from tests.unit.certificates.scene import BELOW, LEAVES, own, trust

Serve = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """A server on the loopback interface that treats each connection so; its `host:port`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def live() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(10)
                    try:
                        connection.recv(4096)
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def says(*pieces: bytes, pause: float = 0.0) -> Serve:
    def serve(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return serve


def fetch(serve: Serve, *, limit: int = 1000, seconds: float = 2.0) -> Fetched:
    """What one lookup comes to."""
    told: queue.Queue[Fetched] = queue.Queue()
    with server(serve) as host:
        lookup = HttpLookup(seconds=seconds)
        lookup.fetch(Fetch(b"\1" * 8, f"http://{host}/a.der?b", limit), told.put)
        answer = told.get(timeout=10)
        lookup.close()
    assert answer.spi == b"\1" * 8
    assert bool(answer.octets) != bool(answer.fault)
    return answer


PEERS = ("2001:db8::1", "2001:db8::ffff:1", "192.0.2.7", "2001:db8:0:1::1")
"""The first two are one."""


def test_s3_6_octets_come_by_length_by_chunks_and_by_the_end_of_the_connection() -> None:
    """7296-3.6-14."""
    for head, body in (
        (b"Content-Length: 3\r\n\r\n", b"abc"),
        (b"\r\n", b"abc"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    ):
        assert fetch(says(OK + head, body)).octets == b"abc"


MALICIOUS = {
    "a redirect": (says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"), "says 302"),
    "not found": (says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc"), "says 404"),
    "part of it": (says(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nabc"), "says 206"),
    "too large": (says(OK + b"Content-Length: 1001\r\n\r\n" + bytes(1001)), "larger than 1000"),
    "too large in chunks": (
        says(OK + b"Transfer-Encoding: chunked\r\n\r\n", *[b"ff\r\n" + bytes(255) + b"\r\n"] * 20),
        "larger than 1000",
    ),
    "cut": (says(OK + b"Content-Length: 10\r\n\r\nabc"), r"."),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), r"."),
    "nothing": (says(), r"."),
    "endless headers": (says(OK + b"X: y\r\n" * 300), r"headers"),
    "a long header": (says(OK + b"X: " + b"y" * 70000), r"."),
    "no number": (says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), r"."),
    "control characters": (says(b"HTTP/1.1 \x1b[2J\r\n\r\n"), r"."),
}  # fmt: skip


@pytest.mark.parametrize("kind", MALICIOUS)
def test_s3_6_a_malicious_server_gives_nothing(kind: str) -> None:
    serve, why = MALICIOUS[kind]
    answer = fetch(serve)
    assert answer.octets == b""
    assert re.search(why, answer.fault)


@pytest.mark.parametrize(
    "serve",
    [
        says(OK + b"Content-Length: 3\r\n\r\n", b"a", b"b", b"c", pause=0.4),
        says(b"H", b"T", b"T", b"P", b"/", pause=0.2),
        says(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 20, pause=0.1),
        says(pause=0.1),
        lambda _: time.sleep(1.5),
    ],
    ids=["a slow body", "a slow head", "for ever 100", "silence that ends", "silence"],
)
def test_s3_6_a_slow_server_is_cut_off_in_time_however_it_drips(serve: Serve) -> None:
    begun = time.monotonic()
    answer = fetch(serve, seconds=0.5)
    assert answer.octets == b""
    assert time.monotonic() - begun < 4


def test_s3_6_a_server_that_is_not_there_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        get(f"http://127.0.0.1:{port}/", 1000, 2.0)
    for url in ("https://127.0.0.1/", "ftp://127.0.0.1/", "http:///x"):
        with pytest.raises(ValueError, match="no http URL"):
            get(url, 1000, 2.0)


def test_s3_6_only_so_many_lookups_wait() -> None:
    told: queue.Queue[Fetched] = queue.Queue()
    release = threading.Event()

    def serve(_: socket.socket) -> None:
        release.wait(5)

    with server(serve) as host:
        lookup = HttpLookup(seconds=5, at_once=1, waiting=3)
        for _ in range(5):
            lookup.fetch(Fetch(b"\1" * 8, f"http://{host}/", 10), told.put)
        assert [told.get(timeout=1).fault for _ in range(2)] == ["too many lookups are under way"] * 2
        assert told.empty()
        release.set()
        for _ in range(3):
            told.get(timeout=10)
        lookup.close()


def test_s3_6_one_peer_does_not_use_up_the_lookups_of_another() -> None:
    """However many it asks for, from as many IKE SAs; what ended makes room again."""
    release, told = threading.Event(), {peer: queue.Queue[Fetched]() for peer in PEERS}

    def serve(connection: socket.socket) -> None:
        release.wait(5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    with server(serve) as host:
        lookup = HttpLookup(seconds=5, at_once=4, waiting=8, each=2)
        for turn in range(6):
            lookup.fetch(Fetch(bytes((turn,)) * 8, f"http://{host}/", 10, PEERS[turn % 2]), told[PEERS[turn % 2]].put)
        for peer in PEERS[2:]:
            lookup.fetch(Fetch(b"\1" * 8, f"http://{host}/", 10, peer), told[peer].put)
        refused = [told[PEERS[turn % 2]].get(timeout=1) for turn in range(4)]
        assert {each.fault for each in refused} == {"too many lookups are under way"}
        release.set()
        for peer in PEERS:
            assert told[peer].get(timeout=10).fault != "too many lookups are under way"
        lookup.fetch(Fetch(b"\1" * 8, f"http://{host}/", 10, PEERS[0]), told[PEERS[0]].put)
        assert told[PEERS[0]].get(timeout=10).fault != "too many lookups are under way"
        lookup.close()


def test_without_a_share_of_each_one_peer_uses_them_up() -> None:
    fault = mutant("give all lookups to one", "3.6", edit("net.lookup", " and self._of[peer] < self._each", ""))
    with seeded(fault), pytest.raises(queue.Empty):
        test_s3_6_one_peer_does_not_use_up_the_lookups_of_another()


def test_s3_6_a_life_on_sockets_with_certificates_by_hash_and_url() -> None:
    """Two nodes on the loopback interface; the event loop goes on while the server takes its time."""
    objects = {b"/leaf": LEAVES["A"].der, b"/below": BELOW.der}

    with _file_server(objects) as host:
        urls = (f"http://{host}/leaf", f"http://{host}/below")
        made = scene.connections(
            a_local_auth=own(LEAVES["A"], BELOW, urls=urls), b_remote_auth=trust(scene.ROOT, lookup_hosts=(host,))
        )

        async def life() -> None:
            events: list[object] = []
            ends = {
                end: Node(Endpoint((made[end],), RealCrypto(), os.urandom), observers=(lambda e, _: events.append(e),))
                for end in ("A", "B")
            }
            addresses = {end: await ends[end].bind(Bind("127.0.0.1", 0, False)) for end in ends}
            ends["A"].initiate(made["A"], Path(addresses["A"], addresses["B"]))
            await ends["B"].wait_for(lambda: any(type(e) is Fetch for e in events), 5)
            await ends["A"].wait_for(lambda: len([e for e in events if type(e) is Established]) == 2, 10)
            for node in ends.values():
                await node.close()

        asyncio.run(life())


@contextmanager
def _file_server(objects: dict[bytes, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.1)
            body = objects[self.path.encode()]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join(10)
