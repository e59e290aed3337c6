"""A run of two ends as data: what the users and the network do, step by step.

An `Act` names no datagram and no SA but a number that is taken modulo what there is, so that a schedule of which acts
were struck out is still a schedule. That makes it possible to shrink one that fails.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from ikeref import sa
from ikeref.errors import LocalProtocolError
from ikeref_properties.network import A, B, Flight, Pair

DELIVER, DUPLICATE, LOSE, REPLAY, ADVANCE, COMMAND = "deliver", "duplicate", "lose", "replay", "advance", "command"
COMMANDS = ("create", "rekey child", "rekey IKE", "delete child", "delete IKE", "liveness")


class Act(NamedTuple):
    """One thing that happens."""

    what: str
    which: int = 0
    """DELIVER, DUPLICATE, LOSE: which datagram in flight, the oldest is 0; REPLAY: which of all ever sent;
    COMMAND: which Child SA."""
    end: str = ""
    command: str = ""


Schedule = tuple[Act, ...]


def perform(pair: Pair, act: Act) -> bool:
    """Let it happen; False where it can't."""
    if act.what == ADVANCE:
        return bool(pair.advance())
    if act.what == COMMAND:
        command = _command(pair, act)
        if command is None:
            return False
        try:
            pair.command(act.end, command)
        except LocalProtocolError:
            return False
        return True
    if act.what == REPLAY:
        past = pair.past
        if not past:
            return False
        pair.deliver(past[act.which % len(past)], keep=True)
        return True
    if not pair.flying:
        return False
    flight: Flight = pair.flying[act.which % len(pair.flying)]
    if act.what == LOSE:
        pair.lose(flight)
    else:
        pair.deliver(flight, keep=act.what == DUPLICATE)
    return True


def _command(pair: Pair, act: Act) -> sa.Command | None:
    sessions = pair.sessions(act.end)
    if not sessions:
        return None
    session = sessions[-1]
    spi = session.children[act.which % len(session.children)].spi_in if session.children else b""
    match act.command:
        case "create":
            configs = session.connection.children
            return sa.CreateChild(configs[act.which % len(configs)].name)
        case "rekey IKE":
            return sa.RekeyIke()
        case "delete IKE":
            return sa.DeleteIke()
        case "liveness":
            return sa.CheckLiveness()
        case "rekey child" if spi:
            return sa.RekeyChild(spi)
        case "delete child" if spi:
            return sa.DeleteChild(spi)
        case _:
            return None


class Weights(NamedTuple):
    """How often what happens, and how much of it at most."""

    acts: int = 30
    commands: int = 5
    losses: int = 3
    replays: int = 3
    deliver: int = 60
    duplicate: int = 8
    lose: int = 8
    replay: int = 4
    advance: int = 10
    command: int = 20
    kinds: tuple[str, ...] = COMMANDS


def random_schedule(random: Random, weights: Weights) -> Schedule:
    """A schedule drawn at random."""
    acts: list[Act] = []
    left = {COMMAND: weights.commands, LOSE: weights.losses, REPLAY: weights.replays}
    kinds = (DELIVER, DUPLICATE, LOSE, REPLAY, ADVANCE, COMMAND)
    shares = (weights.deliver, weights.duplicate, weights.lose, weights.replay, weights.advance, weights.command)
    for what in random.choices(kinds, shares, k=weights.acts):
        if left.get(what, 1) <= 0:
            what = DELIVER
        left[what] = left.get(what, 1) - 1
        if what == COMMAND:
            acts.append(Act(what, random.randrange(4), random.choice((A, B)), random.choice(weights.kinds)))
        elif what == ADVANCE:
            acts.append(Act(what))
        elif what == REPLAY:
            acts.append(Act(what, random.randrange(1000)))
        else:
            acts.append(Act(what, 0 if random.random() < 0.6 else random.randrange(4)))
    return tuple(acts)


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """Strike out acts, and lower numbers, as long as it still fails."""
    size = max(1, len(schedule) // 2)
    while size:
        start = 0
        while start < len(schedule):
            shorter = schedule[:start] + schedule[start + size :]
            if fails(shorter):
                schedule = shorter
            else:
                start += size
        size //= 2
    for index, act in enumerate(schedule):
        for which in range(act.which if act.what != REPLAY else 0):
            simpler = (*schedule[:index], act._replace(which=which), *schedule[index + 1 :])
            if fails(simpler):
                schedule = simpler
                break
    return schedule


def text(schedule: Sequence[Act]) -> str:
    """As Python, to be pasted into a test."""
    lines = []
    for act in schedule:
        parts = [repr(act.what)]
        if act.which or act.end:
            parts.append(str(act.which))
        if act.end:
            parts += [repr(act.end), repr(act.command)]
        lines.append(f"Act({', '.join(parts)}),")
    return "\n".join(lines)
