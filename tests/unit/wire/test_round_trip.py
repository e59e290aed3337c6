"""`encode(decode(x)) == x` for all that is accepted, and `decode` is total (Sections 2.5 and 3)."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st
from ikeref_properties.strategies import wire as strategies

from ikeref import wire
from ikeref.errors import ProtocolError

FIND = settings(max_examples=2000, database=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
"""Enough for a twin to meet the fault that is seeded in it."""


def comes_back(message: wire.Message, encode: Callable[[wire.Message], bytes] = wire.encode) -> bool:
    """Whether a message is the same after encoding and decoding, and its octets the same after one more round."""
    octets = encode(message)
    again = wire.decode(octets)
    # Named tuples of two types are equal when their fields are: compare the types too.
    types = [type(payload) for payload in again.payloads] == [type(payload) for payload in message.payloads]
    return types and again == message and encode(again) == octets


@given(strategies.messages)
def test_s3_messages_come_back(message: wire.Message) -> None:
    assert comes_back(message)


def _without_reserved(message: wire.Message) -> bytes:
    """A seeded fault: what Section 2.5 has senders do, done to a message that has to come back as it was."""
    payloads = tuple(payload._replace(flags=payload.flags & 0x80) for payload in message.payloads)
    return wire.encode(message._replace(payloads=payloads))


def _without_unknown(message: wire.Message) -> bytes:
    """A seeded fault: unknown payloads are thrown away."""
    payloads = tuple(payload for payload in message.payloads if not isinstance(payload, wire.Unknown))
    return wire.encode(message._replace(payloads=payloads))


def _minor_version_zero(message: wire.Message) -> bytes:
    """A seeded fault: the minor version is forgotten."""
    return wire.encode(message._replace(version=0x20))


@pytest.mark.parametrize("fault", [_without_reserved, _without_unknown, _minor_version_zero])
def test_twin_a_lossy_encoder_is_found(fault: Callable[[wire.Message], bytes]) -> None:
    assert find(strategies.messages, lambda message: not comes_back(message, fault), settings=FIND)


@pytest.mark.parametrize("kind", strategies.BY_KIND)
@given(data=st.data())
@settings(max_examples=50)
def test_s3_each_payload_comes_back(kind: str, data: st.DataObject) -> None:
    payload = data.draw(strategies.BY_KIND[kind])
    octets = wire.encode_payloads((payload,))
    (again,) = wire.decode_payloads(wire.payload_type(payload), octets)
    assert again == payload
    assert type(again) is type(payload)
    assert wire.encode_payloads((again,)) == octets


@given(strategies.chains)
def test_s3_14_chains_inside_sk_come_back(payloads: tuple[wire.Payload, ...]) -> None:
    octets = wire.encode_payloads(payloads)
    assert wire.decode_payloads(wire.first_type(payloads), octets, 7) == payloads


def survives(octets: bytes, decode: Callable[[bytes], wire.Message] = wire.decode) -> bool:
    """Whether `decode` gives a value that encodes to the same octets, or an error that says where and why."""
    try:
        message = decode(octets)
    except ProtocolError as error:
        return 0 <= error.offset <= len(octets) and bool(error.field and error.section and error.reason)
    except Exception:
        return False
    return wire.encode(message) == octets


@given(st.binary(max_size=120) | st.binary(max_size=92).map(lambda tail: b"\x01" * 16 + b"\x29\x20" + tail))
@example(b"")
@example(bytes(28))
def test_s2_21_any_octets_give_a_value_or_an_error(octets: bytes) -> None:
    assert survives(octets)
    assert survives(strategies.with_true_length(octets))


@given(strategies.mutated_datagrams())
@settings(max_examples=500)
def test_s2_21_mutated_messages_give_a_value_or_an_error(octets: bytes) -> None:
    assert survives(octets)


def survives_inside(kind: int, octets: bytes, offset: int) -> bool:
    """The same for a plaintext whose first payload is of type `kind` and which stands at `offset`."""
    try:
        payloads = wire.decode_payloads(kind, octets, offset)
    except ProtocolError as error:
        return offset <= error.offset <= offset + len(octets) and bool(error.field and error.section and error.reason)
    return wire.encode_payloads(payloads) == octets and wire.first_type(payloads) == kind


@given(st.integers(0, 255), st.binary(max_size=80), st.integers(0, 1000))
def test_s2_21_3_any_plaintext_gives_payloads_or_an_error(kind: int, octets: bytes, offset: int) -> None:
    assert survives_inside(kind, octets, offset)


def _reads_ahead(octets: bytes) -> wire.Message:
    """A seeded fault: reads the first payload header, whether there is one or not."""
    message = wire.decode(octets)
    return message if octets[28] >= 0 else message._replace(payloads=())


def _corrects_the_version(octets: bytes) -> wire.Message:
    """A seeded fault: knows better which minor version it is."""
    return wire.decode(octets)._replace(version=0x20)


@pytest.mark.parametrize("fault", [_reads_ahead, _corrects_the_version])
def test_twin_a_careless_decoder_is_found(fault: Callable[[bytes], wire.Message]) -> None:
    assert find(strategies.datagrams, lambda octets: not survives(octets, fault), settings=FIND)
