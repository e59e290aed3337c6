"""The readers of the rows agree: what one does on a random walk, the others allow."""

import random

import pytest
import z3
from ikeref_model.endpoint_state import ChildRecord, Endpoint, IkeRecord
from ikeref_model.explore import compile_system
from ikeref_model.machine import End, Refused, triggers
from ikeref_model.monitor import Accepted, Monitor
from ikeref_model.rows import Row
from ikeref_model.state import SCOPES, Child, Ike
from ikeref_model.symbolic import symbols
from ikeref_model.system import Scope, build
from ikeref_model.tables import ROWS
from ikeref_model.terms import holds
from ikeref_properties.proofs.statements import CHILD_SCOPE, IKE_SCOPE, WHOLE_SCOPE

from .helpers import Names, observe, walk

SCOPE_IDS = ("child", "ike", "whole")
SYSTEM_SCOPES = (CHILD_SCOPE, IKE_SCOPE, WHOLE_SCOPE)


@pytest.mark.parametrize("scope", SYSTEM_SCOPES, ids=SCOPE_IDS)
def test_monitor_accepts_every_step_of_a_random_walk(scope: Scope) -> None:
    compiled = compile_system(build(scope))
    steps = 0
    for seed in range(25):
        names = Names()
        home = names["ike_old"]
        start = Endpoint(
            (IkeRecord(home, state=Ike.ESTABLISHED, verified=True),),
            (ChildRecord(names["child_old"], Child.OPEN, True, True, homes=frozenset((home,))),),
        )
        monitors = {end: Monitor(frozenset((start,))) for end in "AB"}
        for step, before, after in walk(compiled, seed, 80):
            seen = observe(names, step, before, after)
            if seen is None:
                continue
            found = monitors[seen[0]].step(seen[1])
            assert isinstance(found, Accepted), f"{seed}: {step.name}\n{found}"
            assert step.row in {match.row.name for match in found.matches} or found.explanations > 1
            steps += 1
    assert steps > 500


@pytest.mark.parametrize("scope", SYSTEM_SCOPES, ids=SCOPE_IDS)
def test_solver_and_explorer_agree_on_every_step(scope: Scope) -> None:
    system = build(scope)
    compiled = compile_system(system)
    at = symbols(system)
    guards = [at.term(step.guard) for step in system.steps]
    afters = {number: at.after(dict(step.assign)) for number, step in enumerate(system.steps)}
    checked = 0
    for seed in range(3):
        for _, before, _ in walk(compiled, seed, 12):
            possible = dict(compiled.successors(compiled.code.encode(before)))
            solver = z3.Solver(ctx=at.context)
            solver.add(*(at.equal(name, value) for name, value in before.items()))
            assert solver.check() == z3.sat
            model = solver.model()
            for number, guard in enumerate(guards):
                enabled = z3.is_true(model.eval(guard, model_completion=True))
                assert enabled == (number in possible), system.steps[number].name
                if enabled:
                    assert afters[number].state(model) == compiled.code.decode(possible[number])
                    checked += 1
    assert checked > 20


def random_values(chance: random.Random) -> dict[str, bool | str]:
    values = {f"{scope}.{each.name}": chance.choice(each.domain) for scope, all_ in SCOPES.items() for each in all_}
    values["child.on_ike"] = chance.random() < 0.7
    return values


@pytest.mark.parametrize("seed", range(12))
def test_machine_takes_a_row_that_fits(seed: int) -> None:
    chance = random.Random(seed)
    end = End()
    for _ in range(25):
        row: Row = chance.choice(ROWS)
        end.values |= random_values(chance)
        end.values |= {f"{row.component}.state": chance.choice(row.source)}
        for component, machine in end.machines.items():
            machine.set_state(str(end.values[f"{component}.state"]))
        before = dict(end.values)
        event = chance.choice(list(triggers(row.on)))
        children = [lambda name, at=before: at["child." + name.partition(".")[2]]] if before["child.on_ike"] else []
        fitting = [
            each.name
            for each in ROWS
            if event in set(triggers(each.on)) and holds(each.condition(), before.__getitem__, children)
        ]
        try:
            taken = end.fire(event)
        except Refused:
            assert not fitting
            continue
        assert taken in fitting
        destination = next(each.destination for each in ROWS if each.name == taken)
        component = next(each.component for each in ROWS if each.name == taken)
        if destination:
            assert end.parts[component].state == destination == end.values[f"{component}.state"]


def test_machine_runs_a_simultaneous_rekey() -> None:
    end = End()
    end.fire("send_IKE_SA_INIT")
    end.fire("response_IKE_SA_INIT_OK")
    assert end.fire("response_IKE_AUTH_OK", verifies=True) == "auth.response.ok"
    end.fire("send_REKEY_CHILD")
    assert end.fire("request_REKEY_CHILD_FRESH", choose="collision.rekey_child.rekeying")
    assert end.parts["child"].state == Child.CROSSED
    assert end.fire("response_REKEY_CHILD_OK", lowest_is_mine=False) == "child.rekey.response.won"
    assert end.values["child.due"]
    assert end.fire("send_DELETE_CHILD") == "child.delete.send.due"
    assert end.fire("request_DELETE_CHILD_FRESH") == "collision.delete_child.closing"
    assert end.fire("response_DELETE_CHILD_EMPTY") == "child.delete.response.crossed"
    with pytest.raises(Refused):
        end.fire("send_DELETE_CHILD")
