"""Sections 2.8 to 2.12, rule by rule: rekeying, nonces, addresses and ports, and what is forgotten."""

from collections.abc import Callable

import pytest
from ikeref_properties.network import ADDRESS, ENDS, PEER, A, B, Flight, Pair

from ikeref import sa
from ikeref.policy import addresses, proposals
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType, ProtocolId
from ikeref.sa import ChildState, Path, collisions
from ikeref.wire import KE, SA, N, Nonce, TSi, TSr
from tests.conformance.life import (
    AUTH,
    CREATE,
    INFO,
    INIT,
    PFS,
    command,
    done,
    errors,
    established,
    kinds,
    messages,
    of,
    outputs,
    policies,
    receive,
    replies,
)
from tests.properties.forging import request
from tests.unit.sa.scene import Scene, answered_spis, arrivals, each_nonce, either, first

# Section 2.8


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_child_sas_with_the_same_selectors_live_side_by_side(end: str) -> None:
    pair = established()
    command(pair, end, sa.CreateChild("net"))
    command(pair, PEER[end], sa.CreateChild("net"))
    for each in ENDS:
        children = pair.children(each)
        assert len(children) == 3
        assert len({(child.local_ts, child.remote_ts) for child in children}) == 1
        assert {child.state for child in children} == {ChildState.OPEN}
    assert not outputs(pair, sa.Remove)


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_the_delete_is_the_last_request_on_the_old_ike_sa(end: str) -> None:
    """What waited behind the rekey is done on the new one, which has all Child SAs."""
    pair = established()
    command(pair, end, sa.CreateChild("web"))
    (old,) = pair.ikes(end)
    for each in (sa.CheckLiveness(), sa.RekeyIke(), sa.DeleteChild(pair.children(end)[0].spi_in)):
        pair.command(end, each)
    pair.deliver_all()
    later = [m for m in messages(pair, end=end, response=False) if m.exchange_type in (CREATE, INFO)][1:]
    assert sorted((kinds(m), m.spi_i == old.spi_i) for m in later) == [
        ([], True),
        (["D"], False),
        (["D"], True),
        (["SA", "Nonce", "KE"], True),
    ]
    on_old = [kinds(m) for m in later if m.spi_i == old.spi_i]
    assert on_old[-1] == ["D"]
    assert len(pair.children(A)) == len(pair.children(B)) == 1


def test_s2_8_each_end_minds_its_own_lifetime_and_the_shorter_one_decides() -> None:
    pair = Pair(1)
    for end, seconds in ((A, 1000.0), (B, 100.0)):
        settings = Settings(rekey_child_seconds=seconds)
        pair.ends[end].settings = settings
        pair.ends[end].environment = pair.ends[end].environment._replace(settings=settings)
    pair.establish()
    while pair.now < 300:
        pair.advance()
        pair.deliver_all()
    assert {f.to for f in pair.past if f.message and "N(REKEY_SA)" in kinds(f.message)} == {A}
    assert len([m for m in messages(pair, CREATE) if "N(REKEY_SA)" in kinds(m)]) >= 2


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_who_answers_can_receive_before_it_answers(end: str) -> None:
    """And sends at once on a new one; of one that replaces another it opens the outbound half when that goes."""
    pair = established()
    pair.command(PEER[end], sa.CreateChild("web"))
    opened = [type(o) for o in pair.deliver(pair.flying[0]).outputs if type(o) in (sa.Install, sa.Transmit)]
    assert opened == [sa.Install, sa.Install, sa.Transmit]
    answered = pair.deliver(pair.flying[0])
    assert [install.inbound for install in done(answered, sa.Install)] == [True, False]
    pair.command(PEER[end], sa.RekeyChild(pair.children(PEER[end])[0].spi_in))
    record = pair.deliver(pair.flying[0])
    assert [install.inbound for install in done(record, sa.Install)] == [True]
    answered = pair.deliver(pair.flying[0])
    assert [install.inbound for install in done(answered, sa.Install)] == [True, False]
    deleted = pair.deliver(pair.flying[0])
    assert [install.inbound for install in done(deleted, sa.Install)] == [False]
    assert len(done(deleted, sa.Remove)) == 2


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_an_initiator_opens_nothing_before_the_response(end: str) -> None:
    pair = established()
    assert not done(pair.command(end, sa.CreateChild("web")), sa.Install)
    pair.deliver(pair.flying[0])
    assert len(pair.children(end)) == 1
    assert len(done(pair.deliver(pair.flying[0]), sa.Install)) == 2


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_after_the_end_new_sas_can_be_made(end: str) -> None:
    """An IKE SA that was not rekeyed in time ends with its Child SA; nothing stands in the way of another."""
    pair = established(settings=Settings(expire_child_seconds=50))
    for _ in range(20):
        if not pair.ikes(A) + pair.ikes(B):
            break
        pair.advance()
        pair.deliver_all()
    assert pair.now >= 50
    assert not pair.children(A) + pair.children(B)
    assert not pair.ikes(A) + pair.ikes(B)
    pair.establish(end)
    assert len(pair.children(A)) == len(pair.children(B)) == 1


