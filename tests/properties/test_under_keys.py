"""What a peer with the right keys may send and must not achieve (Sections 1, 1.2, 1.3, 2.18, 2.21.2, 2.21.3)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ikeref_properties.network import ENDS, PEER, A, B, Pair, connection

from ikeref import sa, wire
from ikeref.crypto import auth, schedule
from ikeref.crypto.free import FreeCrypto
from ikeref.policy import addresses, identities, proposals
from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import ExchangeType, KeGroup, NotifyType, ProtocolId, TransformType
from ikeref.sa import Phase
from ikeref.wire import AUTH, KE, SA, D, IDi, N, Nonce, Payload, Proposal, Transform, TSi, TSr, Unknown
from tests.properties.forging import arrive, request, respond, sealed

SEARCH = settings(max_examples=200, deadline=None, derandomize=True, database=None)
MADE = {sa.Established, sa.Install, sa.InitialContact}
"""Outputs that only an authenticated peer may cause."""
_STATION = Pair(1)
_STATION.initiate(A)
_STATION.deliver(_STATION.flying[0])
OFFER = next(p for p in _STATION.past[0].message.payloads if type(p) is SA)  # type: ignore[union-attr]
TS = _STATION.connections[A].children[0]
ESP = SA((TS.proposals[0]._replace(number=1, spi=b"\0\0\x20\1"),))
IKE = SA((OFFER.proposals[0]._replace(number=1, spi=b"8 octets"),))
PAYLOADS: tuple[Payload, ...] = (
    ESP,
    IKE,
    Nonce(bytes(range(32))),
    KE(KeGroup.CURVE25519, KeGroup.CURVE25519.to_bytes(2, "big") + b"public"),
    TSi(TS.local_ts),
    TSr(TS.remote_ts),
    D(ProtocolId.IKE, 0, ()),
    D(ProtocolId.ESP, 4, (b"\0\0\x20\1",)),
    N(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"\0\0\x20\1"),
    N(NotifyType.INITIAL_CONTACT),
    N(NotifyType.AUTHENTICATION_FAILED),
    IDi(2, b"a.example"),
)
EXCHANGES = (34, 35, 36, 37, 43, 99)
WHOLE: tuple[tuple[int, list[Payload]], ...] = (
    (36, [PAYLOADS[1], PAYLOADS[2], PAYLOADS[3]]),
    (36, [PAYLOADS[0], PAYLOADS[2], PAYLOADS[4], PAYLOADS[5]]),
    (37, [PAYLOADS[6]]),
    (37, [PAYLOADS[7]]),
    (37, []),
)
"""Requests that an established IKE SA would serve: both ends' rekey, a Child SA, Deletes, a liveness check."""
ANY = st.one_of(
    st.sampled_from(WHOLE),
    st.tuples(st.sampled_from(EXCHANGES), st.lists(st.sampled_from(PAYLOADS), max_size=6, unique=True)),
)


def before_auth() -> Pair:
    """IKE_SA_INIT is over, and A's IKE_AUTH request is in flight."""
    pair = Pair(1)
    pair.initiate(A)
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    return pair


@SEARCH
@given(
    st.sampled_from(ENDS),
    st.lists(st.tuples(ANY, st.sampled_from((1, 1, 0, 2)), st.booleans()), max_size=4),
)
def test_s1_2_nothing_but_auth_authenticates(
    end: str, forged: list[tuple[tuple[int, list[Payload]], int, bool]]
) -> None:
    """Whoever has the keys of IKE_SA_INIT and no secret sends what it likes; AUTH is never among it.

    What is not IKE_AUTH changes nothing at all (7296-1-02).
    """
    pair = before_auth()
    peer = PEER[end]
    ike = pair.ikes(peer)[-1]
    for (exchange, payloads), number, response in forged:
        if not pair.sessions(end):
            break
        before = pair.sessions(end)
        answered = arrive(pair, end, sealed(ike, exchange, tuple(payloads), number, response=response))
        assert not answered.kinds() & MADE
        assert exchange == ExchangeType.IKE_AUTH or pair.sessions(end) == before
        assert all(
            each.phase in (Phase.HALF_OPEN, Phase.AUTH_SENT, Phase.DELETING, Phase.CLOSED)
            for each in (each for session in pair.sessions(end) for each in session.ikes)
        )
        assert not pair.children(end)
        assert all(session.peer is None for session in pair.sessions(end))


