"""Two ends that rekey without pause, and what must hold of them at every step and at rest (Sections 1.4.1, 2.8).

An `End` is an endpoint that keeps account of what it opens and closes. It is looked at after each step: whoever could
send on a Child SA can always do so, whatever is being rekeyed; nothing is opened twice or closed twice. At rest both
ends have one IKE SA, the same, and each Child SA once.
"""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path as File
from random import Random
from typing import NamedTuple

from ikeref_properties.network import ENDS, PEER, A, connection

from ikeref import sa
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.policy.connections import Connection, Settings
from ikeref.sa import Output, Path
from ikeref.wire import TrafficSelector

CHILDREN = ("net", "web")
SETTINGS = Settings(retransmit_initial_seconds=0.05, retransmit_base=1.1, retransmit_tries=40)
"""Where three datagrams of ten get lost, half of all tries fail: 41 of them fail once in 10^12 requests, and take 24 s,
less than a closed IKE SA goes on answering."""


def apart(end: str) -> Connection:
    """Policy of one end towards the other, with Child SAs for different protocols: each has its name at both ends."""
    policy = connection(end, children=CHILDREN, starting=1)
    children = [
        replace(child, local_ts=(only(child.local_ts[0], protocol),), remote_ts=(only(child.remote_ts[0], protocol),))
        for child, protocol in zip(policy.children, (6, 17), strict=True)
    ]
    return replace(policy, children=tuple(children))


def only(selector: TrafficSelector, protocol: int) -> TrafficSelector:
    """The same traffic as far as it is of one IP protocol."""
    return selector._replace(ip_protocol=protocol)


class Broken(AssertionError):
    """Something that must hold does not."""


