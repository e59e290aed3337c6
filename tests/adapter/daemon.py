"""The foreign implementation as a process: `python daemon.py PORT PEER_PORT`, on loopback, until it is terminated."""

import select
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.adapter.minimal import Minimal


def main(port: int, peer_port: int) -> None:
    """Receive and look at the clock, forever."""
    minimal = Minimal(time.monotonic_ns())
    peer = ("127.0.0.1", peer_port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", port))
        while True:
            if select.select((server,), (), (), 0.1)[0]:
                datagram, source = server.recvfrom(65535)
                sent = minimal.receive(datagram, source, (), time.monotonic())
            else:
                sent = minimal.tick(time.monotonic())
            for each in sent:
                server.sendto(each, peer)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
