"""Traffic selectors and options of Child SAs between two ends (Sections 1.3.1, 2.9, 2.9.1, 2.9.2, 2.22)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ADDRESS, ENDS, A, B, Initiate, Pair, connection

from ikeref import sa
from ikeref.policy import addresses, proposals, selectors
from ikeref.policy.connections import ChildConfig
from ikeref.registry import IpcompTransform, NotifyType, ProtocolId
from ikeref.sa import negotiation, options, retry
from ikeref.sa.options import Ipcomp, Options
from ikeref.wire import Message, N, TrafficSelector, TSi, TSr

Selectors = tuple[TrafficSelector, ...]

DEFLATE, LZS = IpcompTransform.DEFLATE, IpcompTransform.LZS


def ts(text: str) -> Selectors:
    return tuple(addresses.from_text(part) for part in text.split())


def child(local: str, remote: str, **more: Any) -> ChildConfig:
    return ChildConfig(more.pop("name", "net"), local_ts=ts(local), remote_ts=ts(remote), **more)


def pair(asker: ChildConfig, *givers: ChildConfig, packet: str = "") -> Pair:
    """A asks in IKE_AUTH for the first Child SA, perhaps for a packet: source and destination."""
    policies = {A: replace(connection(A), children=(asker,)), B: replace(connection(B), children=givers)}
    made = Pair(5, connections=policies, watch=Judge())
    if packet:
        _, outputs = made.ends[A].initiate(policies[A], sa.Path(ADDRESS[A], ADDRESS[B]), made.now, ts(packet))
        made._step(A, Initiate(), lambda: outputs)
    else:
        made.initiate(A)
    made.settle()
    return made


def agreed(made: Pair) -> list[str]:
    """The selectors of each Child SA as A sees them, after B was asked whether it sees the same."""
    ours, theirs = made.children(A), made.children(B)
    assert [(each.local_ts, each.remote_ts) for each in ours] == [(each.remote_ts, each.local_ts) for each in theirs]
    return [f"{words(each.local_ts)} === {words(each.remote_ts)}" for each in ours]


def words(found: Selectors) -> str:
    return " ".join(selectors.to_text(each) for each in found)


def sent(made: Pair, end: str, *, response: bool) -> list[Message]:
    found = []
    for record in made.records:
        for output in record.outputs:
            message = output.message if type(output) is sa.Transmit else None
            if record.end == end and message is not None and message.is_response is response:
                found.append(message)
    return found


def notified(messages: list[Message]) -> list[int]:
    return [payload.type for message in messages for payload in message.payloads if type(payload) is N]


def offered(message: Message) -> str:
    (tsi,) = (each for each in message.payloads if type(each) is TSi)
    (tsr,) = (each for each in message.payloads if type(each) is TSr)
    return f"{words(tsi.selectors)} === {words(tsr.selectors)}"


# --- Narrowing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        # 7296-2.9-04, 7296-2.9-10: all of it
        ("10.1.0.0/16 === 10.2.0.0/16", "10.1.0.0/16 === 10.2.0.0/16", "10.1.0.0/16 === 10.2.0.0/16"),
        # 7296-2.9-05: a part of it
        ("10.1.0.0/16 === 10.0.0.0/8", "10.0.0.0/8 === 10.2.3.0/24", "10.1.0.0/16 === 10.2.3.0/24"),
        # policies that overlap in part, in both
        ("10.1.0.0-10.1.0.99 === 10.2.0.0/24", "10.1.0.50-10.1.1.9 === 10.2.0.128/25",
         "10.1.0.50-10.1.0.99 === 10.2.0.128/25"),
        # several ranges on each side, 7296-2.23.1-03, 7296-3.13-07
        ("10.1.1.0/24 10.1.2.0/24 === 10.2.1.0/24 10.2.2.0/24", "10.1.2.0/24 10.1.3.0/24 === 10.2.0.0/16",
         "10.1.2.0/24 === 10.2.1.0/24 10.2.2.0/24"),
        # protocols and ports, 7296-3.13.1-02, 7296-3.13.1-08
        ("10.1.0.0/16[tcp] === 10.2.0.0/16[tcp/80-443]", "10.1.0.0/16 === 10.2.0.0/16[tcp/443-8443]",
         "10.1.0.0/16[tcp] === 10.2.0.0/16[tcp/443]"),
        # ICMP type and code, 7296-3.13.1-05, 7296-3.13.1-10
        ("10.1.0.0/16[icmp/8] === 10.2.0.0/16[icmp]", "10.1.0.0/16[icmp/8:0] === 10.2.0.0/16[icmp/0-8]",
         "10.1.0.0/16[icmp/8:0] === 10.2.0.0/16[icmp/0:0-8:255]"),
        # OPAQUE, 7296-3.13.1-09
        ("10.1.0.0/16[tcp] === 10.2.0.0/16[tcp]", "10.1.0.0/16[tcp/opaque] === 10.2.0.0/16[tcp/opaque]",
         "10.1.0.0/16[tcp/opaque] === 10.2.0.0/16[tcp/opaque]"),
        # IPv6, 7296-3.13.1-11, and both families in one
        ("2001:db8:1::/64 10.1.0.0/16 === ::/0 0.0.0.0/0", "2001:db8:1::/48 10.1.0.0/16 === 2001:db8:2::/64 10.2.0.1",
         "2001:db8:1::/64 10.1.0.0/16 === 2001:db8:2::/64 10.2.0.1"),
    ],
)  # fmt: skip
def test_s2_9_what_both_allow_is_agreed(ours: str, theirs: str, found: str) -> None:
    """7296-2.9-01, 7296-2.9-02, 7296-2.9-03: also after a rekey by either end (7296-2.9.2-01)."""
    made = pair(child(*ours.split(" === ")), child(*theirs.split(" === ")[::-1]))
    assert agreed(made) == [found]
    assert not any(each in notified(sent(made, B, response=True)) for each in (16386, 34, 38))
    for end in ENDS:
        made.command(end, sa.RekeyChild(made.children(end)[0].spi_in))
        made.settle()
        assert agreed(made) == [found]


def test_s3_13_pairs_of_ports_need_a_child_sa_each() -> None:
    """7296-3.13-08: TSi and TSr cannot say which port goes with which. Altered is policy, to allow all four pairs."""
    asker = child("10.1.0.0/16[tcp/100] 10.1.0.0/16[tcp/200]", "10.2.0.0/16[tcp/300] 10.2.0.0/16[tcp/400]")
    pairs = (("100", "300"), ("200", "400"))
    givers = [child(f"10.2.0.0/16[tcp/{b}]", f"10.1.0.0/16[tcp/{a}]", name=a) for a, b in pairs]
    assert agreed(pair(asker, *givers)) == ["10.1.0.0/16[tcp/100] === 10.2.0.0/16[tcp/300]"]
    (found,) = agreed(pair(asker, child(words(asker.remote_ts), words(asker.local_ts))))
    assert found == f"{words(asker.local_ts)} === {words(asker.remote_ts)}"


@pytest.mark.parametrize("protocol", ["", "[tcp]", "[udp/any]", "[icmp]", "[esp]", "[gre]", "[99]", "[ipv6-mh]"])
def test_s3_13_1_all_ports_are_0_to_65535(protocol: str) -> None:
    """7296-3.13.1-04, 7296-3.13.1-06, 7296-3.13.1-08: as sent, also for protocols without ports; altered is one port,
    where the protocol has any.
    """
    made = pair(child(f"10.1.0.0/16{protocol}", "10.2.0.0/16"), child("10.2.0.0/16", "10.1.0.0/16"))
    payloads = [p for each in sent(made, A, response=False) for p in each.payloads if type(p) is TSi]
    assert [(one.start_port, one.end_port) for p in payloads for one in p.selectors] == [(0, 65535)]
    assert [(one.start_port, one.end_port) for one in ts("10.1.0.0/16[tcp/7]")] == [(7, 7)]


def test_s2_9_nothing_in_common_is_unacceptable() -> None:
    """7296-2.9-09."""
    made = pair(child("10.1.0.0/16", "10.2.0.0/16"), child("10.2.0.0/16", "10.3.0.0/16"))
    assert NotifyType.TS_UNACCEPTABLE in notified(sent(made, B, response=True))
    assert not made.children(A) + made.children(B)
    assert [len(made.ikes(end)) for end in ENDS] == [1, 1]


# --- The packet that asked for it ------------------------------------------------------------------------------------

FIRST = child("10.2.1.0/24", "10.1.1.0/24", name="first")
SECOND = child("10.2.2.0/24", "10.1.2.0/24", name="second")


def check_a_packet_stands_first() -> None:
    """7296-2.9-07, 7296-2.9-08, 7296-2.23.1-04."""
    policies = child("10.1.0.0/16", "10.2.0.0/16"), child("10.2.0.0/16", "10.1.0.0/16")
    made = pair(*policies, packet="10.1.2.3[tcp/4711] 10.2.2.4[tcp/443]")
    asked = "10.1.2.3[tcp/4711] 10.1.0.0/16 === 10.2.2.4[tcp/443] 10.2.0.0/16"
    assert offered(sent(made, A, response=False)[1]) == asked
    assert agreed(made) == ["10.1.0.0/16 === 10.2.0.0/16"]
    assert "10.1.2.3" not in offered(sent(pair(*policies), A, response=False)[1])


def check_the_policy_of_the_packet_is_chosen() -> None:
    """7296-2.9-11: not the first policy that would do, but the one that holds the packet; 7296-2.9-13, 7296-2.9-14."""
    made = pair(child("10.1.0.0/16", "10.2.0.0/16"), FIRST, SECOND, packet="10.1.2.3[tcp/1] 10.2.2.4[tcp/2]")
    assert agreed(made) == ["10.1.2.0/24 === 10.2.2.0/24"]
    assert N(NotifyType.ADDITIONAL_TS_POSSIBLE) in sent(made, B, response=True)[-1].payloads


def check_more_is_said_where_more_is_possible() -> None:
    """7296-2.9-12, 7296-2.9-13: one of two that can't be one; told by the answer, and to the operator."""
    made = pair(child("10.1.0.0/16", "10.2.0.0/16"), FIRST, SECOND)
    assert agreed(made) == ["10.1.1.0/24 === 10.2.1.0/24"]
    assert NotifyType.ADDITIONAL_TS_POSSIBLE in notified(sent(made, B, response=True))
    told = [each.reason for record in made.records for each in record.outputs if type(each) is sa.Audit]
    assert "the peer would accept more of this traffic, in another Child SA (Section 2.9)" in told
    assert NotifyType.ADDITIONAL_TS_POSSIBLE not in notified(sent(pair(FIRST_ASKED, FIRST), B, response=True))


