"""What happens around an endpoint: no randomness, clocks that jump, a host that refuses, a restart, a full disk."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path as File

import pytest
from ikeref_properties.mutants import seeded
from ikeref_properties.mutants.seeding import Mutant, edit, mutant
from ikeref_properties.network import ADDRESS, ENDS, A, B, Pair

from ikeref import sa
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.net.dataplane import NotInstalled, RecordingDataPlane
from ikeref.net.keylog import IKE_TABLE, KeyLog
from ikeref.net.transport import Bind, Node
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Audit, ChildState, Path, Phase, Transmit
from ikeref.wire import N
from tests.conformance.judging import residue
from tests.hardness.soak_ends import End, check_rest

TO_B = Path(ADDRESS[B], ADDRESS[A])


class Source:
    """Randomness that can fail or repeat itself."""

    def __init__(self) -> None:
        self.draw: Callable[[int], bytes] = os.urandom

    def __call__(self, octets: int) -> bytes:
        return self.draw(octets)

    def fail(self, _octets: int) -> bytes:
        raise OSError("the entropy source failed")

    def repeat(self, octets: int) -> bytes:
        return bytes(range(1, octets + 1))


def ends_with(source: Source, end: str = B, **settings: float) -> Pair:
    """Two ends, one of which draws from the source."""
    pair = Pair(5, crypto=RealCrypto, settings=Settings(**settings))  # type: ignore[arg-type]
    endpoint = Endpoint((pair.connections[end],), RealCrypto(), source, Settings(**settings))  # type: ignore[arg-type]
    pair.ends[end] = endpoint
    return pair


def is_up(pair: Pair) -> bool:
    return all([ike.phase for ike in pair.ikes(end)] == [Phase.ESTABLISHED] for end in ENDS)


# Entropy (Section 2.10)


@pytest.mark.parametrize("end", ENDS)
def test_s2_10_without_randomness_a_datagram_is_as_good_as_lost(end: str) -> None:
    """Whichever message it strikes, nothing is half done, and a retransmission brings it about later."""
    for broken in range(1, 12):
        source = Source()
        pair = ends_with(source, end)
        pair.initiate()
        step = 0
        while not is_up(pair) or pair.flying:
            step += 1
            source.draw = source.fail if step == broken else os.urandom
            before = dict(pair.ends[end].sessions)
            if pair.flying:
                record = pair.deliver(pair.flying[0])
                if record.end == end and any("entropy" in o.reason for o in record.outputs if type(o) is Audit):
                    assert pair.ends[end].sessions == before
                    assert not pair.ends[end]._fresh
            else:
                pair.advance()
            assert step < 60
        source.draw = os.urandom
        pair.command(end, sa.RekeyIke())
        pair.settle()
        assert is_up(pair)


def test_s2_10_what_is_due_without_randomness_is_put_off_and_not_forgotten() -> None:
    source = Source()
    pair = ends_with(source, A, rekey_child_seconds=100.0).establish()
    (child,) = pair.children(A)
    source.draw = source.fail
    pair.now = 100.0
    assert any(type(each) is Audit and "put off" in each.reason for record in pair.tick() for each in record.outputs)
    assert pair.ends[A].next_deadline() == 101.0
    source.draw = os.urandom
    pair.now = 101.0
    pair.tick()
    pair.deliver_all()
    assert pair.children(A)[0].spi_in != child.spi_in


def test_s2_6_a_source_that_repeats_itself_gives_no_spi_twice_and_hangs_nobody() -> None:
    source = Source()
    pair = ends_with(source, B)
    source.draw = source.repeat
    stranger = Pair(8, crypto=RealCrypto)
    for number in range(3):
        stranger.initiate(A)
        outputs = pair.ends[B].receive(stranger.flying.pop().datagram, TO_B, 1.0)
        assert any(type(each) is Transmit for each in outputs) is (number == 0)
    assert len(pair.ends[B].sessions) == 1
    source.draw = bytes
    stranger.initiate(A)
    assert not any(
        type(each) is Transmit for each in pair.ends[B].receive(stranger.flying.pop().datagram, TO_B, 1.0)
    ), "an SPI of zero"


# Clocks (Sections 2.1, 2.4)


def test_s2_4_a_clock_that_jumps_forward_makes_one_retransmission_and_gives_nobody_up() -> None:
    pair = Pair(6).establish()
    pair.command(A, sa.CheckLiveness())
    pair.flying.clear()
    pair.now += 86400.0
    (record,) = pair.tick()
    assert len([each for each in record.outputs if type(each) is Transmit]) == 1
    pair.deliver_all()
    assert is_up(pair)
    assert not pair.ikes(A)[0].outstanding


@pytest.mark.parametrize("jump", [-1e6, -10.0, -0.001])
def test_a_clock_that_jumps_back_raises_nothing_and_loses_nothing(jump: float) -> None:
    """Times are of a clock that doesn't go back; should one do so, all waits for it, and goes on."""
    pair = Pair(7).establish()
    pair.now = 50.0
    pair.command(A, sa.RekeyIke())
    pair.now += jump
    pair.deliver_all()
    assert is_up(pair) or pair.flying == []
    pair.command(B, sa.CheckLiveness())
    pair.deliver_all()
    pair.now = 50.0
    pair.settle()
    assert is_up(pair)
    assert len(pair.children(A)) == len(pair.children(B)) == 1


