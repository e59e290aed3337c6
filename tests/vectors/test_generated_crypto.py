"""Captured IKE SAs of strongSwan and libreswan: every message and every key, recomputed (Sections 2.14 to 2.18).

The keys of `generated/*/*.keys.json` were logged by the daemons; SKEYSEED, SK_*, KEYMAT and AUTH are computed here from
what stands on the wire and g^ir alone.
"""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from ikeref import wire
from ikeref.crypto import Suite
from ikeref.crypto.auth import shared_key_auth, signed_octets, verify, verify_shared_key
from ikeref.crypto.certificates import load_certificates, to_der, validate
from ikeref.crypto.envelope import protect, unprotect
from ikeref.crypto.macs import hmac_sha1
from ikeref.crypto.real import RealCrypto
from ikeref.crypto.schedule import ike_keys, mix_ppk, skeyseed, skeyseed_rekey
from ikeref.errors import AuthenticationFailed, Dropped, LocalProtocolError
from ikeref.registry import AuthMethod, Encr, ExchangeType, Integ, PayloadType, ProtocolId
from tests.vectors.captured import (
    GENERATED,
    captured_sas,
    directed,
    ike_messages,
    outside,
    scenarios,
)
from tests.vectors.life import (
    REAL,
    Exchange,
    children,
    effective,
    find,
    g_ir_of,
    initial,
    life,
    nonces,
    ppk_secret,
)

PKI = GENERATED / "pki"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
CAPTURES = outside("captures")
INDEX = {entry["name"]: entry for entry in json.loads((GENERATED / "index.json").read_text())}


@pytest.mark.parametrize("name", scenarios())
def test_s3_14_protected_messages_open_and_close_to_the_same_octets(name: str) -> None:
    assert life(name).protected == INDEX[name]["protected"]


@pytest.mark.parametrize("name", scenarios())
def test_s2_14_ike_keys_follow_from_the_wire(name: str) -> None:
    """SKEYSEED and SK_* of initial IKE SAs, and of rekeyed ones as in Section 2.18."""
    computed = set()
    for exchange, sa in initial(name):
        ni, nr = nonces(exchange)
        seed = skeyseed(REAL, sa.suite.prf, ni, nr, g_ir_of(sa.entry))
        assert seed.hex() == sa.entry["skeyseed"]
        spis = (exchange.response.spi_i, exchange.response.spi_r)
        assert ike_keys(REAL, sa.suite, seed, ni, nr, *spis) == sa.keys
        if "ppk" in sa.entry:
            assert mix_ppk(REAL, sa.suite.prf, sa.keys, ppk_secret(name)) == effective(sa)
        computed.add(spis)
    for exchange in life(name).exchanges:
        rekeyed = ike_rekey_spis(exchange)
        if rekeyed is None or rekeyed not in life(name).sas:
            continue
        new = life(name).sas[rekeyed]
        old = life(name).sas[exchange.request.spi_i, exchange.request.spi_r]
        ni, nr = nonces(exchange)
        seed = skeyseed_rekey(REAL, old.suite.prf, effective(old).sk_d, g_ir_of(new.entry), ni, nr)
        assert seed.hex() == new.entry["skeyseed"]
        assert ike_keys(REAL, new.suite, seed, ni, nr, *rekeyed) == new.keys
        computed.add(rekeyed)
    assert computed == {spis for spis in life(name).sas if all(spis)}


def ike_rekey_spis(exchange: Exchange) -> tuple[bytes, bytes] | None:
    """SPIi and SPIr of the IKE SA that a CREATE_CHILD_SA exchange made, if it made one."""
    if exchange.request.exchange_type != ExchangeType.CREATE_CHILD_SA:
        return None
    offered, chosen = find(exchange.request.payloads, wire.SA), find(exchange.response.payloads, wire.SA)
    if chosen is None or chosen.proposals[0].protocol_id != ProtocolId.IKE:
        return None
    offer = next(p for p in offered.proposals if p.number == chosen.proposals[0].number)
    return offer.spi, chosen.proposals[0].spi


