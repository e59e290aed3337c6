"""Public values that are good, altered so that they are not: what becomes of the message (RFC 6989, Section 3.4)."""

from typing import NamedTuple

import pytest
from ikeref_properties.network import A, B, Flight, Pair, connection

from ikeref import sa, wire
from ikeref.crypto import Suite, modp
from ikeref.crypto.real import RealCrypto
from ikeref.errors import InvalidSyntax, LocalProtocolError
from ikeref.registry import Encr, Integ, KeGroup, NotifyType, Prf
from ikeref.sa import Phase
from ikeref.wire import KE, D, Message, N
from tests.unit.eap.scene import forge


class Bad(NamedTuple):
    """A group, and public values of it that are none."""

    word: str
    group: int
    values: tuple[bytes, ...]


def number(value: int) -> bytes:
    """As long as the modulus of group 14."""
    return value.to_bytes(256, "big")


P = modp.modulus(KeGroup.MODP_2048)
MODP = Bad("modp2048", KeGroup.MODP_2048, (*map(number, (0, 1, P - 1, P, P + 1)), number(4)[1:]))
CURVE = Bad("ecp256", KeGroup.ECP_256, (bytes(64), b"\1" * 64, b"\xff" * 64, bytes(63)))
MONTGOMERY = Bad("x25519", KeGroup.CURVE25519, (bytes(32), b"\1" + bytes(31), bytes(31)))
CASES = tuple((bad, value) for bad in (MODP, CURVE, MONTGOMERY) for value in bad.values)
EACH = pytest.mark.parametrize(("bad", "value"), CASES, ids=[f"{bad.word} {n}" for n, (bad, _) in enumerate(CASES)])
SMALL = (KeGroup.MODP_1024_160, KeGroup.MODP_2048_224, KeGroup.MODP_2048_256)
"""Groups with small subgroups (RFC 5114)."""


def pair(bad: Bad, seed: int = 1) -> Pair:
    ike, esp = f"aes256gcm16-prfsha256-{bad.word}", f"aes256gcm16-{bad.word}"
    policies = {end: connection(end, ike=ike, esp=esp) for end in (A, B)}
    return Pair(seed, crypto=RealCrypto, connections=policies)


def with_value(message: Message, value: bytes) -> Message:
    payloads = tuple(p._replace(public=value) if type(p) is KE else p for p in message.payloads)
    return message._replace(payloads=payloads)


def alter_plain(ends: Pair, value: bytes) -> Flight:
    """Another public value in the IKE_SA_INIT message in flight."""
    flight = ends.flying[0]
    assert flight.message is not None
    message = with_value(flight.message, value)
    ends.flying[0] = flight._replace(datagram=wire.encode(message), message=message)
    return ends.flying[0]


def errors(ends: Pair, end: str) -> list[int]:
    """The errors that an end has said."""
    return [
        payload.type
        for record in ends.records
        if record.end == end
        for output in record.outputs
        if type(output) is sa.Transmit and output.message is not None
        for payload in output.message.payloads
        if type(payload) is N and payload.type < 16384
    ]


@EACH
def test_public_values_are_checked(bad: Bad, value: bytes) -> None:
    """6989-2-01, 6989-2-02, 6989-2.1-01, 6989-2.3-01, 6989-2.4-01: each group refuses them, and takes a good one."""
    crypto = RealCrypto()
    private, _ = crypto.generate(bad.group, lambda octets: b"\x5a" * octets)
    _, public = crypto.generate(bad.group, lambda octets: b"\x3c" * octets)
    assert crypto.agree(bad.group, private, public)
    with pytest.raises(InvalidSyntax):
        crypto.agree(bad.group, private, value)


@EACH
def test_an_ike_sa_init_request_with_a_bad_value_is_dropped(bad: Bad, value: bytes) -> None:
    """6989-2.5-01, 6989-2.5-02, 6989-2.5-03: no answer and no state; the right one that follows is served."""
    ends = pair(bad)
    ends.initiate(A)
    good = ends.flying[0]
    record = ends.deliver(alter_plain(ends, value))
    assert not any(type(output) is sa.Transmit for output in record.outputs)
    assert not ends.sessions(B)
    ends.flying.append(good)
    ends.deliver_all()
    assert len(ends.children(A)) == len(ends.children(B)) == 1


@EACH
def test_an_ike_sa_init_response_with_a_bad_value_is_ignored(bad: Bad, value: bytes) -> None:
    """6989-2.5-01, 6989-2.5-02, 6989-2.5-04: waiting goes on for a good one."""
    ends = pair(bad)
    ends.initiate(A)
    ends.deliver(ends.flying[0])
    good = ends.flying[0]
    ends.deliver(alter_plain(ends, value))
    assert [ike.phase for ike in ends.ikes(A)] == [Phase.INIT_SENT]
    ends.flying.insert(0, good)
    ends.deliver(good)
    ends.deliver_all()
    assert len(ends.children(A)) == len(ends.children(B)) == 1


