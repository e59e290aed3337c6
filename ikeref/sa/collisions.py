"""Which of two SAs stays when both ends rekeyed at once: the decision kernel (Sections 2.8.1, 2.8.2).

Plain functions of octet strings, for Child SAs and IKE SAs alike.
"""

Nonces = tuple[bytes, bytes]
"""Ni and Nr of one exchange."""


def lower(a: bytes, b: bytes) -> bool:
    """Whether `a` is the lower nonce: octet by octet, and one that ends first is lower (7296-2.8.1-04)."""
    return a < b


def ours_is_redundant(
    ours: Nonces, theirs: Nonces, our_spis: tuple[bytes, bytes], their_spis: tuple[bytes, bytes]
) -> bool:
    """Whether the SA that our exchange made is the one to delete: the lowest of the four nonces is in our
    exchange (7296-2.8.1-03, 7296-2.8.2-01).

    Departure D-1: where the lowest nonce is in both exchanges the RFC is silent. Both ends then compare the remaining
    nonces, and at last the SPIs (as initiator, responder of each exchange), so that they never delete both.
    """
    return _order(ours, our_spis) < _order(theirs, their_spis)


def _order(nonces: Nonces, spis: tuple[bytes, bytes]) -> tuple[bytes, bytes, bytes, bytes]:
    first, second = nonces
    if lower(second, first):
        first, second = second, first
    return first, second, *spis
