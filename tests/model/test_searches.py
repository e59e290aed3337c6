"""The exhaustive searches of the rows: each empties its frontier, visits as much as docs/model.md says, and finds a
seeded fault within the same bounds."""

import pytest
from ikeref_properties.mutants_rows import FAULTS
from ikeref_properties.proofs import searches
from ikeref_properties.proofs.searches import SEARCHES, SearchOf

LEAST = {
    "rest-of-child-sas": 8_000,
    "rest-of-ike-sas": 25_000,
    "every-message-kept": 3_000,
    "every-message-kept-twice": 10_000,
    "rekeys-keep-a-child-sa": 200_000,
    "two-child-sas": 80_000,
    "window-2": 400_000,
    "window-4": 600_000,
    "windows-and-two-child-sas": 350_000,
    "window-announced": 100_000,
}
"""States: a search that suddenly visits less has lost something."""
FAULT = {
    "every-message-kept": "delete.keeps_incoming",
    "every-message-kept-twice": "literal.nonces_only_if_it_still_exists",
    "rekeys-keep-a-child-sa": "rekey.both_win",
    "two-child-sas": "delete.keeps_outgoing",
    "window-2": "delete.keeps_incoming",
    "window-4": "delete.keeps_outgoing",
    "windows-and-two-child-sas": "delete.keeps_incoming",
    "window-announced": "window.beyond",
}


def states(size: str) -> int:
    return int(size.partition(" ")[0])


def test_each_search_has_a_least_size() -> None:
    assert set(LEAST) == {each.id for each in SEARCHES}
    assert set(FAULT) <= set(LEAST)


QUICK = ("rest-of-child-sas", "rest-of-ike-sas", "every-message-kept", "every-message-kept-twice")


@pytest.mark.parametrize(
    "search",
    [each if each.id in QUICK else pytest.param(each, marks=pytest.mark.nightly) for each in SEARCHES],
    ids=lambda each: each.id,
)
def test_a_search_visits_every_state_and_finds_nothing(search: SearchOf) -> None:
    verdict = searches.run(search)
    assert verdict.claim == "exhaustive to bound", verdict.bounds
    assert states(verdict.size) >= LEAST[search.id]


@pytest.mark.parametrize("id", FAULT)
def test_a_search_finds_a_seeded_fault(id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "ROWS", next(each.rows for each in FAULTS if each.name == FAULT[id]))
    verdict = searches.run(searches.BY_ID[id])
    assert verdict.claim == "refuted"
    assert ": " in verdict.bounds
