"""What is proved of one Child SA, or of one and its parent, among any number of others stands or falls with this: each
of these systems does all that whole ends do. Random walks of two whole ends, with every message and its Message ID
kept, are followed by them."""

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from ikeref_model.endpoint_state import Endpoint
from ikeref_model.events import Kind
from ikeref_model.explore import Compiled, State, compile_system
from ikeref_model.focus import SUPERFLUOUS
from ikeref_model.network import KINDS, Action, Bound, Did, Message, Rules, start
from ikeref_model.state import Ike
from ikeref_model.system import System, initials
from ikeref_model.tables import ROWS
from ikeref_properties.proofs import BY_ID

OF_CHILDREN = (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD)
SILENT = ("there", "on", "forgets", SUPERFLUOUS)
"""Steps of a system that are not a step of an end."""


RARE = ("child.create.send", "child.delete.send", "ike.delete.send", "ike.rekey.send")
"""Commands that are mostly left out."""


class Moment(NamedTuple):
    """A step of an end, and both ends after it."""

    end: int
    action: Action
    ends: tuple[Endpoint, Endpoint]


def walk(seed: int, kinds: tuple[Kind, ...], window: int, length: int) -> tuple[Moment, ...]:
    """A run of two whole ends; messages arrive late, twice or never. Rekeys of Child SAs are asked for most."""
    chance = random.Random(seed)
    bound = Bound((length, length), kinds, window=window, lowest={name: chance.randrange(2) for name in "ci"})
    rules = Rules(ROWS, bound)
    ends, sent = [start(bound), start(bound)], set[Message]()
    found: list[Moment] = []
    for _ in range(length):
        steps = [(end, did) for end in (0, 1) for did in possible(rules, ends[end], end, sent)]
        if not steps:
            break
        end, did = chance.choice(steps)
        if did.action.row in RARE and chance.random() < 0.9:
            continue
        ends[end] = did.after
        sent |= {did.sent} if did.sent else set()
        found.append(Moment(end, did.action, (ends[0], ends[1])))
    return tuple(found)


def possible(rules: Rules, state: Endpoint, end: int, sent: set[Message]) -> Iterator[Did]:
    """What an end may do next."""
    for due in (True, False):
        yield from rules.commands(state, end, due)
    for each in sorted(sent, key=str):
        if each.sender != end:
            yield from (rules.response if each.outcome else rules.request)(state, each)


class Looked(NamedTuple):
    """What a system looks at: its names for Child SAs, and those of the run."""

    children: dict[str, str]
    maker: int
    """The end of the run that is the system's A."""
    ike: bool = False
    """Whether the one IKE SA is looked at too."""


def seen(looked: Looked, ends: tuple[Endpoint, Endpoint]) -> dict[str, object]:
    """The variables of the system that can be read off both ends."""
    found: dict[str, object] = {}
    for number, end in enumerate(ends):
        letter = "AB"[number ^ looked.maker]
        for slot, name in looked.children.items():
            child = end.child(name)
            at = f"{letter}.child_{slot}"
            found |= {f"{at}.state": child.state, f"{at}.in": child.incoming, f"{at}.out": child.outgoing}
            found |= {f"{at}.due": child.due}
        if looked.ike:
            found[f"{letter}.ike_old.state"] = end.ike("i").state
    return found


def lost_at(compiled: Compiled, moments: tuple[Moment, ...], looked: Looked) -> int:
    """The first step of the run that the system can't follow; -1 if it follows the whole run."""
    system = compiled.system
    begin = seen(looked, (start(Bound((0, 0))), start(Bound((0, 0)))))
    states = fitting(compiled, {compiled.code.encode(each) for each in initials(system)}, begin)
    for number, moment in enumerate(moments):
        now, letter = seen(looked, moment.ends), "AB"[moment.end ^ looked.maker]
        after = set(states)
        for state in states:
            for step, reached in compiled.successors(state):
                if system.steps[step].name.startswith(f"{letter} "):
                    after.add(reached)
        states = fitting(compiled, after, now)
        if not states:
            return number
    return -1


def fitting(compiled: Compiled, states: set[State], now: dict[str, object]) -> set[State]:
    """Those states, and the ones that silent steps lead to, which are as both ends are."""
    steps = compiled.system.steps
    found, left = set(states), list(states)
    while left:
        for number, reached in compiled.successors(left.pop()):
            if steps[number].row in SILENT and reached not in found:
                found.add(reached)
                left.append(reached)
    wanted = [
        (compiled.code.place[name], compiled.code.domains[compiled.code.place[name]].index(value))
        for name, value in now.items()
    ]
    return {each for each in found if all(each[place] == index for place, index in wanted)}


def families(moments: tuple[Moment, ...]) -> tuple[tuple[str, str, int], ...]:
    """The Child SAs that rekeys have asked for in the run: parent, child, and whose request it was."""
    found = dict[tuple[str, str, int], None]()
    for end, action, _ in moments:
        if action.message.kind is Kind.REKEY_CHILD and action.row.endswith(".send"):
            found[action.message.child, action.message.new, end] = None
    return tuple(found)


def without(system: System, row: str) -> System:
    """The system without the steps of a row."""
    kept = tuple(step for step in system.steps if step.row != row)
    assert len(kept) < len(system.steps)
    return system._replace(steps=kept)


ABOUT = {
    "judged-alike": (KINDS, (1, 2), 40),
    "pairs-of-any-number": ((*OF_CHILDREN, Kind.DELETE_IKE), (1,), 40),
}
SEEDS = range(12)


def followed(id: str, system: System, seeds: range) -> Iterator[tuple[int, tuple[Moment, ...]]]:
    """Where the system loses each run."""
    compiled = compile_system(system)
    kinds, windows, length = ABOUT[id]
    for seed in seeds:
        for window in windows:
            moments = walk(seed, kinds, window, length)
            for parent, child, maker in families(moments)[:3]:
                names = {"parent": parent} if id == "judged-alike" else {"parent": parent, "this": child}
                yield lost_at(compiled, moments, Looked(names, maker, ike=id == "pairs-of-any-number")), moments


@pytest.mark.parametrize("id", ABOUT)
def test_whole_ends_do_nothing_that_the_system_does_not(id: str) -> None:
    runs = 0
    for lost, moments in followed(id, BY_ID[id].build(ROWS), SEEDS):
        assert lost < 0, [f"{each.action.text()} {each.action.message.outcome}" for each in moments[: lost + 1]]
        runs += 1
    assert runs >= 15


@pytest.mark.parametrize(
    ("id", "row"),
    [
        ("judged-alike", "collision.rekey_child.rekeying"),
        ("judged-alike", "child.rekey.response.ok"),
        ("pairs-of-any-number", "collision.rekey_child.rekeying"),
        ("pairs-of-any-number", "child.delete.request"),
    ],
)
def test_a_system_that_leaves_a_row_out_loses_them(id: str, row: str) -> None:
    system = without(BY_ID[id].build(ROWS), row)
    assert any(lost >= 0 for lost, _ in followed(id, system, SEEDS))


def test_the_runs_are_worth_following() -> None:
    moments = [each for seed in SEEDS for each in walk(seed, KINDS, 1, 40)]
    rows = {each.action.row.partition(":")[0] for each in moments}
    assert {"collision.rekey_child.rekeying", "child.rekey.response.won", "ike.rekey.response.ok"} <= rows
    assert any(end.ike("i").state == Ike.CLOSED for each in moments for end in each.ends)
