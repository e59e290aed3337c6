"""`ikeref tour --break`: every rule that is offered falls when it is broken, and stands when it is not."""

from pathlib import Path

import pytest
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_properties.mutants import find, seeded
from ikeref_properties.mutants_rows import FAULTS
from ikeref_properties.proofs import BY_ID

from ikeref.cli.tour.breaking import rows
from ikeref.cli.tour.breaking.choose import Chosen, Standing, Unknown, choose
from ikeref.cli.tour.breaking.code import plays_of, run
from ikeref.cli.tour.breaking.command import judged, violations
from ikeref.cli.tour.breaking.table import BREAKS, BY_BREAK, Break
from ikeref.cli.tour.verdicts import Standing as Verdict
from ikeref.sa import collisions
from tests.cli.test_tour import ikeref

OF_ROWS = [each for each in BREAKS if each.broken is not None]
OF_CODE = [each for each in BREAKS if each.mutant]


def name(rule: Break) -> str:
    return rule.name


def fallen(rule: Break) -> rows.Fall | None:
    """How the rows fall, without a look at the rows as they are."""
    assert rule.broken is not None
    if rule.by in BY_ID:
        return rows.search(BY_ID[rule.by], rule.broken(), twin=False)
    return rows.fall(rule.by, rule.broken())


@pytest.mark.parametrize("rule", OF_ROWS, ids=name)
def test_broken_rows_fall_with_a_reason(rule: Break) -> None:
    found = fallen(rule)
    assert found is not None
    assert found.wrong
    assert found.moves or rule.by in ("sentences", "message-ids")
    assert all(move.row in BY_NAME or not move.end for move in found.moves)


@pytest.mark.parametrize("rule", OF_CODE, ids=name)
def test_broken_code_falls_and_the_same_schedule_is_clean_without_the_fault(rule: Break) -> None:
    found = fallen(rule) if rule.broken is not None else None
    plays = rule.plays or (plays_of(found.moves) if found is not None else ())
    lowest = rule.lowest or (found.lowest if found is not None else "")
    assert violations(judged(run(rule, plays, lowest)))
    assert violations(judged(run(rule, plays, lowest, broken=False))) == ""


@pytest.mark.parametrize("by", sorted({each.by for each in OF_ROWS}))
def test_nothing_falls_while_the_rules_are_kept(by: str) -> None:
    if by in BY_ID:
        assert rows.kept(BY_ID[by])
    else:
        assert rows.fall(by, ROWS) is None


def test_there_are_enough_rules_and_each_has_a_row_and_a_line() -> None:
    assert len(BREAKS) == len(BY_BREAK) >= 12
    assert sum(each.literal for each in BREAKS) >= 6
    for each in BREAKS:
        assert each.rows
        assert set(each.rows) <= set(BY_NAME)
        assert each.broken is not None or each.mutant


def test_the_code_is_as_before_when_the_fault_is_over() -> None:
    before = collisions.ours_is_redundant.__code__
    with seeded(find("both win")):
        assert collisions.ours_is_redundant.__code__ is not before
    assert collisions.ours_is_redundant.__code__ is before


def test_a_rule_is_shown_in_80_columns() -> None:
    code, output = ikeref("tour", "--break", "both-win")
    assert code == 1
    for words in (
        "child.rekey.response.won",
        "9 steps, and no run with fewer",
        "the lowest nonce is in A's exchange",
        "REKEY_CHILD request [old]",
        "nobody deletes it",
        "With the rule in its place",
        "HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}",
        "Child SAs are in pairs at every rest (Section 1.4.1)",
        "Without the fault the same schedule breaks nothing",
    ):
        assert words in " ".join(output.split())
    assert max(len(line) for line in output.splitlines()) <= 80


def test_the_list_has_every_rule() -> None:
    code, output = ikeref("tour", "--break", "list", columns=120)
    assert code == 0
    assert all(each.name in output for each in BREAKS)


def test_an_unknown_rule_gets_near_ones() -> None:
    code, output = ikeref("tour", "--break", "both-wins")
    assert code == 2
    assert "both-win" in output
    assert isinstance(choose("collision.delete_child.closer"), Unknown)
    assert "collision.delete_child.closing" in choose("collision.delete_child.closer").near  # type: ignore[union-attr]  # as asserted


def test_a_row_that_has_no_break_of_its_own_is_changed_until_something_falls() -> None:
    assert not any("collision.delete_child.rekeying" in each.rows for each in BREAKS)
    found = choose("collision.delete_child.rekeying")
    assert isinstance(found, Chosen)
    assert found.fall is not None
    assert found.fall.wrong


def test_a_row_of_a_break_and_a_fault_of_the_rows_are_names_too() -> None:
    assert isinstance(found := choose("collision.rekey_ike.child_busy"), Chosen)
    assert found.rule.name == "rekey-while-busy"
    assert isinstance(found := choose("literal.orphan_ike"), Chosen)
    assert found.rule.name == "delete-too-early"
    assert isinstance(found := choose("auth.childless.unchecked"), Chosen)
    assert found.rule.rows == ("auth.request.childless",)
    assert {"literal.orphan_ike", "auth.childless.unchecked"} <= {each.name for each in FAULTS}


def test_a_row_that_is_only_tolerated_can_not_be_broken() -> None:
    assert isinstance(choose("relaxed.rekey_child.absent"), Standing)


def test_options_of_the_network_do_not_go_with_it() -> None:
    assert ikeref("tour", "--break", "both-win", "--drop", "5")[0] == 2


def test_the_run_of_the_code_can_be_written(tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    code, _ = ikeref("tour", "--break", "keep-incoming", "--html", str(page))
    assert code == 1
    assert "child.delete.request" in page.read_text(encoding="utf-8")


def test_a_break_without_a_run_of_the_code_writes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    assert ikeref("tour", "--break", "close-too-early", "--html", str(page))[0] == 2
    assert not page.exists()


def test_a_broken_run_is_no_good_report() -> None:
    rule = BY_BREAK["one-iv"]
    report = judged(run(rule, rule.plays, ""))
    assert any(each.standing is Verdict.VIOLATED for each in report.verdicts)
    assert not report.good
