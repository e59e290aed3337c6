"""Packets through Child SAs with strongSwan's ESP in user space, in UDP (Sections 2.8, 2.17, 2.23)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.interop import lab, scenarios
from tests.interop.started import Start, Started
from tests.interop.test_strongswan import ROLES

INSIDE = {"ours": "10.1.1.1", "theirs": "10.2.1.1"}
PORT = 4711
SUITES = ("aes256gcm16", "aes128-sha256", "aes192-sha1", "aes256ctr-sha512", "aes128ccm8", "chacha20poly1305")


@contextmanager
def speakers(started: Started) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A UDP socket on the inner address of each end."""
    link = started.scene.bridge.link
    made = []
    for end, address in ((link.ours, INSIDE["ours"]), (link.theirs, INSIDE["theirs"])):
        lab.run("ip", "-n", end.namespace, "address", "add", f"{address}/32", "dev", "lo")

        def make(address: str = address) -> socket.socket:
            speaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            speaker.bind((address, PORT))
            speaker.settimeout(5)
            return speaker

        made.append(lab.in_namespace(end.namespace, make))
    try:
        yield made[0], made[1]
    finally:
        for speaker in made:
            speaker.close()


def there_and_back(one: socket.socket, other: socket.socket, count: int = 10) -> None:
    """So many numbered datagrams each way; all of them arrive, once and in order."""
    for sender, receiver in ((one, other), (other, one)):
        for number in range(count):
            sender.sendto(number.to_bytes(4) * 100, receiver.getsockname())
        assert [receiver.recv(2048) for _ in range(count)] == [number.to_bytes(4) * 100 for number in range(count)]


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("suite", SUITES)
def test_s2_17_packets_go_both_ways_amid_rekeys(suite: str, initiator: str, start: Start) -> None:
    both = {"child_proposals": f"{suite}-x25519"}
    started = start(ours=both, theirs=both)
    scene = started.scene
    tunnel = started.ikeref.carry("ike0")
    with speakers(started) as (one, other):
        scenarios.establish(scene, initiator)
        there_and_back(one, other)
        for who in scenarios.BOTH:
            scenarios.rekey_child(scene, who, "first")
            there_and_back(one, other)
            scenarios.rekey_ike(scene, who, children=1)
            there_and_back(one, other)
        assert tunnel.carrier.refusals == {}
        scenarios.delete_ike(scene, initiator)
        with pytest.raises(OSError, match="unreachable"):  # the route went with the Child SA
            one.sendto(b"nobody carries this", other.getsockname())
