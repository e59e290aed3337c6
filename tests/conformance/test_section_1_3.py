"""Section 1.3, rule by rule: what CREATE_CHILD_SA says for a Child SA, for its rekey and for that of the IKE SA."""

from dataclasses import replace

import pytest
from ikeref_properties.network import ENDS, PEER, A, B, Pair, connection

from ikeref import sa
from ikeref.crypto import schedule
from ikeref.policy import addresses, choice, proposals
from ikeref.policy.connections import Settings
from ikeref.registry import Encr, NotifyType, ProtocolId, TransformType
from ikeref.wire import KE, SA, N, Nonce, TSi, TSr
from tests.conformance.life import (
    CREATE,
    PFS,
    command,
    errors,
    established,
    kinds,
    messages,
    of,
    outputs,
    policies,
)

COMMANDS = ("create", "rekey child", "rekey IKE")
AH = proposals.parse("sha256", ProtocolId.AH)
ANY4 = addresses.from_text("0.0.0.0/0")


def ask(pair: Pair, end: str, what: str) -> None:
    """One of the three kinds of CREATE_CHILD_SA; the request is in flight."""
    commands: dict[str, sa.Command] = {
        "create": sa.CreateChild("web"),
        "rekey child": sa.RekeyChild(pair.children(end)[0].spi_in),
        "rekey IKE": sa.RekeyIke(),
    }
    pair.command(end, commands[what])


def other_groups(end: str) -> dict[str, object]:
    """The other end prefers another group, for Child SAs and for the IKE SA."""
    first, second = "x25519-ecp256", "ecp256-x25519"
    return {
        end: connection(end, ike=f"aes256gcm16-prfsha256-{first}", esp=f"aes256gcm16-{first}"),
        PEER[end]: connection(PEER[end], ike=f"aes256gcm16-prfsha256-{second}", esp=f"aes256gcm16-{second}"),
    }


def established_by(end: str, connections: dict[str, object], settings: Settings | None = None) -> Pair:
    return Pair(1, connections=connections, settings=settings).establish(end)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", COMMANDS)
def test_s1_3_either_end_asks_and_there_is_one_response(what: str, end: str) -> None:
    pair = established()
    ask(pair, end, what)
    pair.deliver_all()
    exchange = [(m.is_response, m.message_id) for m in messages(pair, CREATE)]
    assert exchange == [(False, exchange[0][1]), (True, exchange[0][1])]
    assert not outputs(pair, sa.Failed)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", ["rekey child", "rekey IKE"])
def test_s1_3_a_rekey_creates_and_then_deletes(what: str, end: str) -> None:
    pair = established()
    (old,), (ike,) = pair.children(end), pair.ikes(end)
    since = len(pair.past)
    ask(pair, end, what)
    pair.deliver_all()
    said = [f.message for f in pair.past[since:] if f.message is not None and not f.message.is_response]
    assert [kinds(message) for message in said][1] == ["D"]
    assert [message.exchange_type for message in said] == [36, 37]
    assert said[0].message_id + 1 == said[1].message_id
    (left,), (heir,) = pair.children(end), pair.ikes(end)
    assert (left.spi_in != old.spi_in, heir.spi != ike.spi) == (what == "rekey child", what == "rekey IKE")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", COMMANDS)
@pytest.mark.parametrize("esp", [PFS, "aes256gcm16"])
def test_s1_3_the_group_of_ke_is_among_those_offered(esp: str, what: str, end: str) -> None:
    """KE is there where policy wants forward secrecy, and for an IKE SA always; its group is the first of the offer."""
    pair = established(connections=policies(esp=esp))
    ask(pair, end, what)
    (message,) = messages(pair, CREATE)
    offered = choice.groups_of(of(message, SA).proposals)
    assert ("KE" in kinds(message)) == bool(offered) == (esp == PFS or what == "rekey IKE")
    if offered:
        assert of(message, KE).group == offered[0]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", COMMANDS)