@pytest.mark.parametrize("name", scenarios())
def test_s2_17_child_keys_follow_from_the_wire(name: str) -> None:
    for child in children(name):
        assert child.seed.hex() == child.entry["seed"]
        assert {field: getattr(child.keys, field).hex() for field in child.keys._fields} == {
            field: child.entry.get(field, "") for field in child.keys._fields
        }


class Proof(NamedTuple):
    """An AUTH payload, and what it should be over."""

    method: int
    data: bytes
    octets: bytes
    chain: tuple[bytes, ...]
    identity: Any
    prf: int


def proofs(name: str) -> list[Proof]:
    """All AUTH payloads of a scenario."""
    found = []
    for first, sa in initial(name):
        ni, nr = nonces(first)
        keys = effective(sa)
        identities: dict[bool, Any] = {}
        chains: dict[bool, tuple[bytes, ...]] = {}
        for exchange in life(name).exchanges:
            if (exchange.request.spi_i, exchange.request.spi_r) != (first.response.spi_i, first.response.spi_r):
                continue
            if exchange.request.exchange_type != ExchangeType.IKE_AUTH:
                continue
            for by_initiator, message in ((True, exchange.request), (False, exchange.response)):
                kind = wire.IDi if by_initiator else wire.IDr
                identities[by_initiator] = find(message.payloads, kind) or identities.get(by_initiator)
                certificates = tuple(p.data for p in message.payloads if isinstance(p, wire.CERT) and p.encoding == 4)
                chains[by_initiator] = certificates or chains.get(by_initiator, ())
                auth = find(message.payloads, wire.AUTH)
                if auth is None:
                    continue
                identity = identities[by_initiator]
                octets = signed_octets(
                    REAL,
                    sa.suite.prf,
                    first.request_octets if by_initiator else first.response_octets,
                    nr if by_initiator else ni,
                    keys.sk_pi if by_initiator else keys.sk_pr,
                    wire.encode_payloads((identity,))[4:],
                )
                found.append(Proof(auth.method, auth.data, octets, chains[by_initiator], identity, sa.suite.prf))
    return found


def shared_secrets(name: str) -> set[bytes]:
    """The pre-shared keys of both ends; they differ where authentication is to fail."""
    configurations = json.loads((GENERATED / name / "scenario.json").read_text())
    told = set((configurations["psk"] or {}).values())
    for text in configurations["swanctl"].values():
        told.update(re.findall(r'secret = "([^"]+)"', text))
    return {secret.encode() for secret in told}


# The responder of this scenario has no PPK and looks at NO_PPK_AUTH instead (RFC 8784 section 3).
WITH_NO_PPK_AUTH = "ppk-no-ppk-auth"


def has_eap(name: str) -> bool:
    return any(
        isinstance(payload, wire.EAP)
        for exchange in life(name).exchanges
        for payload in (*exchange.request.payloads, *exchange.response.payloads)
    )


@pytest.mark.parametrize("name", scenarios())
def test_s2_15_shared_key_auth_is_recomputed(name: str) -> None:
    for proof in proofs(name):
        # With EAP the shared secret is the MSK (Section 2.16), which no file tells.
        if proof.method != AuthMethod.SHARED_KEY or has_eap(name):
            continue
        secrets = shared_secrets(name)
        expected = {shared_key_auth(REAL, proof.prf, secret, proof.octets) for secret in secrets}
        if name != WITH_NO_PPK_AUTH:
            assert proof.data in expected
        for secret in secrets:
            with pytest.raises(AuthenticationFailed):
                verify_shared_key(REAL, proof.prf, secret + b"x", proof.octets, proof.data)


def anchors() -> list[Any]:
    return [load_certificates((PKI / f"{ca}.crt").read_bytes())[0] for ca in ("rootrsa", "rootec", "rooted")]


@pytest.mark.parametrize("name", scenarios())
def test_s2_15_signatures_are_verified(name: str) -> None:
    for proof in proofs(name):
        if proof.method == AuthMethod.SHARED_KEY:
            continue
        intermediate = to_der(load_certificates((PKI / "inter.crt").read_bytes())[0])  # which both ends have at hand
        key = validate((*proof.chain, intermediate), anchors(), NOW, proof.identity)
        verify(key, proof.method, proof.data, proof.octets)
        with pytest.raises(AuthenticationFailed):
            verify(key, proof.method, proof.data, proof.octets + b"x")


