"""What the daemons of the guest and their kernel print is read as it is meant; no root is needed for this."""

from __future__ import annotations

import itertools

import pytest

from tests.interop import kernel, libreswan, openiked, suites

STATES = """src 10.77.0.2 dst 10.77.0.1
\tproto esp spi 0x0a2f3f86 reqid 16389 mode tunnel
\treplay-window 0 flag af-unspec
\tauth-trunc hmac(sha1) 0xc127adc5bb29e74b940c1f5fcdc4e106f0f8af12 96
\tenc cbc(aes) 0xab620c9b90777709ce13e159a8c39555
\tencap type espinudp sport 4500 dport 20001 addr 0.0.0.0
\tdir out
src 10.77.0.1 dst 10.77.0.2
\tproto esp spi 0x901f8d76 reqid 16389 mode tunnel
\tauth-trunc hmac(sha1) 0xbb80af1c817d95dc8c35f7f011bd507c98d6f1f2 96
\tenc cbc(aes) 0x0ecada6b79d9cfd344bed4988b6a4a96
\tdir in
src 10.77.0.1 dst 10.77.0.2
\tproto esp spi 0x084db3fd reqid 0 mode transport
\treplay-window 0
"""
POLICIES = """src 10.2.1.0/24 dst 10.1.1.0/24 proto tcp sport 80
\tdir out priority 1757393 ptype main
\ttmpl src 10.77.0.2 dst 10.77.0.1
\t\tproto esp reqid 16389 mode tunnel
src 10.1.1.0/24 dst 10.2.1.0/24
\tdir in priority 1757393 ptype main
\ttmpl src 10.77.0.1 dst 10.77.0.2
\t\tproto esp reqid 16389 mode tunnel
src ::/0 dst ::/0
\tsocket out priority 0 ptype main
"""
PLUTO = """Nov 23: |    initiator SPI: 15 6e 64 8a  e6 c3 90 99
Nov 23: |    responder SPI: 11 04 5e ba  d9 c6 83 68
Nov 23: | parent state #1: IKE_AUTH_R(open) => ESTABLISHED_IKE_SA(established IKE SA)
Nov 23: "first" #4: initiating rekey to replace IKE SA #1 using IKE SA #1
Nov 23: | our spi: fc 39 de bc  f0 9d e8 1e
Nov 23: "first" #4: sent CREATE_CHILD_SA request to rekey IKE SA #1 (using IKE SA #1)
Nov 23: "first" #5: proposal 1:IKE=AES_GCM_16_256-HMAC_SHA2_256-CURVE25519 SPI=2b40dce76c6edda4 chosen from remote proposals 1
Nov 23: | accepted IKE proposal ikev2_proposal: 1:IKE=AES_GCM_16_256-HMAC_SHA2_256-CURVE25519 SPI=2b40dce76c6edda4
Nov 23: | #4.st_v2_transition REKEY_IKE_I1 (initiate rekey IKE_SA) -> ESTABLISHED_IKE_SA (process rekey IKE SA response)
Nov 23: | accepted IKE proposal ikev2_proposal: 1:IKE=AES_GCM_16_256-HMAC_SHA2_256-CURVE25519 SPI=1cd990b63e299563
Nov 23: | our spi: b1 2b e8 be  d7 7a 83 57
Nov 23: | parent state #5: REKEY_IKE_R0(open IKE SA) => ESTABLISHED_IKE_SA(established IKE SA)
Nov 23: | parent state #4: REKEY_IKE_I1(open Child SA) => ESTABLISHED_IKE_SA(established IKE SA)
"""  # noqa: E501
PLUTO_STATES = """#1: "first":500 ESTABLISHED_IKE_SA (established IKE SA); EXPIRE in 28797s; newest; idle;
#2: "first":500 ESTABLISHED_CHILD_SA (established Child SA); EXPIRE in 28797s; eroute owner; IKE SA #1; idle;
#2: "first" esp.3eafe5ea@10.77.0.1 esp.5446673@10.77.0.2 tun.0@10.77.0.1 tun.0@10.77.0.2 Traffic: ESPin=0B
"""
IKED = """iked_sas: 0x56 rspi 0x5fbaa3b83201470c ispi 0xec10c1d90853d44 10.77.0.2:500->10.77.0.1:500<FQDN/a>[] ESTABLISHED r nexti
  sa_childsas: 0x2d60 ESP 0x901f8d76 in 10.77.0.1:500 -> 10.77.0.2:500 (LA) B=(nil) P=0x4a80 @0x56
  sa_childsas: 0x4a80 ESP 0x0a2f3f86 out 10.77.0.2:500 -> 10.77.0.1:500 (L) B=(nil) P=0x2d60 @0x56
"""  # noqa: E501


