"""Damaged and odd IKE_SA_INIT requests, each to a responder that never heard of its sender (Sections 1.2, 2, 3).

The vectors and their verdicts are not ours; those that this file contests would stand in `CONTESTED`, with the reason.
"""

import json
import random
from pathlib import Path as File
from typing import Any

import pytest

from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy import addresses, identities, proposals
from ikeref.policy.connections import ChildConfig, Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from ikeref.sa import Output, Path
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, KE, NO_SPI, SA, Nonce, decode
from ikeref.wire.encapsulation import wrap
from tests.conformance.judging import Heard, Kind, heard, judge, residue

VECTORS: list[dict[str, Any]] = json.loads(
    (File(__file__).parents[1] / "vectors" / "bad" / "plain.json").read_text(encoding="utf-8")
)["vectors"]
CONTROL = bytes.fromhex(next(vector["hex"] for vector in VECTORS if vector["id"] == "ok-control"))

CONTESTED: dict[str, str] = {}
"""Vectors whose verdict we contest: section and requirement id that say otherwise. At most five."""


def responder(requires: str = "") -> Endpoint:
    """A fresh responder with the suites that the vectors are about."""
    suites = "aes128-sha256-modp2048" + (f", aes128-sha256-{requires}" if requires else "")
    connection = Connection(
        name="bad",
        local_id=identities.parse("@responder.example"),
        remote_id=None,
        local_auth=Secret(b"never used"),
        remote_auth=Secret(b"never used"),
        ike_proposals=proposals.parse(suites, ProtocolId.IKE),
        children=(ChildConfig("net", local_ts=(addresses.from_text("10.2.0.0/24"),)),),
    )
    return Endpoint((connection,), RealCrypto(), random.Random(7296).randbytes, Settings(half_open_seconds=30))


def path_of(vector: dict[str, Any]) -> Path:
    """From any port to 500, or to 4500 where an IKE message stands behind a non-ESP marker (Section 2.23)."""
    port = vector["dport"]
    return Path(("198.51.100.2", port), ("198.51.100.1", 40500), encapsulated=port == 4500)


def control(number: int, path: Path) -> bytes:
    """The unmutated request, from an initiator that nobody has heard of yet."""
    datagram = number.to_bytes(8, "big") + CONTROL[8:]
    return wrap(datagram) if path.encapsulated else datagram


def check(vector: dict[str, Any], endpoint: Endpoint) -> None:
    """Send a vector, then an unmutated request, and wait until half-open IKE SAs have expired."""
    path = path_of(vector)
    fresh = residue(endpoint)
    answer = heard(endpoint.receive(bytes.fromhex(vector["hex"]), path, 0.0))
    wrong = judge(vector, answer)
    assert not wrong, f"{vector['id']} ({vector['what']}): {wrong} [{vector['rfc']}]"
    if answer.message is not None:
        check_header(vector, answer)
    if answer.kind is Kind.SUCCESS:
        assert endpoint.half_open == 1
    else:
        assert residue(endpoint) == fresh, f"{vector['id']} was refused, and left something behind"
    later = heard(endpoint.receive(control(0xC0, path), path, 1.0))
    assert later.kind is Kind.SUCCESS, f"{vector['id']} was sent, and a sound request is no longer answered"
    endpoint.timer(100.0)
    assert residue(endpoint) == fresh


def check_header(vector: dict[str, Any], answer: Heard) -> None:
    """A response says which request it belongs to (Sections 2.2, 2.5, 3.1)."""
    message, request = answer.message, bytes.fromhex(vector["hex"])
    assert message is not None
    assert message.version == 0x20
    assert message.spi_i == request[:8]
    assert message.message_id == int.from_bytes(request[20:24], "big")
    assert message.exchange_type == request[18]
    assert message.flags & ~FLAG_INITIATOR == FLAG_RESPONSE
    if answer.kind is Kind.SUCCESS:
        assert message.exchange_type == ExchangeType.IKE_SA_INIT
        assert message.spi_r != NO_SPI
        assert {SA, KE, Nonce} <= {type(payload) for payload in message.payloads}
        chosen = next(payload for payload in message.payloads if isinstance(payload, SA)).proposals
        assert len(chosen) == 1
        assert chosen[0].number == vector.get("expect_proposal", chosen[0].number)
        assert decode(answer.datagram.removeprefix(bytes(4))) == message
    else:
        assert len(message.payloads) == 1


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_a_responder_gives_every_vector_what_its_verdict_allows(vector: dict[str, Any]) -> None:
    if vector["id"] in CONTESTED:
        pytest.xfail(CONTESTED[vector["id"]])
    check(vector, responder(vector.get("requires", "")))


def test_at_most_five_verdicts_are_contested() -> None:
    known = {vector["id"] for vector in VECTORS}
    assert len(CONTESTED) <= 5
    assert CONTESTED.keys() <= known


def test_all_vectors_in_a_row_leave_the_responder_as_it_was() -> None:
    endpoint = responder()
    fresh = residue(endpoint)
    for count, vector in enumerate(VECTORS):
        endpoint.receive(bytes.fromhex(vector["hex"]), path_of(vector), count / 1000)
    path = path_of(VECTORS[0])
    assert heard(endpoint.receive(control(0xC1, path), path, 1.0)).kind is Kind.SUCCESS
    endpoint.timer(100.0)
    assert residue(endpoint) == fresh


# Twins: what must be noticed.


class Mute(Endpoint):
    """A responder that answers nothing."""

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        return super().receive(datagram, path, now)[:0]


class Forgetful(Endpoint):
    """A responder that keeps something of every datagram."""

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        self._request_of[-1 - len(self._request_of)] = datagram
        return super().receive(datagram, path, now)


class Lax(Endpoint):
    """A responder that takes the control for whatever it gets."""

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        return super().receive(control(1 + len(datagram), path), path, now)


@pytest.mark.parametrize(
    ("fault", "caught"),
    [(Mute, "ok-control"), (Forgetful, "hdr-flags-neither"), (Lax, "chain-no-ke"), (Lax, "hdr-version-15")],
)
def test_a_faulty_responder_is_caught(fault: type[Endpoint], caught: str) -> None:
    vector = next(vector for vector in VECTORS if vector["id"] == caught)
    sound = responder()
    environment = sound.environment
    faulty = fault(environment.connections, environment.crypto, environment.random, sound.settings)
    with pytest.raises(AssertionError):
        check(vector, faulty)


def test_a_wrong_notification_is_caught() -> None:
    vector = next(vector for vector in VECTORS if vector["id"] == "ke-group-mismatch")
    check(vector, responder())
    assert vector["notify"] == NotifyType.INVALID_KE_PAYLOAD
    with pytest.raises(AssertionError, match="notification 14 wanted"):
        check({**vector, "notify": NotifyType.NO_PROPOSAL_CHOSEN.value}, responder())
