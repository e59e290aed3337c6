"""Rekeys without pause over a network that loses three datagrams of ten (Sections 2.1, 2.4, 2.8).

    python -m tests.hardness.soak --seconds 3600              # on UDP sockets of this machine, an hour
    python -m tests.hardness.soak --seconds 36000 --simulated # ten hours of a simulated clock, as fast as it goes

Both ends rekey Child SAs and the IKE SA as chance has it, for some seconds; then they may come to rest, and all is
looked at: `tests.hardness.soak_ends` says what must hold. Exit status 1 where something does not, or memory grows.
"""

import argparse
import asyncio
import heapq
import sys
import time
from dataclasses import replace
from random import Random

from ikeref_properties.network import ADDRESS, ENDS, PEER, A

from ikeref import sa
from ikeref.net.disturb import Disturbance, Profile
from ikeref.net.transport import Bind, Node
from ikeref.policy.connections import Connection
from ikeref.sa import Output, Path, Transmit
from tests.hardness.soak_ends import CHILDREN, Broken, End, Sample, check_rest, grown, is_at_rest, lines, sample

BUSY_SECONDS = 20.0
"""How long the ends rekey before they may rest."""
PAUSE_SECONDS = 0.5
"""Between two commands of an end, on average."""
GROWTH = 1.1
"""How many more objects there may be at the end."""
REST_SECONDS = 120.0
"""Within which the ends must come to rest."""


