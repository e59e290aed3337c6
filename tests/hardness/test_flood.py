"""A flood of IKE_SA_INIT: limits hold, established peers go on, and nothing is left (Section 2.6).

The flood of 100,000 attempts is a command: `python -m tests.hardness.flood` (docs/hardness.md).
"""

import pytest
from ikeref_properties.mutants import find, seeded
from ikeref_properties.mutants.seeding import Mutant, edit, mutant
from ikeref_properties.network import ADDRESS, A, B, Pair

from ikeref import sa, wire
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Output, Path, Transmit
from ikeref.wire import Message, N
from tests.hardness import flood
from tests.hardness.flood import Flood, Hurt

SMALL = Settings(half_open_limit=60, cookie_threshold=20, half_open_per_address=10, half_open_seconds=2.0)
ATTEMPTS = 1500


def test_thousands_of_half_open_attempts_cost_what_the_limits_say() -> None:
    account = flood.measured(ATTEMPTS, SMALL, traced=True, every=300)
    seen = account.seen
    assert account.most == SMALL.half_open_limit
    assert account.most_of_one <= SMALL.half_open_per_address
    assert seen["were asked for a cookie"] > 0.9 * ATTEMPTS
    assert seen["exchanges of the peer"] >= 20
    assert account.peak < 4_000_000, "more than some KB for each half-open IKE SA"


def test_the_addresses_of_others_are_not_used_up() -> None:
    """Who forges an address is asked for a cookie when that has half of what it may have; its owner gets the rest."""
    victim = Flood(_lenient()).victim
    request, owner = _request(), Path(ADDRESS[B], ("192.0.2.99", 500))
    for number in range(100):
        victim.receive(_with_spi(request, number + 1), owner, 1.0)
    assert victim.half_open == 5
    for number in range(200, 220):
        first = victim.receive(_with_spi(request, number), owner, 1.0)
        (cookie,) = _first_payloads(first)
        assert type(cookie) is N
        assert cookie.type == NotifyType.COOKIE
        message = wire.decode(_with_spi(request, number))
        with_cookie = message._replace(payloads=(cookie, *message.payloads))
        victim.receive(wire.encode(with_cookie), owner, 1.0)
    assert victim.half_open == 10
    other = Path(ADDRESS[B], ("192.0.2.98", 500))
    victim.receive(_with_spi(request, 999), other, 1.0)
    assert victim.half_open == 11


def test_the_addresses_of_one_ipv6_network_count_together() -> None:
    victim = Flood(_lenient()).victim
    request = _request()
    for number in range(100):
        path = Path(("2001:db8::1", 500), (f"2001:db8:1:1::{number + 1:x}", 500))
        victim.receive(_with_spi(request, number + 1), path, 1.0)
    assert victim.half_open == 5
    victim.receive(_with_spi(request, 999), Path(("2001:db8::1", 500), ("2001:db8:1:2::1", 500)), 1.0)
    assert victim.half_open == 6


def test_0_means_no_limit_for_one_address() -> None:
    settings = Settings(half_open_limit=60, cookie_threshold=1000, half_open_per_address=0)
    victim, request = Flood(settings).victim, _request()
    for number in range(100):
        victim.receive(_with_spi(request, number + 1), Path(ADDRESS[B], ("192.0.2.99", 500)), 1.0)
    assert victim.half_open == 60


def _lenient() -> Settings:
    return Settings(half_open_limit=60, cookie_threshold=1000, half_open_per_address=10)


def _request() -> bytes:
    return wire.encode(Flood(SMALL).template)


def _with_spi(datagram: bytes, number: int) -> bytes:
    return number.to_bytes(8, "big") + datagram[8:]


def _first_payloads(outputs: tuple[Output, ...]) -> tuple[object, ...]:
    messages: list[Message] = [o.message for o in outputs if type(o) is Transmit and o.message is not None]
    return tuple(message.payloads[0] for message in messages)


FAULTS: tuple[Mutant, ...] = (
    find("demand no cookie"),
    find("keep any number of half-open IKE SAs"),
    find("keep half-open IKE SAs"),
    find("count half-open IKE SAs for ever"),
    mutant("let one address have all", "2.6", edit("endpoint", "return 0 < each <= ", "return 0 > each <= ")),
    mutant("forget to count down", "2.6", edit("endpoint", "self._came_from.pop(number)", "self._came_from[number]")),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_seeded_fault_is_found(fault: Mutant) -> None:
    with seeded(fault), pytest.raises(Hurt):
        Flood(SMALL).run(ATTEMPTS, every=100)


def test_who_is_hurt_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert flood.main(["--attempts", "500"]) == 0
    assert "most_of_one" in capsys.readouterr().out
    with seeded(find("count half-open IKE SAs for ever")):
        assert flood.main(["--attempts", "500"]) == 1
    assert "HURT" in capsys.readouterr().err


def test_s2_6_a_stuck_peer_stalls_nobody() -> None:
    """One peer never answers and one answers with garbage; a third is served at once all the while."""
    ends = Pair(3, settings=SMALL).establish()
    endpoint = ends.ends[A]
    for port in (501, 502):
        endpoint.initiate(ends.connections[A], Path(ADDRESS[A], (ADDRESS[B][0], port)), ends.now)
    for step in range(200):
        ends.now += 0.1
        endpoint.receive(step.to_bytes(8, "big") * 4, Path(ADDRESS[A], (ADDRESS[B][0], 502)), ends.now)
        endpoint.timer(ends.now)
        number = min(endpoint.sessions)
        ends.command(A, sa.CheckLiveness(), number)
        ends.deliver_all()
        assert not any(ike.outstanding for ike in endpoint.sessions[number].ikes)