def test_s1_3_another_group_is_asked_for_and_a_new_exchange_has_it(what: str, end: str) -> None:
    """INVALID_KE_PAYLOAD, two octets; then a new message ID, a new nonce, KE of that group, and success."""
    pair = established_by(end, other_groups(end))
    ask(pair, end, what)
    pair.deliver_all()
    first, refusal, second, answer = messages(pair, CREATE)
    assert refusal.payloads == (N(NotifyType.INVALID_KE_PAYLOAD, b"\x00\x13"),)
    assert [of(message, KE).group for message in (first, second, answer)] == [31, 19, 19]
    assert second.message_id > first.message_id
    assert of(second, Nonce) != of(first, Nonce)
    assert choice.groups_of(of(second, SA).proposals) == choice.groups_of(of(first, SA).proposals)
    assert not errors(answer)


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_the_keys_come_of_sk_d_both_nonces_and_the_new_secret(end: str) -> None:
    """Computed here from what the messages and the key log say; each of them counts, and the new secret too."""
    for esp in (PFS, "aes256gcm16"):
        pair = established(connections=policies(esp=esp))
        command(pair, end, sa.CreateChild("web"))
        asked, answered = messages(pair, CREATE)
        made = outputs(pair, sa.Install, end=end)[-1].child
        keys = outputs(pair, sa.NewKeys, end=end)[-1]
        crypto = pair.ends[end].environment.crypto
        ni, nr = of(asked, Nonce).data, of(answered, Nonce).data
        without = schedule.child_keys(crypto, keys.suite.prf, keys.keys.sk_d, ni, nr, made.suite)
        assert (made.keys == without) is (esp != PFS)
        for other in ((ni, ni, nr), (keys.keys.sk_d, nr, nr), (keys.keys.sk_d, ni, ni)):
            assert schedule.child_keys(crypto, keys.suite.prf, *other, made.suite) != without
        theirs = outputs(pair, sa.Install, end=PEER[end])[-1].child
        assert made.keys == theirs.keys


# Section 1.3.1


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("esp", [PFS, "aes256gcm16"])
def test_s1_3_1_what_a_new_child_sa_takes(esp: str, end: str) -> None:
    pair = established(connections=policies(esp=esp))
    command(pair, end, sa.CreateChild("web"))
    asked, answered = messages(pair, CREATE)
    key_exchange = ["KE"] if esp == PFS else []
    assert kinds(asked) == kinds(answered) == ["SA", "Nonce", *key_exchange, "TSi", "TSr"]
    assert answered.message_id == asked.message_id


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_1_no_key_exchange_is_answered_where_none_is_chosen(end: str) -> None:
    """A peer offers NONE too, and a responder without forward secrecy chooses that: no KEr, though KEi was there."""
    pair = established(connections=policies(only=PEER[end], child={"proposals": proposals.parse(f"{PFS}-none", 3)}))
    command(pair, PEER[end], sa.CreateChild("web"))
    asked, answered = messages(pair, CREATE)
    assert "KE" in kinds(asked)
    assert kinds(answered) == ["SA", "Nonce", "TSi", "TSr"]
    assert len(pair.children(end)) == 2


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_1_the_answered_selectors_are_those_of_the_child_sa(end: str) -> None:
    """Policy of the responder is narrower."""
    narrow = (addresses.from_text("10.1.1.0/24" if PEER[end] == A else "10.2.1.0/24"),)
    pair = established(connections=policies(only=PEER[end], child={"local_ts": narrow}))
    command(pair, end, sa.CreateChild("web"))
    asked, answered = messages(pair, CREATE)
    assert (of(answered, TSi), of(answered, TSr)) == (of(asked, TSi), TSr(narrow))
    assert of(asked, TSr) != TSr(narrow)
    ours, theirs = pair.children(end)[1], pair.children(PEER[end])[1]
    assert ours.remote_ts == theirs.local_ts == narrow
    assert ours.local_ts == theirs.remote_ts == of(asked, TSi).selectors


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_1_tunnel_mode_is_the_default(end: str) -> None:
    pair = established()
    command(pair, end, sa.CreateChild("web"))
    assert all("N(USE_TRANSPORT_MODE)" not in kinds(message) for message in messages(pair))
    assert [child.transport for end in ENDS for child in pair.children(end)] == [False] * 4