def test_s1_2_the_same_place_with_the_true_message_is_established() -> None:
    pair = before_auth()
    assert sa.Established in {type(output) for output in pair.deliver(pair.flying[0]).outputs}


def policies(end: str, **changed: object) -> dict[str, Connection]:
    """Of both ends; that of one is changed."""
    made = {each: connection(each) for each in ENDS}
    return made | {end: replace(made[end], **changed)}  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("begins", ENDS)
def test_s2_15_the_right_key_proves_no_other_identity(end: str, begins: str) -> None:
    """7296-1.2-19: one end has the key, and claims to be somebody else."""
    pair = Pair(1, connections=policies(end, local_id=identities.parse("c.example"))).establish(begins)
    assert not pair.children(A) + pair.children(B)
    assert not [ike for ike in pair.ikes(PEER[end]) if ike.phase is Phase.ESTABLISHED]


OTHERS = {
    "traffic": {"local_ts": (addresses.from_text("172.16.0.0/12"),)},
    "algorithms": {"proposals": proposals.parse("aes128-sha256", ProtocolId.ESP)},
}


@pytest.mark.parametrize("begins", ENDS)
@pytest.mark.parametrize("why", OTHERS)
def test_s2_21_2_the_ike_sa_stands_without_its_first_child_sa(begins: str, why: str) -> None:
    """7296-2.21.2-08, 7296-2.21.2-10: what IKE_AUTH asks for besides is refused."""
    children = tuple(replace(child, **OTHERS[why]) for child in connection(B).children)  # type: ignore[arg-type]
    pair = Pair(1, connections=policies(B, children=children)).establish(begins)
    assert [ike.phase for end in ENDS for ike in pair.ikes(end)] == [Phase.ESTABLISHED] * 2
    assert not pair.children(A) + pair.children(B)
    assert any(type(output) is sa.Failed for record in pair.records for output in record.outputs)
    pair.settle()
    assert len(pair.ikes(A)) == len(pair.ikes(B)) == 1


# An IKE SA is not rekeyed without a key exchange (Section 2.18)


def without(proposal: Proposal, kind: int, *instead: Transform) -> Proposal:
    kept = tuple(each for each in proposal.transforms if each.type != kind)
    return proposal._replace(transforms=kept + instead)


NO_GROUP = Transform(TransformType.KE, KeGroup.NONE)
WITH_KE = IKE.proposals[0]
PUBLIC = next(payload for payload in PAYLOADS if type(payload) is KE)
WEB = ESP.proposals[0]
TRAFFIC = (TSi((addresses.from_text("10.0.0.0/8"),)), TSr((addresses.from_text("10.0.0.0/8"),)))
NI = next(payload for payload in PAYLOADS if type(payload) is Nonce)
GROUPLESS = (
    (SA((without(WITH_KE, TransformType.KE),)), NI),
    (SA((without(WITH_KE, TransformType.KE),)), NI, PUBLIC),
    (SA((without(WITH_KE, TransformType.KE, NO_GROUP),)), NI),
    (SA((without(WITH_KE, TransformType.KE, NO_GROUP),)), NI, KE(KeGroup.NONE, b"")),
    (IKE, NI),
)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("payloads", GROUPLESS, ids=range(5))
def test_s2_18_a_rekey_of_the_ike_sa_without_key_exchange_is_refused(end: str, payloads: tuple[Payload, ...]) -> None:
    pair = Pair(2).establish()
    answered = request(pair, end, ExchangeType.CREATE_CHILD_SA, payloads)
    assert not answered.kinds() & {sa.NewKeys, sa.Established}
    (answer,) = answered.messages
    assert any(type(payload) is N and payload.type < 16384 for payload in answer.payloads)
    assert len(pair.ikes(end)) <= 1