class Simulation:
    """Two ends, a network with delay and loss, and a clock that jumps from one event to the next."""

    def __init__(self, seed: int, loss: float, delay: float = 0.02) -> None:
        self.random = Random(seed)
        self.loss, self.delay = loss, delay
        self.now = 0.0
        self.ends = {name: End(name) for name in ENDS}
        self.lost = 0
        self._events: list[tuple[float, int, str, Transmit]] = []
        self._count = 0

    def start(self) -> None:
        """Bring up the IKE SA and both Child SAs."""
        end = self.ends[A]
        number, outputs = end.initiate(end.policy, Path(ADDRESS[A], ADDRESS[PEER[A]]), self.now)
        self._send(A, outputs)
        self.rest()
        self._send(A, end.command(number, sa.CreateChild(CHILDREN[1]), self.now))
        self.rest()
        for each in self.ends.values():
            each.wanted = set(CHILDREN)

    def busy(self, seconds: float) -> None:
        """Both ends rekey for so many seconds."""
        until = self.now + seconds
        next_act = {name: self.now + self._pause() for name in ENDS}
        while self.now < until:
            name = min(next_act, key=lambda each: next_act[each])
            self._run(next_act[name])
            self._send(name, self.ends[name].act(self.random, self.now))
            next_act[name] = self.now + self._pause()

    def rest(self) -> None:
        """Let the ends finish what they have begun. Raises Broken where they never do."""
        until = self.now + REST_SECONDS
        while not (is_at_rest(self.ends.values()) and not self._events):
            if self.now > until:
                raise Broken("the ends do not come to rest")
            due = self._due()
            if due is None:
                raise Broken("the ends wait for nothing")
            self._run(due)
        if not all(end.endpoint.sessions for end in self.ends.values()):
            raise Broken(f"an IKE SA is lost: {[end.closed for end in self.ends.values()]}")

    def _pause(self) -> float:
        return self.random.expovariate(1 / PAUSE_SECONDS)

    def _due(self) -> float | None:
        due = [deadline for end in self.ends.values() if (deadline := end.next_deadline()) is not None]
        due += [self._events[0][0]] if self._events else []
        return min(due, default=None)

    def _run(self, until: float) -> None:
        """All that happens by then."""
        while (due := self._due()) is not None and due <= until:
            self.now = max(self.now, due)
            if self._events and self._events[0][0] <= due:
                _, _, name, item = heapq.heappop(self._events)
                path = Path(item.path.remote, item.path.local, item.path.encapsulated)
                self._send(name, self.ends[name].receive(item.datagram, path, self.now))
            for name, end in self.ends.items():
                deadline = end.next_deadline()
                if deadline is not None and deadline <= self.now:
                    self._send(name, end.timer(self.now))
        self.now = max(self.now, until)

    def _send(self, name: str, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            if type(output) is Transmit:
                if self.random.random() < self.loss:
                    self.lost += 1
                    continue
                self._count += 1
                at = self.now + self.delay * (0.5 + self.random.random())
                heapq.heappush(self._events, (at, self._count, PEER[name], output))


def simulated(
    seconds: float, *, seed: int = 1, loss: float = 0.3, samples: int = 60
) -> tuple[Simulation, list[Sample]]:
    """A run on a simulated clock. Raises Broken."""
    world = Simulation(seed, loss)
    world.start()
    taken: list[Sample] = []
    while world.now < seconds:
        world.busy(BUSY_SECONDS)
        world.rest()
        check_rest(world.ends)
        if world.now >= len(taken) * seconds / samples:
            taken.append(sample(world.ends, world.now))
    return world, taken


async def real(
    seconds: float, *, seed: int = 1, loss: float = 0.3, samples: int = 60
) -> tuple[dict[str, End], list[Sample]]:
    """A run over UDP sockets of this machine. Raises Broken."""
    random = Random(seed)
    ends = {name: End(name) for name in ENDS}
    nodes = {
        name: Node(end, disturbance=Disturbance(Profile(seed=seed + index, drop=loss)), data_plane=Nothing())
        for index, (name, end) in enumerate(ends.items())
    }
    places = {
        name: await node.start([Bind("127.0.0.1", 0, False), Bind("127.0.0.1", 0, True)])
        for name, node in nodes.items()
    }
    for name, end in ends.items():
        own, peer = places[name], places[PEER[name]]
        end.policy = with_ports(end.policy, own[1][1], peer[1][1])
        end.endpoint.environment = end.endpoint.environment._replace(connections=(end.policy,))
    began = time.monotonic()
    number = nodes[A].initiate(ends[A].policy, Path(places[A][0], places[PEER[A]][0]))
    await _rest(ends)
    nodes[A].command(number, sa.CreateChild(CHILDREN[1]))
    await _rest(ends)
    for end in ends.values():
        end.wanted = set(CHILDREN)
    taken: list[Sample] = []
    while (passed := time.monotonic() - began) < seconds:
        until = time.monotonic() + min(BUSY_SECONDS, seconds - passed)
        while time.monotonic() < until:
            name = random.choice(ENDS)
            node = nodes[name]
            node._perform(ends[name].act(random, time.monotonic()))
            await asyncio.sleep(random.expovariate(2 / PAUSE_SECONDS))
        await _rest(ends)
        check_rest(ends)
        if time.monotonic() - began >= len(taken) * seconds / samples:
            taken.append(sample(ends, time.monotonic() - began))
            print(f"{taken[-1]}", flush=True)
    for node in nodes.values():
        await node.close()
    return ends, taken


class Nothing:
    """A data plane that keeps nothing: the ends keep account themselves."""

    def install(self, install: sa.Install) -> None:
        """Ignored."""

    def remove(self, remove: sa.Remove) -> None:
        """Ignored."""

    def moved(self, moved: sa.Moved) -> None:
        """Ignored."""

    def arrived(self, packet: bytes, path: sa.Path, ecn: int) -> None:
        """Ignored."""


async def _rest(ends: dict[str, End]) -> None:
    """Wait until nothing is under way, a moment after the last datagram."""
    until = time.monotonic() + REST_SECONDS
    quiet = 0
    while quiet < 3:
        if time.monotonic() > until:
            raise Broken("the ends do not come to rest")
        if any(end.broken or (end.closed and not end.endpoint.sessions) for end in ends.values()):
            raise Broken(f"{[(end.broken, end.closed) for end in ends.values()]}")
        up = all(end.endpoint.sessions for end in ends.values())
        quiet = quiet + 1 if up and is_at_rest(ends.values()) else 0
        await asyncio.sleep(0.02)


def with_ports(policy: Connection, own: int, peer: int) -> Connection:
    """The same policy, with these ports behind a NAT."""
    return replace(policy, local_nat_port=own, remote_nat_port=peer)


def main(arguments: list[str] | None = None) -> int:
    """Run as asked; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.hardness.soak", description="Rekeys without pause.")
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long, by the clock of the run (3600)")
    parser.add_argument("--loss", type=float, default=0.3, help="share of datagrams that get lost (0.3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--simulated", action="store_true", help="by a simulated clock, without sockets")
    asked = parser.parse_args(arguments)
    try:
        if asked.simulated:
            world, taken = simulated(asked.seconds, seed=asked.seed, loss=asked.loss)
            ends = world.ends
        else:
            ends, taken = asyncio.run(real(asked.seconds, seed=asked.seed, loss=asked.loss))
    except Broken as broken:
        print(f"BROKEN: {broken}", file=sys.stderr)
        return 1
    print("\n".join(lines(ends, taken)))
    growth = grown(taken)
    print("memory is flat" if growth <= GROWTH else f"MEMORY GROWS by {growth:.2f}")
    return int(growth > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
