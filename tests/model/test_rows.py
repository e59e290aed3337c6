"""The rows are well-formed and cite what exists."""

import pytest
from ikeref_model import state
from ikeref_model.events import Kind, Outcome
from ikeref_model.rows import LEVELS, Row
from ikeref_model.tables import ALLOWED, BY_NAME, ROWS, TABLES
from ikeref_model.terms import All, Is, Not, Pick, Some, SomeChild, Term, Value, variables_of
from ikeref_properties.catalogue import requirement, requirements


def values_of(term: Term) -> list[tuple[str, Value]]:
    match term:
        case Is(variable, values):
            return [(variable, value) for value in values]
        case Not(inner) | SomeChild(inner):
            return values_of(inner)
        case All(terms) | Some(terms):
            return [each for inner in terms for each in values_of(inner)]


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(ALLOWED)


def test_no_table_is_empty() -> None:
    assert all(TABLES.values())


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.name)
def test_row_is_well_formed(row: Row) -> None:
    assert row.component in ("ike", "child")
    assert row.level in LEVELS
    assert row.answers
    for variable, value in values_of(row.condition()):
        assert value in state.variable(variable).domain, (variable, value)
    for each in row.effects():
        domain = state.variable(each.variable).domain
        if isinstance(each.value, Pick):
            variables_of(each.value.condition)
            assert {each.value.then, each.value.otherwise} - {None} <= set(domain)
        else:
            assert each.value in domain
    for answer in row.answers:
        match answer.what:
            case "reply":
                assert answer.name in set(Outcome)
                assert row.on.what in ("request", "input")
            case "ask":
                assert answer.name in set(Kind)
                assert row.on.what in ("send", "response", "request", "timer")
            case "repeat" | "nothing" | "one-way":
                assert not answer.name
            case other:
                pytest.fail(f"unknown answer {other}")


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.name)
def test_row_cites_requirements_that_exist(row: Row) -> None:
    assert row.requirements
    found = [requirement(each) for each in row.requirements]
    assert any(each.section == row.section for each in found) or row.level == "silent", row.section


@pytest.mark.parametrize("row", [row for row in ALLOWED if row.level != "silent"], ids=lambda row: row.name)
def test_level_of_a_row_is_that_of_a_requirement_it_cites(row: Row) -> None:
    levels = {requirement(each).level.removesuffix(" NOT") for each in row.requirements}
    assert row.level in levels


def test_catalogue_is_whole() -> None:
    found = requirements().values()
    assert sum(each.rfc == 7296 for each in found) == 972
    assert sum(each.rfc != 7296 for each in found) == 263


def test_who_is_the_original_initiator_is_told_by_ike_sa_init_and_rekeys_alone() -> None:
    writers = {row.name for row in ROWS if any(each.variable.endswith(".original") for each in row.effects())}
    kinds = {kind for row in ROWS if row.name in writers for kind in row.on.kinds}
    assert kinds == {Kind.IKE_SA_INIT, Kind.REKEY_IKE}
    assert {row.on.what for row in ROWS if row.name in writers} == {"send", "request", "response"}
