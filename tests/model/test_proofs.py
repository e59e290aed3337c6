"""The committed certificates hold; tampered ones don't; seeded faults are found; witnesses are reachable."""

import copy
from typing import Any

import pytest
from ikeref_model import second
from ikeref_model.check import Flawed, Transcript, check, replay
from ikeref_model.tables import ROWS
from ikeref_model.terms import no
from ikeref_properties import mutants_rows
from ikeref_properties.mutants_rows import FAULTS, Fault
from ikeref_properties.proofs import (
    BY_ID,
    LEMMAS,
    STATEMENTS,
    Statement,
    clauses_of,
    committed,
    recheck,
    refute,
    verify,
)

IDS = [each.id for each in STATEMENTS]
TWIN = {
    "pairs-of-any-number": "child-sas-in-pairs",
    "inheritance-of-any-number": "inherited-exactly-once",
}
"""Statements about any number of SAs fall with the faults of those about one."""
MANY = [each for each in FAULTS if each.found_by in TWIN.values()]


def test_every_committed_certificate_holds() -> None:
    verdicts = recheck()
    assert [each.property_id for each in verdicts] == [*LEMMAS, *IDS]
    for each in verdicts:
        assert each.claim == "proved", each
        assert each.subject == "rows"
        assert each.bounds


def flawed(statement: Statement, data: dict[str, Any]) -> str:
    verdict = verify(statement, data)
    assert verdict.claim == "refuted"
    return verdict.bounds


PAIRS = BY_ID["child-sas-in-pairs"]


def test_a_certificate_with_a_clause_missing_is_refused() -> None:
    data = committed(PAIRS)
    refused = 0
    for number in range(0, len(data["clauses"]), 40):
        short = {**data, "clauses": data["clauses"][:number] + data["clauses"][number + 1 :]}
        refused += verify(PAIRS, short).claim == "refuted"
    assert refused


def test_a_certificate_with_a_false_clause_is_refused() -> None:
    data = copy.deepcopy(committed(PAIRS))
    data["clauses"].append([["A.child_old.state", ["OPEN"]]])
    assert "initiation" in flawed(PAIRS, data)


def test_an_invariant_that_nothing_satisfies_is_refused() -> None:
    data = copy.deepcopy(committed(PAIRS))
    data["clauses"].append([["B.child_a.state", ["REPLACED"]]])
    assert "sense" in flawed(PAIRS, data) or "consecution" in flawed(PAIRS, data)
    data["clauses"].append([["A.child_b.in", [False, True]]])
    assert flawed(PAIRS, data)


def test_an_invariant_that_is_too_weak_is_refused() -> None:
    data = {**committed(PAIRS), "clauses": []}
    assert "safety" in flawed(PAIRS, data)


def test_a_certificate_of_another_statement_is_refused() -> None:
    assert "certificate of" in flawed(BY_ID["inherited-exactly-once"], committed(PAIRS))


def test_two_steps_of_one_name_are_refused() -> None:
    system, data = PAIRS.build(ROWS), committed(PAIRS)
    double = system._replace(steps=(*system.steps, system.steps[-1]))
    with pytest.raises(Flawed, match="two steps are called"):
        check(double, PAIRS.safe(system), clauses_of(data), frozenset(data["dead"]))


def test_a_step_wrongly_called_dead_is_refused() -> None:
    data = copy.deepcopy(committed(PAIRS))
    data["dead"].append("A child.rekey.send [old]")
    assert "sense" in flawed(PAIRS, data)
    data["dead"][-1] = "A no such step"
    assert "no step" in flawed(PAIRS, data)


def test_a_witness_that_does_not_run_is_refused() -> None:
    data = copy.deepcopy(committed(PAIRS))
    name = next(iter(data["witnesses"]))
    data["witnesses"][name] = ["A child.delete.response.ok [old]"]
    assert "witness" in flawed(PAIRS, data)


@pytest.mark.parametrize("id", IDS)
def test_a_certificate_does_not_hold_for_faulty_rows(id: str) -> None:
    statement = BY_ID[id]
    fault = next(each for each in FAULTS if each.found_by == TWIN.get(id, id))
    assert verify(statement, committed(statement), fault.rows).claim == "refuted"


