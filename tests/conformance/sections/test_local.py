"""What an operator can say, and what comes of it: keys, identities, suites, traffic (Sections 2.15, 3.3.4, 3.5, 4)."""

from dataclasses import replace

import pytest
from ikeref_properties.network import ADDRESS, A, B, Pair, connection

from ikeref.crypto.real import RealCrypto
from ikeref.crypto.transforms import PRF, Suite
from ikeref.policy import addresses, identities
from ikeref.policy.config import ConfigError, load
from ikeref.policy.connections import Connection
from ikeref.policy.credentials import Secret
from ikeref.policy.identities import Identity
from ikeref.registry import Encr, IdType, Integ, KeGroup, NotifyType, Prf
from ikeref.sa import Phase
from ikeref.wire import AUTH, CERT, IDi, N, Proposal
from tests.unit.eap.scene import authorities, forge, key
from tests.unit.sa import test_configuration as cfg

TEXT = """
[connections.home]
local_id = "{local}"
remote_id = "{remote}"
local_address = "192.0.2.1"
psk = "{psk}"
ike_proposals = "{ike}"
[connections.home.children.net]
"""


def configured(**changes: str) -> Connection:
    values = {"local": "a.example", "remote": "b.example", "psk": "secret", "ike": "aes256gcm16-prfsha256-x25519"}
    (made,) = load(TEXT.format(**values | changes)).connections
    return made


# --- Shared keys (Section 2.15) --------------------------------------------------------------------------------------


def octets(psk: str) -> bytes:
    credential = configured(psk=psk).local_auth
    assert isinstance(credential, Secret)
    return credential.octets


@pytest.mark.parametrize("size", [1, 63, 64, 65, 300])
def test_2_15_17_a_shared_key_is_ascii_of_any_length(size: int) -> None:
    """Nothing is cut off or added (7296-2.15-18): another last character is another key."""
    text = ("a shared key of many characters! " * 10)[:size].replace(" ", "_")
    assert octets(text) == text.encode("ascii")
    assert octets(text[:-1] + "~") == text[:-1].encode("ascii") + b"~"


def test_2_15_18_no_terminator_is_appended() -> None:
    assert octets("secret") == b"secret"
    assert octets("0x73656372657400") == b"secret\0"
    assert octets("secret") != octets("0x73656372657400")


def test_2_15_19_a_shared_key_may_be_hexadecimal() -> None:
    assert octets("0x00FFab") == b"\0\xff\xab"
    for wrong in ("0x00f", "0xgg"):
        with pytest.raises(ConfigError):
            octets(wrong)


def test_2_15_20_a_shared_key_may_be_base64_or_utf_8() -> None:
    assert octets("0sAP+r") == b"\0\xff\xab"
    assert octets("Schlüssel") == "Schlüssel".encode()
    with pytest.raises(ConfigError):
        octets("0s!")


# --- Suites (Section 3.3.4) -----------------------------------------------------------------------------------------


def test_3_3_4_05_an_administrator_says_which_suites_are_acceptable() -> None:
    """7296-3.3.4-05, 7296-3.3.4-08: those and no others, mandatory ones too only where they are named."""
    named = "chacha20poly1305-prfsha512-x448, aes128-sha256-modp2048"
    made = configured(ike=named).ike_proposals
    assert [len(each.transforms) for each in made] == [3, 4]
    mandatory, others = "aes128-sha256-modp2048", "chacha20poly1305-prfsha512-x448"
    for offered, acceptable, comes_up in (
        (named, named, True),
        ("aes256gcm16-prfsha384-ecp384", named, False),
        (mandatory, named, True),
        (mandatory, others, False),
    ):
        ends = Pair(1, connections={A: connection(A, ike=offered), B: connection(B, ike=acceptable)})
        ends.establish()
        assert bool(ends.children(A)) is comes_up
    with pytest.raises(ConfigError):
        configured(ike="aes128-sha256")


@pytest.mark.parametrize(
    "word", ["des_iv64", "desiv64", "3idea", "des_iv32", "desmac", "des_mac", "kpdkmd5", "kpdk_md5"]
)
def test_3_01_what_is_unspecified_has_no_name_in_a_policy(word: str) -> None:
    """Neither as cipher nor as integrity algorithm; with another word in that place there is a proposal."""
    for text in ("{}-sha256-x25519", "aes128-{}-x25519", "aes128-sha256-{}-x25519"):
        assert configured(
            ike=text.format("aes128" if text[0] == "{" else "sha256" if "sha" not in text else "prfsha256")
        )
        with pytest.raises(ConfigError):
            configured(ike=text.format(word))


