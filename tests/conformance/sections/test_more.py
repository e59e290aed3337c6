"""Rules of EAP, configuration, fragmentation and signatures that no other test breaks (Sections 2.16, 2.19, 3.15)."""

import hashlib
from dataclasses import replace
from itertools import permutations
from pathlib import Path as File

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from ikeref_properties.network import ENDS, A, B, Pair, connection

from ikeref import sa, wire
from ikeref.crypto import auth
from ikeref.crypto.algorithm_identifiers import IDENTIFIERS
from ikeref.crypto.certificates import load_private_key
from ikeref.crypto.free import FreeCrypto
from ikeref.eap import tls
from ikeref.errors import AuthenticationFailed, LocalProtocolError
from ikeref.policy import attributes
from ikeref.policy.config import ConfigError, load
from ikeref.policy.connections import Settings
from ikeref.policy.pools import range_of
from ikeref.registry import CfgAttribute, HashAlgorithm, IpcompTransform, NotifyType, Prf
from ikeref.sa import Phase, initial
from ikeref.wire import AUTH, CP, EAP, SA, SKF, CfgAttr, D, Message, N, TSi, TSr
from tests.properties.forging import request
from tests.unit.eap import scene as eap
from tests.unit.sa import test_configuration as cfg
from tests.unit.sa import test_fragmentation as pieces

# --- EAP (Section 2.16) ----------------------------------------------------------------------------------------------


def test_2_16_14_more_than_ten_exchanges_of_eap_are_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    """EAP-TLS in small fragments takes many rounds; with fewer allowed it ends."""
    monkeypatch.setattr(tls, "FRAGMENT_OCTETS", 150)
    ends = eap.run(eap.peer(eap.TLS), eap.server(eap.TLS))
    assert eap.is_up(ends)
    assert len(eap.rounds(ends)) // 2 > 12
    assert not eap.is_up(eap.run(eap.peer(eap.TLS), eap.server(eap.TLS), settings=Settings(eap_rounds=10)))


def test_2_16_17_the_responder_may_end_eap_at_any_time() -> None:
    """It alone allows few rounds: EAP Failure comes, and the initiator takes it; with more rounds all is well."""
    for most, comes_up in ((0, False), (1, False), (2, False), (50, True)):
        ends = eap.pair(eap.peer(eap.MSCHAPV2), eap.server(eap.MSCHAPV2))
        ends.ends[B].environment = ends.ends[B].environment._replace(settings=Settings(eap_rounds=most))
        ends.deliver_all()
        assert eap.is_up(ends) is comes_up
        last = eap.said([each for each in eap.rounds(ends) if eap.said(each)][-1])
        assert last is not None
        assert last.code == (3 if comes_up else 4)


def test_3_16_11_the_identity_that_is_asked_for_is_told() -> None:
    """7296-3.16-09, 7296-3.16-11: altered is the user's name, and so is the answer."""
    for name in (b"carol", b"dave"):
        own = eap.peer(eap.MD5, identity=name, password=b"Ar3etTnp" if name == b"carol" else b"another")
        ends = eap.run(own, eap.server(eap.MD5, ask_identity=True))
        assert eap.is_up(ends)
        answers = [eap.said(each) for each in eap.rounds(ends) if not each.is_response]
        assert [each.data for each in answers if each is not None and each.type == 1] == [name]


def test_c_3_payloads_of_eap_are_in_the_messages_where_they_belong() -> None:
    """7296-C.3-01, 7296-5-14: SA and TS in the first request and the last response, AUTH of the server before EAP.

    Altered is the first response, its AUTH taken out: then the initiator goes no further.
    """
    for altered in (False, True):
        ends = eap.pair(eap.peer(eap.MSCHAPV2), eap.server(eap.MSCHAPV2), certified=True)
        first = eap.until(ends, 2).message
        assert first is not None
        if altered:
            eap.forge(ends, tuple(p for p in first.payloads if type(p) is not AUTH))
        ends.deliver_all()
        messages = eap.rounds(ends)
        assert eap.is_up(ends) is not altered
        if altered:
            assert not any(type(p) is EAP for each in messages if not each.is_response for p in each.payloads)
            continue
        holding = {
            kind: [n for n, each in enumerate(messages) if any(type(p) is kind for p in each.payloads)]
            for kind in (SA, TSi, TSr, AUTH)
        }
        last = len(messages) - 1
        assert holding == {SA: [0, last], TSi: [0, last], TSr: [0, last], AUTH: [1, last - 1, last]}


