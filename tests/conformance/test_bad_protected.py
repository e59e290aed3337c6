"""Odd and damaged messages under the keys of an established IKE SA (Sections 1.3, 1.4, 2.1 to 2.3, 2.21, 3.14).

Every vector meets a fresh responder in the state that its context describes, built from the keys given. The vectors
and their verdicts are not ours; those that this file contests would stand in `CONTESTED`, with the reason.
"""

import json
import random
from pathlib import Path as File
from typing import Any, NamedTuple

import pytest

from ikeref import wire
from ikeref.crypto import IkeKeys, Suite, envelope
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy import addresses, identities, proposals
from ikeref.policy.connections import ChildConfig, Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import Encr, ExchangeType, Integ, KeGroup, NotifyType, Prf, ProtocolId
from ikeref.sa import ChildSa, IkeSa, Output, Path, Phase, Session, Step
from ikeref.sa.values import Answer
from ikeref.wire import FLAG_INITIATOR, SA, D, Message, N, TSi, TSr
from tests.conformance.judging import Heard, Kind, heard, judge, residue

_FILE = json.loads((File(__file__).parents[1] / "vectors" / "bad" / "protected.json").read_text(encoding="utf-8"))
VECTORS: list[dict[str, Any]] = _FILE["vectors"]
CONTEXTS: dict[str, dict[str, Any]] = _FILE["contexts"]

CONTESTED: dict[str, str] = {}
"""Vectors whose verdict we contest: section and requirement id that say otherwise. At most five."""

PATH = Path(("198.51.100.2", 500), ("198.51.100.1", 500))
PATIENCE = 300.0
"""Seconds after which fragments of a message that was not completed are forgotten."""
NUMBER = 1
"""What an endpoint calls its first session."""
ENDING = ("delete-ike-with-spi",)
"""Vectors that may end the IKE SA without an error: their prose lets them count as its Delete."""
_SUITES = {
    "gcm": (
        Suite(Encr.AES_GCM_16, 128, Prf.HMAC_SHA2_256, Integ.NONE, KeGroup.CURVE25519),
        "aes128gcm16-prfsha256-x25519",
        "aes128gcm16",
    ),
    "cbc": (
        Suite(Encr.AES_CBC, 128, Prf.HMAC_SHA2_256, Integ.HMAC_SHA2_256_128, KeGroup.MODP_2048),
        "aes128-sha256-modp2048",
        "aes128-sha256, aes128gcm16",
    ),
}
"""By context: the suite, and policy for the IKE SA and for Child SAs."""


class Scene(NamedTuple):
    """A responder with one established IKE SA and one Child SA."""

    endpoint: Endpoint
    suite: Suite
    keys: IkeKeys
    spi_i: bytes
    spi_r: bytes

    def request(self, message_id: int, exchange_type: int, payloads: tuple[wire.Payload, ...] = ()) -> bytes:
        """A sound request of the original initiator."""
        message = Message(self.spi_i, self.spi_r, exchange_type, FLAG_INITIATOR, message_id, payloads)
        iv = bytes(RealCrypto().iv_size(self.suite))
        return envelope.protect(RealCrypto(), self.suite, self.keys.sk_ei, self.keys.sk_ai, message, iv)

    @property
    def session(self) -> Session | None:
        return self.endpoint.sessions.get(NUMBER)

    @property
    def ike(self) -> IkeSa:
        session = self.session
        assert session is not None
        return session.ikes[0]


