"""An end that starts anew, and an IKE SA at the end of its message IDs (Sections 2.2 and 2.4)."""

from typing import Any

import pytest
from ikeref_properties.network import ENDS, A, B, Pair, connection

from ikeref import sa
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Connection
from ikeref.policy.identities import parse
from ikeref.sa import Closed, InitialContact, Phase, Remove, window


def pair(**fields: Any) -> Pair:
    connections: dict[str, Connection] = {}
    for end in ENDS:
        plain = connection(end)
        values = {name: getattr(plain, name) for name in Connection.__dataclass_fields__}
        connections[end] = Connection(**(values | fields))
    return Pair(connections=connections)


def restart(network: Pair, end: str) -> None:
    """That end loses all that it knew."""
    old = network.ends[end].environment
    network.ends[end] = Endpoint(old.connections, old.crypto, old.random, old.settings)


def establish(network: Pair) -> None:
    network.initiate(A)
    network.deliver_all()


def test_s2_4_initial_contact_after_a_restart_ends_what_the_peer_still_has() -> None:
    network = pair(initial_contact=True)
    establish(network)
    (stale,) = network.ends[B].sessions
    restart(network, A)
    establish(network)
    assert stale not in network.ends[B].sessions
    assert len(network.ends[B].sessions) == 1
    outputs = [output for record in network.records for output in record.outputs]
    assert InitialContact(parse("b.example"), parse("a.example")) in outputs
    assert any(type(output) is Closed and "INITIAL_CONTACT" in output.reason for output in outputs)
    assert sum(type(output) is Remove for output in outputs) == 2


def test_s2_4_without_initial_contact_the_stale_ike_sa_stays() -> None:
    network = pair()
    establish(network)
    restart(network, A)
    establish(network)
    assert len(network.ends[B].sessions) == 2


def test_s2_4_initial_contact_is_not_said_of_a_second_ike_sa() -> None:
    network = pair(initial_contact=True)
    establish(network)
    establish(network)
    assert len(network.ends[A].sessions) == len(network.ends[B].sessions) == 2


def test_s2_4_initial_contact_of_one_identity_ends_nothing_of_another() -> None:
    network = pair(initial_contact=True)
    establish(network)
    (number, session) = next(iter(network.ends[B].sessions.items()))
    network.ends[B].sessions[number] = session._replace(peer=parse("c.example"))
    restart(network, A)
    establish(network)
    assert any(type(output) is InitialContact for output in network.records[-1].outputs + network.records[-2].outputs)
    assert number in network.ends[B].sessions


def test_s2_4_initial_contact_before_authentication_ends_nothing() -> None:
    network = pair(initial_contact=True)
    establish(network)
    restart(network, A)
    values = {name: getattr(network.connections[A], name) for name in Connection.__dataclass_fields__}
    wrong = connection(A, secret=b"not the secret")
    network.connections[A] = Connection(**(values | {"local_auth": wrong.local_auth}))
    establish(network)
    assert next(session.ikes[0].phase for session in network.ends[B].sessions.values()) is Phase.ESTABLISHED


def at(network: Pair, end: str, message_id: int) -> None:
    """Put an end's next request, and what its peer expects, at a message ID."""
    for who, field in ((end, "next_request"), (B if end == A else A, "expected")):
        ((number, session),) = network.ends[who].sessions.items()
        ike = session.ikes[0]
        ike = ike._replace(next_request=message_id) if field == "next_request" else ike._replace(expected=message_id)
        network.ends[who].sessions[number] = session._replace(ikes=(ike,))


@pytest.mark.parametrize("end", ENDS)
def test_s2_2_an_ike_sa_is_rekeyed_before_its_message_ids_are_used_up(end: str) -> None:
    network = pair()
    establish(network)
    at(network, end, window.RENEWAL)
    network.command(end, sa.CheckLiveness())
    network.settle()
    for who in ENDS:
        (session,) = network.ends[who].sessions.values()
        current = session.current
        assert current is not None
        assert current.next_request <= 2
        assert len(session.children) == 1


def test_s2_2_an_ike_sa_whose_message_ids_are_used_up_is_closed() -> None:
    network = pair()
    establish(network)
    at(network, A, window.LAST_MESSAGE_ID + 1)
    network.command(A, sa.CheckLiveness())
    network.deliver_all()
    assert not network.ends[A].sessions


def test_s2_2_an_ike_sa_with_message_ids_left_goes_on() -> None:
    network = pair()
    establish(network)
    at(network, A, window.RENEWAL - 2)
    network.command(A, sa.CheckLiveness())
    network.deliver_all()
    (session,) = network.ends[A].sessions.values()
    assert session.ikes[0].next_request == window.RENEWAL - 1
