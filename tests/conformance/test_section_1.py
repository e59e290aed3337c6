"""Sections 1, 1.1 and 1.2, rule by rule: what is said in the initial exchanges, and what comes of it."""

from dataclasses import replace
from itertools import permutations

import pytest
from ikeref_properties.network import ENDS, PEER, A, B, Pair, connection

from ikeref import sa, wire
from ikeref.crypto import envelope
from ikeref.crypto.certificates import load_certificates, to_der
from ikeref.crypto.real import RealCrypto
from ikeref.errors import Dropped, LocalProtocolError
from ikeref.policy import identities
from ikeref.policy.connections import Settings
from ikeref.policy.credentials import PrivateKey
from ikeref.registry import NotifyType, TransformType
from ikeref.sa import Phase
from ikeref.wire import CERT, KE, SA, D, IDr, N, Nonce, Payload, Unknown
from tests.conformance import stations
from tests.conformance.life import (
    AUTH,
    CREATE,
    ESP,
    INFO,
    INIT,
    PFS,
    after_init,
    altered,
    command,
    errors,
    established,
    flights,
    kinds,
    messages,
    of,
    outputs,
    plain,
    policies,
    raw,
    receive,
    replies,
)
from tests.properties.forging import request, respond
from tests.unit.sa.test_transport_mode import Natted

# Section 1


def test_s1_nothing_but_ike_sa_init_before_it_is_over() -> None:
    """With a cookie there are two rounds; until the last is over, commands are refused and nothing else is sent."""
    pair = Pair(1, settings=Settings(cookie_threshold=0))
    pair.initiate(A)
    for _ in range(3):
        assert {message.exchange_type for message in messages(pair)} == {INIT}
        for what in (sa.CheckLiveness(), sa.RekeyIke(), sa.DeleteIke(), sa.CreateChild("web")):
            with pytest.raises(LocalProtocolError, match="not established"):
                pair.command(A, what)
        pair.deliver(pair.flying[0])
    pair.deliver_all()
    pair.command(A, sa.CheckLiveness())


@pytest.mark.parametrize("what", list(permutations(("create", "rekey", "ask"))))
def test_s1_exchanges_follow_in_any_number_and_order(what: tuple[str, ...]) -> None:
    commands: dict[str, sa.Command] = {
        "create": sa.CreateChild("web"),
        "rekey": sa.RekeyIke(),
        "ask": sa.CheckLiveness(),
    }
    pair = established()
    for end in ENDS * 3:
        for each in what:
            command(pair, end, commands[each])
    assert not outputs(pair, sa.Failed)
    assert len(pair.children(A)) == len(pair.children(B)) == 7


@pytest.mark.parametrize("end", ENDS)
def test_s1_further_child_sas_are_created_later(end: str) -> None:
    pair = established()
    command(pair, end, sa.CreateChild("web"))
    assert [len(pair.children(each)) for each in ENDS] == [2, 2]
    assert pair.children(end)[1].name == "web"


def test_s1_the_requester_alone_sends_again() -> None:
    """Nothing that is sent arrives: who asked sends again and gives up; who was asked sends nothing by itself."""
    pair = established()
    pair.command(A, sa.CheckLiveness())
    pair.deliver(pair.flying[0])
    since = len(pair.records)
    while pair.advance():
        pair.flying.clear()
    assert outputs(pair, sa.Transmit, end=A, since=since)
    assert outputs(pair, sa.Closed, end=A, since=since)
    assert not outputs(pair, sa.Transmit, end=B, since=since)