def test_the_kernel_s_halves_have_their_suite_and_keys() -> None:
    halves = kernel.halves(STATES + POLICIES)
    assert set(halves) == {"0a2f3f86", "901f8d76"}, "what has no key yet is left out"
    half = halves["0a2f3f86"]
    assert (half.mode, half.suite, half.encapsulated) == ("TUNNEL", "AES_CBC-128/HMAC_SHA1_96", (4500, 20001))
    assert half.key.hex() == "ab620c9b90777709ce13e159a8c39555"


def test_a_child_sa_is_whole_only_where_the_kernel_has_both_halves() -> None:
    halves, policies = kernel.halves(STATES + POLICIES), kernel.outbound_policies(STATES + POLICIES)
    child = kernel.child_listing("901f8d76", "0a2f3f86", "CURVE_25519", halves, policies)
    assert child.state == "INSTALLED"
    assert child.suite == "AES_CBC-128/HMAC_SHA1_96/CURVE_25519"
    assert (child.local_ts, child.remote_ts) == (frozenset({"10.2.1.0/24[tcp/80]"}), frozenset({"10.1.1.0/24[tcp]"}))
    for missing in ("0a2f3f86", "901f8d76"):
        fewer = {spi: half for spi, half in halves.items() if spi != missing}
        assert kernel.child_listing("901f8d76", "0a2f3f86", "", fewer, policies).state != "INSTALLED"


def test_libreswan_s_spis_are_those_of_headers_and_proposals() -> None:
    assert libreswan._ike_spis(PLUTO) == {
        "1": ("156e648ae6c39099", "11045ebad9c68368", False),
        "4": ("fc39debcf09de81e", "1cd990b63e299563", True),
        "5": ("2b40dce76c6edda4", "b12be8bed77a8357", False),
    }


@pytest.mark.parametrize("mark", [".", ":"], ids=["IPv4", "IPv6"])
def test_libreswan_s_child_sas_are_those_of_the_ike_sa(mark: str) -> None:
    states = PLUTO_STATES.replace("esp.", f"esp{mark}")
    assert libreswan._children(states, "1") == [("05446673", "3eafe5ea")]
    assert libreswan._children(states, "3") == []


def test_openiked_s_halves_are_paired_by_its_addresses() -> None:
    (ike,) = openiked._LISTED.finditer(IKED)
    assert (ike["spi_i"], ike["spi_r"], ike["role"]) == ("ec10c1d90853d44", "5fbaa3b83201470c", "r")
    assert openiked._pairs(ike["rest"]) == [("901f8d76", "0a2f3f86")]


@pytest.mark.parametrize("seed", [3, 7])
def test_every_two_transforms_meet_in_the_suites(seed: int) -> None:
    found = suites.pairwise(seed)
    met = {pair for ike, _ in found for pair in itertools.permutations(ike.split("-"), 2)}
    for ciphers in (suites.AEAD, suites.CIPHERS):
        assert set(itertools.product(ciphers, suites.PRFS)) <= met
        assert set(itertools.product(ciphers, suites.GROUPS)) <= met
    assert set(itertools.product(suites.INTEGRITY, suites.PRFS + suites.GROUPS)) <= met
    assert len(found) < 500, "of 16,000"