# --- Configuration (Sections 2.19 and 3.15) --------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_3_15_1_05_as_many_addresses_are_given_as_were_asked_for(asked: int) -> None:
    """7296-3.15.1-05, 7296-3.15.1-10."""
    asker = replace(cfg.asking("ipv4"), request=(CfgAttr(cfg.IP4),) * asked)
    assert len(cfg.internal(cfg.pair(asker, cfg.giving(cfg.POOL)), A).packed) == asked


@pytest.mark.parametrize("only", ["10.0.0.1", "172.16.0.1", "192.168.0.1", "198.51.100.1"])
def test_3_15_1_06_an_internal_address_may_be_private(only: str) -> None:
    """From each private range as from one that is none."""
    pool = replace(cfg.POOL, ranges=(range_of(only),))
    made = cfg.pair(cfg.asking("ipv4"), cfg.giving(pool))
    assert cfg.lines(cfg.internal(made, A))[0] == f"INTERNAL_IP4_ADDRESS {only}"


def test_3_15_2_03_subnets_in_a_request_change_nothing() -> None:
    """Altered is the request, by subnets that the gateway has not; the answer is the same, and so is the traffic."""
    found = []
    for subnets in ((), (attributes.subnet("10.77.0.0/16"), attributes.subnet("2001:db8:77::/64"))):
        asker = replace(cfg.asking("ipv4"), request=(CfgAttr(cfg.IP4), *subnets))
        made = cfg.pair(asker, cfg.giving(cfg.POOL))
        assert cfg.configured(cfg.auth(made, response=False)).attributes[1:] == subnets
        (child,) = made.children(B)
        found.append((cfg.configured(cfg.auth(made, response=True)), child.local_ts, child.remote_ts))
    assert found[0] == found[1]


def test_2_19_06_a_request_without_an_address_is_refused() -> None:
    assert attributes.request(("ipv4", "dns"))
    for words in (("dns",), ("version",), ("netmask", "supported")):
        with pytest.raises(ValueError, match="an address must be asked for"):
            attributes.request(words)


def test_3_15_1_25_subnets_are_address_and_netmask_or_prefix() -> None:
    """7296-3.15.1-25, 7296-3.15.1-30, 7296-3.15.1-31: altered is the subnet, and its last octets follow."""
    assert attributes.subnet("10.2.0.0/16") == CfgAttr(13, bytes.fromhex("0a020000 ffff0000"))
    assert attributes.subnet("10.2.0.0/24") == CfgAttr(13, bytes.fromhex("0a020000 ffffff00"))
    assert attributes.subnet("2001:db8::/32") == CfgAttr(15, bytes.fromhex("20010db8" + "00" * 12 + "20"))
    assert attributes.subnet("2001:db8::/33") == CfgAttr(15, bytes.fromhex("20010db8" + "00" * 12 + "21"))


def test_3_15_1_36_an_unknown_attribute_of_a_reply_is_ignored() -> None:
    """Even if it was asked for; altered is its type, to one that is known."""
    for kind, known in ((30001, False), (int(CfgAttribute.INTERNAL_IP4_DNS), True)):
        asker = replace(cfg.asking("ipv4"), request=(CfgAttr(cfg.IP4), CfgAttr(kind)))
        pool = replace(cfg.POOL, attributes=(CfgAttr(kind, bytes(4)),))
        told = cfg.internal(cfg.pair(asker, cfg.giving(pool)), A)
        assert (kind in [each.type for each in told.attributes]) is known


def test_3_15_4_05_a_family_that_no_pool_has_is_no_failure() -> None:
    """No INTERNAL_ADDRESS_FAILURE for it, as there is for a pool that is empty; the rest of the request is answered."""
    only6 = replace(cfg.POOL, ranges=cfg.POOL.ranges[1:])
    made = cfg.pair(cfg.asking("ipv4", "dns"), cfg.giving(only6))
    assert NotifyType.INTERNAL_ADDRESS_FAILURE not in cfg.errors(cfg.auth(made, response=True))
    assert cfg.values(cfg.configured(cfg.auth(made, response=True)), cfg.DNS4) == [bytes((10, 2, 0, 53))]
    empty = cfg.pair(cfg.asking("ipv4"), cfg.giving(cfg.POOL), establish=False)
    for last in (1, 2, 3):
        other = connection(B).local_id
        empty.ends[B].leases.hold(90 + last, other, (bytes((10, 9, 0, last)),))
    empty.establish()
    assert NotifyType.INTERNAL_ADDRESS_FAILURE in cfg.errors(cfg.auth(empty, response=True))