# Section 1.3.2


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_2_what_a_rekey_of_the_ike_sa_takes(end: str) -> None:
    """SPIs of 8 octets in the proposals, KE always, no selectors."""
    pair = established()
    command(pair, end, sa.RekeyIke())
    asked, answered = messages(pair, CREATE)
    assert kinds(asked) == kinds(answered) == ["SA", "Nonce", "KE"]
    heir = pair.ikes(PEER[end])[-1]
    assert {proposal.spi for proposal in of(asked, SA).proposals} == {heir.spi_i}
    assert [proposal.spi for proposal in of(answered, SA).proposals] == [heir.spi_r]
    assert (heir.spi_i, heir.spi_r) == (pair.ikes(end)[-1].spi_i, pair.ikes(end)[-1].spi_r)


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_2_counters_of_the_new_and_of_the_old_ike_sa(end: str) -> None:
    """The new one begins at 0 in both directions, who rekeyed is its original initiator, and the old one goes on."""
    pair = established()
    command(pair, end, sa.CheckLiveness())
    (old,) = pair.ikes(end)
    command(pair, end, sa.RekeyIke())
    (heir,) = pair.ikes(end)
    since = len(pair.past)
    for each in (end, PEER[end]):
        command(pair, each, sa.CheckLiveness())
    new = [f.message for f in pair.past[since:] if f.message is not None]
    assert [message.message_id for message in new] == [0, 0, 0, 0]
    assert [message.flags & 8 for message in new] == [8, 0, 0, 8]
    assert (heir.initiator, heir.window, heir.peer_window) == (True, 1, 1)
    (deleted,) = (m for m in messages(pair, 37, response=False) if kinds(m) == ["D"])
    assert (deleted.spi_i, deleted.message_id) == (old.spi_i, old.next_request + 1)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("which", ["who asks", "who answers"])
def test_s1_3_2_nothing_is_created_on_an_ike_sa_that_is_rekeyed(which: str, end: str) -> None:
    """Although the window has room for more: the request waits, and goes on the new IKE SA."""
    pair = established(settings=Settings(window_size=4))
    (old,) = pair.ikes(end)
    pair.command(end, sa.RekeyIke())
    creator = end if which == "who asks" else PEER[end]
    if creator != end:
        pair.deliver(pair.flying[0])
    pair.command(creator, sa.CreateChild("web"))
    pair.deliver_all()
    (asked,) = (m for m in messages(pair, CREATE, response=False) if "TSi" in kinds(m))
    assert asked.spi_i != old.spi_i
    assert len(pair.children(end)) == 2


# Section 1.3.3


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("esp", [PFS, "aes256gcm16", "AH"])
def test_s1_3_3_what_a_rekey_of_a_child_sa_takes(esp: str, end: str) -> None:
    """REKEY_SA names the old one by the SPI that who asks receives on, with its protocol and without data."""
    connections = policies(child={"proposals": AH}) if esp == "AH" else policies(esp=esp)
    pair = established(connections=connections)
    (old,) = pair.children(end)
    command(pair, end, sa.RekeyChild(old.spi_in))
    asked, answered = messages(pair, CREATE)
    key_exchange = ["KE"] if esp == PFS else []
    assert kinds(asked) == ["N(REKEY_SA)", "SA", "Nonce", *key_exchange, "TSi", "TSr"]
    assert kinds(answered) == ["SA", "Nonce", *key_exchange, "TSi", "TSr"]
    assert asked.payloads[0] == N(NotifyType.REKEY_SA, b"", 2 if esp == "AH" else 3, old.spi_in)


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_3_selectors_of_a_rekey_may_be_less_than_was_offered(end: str) -> None:
    """But not less than in use: the asker's policy is wider than what was agreed."""
    narrow = (addresses.from_text("10.1.1.0/24" if PEER[end] == A else "10.2.1.0/24"),)
    pair = established(connections=policies(only=PEER[end], child={"local_ts": narrow}))
    (old,) = pair.children(end)
    command(pair, end, sa.RekeyChild(old.spi_in))
    asked, answered = messages(pair, CREATE)
    assert of(asked, TSr) != of(answered, TSr) == TSr(narrow)
    (new,) = pair.children(end)
    assert new.remote_ts == narrow
    assert not outputs(pair, sa.Failed)