FIRST_ASKED = child("10.1.1.0/24", "10.2.1.0/24")


def check_more_is_not_said_of_what_has_no_suite() -> None:
    other = replace(SECOND, proposals=proposals.parse("sha256", ProtocolId.AH))
    made = pair(child("10.1.0.0/16", "10.2.0.0/16"), FIRST, other)
    assert NotifyType.ADDITIONAL_TS_POSSIBLE not in notified(sent(made, B, response=True))


def check_a_rekey_has_no_packet_in_it() -> None:
    """7296-2.9.2-03, 7296-2.9.2-05."""
    policies = child("10.1.0.0/16", "10.2.0.0/16"), child("10.2.0.0/16", "10.1.0.0/16")
    made = pair(*policies, packet="10.1.2.3[tcp/4711] 10.2.2.4[tcp/443]")
    made.command(A, sa.RekeyChild(made.children(A)[0].spi_in))
    made.settle()
    assert "10.1.0.0/16 === 10.2.0.0/16" in [offered(each) for each in sent(made, A, response=False)[2:3]]


# --- A Child SA for each pair of addresses ---------------------------------------------------------------------------

PAIRS = child("10.2.0.0/16", "10.1.0.0/16", single_pair=True)


def check_one_pair_is_required_of_who_does_not_say_which() -> None:
    """7296-2.9-15."""
    made = pair(child("10.1.0.0/16", "10.2.0.0/16"), PAIRS)
    assert NotifyType.SINGLE_PAIR_REQUIRED in notified(sent(made, B, response=True))
    assert not made.children(A) + made.children(B)


