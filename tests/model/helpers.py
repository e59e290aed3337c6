"""Random walks through a composed system, and what an observer of one end sees of a step."""

import random
from collections.abc import Iterator

from ikeref_model.events import (
    Asked,
    Change,
    Closed,
    Command,
    Direction,
    Established,
    Event,
    Installed,
    Kind,
    Observation,
    Outcome,
    Removed,
    Reply,
    Request,
    Response,
    Sent,
    Timer,
)
from ikeref_model.explore import Compiled
from ikeref_model.state import Ike
from ikeref_model.system import MINE, PEER, Step, initials
from ikeref_model.tables import BY_NAME
from ikeref_model.terms import Value

State = dict[str, Value]
LIVE = (Ike.ESTABLISHED, Ike.REKEYING, Ike.CROSSED, Ike.REPLACED, Ike.DELETING)


def walk(compiled: Compiled, seed: int, length: int) -> Iterator[tuple[Step, State, State]]:
    """Steps with the states before and after; the IKE SA is rarely deleted by command, which would end the walk."""
    system = compiled.system
    chance = random.Random(seed)
    state = compiled.code.encode(chance.choice(list(initials(system))))
    for _ in range(length):
        found = list(compiled.successors(state))
        if not found:
            return
        number, after = chance.choice(found)
        if system.steps[number].row == "ike.delete.send" and chance.random() < 0.9:
            continue
        yield system.steps[number], compiled.code.decode(state), compiled.code.decode(after)
        state = after


class Names:
    """Slots are used again; an observer's names are not."""

    def __init__(self) -> None:
        self.count = 0
        self.of: dict[str, str] = {}

    def __getitem__(self, slot: str) -> str:
        if slot not in self.of:
            self.renew(slot)
        return self.of[slot]

    def renew(self, slot: str) -> None:
        self.count += 1
        self.of[slot] = f"{slot}.{self.count}"

    def recycle(self, what: str, keep: str) -> None:
        self.of[f"{what}_old"] = self[f"{what}_{keep}"]
        for slot in ("a", "b"):
            if what == "ike" or slot == keep:
                self.renew(f"{what}_{slot}")


def changes(names: Names, end: str, before: State, after: State) -> tuple[Change, ...]:
    """What the step does to the SAs of `end`."""
    found: list[Change] = []
    for name, value in after.items():
        if not name.startswith(f"{end}.") or before[name] == value:
            continue
        _, slot, variable = name.split(".")
        match variable:
            case "in" | "out":
                direction = Direction.IN if variable == "in" else Direction.OUT
                found.append((Installed if value else Removed)(names[slot], direction))
            case "state" if slot.startswith("ike"):
                if before[name] not in LIVE and value in LIVE:
                    found.append(Established(names[slot]))
                if before[name] in LIVE and value not in LIVE:
                    found.append(Closed(names[slot]))
    return tuple(found)


def observe(names: Names, step: Step, before: State, after: State) -> tuple[str, Observation] | None:
    """The end that takes the step and what is seen of it; None for `recycle`, which only renames."""
    if step.row == "recycle":
        words = step.name.replace(",", "").split()
        names.recycle("ike" if words[1] == "IKE" else "child", words[3])
        return None
    end = step.name[0]
    row = BY_NAME[step.row]
    ike = step.name.split(" on ")[1].split()[0].rstrip(":") if " on " in step.name else "old"
    child = step.name.split("[")[1].split("]")[0] if "[" in step.name else ""
    sa = names[f"ike_{ike}"]
    event: Event
    sent: tuple[Sent, ...] = ()
    if row.on.what == "timer":
        assert row.on.alarm is not None
        timer = Timer(row.on.alarm, names[f"child_{child}"])
        return end, Observation(sa, timer, (), changes(names, end, before, after))
    if row.on.what == "send":
        kind = Kind(str(after[f"{end}>{ike}.msg"]))
        if kind is Kind.CREATE_CHILD:
            names.renew(f"child_{child}")
        if kind is Kind.REKEY_CHILD:
            names.renew(f"child_{MINE[end]}")
        if kind is Kind.REKEY_IKE:
            names.renew(f"ike_{MINE[end]}")
        subject = (names[f"child_{child}"],) if child else ()
        event, sent = Command(kind, subject[0] if subject else ""), (Asked(kind, subject),)
    else:
        subject = (names[f"child_{child}"],) if child else ()
        asker = PEER[end] if row.on.what == "request" else end
        kind = Kind(str(before[f"{asker}>{ike}.msg"]))
        if row.on.what == "request":
            outcome = Outcome(str(after[f"{asker}>{ike}.ans"]))
            listed = subject if kind is Kind.DELETE_CHILD and outcome is Outcome.OK else ()
            event, sent = Request(kind, subject if kind is not Kind.CREATE_CHILD else ()), (Reply(outcome, listed),)
        else:
            outcome = Outcome(str(before[f"{end}>{ike}.ans"]))
            made = (names[f"child_{MINE[end]}"],) if kind is Kind.REKEY_CHILD else subject
            making = kind in (Kind.CREATE_CHILD, Kind.REKEY_CHILD) and outcome is Outcome.OK
            event = Response(kind, outcome, made if making else ())
    facts: tuple[tuple[str, bool], ...] = ()
    if kind in (Kind.REKEY_CHILD, Kind.REKEY_IKE) and row.on.what == "response":
        lowest = before["lowest_child" if kind is Kind.REKEY_CHILD else "lowest_ike"]
        facts = (("lowest_is_mine", lowest == end),)
    return end, Observation(sa, event, sent, changes(names, end, before, after), facts)