# Section 2.8.1


def test_s2_8_1_rekeys_are_not_all_due_at_the_same_moment() -> None:
    """Up to a tenth earlier, at random; never later."""
    due = set()
    for seed in range(20):
        pair = Pair(seed, settings=Settings(rekey_child_seconds=1000, rekey_ike_seconds=1000)).establish()
        for end in ENDS:
            due |= {child.rekey_at for child in pair.children(end)} | {ike.rekey_at for ike in pair.ikes(end)}
    assert len(due) > 40
    assert all(900 <= moment <= 1000 for moment in due)


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_1_both_sas_of_a_crossing_rekey_can_receive_until_one_is_deleted(end: str) -> None:
    pair = established()
    (old,) = pair.children(end)
    for each in ENDS:
        pair.command(each, sa.RekeyChild(pair.children(each)[0].spi_in))
    for _ in range(4):
        pair.deliver(pair.flying[0])
    opened = [install.child.spi_in for install in outputs(pair, sa.Install, end=end) if install.inbound]
    assert len(opened) == 3
    assert not [removed for removed in outputs(pair, sa.Remove, end=end) if removed.inbound]
    assert old.spi_in in opened
    pair.deliver_all()
    assert len(pair.children(A)) == len(pair.children(B)) == 1


@either
@first
@each_nonce
def test_s2_8_1_the_deletes_after_a_crossing_are_answered_with_paired_spis(one: str, first: str, nonce: str) -> None:
    """Each end deletes by its own inbound SPI; the response has the SPI of the other direction (Section 2.8.1)."""
    scene = Scene(one)
    scene.lowest(nonce)
    scene.rekey_child(one)
    scene.rekey_child(scene.other)
    for end in arrivals(scene, first) * 2:
        scene.deliver(end)
    paired = {end: {child.spi_in: child.spi_out for child in scene.pair.children(end)} for end in (one, scene.other)}
    for end, peer in ((one, scene.other), (scene.other, one)):
        (deleted,) = scene.deleted(peer)
        assert answered_spis(scene.deliver(end)) == (paired[peer][deleted],)
    scene.settle()


# Section 2.8.3


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_3_a_rekey_authenticates_nobody_anew(end: str) -> None:
    """New keys, counters at 0, and neither identity nor AUTH."""
    pair = established()
    before = outputs(pair, sa.NewKeys, end=end)
    command(pair, end, sa.RekeyIke())
    keys = outputs(pair, sa.NewKeys, end=end)
    assert len(before) == 1
    assert len(keys) == 2
    assert not set(keys[0].keys) & set(keys[1].keys) - {b""}
    assert len(messages(pair, AUTH)) == 2
    assert {kind for message in messages(pair, CREATE) for kind in kinds(message)} == {"SA", "Nonce", "KE"}
    (ike,) = pair.ikes(end)
    assert (ike.next_request, ike.expected) == (0, 0)


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_3_reauthentication_is_a_new_ike_sa_and_the_end_of_the_old_one(end: str) -> None:
    """IKE_SA_INIT and IKE_AUTH, Child SAs without REKEY_SA; then the old IKE SA is deleted with its own."""
    pair = established(connections=policies(initial_contact=False))
    old = {each: pair.ikes(each)[0].spi for each in ENDS}
    pair.establish(end)
    assert len(pair.ikes(end)) == 2
    pair.command(end, sa.DeleteIke(), number=1)
    pair.deliver_all()
    assert [len(pair.ikes(each)) for each in ENDS] == [1, 1]
    assert [pair.ikes(each)[0].spi != old[each] for each in ENDS] == [True, True]
    assert len(messages(pair, INIT)) == len(messages(pair, AUTH)) == 4
    assert not [m for m in messages(pair) if "N(REKEY_SA)" in kinds(m)]
    assert len(pair.children(A)) == len(pair.children(B)) == 1