def test_3_01_what_is_unspecified_is_not_computed() -> None:
    """Altered is one algorithm of a suite that is computed, to each that Section 3.3.2 calls UNSPECIFIED."""
    good = Suite(Encr.AES_CBC, 128, Prf.HMAC_SHA2_256, Integ.HMAC_SHA2_256_128, KeGroup.CURVE25519)
    crypto = RealCrypto(legacy=True)
    assert crypto.supports(good)
    for encr in (Encr.DES_IV64, Encr.TRIPLE_IDEA, Encr.DES_IV32):
        assert not crypto.supports(good._replace(encr=encr))
        assert not crypto.supports(good._replace(encr=encr, key_bits=0))
    assert not crypto.supports(good._replace(prf=Prf.HMAC_TIGER))
    for integ in (Integ.DES_MAC, Integ.KPDK_MD5):
        assert not crypto.supports(good._replace(integ=integ))


def test_5_06_prfs_have_at_least_128_bits() -> None:
    """7296-5-06: altered is the PRF, to one that is not there."""
    assert min(row.output for row in PRF.values()) * 8 >= 128
    assert configured(ike="aes128-sha256-prfaescmac-x25519").ike_proposals
    with pytest.raises(ConfigError):
        configured(ike="aes128-sha256-prftiger-x25519")


# --- Identities (Sections 3.5 and 4) --------------------------------------------------------------------------------

NAMES = {
    IdType.IPV4_ADDR: ("10.9.8.7", "10.9.8.8"),
    IdType.IPV6_ADDR: ("2001:db8::7", "2001:db8::8"),
    IdType.FQDN: ("moon.example.org", "sun.example.org"),
    IdType.RFC822_ADDR: ("carol@example.org", "dave@example.org"),
    IdType.KEY_ID: ("keyid:0x00ff01", "keyid:0x00ff02"),
    IdType.DER_ASN1_DN: ("C=CH, O=example, CN=moon", "C=CH, O=example, CN=sun"),
}
"""An identity of each type, and another one."""


def between(local: Identity, expected: Identity | None) -> Pair:
    """A has an identity, B expects one, and there is a key for both; their addresses are others."""
    policies = {A: replace(connection(A), local_id=local), B: replace(connection(B), remote_id=expected)}
    return Pair(1, connections=policies).establish()


@pytest.mark.parametrize("kind", NAMES, ids=[kind.name for kind in NAMES])
def test_3_5_12_identities_of_each_type_are_sent_and_accepted(kind: IdType) -> None:
    """7296-3.5-01, 7296-3.5-12, 7296-3.5-13, 7296-3.5-14, 7296-3.5-15, 7296-3.5-16, 7296-4-18: with a shared key.

    None of the addresses is that of a packet. Altered is what is expected: another identity of that type is refused.
    """
    name, another = (configured(local=text).local_id for text in NAMES[kind])
    for expected, comes_up in ((name, True), (another, False)):
        ends = between(name, expected)
        sent = [p for each in ends.past if each.message is not None for p in each.message.payloads if type(p) is IDi]
        assert sent == [IDi(kind, name.data)]
        assert ADDRESS[A][0] not in NAMES[kind]
        assert bool(ends.children(B)) is comes_up


@pytest.mark.parametrize("name", ["jürgen@example.org", "a+b=c/d@realm", "..@@x", "user%part@realm.example"])
def test_3_5_18_any_reasonable_network_access_identifier_is_taken(name: str) -> None:
    """7296-3.5-11, 7296-3.5-18: as UTF-8, without a look at the syntax of mail. Altered is its last octet."""
    sent = Identity(IdType.RFC822_ADDR, name.encode("utf-8"))
    assert identities.parse(f"email:{name}") == sent
    assert identities.parse(str(sent)) == sent
    for expected, comes_up in ((sent, True), (Identity(IdType.RFC822_ADDR, sent.data[:-1] + b"?"), False)):
        assert bool(between(sent, expected).children(B)) is comes_up


@pytest.mark.parametrize(
    ("name", "kind"), [("dave@example.org", IdType.RFC822_ADDR), ("dave", IdType.KEY_ID), ("d.av.e", IdType.KEY_ID)]
)
def test_3_5_17_a_users_name_is_sent_as_mail_address_or_key_id(name: str, kind: IdType) -> None:
    """7296-3.5-17, 7296-3.5-19: a realm makes the difference."""
    text = TEXT.replace('local_id = "{local}"\n', "").replace('psk = "{psk}"', 'remote_address = "192.0.2.2"\n{auth}')
    auth = f'local_auth = {{ eap = "md5", password = "pw", identity = "{name}" }}\nremote_auth = {{ psk = "x" }}'
    (made,) = load(text.format(auth=auth, remote="b.example", ike="aes256gcm16-prfsha256-x25519")).connections
    assert made.local_id == (kind, name.encode())


# --- Different ways to authenticate (Sections 2.15 and 4) ----------------------------------------------------------


