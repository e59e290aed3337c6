"""What packets ask of a running endpoint, at whatever moment (Sections 2.8 and 2.9)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

from rich.console import Console

from ikeref.cli.live.program import Plan, Program
from ikeref.cli.live.tell import Teller
from ikeref.esp import inner
from ikeref.net.transport import Event, Sent
from ikeref.policy.connections import Configuration, Settings
from tests.unit.esp.test_carrier import THERE, Wire


def asked(wire: Wire, ask: Callable[[Program], None]) -> int:
    """How many datagrams leave when a program, which has this end's IKE SA, is asked something."""
    sent: list[Sent] = []

    async def run() -> None:
        def observe(event: Event, _: float) -> None:
            sent.extend([event] if isinstance(event, Sent) else [])

        teller = Teller(Console(file=StringIO()))
        program = Program(Plan(Configuration((wire.a.connection,), Settings()), None), teller, (observe,))
        program._endpoint = program._node.endpoint = wire.a.endpoint
        ask(program)
        await program._node.close()

    asyncio.run(run())
    return len(sent)


def test_s2_8_a_worn_child_sa_is_rekeyed_once_however_often_it_is_told() -> None:
    wire = Wire()
    child = wire.child
    assert asked(wire, lambda program: program._rekey(child)) == 1
    assert asked(wire, lambda program: program._rekey(child)) == 0  # under way
    assert asked(wire, lambda program: program._rekey(b"gone")) == 0


def test_s2_9_a_packet_asks_where_policy_has_a_child_sa_to_be_asked_for() -> None:
    packet = inner.read(THERE)
    wire = Wire()
    assert asked(wire, lambda program: program._create(packet)) == 0  # it is begun with the IKE SA, not by packets
    (number,) = wire.a.endpoint.sessions
    session = wire.a.endpoint.sessions[number]
    later = replace(session.connection, children=(replace(session.connection.children[0], start=False),))
    wire.a.endpoint.sessions[number] = session._replace(connection=later)
    assert asked(wire, lambda program: program._create(packet._replace(source=packet.destination))) == 0
    assert asked(wire, lambda program: program._create(packet)) == 1
    assert asked(wire, lambda program: program._create(packet)) == 0  # under way