@pytest.mark.parametrize("end", ENDS)
def test_s1_3_3_a_rekey_says_again_what_was_said_of_mode_and_features(end: str) -> None:
    local = dict.fromkeys(ENDS, ())
    features = {"local_ts": local[A], "remote_ts": (), "mode": "transport", "tfc_padding": False}
    pair = established(connections=policies(child=features | {"non_first_fragments": True, "ipcomp": (2,)}))
    (old,) = pair.children(end)
    first = [each for each in kinds(messages(pair, 35, response=False)[0]) if each.startswith("N(")]
    command(pair, end, sa.RekeyChild(old.spi_in))
    asked, answered = messages(pair, CREATE)
    notified = ["N(USE_TRANSPORT_MODE)", "N(IPCOMP_SUPPORTED)", "N(NON_FIRST_FRAGMENTS_ALSO)"]
    notified.append("N(ESP_TFC_PADDING_NOT_SUPPORTED)")
    assert first == notified
    assert [each for each in kinds(asked) if each.startswith("N(")] == ["N(REKEY_SA)", *notified]
    assert [each for each in kinds(answered) if each.startswith("N(")] == notified
    (new,) = pair.children(end)
    assert (new.transport, new.options._replace(ipcomp=None)) == (True, old.options._replace(ipcomp=None))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "words",
    ["aes128-sha256, aes256gcm16", "aes128gcm16-aes256gcm16-esn-noesn", "aes128-aes256-sha512-sha256-x25519-none"],
)
@pytest.mark.parametrize("first", ENDS)
def test_s1_7_a_rekeyed_child_sa_keeps_selectors_and_algorithms(first: str, words: str, end: str) -> None:
    """Although the policy of either end, asked first, would choose otherwise than that of the other; and wants less."""
    backwards = ", ".join("-".join(reversed(each.split("-"))) for each in reversed(words.split(", ")))
    connections = {end: connection(end, esp=words if end == first else backwards) for end in ENDS}
    wide = replace(connections[first].children[0], local_ts=(ANY4,), remote_ts=(ANY4,))
    connections[first] = replace(connections[first], children=(wide, *connections[first].children[1:]))
    pair = established(connections=connections)
    (old,) = pair.children(end)
    command(pair, end, sa.RekeyChild(old.spi_in))
    (new,) = pair.children(end)
    assert (new.local_ts, new.remote_ts, new.suite._replace(group=0), new.transport) == (
        old.local_ts,
        old.remote_ts,
        old.suite,
        old.transport,
    )
    assert new.spi_in != old.spi_in


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_a_rekey_asks_for_the_algorithms_in_use_first(end: str) -> None:
    """Others follow, for a peer that does not have these any more."""
    pair = established(
        connections=policies(esp="aes128-aes256-sha256, aes256gcm16", only="A")
        | {B: connection(B, esp="aes256-sha256")}
    )
    (old,) = pair.children(end)
    assert (old.suite.encr, old.suite.key_bits) == (Encr.AES_CBC, 256)
    command(pair, end, sa.RekeyChild(old.spi_in))
    asked = next(message for message in messages(pair, CREATE) if not message.is_response)
    lengths = [
        [t.key_length for t in each.transforms if t.type == TransformType.ENCR] for each in of(asked, SA).proposals
    ]
    assert lengths == ([[256], [128, 256], [256]] if end == A else [[256]])