def test_s2_18_the_same_with_key_exchange_is_accepted() -> None:
    pair = Pair(2).establish()
    assert sa.NewKeys in request(pair, B, ExchangeType.CREATE_CHILD_SA, (IKE, NI, PUBLIC)).kinds()


@pytest.mark.parametrize("chosen", [without(WITH_KE, TransformType.KE), without(WITH_KE, TransformType.KE, NO_GROUP)])
def test_s2_18_a_rekey_that_is_answered_without_key_exchange_makes_no_ike_sa(chosen: Proposal) -> None:
    pair = Pair(2).establish()
    pair.command(A, sa.RekeyIke())
    number = pair.flying[0].message.message_id  # type: ignore[union-attr]
    answered = respond(pair, A, ExchangeType.CREATE_CHILD_SA, (SA((chosen,)), NI), number)
    assert not answered.kinds() & {sa.NewKeys, sa.Established}


# Refusals that change nothing (Section 1.3)


REFUSALS = (NotifyType.NO_ADDITIONAL_SAS, NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.TS_UNACCEPTABLE, 9999)


@SEARCH
@given(
    st.sampled_from(ENDS),
    st.sampled_from(("create", "rekey child", "rekey IKE")),
    st.sampled_from(REFUSALS),
    st.lists(st.sampled_from(PAYLOADS[:6]), max_size=4, unique=True),
)
def test_s1_3_a_refusal_changes_no_sa(end: str, what: str, why: int, besides: list[Payload]) -> None:
    """NO_ADDITIONAL_SAS and the like, whatever stands beside it, leave IKE SA and Child SAs as they were."""
    pair = Pair(3).establish()
    (before,) = pair.children(end)
    commands: dict[str, sa.Command] = {
        "create": sa.CreateChild("web"),
        "rekey child": sa.RekeyChild(before.spi_in),
        "rekey IKE": sa.RekeyIke(),
    }
    ikes = [(ike.spi_i, ike.spi_r, ike.phase) for ike in pair.ikes(end)]
    pair.command(end, commands[what])
    asked = pair.flying[0].message
    assert asked is not None
    answered = respond(pair, end, ExchangeType.CREATE_CHILD_SA, (*besides, N(why)), asked.message_id)
    assert sa.Failed in answered.kinds()
    assert not answered.kinds() & {sa.Install, sa.Remove, sa.Closed, sa.NewKeys, sa.Transmit}
    assert [(ike.spi_i, ike.spi_r, ike.phase) for ike in pair.ikes(end)] == ikes
    assert [child._replace(rekey_at=0.0) for child in pair.children(end)] == [before._replace(rekey_at=0.0)]


