"""The rows run by `transitions`: one end of one IKE SA with one Child SA, their successors and replacements.

Two machines, one whose states are those of the IKE SA and one whose states are those of the Child SA, share the
variables of the end. A row is a transition: its event is the trigger, its guard the condition, its updates the
after-callback. Where several rows fit, `transitions` takes the first; `choose` picks another. This reader is for
learning and for watching; it costs microseconds per event and kilobytes per object, so nothing else is built on it.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from transitions import Machine

from ikeref_model.events import Alarm, Input, Kind, Outcome, Position
from ikeref_model.rows import On, Row
from ikeref_model.state import NOTHING, SCOPES, Child, Ike
from ikeref_model.tables import ROWS
from ikeref_model.terms import Pick, Value, holds


class Refused(Exception):
    """No row fits."""


def trigger(what: str, *details: Kind | Outcome | Position | Alarm | Input) -> str:
    """The name of an event: `request_DELETE_CHILD_FRESH`, `response_REKEY_IKE_OK`, `timer_GIVE_UP`, `send_LIVENESS`."""
    return "_".join((what, *map(str, details)))


def triggers(on: On) -> Iterator[str]:
    """The events that a row is for."""
    match on.what:
        case "timer":
            assert on.alarm is not None
            yield trigger("timer", on.alarm)
        case "input":
            assert on.input is not None
            yield trigger("input", on.input)
        case "request":
            assert on.position is not None
            for kind in sorted(on.kinds):
                yield trigger("request", kind, on.position)
        case "response":
            for kind in sorted(on.kinds):
                for outcome in sorted(on.outcomes):
                    yield trigger("response", kind, outcome)
        case "announce" | "announced":
            yield trigger(on.what)
        case what:
            for kind in sorted(on.kinds):
                yield trigger(what, kind)


class Part:
    """What a machine drives: the state of the IKE SA, or of the Child SA."""

    state: str


class End:
    """One end, run by two machines. `values` holds every variable by the name that the rows use."""

    def __init__(self, rows: tuple[Row, ...] = ROWS) -> None:
        self.values: dict[str, Value] = {
            f"{scope}.{each.name}": each.initial for scope, record in SCOPES.items() for each in record
        }
        self.taken: list[str] = []
        self._choose = ""
        self.parts = {"ike": Part(), "child": Part()}
        self.machines = {
            "ike": self._machine("ike", [str(each) for each in Ike]),
            "child": self._machine("child", [str(each) for each in Child]),
        }
        for row in rows:
            self._add(row)

    def _machine(self, component: str, states: list[str]) -> Any:
        return Machine(
            model=self.parts[component],
            states=states,
            initial=str(self.values[f"{component}.state"]),
            auto_transitions=False,
            ignore_invalid_triggers=True,
        )

    def _add(self, row: Row) -> None:
        for name in triggers(row.on):
            self.machines[row.component].add_transition(
                name,
                list(row.source),
                row.destination or "=",
                conditions=[partial(self._fits, row)],
                after=[partial(self._update, row)],
            )

    def _fits(self, row: Row) -> bool:
        wanted = not self._choose or self._choose == row.name
        return wanted and holds(row.guard, self.values.__getitem__, self._children())

    def _children(self) -> list[Any]:
        if not self.values["child.on_ike"]:
            return []
        return [lambda variable: self.values["child." + variable.partition(".")[2]]]

    def _update(self, row: Row) -> None:
        inhabited = bool(self.values["child.on_ike"])
        new: dict[str, Value] = {}
        for each in sorted(row.effects(), key=lambda each: not each.variable.startswith("each.")):
            name = each.variable
            if name.startswith("each."):
                if not inhabited:
                    continue
                name = "child." + name.partition(".")[2]
            value = each.value
            if isinstance(value, Pick):
                picked = value.then if self._holds_for_each(value, each.variable) else value.otherwise
                value = self.values[name] if picked is None else picked
            new[name] = value
            if name.endswith(".on_any"):
                new |= {name.replace("on_any", f"on_{home}"): False for home in ("ike", "mine", "theirs")}
        self.values |= new
        if "ike.own" in new:
            self.values["ike.room"] = new["ike.own"] == NOTHING  # the window is 1
        for component, machine in self.machines.items():
            machine.set_state(str(self.values[f"{component}.state"]))
        self.taken.append(row.name)

    def _holds_for_each(self, value: Pick, variable: str) -> bool:
        if variable.startswith("each."):
            return holds(
                value.condition,
                lambda name: self.values[name.replace("each.", "child.")],
                self._children(),
            )
        return holds(value.condition, self.values.__getitem__, self._children())

    def fire(self, event: str, *, choose: str = "", **facts: bool) -> str:
        """Let an event happen; returns the name of the row taken, raises `Refused` if none fits. `facts` hold from
        now on."""
        self.values |= {f"fact.{name}": value for name, value in facts.items()}
        self._choose = choose
        before = len(self.taken)
        for component, machine in self.machines.items():
            if event in machine.events:
                self.parts[component].trigger(event)  # type: ignore[attr-defined]  # transitions adds it
                if len(self.taken) > before:
                    return self.taken[-1]
        raise Refused(event)
