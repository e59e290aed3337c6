"""The plain composition, with Message IDs and messages that are lost, repeated and reordered, within bounds."""

import pytest
from ikeref_model.events import Kind
from ikeref_model.network import KINDS, Bound
from ikeref_model.rows import Row
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_model.terms import All, all_of
from ikeref_model.worlds import search, search_within
from ikeref_properties.mutants_rows import FAULTS

CHILD = (Kind.REKEY_CHILD, Kind.DELETE_CHILD)
IKE = (Kind.REKEY_IKE, Kind.DELETE_IKE)


@pytest.mark.parametrize("lowest", [0, 1])
def test_one_command_an_end_leaves_both_ends_agreed(lowest: int) -> None:
    found = search((1, 1), lowest=lowest)
    assert not found.violation
    assert found.states > 1000


@pytest.mark.parametrize(("kinds", "states"), [(CHILD, 2900), (IKE, 1500)])
def test_rekeys_of_what_was_just_rekeyed_leave_both_ends_agreed(kinds: tuple[Kind, ...], states: int) -> None:
    found = search((2, 1), kinds=kinds)
    assert not found.violation
    assert found.states > states


def test_without_the_rule_for_undecided_successors_child_sas_are_lost() -> None:
    def relaxed(row: Row) -> Row:
        if row.name in ("ike.rekey.send", "ike.rekey.request.accept"):
            terms = row.guard.terms if isinstance(row.guard, All) else (row.guard,)
            return row._replace(guard=all_of(*(term for term in terms if "ike_before" not in str(term))))
        return row

    rows = tuple(relaxed(row) for row in ROWS if row.name != "collision.rekey_ike.undecided")
    found = search((2, 1), kinds=IKE, rows=rows)
    assert found.violation


@pytest.mark.parametrize(
    "name",
    ["literal.denied_then_installed", "literal.delete_ends_children", "literal.orphan_ike", "delete.keeps_incoming"],
)
def test_seeded_faults_are_found_without_abstraction_too(name: str) -> None:
    fault = next(each for each in FAULTS if each.name == name)
    kinds = IKE if "ike" in name or "delete_ends" in name else (Kind.CREATE_CHILD, *CHILD)
    found = search((2, 2) if name == "literal.denied_then_installed" else (1, 1), rows=fault.rows, kinds=kinds)
    assert found.violation


@pytest.mark.parametrize("window", [2, 4])
@pytest.mark.parametrize("lowest", [0, 1])
def test_s2_3_larger_windows_leave_both_ends_agreed(window: int, lowest: int) -> None:
    found = search_within(Bound((2, 1), CHILD, window=window, lowest=lowest))
    assert found.complete
    assert not found.why
    assert found.states > 4500


def test_s2_3_of_every_kind_with_a_window_of_two() -> None:
    found = search_within(Bound((2, 1), window=2))
    assert found.complete
    assert not found.why
    assert {"child.create.send", "ike.rekey.send", "ike.delete.send", "collision.rekey_ike.child_busy"} <= found.rows


@pytest.mark.parametrize("lowest", [0, {"c": 0, "d": 1}], ids=("one end", "one each"))
@pytest.mark.parametrize("window", [1, 2])
def test_s2_25_1_two_child_sas_leave_both_ends_agreed(lowest: int, window: int) -> None:
    found = search_within(Bound((2, 1), CHILD, ("c", "d"), window, lowest=lowest))
    assert found.complete
    assert not found.why
    assert found.states > 5000


@pytest.mark.parametrize(("window", "announces"), [(1, 2), (2, 4)])
def test_s2_3_windows_are_announced_and_begin_anew(window: int, announces: int) -> None:
    kinds = (Kind.LIVENESS, Kind.CREATE_CHILD, Kind.REKEY_IKE)
    found = search_within(Bound((2, 1), kinds, window=window, announces=announces))
    assert found.complete
    assert not found.why
    assert found.states > 2000


