"""The life that the tour tells: two endpoints, their policies, and what is asked of them stage by stage.

Sections 1.2 (IKE_SA_INIT, IKE_AUTH), 1.3.1 to 1.3.3 (CREATE_CHILD_SA), 1.4 (INFORMATIONAL) and 2.8 (rekeying).
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from ikeref.cli.tour.trace import Log, Quiescence, Recorder, Side, Trace
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.net.disturb import Disturbance, Profile
from ikeref.net.transport import Bind, Event, Node, Observer, Sent
from ikeref.policy import addresses, identities, proposals
from ikeref.policy.connections import ChildConfig, Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import ProtocolId
from ikeref.sa import (
    CheckLiveness,
    ChildState,
    Command,
    CreateChild,
    DeleteChild,
    DeleteIke,
    Path,
    Phase,
    RekeyChild,
    RekeyIke,
    Session,
    Transmit,
)

HOST = "127.0.0.1"
SECRET = Secret(b"ikeref tour")
"""Of two ends in one process that no packet leaves: no secret from anybody."""
TRAFFIC: dict[str, dict[Side, str]] = {
    "net": {Side.ALICE: "10.1.0.0/16", Side.BOB: "10.2.0.0/16"},
    "web": {Side.ALICE: "10.3.0.0/24", Side.BOB: "10.4.0.9[tcp/443]"},
}
"""Per Child SA, what each side has to carry."""
PATIENT = Settings(retransmit_initial_seconds=1.0, closed_linger_seconds=60)
"""Where nothing is lost, nothing has to be sent again, however busy the machine is."""
QUICK = Settings(retransmit_initial_seconds=0.06, retransmit_base=1.3, retransmit_tries=30, closed_linger_seconds=60)
"""On loopback an answer takes a millisecond; a disturbed network must not make the tour long."""
STAGE_SECONDS = 30.0
"""How long a stage may take before the tour says that it does not end."""

Ask = Callable[[Session], Command]
"""What to ask of an end, given its session."""
Factory = Callable[[Side, tuple[Connection, ...], Callable[[int], bytes], Settings], Endpoint]
"""Makes the endpoint of one side."""


class Options(NamedTuple):
    """What the user may choose."""

    ike_proposals: str = "aes256gcm16-prfsha256-x25519"
    esp_proposals: str = "aes256gcm16"
    encapsulate: bool = False
    """Pretend a NAT, so that IKE moves to the second port and bears the non-ESP marker (Section 2.23)."""
    profile: Profile = Profile()

    @property
    def disturbed(self) -> bool:
        return self.profile._replace(seed=0) != Profile()


class Stage(NamedTuple):
    """A part of the life: one command to one end, and what must have become of it."""

    title: str
    section: str
    side: Side
    ask: Ask | None
    """None: initiate the IKE SA."""
    summary: str


class Outcome(NamedTuple):
    """A tour as it went."""

    trace: Trace
    stages: tuple[Stage, ...]
    addresses: dict[Side, tuple[str, int]]
    unfinished: str
    """Why it did not come to its end; empty if it did."""
    seconds: float


def _child(name: str) -> Callable[[Session], bytes]:
    """The inbound SPI of the open Child SA of that name."""

    def find(session: Session) -> bytes:
        for child in session.children:
            if child.name == name and child.state is ChildState.OPEN:
                return child.spi_in
        raise LocalProtocolError(f"there is no open Child SA {name!r}", section="1.3")

    return find


STAGES: tuple[Stage, ...] = (
    Stage("Establish", "1.2", Side.ALICE, None, "an IKE SA, and with it the first Child SA, net"),
    Stage("Create", "1.3.1", Side.ALICE, lambda _: CreateChild("web"), "a second Child SA, web"),
    Stage(
        "Rekey Child SA",
        "1.3.3",
        Side.BOB,
        lambda session: RekeyChild(_child("net")(session)),
        "net gets new keys; the old pair is deleted",
    ),
    Stage("Rekey IKE SA", "1.3.2", Side.BOB, lambda _: RekeyIke(), "its successor inherits both Child SAs"),
    Stage("Check liveness", "1.4", Side.ALICE, lambda _: CheckLiveness(), "an empty INFORMATIONAL exchange"),
    Stage(
        "Delete Child SA",
        "1.4.1",
        Side.ALICE,
        lambda session: DeleteChild(_child("web")(session)),
        "web closes, both directions at both ends",
    ),
    Stage("Delete IKE SA", "1.4.1", Side.BOB, lambda _: DeleteIke(), "the IKE SA ends, and net with it"),
)


def default_factory(
    side: Side, connections: tuple[Connection, ...], random: Callable[[int], bytes], settings: Settings
) -> Endpoint:
    """A real endpoint on real cryptography."""
    del side
    return Endpoint(connections, RealCrypto(), random, settings)


async def live(
    options: Options,
    *,
    stages: Sequence[Stage] = STAGES,
    observers: Sequence[Observer] = (),
    factory: Factory = default_factory,
    stage_seconds: float = STAGE_SECONDS,
) -> Outcome:
    """Run the stages one after the other, each until both ends are at rest. OSError if there is no loopback UDP."""
    log = Log(time.monotonic)
    recorders = {side: Recorder(side, log) for side in Side}
    nodes = {side: _node(side, recorders[side], log, options, observers) for side in Side}
    settings = QUICK if options.disturbed else PATIENT
    unfinished = ""
    try:
        ports = {side: await nodes[side].start((Bind(HOST, 0, False), Bind(HOST, 0, True))) for side in Side}
        for side in Side:
            policy = _connection(side, ports, options)
            recorders[side].endpoint = factory(side, (policy,), os.urandom, settings)
        for index, stage in enumerate(stages):
            log.stage = index
            try:
                await _play(stage, nodes, recorders, ports, stage_seconds)
            except TimeoutError:
                unfinished = f"stage {index + 1} ({stage.title}) had not come to rest after {stage_seconds:g} seconds"
                break
            except LocalProtocolError as error:
                unfinished = f"stage {index + 1} ({stage.title}) could not begin: {error}"
                break
            sessions = {side: tuple(recorders[side].endpoint.sessions.values()) for side in Side}
            log.rests.append(Quiescence(len(log.moments), index, sessions))
    finally:
        for node in nodes.values():
            await node.close()
    return Outcome(log.trace(), tuple(stages), {side: ports[side][0] for side in Side}, unfinished, log.now())


def _node(side: Side, recorder: Recorder, log: Log, options: Options, observers: Sequence[Observer]) -> Node:
    def watch(event: Event, _at: float) -> None:
        if type(event) is Sent:
            log.sent(side, event.transmit, event.fate)

    disturbance: Disturbance[Transmit] | None = None
    if options.disturbed:
        # Each direction draws its own fates.
        seed = Random(f"{options.profile.seed} {side}").getrandbits(31)
        disturbance = Disturbance(options.profile._replace(seed=seed))
    return Node(recorder, observers=(watch, *observers), disturbance=disturbance)


def _connection(side: Side, ports: dict[Side, tuple[tuple[str, int], ...]], options: Options) -> Connection:
    """One side's policy towards the other."""
    esp = proposals.parse(options.esp_proposals, ProtocolId.ESP)
    (plain, nat), (peer_plain, peer_nat) = ports[side], ports[side.other]
    return Connection(
        name=f"to {side.other}",
        local_id=identities.parse(f"{side}.example"),
        remote_id=identities.parse(f"{side.other}.example"),
        local_auth=SECRET,
        remote_auth=SECRET,
        ike_proposals=proposals.parse(options.ike_proposals, ProtocolId.IKE),
        children=tuple(
            ChildConfig(
                name,
                esp,
                (addresses.from_text(traffic[side]),),
                (addresses.from_text(traffic[side.other]),),
                start=name == "net",
            )
            for name, traffic in TRAFFIC.items()
        ),
        local_port=plain[1],
        local_nat_port=nat[1],
        remote_port=peer_plain[1],
        remote_nat_port=peer_nat[1],
        force_encapsulation=options.encapsulate,
    )


