"""Sections 2.25.1 and 2.25.2 sentence by sentence: situation, request, answer, what closes."""

import pytest
from ikeref_model.events import Kind, Outcome, Position
from ikeref_model.rows import Row
from ikeref_model.state import Child, Ike
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_model.terms import Value, holds

LINES: list[tuple[Ike, str, Child, Kind, set[Outcome]]] = [
    # The IKE SA, its outstanding request, the Child SA; the request that arrives; the answers.
    # 2.25.1
    (Ike.ESTABLISHED, "DELETE_CHILD", Child.DELETING, Kind.REKEY_CHILD, {Outcome.TEMPORARY_FAILURE}),
    (Ike.ESTABLISHED, "REKEY_CHILD", Child.REKEYING, Kind.REKEY_CHILD, {Outcome.OK}),
    (Ike.ESTABLISHED, "NOTHING", Child.ABSENT, Kind.REKEY_CHILD, {Outcome.CHILD_SA_NOT_FOUND}),
    (Ike.ESTABLISHED, "DELETE_CHILD", Child.DELETING, Kind.DELETE_CHILD, {Outcome.EMPTY}),
    (Ike.ESTABLISHED, "REKEY_CHILD", Child.REKEYING, Kind.DELETE_CHILD, {Outcome.OK}),
    (Ike.ESTABLISHED, "NOTHING", Child.ABSENT, Kind.DELETE_CHILD, {Outcome.EMPTY}),
    (Ike.ESTABLISHED, "CREATE_CHILD", Child.CREATING, Kind.REKEY_IKE, {Outcome.TEMPORARY_FAILURE}),
    (Ike.ESTABLISHED, "REKEY_CHILD", Child.REKEYING, Kind.REKEY_IKE, {Outcome.TEMPORARY_FAILURE}),
    (Ike.ESTABLISHED, "DELETE_CHILD", Child.DELETING, Kind.REKEY_IKE, {Outcome.TEMPORARY_FAILURE}),
    # 2.25.2
    (Ike.REKEYING, "REKEY_IKE", Child.OPEN, Kind.REKEY_IKE, {Outcome.OK}),
    (Ike.DELETING, "DELETE_IKE", Child.OPEN, Kind.REKEY_IKE, {Outcome.TEMPORARY_FAILURE}),
    (Ike.REKEYING, "REKEY_IKE", Child.OPEN, Kind.DELETE_IKE, {Outcome.EMPTY}),
    (Ike.DELETING, "DELETE_IKE", Child.OPEN, Kind.DELETE_IKE, {Outcome.EMPTY}),
    (Ike.REKEYING, "REKEY_IKE", Child.ABSENT, Kind.CREATE_CHILD, {Outcome.TEMPORARY_FAILURE}),
    (Ike.REKEYING, "REKEY_IKE", Child.OPEN, Kind.REKEY_CHILD, {Outcome.TEMPORARY_FAILURE}),
    (Ike.REKEYING, "REKEY_IKE", Child.OPEN, Kind.DELETE_CHILD, {Outcome.OK}),
    # 2.8.2
    (Ike.REPLACED, "NOTHING", Child.ABSENT, Kind.REKEY_IKE, {Outcome.TEMPORARY_FAILURE}),
]


def fitting(ike: Ike, own: str, child: Child, kind: Kind) -> list[Row]:
    values: dict[str, Value] = {"ike.state": ike, "ike.own": own, "child.state": child, "ike_before.state": Ike.IDLE}

    def read(name: str) -> Value:
        return values.get(name, False)

    return [
        row
        for row in ROWS
        if row.on.what == "request"
        and row.on.position is Position.FRESH
        and kind in row.on.kinds
        and holds(row.condition(), read, [])
        and not row.name.endswith(".refuse")
    ]


@pytest.mark.parametrize(("ike", "own", "child", "kind", "answers"), LINES)
def test_s2_25_answer(ike: Ike, own: str, child: Child, kind: Kind, answers: set[Outcome]) -> None:
    rows = fitting(ike, own, child, kind)
    assert rows
    assert {answer.name for row in rows for answer in row.answers} == answers


def updates(name: str) -> dict[str, object]:
    return {each.variable: each.value for each in BY_NAME[name].effects()}


def test_s1_4_1_crossing_deletes_close_outgoing_on_the_request() -> None:
    found = updates("collision.delete_child.closing")
    assert found["child.out"] is False
    assert "child.in" not in found
    assert updates("child.delete.response.crossed")["child.in"] is False


def test_s2_8_1_lowest_nonce_loses() -> None:
    assert "fact.lowest_is_mine" in str(BY_NAME["child.rekey.response.lost"].guard)
    assert updates("child.rekey.response.won")["child.due"] is True
    assert updates("child.rekey.response.lost").get("child.due") is None


def test_s2_8_2_every_child_sa_moves_to_the_survivor() -> None:
    assert "each.on_mine" in updates("ike.rekey.response.won")
    assert "each.on_theirs" in updates("ike.rekey.response.lost")
    assert "each.on_theirs" in updates("collision.delete_ike.rekeying.crossed")