def test_3_15_4_08_without_an_address_the_ike_sa_waits_or_is_deleted_and_made_anew() -> None:
    """7296-3.15.4-08, 7296-3.15.4-09: nothing is asked again by itself, not within hours.

    A command deletes the IKE SA, and another gets an address if one is free by then; else it fares no better.
    """
    for freed in (False, True):
        made = cfg.pair(cfg.asking("ipv4"), cfg.giving(cfg.POOL), establish=False)
        for last in (1, 2, 3):
            made.ends[B].leases.hold(90 + last, connection(B).local_id, (bytes((10, 9, 0, last)),))
        made.establish()
        made.settle()
        (ike,) = made.ikes(A)
        sent = len(made.past)
        made.now += 7200
        made.tick()
        made.settle()
        assert len(made.past) == sent
        assert not made.children(A)
        made.command(A, sa.DeleteIke())
        made.settle()
        assert ike.spi_i not in [each.spi_i for each in made.ikes(A)]
        if freed:
            made.ends[B].leases.hold(91, None, ())
        made.establish()
        made.settle()
        assert bool(made.children(A)) is freed


def test_3_15_1_33_a_suggestion_is_no_order() -> None:
    """7296-3.15.1-33, 7296-3.15.1-34: altered is the address that is suggested, to one that no pool has."""
    for wish, given in (("10.9.0.2", "10.9.0.2"), ("10.9.9.9", "10.9.0.1")):
        made = cfg.pair(cfg.asking(wish), cfg.giving(cfg.POOL))
        assert cfg.lines(cfg.internal(made, A))[0] == f"INTERNAL_IP4_ADDRESS {given}"


GATEWAY = """
[pools.office]
addresses = ["10.9.0.0/24"]
{pool}
[connections.gateway]
local_id = "a.example"
remote_id = "any"
local_address = "192.0.2.1"
psk = "secret"
pools = ["office"]
{connection}
[connections.gateway.children.net]
"""


@pytest.mark.parametrize(
    ("place", "good", "bad"),
    [
        ("pool", 'netmask = "255.255.255.0"', 'netmask = ["255.255.255.0", "255.255.0.0"]'),
        ("connection", 'application_version = "ikeref 1"', 'application_version = "ikeref\\u00e9"'),
        ("connection", 'application_version = "~"', 'application_version = "a\\u0000"'),
    ],
    ids=["one netmask", "ASCII", "no NUL"],
)
def test_3_15_1_13_what_a_gateway_may_not_tell(place: str, good: str, bad: str) -> None:
    """7296-3.15.1-13, 7296-3.15.1-24."""
    for text, right in ((good, True), (bad, False)):
        source = GATEWAY.format(**({"pool": "", "connection": ""} | {place: text}))
        if right:
            assert load(source).connections
            continue
        with pytest.raises(ConfigError):
            load(source)


def test_2_22_01_compression_is_bound_to_its_child_sa() -> None:
    """A rekey has another CPI, and what is deleted is named by the SPI of ESP alone."""
    policies = {
        end: replace(
            connection(end),
            children=tuple(replace(c, ipcomp=(int(IpcompTransform.DEFLATE),)) for c in connection(end).children),
        )
        for end in ENDS
    }
    ends = Pair(1, connections=policies).establish()
    (before,) = ends.children(A)
    ends.command(A, sa.RekeyChild(before.spi_in))
    ends.deliver_all()
    (after,) = ends.children(A)
    assert before.options.ipcomp is not None
    assert after.options.ipcomp is not None
    assert before.options.ipcomp.cpi_in != after.options.ipcomp.cpi_in
    deletes = [p for each in ends.past if each.message is not None for p in each.message.payloads if type(p) is D]
    assert {each.protocol_id for each in deletes} == {3}
    assert {each.spis for each in deletes} == {(before.spi_in,), (before.spi_out,)}


