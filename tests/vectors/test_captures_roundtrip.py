"""Every cleartext IKEv2 message that other implementations sent is decoded and encoded to the same octets.

The captures belong to other projects, so they stay outside of the repository: these tests look for them, and say so
when they are not there. What is inside SK is the business of other tests.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from ikeref import wire
from ikeref.errors import Dropped, ProtocolError
from tests.vectors.captured import GENERATED, frames, ike_messages, outside

CAPTURES = outside("captures")
GENERATED_CAPTURES = sorted(GENERATED.glob("*/*.pcap"))


def _index() -> list[dict[str, Any]]:
    if CAPTURES is None:
        return []
    entries: list[dict[str, Any]] = tomllib.loads((CAPTURES / "index.toml").read_text())["capture"]
    return entries


MALFORMED = ("tcpdump-ikev2-id-short.pcap",)
"""IKEv2 by its version, but made to crash a decoder: its initiator's SPI is zero, which Section 3.1 forbids."""
SOUND = [entry["file"] for entry in _index() if entry["version"] == "2.0" and entry["file"] not in MALFORMED]
REFUSED = [entry["file"] for entry in _index() if entry["version"] != "2.0" or entry["file"] in MALFORMED]


@pytest.fixture
def captures() -> Path:
    if CAPTURES is None:
        pytest.skip("no captures: set IKEREF_VECTORS, or put them in ../shared/vectors")
    return CAPTURES


def _refusals(path: Path) -> list[tuple[int, ProtocolError]]:
    """What is refused, by packet number. Whatever is accepted is checked to come back octet for octet."""
    refusals = []
    for captured in ike_messages(path):
        try:
            message = wire.decode(captured.octets)
        except ProtocolError as error:
            refusals.append((captured.number, error))
        else:
            assert wire.encode(message) == captured.octets, captured.number
            assert wire.explain(captured.octets).error is None
    return refusals


@pytest.mark.parametrize("path", GENERATED_CAPTURES, ids=lambda path: path.stem)
def test_s3_generated_messages_come_back_octet_for_octet(path: Path) -> None:
    assert _refusals(path) == []
    assert all(wire.lint(captured.octets) == () for captured in ike_messages(path))


@pytest.mark.parametrize("name", SOUND or ["none"])
def test_s3_captured_messages_come_back_octet_for_octet(captures: Path, name: str) -> None:
    assert _refusals(captures / name) == []
    assert ike_messages(captures / name)


@pytest.mark.parametrize("name", REFUSED or ["none"])
def test_s2_5_ikev1_and_damaged_messages_are_refused_with_a_reason(captures: Path, name: str) -> None:
    # Where not even a UDP datagram can be found, no part of a frame may pass for a message.
    datagrams = [captured.octets for captured in ike_messages(captures / name)] or _tails(captures / name)
    assert datagrams
    for datagram in datagrams:
        with pytest.raises(ProtocolError) as caught:
            wire.decode(datagram)
        assert caught.value.reason
        assert caught.value.section
        assert caught.value.field
        assert caught.value.offset >= 0


def test_s2_5_an_ikev1_message_is_called_so(captures: Path) -> None:
    for captured in ike_messages(captures / "arkime-IKEv1.pcap"):
        with pytest.raises(Dropped, match="IKEv1"):
            wire.decode(captured.octets)


def _tails(path: Path) -> list[bytes]:
    """Each frame from each of its octets on."""
    return [frame[start:] for _, frame in frames(path) for start in range(len(frame))]
