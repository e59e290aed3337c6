"""Rekeys without pause while three datagrams of ten get lost: a few simulated minutes, and what must be noticed.

The hour over UDP, and days of a simulated clock, are a command: `python -m tests.hardness.soak` (docs/hardness.md).
"""

import asyncio

import pytest
from ikeref_properties.mutants import find, seeded

from ikeref.sa import Output, Path
from tests.hardness import soak, soak_ends
from tests.hardness.soak_ends import SETTINGS, Broken, End

SECONDS = 300.0


def test_minutes_under_loss_lose_no_sa_and_double_none() -> None:
    world, samples = soak.simulated(SECONDS, seed=3, samples=12)
    made = samples[-1].rekeys
    assert made > SECONDS
    assert world.lost > made
    assert soak_ends.grown(samples) <= soak.GROWTH
    for end in world.ends.values():
        assert end.counts["sent again"] > 100, "nothing was ever sent again: that was no lossy network"
        assert not any("does not answer" in reason for reason in end.closed)


def test_the_settings_give_up_before_a_closed_ike_sa_stops_answering() -> None:
    """Else a Delete whose response was lost all the while would end in giving up."""
    waits = [SETTINGS.retransmit_initial_seconds * SETTINGS.retransmit_base**n for n in range(41)]
    assert sum(waits) < SETTINGS.closed_linger_seconds


def test_seconds_over_sockets() -> None:
    ends, samples = asyncio.run(soak.real(1.5, samples=2))
    assert samples[-1].rekeys > 4
    soak_ends.check_rest(ends)


@pytest.mark.parametrize(
    "fault",
    [
        "lose Child SAs in a rekey of the IKE SA",
        "never open the outbound half",
        "close the old Child SA before the new one is used",
        "delete nothing after a rekey",
        "answer no retransmission",
        "both lose",
        "both win",
        "process requests again",
    ],
)
def test_a_seeded_fault_is_found(fault: str) -> None:
    with seeded(find(fault)), pytest.raises(Broken):
        soak.simulated(4 * SECONDS, seed=3)


class Leaking(End):
    """Keeps all that ever came in."""

    heap: list[object]

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        outputs = super().receive(datagram, path, now)
        self.heap = [*getattr(self, "heap", []), *[[datagram, output] for output in outputs]]
        return outputs


def test_memory_that_grows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "End", Leaking)
    _, samples = soak.simulated(SECONDS, seed=3, samples=12)
    assert soak_ends.grown(samples) > soak.GROWTH


def test_what_is_broken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with seeded(find("lose Child SAs in a rekey of the IKE SA")):
        assert soak.main(["--simulated", "--seconds", "300"]) == 1
    assert "BROKEN" in capsys.readouterr().err
    assert soak.main(["--simulated", "--seconds", "60"]) == 0
    assert "memory is flat" in capsys.readouterr().out