def test_s2_15_every_method_of_the_scenarios_was_seen() -> None:
    """Nothing above passed for want of AUTH payloads."""
    methods = Counter(AuthMethod(proof.method).name for name in scenarios() for proof in proofs(name))
    assert methods["SHARED_KEY"] >= 80
    assert methods["DIGITAL_SIGNATURE"] >= 10
    assert methods["ECDSA_SHA_384_P_384"] == 2


def test_s3_14_a_changed_octet_is_dropped() -> None:
    """The twin of the test above: wherever a datagram is changed, it does not open."""
    name = "psk-aes256ccm16-sha256-ecp256"
    captured = next(c for c in ike_messages(GENERATED / name / f"{name}.pcap") if c.octets[16] == PayloadType.SK)
    message = wire.decode(captured.octets)
    sa = life(name).sas[message.spi_i, message.spi_r]
    sk_e, sk_a = directed(sa, message)
    for place in (0, 8, 18, 20, *range(32, len(captured.octets), 7), len(captured.octets) - 1):
        changed = bytearray(captured.octets)
        changed[place] ^= 1
        with pytest.raises(Dropped):
            unprotect(REAL, sa.suite, sk_e, sk_a, bytes(changed))


# A suite that we refuse by name, and what names it: first 3DES, and HMAC-MD5 when 3DES is allowed.
UNSUPPORTED = "openswan-lp75-alg-h2hI3-h2hR2"


@pytest.mark.skipif(CAPTURES is None, reason="the captures of other projects are not at hand ($IKEREF_VECTORS)")
def test_s3_14_captures_of_others_open_and_close_to_the_same_octets() -> None:
    assert CAPTURES is not None
    opened = Counter[str]()
    for path in sorted(CAPTURES.glob("*.keys.json")):
        name = path.name.removesuffix(".keys.json")
        sas = captured_sas(path)
        for captured in ike_messages(CAPTURES / f"{name}.pcap"):
            message = wire.decode(captured.octets)
            sa = sas.get((message.spi_i, message.spi_r))
            if not isinstance(message.payloads[-1], wire.SK) or sa is None:
                continue
            sk_e, sk_a = directed(sa, message)
            if name == UNSUPPORTED:
                with pytest.raises(LocalProtocolError, match="3DES is not supported"):
                    unprotect(REAL, sa.suite, sk_e, sk_a, captured.octets)
                with pytest.raises(LocalProtocolError, match="HMAC_MD5_96 is not supported"):
                    unprotect(RealCrypto(legacy=True), sa.suite, sk_e, sk_a, captured.octets)
                opened[name] += 1
                continue
            if not sk_e:
                continue
            result = unprotect(REAL, sa.suite, sk_e, sk_a, captured.octets)
            assert protect(REAL, sa.suite, sk_e, sk_a, result.message, result.iv, result.padding) == captured.octets
            opened[name] += 1
    assert set(opened) == {path.name.removesuffix(".keys.json") for path in CAPTURES.glob("*.keys.json")}


@pytest.mark.skipif(CAPTURES is None, reason="the captures of other projects are not at hand ($IKEREF_VECTORS)")
def test_s3_14_an_icv_that_does_not_cover_the_header_is_dropped() -> None:
    """An early Openswan computed the ICV from the IV on only: with its own keys the message is to be dropped."""
    assert CAPTURES is not None
    secrets = (CAPTURES / "tcpdump-ikev2pI2-secrets.txt").read_text().splitlines()[0].split()
    sk_a, sk_e = (bytes.fromhex(secret.partition("0x")[2]) for secret in secrets[4:])
    suite = Suite(Encr.AES_CBC, 128, 0, Integ.HMAC_SHA1_96, 0)
    octets = ike_messages(CAPTURES / "tcpdump-ikev2pI2.pcap")[1].octets
    assert hmac_sha1(sk_a, octets[32:-12])[:12] == octets[-12:]
    with pytest.raises(Dropped):
        unprotect(REAL, suite, sk_e, sk_a, octets)
    mended = octets[:-12] + hmac_sha1(sk_a, octets[:-12])[:12]
    assert isinstance(unprotect(REAL, suite, sk_e, sk_a, mended).message.payloads[0], wire.IDi)