def check_the_packet_tells_which_pair() -> None:
    """7296-2.9-17: what can be narrowed is not refused."""
    made = pair(child("10.1.0.0/16", "10.2.0.0/16"), PAIRS, packet="10.1.2.3[tcp/4711] 10.2.2.4[tcp/443]")
    assert agreed(made) == ["10.1.2.3 === 10.2.2.4"]
    assert NotifyType.ADDITIONAL_TS_POSSIBLE in notified(sent(made, B, response=True))
    made.command(A, sa.CreateChild("net", packet=ts("10.1.2.5[udp/1] 10.2.2.6[udp/2]")))
    made.settle()
    assert agreed(made)[1:] == ["10.1.2.5 === 10.2.2.6"]
    for end in ENDS:
        made.command(end, sa.RekeyChild(made.children(end)[0].spi_in))
        made.settle()
    assert sorted(agreed(made)) == ["10.1.2.3 === 10.2.2.4", "10.1.2.5 === 10.2.2.6"]


def check_who_wants_one_pair_asks_for_one() -> None:
    asker = child("10.1.0.0/16", "10.2.0.0/16", single_pair=True)
    made = pair(asker, PAIRS, packet="10.1.2.3[tcp/4711] 10.2.2.4[tcp/443]")
    assert agreed(made) == ["10.1.2.3[tcp/4711] === 10.2.2.4[tcp/443]"]


