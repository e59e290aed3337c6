"""ikeref with strongSwan: after each step both list the same SAs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import pytest

from ikeref.sa import Install, NewKeys
from tests.interop import scenarios, suites
from tests.interop.started import EVERYTHING, SEED, Start

COOKIES = {"cookie_threshold": 1}
THEIR_COOKIES = ("cookie_threshold = 1",)
"""Demand a COOKIE from the first half-open IKE SA on: ikeref and strongSwan."""

SUITES = (
    ("aes128-sha1-modp2048", "aes128-sha1"),
    ("aes128-sha256-modp3072", "aes128-sha256-modp3072"),
    ("aes192-sha384-ecp384", "aes192-sha384-ecp384"),
    ("aes256-sha512-ecp521", "aes256-sha512-ecp521"),
    ("aes128-aesxcbc-modp1536", "aes128-aesxcbc"),
    ("aes128-aescmac-x25519", "aes128-aescmac-x25519"),
    ("aes128ctr-sha256-ecp256", "aes128ctr-sha256"),
    ("aes256ccm16-prfsha512-x448", "aes256ccm16-x448"),
    ("aes128ccm8-prfsha256-ecp256bp", "aes128ccm8-ecp256bp"),
    ("aes128gcm8-prfsha1-ecp384bp", "aes128gcm8"),
    ("aes192gcm12-prfsha384-ecp512bp", "aes192gcm12-ecp512bp"),
    ("chacha20poly1305-prfsha256-x25519", "chacha20poly1305-x25519"),
    ("3des-sha1-modp1024", "3des-sha1"),
    ("aes256gcm16-prfaescmac-modp4096", "aes256gcm16-modp4096"),
)
"""Proposals of the IKE SA and of Child SAs, so that each transform has its turn."""

ROLES = pytest.mark.parametrize("initiator", ["ours", "theirs"])
AUTHS = pytest.mark.parametrize("auth", ["psk", "ecdsa"])
NETWORKS = pytest.mark.parametrize("loss", [0.0, pytest.param(0.2, marks=pytest.mark.slow)], ids=["all", "lossy"])


@pytest.mark.root
@ROLES
@AUTHS
@NETWORKS
def test_a_whole_life_from_both_ends(loss: float, auth: str, initiator: str, start: Start) -> None:
    scene = start(auth, loss=loss).scene
    scenarios.whole_life(scene, initiator)
    assert (scene.bridge.lost("ours") > 0) == (loss > 0)
    assert (scene.bridge.lost("theirs") > 0) == (loss > 0)


@pytest.mark.root
@ROLES
@AUTHS
@NETWORKS
def test_s2_6_a_cookie_is_demanded_and_returned(loss: float, auth: str, initiator: str, start: Start) -> None:
    scene = start(auth, loss=loss, settings=COOKIES, lines=THEIR_COOKIES).scene
    scenarios.cookie_demanded(scene, initiator)


@pytest.mark.root
@ROLES
@AUTHS
@NETWORKS
def test_s1_2_the_wrong_group_is_corrected(loss: float, auth: str, initiator: str, start: Start) -> None:
    ours, theirs = _wrong_group_first(initiator)
    scene = start(auth, loss=loss, ours=ours, theirs=theirs).scene
    scenarios.group_corrected(scene, initiator, wrong=31, right=19)


@pytest.mark.root
@ROLES
@AUTHS
@NETWORKS
def test_s2_6_1_a_cookie_and_the_wrong_group(loss: float, auth: str, initiator: str, start: Start) -> None:
    ours, theirs = _wrong_group_first(initiator)
    scene = start(auth, loss=loss, ours=ours, theirs=theirs, settings=COOKIES, lines=THEIR_COOKIES).scene
    ike = scenarios.cookie_demanded(scene, initiator)
    assert ike.suite.endswith("ECP_256")


def _wrong_group_first(initiator: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What ours and theirs are told, so that the initiator begins with a group that the responder has not."""
    both = {"proposals": "aes256gcm16-prfsha256-x25519-ecp256", "child_proposals": "aes256gcm16-x25519-ecp256"}
    one = {"proposals": "aes256gcm16-prfsha256-ecp256", "child_proposals": "aes256gcm16-ecp256"}
    return (both, one) if initiator == "ours" else (one, both)


@pytest.mark.root
@ROLES
@AUTHS
@NETWORKS
def test_s2_4_each_end_asks_whether_the_other_lives(loss: float, auth: str, initiator: str, start: Start) -> None:
    scene, ikeref, _ = start(auth, loss=loss, theirs={"settings": ("dpd_delay = 1",)})
    scenarios.establish(scene, initiator)
    ikeref.liveness()
    scenarios.asked_whether_alive(scene, "ours")
    scenarios.asked_whether_alive(scene, "theirs")


