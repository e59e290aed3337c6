"""That two rekeys crossed is remembered, even when what the peer's made is gone again (Section 2.8.1)."""

from ikeref_properties.network import A, B, Flight, Pair

from ikeref import sa


def first(pair: Pair, to: str, *, response: bool) -> Flight:
    """The oldest request or response in flight to an end."""
    return next(
        each
        for each in pair.flying
        if each.to == to and each.message is not None and each.message.is_response is response
    )


def test_s2_8_1_nonces_are_compared_also_with_what_is_gone() -> None:
    """7296-2.8.1-03: the lowest nonce is A's, so A deletes what its exchange made, whatever B deleted meanwhile."""
    pair = Pair().establish()
    pair.forced[A][32] = [bytes(32)]
    for end in (A, B):
        (old,) = pair.children(end)
        pair.command(end, sa.RekeyChild(old.spi_in))
    pair.deliver(first(pair, B, response=False))
    pair.deliver(first(pair, A, response=False))
    late = first(pair, A, response=True)
    pair.deliver(first(pair, B, response=True))
    pair.deliver(first(pair, A, response=False))  # B deletes the old Child SA
    pair.deliver(first(pair, B, response=True))
    (theirs,) = [each for each in pair.children(B) if each.state is sa.ChildState.OPEN]
    pair.command(B, sa.DeleteChild(theirs.spi_in))
    pair.deliver(first(pair, A, response=False))
    pair.deliver(late)
    pair.settle()
    assert pair.children(A) == pair.children(B) == ()