# Section 2.9


@pytest.mark.parametrize("end", ENDS)
def test_s2_9_what_is_acceptable_in_full_is_returned_as_it_came(end: str) -> None:
    """TSi is the traffic of who asks, TSr of who answers; each payload stands once in both messages."""
    pair = established()
    command(pair, end, sa.CreateChild("web"))
    asked, answered = messages(pair, CREATE)
    policy = pair.connections[end].children[1]
    assert (of(asked, TSi).selectors, of(asked, TSr).selectors) == (policy.local_ts, policy.remote_ts)
    assert (of(answered, TSi), of(answered, TSr)) == (of(asked, TSi), of(asked, TSr))
    command(pair, end, sa.RekeyChild(pair.children(end)[0].spi_in))
    making = messages(pair, AUTH) + messages(pair, CREATE)
    assert [(kinds(m).count("TSi"), kinds(m).count("TSr")) for m in making] == [(1, 1)] * 6


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("which", ["none", "some", "unknown"])
def test_s2_9_an_offer_is_narrowed_or_refused(which: str, end: str) -> None:
    """To a part that is not empty; selectors of an unknown kind are left out; where nothing is left it is refused."""
    pair = established()
    policy = pair.connections[PEER[end]].children[1]
    offered = {
        "none": (addresses.from_text("172.16.0.0/12"),),
        "some": (addresses.from_text("10.0.0.0/8"), addresses.from_text("172.16.0.0/12")),
        "unknown": (SELECTOR, *policy.local_ts),
    }[which]
    content = (
        SA((policy.proposals[0]._replace(number=1, spi=b"\0\0\x20\1"),)),
        Nonce(bytes(range(32))),
        TSi(offered),
        TSr(policy.remote_ts),
    )
    (answer,) = request(pair, end, CREATE, content).messages
    if which == "none":
        assert answer.payloads == (N(NotifyType.TS_UNACCEPTABLE),)
        assert len(pair.children(end)) == 1
    else:
        assert of(answer, TSi).selectors == policy.local_ts
        assert pair.children(end)[1].remote_ts == policy.local_ts


SELECTOR = addresses.from_text("10.0.0.0/8")._replace(ts_type=200, start=b"", end=b"")


# Section 2.10


@pytest.mark.parametrize("prf", ["prfsha1", "prfsha256", "prfsha384", "prfsha512", "prfaesxcbc"])
def test_s2_10_nonces_are_long_enough_for_every_prf_and_none_is_used_twice(prf: str) -> None:
    """At least 16 octets, and half the key size of the PRF; both ends of both exchanges that have them."""
    pair = established(connections=policies(ike=f"aes256gcm16-{prf}-x25519", esp=PFS))
    for end in ENDS:
        command(pair, end, sa.CreateChild("web"))
        command(pair, end, sa.RekeyIke())
    said = [m for m in messages(pair) if m.exchange_type in (INIT, CREATE)]
    nonces = [of(message, Nonce).data for message in said]
    assert len(nonces) == len(set(nonces)) == 10
    assert {len(nonce) for nonce in nonces} == {32}
    assert {"prfsha1": 20, "prfsha256": 32, "prfsha384": 48, "prfsha512": 64, "prfaesxcbc": 16}[prf] / 2 <= 32


def test_s2_10_nonces_are_drawn_from_the_randomness_that_the_end_was_given() -> None:
    drawn = []
    pair = Pair(1)
    for end in ENDS:
        draw = pair.randoms[end].randbytes

        def note(octets: int, draw: Callable[[int], bytes] = draw) -> bytes:
            drawn.append(draw(octets))
            return drawn[-1]

        pair.ends[end].environment = pair.ends[end].environment._replace(random=note)
    pair.establish()
    assert all(of(message, Nonce).data in drawn for message in messages(pair, INIT))