def test_s2_21_4_a_clock_that_jumps_back_does_not_use_up_the_answers_to_come() -> None:
    pair = Pair(8, settings=Settings(unprotected_answers_per_second=5.0))
    pair.establish()
    pair.command(A, sa.CheckLiveness())
    unknown = b"\x07" * 16 + pair.flying[0].datagram[16:]
    assert [len(pair.ends[B].receive(unknown, TO_B, now)) for now in (1000.0, 10.0, 10.1, 10.2)] == [2, 2, 2, 2]


# The host (Section 1.4.1)


class Refusing(RecordingDataPlane):
    """Takes no direction of a Child SA from now on."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def install(self, install: sa.Install) -> None:
        if self.full:
            raise NotInstalled("no room for another SA")
        super().install(install)


def test_s1_4_1_a_child_sa_that_the_host_refuses_is_deleted() -> None:
    pair = Pair(9).establish()
    pair.command(A, sa.CreateChild("web"))
    record = pair.deliver(pair.flying[0])
    spi_in = next(each.child.spi_in for each in record.outputs if type(each) is sa.Install)
    act = pair.ends[B].not_installed(spi_in, "no room", pair.now)
    assert any(type(each) is Audit and "no room" in each.reason for each in act)
    again = pair.ends[B].not_installed(spi_in, "no room for the other direction either", pair.now)
    assert not any(type(each) is Transmit for each in again)
    (child,) = [each for each in pair.children(B) if each.spi_in == spi_in]
    assert child.state is ChildState.DELETING
    for output in act:
        if type(output) is Transmit:
            pair.deliver_all()
            path = Path(output.path.remote, output.path.local)
            for answer in pair.ends[A].receive(output.datagram, path, pair.now):
                if type(answer) is Transmit:
                    pair.ends[B].receive(answer.datagram, TO_B, pair.now)
    assert [len(pair.children(end)) for end in ENDS] == [1, 1]
    assert is_up(pair)


def test_s1_4_1_what_the_host_refuses_too_late_changes_nothing() -> None:
    pair = Pair(9).establish()
    before = dict(pair.ends[A].sessions)
    assert [type(each) for each in pair.ends[A].not_installed(b"nope", "no room", pair.now)] == [Audit]
    assert pair.ends[A].sessions == before


def test_s1_4_1_over_sockets_the_peer_learns_that_the_host_refused() -> None:
    async def run() -> None:
        ends = {name: End(name) for name in ENDS}
        planes = {name: Refusing() for name in ENDS}
        nodes = {name: Node(end, data_plane=planes[name]) for name, end in ends.items()}
        places = {name: (await node.start([Bind("127.0.0.1", 0, False)]))[0] for name, node in nodes.items()}
        try:
            number = nodes[A].initiate(ends[A].policy, Path(places[A], places[B]))
            await nodes[A].wait_for(lambda: len(planes[A].pairs()) == 1, 5)
            planes[B].full = True
            nodes[A].command(number, sa.CreateChild("web"))
            await nodes[A].wait_for(lambda: ends[A].counts["Child SAs"] == 2 and len(planes[A].pairs()) == 1, 1)
            await asyncio.sleep(0.05)
            for end in ends.values():
                assert [child.name for s in end.endpoint.sessions.values() for child in s.children] == ["net"]
        finally:
            for node in nodes.values():
                await node.close()

    asyncio.run(run())


# Restart (Sections 1.5, 2.4)


def test_s2_4_after_a_restart_the_old_ike_sa_ends_by_silence_and_not_by_what_anyone_can_say() -> None:
    pair = Pair(10, settings=Settings(liveness_seconds=10.0)).establish()
    pair.ends[B] = Endpoint((pair.connections[B],), pair.ends[B].environment.crypto, pair._draw(B), Settings())
    pair.now = 20.0
    pair.tick()
    (record,) = [pair.deliver(flight) for flight in list(pair.flying)]
    (answer,) = [each.message for each in record.outputs if type(each) is Transmit and each.message is not None]
    assert [payload.type for payload in answer.payloads if type(payload) is N] == [NotifyType.INVALID_IKE_SPI]
    pair.deliver_all()
    assert is_up_at(pair, A), "INVALID_IKE_SPI without protection ends nothing (Section 1.5)"
    for _ in range(7):
        pair.advance()
        pair.deliver_all()
    assert not pair.ikes(A)
    assert not pair.children(A)
    assert residue(pair.ends[A])["_by_spi"] == 0
    pair.initiate(A)
    pair.deliver_all()
    assert is_up(pair)


def is_up_at(pair: Pair, end: str) -> bool:
    return [ike.phase for ike in pair.ikes(end)] == [Phase.ESTABLISHED]


# The disk


def test_a_full_disk_stops_no_protocol(tmp_path: File, caplog: pytest.LogCaptureFixture) -> None:
    """A key log that can't be written loses lines, and nothing else."""

    async def run() -> None:
        log = KeyLog(tmp_path / "keys")
        (tmp_path / "keys" / IKE_TABLE).unlink()
        (tmp_path / "keys" / IKE_TABLE).mkdir()  # opening it for writing fails from now on
        ends = {name: End(name) for name in ENDS}
        nodes = {name: Node(end, observers=[log]) for name, end in ends.items()}
        places = {name: (await node.start([Bind("127.0.0.1", 0, False)]))[0] for name, node in nodes.items()}
        number = nodes[A].initiate(ends[A].policy, Path(places[A], places[B]))
        await nodes[A].wait_for(lambda: ends[A].counts["Child SAs"] == 1, 5)
        nodes[A].command(number, sa.CreateChild("web"))
        await nodes[B].wait_for(lambda: ends[B].counts["Child SAs"] == 2, 5)
        await nodes[A].wait_for(lambda: ends[A].counts["Child SAs"] == 2, 5)
        check_rest(ends)
        for node in nodes.values():
            await node.close()

    with caplog.at_level(logging.ERROR, "ikeref.net"):
        asyncio.run(run())
    assert "an observer failed" in caplog.text