def check_a_refusal_is_heeded_with_one_pair() -> None:
    """7296-2.9-16: in IKE_AUTH and in CREATE_CHILD_SA."""
    with pytest.MonkeyPatch.context() as strict:
        narrow = selectors.narrow_to_pair
        strict.setattr(selectors, "narrow_to_pair", lambda tsi, mine: narrow(tsi, mine) if len(tsi) == 1 else ())
        made = pair(child("10.1.0.0/16", "10.2.0.0/16"), PAIRS, packet="10.1.2.3[tcp/4711] 10.2.2.4[tcp/443]")
        assert agreed(made) == ["10.1.2.3[tcp/4711] === 10.2.2.4[tcp/443]"]
        made.command(A, sa.CreateChild("net", packet=ts("10.1.2.5[udp/1] 10.2.2.6[udp/2]")))
        made.settle()
        assert agreed(made)[1:] == ["10.1.2.5[udp/1] === 10.2.2.6[udp/2]"]
    assert notified(sent(made, B, response=True)).count(NotifyType.SINGLE_PAIR_REQUIRED) == 2


def check_no_packet_is_offered_that_policy_has_not() -> None:
    """7296-2.9.1-01."""
    made = pair(child("10.1.0.0/16", "10.2.0.0/16"), child("10.2.0.0/16", "10.1.0.0/16"))
    made.command(A, sa.CreateChild("net", packet=ts("172.16.0.1 10.2.2.6")))
    made.settle()
    assert len(made.children(A)) == 1
    assert [each.reason for record in made.records for each in record.outputs if type(each) is sa.Failed] == [
        "policy does not let that packet go by this Child SA"
    ]


# --- Options ---------------------------------------------------------------------------------------------------------