@pytest.mark.parametrize("id", IDS)
def test_witnesses_are_reachable(id: str) -> None:
    statement = BY_ID[id]
    system, data = statement.build(ROWS), committed(statement)
    assert set(data["witnesses"]) == {name for name, _ in statement.witnesses}
    for name, goal in statement.witnesses:
        replay(system, data["witnesses"][name], goal)
        if data["witnesses"][name]:
            with pytest.raises(Flawed):
                replay(system, data["witnesses"][name][:-1], goal)


def possible_rows(dead: frozenset[str] = frozenset()) -> set[str]:
    """The rows of which some step is possible under some invariant; the checker holds the certificates to that."""
    found: set[str] = set()
    for each in STATEMENTS:
        never = dead | set(committed(each)["dead"])
        found |= {step.row for step in each.build(ROWS).steps if step.name not in never}
    return found


def test_every_row_is_possible_under_some_invariant() -> None:
    """(Sizes of windows are announced in the searches; a command that waits does nothing.)"""
    missing = {row.name for row in ROWS if not row.variant} - possible_rows()
    assert all(name.startswith(("window.announce", "window.command.wait")) for name in missing)
    steps = [step for each in STATEMENTS for step in each.build(ROWS).steps if step.row == "ike.rekey.send"]
    assert "ike.rekey.send" not in possible_rows(frozenset(step.name for step in steps))


@pytest.mark.parametrize(
    ("name", "depth"),
    [("auth.unchecked.responder", 2), ("delete.keeps_outgoing", 3), ("inherit.lost", 3)],
)
def test_bounded_model_checking_finds_a_seeded_fault(name: str, depth: int) -> None:
    fault = next(each for each in FAULTS if each.name == name)
    statement = BY_ID[fault.found_by]
    schedule = refute(statement, fault.rows, depth)
    assert schedule is not None
    assert len(schedule.steps) <= depth
    assert schedule.text()
    system = statement.build(fault.rows)
    replay(system, [step.name for step in schedule.steps], no(statement.safe(system)))
    assert refute(statement, ROWS, depth) is None


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.found_by in IDS], ids=lambda each: each.name)
def test_every_seeded_fault_is_found(fault: Fault) -> None:
    found = mutants_rows.try_fault(fault, BY_ID[fault.found_by])
    assert found.found
    assert found.depth <= 16


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.found_by in LEMMAS], ids=lambda each: each.name)
def test_a_lemma_fails_on_faulty_rows(fault: Fault) -> None:
    assert mutants_rows.try_lemma(fault, fault.found_by).found


def test_faults_that_are_not_found_are_argued() -> None:
    assert all(fault.argument for fault in FAULTS if not fault.found_by)


def test_the_checker_names_what_is_wrong() -> None:
    system = PAIRS.build(ROWS)
    with pytest.raises(Flawed, match="which the system does not have"):
        check(system, PAIRS.safe(system), ((("A.child_old.colour", ("RED",)),),))


@pytest.mark.parametrize("fault", MANY, ids=lambda each: each.name)
def test_every_seeded_fault_is_found_among_any_number(fault: Fault) -> None:
    id = next(new for new, old in TWIN.items() if old == fault.found_by)
    assert mutants_rows.try_fault(fault, BY_ID[id]).found


QUICK = ("no-child-before-auth", "traffic-goes-on", "child-sas-in-pairs", "judged-alike")


@pytest.mark.skipif(bool(second.missing()), reason=second.missing() or "-")
@pytest.mark.parametrize(
    "id", [each if each in QUICK else pytest.param(each, marks=pytest.mark.nightly) for each in IDS]
)
def test_a_second_solver_gives_the_same_answers(id: str) -> None:
    statement, transcript = BY_ID[id], Transcript()
    system, data = statement.build(ROWS), committed(statement)
    check(system, statement.safe(system), clauses_of(data), frozenset(data["dead"]), transcript)
    assert second.confirm(transcript) > len(system.steps)
    transcript.answers[-1] = not transcript.answers[-1]
    with pytest.raises(Flawed, match="disagrees"):
        second.confirm(transcript)