@SEARCH
@given(st.sampled_from(ENDS), st.permutations((ESP._replace(proposals=(WEB,)), NI, *TRAFFIC)))
def test_s2_5_payloads_come_in_any_order(end: str, payloads: list[Payload]) -> None:
    """7296-2.5-21."""
    pair = Pair(3, settings=Settings()).establish()
    answered = request(pair, end, ExchangeType.CREATE_CHILD_SA, tuple(payloads))
    assert sa.Install in answered.kinds()


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_a_delete_names_any_number_of_child_sas(end: str) -> None:
    """7296-1.4.1-05, 7296-1.4.1-07: all are closed, and the response names the other halves."""
    pair = Pair(3).establish()
    pair.command(A, sa.CreateChild("web"))
    pair.deliver_all()
    theirs = tuple(child.spi_in for child in pair.children(PEER[end]))
    ours = {child.spi_in for child in pair.children(end)}
    answered = request(pair, end, ExchangeType.INFORMATIONAL, (D(ProtocolId.ESP, 4, theirs),))
    assert not pair.children(end)
    (answer,) = answered.messages
    assert {spi for payload in answer.payloads if type(payload) is D for spi in payload.spis} == ours


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_a_delete_of_the_ike_sa_is_answered_with_nothing(end: str) -> None:
    """7296-1.4.1-12."""
    pair = Pair(3).establish()
    answered = request(pair, end, ExchangeType.INFORMATIONAL, (D(ProtocolId.IKE, 0, ()),))
    assert [message.payloads for message in answered.messages] == [()]
    assert not pair.ikes(end)


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_beyond_the_limit_of_child_sas_there_are_no_additional_ones(end: str) -> None:
    pair = Pair(3, settings=Settings(child_limit=1)).establish()
    pair.command(end, sa.CreateChild("web"))
    pair.settle()
    assert [len(pair.children(each)) for each in ENDS] == [1, 1]
    (failed,) = [o for record in pair.records for o in record.outputs if type(o) is sa.Failed]
    assert failed.reason == "NO_ADDITIONAL_SAS"


WIDE = addresses.from_text("0.0.0.0/0")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("which", [TSi, TSr])
def test_s2_9_an_answer_with_more_traffic_than_offered_is_not_taken(end: str, which: type) -> None:
    pair = Pair(3).establish()
    pair.command(end, sa.CreateChild("web"))
    asked = pair.flying.pop().message
    assert asked is not None
    kept = {TSi, TSr} - {which}
    offered = [payload for payload in asked.payloads if type(payload) in kept]
    payloads = (ESP._replace(proposals=(chosen(asked.payloads),)), NI, *offered, which((WIDE,)))
    answered = respond(pair, end, ExchangeType.CREATE_CHILD_SA, payloads, asked.message_id)
    assert sa.Install not in answered.kinds()
    assert any(type(payload) is D for message in answered.messages for payload in message.payloads)


@pytest.mark.parametrize("end", ENDS)
def test_s2_9_2_a_rekey_that_is_narrower_is_refused(end: str) -> None:
    """7296-2.9.2-04: the responder does not narrow below what is in use, whatever it is asked for."""
    pair = Pair(3).establish()
    (old,) = pair.children(PEER[end])
    rekey = N(NotifyType.REKEY_SA, b"", ProtocolId.ESP, old.spi_in)
    one = addresses.from_text({A: "10.1.0.1", B: "10.2.0.1"}[PEER[end]])
    payloads = (rekey, ESP, NI, TSi((one,)), TSr(old.remote_ts))
    answered = request(pair, end, ExchangeType.CREATE_CHILD_SA, payloads)
    assert sa.Install not in answered.kinds()
    assert len(pair.children(end)) == 1


def chosen(payloads: tuple[Payload, ...]) -> Proposal:
    """The first proposal of a request, with an SPI of the responder."""
    return next(p.proposals[0] for p in payloads if type(p) is SA)._replace(spi=b"\0\0\x30\1")


UNKNOWN = st.integers(0, 0xFFFF).filter(lambda kind: kind not in NotifyType._value2member_map_)


@SEARCH
@given(st.sampled_from(ENDS), UNKNOWN, st.binary(max_size=8))
def test_s3_10_1_an_unknown_notification_in_a_request_is_ignored(end: str, kind: int, data: bytes) -> None:
    """7296-3.10.1-02, 7296-3.10.1-03: be it an error or a status."""
    pair = Pair(3).establish()
    answered = request(pair, end, ExchangeType.INFORMATIONAL, (N(kind, data),))
    assert [message.payloads for message in answered.messages] == [()]
    assert not answered.kinds() & {sa.Closed, sa.Remove}


