"""Captures of ends with windows above 1: several requests at once, in any order (Section 2.3)."""

from random import Random

import pytest
from ikeref_properties.capture.check import Exit
from ikeref_properties.capture.keys import Keys
from ikeref_properties.capture.opening import Opener
from ikeref_properties.capture.rules import Weight
from ikeref_properties.network import ADDRESS, ENDS, PEER, Pair, connection

from ikeref import sa, wire
from ikeref.crypto.real import RealCrypto
from ikeref.net.packets import Datagram
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType
from tests.conformance.altering import Altered

NAMES = ("net", "web", "mail", "voice", "backup")


def pair(size: int, seed: int = 1) -> Pair:
    settings = Settings(window_size=size)
    connections = {end: connection(end, children=NAMES) for end in ENDS}
    return Pair(seed, crypto=RealCrypto, settings=settings, connections=connections).establish()


def seen(ends: Pair) -> Altered:
    """What somebody between the ends has captured: every datagram when it was sent."""
    found: list[Datagram] = []
    keys: dict[tuple[bytes, bytes], Keys] = {}
    for record in ends.records:
        for output in record.outputs:
            if isinstance(output, sa.NewKeys):
                k = output.keys
                name = (output.spi_i, output.spi_r)
                keys[name] = Keys(*name, output.suite, k.sk_ei, k.sk_er, k.sk_ai, k.sk_ar)
            elif isinstance(output, sa.Transmit):
                source, there = (f"{ADDRESS[end][0]}:500" for end in (record.end, PEER[record.end]))
                found.append(Datagram(len(found) + 1, record.now, source, there, output.datagram))
    opener = Opener(tuple(keys.values()))
    return Altered(tuple(found), tuple(opener.open(each) for each in found), tuple(keys.values()))


def violations(it: Altered) -> list[tuple[int, str]]:
    return [(each.number, each.section) for each in it.judge().findings if each.weight is Weight.VIOLATION]


def crossing(size: int, seed: int, *, twice: float = 0.1) -> Pair:
    """Both ends create, rekey and delete, as many at once as they may, and everything arrives in any order."""
    ends, random = pair(size, seed), Random(seed)
    for end in ENDS:
        (child,) = ends.children(end)
        ends.command(end, sa.CreateChild("web" if end == "A" else "mail"))
        ends.command(end, sa.RekeyChild(child.spi_in))
        ends.command(end, sa.CheckLiveness())
    while ends.flying:
        flight = random.choice(ends.flying)
        if random.random() < 0.05:
            ends.lose(flight)
        else:
            ends.deliver(flight, keep=random.random() < twice)
    ends.settle()
    return ends


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_s2_3_what_two_ends_with_larger_windows_do_conforms(size: int, seed: int) -> None:
    report = seen(crossing(size, seed)).judge()
    assert (report.exit, report.limits, report.gaps) == (Exit.CONFORMS, (), ())
    assert report.judged == len(report.lines)


@pytest.mark.parametrize("size", [2, 4])
def test_s2_3_the_same_is_no_violation_where_the_capture_lacks_something(size: int) -> None:
    it = seen(crossing(size, 3, twice=0))
    for place in range(len(it.datagrams)):
        other = it._replace(datagrams=it.datagrams[:place] + it.datagrams[place + 1 :])
        assert violations(other) == [], place


def full(size: int) -> tuple[Altered, int]:
    """A whole window of requests, answered later; and the packet with the last of them."""
    ends = pair(size)
    for name in NAMES[1 : size + 1]:
        ends.command("A", sa.CreateChild(name))
    last = len(seen(ends).datagrams)
    ends.deliver_all()
    return seen(ends), last


@pytest.mark.parametrize("size", [1, 2, 4])
def test_s2_3_one_request_more_than_the_peer_takes_is_a_violation(size: int) -> None:
    it, last = full(size)
    assert violations(it) == []
    asked = it.message(last)
    extra = asked._replace(exchange_type=int(ExchangeType.INFORMATIONAL), message_id=asked.message_id + 1, payloads=())
    assert violations(it.add(last, extra, last)) == [(900, "2.3")]


def test_s2_3_a_window_that_was_not_announced_is_one() -> None:
    """The same requests without SET_WINDOW_SIZE: the second is too much."""
    it, last = full(2)
    for seen_ in it.seen:
        if seen_.message is not None and seen_.message.exchange_type == ExchangeType.IKE_AUTH:
            payloads = tuple(each for each in seen_.message.payloads if not isinstance(each, wire.N))
            it = it.replace(seen_.number, seen_.message._replace(payloads=payloads))
    assert violations(it) == [(last, "2.3")]


def test_s2_3_responses_come_in_any_order() -> None:
    ends = pair(4)
    for name in NAMES[1:]:
        ends.command("A", sa.CreateChild(name))
    for flight in list(ends.flying)[::-1]:
        ends.deliver(flight)
    ends.settle()
    it = seen(ends)
    responses = [each.message.message_id for each in it.seen if each.message is not None and each.message.is_response]
    assert responses[2:6] == [5, 4, 3, 2]
    assert it.judge().exit is Exit.CONFORMS
