"""Section 2.25: runs end, nothing stands still before it is at rest, and retries that collide for ever need a random
wait."""

import pytest
from ikeref_model.events import Kind
from ikeref_model.explore import explore
from ikeref_model.rows import Row, ask
from ikeref_model.sentences import Breach, judge
from ikeref_model.tables import ROWS
from ikeref_model.terms import Set, no
from ikeref_properties.proofs import BY_ID, alone, ranking
from ikeref_properties.proofs.statements import moving


def changed(name: str, **fields: object) -> tuple[Row, ...]:
    found = tuple(row._replace(**fields) if row.name == name else row for row in ROWS)  # type: ignore[arg-type]
    assert found != ROWS
    return found


def test_every_step_but_a_command_leaves_less_to_be_done() -> None:
    verdict = ranking.prove()
    assert verdict.good, verdict
    assert not any(ranking.is_command(row) for row in ROWS if row.name.endswith(".due"))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("child.delete.send.due", {"update": (Set("ike.own", Kind.DELETE_CHILD),)}),
        ("child.delete.request", {"update": (Set("child.due", True), Set("child_mine.due", True))}),
        ("child.rekey.response.temporary", {"answers": ask(Kind.REKEY_CHILD)}),
        ("ike.rekey.response.ok", {"update": (Set("each.due", True),)}),
    ],
)
def test_a_row_that_leaves_no_less_to_be_done_is_found(name: str, fields: dict[str, object]) -> None:
    verdict = ranking.prove(changed(name, **fields))
    assert not verdict.good
    assert name in verdict.bounds


@pytest.mark.parametrize("name", ["child.delete.send.due", "child.delete.response.ok", "child.delete.request"])
def test_a_table_without_a_row_stands_still_before_it_is_at_rest(name: str) -> None:
    system = BY_ID["pairs-of-any-number"].build(tuple(row for row in ROWS if row.name != name))
    assert explore(system, no(moving(system))).violation


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("2.25-alone-rekey-child", "child.rekey.request.accept"),
        ("2.25-alone-create-child", "child.create.request.accept"),
        ("2.25-alone-rekey-ike", "ike.rekey.request.accept"),
    ],
)
def test_a_request_that_comes_alone_and_can_not_be_accepted_is_found(id: str, name: str) -> None:
    sentence = next(each for each in alone.ALONE if each.id == id)
    assert not isinstance(judge(sentence, ROWS), Breach)
    assert isinstance(judge(sentence, tuple(row for row in ROWS if not row.name.startswith(name))), Breach)


def test_s2_25_two_ends_that_retry_at_the_same_moment_put_each_other_off_for_ever() -> None:
    assert alone.collides()
    assert not alone.collides(tuple(row for row in ROWS if row.name != "collision.rekey_ike.child_busy"))