def test_4_19_a_certificate_at_one_end_and_a_shared_key_at_the_other() -> None:
    """7296-4-19, 7296-2.15-11: and with the shared key altered there is nothing."""
    for secret, comes_up in ((b"shared", True), (b"another", False)):
        initiator = replace(connection(A), local_auth=Secret(b"shared"), remote_auth=authorities())
        responder = replace(connection(B), local_auth=key("b.example"), remote_auth=Secret(secret))
        ends = Pair(1, connections={A: initiator, B: responder}).establish()
        methods = [
            p.method for each in ends.past if each.message is not None for p in each.message.payloads if type(p) is AUTH
        ]
        assert methods == ([2, 14] if comes_up else [2])
        assert [ike.phase for ike in ends.ikes(A)] == ([Phase.ESTABLISHED] if comes_up else [])


def test_6_01_a_raw_rsa_key_is_no_certificate() -> None:
    """7296-6-01: altered is the encoding of CERT, to Raw RSA Key; the same as X.509 is accepted."""
    for encoding, comes_up in ((4, True), (11, False)):
        initiator = replace(connection(A), local_auth=key("a.example"))
        responder = replace(connection(B), remote_auth=authorities())
        ends = Pair(1, connections={A: initiator, B: responder})
        ends.initiate(A)
        ends.deliver(ends.flying[0])
        ends.deliver(ends.flying[0])
        message = ends.flying[0].message
        assert message is not None
        forge(ends, tuple(p._replace(encoding=encoding) if type(p) is CERT else p for p in message.payloads))
        ends.deliver(ends.flying[0])
        refused = [p for p in ends.past[-1].message.payloads if type(p) is N]  # type: ignore[union-attr]  # no keepalive
        assert bool(ends.children(B)) is comes_up
        assert [p.type for p in refused] == ([] if comes_up else [NotifyType.AUTHENTICATION_FAILED])


# --- Who may have which traffic (Section 5.1) -----------------------------------------------------------------------


def test_5_1_01_traffic_is_allowed_to_who_proved_to_be_somebody() -> None:
    """7296-5.1-01, 7296-5.1-02: by the identity, whatever the address that it comes from.

    Two users at one address have a Child SA each; altered is who asks, and then the other's traffic is refused.
    """
    theirs = {"a.example": "10.1.0.0/16", "c.example": "10.3.0.0/16"}
    for who, traffic, found in (
        ("a.example", "10.1.0.0/16", ["10.1.0.0/16"]),
        ("c.example", "10.3.0.0/16", ["10.3.0.0/16"]),
        ("a.example", "10.3.0.0/16", []),
        ("c.example", f"{ADDRESS[A][0]}/32", []),
    ):
        asker = connection(A)
        asked = replace(asker.children[0], local_ts=(addresses.from_text(traffic),))
        asker = replace(asker, local_id=identities.parse(who), children=(asked,))
        givers = []
        for name, subnet in theirs.items():
            policy = connection(B)
            child = replace(policy.children[0], remote_ts=(addresses.from_text(subnet),))
            givers.append(replace(policy, name=name, remote_id=identities.parse(name), children=(child,)))
        ends = Pair(1, connections={A: asker, B: givers[0]})
        ends.ends[B].environment = ends.ends[B].environment._replace(connections=tuple(givers))
        ends.establish()
        assert [ike.phase for ike in ends.ikes(B)] == [Phase.ESTABLISHED]
        assert [str(ts) for each in ends.children(B) for ts in map(addresses.to_text, each.remote_ts)] == found


def test_5_1_03_a_given_address_is_that_of_its_holder_alone() -> None:
    """The traffic of a Child SA is narrowed to it; altered is who holds it."""
    made = cfg.pair(cfg.asking("ipv4"), cfg.giving(cfg.POOL))
    ((child,), address) = made.children(B), cfg.internal(made, B).packed[0]
    assert [(each.start, each.end) for each in child.remote_ts] == [(address, address)]
    made.initiate(A)
    made.settle()
    assert {each.remote_ts[0].start for each in made.children(B)} == {address, bytes((10, 9, 0, 2))}


# --- Addresses (Section 4) ------------------------------------------------------------------------------------------


def test_4_16_the_first_ike_auth_message_asks_and_is_given_an_address() -> None:
    """7296-4-14, 7296-4-15, 7296-4-16: what is asked for is altered, and so is what is given."""
    for words, kinds in ((("ipv4",), [1]), (("ipv6",), [8]), (("ipv4", "ipv6"), [1, 8])):
        made = cfg.pair(cfg.asking(*words), cfg.giving(cfg.POOL))
        asked, told = cfg.auth(made, response=False), cfg.auth(made, response=True)
        assert asked.message_id == 1
        assert [each.type for each in cfg.configured(asked).attributes] == kinds
        assert [each.type for each in cfg.configured(told).attributes if each.type in (1, 8)] == kinds


def test_3_3_proposals_are_what_is_written() -> None:
    """A twin for the tests of policy: another word is another proposal."""
    one, other = configured().ike_proposals, configured(ike="aes128gcm16-prfsha256-x25519").ike_proposals
    assert all(type(each) is Proposal for each in one)
    assert one != other