def with_options(ours: dict[str, Any], theirs: dict[str, Any], **more: Any) -> Pair:
    return pair(child("10.1.0.0/16", "10.2.0.0/16", **ours), child("10.2.0.0/16", "10.1.0.0/16", **theirs), **more)


def check_fragments_are_for_both_or_for_none() -> None:
    """7296-1.3.1-12, 7296-1.3.1-13."""
    for ours, theirs in ((False, False), (False, True), (True, False), (True, True)):
        made = with_options({"non_first_fragments": ours}, {"non_first_fragments": theirs})
        for end in ENDS:
            assert [each.options.non_first_fragments for each in made.children(end)] == [ours and theirs]
        said = NotifyType.NON_FIRST_FRAGMENTS_ALSO in notified(sent(made, B, response=True))
        assert said == (ours and theirs)


def check_padding_is_agreed_for_each_direction() -> None:
    """7296-1.3.1-10, 7296-1.3.1-11."""
    for ours, theirs in ((False, False), (False, True), (True, False), (True, True)):
        made = with_options({"tfc_padding": ours}, {"tfc_padding": theirs})
        assert [each.options.tfc_padding for each in made.children(A)] == [theirs]
        assert [each.options.tfc_padding for each in made.children(B)] == [ours]


def check_compression_is_one_of_those_offered() -> None:
    """The responder's order decides; it lasts in a rekey.

    7296-2.22-01, 7296-2.22-02, 7296-2.22-03, 7296-2.22-05, 7296-2.22-06, 7296-2.22-07, 7296-2.22-10,
    7296-2.22-11.
    """
    made = with_options({"ipcomp": (LZS, DEFLATE)}, {"ipcomp": (IpcompTransform.LZJH, DEFLATE, LZS)})
    for end in (None, *ENDS):
        if end is not None:
            made.command(end, sa.RekeyChild(made.children(end)[0].spi_in))
            made.settle()
        ((ours,), (theirs,)) = (made.children(each) for each in ENDS)
        agreed_on = LZS if end == B else DEFLATE
        assert ours.options.ipcomp == Ipcomp(agreed_on, options.cpi(ours.spi_in), options.cpi(theirs.spi_in))
        assert theirs.options.ipcomp == Ipcomp(agreed_on, options.cpi(theirs.spi_in), options.cpi(ours.spi_in))
    asked = [each for each in sent(made, A, response=False)[1].payloads if type(each) is N]
    cpi = options.cpi(sent_spi(made)).to_bytes(2)
    assert asked == [N(NotifyType.IPCOMP_SUPPORTED, cpi + bytes((each,))) for each in (LZS, DEFLATE)]
    assert with_options({"ipcomp": (LZS,)}, {}).children(A)[0].options == Options()
    assert with_options({}, {"ipcomp": (LZS,)}).children(B)[0].options == Options()
    assert with_options({"ipcomp": (LZS,)}, {"ipcomp": (DEFLATE,)}).children(B)[0].options == Options()


def sent_spi(made: Pair) -> bytes:
    first = next(each for record in made.records for each in record.outputs if type(each) is sa.Install)
    return first.child.spi_in if first.child.initiator else first.child.spi_out