def test_c_6_informational_has_notifications_deletes_and_configuration_in_any_order() -> None:
    """7296-C.6-01: requests in this order and in the opposite one are understood; our answer has CP before Delete."""
    ends = Pair(1).establish()
    (child,) = ends.children(B)
    payloads = (N(39000), D(3, 4, (child.spi_in,)), CP(1, (CfgAttr(7),)))
    for each in (payloads, payloads[::-1]):
        ends = Pair(1).establish()
        (message,) = request(ends, A, 37, each).messages
        assert [type(p) for p in message.payloads] == [CP, D]
        assert not ends.children(A)


# --- Fragmentation (RFC 7383) ----------------------------------------------------------------------------------------


def cut(ends: Pair) -> list[Message]:
    return [wire.decode(each.datagram) for each in pieces.fragments(ends)]


def test_7383_2_5_fragments_have_the_header_of_the_whole() -> None:
    """7383-2.5-03, 7383-2.5-07, 7383-2.5-08, 7383-2.5.3-01: and Next Payload in the first alone.

    Altered is one octet of a fragment: it is dropped, for each is protected by itself.
    """
    ends = pieces.at_auth()
    whole = ends.flying[0].message
    assert whole is not None
    found = cut(ends)
    assert len(found) > 2
    ivs = set()
    for number, each in enumerate(found, 1):
        assert each[:5] == whole[:5]
        (closed,) = each.payloads
        assert type(closed) is SKF
        assert (closed.fragment_number, closed.total_fragments) == (number, len(found))
        assert closed.next_payload == (35 if number == 1 else 0)
        ivs.add(closed.body[:8])
    assert len(ivs) == len(found)
    ends = Pair(1, settings=pieces.SMALL)
    ends.initiate(A)
    ends.deliver(ends.flying[0])
    ends.deliver(ends.flying[0])
    first = ends.flying[0]
    broken = first._replace(datagram=first.datagram[:-1] + bytes((first.datagram[-1] ^ 1,)))
    ends.flying[0] = broken
    while ends.flying:
        ends.deliver(ends.flying[0])
    assert [ike.phase for ike in ends.ikes(B)] == [Phase.HALF_OPEN]


@pytest.mark.parametrize("size", [576, 700, 1280])
def test_7383_2_5_1_datagrams_stay_below_the_threshold(size: int) -> None:
    """7383-2.5.1-01, 7383-2.5.1-02, 7383-2.4-02: with a larger one there are fewer; 1280 octets if nothing is said."""
    assert Settings().fragment_octets == 1280
    settings = Settings(fragment_octets=size)
    ends = eap.run(eap.peer(eap.TLS), eap.server(eap.TLS), certified=True, settings=settings)
    sent = [each for each in ends.past if wire.peek(each.datagram).exchange_type == 35]
    assert all(len(each.datagram) + 28 <= size for each in sent)
    cut_up = [each for each in sent if wire.peek(each.datagram).next_payload == 53]
    assert bool(cut_up) is (size < 1280)
    with pytest.raises(ConfigError):
        load("[settings]\nfragment_octets = 575\n" + GATEWAY.format(pool="", connection=""))


def test_7383_2_4_only_what_is_too_long_goes_in_fragments() -> None:
    """7383-2.4-02, 7383-2.4-03, 7383-2.4-04: in either direction, whatever form the message before had."""
    ends = Pair(1, settings=pieces.SMALL).establish()
    ends.command(A, sa.CheckLiveness())
    ends.deliver_all()
    ends.command(B, sa.RekeyIke())
    ends.deliver_all()
    room = pieces.SMALL.fragment_octets - 28
    forms = {(each.message is None or len(each.message.payloads) > 1, wire.peek(each.datagram).next_payload)
             for each in ends.past if wire.peek(each.datagram).exchange_type != 34}  # fmt: skip
    assert forms == {(True, 53), (False, 46)}
    assert all(len(each.datagram) <= room for each in ends.past if wire.peek(each.datagram).exchange_type != 34)