@pytest.mark.root
@ROLES
def test_s2_4_silence_ends_all_at_both_ends(initiator: str, start: Start) -> None:
    scene, ikeref, _ = start(theirs={"settings": ("dpd_delay = 1",)}, tries=3)
    scenarios.establish(scene, initiator)
    scene.bridge.loss = 1.0
    ikeref.liveness()
    scenarios.given_up(scene)


@pytest.mark.root
@ROLES
@pytest.mark.parametrize(("ike", "esp"), SUITES)
def test_a_short_life_with_each_transform(ike: str, esp: str, initiator: str, start: Start) -> None:
    both = {"proposals": ike, "child_proposals": esp}
    scenarios.short_life(start(ours=both, theirs=both).scene, initiator)


@pytest.mark.root
@pytest.mark.whole
@pytest.mark.parametrize(("ike", "esp"), suites.pairwise(SEED) if EVERYTHING else [])
def test_a_short_life_with_each_pair_of_transforms(ike: str, esp: str, start: Start) -> None:
    both = {"proposals": ike, "child_proposals": esp}
    scenarios.short_life(start(ours=both, theirs=both).scene, "ours")


@pytest.mark.root
@pytest.mark.parametrize("other", ["chacha20poly1305-prfsha256-x25519", "aes128-sha256-modp2048"])
def test_s1_3_2_a_rekey_changes_the_suite_of_the_ike_sa(other: str, start: Start) -> None:
    one = "aes256gcm16-prfsha256-x25519"
    scene = start(ours={"proposals": f"{one}, {other}"}, theirs={"proposals": f"{other}, {one}"}).scene
    scenarios.suite_changed_by_rekeys(scene)


@pytest.mark.root
def test_s2_14_and_s2_17_both_ends_have_the_same_keys(start: Start) -> None:
    scene, ikeref, strongswan = start(secrets=True)
    scenarios.whole_life(scene, "ours")
    ike = [event.keys for event in ikeref.events if isinstance(event, NewKeys)]
    assert [keys.sk_d for keys in ike] == strongswan.logged("Sk_d secret")
    assert [keys.sk_ei for keys in ike] == strongswan.logged("Sk_ei secret")
    assert [keys.sk_er for keys in ike] == strongswan.logged("Sk_er secret")
    child = [event.child.keys for event in ikeref.events if isinstance(event, Install) and event.inbound]
    assert len(child) > len(ike)
    assert [keys.encr_i for keys in child if keys] == strongswan.logged("encryption initiator key")
    assert [keys.encr_r for keys in child if keys] == strongswan.logged("encryption responder key")


@pytest.mark.root
@ROLES
def test_s2_18_when_a_rekey_changes_the_prf_strongswan_departs_from_the_rfc(initiator: str, start: Start) -> None:
    """SKEYSEED is by the old PRF, at both ends. Then the keys are by the new one: at ours; at theirs still by the old.

    So no message passes on the new IKE SA. Both ends log what they derived; it is recomputed here from what strongSwan
    logged. When strongSwan no longer departs, this fails, and becomes a scenario like the others.
    """
    first, second = ("sha256", "sha384") if initiator == "ours" else ("sha384", "sha256")
    prfs = {each: f"aes256gcm16-prf{each}-x25519" for each in (first, second)}
    scene, ikeref, strongswan = start(
        ours={"proposals": f"{prfs['sha256']}, {prfs['sha384']}"},
        theirs={"proposals": f"{prfs['sha384']}, {prfs['sha256']}"},
        secrets=True,
    )
    scenarios.establish(scene, "theirs" if initiator == "ours" else "ours")
    ike = scenarios.rekey_ike(scene, initiator, children=1)
    assert f"PRF_HMAC_SHA2_{second.removeprefix('sha')}" in ike.suite

    before, after = (event.keys for event in ikeref.events if isinstance(event, NewKeys))
    skeyseed, nonces = strongswan.logged("SKEYSEED")[-1], strongswan.logged("nonces")[-1]
    secret = strongswan.logged("key exchange secret")[-1]
    assert skeyseed == hmac.digest(before.sk_d, secret + nonces, first)
    seed = nonces + bytes.fromhex(ike.spi_i + ike.spi_r)
    size = len(after.sk_d)
    assert size == hashlib.new(second).digest_size
    assert after.sk_d == _prf_plus(second, skeyseed, seed, size)
    assert strongswan.logged("Sk_d secret")[-1] == _prf_plus(first, skeyseed, seed, size)


def _prf_plus(algorithm: str, key: bytes, seed: bytes, size: int) -> bytes:
    """prf+ of Section 2.13, written apart from ikeref.crypto."""
    stream = block = b""
    while len(stream) < size:
        block = hmac.digest(
            key, block + seed + bytes((len(stream) // hashlib.new(algorithm).digest_size + 1,)), algorithm
        )
        stream += block
    return stream[:size]