@pytest.mark.parametrize("answered", [(LZS,), (DEFLATE, LZS)])
def test_s2_22_compression_that_was_not_offered_or_twofold_is_not_accepted(
    answered: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """7296-2.22-06, 7296-2.22-08, 7296-2.22-09: the Child SA is deleted."""
    ours: dict[str, Any] = {"ipcomp": (DEFLATE,)}
    if len(answered) > 1:
        ours = {"ipcomp": (DEFLATE, LZS)}
    said = tuple(N(NotifyType.IPCOMP_SUPPORTED, b"\x10\x00" + bytes((each,))) for each in answered)
    monkeypatch.setattr(options, "grant", lambda *_: (Options(), said))
    made = with_options(ours, {})
    assert not made.children(A) + made.children(B)
    assert [len(made.ikes(end)) for end in ENDS] == [1, 1]


def test_s2_22_attributes_behind_the_transform_id_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-2.22-05: a CPI of two octets, a transform ID of one, and what that transform may want besides.

    7296-2.22-07: the numbers as the RFC lists them.
    """
    for transform, word in ((1, "OUI"), (2, "DEFLATE"), (3, "LZS"), (4, "LZJH")):
        policy = {"ipcomp": (IpcompTransform[word],)}
        assert asked_for_compression(with_options(policy, {})) == [transform]
        said = (N(NotifyType.IPCOMP_SUPPORTED, b"\x10\x01" + bytes((transform,)) + b"attributes"),)
        with monkeypatch.context() as patch:
            patch.setattr(options, "ask", lambda *_, said=said: said)
            (found,) = with_options(policy, policy).children(B)
        assert found.options.ipcomp == Ipcomp(transform, options.cpi(found.spi_in), 0x1001)


def asked_for_compression(made: Pair) -> list[int]:
    """The transform IDs that A offers."""
    payloads = sent(made, A, response=False)[1].payloads
    return [p.data[2] for p in payloads if type(p) is N and p.type == NotifyType.IPCOMP_SUPPORTED]


@pytest.mark.parametrize("suite", ["aes128gcm16", "aes256-sha256"])
def test_s2_22_compression_goes_with_every_suite_of_the_offer(suite: str) -> None:
    """7296-2.22-11: it is offered once for all of them, and agreed on whichever is chosen."""
    offer = proposals.parse("aes128gcm16, aes256-sha256", ProtocolId.ESP)
    assert len(offer) == 2
    ours = {"ipcomp": (DEFLATE,), "proposals": offer}
    made = with_options(ours, {"ipcomp": (DEFLATE,), "proposals": proposals.parse(suite, ProtocolId.ESP)})
    assert asked_for_compression(made) == [DEFLATE]
    for end in ENDS:
        (found,) = made.children(end)
        assert found.options.ipcomp is not None
        assert found.options.ipcomp.transform == DEFLATE


def test_s2_22_a_notification_too_short_is_no_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    short = (N(NotifyType.IPCOMP_SUPPORTED, b"\x10\x00"),)
    monkeypatch.setattr(options, "ask", lambda *_: short)
    made = with_options({}, {"ipcomp": (DEFLATE,)})
    assert [each.options for each in (*made.children(A), *made.children(B))] == [Options()] * 2


@pytest.mark.parametrize("protocol", ["esp", "ah"])
@pytest.mark.parametrize(("ours", "theirs", "esn"), [("esn-noesn", "esn", 1), ("noesn", "noesn-esn", 0)])
def test_s3_3_2_esn_and_ah_are_agreed_and_rekeyed(protocol: str, ours: str, theirs: str, esn: int) -> None:
    number = ProtocolId.ESP if protocol == "esp" else ProtocolId.AH
    base = "aes128-sha256" if protocol == "esp" else "sha256"
    asker, giver = (proposals.parse(f"{base}-{each}", number) for each in (ours, theirs))
    made = with_options({"proposals": asker}, {"proposals": giver})
    for end in ENDS:
        made.command(end, sa.RekeyChild(made.children(end)[0].spi_in))
        made.settle()
        for each in (*made.children(A), *made.children(B)):
            assert (each.protocol_id, each.suite.esn) == (number, esn)
    made.command(A, sa.DeleteChild(made.children(A)[0].spi_in))
    made.settle()
    assert not made.children(A) + made.children(B)


def test_s3_6_hash_and_url_is_not_announced() -> None:
    made = with_options({}, {})
    said = notified([*sent(made, A, response=False), *sent(made, B, response=True)])
    assert NotifyType.HTTP_CERT_LOOKUP_SUPPORTED not in said


# --- All of these, and the faults that they find ---------------------------------------------------------------------

CHECKS: tuple[Callable[[], None], ...] = (
    check_a_packet_stands_first,
    check_the_policy_of_the_packet_is_chosen,
    check_more_is_said_where_more_is_possible,
    check_more_is_not_said_of_what_has_no_suite,
    check_a_rekey_has_no_packet_in_it,
    check_one_pair_is_required_of_who_does_not_say_which,
    check_the_packet_tells_which_pair,
    check_who_wants_one_pair_asks_for_one,
    check_a_refusal_is_heeded_with_one_pair,
    check_no_packet_is_offered_that_policy_has_not,
    check_fragments_are_for_both_or_for_none,
    check_padding_is_agreed_for_each_direction,
    check_compression_is_one_of_those_offered,
)


@pytest.mark.parametrize("check", CHECKS)
def test_s2_9_and_s1_3_1(check: Callable[[], None]) -> None:
    check()


Patch = pytest.MonkeyPatch


def _put_the_packet_last(patch: Patch) -> None:
    patch.setattr(negotiation, "_first", lambda selector, others: (*others, selector))


def _take_the_first_policy(patch: Patch) -> None:
    patch.setattr(negotiation, "_holds_first", lambda *_: True)


def _never_say_more(patch: Patch) -> None:
    patch.setattr(negotiation, "_more", lambda *_: False)


def _forget_the_suite_of_others(patch: Patch) -> None:
    patch.setattr(negotiation, "_more", lambda *_: True)


def _guess_the_pair(patch: Patch) -> None:
    patch.setattr(selectors, "narrow_to_pair", lambda tsi, mine: selectors.narrow(tsi, mine)[:1])


def _never_narrow_to_a_pair(patch: Patch) -> None:
    patch.setattr(selectors, "narrow_to_pair", lambda *_: ())


def _ignore_that_one_pair_is_required(patch: Patch) -> None:
    patch.setattr(retry, "_ask_for_one_pair", lambda *_: None)


def _offer_any_packet(patch: Patch) -> None:
    patch.setattr(selectors, "is_within", lambda *_: True)


def _claim_fragments(patch: Patch) -> None:
    grant = options.grant

    def mutant(*args: Any) -> Any:
        found, said = grant(*args)
        return found._replace(non_first_fragments=True), said

    patch.setattr(options, "grant", mutant)


def _take_the_others_padding_for_ours(patch: Patch) -> None:
    grant = options.grant

    def mutant(config: ChildConfig, *args: Any) -> Any:
        found, said = grant(config, *args)
        return found._replace(tfc_padding=config.tfc_padding), said

    patch.setattr(options, "grant", mutant)


def _accept_compression_that_was_not_offered(patch: Patch) -> None:
    right = options._offered
    patch.setattr(options, "_offered", lambda payloads: right(payloads) and {2: 1, 3: 1, 4: 1})


@pytest.mark.parametrize(
    ("fault", "finds"),
    [
        (_put_the_packet_last, check_a_packet_stands_first),
        (_take_the_first_policy, check_the_policy_of_the_packet_is_chosen),
        (_never_say_more, check_more_is_said_where_more_is_possible),
        (_forget_the_suite_of_others, check_more_is_not_said_of_what_has_no_suite),
        (_guess_the_pair, check_one_pair_is_required_of_who_does_not_say_which),
        (_never_narrow_to_a_pair, check_the_packet_tells_which_pair),
        (_ignore_that_one_pair_is_required, check_a_refusal_is_heeded_with_one_pair),
        (_offer_any_packet, check_no_packet_is_offered_that_policy_has_not),
        (_claim_fragments, check_fragments_are_for_both_or_for_none),
        (_take_the_others_padding_for_ours, check_padding_is_agreed_for_each_direction),
        (_accept_compression_that_was_not_offered, check_compression_is_one_of_those_offered),
    ],
)
def test_each_seeded_fault_is_found(fault: Callable[[Patch], None], finds: Callable[[], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        with pytest.raises((AssertionError, ValueError)):
            finds()