# Twins


FAULTS: tuple[tuple[Mutant, Callable[[], None]], ...] = (
    (
        mutant("draw for ever", "2.6", edit("endpoint", "for _ in range(_DRAWS):", "for _ in range(10**5):")),
        test_s2_6_a_source_that_repeats_itself_gives_no_spi_twice_and_hangs_nobody,
    ),
    (
        mutant("forget what is due", "2.1", edit("endpoint", "self._due[number] = now + _PAUSE_SECONDS", "pass")),
        test_s2_10_what_is_due_without_randomness_is_put_off_and_not_forgotten,
    ),
    (
        mutant("let answers run out", "2.21.4", edit("sa.hints", "max(0.0, now - self._then)", "(now - self._then)")),
        test_s2_21_4_a_clock_that_jumps_back_does_not_use_up_the_answers_to_come,
    ),
    (
        mutant(
            "keep what the host refuses",
            "1.4.1",
            edit("endpoint", "if number is None:\n            return (told,)", "if True:\n            return (told,)"),
        ),
        test_s1_4_1_a_child_sa_that_the_host_refuses_is_deleted,
    ),
    (
        mutant(
            "say nothing to the endpoint",
            "1.4.1",
            edit("net.transport", "for spi_in, reason in refused:", "for spi_in, reason in refused[:0]:"),
        ),
        test_s1_4_1_over_sockets_the_peer_learns_that_the_host_refused,
    ),
)


@pytest.mark.parametrize(("fault", "test"), FAULTS[1:], ids=lambda each: each.id if isinstance(each, Mutant) else "")
def test_a_seeded_fault_is_found(fault: Mutant, test: Callable[[], None]) -> None:
    with seeded(fault), pytest.raises((AssertionError, TimeoutError)):
        test()


def test_drawing_for_ever_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, for it would not end."""
    drawn = 0
    source = Source()

    def count(octets: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return source.repeat(octets)

    monkeypatch.setattr(Source, "repeat", lambda _self, octets: bytes(range(1, octets + 1)))
    pair = ends_with(source, B)
    source.draw = count
    stranger = Pair(8, crypto=RealCrypto)
    for _ in range(2):
        stranger.initiate(A)
        pair.ends[B].receive(stranger.flying.pop().datagram, TO_B, 1.0)
    assert drawn < 200
    with seeded(FAULTS[0][0]):
        stranger.initiate(A)
        pair.ends[B].receive(stranger.flying.pop().datagram, TO_B, 1.0)
    assert drawn > 10_000
