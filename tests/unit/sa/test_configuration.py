"""Configuration payloads between two ends (Sections 2.19, 2.20, 3.15): A asks, B has pools."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, A, B, Pair, connection

from ikeref import sa
from ikeref.policy import addresses, attributes, identities, pools, proposals
from ikeref.policy.attributes import Internal
from ikeref.policy.connections import Connection
from ikeref.policy.pools import Pool, range_of
from ikeref.registry import CfgAttribute, CfgType, ExchangeType, NotifyType, ProtocolId
from ikeref.sa import rekey, turn
from ikeref.wire import CP, SA, CfgAttr, Message, N, TSi
from tests.unit.eap import scene as eap

IP4, IP6 = CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS
DNS4, VERSION = CfgAttribute.INTERNAL_IP4_DNS, CfgAttribute.APPLICATION_VERSION
ANY4 = addresses.from_text("0.0.0.0/0")

POOL = Pool(
    "office",
    (range_of("10.9.0.1-10.9.0.3"), range_of("2001:db8:9::/120")),
    (
        attributes.server("dns", "10.2.0.53"),
        attributes.server("dns", "2001:db8::53"),
        attributes.server("nbns", "10.2.0.54"),
        attributes.server("dhcp", "10.2.0.55"),
        attributes.server("netmask", "255.255.255.0"),
        attributes.subnet("10.2.0.0/16"),
        attributes.subnet("2001:db8:2::/64"),
    ),
)


def asking(*words: str) -> Connection:
    """Policy of A, which needs internal addresses for its traffic."""
    policy = connection(A)
    children = tuple(replace(each, local_ts=(), remote_ts=(ANY4,)) for each in policy.children)
    return replace(policy, request=attributes.request(words) if words else (), children=children)


def giving(*given: Pool, **changes: Any) -> Connection:
    """Policy of B, whose peers have their internal addresses and nothing else."""
    policy = connection(B)
    children = tuple(replace(each, local_ts=(ANY4,), remote_ts=()) for each in policy.children)
    return replace(policy, pools=given, children=children, **changes)


def pair(asker: Connection, giver: Connection, *, establish: bool = True) -> Pair:
    """Each step is judged, unless A deletes what it doesn't want of B's answer: that is not in the rows."""
    made = Pair(3, connections={A: asker, B: giver}, watch=Judge())
    if establish:
        made.establish()
        made.settle()
    return made


def message(made: Pair, exchange: int, *, response: bool, end: str | None = None) -> Message:
    """The latest message of that kind, as `end` or either end sent it."""
    for record in reversed(made.records):
        for output in record.outputs:
            found = output.message if type(output) is sa.Transmit else None
            if found is None or found.exchange_type != exchange or end not in (None, record.end):
                continue
            if found.is_response is response:
                return found
    raise AssertionError("there is none")


def auth(made: Pair, *, response: bool) -> Message:
    return message(made, ExchangeType.IKE_AUTH, response=response)


def configured(found: Message) -> CP:
    (payload,) = (each for each in found.payloads if type(each) is CP)
    return payload


def values(payload: CP, kind: int) -> list[bytes]:
    return [each.value for each in payload.attributes if each.type == kind]


def errors(found: Message) -> list[int]:
    return [each.type for each in found.payloads if type(each) is N and each.type < 16384]


def internal(made: Pair, end: str) -> Internal:
    (session,) = made.sessions(end)
    assert session.internal is not None
    return session.internal


def lines(told: Internal) -> list[str]:
    return [attributes.to_text(each) for each in told.attributes]


# --- An address in IKE_AUTH ------------------------------------------------------------------------------------------


def test_s2_19_an_address_is_asked_for_and_given_in_ike_auth() -> None:
    """7296-2.19-01, 7296-2.19-03, 7296-2.19-06: the traffic of the Child SA is that of the address."""
    made = pair(asking("ipv4"), giving(POOL))
    assert configured(auth(made, response=False)) == CP(CfgType.REQUEST, (CfgAttr(IP4),))
    assert internal(made, A).packed == internal(made, B).packed == (bytes((10, 9, 0, 1)),)
    assert internal(made, A).ours
    assert not internal(made, B).ours
    ((ours,), (theirs,)) = made.children(A), made.children(B)
    assert ours.local_ts == theirs.remote_ts == (addresses.host("10.9.0.1"),)
    assert next(each for each in auth(made, response=False).payloads if type(each) is TSi).selectors == (ANY4,)


def test_s2_19_cp_stands_before_sa_in_both_messages() -> None:
    """7296-2.19-04, 7296-2.19-05."""
    made = pair(asking("ipv4"), giving(POOL))
    for response in (False, True):
        kinds = [type(each) for each in auth(made, response=response).payloads]
        assert kinds.index(CP) < kinds.index(SA)


@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_s3_15_1_several_servers_and_subnets_may_be_asked_for_and_any_number_is_told(count: int) -> None:
    """7296-3.15.1-18 to -23, 7296-3.15.1-26, 7296-3.15.1-27, 7296-3.15.1-31, 7296-3.15.1-32."""
    subnets = (CfgAttr(CfgAttribute.INTERNAL_IP4_SUBNET), CfgAttr(CfgAttribute.INTERNAL_IP6_SUBNET))
    asker = asking("ipv4", "ipv6", "dns", "dns", "nbns", "nbns", "dhcp", "dhcp")
    asker = replace(asker, request=(*asker.request, *subnets, *subnets))
    servers = [attributes.server(word, f"10.2.{n}.1") for word in ("dns", "nbns", "dhcp") for n in range(count)]
    networks = [attributes.subnet(f"10.{n}.0.0/16") for n in range(count)]
    networks += [attributes.subnet(f"2001:db8:{n + 1}::/64") for n in range(count)]
    made = pair(asker, giving(replace(POOL, attributes=(*servers, *networks))))
    kinds = [each.type for each in configured(auth(made, response=False)).attributes]
    assert [kinds.count(kind) for kind in (3, 4, 6, 10, 13, 15)] == [2] * 6
    assert configured(auth(made, response=True)).attributes[2:] == (*servers, *networks)
    assert internal(made, A).attributes[2:] == (*servers, *networks)


def test_s3_15_1_what_was_asked_for_is_told_and_subnets_and_netmask_besides() -> None:
    """7296-2.19-07, 7296-2.19-08, 7296-3.15.1-18, 7296-3.15.1-19, 7296-3.15.1-20, 7296-3.15.1-21, 7296-3.15.1-22,
    7296-3.15.1-23, 7296-3.15.1-25, 7296-3.15.1-26, 7296-3.15.1-27, 7296-3.15.1-30, 7296-3.15.1-32,
    7296-3.15.1-35."""
    made = pair(asking("ipv4", "ipv6", "dns", "nbns", "dhcp"), giving(POOL))
    assert lines(internal(made, A)) == [
        "INTERNAL_IP4_ADDRESS 10.9.0.1",
        "INTERNAL_IP6_ADDRESS 2001:db8:9::1/120",
        "INTERNAL_IP4_DNS 10.2.0.53",
        "INTERNAL_IP6_DNS 2001:db8::53",
        "INTERNAL_IP4_NBNS 10.2.0.54",
        "INTERNAL_IP4_DHCP 10.2.0.55",
        "INTERNAL_IP4_NETMASK 255.255.255.0",
        "INTERNAL_IP4_SUBNET 10.2.0.0/255.255.0.0",
        "INTERNAL_IP6_SUBNET 2001:db8:2::/64",
    ]


def test_s3_15_1_nothing_but_subnets_is_told_unasked() -> None:
    """7296-3.15.1-14: no netmask without an IPv4 address."""
    made = pair(asking("ipv6"), giving(POOL))
    assert lines(internal(made, A)) == [
        "INTERNAL_IP6_ADDRESS 2001:db8:9::1/120",
        "INTERNAL_IP4_SUBNET 10.2.0.0/255.255.0.0",
        "INTERNAL_IP6_SUBNET 2001:db8:2::/64",
    ]


def test_s3_15_1_one_netmask_is_told_whatever_pools_there_are() -> None:
    """7296-3.15.1-13."""
    branch = Pool("branch", (range_of("10.8.0.1-10.8.0.3"),), (attributes.server("netmask", "255.255.0.0"),))
    made = pair(asking("ipv4", "netmask"), giving(POOL, branch))
    assert [line for line in lines(internal(made, A)) if "NETMASK" in line] == ["INTERNAL_IP4_NETMASK 255.255.255.0"]


def test_s3_15_1_several_addresses_are_given_to_who_asks_for_several() -> None:
    """7296-3.15.1-05, 7296-3.15.1-09, 7296-3.15.1-10; 7296-3.15.4-06: what there is, if not all."""
    made = pair(replace(asking("ipv4"), request=(CfgAttr(IP4),) * 4), giving(POOL))
    assert internal(made, A).packed == tuple(bytes((10, 9, 0, last)) for last in (1, 2, 3))
    (child,) = made.children(B)
    assert child.remote_ts == tuple(addresses.host(f"10.9.0.{last}") for last in (1, 2, 3))


@pytest.mark.parametrize(("wish", "given"), [("10.9.0.2", "10.9.0.2"), ("10.9.9.9", "10.9.0.1")])
def test_s3_15_1_a_suggested_address_is_given_if_it_can_be(wish: str, given: str) -> None:
    """7296-3.15.1-07, 7296-3.15.1-33, 7296-3.15.1-34."""
    made = pair(asking(wish), giving(POOL))
    assert lines(internal(made, A))[0] == f"INTERNAL_IP4_ADDRESS {given}"


@pytest.mark.parametrize(
    ("wish", "given"),
    [("2001:db8:9::42/120", "2001:db8:9::42"), ("2001:db8:ffff::42", "2001:db8:9::42"), ("::1:0:0:9", "2001:db8:9::1")],
)
def test_s3_15_3_an_interface_identifier_is_kept_with_another_prefix(wish: str, given: str) -> None:
    """7296-3.15.1-08, 7296-3.15.3-02, 7296-3.15.3-03."""
    made = pair(asking(wish), giving(POOL))
    assert lines(internal(made, A))[0] == f"INTERNAL_IP6_ADDRESS {given}/120"


def test_s3_15_1_unknown_and_malformed_attributes_are_ignored_at_both_ends() -> None:
    """7296-2.19-09, 7296-3.15.1-36; a request with a value that has not its length counts as without."""
    asker = replace(asking("ipv4"), request=(CfgAttr(IP4, b"\x0a"), CfgAttr(30001, b"?"), CfgAttr(DNS4)))
    strange = replace(POOL, attributes=(CfgAttr(DNS4, b"\x01"), CfgAttr(DNS4, bytes(4))))
    made = pair(asker, giving(strange))
    assert lines(internal(made, A)) == ["INTERNAL_IP4_ADDRESS 10.9.0.1", "INTERNAL_IP4_DNS 0.0.0.0"]
    assert any("of 1 octets is ignored" in reason for reason in audits(made, A))


def audits(made: Pair, end: str) -> list[str]:
    return [
        output.reason
        for record in made.records
        for output in record.outputs
        if record.end == end and type(output) is sa.Audit
    ]


def failures(made: Pair, end: str) -> list[str]:
    return [
        output.reason
        for record in made.records
        for output in record.outputs
        if record.end == end and type(output) is sa.Failed
    ]


def test_s2_19_with_eap_cp_goes_with_the_sa_payloads() -> None:
    """7296-2.19-05: in the first request and the last response, and in none between."""
    policies = eap.connections(eap.peer(eap.MSCHAPV2), eap.server(eap.MSCHAPV2))
    asker = replace(asking("ipv4"), local_auth=policies[A].local_auth)
    made = pair(asker, replace(giving(POOL), remote_auth=policies[B].remote_auth))
    messages = eap.rounds(made)
    assert [any(type(each) is CP for each in found.payloads) for found in messages] == [
        any(type(each) is SA for each in found.payloads) for found in messages
    ]
    assert len(messages) > 4
    for found in (messages[0], messages[-1]):
        kinds = [type(each) for each in found.payloads]
        assert kinds.index(CP) < kinds.index(SA)
    assert internal(made, A).packed == internal(made, B).packed == (bytes((10, 9, 0, 1)),)
    assert [each.local_ts for each in made.children(A)] == [(addresses.host("10.9.0.1"),)]


# --- Refusals --------------------------------------------------------------------------------------------------------


def test_s3_15_4_no_address_left_refuses_the_child_sa_and_keeps_the_ike_sa() -> None:
    """7296-3.15.4-01, 7296-3.15.4-02."""
    made = pair(asking("ipv4"), giving(POOL), establish=False)
    made.ends[B].leases.hold(99, identities.parse("other.example"), tuple(bytes((10, 9, 0, n)) for n in (1, 2, 3)))
    made.establish()
    made.settle()
    assert errors(auth(made, response=True)) == [NotifyType.INTERNAL_ADDRESS_FAILURE]
    assert [len(made.ikes(end)) for end in ENDS] == [1, 1]
    assert not made.children(A) + made.children(B)
    assert made.sessions(A)[0].internal is None

    # It may ask again later, when there is one, and then for a Child SA (7296-3.15.4-07).
    made.command(A, sa.AskConfiguration())
    made.settle()
    assert failures(made, A)[-1] == "INTERNAL_ADDRESS_FAILURE"
    made.ends[B].leases.hold(99, None, ())
    made.command(A, sa.AskConfiguration())
    made.settle()
    assert internal(made, A).packed == internal(made, B).packed == (bytes((10, 9, 0, 1)),)
    made.command(A, sa.CreateChild("net"))
    made.settle()
    assert [each.local_ts for each in made.children(A)] == [(addresses.host("10.9.0.1"),)]


def test_s2_19_no_child_sa_is_asked_for_without_the_address_that_it_needs() -> None:
    made = pair(asking("ipv4"), giving())
    made.command(A, sa.CreateChild("web"))
    made.settle()
    assert failures(made, A)[-1] == "we have no internal address yet"


def test_s3_15_4_a_family_without_pool_is_ignored() -> None:
    """7296-3.15.4-05."""
    only6 = replace(POOL, ranges=POOL.ranges[1:])
    assert len(internal(pair(asking("ipv4", "ipv6"), giving(only6)), A).packed[0]) == 16


def test_s3_15_4_without_pools_a_request_is_ignored_and_the_asker_takes_that_as_an_error() -> None:
    """7296-3.15.4-03, 7296-3.15.4-04: it deletes the Child SA that it can't use."""
    made = pair(asking("ipv4"), giving())
    answer = auth(made, response=True)
    assert not any(type(each) is CP for each in answer.payloads)
    assert not errors(answer)
    assert any(type(each) is SA for each in answer.payloads)
    assert failures(made, A) == ["the answer has no internal address for us"]
    assert not made.children(A) + made.children(B)
    assert [len(made.ikes(end)) for end in ENDS] == [1, 1]