def scene(context_name: str) -> Scene:
    """The responder as a context of the file describes it."""
    context = CONTEXTS[context_name]
    suite, ike_policy, child_policy = _SUITES[context_name]
    names = ("sk_d", "sk_ai", "sk_ar", "sk_ei", "sk_er", "sk_pi", "sk_pr")
    keys = IkeKeys(*(bytes.fromhex(context[name]) for name in names))
    spi_i, spi_r = bytes.fromhex(context["spi_i"]), bytes.fromhex(context["spi_r"])
    remote, local = (addresses.from_text(context["child"][name]) for name in ("tsi", "tsr"))
    esp = proposals.parse(child_policy, ProtocolId.ESP)
    peer = identities.parse("@initiator.example")
    connection = Connection(
        name="protected",
        local_id=identities.parse("@responder.example"),
        remote_id=peer,
        local_auth=Secret(b"never used"),
        remote_auth=Secret(b"never used"),
        ike_proposals=proposals.parse(ike_policy, ProtocolId.IKE),
        children=(ChildConfig("net", esp, (local,), (remote,)),),
    )
    child = ChildSa(
        "net",
        bytes.fromhex(context["child"]["spi_own"]),
        bytes.fromhex(context["child"]["spi_peer"]),
        proposals.child_suite_of(esp[0]),
        (local,),
        (remote,),
        initiator=False,
        keys=None,
    )
    answered = bytes.fromhex(context["last_request_answered"]["response_hex"])
    ike = IkeSa(
        Phase.ESTABLISHED,
        initiator=False,
        spi_i=spi_i,
        spi_r=spi_r,
        path=PATH,
        suite=suite,
        keys=keys,
        next_request=context["next_own_request_mid"],
        expected=context["expected_request_mid"],
        fragmentation=True,
        sealed=1,
        answers=(Answer(wire.decode(answered), (answered,)),),
    )
    endpoint = Endpoint((connection,), RealCrypto(), random.Random(2025).randbytes, Settings())
    endpoint._keep(endpoint._number(), None, Step(Session(connection, (ike,), (child,), peer), ()))
    return Scene(endpoint, suite, keys, spi_i, spi_r)


def send(under_test: Scene, vector: dict[str, Any]) -> list[Heard]:
    """What the datagrams of a vector were answered with, in clear."""
    return [
        heard(under_test.endpoint.receive(bytes.fromhex(datagram), PATH, float(second)))
        for second, datagram in enumerate(vector["datagrams"])
    ]


def check(vector: dict[str, Any], under_test: Scene) -> list[Heard]:
    """Send a vector and hold the answers against its verdict; then see whether the IKE SA is as it should be."""
    before, held = under_test.session, residue(under_test.endpoint)
    answers = send(under_test, vector)
    answered = [answer for answer in answers if answer.kind is not Kind.SILENCE]
    if vector["verdict"] == "retransmit":
        assert [answer.datagram for answer in answers] == [bytes.fromhex(vector["expect_hex"])]
    elif vector["verdict"] == "retransmit-second":
        assert answers[0].kind is Kind.SUCCESS
        assert answers[0].datagram == answers[1].datagram
    else:
        assert len(answered) <= 1, f"{vector['id']}: one request, and {len(answered)} answers"
        wrong = judge(vector, answered[0] if answered else Heard(Kind.SILENCE))
        assert not wrong, f"{vector['id']} ({vector['what']}): {wrong} [{vector['rfc']}]"
    if under_test.ike.partial:
        under_test.endpoint.timer(PATIENCE)  # 7383-2.6-05
        assert not under_test.ike.partial
    if not answered or vector["verdict"] == "retransmit":
        assert under_test.session == before, f"{vector['id']} got no new answer, and changed something"
        assert residue(under_test.endpoint) == held
    if vector["id"] in ENDING or any(
        answer.notify is not None and answer.notify.type == NotifyType.INVALID_SYNTAX for answer in answers
    ):
        # Fatal at both ends (Section 2.21.3), and only the response is kept for a while.
        assert under_test.ike.phase is Phase.CLOSED
        assert under_test.session is not None
        assert not under_test.session.children
        under_test.endpoint.timer(1000.0)
        assert under_test.session is None
        assert not any(residue(under_test.endpoint).values())
    else:
        still_alive(under_test, vector["id"])
    return answers


def still_alive(under_test: Scene, culprit: str) -> None:
    """The next request of the peer is answered."""
    ike = under_test.ike
    assert ike.phase is Phase.ESTABLISHED
    datagram = under_test.request(ike.expected, ExchangeType.INFORMATIONAL)
    answer = heard(under_test.endpoint.receive(datagram, PATH, 10.0))
    assert answer.kind is Kind.SUCCESS, f"{culprit} was sent, and a sound request is no longer answered"


def vector_named(name: str) -> dict[str, Any]:
    return next(vector for vector in VECTORS if vector["id"] == name)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_an_established_ike_sa_gives_every_vector_what_its_verdict_allows(vector: dict[str, Any]) -> None:
    if vector["id"] in CONTESTED:
        pytest.xfail(CONTESTED[vector["id"]])
    check(vector, scene(vector["context"]))