REQUESTS: dict[str, tuple[int, tuple[wire.Payload, ...]]] = {
    "empty": (INFO, ()),
    "notification": (INFO, (N(NotifyType.AUTHENTICATION_FAILED),)),
    "unknown Child SA": (INFO, (D(ESP, 4, (b"none",)),)),
    "a Child SA without selectors": (CREATE, (Nonce(bytes(32)),)),
    "a rekey of nothing": (CREATE, (N(NotifyType.REKEY_SA, b"", ESP, b"none"), Nonce(bytes(32)))),
    "another exchange": (99, ()),
    "malformed": (INFO, (Unknown(41, b"\0"),)),
    "critical": (INFO, (Unknown(200, b"", 0x80),)),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", REQUESTS)
def test_s1_every_request_is_answered(what: str, end: str) -> None:
    """Once, by a response with its message ID and exchange type."""
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    exchange, payloads = REQUESTS[what]
    number = pair.ikes(end)[-1].expected
    (answer,) = request(pair, end, exchange, payloads).messages
    assert (answer.is_response, answer.message_id, answer.exchange_type) == (True, number, exchange)


@pytest.mark.parametrize("end", ENDS)
def test_s1_an_empty_informational_asks_whether_the_peer_lives(end: str) -> None:
    """Empty: a header and an Encrypted payload that holds nothing (7296-1.2-03)."""
    pair = established()
    since = len(pair.past)
    command(pair, end, sa.CheckLiveness())
    asked, answered = pair.past[since:]
    assert [asked.to, answered.to] == [PEER[end], end]
    for flight in (asked, answered):
        assert flight.message is not None
        assert flight.message.payloads == ()
        (protected,) = raw(flight.datagram).payloads
        assert isinstance(protected, wire.SK)
        assert protected.next_payload == 0


# Section 1.1


def test_s1_1_2_who_the_peer_is_is_told() -> None:
    """Whoever decides by the identities behind a Child SA learns them with the IKE SA."""
    pair = established()
    assert [(made.peer, made.spi_r) for made in outputs(pair, sa.Established, end=A)] == [
        (identities.parse("b.example"), pair.ikes(A)[0].spi_r)
    ]
    assert [made.peer for made in outputs(pair, sa.Established, end=B)] == [identities.parse("a.example")]


@pytest.mark.parametrize("mode", ["tunnel", "transport"])
@pytest.mark.parametrize("behind", [True, False])
def test_s1_1_behind_a_nat_ipsec_is_encapsulated_in_udp(mode: str, behind: bool) -> None:
    """In either mode, with either end or both behind one: the data plane is told the path of the IKE SA, on port 4500,
    or port 500 where no NAT is."""
    own = {"local_ts": (), "remote_ts": ()} if mode == "transport" else {}
    connections = policies(child={**own, "mode": mode})
    for ends in ((A,), (B,), ENDS) if behind else ((),):
        pair = Natted(1, connections=connections)
        pair.behind = tuple(ends)
        pair.establish()
        paths = [each.path for each in outputs(pair, sa.Install)]
        assert len(paths) == 4
        assert {(path.encapsulated, path.local[1], path.remote[1]) for path in paths} == (
            {(True, 4500, 4500)} if behind else {(False, 500, 500)}
        )
        assert {child.transport for end in ENDS for child in pair.children(end)} == {mode == "transport"}


# Section 1.2


def test_s1_2_ike_sa_init_comes_first_and_ike_auth_follows() -> None:
    """IKE_AUTH begins with message ID 1 (7296-2.2-03)."""
    found = [(m.exchange_type, m.is_response, m.message_id) for m in messages(established())]
    assert found == [(INIT, False, 0), (INIT, True, 0), (AUTH, False, 1), (AUTH, True, 1)]


def life() -> Pair:
    """A bit of everything."""
    pair = established()
    for end in ENDS:
        command(pair, end, sa.CheckLiveness())
        command(pair, end, sa.CreateChild("web"))
        command(pair, end, sa.RekeyChild(pair.children(end)[0].spi_in))
        command(pair, end, sa.RekeyIke())
    command(pair, A, sa.DeleteIke())
    return pair


def test_s1_2_all_after_ike_sa_init_is_in_an_encrypted_payload() -> None:
    found = flights(life())
    clear = [each for each in found if [type(p) for p in raw(each.datagram).payloads] != [wire.SK]]
    assert [each.message.exchange_type for each in clear if each.message] == [INIT, INIT]
    assert len(found) > 20


@pytest.mark.parametrize("octet", range(28))
def test_s1_2_the_header_is_protected_too(octet: int) -> None:
    """A message with an octet of its header changed is not taken; unaltered it is."""
    pair = established()
    pair.command(A, sa.CheckLiveness())
    datagram = pair.flying.pop().datagram
    before = pair.sessions(B)
    changed = datagram[:octet] + bytes((datagram[octet] ^ 1,)) + datagram[octet + 1 :]
    sent = replies(receive(pair, B, changed))
    assert pair.sessions(B) == before
    assert all(errors(message) for message in sent)  # a foreign SPI may be answered with INVALID_IKE_SPI
    assert [message.payloads for message in replies(receive(pair, B, datagram))] == [()]


def test_s1_2_the_message_id_pairs_a_response_with_its_request() -> None:
    """A response with another ID is no answer to what is outstanding; the same ID again is a retransmission."""
    pair = established()
    pair.command(A, sa.CheckLiveness())
    asked = pair.flying.pop()
    assert asked.message is not None
    number = asked.message.message_id
    first, again = (replies(receive(pair, B, asked.datagram)) for _ in range(2))
    assert [message.message_id for message in (*first, *again)] == [number, number]
    assert pair.ikes(B)[0].expected == number + 1
    assert not respond(pair, A, INFO, (), number + 1).kinds() & {sa.Received}
    assert pair.ikes(A)[0].outstanding
    assert respond(pair, A, INFO, (), number).kinds() & {sa.Received}
    assert not pair.ikes(A)[0].outstanding


def test_s1_2_what_ike_sa_init_holds_in_which_order() -> None:
    """In the clear."""
    asked, answered = flights(established(), INIT)
    assert [plain(raw(each.datagram)) for each in (asked, answered)] == [["SA", "KE", "Nonce"]] * 2
    assert len(of(raw(answered.datagram), SA).proposals) == 1


def test_s1_2_both_ends_have_the_same_keys_once_ike_sa_init_is_over() -> None:
    pair = Pair(1)
    pair.initiate(A)
    pair.deliver(pair.flying[0])
    (theirs,) = outputs(pair, sa.NewKeys, end=B)
    assert not outputs(pair, sa.NewKeys, end=A)
    pair.deliver(pair.flying[0])
    (ours,) = outputs(pair, sa.NewKeys, end=A)
    assert ours == theirs
    assert len({*ours.keys} - {b""}) == 5  # combined mode has no SK_a


@pytest.mark.parametrize("ike", ["aes256gcm16-prfsha256-x25519", "aes128-sha256-x25519"])
@pytest.mark.parametrize("end", ENDS)
def test_s1_2_each_direction_has_keys_of_its_own(end: str, ike: str) -> None:
    pair = established(connections=policies(ike=ike))
    pair.command(end, sa.CheckLiveness())
    datagram = pair.flying.pop().datagram
    (mine,) = pair.ikes(end)
    keys, suite, crypto = mine.keys, mine.suite, pair.ends[end].environment.crypto
    assert keys is not None
    assert suite is not None
    ours, theirs = [(keys.sk_ei, keys.sk_ai), (keys.sk_er, keys.sk_ar)][:: 1 if end == A else -1]
    assert envelope.unprotect(crypto, suite, *ours, datagram).message.payloads == ()
    with pytest.raises(Dropped):
        envelope.unprotect(crypto, suite, *theirs, datagram)
    if keys.sk_ai:  # combined mode has no SK_a
        with pytest.raises(Dropped):
            envelope.unprotect(crypto, suite, ours[0], theirs[1], datagram)


def test_s1_2_what_ike_auth_holds_in_which_order() -> None:
    asked, answered = messages(established(), AUTH)
    assert plain(asked) == ["IDi", "IDr", "AUTH", "SA", "TSi", "TSr"]
    assert plain(answered) == ["IDr", "AUTH", "SA", "TSi", "TSr"]
    asked, answered = messages(stations.pair(1, certificates=True).establish(), AUTH)
    assert plain(asked) == ["IDi", "CERT", "CERTREQ", "IDr", "AUTH", "SA", "TSi", "TSr"]
    assert plain(answered) == ["IDr", "CERT", "AUTH", "SA", "TSi", "TSr"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("first", ["its own", "its issuer's"])
def test_s1_2_the_first_certificate_has_the_key_of_auth(first: str, end: str) -> None:
    """That is how it is sent; with the certificate of its issuer in front the same AUTH proves nothing."""
    pair = stations.pair(1, certificates=True)
    pair.initiate(A)
    for _ in range(2 if end == A else 3):
        pair.deliver(pair.flying[0])
    message = pair.flying[0].message
    assert message is not None
    chain = [p for p in message.payloads if type(p) is CERT]
    own = load_certificates(chain[0].data)[0]
    policy = pair.connections[end].local_auth
    assert isinstance(policy, PrivateKey)
    assert own.public_key() == policy.key.public_key()
    front, *rest = (
        chain
        if first == "its own"
        else [CERT(4, to_der(load_certificates((stations.PKI / "rootec.crt").read_bytes())[0])), *chain]
    )
    answered = altered(
        pair, lambda payloads: (*[p for p in payloads if type(p) is not CERT], front, *rest), crypto=RealCrypto()
    )
    assert (sa.Established in answered.kinds()) is (first == "its own")


def test_s1_2_who_wants_certificates_says_so_in_ike_sa_init() -> None:
    """The responder, behind the nonce; one with a shared key has nothing to ask for."""
    pair = stations.pair(1, certificates=True).establish()
    assert plain(messages(pair, INIT)[1]) == ["SA", "KE", "Nonce", "CERTREQ"]
    assert plain(messages(established(), INIT)[1]) == ["SA", "KE", "Nonce"]


def test_s1_2_the_responder_that_is_wanted_is_named_if_policy_names_one() -> None:
    with_name, without = (messages(established(connections=c), AUTH)[0] for c in (policies(), policies(remote_id=None)))
    assert of(with_name, IDr).data == b"b.example"
    assert "IDr" not in kinds(without)


def test_s1_2_a_responder_may_be_somebody_else_and_the_initiator_may_refuse() -> None:
    """The responder finishes under its own IDr; an initiator that minds ends the IKE SA, one that doesn't goes on."""
    other = identities.parse("other.example")
    for wanted, accepts in ((identities.parse("b.example"), False), (other, True)):
        connections = policies(only=B, local_id=other)
        connections[A] = replace(connections[A], remote_id=wanted)
        pair = established(connections=connections)
        assert of(messages(pair, AUTH)[1], IDr).data == b"other.example"
        assert bool(outputs(pair, sa.Established, end=A)) is accepts
        assert bool(pair.ikes(A)) is accepts


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("change", [0, 1])
@pytest.mark.parametrize("by", ["MAC", "signature"])
def test_s1_2_auth_is_checked_at_both_ends(by: str, change: int, end: str) -> None:
    """The last bit of AUTH, a MAC or a signature, is changed; unaltered both ends establish the IKE SA."""
    pair = stations.pair(1, certificates=by == "signature")
    pair.initiate(A)
    for _ in range(3 if end == A else 2):
        pair.deliver(pair.flying[0])
    answered = altered(pair, lambda payloads: tuple(spoilt(p, change) for p in payloads), crypto=RealCrypto())
    assert (sa.Established in answered.kinds()) is not bool(change)
    assert (sa.Install in answered.kinds()) is not bool(change)


def spoilt(payload: Payload, change: int) -> Payload:
    if type(payload) is not wire.AUTH:
        return payload
    return payload._replace(data=payload.data[:-1] + bytes((payload.data[-1] ^ change,)))


def test_s1_2_the_wrong_group_is_corrected() -> None:
    """INVALID_KE_PAYLOAD names the group that the responder wants; the same offer comes again with KE of that one."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256-x25519"),
    }
    pair = established(connections=connections)
    first, refusal, second, answer = messages(pair, INIT)
    (error,) = refusal.payloads
    assert error == N(NotifyType.INVALID_KE_PAYLOAD, (19).to_bytes(2, "big"))
    assert [of(message, KE).group for message in (first, second, answer)] == [31, 19, 19]
    assert of(first, SA) == of(second, SA)
    assert pair.ikes(A)[0].phase is Phase.ESTABLISHED


REFUSALS = (
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.TS_UNACCEPTABLE,
    NotifyType.SINGLE_PAIR_REQUIRED,
    NotifyType.INTERNAL_ADDRESS_FAILURE,
    NotifyType.FAILED_CP_REQUIRED,
)


@pytest.mark.parametrize("why", REFUSALS)
def test_s1_2_an_error_of_the_child_sa_leaves_the_ike_sa(why: int) -> None:
    pair = after_init()
    pair.deliver(pair.flying[0])
    answered = altered(pair, lambda payloads: (*[p for p in payloads if type(p) in (IDr, wire.AUTH)], N(why)))
    assert sa.Established in answered.kinds()
    assert [ike.phase for ike in pair.ikes(A)] == [Phase.ESTABLISHED]
    assert not pair.children(A)


@pytest.mark.parametrize("why", [NotifyType.AUTHENTICATION_FAILED, NotifyType.INVALID_SYNTAX])
def test_s1_2_an_error_of_the_ike_sa_leaves_none(why: int) -> None:
    pair = after_init()
    pair.deliver(pair.flying[0])
    answered = altered(pair, lambda _: (N(why),))
    assert sa.Closed in answered.kinds()
    assert not pair.ikes(A)


def test_s1_2_an_error_of_who_has_proved_nothing_ends_this_attempt_alone() -> None:
    """The sender did IKE_SA_INIT, and may be anybody: another IKE SA with the peer stays as it is."""
    pair = established()
    before = pair.sessions(A)
    pair.initiate(A)
    for _ in range(3):
        pair.deliver(pair.flying[0])
    answered = altered(pair, lambda _: (N(NotifyType.AUTHENTICATION_FAILED),))
    assert sa.Closed in answered.kinds()
    assert pair.sessions(A) == before
    assert not answered.kinds() & {sa.Remove}


def test_s1_2_no_key_exchange_in_ike_auth() -> None:
    """Policy wants one for each Child SA: IKE_AUTH has none, and says so by leaving the transform out."""
    pair = established(connections=policies(esp=PFS))
    for message in messages(pair, AUTH):
        assert not {KE, Nonce} & {type(p) for p in message.payloads}
        types = {t.type for proposal in of(message, SA).proposals for t in proposal.transforms}
        assert types
        assert TransformType.KE not in types
    command(pair, A, sa.CreateChild("web"))
    offer = of(messages(pair, CREATE)[0], SA)
    assert TransformType.KE in {t.type for proposal in offer.proposals for t in proposal.transforms}
