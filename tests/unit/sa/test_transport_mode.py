"""Transport mode, with NATs before either end or both (Section 2.23.1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ikeref_properties.network import ADDRESS, ENDS, A, B, Flight, Initiate, Pair, Record, connection
from ikeref_properties.refinement.observer import Observer

from ikeref import sa
from ikeref.policy import addresses, selectors
from ikeref.policy.connections import ChildConfig
from ikeref.registry import NotifyType
from ikeref.sa import negotiation
from ikeref.wire import Message, N, TrafficSelector, TSi, TSr

OUTER = {A: "203.0.113.1", B: "203.0.113.2"}
"""What a NAT before that end shows of it to the other."""
IP1, IP2 = ADDRESS[A][0], ADDRESS[B][0]
PORTS = {"local_ts": "0.0.0.0/0[tcp]", "remote_ts": "0.0.0.0/0[tcp/443]"}


class Rows:
    """Asks the model about each step. (What the ends have of the selectors is not the same through a NAT.)"""

    def __init__(self) -> None:
        self.observers = {end: Observer(end) for end in ENDS}

    def __call__(self, record: Record) -> None:
        verdict = self.observers[record.end].observe(record)
        assert verdict.ok, verdict.explanation


class Natted(Pair):
    """Two ends with a NAT before some of them."""

    behind: tuple[str, ...] = ()

    def seen(self, end: str) -> str:
        """The address under which the other end knows one."""
        return OUTER[end] if end in self.behind else ADDRESS[end][0]

    def initiate(self, end: str = A) -> Record:
        other = B if end == A else A
        path = sa.Path(ADDRESS[end], (self.seen(other), ADDRESS[other][1]))
        return self._step(end, Initiate(), lambda: self.ends[end].initiate(self.connections[end], path, self.now)[1])

    def deliver(self, flight: Flight, *, keep: bool = False) -> Record:
        if not keep:
            self.flying.remove(flight)
        sender = B if flight.to == A else A
        local = (ADDRESS[flight.to][0], flight.path.remote[1])
        path = sa.Path(local, (self.seen(sender), flight.path.local[1]), flight.path.encapsulated)
        receive = self.ends[flight.to].receive
        return self._step(flight.to, flight, lambda: receive(flight.datagram, path, self.now))


def child(mode: str, local_ts: str = "", remote_ts: str = "", name: str = "net") -> ChildConfig:
    local, remote = (tuple(addresses.from_text(part) for part in text.split()) for text in (local_ts, remote_ts))
    return ChildConfig(name, local_ts=local, remote_ts=remote, mode=mode)  # type: ignore[arg-type]  # a literal


def pair(behind: tuple[str, ...], ours: ChildConfig, *theirs: ChildConfig, **changes: Any) -> Natted:
    policies = {A: replace(connection(A), children=(ours,)), B: replace(connection(B), children=theirs, **changes)}
    made = Natted(9, connections=policies, watch=Rows())
    made.behind = behind
    made.establish()
    made.deliver_all()
    return made


def words(found: tuple[TrafficSelector, ...]) -> str:
    return " ".join(selectors.to_text(each) for each in found)


def traffic(made: Pair, end: str) -> list[str]:
    return [f"{words(each.local_ts)} === {words(each.remote_ts)}" for each in made.children(end)]


def sent(made: Pair, end: str) -> Message:
    """The latest message with selectors in it."""
    for record in reversed(made.records):
        for output in record.outputs:
            message = output.message if type(output) is sa.Transmit else None
            if record.end == end and message is not None and any(type(each) is TSi for each in message.payloads):
                return message
    raise AssertionError("there is none")


def selectors_of(message: Message) -> str:
    (tsi,) = (each for each in message.payloads if type(each) is TSi)
    (tsr,) = (each for each in message.payloads if type(each) is TSr)
    return f"{words(tsi.selectors)} === {words(tsr.selectors)}"


EVERY_NAT = pytest.mark.parametrize("behind", [(), (A,), (B,), (A, B)], ids=["none", "client", "server", "both"])


def check_each_end_has_the_addresses_that_it_sees(behind: tuple[str, ...]) -> None:
    """7296-2.23.1-01, 7296-2.23.1-02, 7296-2.23.1-06, 7296-2.23.1-07, 7296-2.23.1-08, 7296-2.23.1-11,
    7296-2.23.1-12.
    """
    made = pair(behind, child("transport"), child("transport"))
    ipn1, ipn2 = made.seen(A), made.seen(B)
    assert traffic(made, A) == [f"{IP1} === {ipn2}"]
    assert traffic(made, B) == [f"{IP2} === {ipn1}"]
    assert selectors_of(sent(made, A)) == f"{IP1} === {ipn2}"
    assert selectors_of(sent(made, B)) == f"{ipn1} === {IP2}"
    for end in ENDS:
        assert [each.transport for each in made.children(end)] == [True]


def check_the_original_addresses_are_kept(behind: tuple[str, ...]) -> None:
    """7296-2.23.1-05, 7296-2.23.1-19: TSi and TSr as each end received them."""
    made = pair(behind, child("transport"), child("transport"))
    ipn1, ipn2 = made.seen(A), made.seen(B)
    ((ours,), (theirs,)) = made.children(A), made.children(B)
    assert theirs.original == (packed(IP1, ipn2) if behind else ())
    assert ours.original == (packed(ipn1, IP2) if behind else ())


def packed(*texts: str) -> tuple[bytes, ...]:
    return tuple(addresses.host(each).start for each in texts)


def check_rekeys_keep_mode_and_traffic(behind: tuple[str, ...]) -> None:
    made = pair(behind, child("transport", **PORTS), child("transport", "0.0.0.0/0[tcp/443]", "0.0.0.0/0[tcp]"))
    before = traffic(made, A), traffic(made, B)
    assert before[1] == [f"{IP2}[tcp/443] === {made.seen(A)}[tcp]"] or not behind
    for end in ENDS:
        made.command(end, sa.RekeyChild(made.children(end)[0].spi_in))
        made.deliver_all()
        made.command(end, sa.RekeyIke())
        made.deliver_all()
    assert (traffic(made, A), traffic(made, B)) == before
    assert [each.transport for end in ENDS for each in made.children(end)] == [True, True]


def check_a_policy_of_other_addresses_is_looked_up_again_for_tunnel_mode(behind: tuple[str, ...]) -> None:
    """7296-2.23.1-09, 7296-2.23.1-10, 7296-2.23.1-21: with the selectors that were sent."""
    server = child("tunnel", "0.0.0.0/0", "192.0.2.0/24 203.0.113.0/24")
    made = pair(behind, child("transport"), server)
    assert selectors_of(sent_first(made, B)) == f"{IP1} === {made.seen(B)}"
    assert N(NotifyType.USE_TRANSPORT_MODE) not in sent_first(made, B).payloads
    outputs = [output for record in made.records if record.end == B for output in record.outputs]
    installed = [output.child for output in outputs if type(output) is sa.Install]
    assert {(each.transport, words(each.remote_ts), each.original) for each in installed} == {(False, IP1, ())}
    assert not made.children(A) + made.children(B)  # A wants transport mode only


def sent_first(made: Pair, end: str) -> Message:
    messages = [
        output.message
        for record in made.records
        for output in record.outputs
        if record.end == end and type(output) is sa.Transmit and output.message is not None
    ]
    return next(each for each in messages if any(type(payload) is TSi for payload in each.payloads))


def check_policy_for_a_nat_is_found_by_its_outer_address(behind: tuple[str, ...]) -> None:
    """7296-2.23.1-08, 7296-2.23.1-20, 7296-2.23.1-22: not by the one behind it, and narrowed by what was found."""
    known = child("transport", "0.0.0.0/0", "203.0.113.1[tcp/22]", name="known NAT")
    inside = child("transport", "0.0.0.0/0", f"{IP1}[udp]", name="inside")
    made = pair(behind, child("transport"), inside, known)
    (found,) = made.children(B)
    assert found.name == ("known NAT" if A in behind else "inside")
    assert words(found.remote_ts) == ("203.0.113.1[tcp/22]" if A in behind else f"{IP1}[udp]")


CHECKS = (
    check_each_end_has_the_addresses_that_it_sees,
    check_the_original_addresses_are_kept,
    check_rekeys_keep_mode_and_traffic,
    check_a_policy_of_other_addresses_is_looked_up_again_for_tunnel_mode,
    check_policy_for_a_nat_is_found_by_its_outer_address,
)


@EVERY_NAT
@pytest.mark.parametrize("check", CHECKS)
def test_s2_23_1(check: Callable[[tuple[str, ...]], None], behind: tuple[str, ...]) -> None:
    check(behind)


def test_s2_23_1_only_traffic_of_the_ike_sa_is_offered_through_a_nat() -> None:
    """7296-2.23.1-03, 7296-2.23.1-13, 7296-2.23.1-14, 7296-2.23.1-15, 7296-2.23.1-16, 7296-2.23.1-18."""
    ours = child("transport", "192.0.2.0/24[tcp/80] 192.0.2.0/24[tcp/443]", "0.0.0.0/0")
    made = pair((A,), ours, child("transport", "", "0.0.0.0/0"))
    assert selectors_of(sent(made, A)) == f"{IP1}[tcp/80] {IP1}[tcp/443] === {IP2}"
    assert traffic(made, B) == [f"{IP2} === {OUTER[A]}[tcp/80] {OUTER[A]}[tcp/443]"]


def test_s2_23_1_several_selectors_of_the_peer_have_one_address_too() -> None:
    """7296-2.23.1-03, 7296-2.23.1-18: those of TSr, as those of TSi."""
    ours = child("transport", "0.0.0.0/0", "192.0.2.0/24[tcp/80] 192.0.2.0/24[tcp/443]")
    made = pair((A,), ours, child("transport", "0.0.0.0/0", ""))
    assert selectors_of(sent(made, A)) == f"{IP1} === {IP2}[tcp/80] {IP2}[tcp/443]"
    assert traffic(made, B) == [f"{IP2}[tcp/80] {IP2}[tcp/443] === {OUTER[A]}"]


@EVERY_NAT
def test_s2_23_1_protocol_and_ports_of_the_packet_stand_first(behind: tuple[str, ...]) -> None:
    """7296-2.23.1-04, 7296-2.23.1-17: with the addresses of the IKE SA, as all that follows them."""
    policies = {end: replace(connection(end), children=(child("transport"),)) for end in ENDS}
    made = Natted(9, connections=policies, watch=Rows())
    made.behind = behind
    path = sa.Path(ADDRESS[A], (made.seen(B), ADDRESS[B][1]))
    packet = tuple(addresses.from_text(each) for each in (f"{IP1}[tcp/4711]", f"{made.seen(B)}[tcp/443]"))
    _, outputs = made.ends[A].initiate(made.connections[A], path, made.now, packet)
    made._step(A, Initiate(), lambda: outputs)
    made.deliver_all()
    asked = sent_first(made, A)
    assert N(NotifyType.USE_TRANSPORT_MODE) in asked.payloads
    assert selectors_of(asked) == f"{IP1}[tcp/4711] {IP1} === {made.seen(B)}[tcp/443] {made.seen(B)}"
    assert [each.transport for end in ENDS for each in made.children(end)] == [True, True]


def test_s2_23_1_nothing_is_substituted_where_transport_mode_was_not_asked_for() -> None:
    """7296-2.23.1-05: although policy has transport mode."""
    made = pair((A,), child("tunnel"), child("transport", "0.0.0.0/0", "0.0.0.0/0"))
    assert selectors_of(sent_first(made, B)) == f"{IP1} === {IP2}"
    assert N(NotifyType.USE_TRANSPORT_MODE) not in sent_first(made, B).payloads
    assert [each.original for end in ENDS for each in made.children(end)] == [(), ()]


def test_s2_23_1_policy_about_other_addresses_is_not_asked_for_through_a_nat() -> None:
    made = pair((A,), child("transport", "10.1.0.0/16", ""), child("transport"))
    closed = [each for record in made.records for each in record.outputs if type(each) is sa.Closed]
    assert [each.reason for each in closed] == ["policy has no traffic between the addresses of the IKE SA"]


def test_s1_3_1_tunnel_mode_behind_a_nat_keeps_the_selectors_as_sent() -> None:
    ours, theirs = child("tunnel", "10.1.0.0/16", "10.2.0.0/16"), child("tunnel", "10.2.0.0/16", "10.1.0.0/16")
    made = pair((A, B), ours, theirs)
    assert traffic(made, A) == ["10.1.0.0/16 === 10.2.0.0/16"]
    assert [each.original for end in ENDS for each in made.children(end)] == [(), ()]


Patch = pytest.MonkeyPatch


def _substitute_nothing(patch: Patch) -> None:
    patch.setattr(negotiation, "_seen", lambda _, theirs, ours: (theirs, ours, ()))


def _substitute_the_peer_only(patch: Patch) -> None:
    right = negotiation._seen
    patch.setattr(negotiation, "_seen", lambda ike, *args: right(ike._replace(nat_local=False), *args))


def _forget_the_originals(patch: Patch) -> None:
    right = negotiation._seen
    patch.setattr(negotiation, "_seen", lambda *args: (*right(*args)[:2], ()))


def _keep_what_the_nat_made(patch: Patch) -> None:
    """The originals are those after substitution."""
    right = negotiation._seen

    def mutant(ike: sa.IkeSa, *args: Any) -> Any:
        theirs, ours, original = right(ike, *args)
        return theirs, ours, (theirs[0].start, ours[0].start) if original else ()

    patch.setattr(negotiation, "_seen", mutant)


def _substitute_for_tunnel_mode_too(patch: Patch) -> None:
    right = negotiation._candidates

    def mutant(turn: Any, ike: Any, payloads: Any, tsi: Any, tsr: Any, old: Any) -> Any:
        seen_i, seen_r, _ = negotiation._seen(ike, tsi, tsr)
        return right(turn, ike, payloads, seen_i, seen_r, old)

    patch.setattr(negotiation, "_candidates", mutant)


@pytest.mark.parametrize(
    ("fault", "finds"),
    [
        (_substitute_nothing, check_each_end_has_the_addresses_that_it_sees),
        (_substitute_the_peer_only, check_each_end_has_the_addresses_that_it_sees),
        (_substitute_nothing, check_policy_for_a_nat_is_found_by_its_outer_address),
        (_forget_the_originals, check_the_original_addresses_are_kept),
        (_keep_what_the_nat_made, check_the_original_addresses_are_kept),
        (_substitute_for_tunnel_mode_too, check_a_policy_of_other_addresses_is_looked_up_again_for_tunnel_mode),
    ],
)
def test_each_seeded_fault_is_found(
    fault: Callable[[Patch], None], finds: Callable[[tuple[str, ...]], None], monkeypatch: Patch
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        finds((A, B))