def test_s2_19_who_must_ask_and_does_not_gets_no_child_sa() -> None:
    """7296-2.19-11, 7296-2.19-12, 7296-2.19-13."""
    made = pair(asking(), giving(POOL, configuration_required=True))
    refusal = next(each for each in auth(made, response=True).payloads if type(each) is N)
    assert refusal == N(NotifyType.FAILED_CP_REQUIRED)
    assert [len(made.ikes(end)) for end in ENDS] == [1, 1]
    assert not made.children(A) + made.children(B)


def test_s2_19_who_did_not_ask_may_ask_later() -> None:
    """7296-2.19-12: in the IKE SA that was left alive, which then has its Child SA."""
    made = pair(asking(), giving(POOL, configuration_required=True))
    before = [made.ikes(end)[0].spi_i for end in ENDS]
    made.command(A, sa.AskConfiguration((CfgAttr(IP4),)))
    made.settle()
    assert internal(made, A).packed == internal(made, B).packed == (bytes((10, 9, 0, 1)),)
    made.command(A, sa.CreateChild(asking().children[0].name))
    made.settle()
    assert [each.local_ts for each in made.children(A)] == [(addresses.host("10.9.0.1"),)]
    assert [made.ikes(end)[0].spi_i for end in ENDS] == before


def test_s2_19_no_reply_without_a_request() -> None:
    """7296-2.19-10."""
    made = pair(connection(A), replace(connection(B), pools=(POOL,)))
    assert not any(type(each) is CP for each in auth(made, response=True).payloads)
    assert made.sessions(B)[0].internal is None


