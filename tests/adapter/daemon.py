"""The foreign implementation as a process: `python daemon.py PORT PEER_PORT CONTROL_PORT`, on loopback.

Commands come as text in datagrams: what, a space, an SPI in hexadecimal.
"""

import select
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.adapter.minimal import Minimal


def main(port: int, peer_port: int, control_port: int) -> None:
    """Receive, look at the clock and take commands, forever."""
    minimal = Minimal(time.monotonic_ns())
    server, control = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    control.bind(("127.0.0.1", control_port))
    server.bind(("127.0.0.1", port))
    while True:
        ready = select.select((server, control), (), (), 0.1)[0]
        if server in ready:
            sent = minimal.receive(server.recv(65535), (), (), time.monotonic())
        elif control in ready:
            what, _, spi = control.recv(100).decode().rpartition(" ")
            sent = minimal.order(what, bytes.fromhex(spi), time.monotonic())
        else:
            sent = minimal.tick(time.monotonic())
        for each in sent:
            server.sendto(each, ("127.0.0.1", peer_port))


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