def test_7383_2_5_2_nothing_is_cut_again() -> None:
    """A lower threshold alters what is sent from then on, and no retransmission."""
    ends = pieces.at_auth()
    before = [each.datagram for each in ends.flying]
    ends.flying.clear()
    ends.ends[A].environment = ends.ends[A].environment._replace(settings=Settings(fragment_octets=100))
    ends.advance()
    assert [each.datagram for each in ends.flying] == before
    lower = Pair(1, settings=Settings(fragment_octets=100))
    lower.initiate(A)
    lower.deliver(lower.flying[0])
    lower.deliver(lower.flying[0])
    assert len(lower.flying) > len(before)


def test_7383_2_6_1_a_fragment_number_is_part_of_what_is_new() -> None:
    """7383-2.6.1-01: with one message ID each number counts once, and another number is not taken for a copy."""
    ends = pieces.at_auth()
    first, second = ends.flying[:2]
    ends.deliver(first, keep=True)
    ends.deliver(first, keep=True)
    (partial,) = ends.ikes(B)[0].partial
    assert len(partial.parts) == 1
    ends.deliver(second, keep=True)
    (partial,) = ends.ikes(B)[0].partial
    assert [part.fragment_number for part in partial.parts] == [1, 2]


# --- Signatures (RFC 7427) -------------------------------------------------------------------------------------------

PKI = File(__file__).parents[2] / "vectors" / "generated" / "pki"
OCTETS = b"what is signed"
SHA1, SHA256, SHA384, SHA512 = (HashAlgorithm(n) for n in (1, 2, 3, 4))


def keys() -> tuple[ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey]:
    return ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


def test_7427_4_03_the_hash_is_one_of_the_peers_list() -> None:
    """7427-4-03, 7427-3-05: altered is the list; with nothing in it that the key can use there is nothing."""
    for key in keys():
        used = set()
        for announced in (SHA256, SHA384, SHA512):
            _, data = auth.sign(key, OCTETS, frozenset((announced,)))
            algorithm = IDENTIFIERS[data[1 : 1 + data[0]]]
            assert algorithm.hash == announced
            used.add(data[: 1 + data[0]])
            auth.verify(key.public_key(), 14, data, OCTETS, frozenset((announced,)))
            with pytest.raises(AuthenticationFailed):
                auth.verify(key.public_key(), 14, data, OCTETS, frozenset((SHA1,)))
            with pytest.raises(AuthenticationFailed):
                auth.verify(key.public_key(), 14, data, OCTETS + b"?", frozenset((announced,)))
        assert len(used) == 3
        with pytest.raises(LocalProtocolError):
            auth.sign(key, OCTETS, frozenset((HashAlgorithm.IDENTITY,)))