COMMANDS = ("child", "ike")


def asked(ends: Pair, what: str) -> None:
    """A asks for a Child SA or for the rekey of the IKE SA, with KE."""
    ends.command(A, sa.CreateChild("web") if what == "child" else sa.RekeyIke())


def put_value(ends: Pair, value: bytes) -> None:
    """Another public value in the message in flight, under the right keys."""
    message = ends.flying[0].message
    assert message is not None
    forge(ends, with_value(message, value).payloads)


@EACH
@pytest.mark.parametrize("what", COMMANDS)
def test_a_bad_value_in_a_request_ends_the_ike_sa(bad: Bad, value: bytes, what: str) -> None:
    """6989-2.5-05: INVALID_SYNTAX, and the IKE SA goes; unaltered the same is served."""
    for altered in (False, True):
        ends = pair(bad).establish()
        asked(ends, what)
        if altered:
            put_value(ends, value)
        ends.deliver(ends.flying[0])
        assert errors(ends, B) == ([NotifyType.INVALID_SYNTAX] if altered else [])
        assert bool(ends.ikes(B)) is not altered


@EACH
@pytest.mark.parametrize("what", COMMANDS)
def test_a_bad_value_in_a_response_has_the_ike_sa_deleted(bad: Bad, value: bytes, what: str) -> None:
    """6989-2.5-06: by a Delete in an exchange of its own; unaltered nothing is deleted but what was rekeyed."""
    for altered in (False, True):
        ends = pair(bad).establish()
        (old,) = ends.ikes(A)
        asked(ends, what)
        ends.deliver(ends.flying[0])
        if altered:
            put_value(ends, value)
        ends.deliver(ends.flying[0])
        deleted = [
            each.message.spi_i
            for each in ends.flying
            if each.to == B and each.message is not None and D(1) in each.message.payloads
        ]
        assert deleted == ([old.spi_i] if altered or what == "ike" else [])
        ends.deliver_all()
        assert len(ends.ikes(A)) == (0 if altered else 1)


@pytest.mark.parametrize("group", SMALL)
def test_groups_with_small_subgroups_are_not_there(group: int) -> None:
    """6989-2.2-01 to 6989-2.2-06: so no public value of them is ever used, and no private one again."""
    for legacy in (False, True):
        crypto = RealCrypto(legacy=legacy)
        assert not crypto.supports_group(group)
        with pytest.raises(LocalProtocolError):
            crypto.generate(group, bytes)
        assert crypto.supports_group(KeGroup.MODP_2048)


def private_values(value: object) -> int:
    """How many private values of MODP groups are anywhere in a session."""
    if isinstance(value, tuple):
        return sum(map(private_values, value))
    return int(isinstance(value, modp.Exponent))


def test_no_private_value_is_kept_after_its_use() -> None:
    """7296-5-04: while a request is unanswered there is one, and none once it is answered or refused."""
    ends = pair(MODP)
    ends.initiate(A)
    assert private_values(ends.sessions(A)) == 1
    ends.deliver_all()
    assert private_values(ends.sessions(A) + ends.sessions(B)) == 0
    for command in (sa.CreateChild("web"), sa.RekeyIke()):
        ends.command(A, command)
        assert private_values(ends.sessions(A)) >= 1
        ends.deliver_all()
        assert private_values(ends.sessions(A) + ends.sessions(B)) == 0


def test_a_private_value_is_drawn_for_each_exchange() -> None:
    """6989-2.2-05, 6989-2-02: nothing is reused, whoever asks; with the same randomness it would be."""
    values = set()
    ends = pair(MODP).establish()
    for _ in range(3):
        ends.command(A, sa.RekeyChild(ends.children(A)[0].spi_in))
        ends.deliver_all()
    sent = [p.public for each in ends.past if each.message is not None for p in each.message.payloads if type(p) is KE]
    values.update(sent)
    assert len(values) == len(sent) == 8
    crypto = RealCrypto()
    assert crypto.generate(KeGroup.MODP_2048, bytes)[1] == crypto.generate(KeGroup.MODP_2048, bytes)[1]


def test_2_13_04_keys_are_taken_as_they_come_where_some_bits_mean_nothing() -> None:
    """Of a 3DES key each lowest bit is parity: any octets are a key. Altered are these bits, and then another."""
    crypto = RealCrypto(legacy=True)
    suite = Suite(Encr.TRIPLE_DES, 0, Prf.HMAC_SHA2_256, Integ.HMAC_SHA2_256_128, KeGroup.CURVE25519)
    key = bytes(range(2, 50, 2))
    plain = crypto.encrypt(suite, key, bytes(32), b"", bytes(8), bytes(16))
    assert crypto.encrypt(suite, bytes(each ^ 1 for each in key), bytes(32), b"", bytes(8), bytes(16)) == plain
    assert crypto.encrypt(suite, bytes((key[0] ^ 2,)) + key[1:], bytes(32), b"", bytes(8), bytes(16)) != plain