def test_s2_19_an_answer_with_traffic_of_other_addresses_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Child SA is narrowed to the address given, and the initiator holds the responder to it."""
    monkeypatch.setattr(Internal, "selectors", property(lambda self: () if not self.ours else RIGHT(self)))
    giver = replace(giving(POOL), children=tuple(replace(c, remote_ts=(ANY4,)) for c in giving().children))
    made = pair(asking("ipv4"), giver)
    assert failures(made, A) == ["the answer has traffic that was not offered"]
    assert not made.children(A) + made.children(B)


RIGHT: Callable[[Internal], Any] = Internal.selectors.fget  # type: ignore[attr-defined]  # a property


# --- How long it lasts -----------------------------------------------------------------------------------------------


def check_a_rekey_keeps_the_address() -> None:
    """7296-2.19-02, 7296-3.15.1-12."""
    made = pair(asking("ipv4"), giving(POOL))
    before = internal(made, A)
    for end in ENDS:
        made.command(end, sa.RekeyIke())
        made.settle()
        made.command(end, sa.RekeyChild(made.children(end)[0].spi_in))
        made.settle()
    assert internal(made, A) == before
    assert [each.local_ts for each in made.children(A)] == [(addresses.host("10.9.0.1"),)]
    lease = made.ends[B].leases.of(before.packed[0])
    assert lease is not None
    assert lease.holders == 1


def check_the_end_of_the_ike_sa_gives_it_back() -> None:
    made = pair(asking("ipv4"), giving(POOL))
    address = internal(made, A).packed[0]
    made.command(A, sa.DeleteIke())
    made.settle()
    lease = made.ends[B].leases.of(address)
    assert lease is not None
    assert lease.holders == 0
    for end in ENDS:
        ended = [each for record in made.records for each in record.outputs if type(each) is sa.Unconfigured]
        assert len(ended) == 2, end


def check_who_comes_back_gets_the_same() -> None:
    made = pair(asking("ipv4"), giving(POOL), establish=False)
    made.ends[B].leases.hold(99, identities.parse("other.example"), (bytes((10, 9, 0, 1)),))
    made.ends[B].leases.hold(98, identities.parse("a.example"), (bytes((10, 9, 0, 2)),))
    made.ends[B].leases.hold(99, None, ())
    made.ends[B].leases.hold(98, None, ())
    made.establish()
    made.settle()
    assert internal(made, A).packed == (bytes((10, 9, 0, 2)),)


def check_two_ike_sas_have_two_addresses() -> None:
    made = pair(asking("ipv4"), giving(POOL))
    made.initiate(A)
    made.settle()
    given = [each.internal.packed for each in made.sessions(B) if each.internal is not None]
    assert given == [(bytes((10, 9, 0, 1)),), (bytes((10, 9, 0, 2)),)]


def check_a_refused_child_sa_takes_no_address() -> None:
    """NO_PROPOSAL_CHOSEN after the address was chosen: nothing has changed."""
    giver, other = giving(POOL), proposals.parse("chacha20poly1305", ProtocolId.ESP)
    giver = replace(giver, children=tuple(replace(c, proposals=other) for c in giver.children))
    made = pair(asking("ipv4"), giver)
    assert errors(auth(made, response=True)) == [NotifyType.NO_PROPOSAL_CHOSEN]
    assert made.ends[B].leases.of(bytes((10, 9, 0, 1))) is None


def check_the_traffic_is_that_of_the_address() -> None:
    made = pair(asking("ipv4"), giving(POOL))
    assert [each.remote_ts for each in made.children(B)] == [(addresses.host("10.9.0.1"),)]


CHECKS = (
    check_a_rekey_keeps_the_address,
    check_the_end_of_the_ike_sa_gives_it_back,
    check_who_comes_back_gets_the_same,
    check_two_ike_sas_have_two_addresses,
    check_a_refused_child_sa_takes_no_address,
    check_the_traffic_is_that_of_the_address,
)


@pytest.mark.parametrize("check", CHECKS)
def test_s2_19_a_lease(check: Callable[[], None]) -> None:
    check()


def _forget_at_a_rekey(patch: pytest.MonkeyPatch) -> None:
    inherit = rekey._inherit

    def mutant(bench: turn.Turn, *args: Any, **more: Any) -> None:
        bench.internal = None
        inherit(bench, *args, **more)

    patch.setattr(rekey, "_inherit", mutant)


def _keep_for_ever(patch: pytest.MonkeyPatch) -> None:
    hold = pools.Leases.hold
    patch.setattr(pools.Leases, "hold", lambda self, *args: hold(self, *args) if args[2] else None)


def _forget_who_had_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pools, "_former", lambda *_: None)


def _give_one_address_to_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pools, "_first_free", lambda ranges, *_: ranges[0].first)


def _lease_before_the_child_sa_is_decided(patch: pytest.MonkeyPatch) -> None:
    restore = turn.Turn.restore

    def mutant(self: turn.Turn, session: sa.Session, outputs: int) -> None:
        kept = self.internal
        restore(self, session, outputs)
        self.internal = kept

    patch.setattr(turn.Turn, "restore", mutant)


def _narrow_to_the_address_of_the_ike_sa(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Internal, "selectors", property(lambda _: ()))


@pytest.mark.parametrize(
    ("fault", "finds"),
    [
        (_forget_at_a_rekey, check_a_rekey_keeps_the_address),
        (_keep_for_ever, check_the_end_of_the_ike_sa_gives_it_back),
        (_forget_who_had_it, check_who_comes_back_gets_the_same),
        (_give_one_address_to_all, check_two_ike_sas_have_two_addresses),
        (_lease_before_the_child_sa_is_decided, check_a_refused_child_sa_takes_no_address),
        (_narrow_to_the_address_of_the_ike_sa, check_the_traffic_is_that_of_the_address),
    ],
)
def test_each_seeded_fault_is_found(
    fault: Callable[[pytest.MonkeyPatch], None], finds: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        finds()
