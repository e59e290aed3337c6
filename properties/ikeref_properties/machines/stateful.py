"""The Hypothesis machine: two ends, their users' commands and a hostile network, in any order; shrunk when it fails.

`machine(adapter)` gives a class for `hypothesis.stateful.run_state_machine_as_test`, or whose `TestCase` pytest runs.
The adapter makes the two ends; to test another implementation give it a pair of which one end, or both, wraps that
one behind the methods of `ikeref.endpoint.Endpoint` that `Pair` calls: initiate, command, receive, timer,
next_deadline and sessions. What an end cannot tell (Child SAs, say) it leaves out of its outputs.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ikeref_properties.machines import schedule
from ikeref_properties.machines.schedule import COMMANDS, Act, perform
from ikeref_properties.machines.walk import Judge, MakePair, come_to_rest, established, shortened
from ikeref_properties.network import A, B

_SEARCH = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target)
"""Shrinking is left to `walk.shortened`, which knows what a schedule is and is many times as fast."""
_BOUNDED = settings(max_examples=120, stateful_step_count=35, derandomize=True, database=None, phases=_SEARCH)
_NIGHTLY = settings(max_examples=20_000, stateful_step_count=120, print_blob=True, phases=_SEARCH)
PROFILES = {"bounded": _BOUNDED, "nightly": _NIGHTLY}


def profile(name: str | None = None) -> settings:
    """How long to search: `name`, or what the environment variable IKEREF_PROFILE says, or `bounded`."""
    chosen = PROFILES[name or os.environ.get("IKEREF_PROFILE", "bounded")]
    return settings(chosen, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


class Adapter(NamedTuple):
    """What is tested, and against what."""

    make: MakePair = established
    model: bool = True
    """Whether each step has to be one that the model's rows allow."""
    commands: tuple[str, ...] = COMMANDS
    losses: int = 2
    delays: int = 2
    """How often time goes on while something is in flight. So seldom that no end may give up the other."""


def machine(adapter: Adapter = Adapter()) -> type[RuleBasedStateMachine]:  # noqa: B008 (an immutable value)
    """The machine for what the adapter makes."""

    class TwoEnds(RuleBasedStateMachine):
        """Everything that may happen to two ends; what must hold is judged at each step, and at rest."""

        def __init__(self) -> None:
            super().__init__()
            self.acts: list[Act] = []
            self.judge = Judge(model=adapter.model, make=adapter.make)
            self.seed = 0
            self.pair = adapter.make(0, self.judge)
            self.losses, self.delays = adapter.losses, adapter.delays

        @initialize(seed=st.integers(0, 1023))
        def begin(self, seed: int) -> None:
            """Nonces and SPIs follow from the seed: who wins a collision is left to chance."""
            self.judge = Judge(model=adapter.model, make=adapter.make)
            self.seed = seed
            self.pair = adapter.make(seed, self.judge)

        def act(self, act: Act) -> None:
            self.acts.append(act)
            self.judged(lambda: perform(self.pair, act))

        def judged(self, happen: Callable[[], object]) -> None:
            try:
                happen()
            except Exception as error:
                note(str(shortened(self.seed, tuple(self.acts), error, adapter.make, adapter.model)))
                raise

        @rule(end=st.sampled_from((A, B)), command=st.sampled_from(adapter.commands), which=st.integers(0, 3))
        def command(self, end: str, command: str, which: int) -> None:
            self.act(Act(schedule.COMMAND, which, end, command))

        @precondition(lambda self: self.pair.flying)
        @rule(which=st.integers(0, 3))
        def deliver(self, which: int) -> None:
            self.act(Act(schedule.DELIVER, which))

        @precondition(lambda self: self.pair.flying)
        @rule()
        def deliver_oldest(self) -> None:
            self.act(Act(schedule.DELIVER))

        @precondition(lambda self: self.pair.flying)
        @rule(which=st.integers(0, 3))
        def duplicate(self, which: int) -> None:
            self.act(Act(schedule.DUPLICATE, which))

        @precondition(lambda self: self.pair.flying and self.losses)
        @rule(which=st.integers(0, 3))
        def lose(self, which: int) -> None:
            self.losses -= 1
            self.act(Act(schedule.LOSE, which))

        @rule(which=st.integers(0, 255))
        def replay(self, which: int) -> None:
            self.act(Act(schedule.REPLAY, which))

        @precondition(lambda self: not self.pair.flying or self.delays)
        @rule()
        def advance(self) -> None:
            self.delays -= bool(self.pair.flying)
            self.act(Act(schedule.ADVANCE))

        def teardown(self) -> None:
            """Everything comes to rest, and then both ends agree."""
            self.judged(lambda: come_to_rest(self.pair, self.judge))

    return TwoEnds