@pytest.mark.parametrize(("end", "before", "ends"), [(B, 0, True), (B, 1, False), (A, 0, False), (A, 1, False)])
def test_s2_21_2_a_report_of_failed_authentication_comes_right_after_it(end: str, before: int, ends: bool) -> None:
    """7296-2.21.2-12: from the original initiator, in its first request after IKE_AUTH; later it means nothing."""
    pair = Pair(3).establish()
    for _ in range(before):
        pair.command(PEER[end], sa.CheckLiveness())
        pair.deliver_all()
    answered = request(pair, end, ExchangeType.INFORMATIONAL, (N(NotifyType.AUTHENTICATION_FAILED),))
    assert (sa.Closed in answered.kinds()) is ends
    assert bool(pair.children(end)) is not ends


# What is malformed under the keys (Section 2.21.3)


def broken(payload: Payload, cut: int) -> Unknown:
    """A payload that ends too early, so that it is malformed; of a type that is known."""
    octets = wire.encode_payloads((payload,))[4:]
    return Unknown(wire.payload_type(payload), octets[: cut % max(1, len(octets))])


@SEARCH
@given(
    st.sampled_from(ENDS),
    st.sampled_from((sa.CheckLiveness(), sa.RekeyIke())),
    st.sampled_from((ESP, TSi(TS.local_ts), PAYLOADS[7])),
    st.integers(0, 200),
)
def test_s2_21_3_a_malformed_request_ends_the_ike_sa_at_both_ends(
    end: str, command: sa.Command, payload: Payload, cut: int
) -> None:
    """The peer's own request goes out malformed, under the right keys."""
    pair = Pair(4).establish()
    peer = PEER[end]
    ike = pair.ikes(peer)[-1]
    pair.command(peer, command)
    asked = pair.flying.pop().message
    assert asked is not None
    answered = arrive(pair, end, sealed(ike, asked.exchange_type, (broken(payload, cut),), asked.message_id))
    assert [[p.type for p in m.payloads if type(p) is N] for m in answered.messages] == [[NotifyType.INVALID_SYNTAX]]
    assert not pair.ikes(end)
    assert not pair.children(end)
    pair.deliver_all()
    assert not pair.ikes(peer)
    assert not pair.children(peer)


# What AUTH covers (Section 2.15)


def test_s2_15_auth_covers_the_own_message_the_nonce_of_the_peer_and_the_own_identity() -> None:
    """7296-2.15-01, 7296-2.15-04, 7296-2.15-05: recomputed at both ends from what was sent."""
    pair = before_auth()
    made = next(o for each in pair.records for o in each.outputs if type(o) is sa.NewKeys)
    pair.deliver_all()
    asked, answered, *proofs = pair.past
    crypto, secret = FreeCrypto(), pair.connections[A].local_auth
    assert isinstance(secret, Secret)
    ni, nr = (next(p.data for p in wire.decode(e.datagram).payloads if type(p) is Nonce) for e in (asked, answered))
    for own, nonce, sk_p, proof in (
        (asked.datagram, nr, made.keys.sk_pi, proofs[0]),
        (answered.datagram, ni, made.keys.sk_pr, proofs[1]),
    ):
        assert proof.message is not None
        who, data = proof.message.payloads[0], [p.data for p in proof.message.payloads if type(p) is AUTH]
        octets = own + nonce + crypto.prf(made.suite.prf, sk_p, wire.encode_payloads((who,))[4:])
        assert data == [auth.shared_key_auth(crypto, made.suite.prf, secret.octets, octets)]


