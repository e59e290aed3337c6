"""One Child SA among any number of others: what stands for the others is no less than they are, and seeded faults in
what the abstraction rests on are found."""

import pytest
from ikeref_model.events import Kind
from ikeref_model.explore import explore
from ikeref_model.focus import SUPERFLUOUS, THIS, UNKNOWN, build_focus, loose
from ikeref_model.rows import Row
from ikeref_model.state import Child, Ike
from ikeref_model.system import Scope
from ikeref_model.tables import ROWS
from ikeref_model.terms import FALSE, TRUE, Not, Set, all_of, any_of, is_, isnt, no
from ikeref_properties.proofs import BY_ID, others
from ikeref_properties.proofs.statements import FAMILY_SCOPE, LINE_SCOPE, paired

ONE = Scope("one Child SA", FAMILY_SCOPE.kinds, children=(THIS,))


def changed(name: str, **fields: object) -> tuple[Row, ...]:
    found = tuple(row._replace(**fields) if row.name == name else row for row in ROWS)  # type: ignore[arg-type]
    assert found != ROWS
    return found


def test_what_is_unknown_suits_a_guard_and_not_its_negation() -> None:
    known = is_("A.child_this.in")
    assert loose(UNKNOWN) == TRUE
    assert loose(Not(UNKNOWN)) == TRUE
    assert loose(UNKNOWN, sure=True) == FALSE
    assert loose(all_of(known, UNKNOWN)) == known
    assert loose(any_of(known, Not(UNKNOWN))) == TRUE
    assert loose(no(all_of(known, UNKNOWN))) == TRUE


def test_others_do_all_that_rows_about_other_child_sas_do() -> None:
    names = {step.row for step in build_focus(ONE).steps}
    about = {row.name for row in ROWS if row.component == "child" and row.on.kinds & set(ONE.kinds)}
    without = {step.row for step in build_focus(ONE).steps if "[other" in step.name or "[" not in step.name}
    assert any(name in without for name in about)
    assert SUPERFLUOUS in names
    reachable = explore(build_focus(ONE))
    assert reachable.complete
    assert {"child.create.request.accept", "collision.rekey_child.rekeying"} <= reachable.taken


def test_a_row_that_closes_every_child_sa_is_found_through_others() -> None:
    update = next(row.update for row in ROWS if row.name == "child.delete.request")
    rows = changed("child.delete.request", update=(*update, Set("each.in", False), Set("each.out", False)))
    statement = BY_ID["pairs-of-any-number"]
    system = statement.build(rows)
    assert explore(system, no(statement.safe(system))).violation
    alone = tuple(row for row in rows if row.name != "child.create.request.accept")
    assert explore(build_focus(ONE, alone), no(paired(build_focus(ONE, alone)))).violation


def test_the_lemmas_hold() -> None:
    assert others.one_of_many().good
    assert others.left_behind().good


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("collision.rekey_child.replaced", {"update": (Set("child_theirs.state", Child.OPEN),)}, "can do so again"),
        ("collision.rekey_child.rekeying", {"destination": Child.REKEYING}, "can do so again"),
        ("child.rekey.response.won", {"destination": Child.OPEN}, "young again"),
        ("child.delete.send", {"guard": is_("neighbour.state", Child.OPEN)}, "speaks of neighbour"),
    ],
)
def test_a_row_about_more_than_its_own_child_sa_is_found(name: str, fields: dict[str, object], why: str) -> None:
    verdict = others.one_of_many(changed(name, **fields))
    assert not verdict.good
    assert why in verdict.bounds
    assert name in verdict.bounds


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ike.delete.request", {"destination": "", "update": ()}),
        ("ike.rekey.send", {"source": (Ike.ESTABLISHED, Ike.REPLACED)}),
        ("collision.rekey_ike.replaced", {"update": (Set("ike.due", False),)}),
        ("ike.delete.response", {"update": (Set("ike.own", "NOTHING"), Set("ike_mine.state", Ike.CLOSED))}),
    ],
)
def test_an_ike_sa_that_does_not_stay_behind_is_found(name: str, fields: dict[str, object]) -> None:
    assert not others.left_behind(changed(name, **fields)).good


def test_a_successor_can_be_rekeyed_while_the_old_ike_sa_stands() -> None:
    system = build_focus(LINE_SCOPE)
    moved = [step for step in system.steps if step.row == "on"]
    assert len(moved) == 2
    goal = all_of(is_("A.ike_old.state", Ike.REPLACED), is_("B.ike_a.state", Ike.REKEYING), isnt("lost"))
    assert explore(system, goal).violation
    assert {step.row for step in system.steps if step.name.endswith("unseen")}
    assert Kind.REKEY_IKE in LINE_SCOPE.kinds