@pytest.mark.parametrize("kinds", [CHILD, KINDS], ids=("child", "every"))
def test_what_is_spent_can_be_forgotten(kinds: tuple[Kind, ...]) -> None:
    left = (2, 1) if kinds == CHILD else (1, 1)
    for window in (1, 2):
        kept = search_within(Bound(left, kinds, window=window, forget=False))
        forgotten = search_within(Bound(left, kinds, window=window))
        assert kept.rows == forgotten.rows
        assert kept.states > forgotten.states
        assert not kept.why
        assert not forgotten.why


@pytest.mark.parametrize("name", ["literal.nonces_only_if_it_still_exists", "delete.keeps_incoming", "window.beyond"])
def test_what_is_spent_can_be_forgotten_where_a_fault_is_seeded(name: str) -> None:
    rows = next(each for each in FAULTS if each.name == name).rows
    kinds = (Kind.CREATE_CHILD, *CHILD)
    both = [search_within(Bound((2, 1), kinds, lowest=1, forget=forget), rows) for forget in (False, True)]
    assert both[0].violation
    assert both[0].why == both[1].why
    assert len(both[0].violation) == len(both[1].violation)


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("window.beyond", Bound((3, 0), (Kind.CREATE_CHILD,), window=2)),
        ("window.own_shrinks", Bound((3, 1), (Kind.LIVENESS, Kind.CREATE_CHILD), window=4, announces=2)),
        ("window.carried_over", Bound((3, 0), (Kind.CREATE_CHILD, Kind.REKEY_IKE), window=2)),
    ],
)
def test_s2_3_a_request_beyond_a_window_is_found(name: str, bound: Bound) -> None:
    found = search_within(bound, next(each for each in FAULTS if each.name == name).rows)
    assert found.why == "a request lies beyond the window"
    assert found.violation[-1].row.endswith(".send")


@pytest.mark.parametrize(
    ("name", "left", "steps"),
    [
        ("relaxed.ike_rekey.busy", (2, 0), 9),
        ("relaxed.create_child.ike_busy", (2, 0), 9),
        ("relaxed.rekey_child.ike_busy", (2, 0), 12),
        ("relaxed.delete_child.ike_busy", (2, 1), 9),
    ],
)
def test_s2_25_rekeying_an_ike_sa_beside_other_requests_breaks(name: str, left: tuple[int, int], steps: int) -> None:
    kinds = tuple(
        kind
        for kind in (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD)
        if kind.lower() in name or (kind is Kind.CREATE_CHILD and "ike_rekey" in name)
    )
    bound = Bound(left, (*kinds, Kind.REKEY_IKE), window=2)
    found = search_within(bound, (*ROWS, BY_NAME[name]), variants=True)
    assert found.why == "at rest the ends disagree"
    assert len(found.violation) == steps
    assert not search_within(bound).why


def test_s2_8_denying_what_one_is_waiting_for_leaves_no_child_sa() -> None:
    bound = Bound((1, 1), (Kind.REKEY_CHILD,), carries=True)
    found = search_within(bound, (*ROWS, BY_NAME["relaxed.rekey_child.unborn"]), variants=True)
    assert found.why == "at rest no Child SA is left"
    assert len(found.violation) == 9
    assert "relaxed.rekey_child.unborn: CHILD_SA_NOT_FOUND" in {each.row for each in found.violation}
    assert not search_within(bound._replace(left=(2, 1))).why


@pytest.mark.parametrize("name", ["relaxed.ike_delete.busy", "relaxed.liveness.ike_busy"])
def test_s2_3_these_break_nothing_beside_other_requests(name: str) -> None:
    kinds = (Kind.CREATE_CHILD, Kind.REKEY_IKE, Kind.DELETE_IKE, Kind.LIVENESS)
    found = search_within(Bound((2, 1), kinds, window=2), (*ROWS, BY_NAME[name]), variants=True)
    assert found.complete
    assert not found.why
    assert name in found.rows