@pytest.mark.parametrize("kind", [99, 200])
def test_s2_15_auth_covers_payloads_of_unknown_types(kind: int) -> None:
    """7296-2.15-07: somebody on the path adds one to IKE_SA_INIT; the receiver ignores it, and AUTH is wrong."""
    for where, added in ((0, ()), (0, (Unknown(kind, b"?"),)), (1, (Unknown(kind, b"?"),))):
        pair = Pair(1)
        pair.initiate(A)
        for _ in range(where):
            pair.deliver(pair.flying[0])
        (flight,) = pair.flying
        whole = wire.decode(flight.datagram)
        longer = wire.encode(whole._replace(payloads=(*whole.payloads, *added)))
        pair.flying[0] = flight._replace(datagram=longer)
        pair.deliver_all()
        ends = [[each.phase for each in pair.ikes(end)] for end in ENDS]
        assert (ends == [[Phase.ESTABLISHED]] * 2) is (not added)
        assert {34, 35} <= {wire.peek(each.datagram).exchange_type for each in pair.past}


# What the keys of an IKE SA and of its Child SAs are made of (Sections 2.14 and 2.17)


def test_s2_17_the_first_child_sa_has_the_nonces_of_ike_sa_init_and_the_next_its_own() -> None:
    """7296-2.14-02, 7296-2.14-03, 7296-2.17-02: recomputed from what was sent."""
    pair = Pair(7).establish()
    made = next(o for each in pair.records for o in each.outputs if type(o) is sa.NewKeys)
    pair.command(A, sa.CreateChild("web"))
    pair.deliver_all()
    sent = [each.message for each in pair.past if each.message is not None]
    nonces = [p.data for message in sent for p in message.payloads if type(p) is Nonce]
    one, two = (p.public for message in sent for p in message.payloads if type(p) is KE)
    crypto, prf = FreeCrypto(), made.suite.prf
    assert len(set(nonces)) == 4
    ni, nr, child_ni, child_nr = nonces
    skeyseed = schedule.skeyseed(crypto, prf, ni, nr, crypto.agree(KeGroup.CURVE25519, one, two))
    assert made.keys == schedule.ike_keys(crypto, made.suite, skeyseed, ni, nr, made.spi_i, made.spi_r)
    children = [o.child for each in pair.records for o in each.outputs if type(o) is sa.Install]
    assert len(children) == 8
    for number, child in enumerate(children):
        own_ni, own_nr = (ni, nr) if number < 4 else (child_ni, child_nr)
        assert child.keys == schedule.child_keys(crypto, prf, made.keys.sk_d, own_ni, own_nr, child.suite)


# What an IKE SA's successor gets its keys from (Section 2.18)


def test_s2_18_the_old_prf_makes_skeyseed_and_the_new_one_the_keys() -> None:
    """7296-2.18-03, 7296-2.18-04, 7296-2.18-10: recomputed from what was sent; the PRF changes with the rekey."""
    pair = Pair(7).establish()
    (old,) = pair.ikes(A)
    assert old.keys is not None
    assert old.suite is not None
    for end in ENDS:
        for number, session in pair.ends[end].sessions.items():
            other = replace(
                session.connection, ike_proposals=proposals.parse("aes256gcm16-prfsha384-x25519", ProtocolId.IKE)
            )
            pair.ends[end].sessions[number] = session._replace(connection=other)
    pair.command(A, sa.RekeyIke())
    (asked,) = pair.flying
    made = next(o for o in pair.deliver(asked).outputs if type(o) is sa.NewKeys)
    (answer,) = pair.flying
    assert asked.message is not None
    assert answer.message is not None
    ni, nr = (next(p.data for p in each.payloads if type(p) is Nonce) for each in (asked.message, answer.message))
    one, two = (next(p.public for p in each.payloads if type(p) is KE) for each in (asked.message, answer.message))
    crypto = FreeCrypto()
    g_ir = crypto.agree(KeGroup.CURVE25519, one, two)
    skeyseed = schedule.skeyseed_rekey(crypto, old.suite.prf, old.keys.sk_d, g_ir, ni, nr)
    assert made.suite.prf != old.suite.prf
    assert made.keys == schedule.ike_keys(crypto, made.suite, skeyseed, ni, nr, made.spi_i, made.spi_r)
