"""IKE_SA_INIT requests without end, from many addresses, at an endpoint that has other things to do (Section 2.6).

    python -m tests.hardness.flood --attempts 100000

Most come from forged addresses and never bring a cookie; some from real ones that do, and go no further; one address
tries alone as often as it can. Amid all that an established IKE SA is asked for its liveness and rekeyed from both
ends, and now and then an honest initiator comes. In the end all that is half open has expired, and nothing is left.
Times are of a simulated clock: 1000 attempts a second. Exit status 1 where something does not hold.
"""

import argparse
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ikeref_properties.network import ADDRESS, ENDS, A, B, Pair

from ikeref import sa, wire
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Path, Transmit
from ikeref.wire import Message, N
from tests.conformance.judging import residue
from tests.hardness.soak_ends import resident

PER_SECOND = 1000
BOTS = 5000
"""Real addresses that bring cookies."""


class Hurt(AssertionError):
    """Something that must hold under a flood does not."""


class Account(NamedTuple):
    """What a flood came to."""

    attempts: int
    seen: dict[str, int]
    most: int
    """Half-open IKE SAs at one time."""
    most_of_one: int
    """Of these from one address."""
    peak: int
    """Octets that Python held at most beyond what it held before; 0 where that was not measured."""
    grown: int
    """Octets by which resident memory grew."""
    seconds: float
    """Of processor time."""


class Flood:
    """The victim is B; A is its established peer."""

    def __init__(self, settings: Settings, seed: int = 1) -> None:
        self.pair = Pair(seed, crypto=RealCrypto, settings=settings).establish()
        self.victim: Endpoint = self.pair.ends[B]
        self.random = Random(seed)
        self.seen: Counter[str] = Counter()
        self.most = self.most_of_one = 0
        stranger = Pair(seed + 1, crypto=RealCrypto)
        stranger.initiate(A)
        self.template = wire.decode(stranger.flying[0].datagram)
        self.victim.next_deadline()
        self.before = residue(self.victim)

    def run(self, attempts: int, every: int = 1000) -> None:
        """So many attempts, with business of the peer's between them. Raises Hurt."""
        for number in range(attempts):
            self.pair.now += 1 / PER_SECOND
            self._attempt(number)
            self.most = max(self.most, self.victim.half_open)
            if number % every == 0:
                self.most_of_one = max(self.most_of_one, *self.victim._half_open_from.values(), 0)
                self.victim.timer(self.pair.now)
                self._business(number // every)
                self._honest()
        self._leave()

    # What comes

    def _attempt(self, number: int) -> None:
        sort = number % 10
        if sort < 6:
            address = f"198.{self.random.randrange(256)}.{self.random.randrange(256)}.{self.random.randrange(256)}"
        elif sort < 9:
            address = f"203.0.{number % BOTS // 256}.{number % BOTS % 256}"
        else:
            address = "192.0.2.77"
        request = self.template._replace(spi_i=self.random.randbytes(8))
        path = Path(ADDRESS[B], (address, 500))
        cookie = self._sent(request, path)
        if cookie is not None and sort >= 6:
            self.seen["brought their cookie"] += 1
            self._sent(request._replace(payloads=(cookie, *request.payloads)), path)

    def _sent(self, request: Message, path: Path) -> N | None:
        """Send a request; the cookie that is asked for."""
        outputs = self.victim.receive(wire.encode(request), path, self.pair.now)
        answers = [output.message for output in outputs if type(output) is Transmit]
        if not answers:
            self.seen["got no answer"] += 1
            return None
        if len(answers) > 1 or answers[0] is None:
            raise Hurt("more than one answer to a request")
        first = answers[0].payloads[0]
        if type(first) is N and first.type == NotifyType.COOKIE:
            self.seen["were asked for a cookie"] += 1
            return first
        self.seen["made half-open IKE SAs"] += 1
        return None

    # What goes on

    def _business(self, turn: int) -> None:
        """The established IKE SA does what it does, from both ends, and every answer comes at once."""
        for end in ENDS:
            number = min(self.pair.ends[end].sessions)
            child = self.pair.ends[end].sessions[number].children[0]
            for command in (sa.CheckLiveness(), sa.RekeyIke() if turn % 10 == 0 else sa.RekeyChild(child.spi_in)):
                self._do(end, command, number)
        self.pair.records.clear()
        self.pair.past.clear()
        self.seen["exchanges of the peer"] += 4

    def _do(self, end: str, command: sa.Command, number: int) -> None:
        self.pair.command(end, command, number)
        self.pair.deliver_all()
        session = self.pair.ends[end].sessions.get(number)
        if session is None or any(ike.outstanding for ike in session.ikes):
            raise Hurt(f"{end} got no answer to {command}")

    def _honest(self) -> None:
        """An initiator that would go on: how often it gets its answer is counted."""
        address = f"100.64.{self.random.randrange(256)}.{self.random.randrange(256)}"
        path = Path(ADDRESS[B], (address, 500))
        made = self.seen["made half-open IKE SAs"]
        request = self.template._replace(spi_i=self.random.randbytes(8))
        cookie = self._sent(request, path)
        if cookie is not None:
            self._sent(request._replace(payloads=(cookie, *request.payloads)), path)
        self.seen["honest initiators"] += 1
        self.seen["honest initiators that were answered"] += self.seen["made half-open IKE SAs"] - made

    def _leave(self) -> None:
        """All that is half open expires, and nothing is left but the peer's."""
        settings = self.victim.settings
        limit = settings.half_open_limit
        if self.most > limit:
            raise Hurt(f"{self.most} half-open IKE SAs, at most {limit} may be")
        if 0 < settings.half_open_per_address < self.most_of_one:
            raise Hurt(f"{self.most_of_one} half-open IKE SAs of one address")
        asked, came = (
            self.seen["were asked for a cookie"],
            self.seen["got no answer"] + self.seen["made half-open IKE SAs"],
        )
        if came > 10 * settings.cookie_threshold and asked < came:
            raise Hurt("cookies do not keep out who is not there")
        self.pair.now += settings.half_open_seconds + settings.closed_linger_seconds + 1
        for end in ENDS:
            self.pair.ends[end].timer(self.pair.now)
        self._business(0)
        self.pair.now += settings.closed_linger_seconds + 1
        for end in ENDS:
            self.pair.ends[end].timer(self.pair.now)
        self.victim.next_deadline()
        if self.victim.half_open or residue(self.victim) != self.before:
            raise Hurt(f"something is left: {residue(self.victim)}, before {self.before}")


def measured(attempts: int, settings: Settings, *, traced: bool, every: int = 1000) -> Account:
    """A flood, and what it cost. `traced`: with all that Python holds, which takes several times as long."""
    flood = Flood(settings)
    resident_before, began = resident(), time.process_time()
    peak = _peak(lambda: flood.run(attempts, every)) if traced else _plain(lambda: flood.run(attempts, every))
    spent = time.process_time() - began
    grown = resident() - resident_before
    return Account(attempts, dict(flood.seen), flood.most, flood.most_of_one, peak, grown, spent)


def _peak(act: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _plain(act: Callable[[], None]) -> int:
    act()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run as asked; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.hardness.flood", description="A flood of IKE_SA_INIT.")
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--traced", action="store_true", help="measure what Python holds; takes several times as long")
    asked = parser.parse_args(arguments)
    try:
        account = measured(asked.attempts, Settings(), traced=asked.traced)
    except Hurt as hurt:
        print(f"HURT: {hurt}", file=sys.stderr)
        return 1
    for what, value in account._asdict().items():
        print(f"{what}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