class End:
    """An endpoint, and what it has open."""

    def __init__(self, name: str, settings: Settings = SETTINGS, *, policy: Connection | None = None) -> None:
        self.name = name
        self.policy = policy or apart(name)
        self.random = Random(f"end {name}")
        self.endpoint = Endpoint((self.policy,), RealCrypto(), self.random.randbytes, settings)
        self.open: dict[tuple[bool, bytes], tuple[str, bytes]] = {}
        """Directions: whether inbound, and SPI; of which Child SA, and the other SPI of the pair."""
        self.wanted: set[str] = set()
        """Child SAs that must be there from now on."""
        self.counts: Counter[str] = Counter()
        self.closed: list[str] = []
        """Why IKE SAs were closed."""
        self.broken: list[Broken] = []
        """What did not hold: an event loop goes on after an exception."""

    # What a node needs of an endpoint

    def initiate(self, policy: Connection, path: Path, now: float) -> tuple[int, tuple[Output, ...]]:
        number, outputs = self.endpoint.initiate(policy, path, now)
        return number, self._noted(outputs)

    def command(self, number: int, command: sa.Command, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.command(number, command, now))

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.receive(datagram, path, now))

    def timer(self, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.timer(now))

    def next_deadline(self) -> float | None:
        return self.endpoint.next_deadline()

    def heard(self, spi_in: bytes, path: Path, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.heard(spi_in, path, now))

    def hint(self, path: Path, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.hint(path, now))

    def unknown_spi(self, spi: bytes, path: Path, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.unknown_spi(spi, path, now))

    def fetched(self, answer: sa.Fetched, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.fetched(answer, now))

    def not_installed(self, spi_in: bytes, reason: str, now: float) -> tuple[Output, ...]:
        return self._noted(self.endpoint.not_installed(spi_in, reason, now))

    # Account

    def _noted(self, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        try:
            self._note(outputs)
        except Broken as broken:
            self.broken.append(broken)
            raise
        return outputs

    def _note(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            if type(output) is sa.Transmit:
                self.counts["sent again" if output.again else "sent"] += 1
            elif type(output) is sa.Install:
                self._install(output)
            elif type(output) is sa.Remove:
                self._remove(output)
            elif type(output) is sa.Established:
                self.counts["IKE SAs"] += 1
            elif type(output) is sa.Closed:
                self.closed.append(output.reason)
                del self.closed[:-20]
        able = self.able()
        lost = sorted(self.wanted - set(able))
        if lost:
            raise Broken(f"{self.name} can't send and receive on {lost}; closed: {self.closed}")

    def _install(self, output: sa.Install) -> None:
        child, inbound = output.child, output.inbound
        key = (inbound, child.spi_in if inbound else child.spi_out)
        if key in self.open:
            raise Broken(f"{self.name} opens {key[1].hex()} twice")
        self.open[key] = (child.name, child.spi_out if inbound else child.spi_in)
        self.counts["Child SAs"] += inbound

    def _remove(self, output: sa.Remove) -> None:
        child, inbound = output.child, output.inbound
        key = (inbound, child.spi_in if inbound else child.spi_out)
        if self.open.pop(key, None) is None:
            raise Broken(f"{self.name} closes {key[1].hex()}, which is not open")

    def able(self) -> Counter[str]:
        """Names of the Child SAs of which something is open in each direction, by how many pairs are whole."""
        found: Counter[str] = Counter()
        inbound = {name for (way, _), (name, _) in self.open.items() if way}
        for (way, _), (name, _) in self.open.items():
            if not way and name in inbound:
                found[name] += 1
        return found

    def act(self, random: Random, now: float) -> tuple[Output, ...]:
        """Rekey something, as chance has it: a Child SA, or at times the IKE SA. Nothing where that can't be now."""
        for number, session in self.endpoint.sessions.items():
            children = [child for child in session.children if child.state is sa.ChildState.OPEN]
            wanted: sa.Command = sa.RekeyIke()
            if children and random.random() < 0.6:
                wanted = sa.RekeyChild(random.choice(children).spi_in)
            try:
                return self.command(number, wanted, now)
            except LocalProtocolError:
                self.counts["not now"] += 1
        return ()


def is_at_rest(ends: Iterable[End]) -> bool:
    """Whether no end waits for anything but the end of a closed IKE SA."""
    return not any(
        session.retries
        or any(
            ike.outstanding or ike.queue or ike.phase not in (sa.Phase.ESTABLISHED, sa.Phase.CLOSED)
            for ike in session.ikes
        )
        for end in ends
        for session in end.endpoint.sessions.values()
    )


def check_rest(ends: dict[str, End]) -> None:
    """One IKE SA and each Child SA once, the same at both ends, and open as listed. Raises Broken."""
    ikes, pairs = {}, {}
    for name, end in ends.items():
        if end.broken:
            raise end.broken[0]
        sessions = [s for s in end.endpoint.sessions.values() if s.current is not None]
        if len(sessions) != 1:
            raise Broken(f"{name} has {len(sessions)} sessions")
        (session,) = sessions
        live = [ike for ike in session.ikes if ike.phase is not sa.Phase.CLOSED]
        if len(live) != 1:
            raise Broken(f"{name} has {len(live)} IKE SAs")
        ikes[name] = (live[0].spi_i, live[0].spi_r)
        if sorted(child.name for child in session.children) != sorted(CHILDREN):
            raise Broken(f"{name} has {[child.name for child in session.children]}")
        pairs[name] = {(child.name, child.spi_in, child.spi_out) for child in session.children}
        listed = {(True, child.spi_in) for child in session.children}
        listed |= {(False, child.spi_out) for child in session.children}
        if listed != set(end.open):
            raise Broken(f"{name} has open what it does not list, or the reverse")
    one, other = ENDS
    if ikes[one] != ikes[other]:
        raise Broken("the ends have different IKE SAs")
    if pairs[one] != {(name, spi_out, spi_in) for name, spi_in, spi_out in pairs[other]}:
        raise Broken("the ends have different Child SAs")


class Sample(NamedTuple):
    """How much there is, at a moment of rest."""

    seconds: float
    rekeys: int
    """Child SAs and IKE SAs made so far, by both ends, each counted once."""
    octets: int
    """Of memory that the process has resident."""
    objects: int
    """That Python's collector knows of."""


def sample(ends: dict[str, End], seconds: float) -> Sample:
    """A sample now."""
    gc.collect()
    counts = ends[A].counts
    return Sample(seconds, counts["Child SAs"] + counts["IKE SAs"], resident(), len(gc.get_objects()))


def resident() -> int:
    """Octets of memory that this process has resident."""
    status = File("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024


def grown(samples: list[Sample]) -> float:
    """By which factor the number of objects grew from the first quarter of a run to its last."""
    quarter = max(1, len(samples) // 4)
    first, last = samples[quarter - 1 : 2 * quarter], samples[-quarter:]
    return _mean(last) / _mean(first)


def _mean(samples: list[Sample]) -> float:
    return sum(each.objects for each in samples) / len(samples)


def lines(ends: dict[str, End], samples: list[Sample]) -> Iterator[str]:
    """A report."""
    yield f"{'seconds':>9} {'SAs made':>9} {'resident':>10} {'objects':>9}"
    for each in samples:
        yield f"{each.seconds:9.0f} {each.rekeys:9} {each.octets / 1e6:8.1f}MB {each.objects:9}"
    for name, end in ends.items():
        counted = ", ".join(f"{what} {count}" for what, count in sorted(end.counts.items()))
        yield f"{name} towards {PEER[name]}: {counted}"
    yield f"objects at the end, to those at the beginning: {grown(samples):.3f}"
