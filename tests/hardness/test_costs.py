"""What one datagram of a stranger may cost: counted in calls, not in seconds, and in octets that are kept.

`python -m tests.hardness.costs` measures the same in microseconds (docs/hardness.md).
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from ikeref_properties.mutants import seeded
from ikeref_properties.mutants.seeding import Mutant, edit, mutant
from ikeref_properties.network import ADDRESS, A, B, Pair

from ikeref import wire
from ikeref.crypto import envelope
from ikeref.crypto.envelope import Fragment
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, KeGroup
from ikeref.sa import Path
from ikeref.wire import FLAG_INITIATOR, KE, Message
from tests.hardness.costs import dear

TO_B = Path(ADDRESS[B], ADDRESS[A])
CALLS = 100
"""As many calls as a sound IKE_SA_INIT makes, at most so many times over."""


def calls(act: Callable[[], object]) -> int:
    """How many functions are called, those written in C included."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def dearest() -> tuple[int, int, str]:
    """Calls of a sound IKE_SA_INIT, of the dearest datagram, and what that is."""
    sound, most, which = 0, 0, ""
    for name, datagram, endpoint in dear():
        spent = calls(lambda e=endpoint, d=datagram: e.receive(d, TO_B, 1.0))  # type: ignore[misc]
        if name == "a sound IKE_SA_INIT":
            sound = spent
        elif spent > most:
            most, which = spent, name
    return sound, most, which


def test_s2_6_the_dearest_datagram_of_a_stranger_is_bounded() -> None:
    sound, most, which = dearest()
    assert sound > 100
    assert most <= CALLS * sound, which


class Counting(RealCrypto):
    """Counts what is dear."""

    def __init__(self) -> None:
        super().__init__()
        self.agreed: list[int] = []

    def generate(self, group: int, random: Callable[[int], bytes]) -> tuple[Any, bytes]:
        self.agreed.append(group)
        return super().generate(group, random)

    def agree(self, group: int, private: Any, public: bytes) -> bytes:
        self.agreed.append(group)
        return super().agree(group, private, public)


def test_s2_6_nobody_has_us_exponentiate_in_a_group_of_their_choice_nor_without_a_cookie() -> None:
    crypto = Counting()
    pair = Pair(2, crypto=RealCrypto)
    pair.initiate()
    request = wire.decode(pair.flying.pop().datagram)
    policy, random = pair.connections[B], pair._draw(B)
    for settings in (Settings(), Settings(cookie_threshold=0)):
        victim = Endpoint((policy,), crypto, random, settings)
        for group in (KeGroup.MODP_8192, KeGroup.MODP_4096, KeGroup.ECP_521, 1025):
            other = KE(group, b"\2" * 1024)
            payloads = tuple(other if type(each) is KE else each for each in request.payloads)
            victim.receive(wire.encode(request._replace(payloads=payloads)), TO_B, 1.0)
    assert crypto.agreed == []
    victim.receive(wire.encode(request), TO_B, 1.0)
    assert crypto.agreed == [], "no cookie was brought"


def kept_of_fragments(settings: Settings) -> int:
    """Octets that a half-open IKE SA keeps of fragments whose sender has keys, and proved nothing."""
    pair = Pair(3, crypto=RealCrypto, settings=settings)
    pair.initiate()
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    pair.flying.clear()
    (ike,) = pair.ikes(A)
    assert ike.keys is not None
    assert ike.suite is not None
    head = Message(ike.spi_i, ike.spi_r, ExchangeType.IKE_AUTH, FLAG_INITIATOR, 1, ())
    for number in range(2, 65):
        for total in (64,):
            part = Fragment(head, number, total, 0, bytes(60_000), number.to_bytes(8, "big"))
            datagram = envelope.protect_fragment(RealCrypto(), ike.suite, ike.keys.sk_ei, ike.keys.sk_ai, part)
            pair.ends[B].receive(datagram, TO_B, 1.0)
    (session,) = pair.sessions(B)
    return sum(len(each.content) for ike in session.ikes for held in ike.partial for each in held.parts)


def test_rfc7383_s2_6_fragments_of_a_stranger_are_bounded_together() -> None:
    settings = Settings()
    assert 0 < kept_of_fragments(settings) <= settings.message_octets


def test_rfc7383_s2_6_what_is_kept_of_fragments_is_forgotten() -> None:
    pair = Pair(4, settings=Settings(fragment_octets=120))
    pair.initiate()
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    assert pair.ikes(B)[0].partial
    pair.flying.clear()
    pair.ends[B].timer(100.0)
    assert not pair.ikes(B)


def unread(settings: Settings) -> int:
    """Calls for a message of 60,000 octets to an established IKE SA, with thousands of payloads before SK."""
    pair = Pair(5, crypto=RealCrypto, settings=settings).establish()
    (ike,) = pair.ikes(B)
    junk = b"\x2b\0\0\x04" * 14_000 + b"\x2e\0\0\x04" + bytes((0, 0, 0, 60)) + bytes(56)
    head = (
        ike.spi_i
        + ike.spi_r
        + bytes((43, 0x20, 36, 8))
        + ike.expected.to_bytes(4, "big")
        + (28 + len(junk)).to_bytes(4, "big")
    )
    return calls(lambda: pair.ends[B].receive(head + junk, TO_B, 1.0))


def test_s2_6_a_long_message_that_nothing_protects_is_not_read() -> None:
    assert unread(Settings()) < 100
    assert unread(Settings(unprotected_octets=65535)) > 10_000


FAULTS: tuple[tuple[Mutant, Callable[[], None]], ...] = (
    (
        mutant(
            "read whatever comes", "2.6", edit("endpoint", "len(datagram) > self.settings.unprotected_octets", "False")
        ),
        test_s2_6_the_dearest_datagram_of_a_stranger_is_bounded,
    ),
    (
        mutant(
            "keep all fragments",
            "RFC 7383 2.6",
            edit("sa.fragmentation", "> turn.env.settings.message_octets", "> 10**9"),
        ),
        test_rfc7383_s2_6_fragments_of_a_stranger_are_bounded_together,
    ),
    (
        mutant("compute first", "2.6", edit("endpoint", "if self._wants_cookie(path) and not", "if False and not")),
        test_s2_6_nobody_has_us_exponentiate_in_a_group_of_their_choice_nor_without_a_cookie,
    ),
)


@pytest.mark.parametrize(("fault", "test"), FAULTS, ids=lambda each: each.id if isinstance(each, Mutant) else "")
def test_a_seeded_fault_is_found(fault: Mutant, test: Callable[[], None]) -> None:
    with seeded(fault), pytest.raises(AssertionError):
        test()