@pytest.mark.parametrize(("octets", "taken"), [(15, False), (16, True), (256, True), (257, False)])
@pytest.mark.parametrize("end", ENDS)
def test_s2_10_a_nonce_has_16_to_256_octets(end: str, octets: int, taken: bool) -> None:
    pair = established()
    policy = pair.connections[PEER[end]].children[1]
    content = (
        SA((policy.proposals[0]._replace(number=1, spi=b"\0\0\x20\1"),)),
        Nonce(bytes(octets)),
        TSi(policy.local_ts),
        TSr(policy.remote_ts),
    )
    (answer,) = request(pair, end, CREATE, content).messages
    assert (not errors(answer)) is taken


# Section 2.11


@pytest.mark.parametrize("port", [500, 4500, 1024, 65535, 1])
@pytest.mark.parametrize("host", ["198.51.100.9", "2001:db8::9"])
def test_s2_11_requests_come_from_any_port_and_responses_go_back_there(host: str, port: int) -> None:
    """From the address and the port that they were sent to; over IPv4 and over IPv6."""
    pair = Pair(1)
    ours = ("192.0.2.2" if "." in host else "2001:db8::2", 500)
    pair.initiate(A)
    datagram = pair.flying.pop().datagram
    (out,) = [o for o in receive(pair, B, datagram, Path(ours, (host, port))) if type(o) is sa.Transmit]
    assert out.path == Path(ours, (host, port))
    assert out.message is not None
    assert kinds(out.message)[0] == "SA"


@pytest.mark.parametrize("end", ENDS)
def test_s2_11_responses_under_the_keys_go_back_to_where_the_request_came_from(end: str) -> None:
    """Also where that is another address than that of the IKE SA."""
    pair = established()
    pair.command(end, sa.CheckLiveness())
    datagram = pair.flying.pop().datagram
    path = Path(("192.0.2.77", 4501), ("198.51.100.9", 40000))
    (out,) = [o for o in receive(pair, PEER[end], datagram, path) if type(o) is sa.Transmit]
    assert out.path == path


@pytest.mark.parametrize("protocol", [ProtocolId.ESP, ProtocolId.AH])
def test_s2_11_child_sas_are_for_the_addresses_that_ike_runs_over(protocol: ProtocolId) -> None:
    words = "aes256gcm16" if protocol == ProtocolId.ESP else "sha256"
    pair = established(connections=policies(child={"proposals": proposals.parse(words, protocol)}))
    for each in ENDS:
        command(pair, each, sa.RekeyChild(pair.children(each)[0].spi_in))
        command(pair, each, sa.CreateChild("web"))
    for end in ENDS:
        assert {install.child.protocol_id for install in outputs(pair, sa.Install, end=end)} == {protocol}
        paths = {install.path for install in outputs(pair, sa.Install, end=end)}
        assert paths == {Path(ADDRESS[end], ADDRESS[PEER[end]])}


# Section 2.12


@pytest.mark.parametrize("end", ENDS)
def test_s2_12_nothing_of_a_closed_ike_sa_is_kept(end: str) -> None:
    """Keys, private values, nonces and secrets: the session goes, and what lingers to repeat its last response too."""
    pair = established(settings=Settings(closed_linger_seconds=30), connections=policies(esp=PFS))
    command(pair, end, sa.CreateChild("web"))
    command(pair, end, sa.DeleteIke())
    pair.settle()
    for each in ENDS:
        endpoint = pair.ends[each]
        assert not endpoint.sessions
        assert not endpoint._by_spi
        assert not endpoint._by_request
        assert not endpoint._spis


@pytest.mark.parametrize("end", ENDS)
def test_s2_12_what_made_the_keys_goes_with_the_exchange(end: str) -> None:
    """Private values and nonces of IKE_SA_INIT go with IKE_AUTH, the keys of a Child SA when it is installed."""
    pair = established(connections=policies(esp=PFS))
    command(pair, end, sa.CreateChild("web"))
    for each in ENDS:
        (ike,) = pair.ikes(each)
        assert ike.handshake is None
        assert not ike.outstanding
        assert [child.keys for child in pair.children(each)] == [None, None]


@pytest.mark.parametrize("end", ENDS)
def test_s2_12_each_exchange_has_a_private_value_of_its_own(end: str) -> None:
    pair = established(connections=policies(esp=PFS))
    for _ in range(2):
        command(pair, end, sa.CreateChild("web"))
        command(pair, end, sa.RekeyIke())
    values = [of(m, KE).public for m in messages(pair) if "KE" in kinds(m)]
    assert len(values) == len(set(values)) == 10