@pytest.mark.parametrize(("ours", "theirs"), list(permutations((SHA256, SHA384, SHA512), 2)))
def test_7427_4_04_each_direction_has_its_own_hash(
    ours: HashAlgorithm, theirs: HashAlgorithm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """7427-4-04, 7427-4-03: altered are the lists; each end signs with a hash of the other's, whatever its own says."""
    policies = {
        end: replace(connection(end), local_auth=eap.key(name), remote_auth=eap.authorities())
        for end, name in ((A, "a.example"), (B, "b.example"))
    }
    ends = Pair(1, connections=policies)
    for end, known in ((A, ours), (B, theirs)):
        said = N(NotifyType.SIGNATURE_HASH_ALGORITHMS, known.to_bytes(2))
        monkeypatch.setattr(initial, "_ANNOUNCED", said)
        if end == A:
            ends.initiate(A)
        else:
            ends.deliver(ends.flying[0])
    ends.deliver_all()
    proofs = [p.data for each in ends.past if each.message for p in each.message.payloads if type(p) is AUTH]
    assert [IDENTIFIERS[data[1 : 1 + data[0]]].hash for data in proofs] == [theirs, ours]
    assert len(ends.children(A)) == len(ends.children(B)) == 1


def test_7427_5_01_a_kind_of_key_that_is_not_handled_is_an_authentication_failure() -> None:
    """Altered is the AlgorithmIdentifier of the initiator: DSA with SHA-256 (RFC 7427 appendix A.2), which is not
    built."""
    for identifier in (b"", bytes.fromhex("300b0609608648016503040302")):
        initiator = replace(connection(A), local_auth=eap.key("a.example"))
        responder = replace(connection(B), remote_auth=eap.authorities())
        ends = Pair(1, connections={A: initiator, B: responder})
        ends.initiate(A)
        ends.deliver(ends.flying[0])
        ends.deliver(ends.flying[0])
        request = ends.flying[0].message
        assert request is not None
        (proof,) = (p for p in request.payloads if type(p) is AUTH)
        if identifier:
            data = bytes((len(identifier),)) + identifier + proof.data[1 + proof.data[0] :]
            eap.forge(ends, tuple(p._replace(data=data) if p is proof else p for p in request.payloads))
        ends.deliver(ends.flying[0])
        answer = ends.flying[-1].message
        assert answer is not None
        assert (answer.payloads == (N(NotifyType.AUTHENTICATION_FAILED),)) is bool(identifier)
        assert len(ends.children(B)) == (0 if identifier else 1)


def test_7427_3_06_nothing_stands_between_identifier_and_signature() -> None:
    """7427-3-06, 7427-3-02: altered is an octet more in between, or one in the length."""
    for key in keys():
        method, data = auth.sign(key, OCTETS, frozenset((SHA256,)))
        end = 1 + data[0]
        auth.verify(key.public_key(), method, data, OCTETS)
        for altered in (data[:end] + b"\0" + data[end:], bytes((data[0] + 1,)) + data[1:], data[1:]):
            with pytest.raises(AuthenticationFailed):
                auth.verify(key.public_key(), method, altered, OCTETS)


def test_7427_3_07_a_longer_hash_is_cut_to_the_order_of_the_curve() -> None:
    """As ANSI X9.62 has it: its leftmost bits are signed. Altered are these, to the rightmost."""
    key = ec.generate_private_key(ec.SECP256R1())
    _, data = auth.sign(key, OCTETS, frozenset((SHA512,)))
    signature, digest = data[1 + data[0] :], hashlib.sha512(OCTETS).digest()
    as_given = ec.ECDSA(Prehashed(hashes.SHA256()))
    key.public_key().verify(signature, digest[:32], as_given)
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, digest[32:], as_given)


def test_7427_3_01_without_both_announcements_method_14_is_not_used() -> None:
    """7427-3-01: altered are the hashes that either end says that it knows.

    A key that needs an announcement fails without; another key falls back to its old method, and a signature of a
    method that was not announced is AUTHENTICATION_FAILED.
    """
    (key, _), other = keys(), load_private_key((PKI / "ecA.key").read_bytes())
    assert auth.sign(key, OCTETS)[0] == 9
    assert auth.sign(key, OCTETS, frozenset((SHA256,)))[0] == 14
    method, data = auth.sign(other, OCTETS, frozenset((SHA256,)))
    auth.verify(other.public_key(), method, data, OCTETS, frozenset((SHA256,)))
    with pytest.raises(AuthenticationFailed):
        auth.verify(other.public_key(), method, data, OCTETS, frozenset())


def test_7427_3_01_an_initiator_that_signs_announces_hashes() -> None:
    """Also one that expects a shared key of its peer: it would use method 14 unannounced."""
    for signs in (True, False):
        initiator = connection(A)
        if signs:
            initiator = replace(initiator, local_auth=eap.key("a.example"))
        responder = replace(connection(B), remote_auth=eap.authorities()) if signs else connection(B)
        ends = Pair(1, connections={A: initiator, B: responder}).establish()
        first = ends.past[0].message
        assert first is not None
        said = [p for p in first.payloads if type(p) is N and p.type == NotifyType.SIGNATURE_HASH_ALGORITHMS]
        assert bool(said) is signs
        assert len(ends.children(B)) == 1
        methods = [p.method for each in ends.past if each.message for p in each.message.payloads if type(p) is AUTH]
        assert methods == ([14, 2] if signs else [2, 2])


def test_2_15_16_the_inner_prf_may_be_stored_in_place_of_the_secret() -> None:
    """What is made of the secret and the pad string alone is all that AUTH needs of it; another pad makes another."""
    crypto, prf = FreeCrypto(), Prf.HMAC_SHA2_256
    stored = crypto.prf(prf, b"secret", b"Key Pad for IKEv2")
    whole = auth.shared_key_auth(crypto, prf, b"secret", OCTETS)
    assert crypto.prf(prf, stored, OCTETS) == whole
    assert crypto.prf(prf, crypto.prf(prf, b"secret", b"Key Pad for IKEv2\0"), OCTETS) != whole
