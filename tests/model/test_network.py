"""The plain composition, with Message IDs and messages that are lost, repeated and reordered, within bounds."""

import pytest
from ikeref_model.events import Kind
from ikeref_model.network import search
from ikeref_model.rows import Row
from ikeref_model.tables import ROWS
from ikeref_model.terms import All, all_of
from ikeref_properties.mutants_rows import FAULTS

CHILD = (Kind.REKEY_CHILD, Kind.DELETE_CHILD)
IKE = (Kind.REKEY_IKE, Kind.DELETE_IKE)


@pytest.mark.parametrize("lowest", [0, 1])
def test_one_command_an_end_leaves_both_ends_agreed(lowest: int) -> None:
    found = search((1, 1), lowest=lowest)
    assert not found.violation
    assert found.states > 1000


@pytest.mark.parametrize(("kinds", "states"), [(CHILD, 3000), (IKE, 1500)])
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
