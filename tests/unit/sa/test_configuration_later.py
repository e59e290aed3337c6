"""Configuration payloads by INFORMATIONAL (Sections 2.20, 3.15)."""

from dataclasses import replace

import pytest
from ikeref_properties.network import A, B, Pair, connection

from ikeref import sa
from ikeref.errors import LocalProtocolError
from ikeref.registry import CfgAttribute, CfgType, ExchangeType
from ikeref.sa import configuration, informational
from ikeref.wire import CP, CfgAttr
from tests.unit.sa.test_configuration import (
    DNS4,
    IP4,
    IP6,
    POOL,
    VERSION,
    asking,
    auth,
    configured,
    failures,
    giving,
    internal,
    message,
    pair,
    values,
)


def ask(made: Pair, *asked: CfgAttr) -> CP:
    made.command(A, sa.AskConfiguration(asked))
    made.settle()
    return configured(message(made, ExchangeType.INFORMATIONAL, response=True, end=B))


@pytest.mark.parametrize(("said", "answered"), [("ikeref 1", [b"ikeref 1"]), ("", [b""])])
def test_s2_20_the_version_is_told_or_an_empty_string_is(said: str, answered: list[bytes]) -> None:
    """7296-2.20-01, 7296-2.20-02, 7296-2.20-03."""
    made = pair(connection(A), replace(connection(B), application_version=said))
    assert values(ask(made, CfgAttr(VERSION)), VERSION) == answered
    told = [each for record in made.records for each in record.outputs if type(each) is sa.Configured]
    assert [each.internal.attributes for each in told] == [(CfgAttr(VERSION, answered[0]),)]
    assert [each.internal for each in (*made.sessions(A), *made.sessions(B))] == [None, None]


def test_s3_15_1_supported_attributes_are_listed() -> None:
    """7296-3.15.1-28, 7296-3.15.1-29."""
    made = pair(connection(A), connection(B))
    (found,) = values(ask(made, CfgAttr(CfgAttribute.SUPPORTED_ATTRIBUTES)), CfgAttribute.SUPPORTED_ATTRIBUTES)
    listed = {int.from_bytes(found[place : place + 2]) for place in range(0, len(found), 2)}
    assert listed == {1, 2, 3, 4, 6, 7, 8, 10, 12, 13, 14, 15}


def test_s3_15_asking_again_gives_the_same_address() -> None:
    made = pair(asking("ipv4"), giving(POOL))
    assert values(ask(made, CfgAttr(IP4)), IP4) == [bytes((10, 9, 0, 1))]
    assert values(ask(made, CfgAttr(IP6)), IP4) == [bytes((10, 9, 0, 1))]
    assert [len(each) for each in internal(made, A).packed] == [16, 4]


def test_s2_19_who_was_given_an_address_gives_none_in_return() -> None:
    """Each of two ends has a pool; whoever asked first is the guest."""
    made = pair(replace(asking("ipv4"), pools=(POOL,)), giving(POOL))
    made.command(B, sa.AskConfiguration((CfgAttr(IP4),)))
    made.settle()
    reply = configured(message(made, ExchangeType.INFORMATIONAL, response=True, end=A))
    assert not values(reply, IP4)
    assert internal(made, A).ours
    assert not internal(made, B).ours


def test_s3_15_1_nothing_of_cfg_set_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-3.15.1-38, 7296-3.15.1-39, 7296-3.15.1-40, 7296-3.15.1-41: the acknowledgement is empty, and that is all."""
    made = pair(connection(A), connection(B))
    monkeypatch.setattr(informational, "CfgType", type("Other", (), {"REQUEST": CfgType.SET}))
    assert ask(made, CfgAttr(DNS4, bytes(4))) == CP(CfgType.ACK)
    assert failures(made, A) == ["the peer does not answer such requests"]
    told = [each for record in made.records for each in record.outputs if type(each) is sa.Configured]
    assert (told, made.sessions(B)[0].internal) == ([], None)


def test_s2_19_a_command_without_anything_to_ask_is_refused() -> None:
    made = pair(connection(A), connection(B))
    with pytest.raises(LocalProtocolError, match="nothing to ask for"):
        made.command(A, sa.AskConfiguration())


def test_a_reply_that_nobody_asked_for_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "answer", lambda *_: (CP(CfgType.REPLY, (CfgAttr(IP4, bytes(4)),)),))
    made = pair(connection(A), connection(B))
    assert made.sessions(A)[0].internal is None
    assert any(type(each) is CP for each in auth(made, response=True).payloads)
