"""IKE_SA_INIT is not sent anew without end, whatever unauthenticated answers ask for (Section 2.6)."""

import pytest
from ikeref_properties.network import A, Pair

from ikeref import sa, wire
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, NotifyType
from ikeref.wire import FLAG_RESPONSE, NO_SPI, Message, N


@pytest.mark.parametrize("rounds", [2, 3, 6])
def test_s2_6_cookies_are_returned_in_stated_rounds(rounds: int) -> None:
    """7296-2.6-22: an attacker that demands a new cookie each time gets no more than so many requests."""
    pair = Pair(settings=Settings(initial_rounds=rounds))
    sent = [each for each in pair.initiate().outputs if isinstance(each, sa.Transmit)]
    path, spi_i = sent[0].path, pair.ikes(A)[0].spi_i
    for number in range(1, 3 * rounds):
        demand = (N(NotifyType.COOKIE, bytes([number]) * 8),)
        answer = Message(spi_i, NO_SPI, ExchangeType.IKE_SA_INIT, FLAG_RESPONSE, 0, demand)
        outputs = pair.ends[A].receive(wire.encode(answer), path, pair.now)
        sent += [each for each in outputs if isinstance(each, sa.Transmit)]
    assert len(sent) == rounds
