"""SAs that reach their age are rekeyed, once in a lifetime, and never in a tight loop (Sections 2.8, 2.8.1, 2.25)."""

from random import Random

import pytest
from ikeref_model.events import Kind
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, A, B, Pair, connection
from ikeref_properties.refinement.words import kind_of

from ikeref import sa
from ikeref.policy.connections import Settings

AGING = Settings(rekey_child_seconds=60, rekey_ike_seconds=150)


def aged(pair: Pair, seconds: float) -> None:
    """Time goes on with a perfect network."""
    while pair.now < seconds:
        pair.deliver_all()
        assert pair.advance()
    pair.deliver_all()


def without_age(pair: Pair) -> None:
    """Nothing grows old any more."""
    for end in ENDS:
        endpoint = pair.ends[end]
        for number, session in endpoint.sessions.items():
            ikes = tuple(ike._replace(rekey_at=0.0) for ike in session.ikes)
            children = tuple(child._replace(rekey_at=0.0) for child in session.children)
            endpoint.sessions[number] = session._replace(ikes=ikes, children=children)
        endpoint.settings = Settings()
        endpoint.environment = endpoint.environment._replace(settings=Settings())


def test_s2_8_what_grows_old_is_replaced() -> None:
    judge = Judge()
    pair = Pair(1, settings=AGING, watch=judge).establish()
    before = pair.ikes(A)[0].spi_i, pair.children(A)[0].spi_in
    aged(pair, 160)
    assert pair.ikes(A)[0].spi_i != before[0]
    assert pair.children(A)[0].spi_in != before[1]


@pytest.mark.parametrize("seed", range(12))
def test_s2_8_lifetimes_of_both_ends_collide_and_lose_nothing(seed: int) -> None:
    judge, random = Judge(), Random(seed)
    connections = {end: connection(end, children=("net", "web"), starting=2) for end in ENDS}
    pair = Pair(seed, settings=AGING, connections=connections, watch=judge).establish()
    for _ in range(40):
        while pair.flying:
            flight = random.choice(pair.flying)
            if random.random() < 0.05:
                pair.lose(flight)
            else:
                pair.deliver(flight, keep=random.random() < 0.05)
        pair.advance()
    without_age(pair)
    pair.settle()
    judge.ledger.at_rest(pair)
    assert len(pair.children(A)) == 2


def test_s2_25_a_rekey_by_age_that_fails_is_not_tried_again_at_once() -> None:
    """The peer refuses for as long as it is creating a Child SA: until it gives up, for its requests are lost."""
    pair = Pair(2, settings=Settings(rekey_ike_seconds=10)).establish()
    pair.command(B, sa.CreateChild("web"))
    asked = []
    while pair.now < 14:
        while pair.flying:
            flight = pair.flying[0]
            assert flight.message is not None
            rekey = kind_of(flight.message) is Kind.REKEY_IKE and not flight.message.is_response
            if flight.to == A and not flight.message.is_response:
                pair.lose(flight)
                continue
            pair.deliver(flight)
            if rekey and flight.to == B:
                asked.append(pair.now)
        pair.advance()
    assert len(asked) == 1


def test_s2_1_a_command_that_waits_does_not_keep_the_clock_busy() -> None:
    """A rekey by age falls due while another request is unanswered; the next deadline lies ahead all the same."""
    pair = Pair(3, settings=Settings(rekey_child_seconds=0.5)).establish()
    pair.command(A, sa.CheckLiveness())
    pair.flying.clear()
    times = []
    for _ in range(5):
        pair.advance()
        pair.flying.clear()
        times.append(pair.now)
    assert times[-1] > times[0]
