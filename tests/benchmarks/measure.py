"""Ratios of CPU times, measured alternately, and the memory and the speed of many IKE SAs.

Ratios travel from machine to machine, absolute times do not.
"""

import asyncio
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path as File
from typing import NamedTuple

from ikeref.crypto import envelope
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.net.transport import Bind, Node
from ikeref.sa import Path
from ikeref.wire import decode
from tests.benchmarks import workloads

PAIRS = 15
"""Alternating pairs of measurements, of which the median counts."""


class Ratio(NamedTuple):
    """How much more CPU time something takes than what it is measured against."""

    ratio: float
    """Median over all pairs."""
    microseconds: float
    """Of one run, median."""
    against: float
    """Microseconds of one run of what it is measured against, median."""


def ratio(work: Callable[[int], object], against: Callable[[int], object], count: int, pairs: int = PAIRS) -> Ratio:
    """Both functions run `count` rounds in turn, `pairs` times, after one unmeasured time each."""
    work(count)
    against(count)
    measured = [(_cpu(work, count), _cpu(against, count)) for _ in range(pairs)]
    return Ratio(
        statistics.median(one / other for one, other in measured),
        statistics.median(one for one, _ in measured) / count * 1e6,
        statistics.median(other for _, other in measured) / count * 1e6,
    )


def _cpu(work: Callable[[int], object], count: int) -> float:
    gc.collect()
    start = time.process_time()
    work(count)
    return time.process_time() - start


def repeat(work: Callable[[], object]) -> Callable[[int], None]:
    """A function that does `work` so many times."""

    def run(count: int) -> None:
        for _ in range(count):
            work()

    return run


def handshake(pairs: int = PAIRS) -> Ratio:
    """A whole handshake, both sides, against the cryptographic calls in it."""
    return ratio(workloads.handshakes, workloads.bares, 200, pairs)


def decoding_initial(pairs: int = PAIRS) -> Ratio:
    """`decode` of an IKE_SA_INIT request of 364 octets against one X25519 derive."""
    datagram = workloads.initial_message()
    return ratio(repeat(lambda: decode(datagram)), repeat(workloads.derive()), 2000, pairs)


def decoding_auth(pairs: int = PAIRS) -> Ratio:
    """`unprotect` of an IKE_AUTH request, decoding and decryption, against one X25519 derive."""
    a, b = workloads.ends()
    datagram = workloads.handshake(a, b)[2]
    ike = next(iter(b.sessions.values())).ikes[0]
    suite, keys, crypto = ike.suite, ike.keys, RealCrypto()
    assert suite is not None
    assert keys is not None
    sk_e, sk_a = keys.sk_ei, keys.sk_ai
    work = repeat(lambda: envelope.unprotect(crypto, suite, sk_e, sk_a, datagram))
    return ratio(work, repeat(workloads.derive()), 2000, pairs)


# Memory


def resident_octets(count: int, role: str) -> float:
    """Octets of resident memory for each of `count` idle IKE SAs with one Child SA, at the end of that role alone.

    Counted is all that the process grows by: the endpoint's tables, keys, cached responses, and what the allocator
    loses. Policy is shared and there once. Measured in a process of its own.
    """
    root = File(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(root / "properties")))}
    command = [sys.executable, "-c", f"from tests.benchmarks import measure; measure.grow({count}, {role!r})"]
    done = subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True, text=True)
    return float(done.stdout)


def grow(count: int, role: str) -> None:
    """Print by how many octets this process grows for each of `count` IKE SAs; every peer is thrown away at once."""
    crypto = RealCrypto()
    kept = Endpoint((workloads.OF_A if role == "initiator" else workloads.OF_B,), crypto, os.urandom)

    def meet() -> None:
        if role == "initiator":
            workloads.handshake(kept, Endpoint((workloads.OF_B,), crypto, os.urandom))
        else:
            workloads.handshake(Endpoint((workloads.OF_A,), crypto, os.urandom), kept)

    for _ in range(200):
        meet()
    before = _resident()
    for _ in range(count):
        meet()
    grown = _resident() - before
    assert len(kept.sessions) == count + 200
    assert all(len(session.children) == 1 for session in kept.sessions.values())
    print(grown / count)


def _resident() -> int:
    gc.collect()
    pages = int(File("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# UDP


def loopback(count: int) -> float:
    """Handshakes a second over loopback UDP, one after the other, both ends in this process."""
    return asyncio.run(_loopback(count))


async def _loopback(count: int) -> float:
    a, b = workloads.ends()
    initiator, responder = Node(a), Node(b)
    local = await initiator.bind(Bind("127.0.0.1", 0, False))
    remote = await responder.bind(Bind("127.0.0.1", 0, False))
    try:
        start = time.perf_counter()
        for _ in range(count):
            number = initiator.initiate(workloads.OF_A, Path(local, remote))
            await initiator.wait_for(lambda number=number: len(a.sessions[number].children) == 1, 5.0)  # type: ignore[misc]
        return count / (time.perf_counter() - start)
    finally:
        await initiator.close()
        await responder.close()