async def _play(
    stage: Stage,
    nodes: dict[Side, Node],
    recorders: dict[Side, Recorder],
    ports: dict[Side, tuple[tuple[str, int], ...]],
    seconds: float,
) -> None:
    node, endpoint = nodes[stage.side], recorders[stage.side].endpoint
    if stage.ask is None:
        path = Path(ports[stage.side][0], ports[stage.side.other][0])
        node.initiate(endpoint.environment.connections[0], path)
    else:
        if not endpoint.sessions:
            raise LocalProtocolError("there is no IKE SA")
        number, session = next(reversed(endpoint.sessions.items()))
        node.command(number, stage.ask(session))
    deadline = time.monotonic() + seconds
    while not _at_rest(recorders):
        # Whatever happens at either end may be the last that has to.
        waits = [
            asyncio.ensure_future(each.wait_for(lambda: _at_rest(recorders), deadline - time.monotonic()))
            for each in nodes.values()
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def _at_rest(recorders: dict[Side, Recorder]) -> bool:
    """Whether neither end waits for anything: no exchange outstanding, nothing queued, no SA on its way in or out."""
    return all(is_quiet(session) for each in recorders.values() for session in each.endpoint.sessions.values())


def is_quiet(session: Session) -> bool:
    """Whether nothing is under way in a session."""
    ikes = all(
        ike.phase in (Phase.ESTABLISHED, Phase.CLOSED) and not ike.outstanding and not ike.queue for ike in session.ikes
    )
    return ikes and not session.retries and all(child.state is ChildState.OPEN for child in session.children)
