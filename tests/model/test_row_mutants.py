"""Faults on the rows, made by rule: a sample is judged anew, and the published page is about these rows."""

from pathlib import Path

import pytest
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_properties.rowmutants.corpus import corpus
from ikeref_properties.rowmutants.judge import EQUIVALENT, NOTHING, SPARE, Corpus, Finding, judge
from ikeref_properties.rowmutants.make import Mutant, mutants
from ikeref_properties.rowmutants.page import argument, arguments, listed, page, verdict

PAGE = Path(__file__).parents[2] / "docs" / "mutants_rows.md"
ALL = tuple(mutants())
SAMPLE = ALL[::40]


@pytest.fixture(scope="module")
def runs() -> Corpus:
    return corpus(12)


def test_every_row_has_faults_of_every_kind_that_it_can_have() -> None:
    assert {each.row for each in ALL} == {row.name for row in ROWS}
    assert len({each.id for each in ALL}) == len(ALL) > 1000
    assert {each.kind for each in ALL} == {"row", "guard", "source", "update", "answer", "destination", "actor"}


@pytest.mark.parametrize("mutant", ALL[::7], ids=lambda each: each.id)
def test_a_fault_changes_one_row(mutant: Mutant) -> None:
    differing = set(ROWS) ^ set(mutant.rows())
    assert {row.name for row in differing} == {mutant.row}


@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda each: each.id)
def test_a_fault_is_found_or_argued(mutant: Mutant, runs: Corpus) -> None:
    assert verdict(judge(mutant, runs)) != "NOT FOUND"


def test_an_unchanged_row_is_the_same_rule(runs: Corpus) -> None:
    row = BY_NAME["child.delete.request"]
    assert judge(Mutant("x#1", "row", row.name, "nothing", row), runs).by == EQUIVALENT


def test_the_page_is_about_these_rows_and_nothing_is_left() -> None:
    found = listed(PAGE.read_text("utf-8"))
    assert [id for id, _ in found] == [each.id for each in ALL]
    assert "NOT FOUND" not in {by for _, by in found}


def test_most_faults_are_found_and_not_argued_away() -> None:
    found = [by for _, by in listed(PAGE.read_text("utf-8"))]
    assert sum(by in (EQUIVALENT, SPARE, "argued") for by in found) < len(found) / 5


def test_every_argument_is_used() -> None:
    silent = [Finding(each, NOTHING, "", 0.0) for each in ALL]
    used = {argument(each) for each in silent}
    assert {each.why for each in arguments()} <= used


def test_a_fault_that_nobody_argues_is_shown() -> None:
    missed = Finding(next(each for each in ALL if each.row == "child.delete.request"), NOTHING, "", 0.0)
    assert "NOT FOUND" in page((missed,))
