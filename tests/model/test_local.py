"""Every event has a row in every state, and more than one only where the RFC allows a choice."""

import pytest
from ikeref_model.explore import State, code, explore, satisfying
from ikeref_model.local import CONSISTENT, gaps, overlaps
from ikeref_model.rows import Row
from ikeref_model.sentences import untidy
from ikeref_model.system import Names, build
from ikeref_model.tables import ROWS
from ikeref_model.terms import TRUE, no, rename, variables_of
from ikeref_properties.proofs.statements import CHILD_SCOPE, IKE_SCOPE


def without(*names: str) -> tuple[Row, ...]:
    return tuple(row for row in ROWS if row.name not in names)


def test_every_event_has_a_row_in_every_state() -> None:
    assert not list(gaps(ROWS))


def test_a_missing_row_is_found() -> None:
    found = list(gaps(without("collision.rekey_child.closing")))
    assert [each.event for each in found] == ["request_REKEY_CHILD_FRESH"]
    assert list(gaps(without("window.request.outside")))


def test_rows_overlap_only_where_there_is_a_choice() -> None:
    assert not list(overlaps(ROWS))


def test_an_undeclared_choice_is_found() -> None:
    rows = tuple(row._replace(choice="") if row.name == "init.request.cookie" else row for row in ROWS)
    found = next(overlaps(rows))
    assert "init.request.cookie" in found.rows


def test_what_the_checks_take_for_granted_holds_wherever_the_ends_can_get() -> None:
    for scope in (CHILD_SCOPE, IKE_SCOPE):
        system = build(scope)
        reached: dict[State, int] = {}
        explore(system, reached=reached)
        known = set(code(system).names)
        for child in scope.children:
            names = Names("A", "old", child, {})
            places = {each: str(names.of(each)) for each in variables_of(CONSISTENT)}
            assert set(places.values()) <= known
            # A Child SA that was handed over meanwhile is not the concern of the old IKE SA
            inconsistent = satisfying(system, reached, no(rename(CONSISTENT, places)))
            homes = [f"A.child_{child}.on_{ike}" for ike in scope.ikes if ike != "old"]
            assert all(any(code(system).decode(state)[home] for home in homes) for state in inconsistent)


def changed(name: str, *dropped: str) -> tuple[Row, ...]:
    """The rows with some updates of one of them left out."""
    return tuple(
        row._replace(update=tuple(each for each in row.update if each.variable not in dropped))
        if row.name == name
        else row
        for row in ROWS
    )


def test_what_is_known_of_other_child_sas_is_left_behind_by_every_row() -> None:
    assert not list(untidy(ROWS))


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("ike.rekey.response.ok", ("each.on_ike",)),  # two homes
        ("ike.rekey.response.ok", ("each.on_mine",)),  # none
        ("window.used_up", ("each.state", "each.in", "each.out")),  # open, of an IKE SA that is no more
        ("child.rekey.send", ("ike.own",)),  # in the state of a rekey that nobody has asked for
    ],
)
def test_a_row_that_leaves_something_else_behind_is_found(name: str, dropped: tuple[str, ...]) -> None:
    assert [each.row for each in untidy(changed(name, *dropped), {name})] == [name]


def test_a_child_sa_that_moves_while_a_request_about_it_is_outstanding_is_found() -> None:
    rows = tuple(row._replace(guard=TRUE) if row.name == "ike.rekey.request.accept" else row for row in ROWS)
    assert [each.row for each in untidy(rows, {"ike.rekey.request.accept"})] == ["ike.rekey.request.accept"]