def test_at_most_five_verdicts_are_contested() -> None:
    known = {vector["id"] for vector in VECTORS}
    assert len(CONTESTED) <= 5
    assert CONTESTED.keys() <= known


# What a verdict alone does not tell


def test_s1_4_1_a_delete_is_answered_with_the_other_half_and_closes_both() -> None:
    for name in ("ok-delete-child", "delete-twice"):
        under_test = scene("gcm")
        (answer,) = check(vector_named(name), under_test)
        assert answer.message is not None
        own = bytes.fromhex(CONTEXTS["gcm"]["child"]["spi_own"])
        assert answer.message.payloads == (D(ProtocolId.ESP, 4, (own,)),)
        assert under_test.session is not None
        assert not under_test.session.children


def test_s1_4_1_a_delete_names_the_senders_inbound_spi_and_no_other() -> None:
    under_test = scene("gcm")
    (answer,) = check(vector_named("delete-own-spi"), under_test)
    assert answer.message is not None
    assert answer.message.payloads == ()
    assert under_test.session is not None
    assert len(under_test.session.children) == 1


def test_s2_25_child_sa_not_found_names_the_child_sa() -> None:
    under_test = scene("gcm")
    (answer,) = check(vector_named("rekey-unknown-spi"), under_test)
    assert answer.notify is not None
    assert answer.notify.protocol_id == ProtocolId.ESP
    assert len(answer.notify.spi) == 4
    assert answer.notify.data == b""


def test_s1_3_1_a_second_child_sa_is_made() -> None:
    for name in ("ok-new-child", "ts-unknown-type-beside-known"):
        under_test = scene("gcm")
        (answer,) = check(vector_named(name), under_test)
        assert answer.message is not None
        assert {SA, TSi, TSr} <= {type(payload) for payload in answer.message.payloads}
        assert under_test.session is not None
        assert len(under_test.session.children) == 2


@pytest.mark.parametrize("exchange_type", [0, 33, 38, 43, 44, 239, 255])
def test_s3_10_1_a_protected_request_of_an_unknown_exchange_is_invalid_syntax(exchange_type: int) -> None:
    """A type out of range is INVALID_SYNTAX (Section 3.10.1), so it is fatal (2.21.3). Silence would leave the peer
    to retransmit what nobody will ever answer, and to take us for dead."""
    under_test = scene("gcm")
    answer = heard(under_test.endpoint.receive(under_test.request(2, exchange_type), PATH, 0.0))
    assert answer.notify == N(NotifyType.INVALID_SYNTAX)
    assert answer.message is not None
    assert answer.message.exchange_type == exchange_type
    assert under_test.ike.phase is Phase.CLOSED


def test_s1_2_ike_sa_init_has_no_place_under_protection() -> None:
    under_test = scene("gcm")
    before = under_test.session
    answer = heard(under_test.endpoint.receive(under_test.request(2, ExchangeType.IKE_SA_INIT), PATH, 0.0))
    assert answer.kind is Kind.SILENCE
    assert under_test.session == before
    still_alive(under_test, "IKE_SA_INIT")


# Twins: what must be noticed.


class Careless(Endpoint):
    """Mends the ICV of a datagram of which one bit was flipped, as if it did not look at it."""

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        return super().receive(datagram[:-1] + bytes((datagram[-1] ^ 1,)), path, now)


class Restless(Endpoint):
    """Takes every datagram, the damaged too, for a sign of life."""

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        outputs = super().receive(datagram, path, now)
        session = self.sessions[NUMBER]
        self.sessions[NUMBER] = session._replace(ikes=(session.ikes[0]._replace(heard=now + 1),))
        return outputs


@pytest.mark.parametrize(
    ("fault", "message"), [(Careless, "drop wanted, a normal answer came"), (Restless, "changed something")]
)
def test_a_faulty_endpoint_is_caught(fault: type[Endpoint], message: str) -> None:
    sound = scene("gcm")
    environment = sound.endpoint.environment
    faulty = fault(environment.connections, environment.crypto, environment.random, sound.endpoint.settings)
    assert sound.session is not None
    faulty._keep(faulty._number(), None, Step(sound.session, ()))
    with pytest.raises(AssertionError, match=message):
        check(vector_named("gcm-icv-bit"), sound._replace(endpoint=faulty))
