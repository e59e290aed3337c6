"""The campaign as a Hypothesis machine: any users, any network, shrunk when it fails."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ikeref_properties.adapter import report
from ikeref_properties.adapter.arena import Crashed
from ikeref_properties.adapter.campaign import PROBE, Match, Setup, shortened
from ikeref_properties.adapter.implementation import Factory
from ikeref_properties.adapter.messages import Violation
from ikeref_properties.adapter.probes import PROBES
from ikeref_properties.machines import schedule
from ikeref_properties.machines.schedule import Act
from ikeref_properties.network import A, B

BOUNDED = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.target),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
"""Some seconds. Shrinking is left to `campaign.shortened`, which knows what a schedule is."""


def machine_for(factory: Factory, setup: Setup | None = None) -> type[RuleBasedStateMachine]:
    """The machine that tests what `factory` makes; for `run_state_machine_as_test`, or its `TestCase` for pytest."""
    chosen = setup or Setup()
    commands = sorted(set(chosen.weights.kinds))

    class Campaign(RuleBasedStateMachine):
        """Everything that may happen between ikeref and the implementation."""

        def __init__(self) -> None:
            super().__init__()
            self.acts: list[Act] = []
            self.seed = 0
            self.match: Match | None = None
            self.losses, self.delays = chosen.weights.losses, 2

        @initialize(seed=st.integers(0, 1023))
        def begin(self, seed: int) -> None:
            self.seed = seed
            self.match = Match(seed, factory, chosen)
            self.judged(self.match.begin)

        def act(self, act: Act) -> None:
            match = self.match
            assert match is not None
            self.acts.append(act)
            self.judged(lambda: match.perform(act))

        def judged(self, happen: Callable[[], object]) -> None:
            try:
                happen()
            except (Violation, Crashed) as error:
                self.release()
                note(report.text(shortened(self.seed, tuple(self.acts), error, factory, chosen)))
                raise

        def release(self) -> None:
            if self.match is not None:
                self.match.arena.close()
            self.match = None

        @property
        def flying(self) -> bool:
            return self.match is not None and bool(self.match.arena.flying)

        @rule(end=st.sampled_from((A, B)), command=st.sampled_from(commands), which=st.integers(0, 3))
        def command(self, end: str, command: str, which: int) -> None:
            self.act(Act(schedule.COMMAND, which, end, command))

        @rule(which=st.integers(0, len(PROBES) - 1))
        def probe(self, which: int) -> None:
            self.act(Act(PROBE, which))

        @precondition(lambda self: self.flying)
        @rule(which=st.integers(0, 3))
        def deliver(self, which: int) -> None:
            self.act(Act(schedule.DELIVER, which))

        @precondition(lambda self: self.flying)
        @rule()
        def deliver_oldest(self) -> None:
            self.act(Act(schedule.DELIVER))

        @precondition(lambda self: self.flying)
        @rule(which=st.integers(0, 3))
        def duplicate(self, which: int) -> None:
            self.act(Act(schedule.DUPLICATE, which))

        @precondition(lambda self: self.flying and self.losses)
        @rule(which=st.integers(0, 3))
        def lose(self, which: int) -> None:
            self.losses -= 1
            self.act(Act(schedule.LOSE, which))

        @rule(which=st.integers(0, 255))
        def replay(self, which: int) -> None:
            self.act(Act(schedule.REPLAY, which))

        @precondition(lambda self: not self.flying or self.delays)
        @rule()
        def advance(self) -> None:
            self.delays -= self.flying
            self.act(Act(schedule.ADVANCE))

        def teardown(self) -> None:
            """Everything comes to rest, and then both ends agree."""
            if self.match is not None:
                self.judged(self.match.finish)
            self.release()

    return Campaign