# Sections 2.8.1 and 2.8.2


@pytest.mark.parametrize(
    ("lower", "higher"),
    [(b"\1\2", b"\2\1"), (b"\1", b"\1\0"), (b"\1\3\3", b"\2"), (b"\1\1\2", b"\1\2\1"), (b"\x7f" * 16, b"\x80" * 16)],
)
def test_s2_8_1_nonces_are_compared_octet_by_octet_from_the_front(lower: bytes, higher: bytes) -> None:
    """And one that ends first is the lower."""
    assert collisions.lower(lower, higher)
    assert not collisions.lower(higher, lower)
    assert collisions.ours_is_redundant((lower, higher), (higher, higher), (b"", b""), (b"", b""))
    assert not collisions.ours_is_redundant((higher, higher), (lower, higher), (b"", b""), (b"", b""))


def to(pair: Pair, end: str) -> Flight:
    return next(flight for flight in pair.flying if flight.to == end)


@either
@first
@each_nonce
def test_s2_8_2_every_child_sa_moves_to_the_ike_sa_that_survives(one: str, first: str, nonce: str) -> None:
    """Of three, all are there afterwards, and the survivor controls them (Section 2.8.2)."""
    scene = Scene(one)
    for name in ("net", "web"):
        scene.pair.command(one, sa.CreateChild(name))
        scene.pair.deliver_all()
    before = {end: [child.spi_in for child in scene.pair.children(end)] for end in (one, scene.other)}
    scene.lowest(nonce)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.RekeyIke())
    for end in arrivals(scene, first) * 2:
        scene.deliver(end)
    scene.settle()
    assert scene.ike_is_new()
    assert len(before[one]) == 3
    for end, spis in before.items():
        assert [child.spi_in for child in scene.pair.children(end)] == spis
    for spi in before[one]:
        scene.pair.command(one, sa.DeleteChild(spi))
        scene.settle()
    assert not scene.pair.children(A) + scene.pair.children(B)
    assert [len(scene.pair.ikes(end)) for end in (A, B)] == [1, 1]


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_2_a_late_rekey_of_what_is_already_rekeyed_is_put_off(end: str) -> None:
    """The peer asked too, but its request arrives when this end has its successor and deletes the old IKE SA."""
    pair = established()
    for each in (end, PEER[end]):
        pair.command(each, sa.RekeyIke())
    late = to(pair, end)
    pair.lose(late)
    pair.deliver(to(pair, PEER[end]))
    pair.deliver(to(pair, end))
    (answer,) = (m for m in replies(pair.deliver(late, keep=True).outputs) if m.is_response)
    assert answer.payloads == (N(NotifyType.TEMPORARY_FAILURE),)
    pair.settle()
    assert [len(pair.ikes(each)) for each in ENDS] == [1, 1]
    assert pair.ikes(end)[0].initiator


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_2_who_is_asked_to_delete_forgets_its_own_rekey(end: str) -> None:
    """Its request was lost; the peer has finished a rekey of its own, which crossed, and deletes the old IKE SA."""
    pair = established()
    for each in (end, PEER[end]):
        pair.command(each, sa.RekeyIke())
    pair.lose(to(pair, PEER[end]))
    pair.deliver(to(pair, end))
    pair.deliver(to(pair, PEER[end]))
    record = pair.deliver(to(pair, end))
    assert [m.payloads for m in replies(record.outputs)] == [()]
    since = len(pair.records)
    pair.settle()
    assert not outputs(pair, sa.Transmit, end=end, since=since)
    assert [len(pair.ikes(each)) for each in ENDS] == [1, 1]
    assert [len(pair.children(each)) for each in ENDS] == [1, 1]
    assert pair.ikes(PEER[end])[0].initiator


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_2_who_is_asked_to_delete_answers_and_sends_its_rekey_no_more(end: str) -> None:
    pair = established()
    pair.command(end, sa.RekeyIke())
    pair.flying.clear()
    pair.command(PEER[end], sa.DeleteIke())
    record = pair.deliver(pair.flying[0])
    assert [m.payloads for m in replies(record.outputs)] == [()]
    since = len(pair.records)
    pair.settle()
    assert not outputs(pair, sa.Transmit, end=end, since=since)
    assert not pair.sessions(A) + pair.sessions(B)
