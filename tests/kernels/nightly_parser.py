"""The shipped parser, run symbolically by CrossHair: `pytest tests/kernels/nightly_parser.py`.

Not part of the ordinary run, by its name: it takes minutes, and needs the extra `nightly`. Hypothesis asks CrossHair
for each example; the parser runs on octets that are not known, and CrossHair picks another path each time.
"""

import os
import re
import struct
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from ikeref_properties.kernels.source import load

from ikeref import wire
from ikeref.errors import ProtocolError
from ikeref.registry import PayloadType

pytest.importorskip("hypothesis_crosshair_provider")
pytest.importorskip("crosshair.core_and_libs")
crosshair: Any = pytest.importorskip("crosshair")

EXAMPLES: Final = int(os.environ.get("IKEREF_NIGHTLY_EXAMPLES", "100"))
"""Paths for each test."""

SIZES: Final = {"B": 1, "H": 2, "I": 4}


def _fields(layout: struct.Struct) -> list[tuple[str, int]]:
    with crosshair.NoTracing():
        found = re.findall(r"(\d*)([BHIs])", layout.format)
        return [(kind, int(size or 1) if kind == "s" else SIZES[kind]) for size, kind in found]


def _unpack_from(layout: struct.Struct, octets: bytes, offset: int = 0) -> tuple[Any, ...]:
    values: list[Any] = []
    for kind, size in _fields(layout):
        field = octets[offset : offset + size]
        if len(field) != size:
            raise struct.error("too short")
        values.append(field if kind == "s" else int.from_bytes(field, "big"))
        offset += size
    return tuple(values)


def _pack(layout: struct.Struct, *values: Any) -> bytes:
    octets = b""
    for (kind, size), value in zip(_fields(layout), values):
        octets += value if kind == "s" else value.to_bytes(size, "big")
    return octets


# CrossHair can see into the functions of `struct`, but not into the methods of a `Struct`: there it would go on with
# octets of its choice, and the parser would be run on those alone.
crosshair.register_patch(struct.Struct.unpack_from, _unpack_from)
crosshair.register_patch(struct.Struct.pack, _pack)

symbolic = settings(
    backend="crosshair",
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)

CLEAR: Final = [kind for kind in PayloadType if 33 <= kind <= 48 or kind == PayloadType.SKF]


def datagram(payload_type: int, octets: bytes) -> bytes:
    """A header that is right, and any octets behind it."""
    header = b"initiatr" + b"responde" + payload_type.to_bytes(1, "big") + b"\x20\x22\x08" + bytes(4)
    return header + (28 + len(octets)).to_bytes(4, "big") + octets


def one_payload(payload_type: int, body: bytes) -> bytes:
    """A message of one payload with any body."""
    return datagram(payload_type, b"\x00\x00" + (4 + len(body)).to_bytes(2, "big") + body)


def judge(octets: bytes) -> wire.Message | None:
    """A value that is encoded to the same octets, or a ProtocolError; anything else is a failure."""
    try:
        message = wire.decode(octets)
    except ProtocolError:
        return None
    assert wire.encode(message) == octets
    return message


def test_s3_1_any_octets_are_decoded_or_refused() -> None:
    @symbolic
    @given(st.binary(max_size=40))
    def check(octets: bytes) -> None:
        judge(octets)

    check()


@pytest.mark.parametrize("payload_type", CLEAR, ids=lambda kind: kind.name)
def test_s3_2_any_body_is_decoded_or_refused(payload_type: PayloadType) -> None:
    @symbolic
    @given(st.binary(max_size=28))
    def check(body: bytes) -> None:
        judge(one_payload(payload_type, body))

    check()


def test_s3_2_any_chain_is_decoded_or_refused() -> None:
    @symbolic
    @given(st.integers(0, 255), st.binary(max_size=24))
    def check(payload_type: int, octets: bytes) -> None:
        judge(datagram(payload_type, octets))

    check()


def test_s3_3_any_transforms_are_decoded_or_refused() -> None:
    @symbolic
    @given(st.integers(0, 255), st.integers(0, 3), st.binary(min_size=8, max_size=24))
    def check(number: int, protocol_id: int, octets: bytes) -> None:
        fixed = b"\x00\x00" + (8 + len(octets)).to_bytes(2, "big") + number.to_bytes(1, "big")
        spi_and_count = protocol_id.to_bytes(1, "big") + b"\x00\x01"
        judge(one_payload(PayloadType.SA, fixed + spi_and_count + octets))

    check()


FAULTS: Final = (
    ("delete", "delete", "count * spi_size != size", "count * spi_size > size"),
    ("eap", "eap", "if size < 4:", "if size < 3:"),
    ("notify", "notify", "if data > stop:", "if data > stop + 1:"),
    ("cp", "cp", "if stop - position < 4:", "if stop - position < 2:"),
    ("ts", "tsi", "length < 4 or end > stop or ", "length < 4 or "),
)
"""Seeded in copies of the parser: module, payload, what stands there, what is put there."""


@pytest.mark.parametrize(("module", "payload", "old", "new"), FAULTS, ids=[fault[1] for fault in FAULTS])
def test_a_faulty_parser_is_found_out(module: str, payload: str, old: str, new: str) -> None:
    faulty = load(f"ikeref.wire.{module}", old=old, new=new)
    decode, encode = getattr(faulty, f"decode_{payload}"), getattr(faulty, f"encode_{module}")

    def is_wrong(body: bytes) -> bool:
        try:
            value = decode(body, 0, len(body), 0)
        except ProtocolError:
            return False
        except (IndexError, struct.error):
            return True
        return bool(encode(value) != body)

    body = find(st.binary(max_size=24), is_wrong, settings=symbolic)
    assert is_wrong(bytes(body))


def test_a_parser_that_stumbles_over_one_value_is_found() -> None:
    """The twin: one Notify in 2^24, which random examples don't meet."""

    def stumbles(body: bytes) -> bool:
        message = judge(one_payload(PayloadType.N, body))
        payload = message.payloads[0] if message else None
        return isinstance(payload, wire.N) and payload.type == 0xBEEF and payload.data[:1] == b"\x07"

    found = find(st.binary(max_size=16), stumbles, settings=symbolic)
    assert stumbles(bytes(found))
    with pytest.raises(NoSuchExample):
        find(st.binary(max_size=16), stumbles, settings=settings(symbolic, backend="hypothesis"))
