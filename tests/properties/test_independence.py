"""IKE SAs of one endpoint do not influence one another (Sections 2.4, 2.6): each is as if it were alone.

An endpoint has an IKE SA with each of two peers, and both are driven in any order. Every output of the one session is
the same, to the octet, as in a run in which nothing happens to the other one.
"""

from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from ikeref_properties.network import A, B, connection

from ikeref import sa
from ikeref.crypto.free import FreeCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.policy import identities
from ikeref.policy.connections import Connection
from ikeref.sa import Output, Path, Transmit

HUB = ("192.0.2.1", 500)
PEERS = (("192.0.2.11", 500), ("192.0.2.12", 500))
COMMANDS = ("create", "rekey child", "rekey IKE", "delete child", "liveness", "delete IKE", "again")


class Act(NamedTuple):
    """What happens to one of the two sessions."""

    who: int
    what: str
    """A command to the hub's side, or what the network does: deliver, duplicate, lose, or restart the peer."""
    which: int = 0
    pause: float = 0.0371
    """Seconds before it."""


def policy(number: int, *, hub: bool) -> Connection:
    """Between the hub and the peer of that number."""
    plain = connection(A if hub else B)
    names = identities.parse("hub.example"), identities.parse(f"peer{number}.example")
    local, remote = names if hub else names[::-1]
    address = PEERS[number][0] if hub else HUB[0]
    return replace(plain, local_id=local, remote_id=remote, remote_address=address, initial_contact=True)


class Star:
    """A hub and two peers. Every session draws from a source of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.who = 0
        self.sources = [Random(0), Random(1)]
        self.own = Random(2)
        self.hub = Endpoint(tuple(policy(n, hub=True) for n in (0, 1)), FreeCrypto(), self.own.randbytes)
        self.hub.environment = self.hub.environment._replace(random=self.draw)
        self.peers = [self.peer(n) for n in (0, 1)]
        self.numbers: dict[int, int] = {}
        """Which session of the hub is with whom."""
        self.flying: list[list[tuple[bool, bytes]]] = [[], []]
        """By peer: whether to the hub, and the datagram."""
        self.seen: tuple[list[Output], list[Output]] = ([], [])

    def draw(self, octets: int) -> bytes:
        return self.sources[self.who].randbytes(octets)

    def peer(self, number: int) -> Endpoint:
        return Endpoint((policy(number, hub=False),), FreeCrypto(), Random(number + 3).randbytes)

    def path(self, who: int, *, hub: bool) -> Path:
        return Path(HUB, PEERS[who]) if hub else Path(PEERS[who], HUB)

    def at_hub(self, who: int, outputs: tuple[Output, ...]) -> None:
        self.seen[who].extend(outputs)
        for output in outputs:
            if type(output) is Transmit:
                to = PEERS.index(output.path.remote)
                self.flying[to].append((False, output.datagram))

    def at_peer(self, who: int, outputs: tuple[Output, ...]) -> None:
        self.flying[who] += [(True, output.datagram) for output in outputs if type(output) is Transmit]

    def begin(self, who: int) -> None:
        self.who = who
        number, outputs = self.hub.initiate(policy(who, hub=True), self.path(who, hub=True), self.now)
        self.numbers[number] = who
        self.at_hub(who, outputs)

    def perform(self, act: Act) -> None:
        self.who = who = act.who
        flying = self.flying[who]
        if act.what in ("deliver", "duplicate", "lose"):
            if flying:
                at = act.which % len(flying)
                to_hub, datagram = flying[at]
                if act.what != "duplicate":
                    del flying[at]
                if act.what != "lose":
                    self.deliver(who, to_hub, datagram)
        elif act.what == "again":
            self.peers[who] = self.peer(who)
            self.at_peer(who, self.peers[who].initiate(policy(who, hub=False), self.path(who, hub=False), self.now)[1])
        else:
            self.command(who, act)

    def deliver(self, who: int, to_hub: bool, datagram: bytes) -> None:
        if to_hub:
            self.at_hub(who, self.hub.receive(datagram, self.path(who, hub=True), self.now))
        else:
            self.at_peer(who, self.peers[who].receive(datagram, self.path(who, hub=False), self.now))

    def command(self, who: int, act: Act) -> None:
        for number, session in list(self.hub.sessions.items()):
            if session.connection.remote_address != PEERS[who][0]:
                continue
            spi = session.children[act.which % len(session.children)].spi_in if session.children else b""
            commands: dict[str, sa.Command] = {
                "create": sa.CreateChild("web"),
                "rekey child": sa.RekeyChild(spi),
                "rekey IKE": sa.RekeyIke(),
                "delete child": sa.DeleteChild(spi),
                "liveness": sa.CheckLiveness(),
                "delete IKE": sa.DeleteIke(),
            }
            with suppress(LocalProtocolError):
                self.at_hub(who, self.hub.command(number, commands[act.what], self.now))
            return

    def wait(self, until: float) -> None:
        """Time goes on at the hub, from one deadline to the next."""
        while (due := self.hub.next_deadline()) is not None and due <= until:
            self.now = due
            session = self.hub.sessions[self.hub._deadlines[0][1]]
            self.who = [address for address, _ in PEERS].index(session.connection.remote_address or "")
            self.at_hub(self.who, self.hub.timer(due))
        self.now = until


def run(acts: list[Act], only: tuple[int, ...]) -> Star:
    """The acts of some sessions, each at its own time."""
    star = Star()
    for who in (0, 1):
        star.now = 0.1 * who
        if who in only:
            star.begin(who)
    now = 0.2
    for act in acts:
        now += act.pause
        star.wait(now)
        if act.who in only:
            star.perform(act)
    star.wait(star.now + 40)
    return star


ACTS = st.builds(
    Act,
    st.integers(0, 1),
    st.sampled_from(("deliver",) * 6 + ("duplicate", "lose") + COMMANDS),
    st.integers(0, 2),
    st.sampled_from((0.0371, 0.0373, 0.7319)),
)
BEGINNING = [Act(who, "deliver") for _ in range(4) for who in (0, 1)]
SEARCH = settings(max_examples=100, deadline=None, derandomize=True, database=None)


@SEARCH
@given(st.lists(ACTS, max_size=40))
def test_s2_6_each_of_two_ike_sas_is_as_if_alone(acts: list[Act]) -> None:
    together = run(BEGINNING + acts, (0, 1))
    for who in (0, 1):
        alone = run(BEGINNING + acts, (who,))
        assert together.seen[who] == alone.seen[who]


def test_both_come_up_and_something_happens() -> None:
    star = run([*BEGINNING, Act(0, "rekey IKE"), *(Act(0, "deliver") for _ in range(6))], (0, 1))
    kinds = [[type(output) for output in seen] for seen in star.seen]
    assert all(sa.Established in seen and sa.Install in seen for seen in kinds)
    assert kinds[0].count(sa.Established) == 2


def test_a_shared_source_of_numbers_would_be_found() -> None:
    """The twin: one source for both sessions, so that what one draws the other does not get."""
    acts = [*BEGINNING, Act(0, "rekey IKE"), Act(1, "rekey IKE")]
    together = run(acts, (0, 1))
    shared = Star()
    shared.sources[1] = shared.sources[0]
    for who in (0, 1):
        shared.now = 0.1 * who
        shared.begin(who)
    assert shared.seen[1] != together.seen[1][: len(shared.seen[1])]
