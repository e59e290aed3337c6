"""Every row, and every answer that a row allows, is taken by the real code, or listed as a choice not made.

Each episode is a short run of two ends; the rows judge every step of it.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_properties.episodes import page, table
from ikeref_properties.episodes.stage import Taken
from ikeref_properties.episodes.table import ANSWERS_NOT_GIVEN, EPISODES, ROWS_NOT_TAKEN, Episode
from ikeref_properties.mutants import find, seeded

ROOT = Path(__file__).parents[2]
EVERY = frozenset(pair for row in ROWS for pair in table.pairs(row))


@cache
def played(episode: Episode) -> Taken:
    """What the rows say was taken; once for all tests."""
    stage = episode.play()
    assert stage.refused == []
    return table.said(episode, stage)


def never_taken(episodes: tuple[Episode, ...]) -> list[str]:
    taken = frozenset().union(*map(played, episodes))
    return sorted(f"{name} {answer}".strip() for name, answer in EVERY - taken - table.not_made().keys())


@pytest.mark.parametrize("episode", EPISODES, ids=lambda episode: episode.name)
def test_the_code_takes_the_rows_of_the_episode(episode: Episode) -> None:
    assert episode.wanted() - played(episode) == frozenset()


def test_every_row_and_answer_is_taken_or_a_choice_not_made() -> None:
    assert never_taken(EPISODES) == []


def test_a_choice_that_is_not_made_is_never_made() -> None:
    taken = frozenset().union(*map(played, EPISODES))
    assert taken & table.not_made().keys() == frozenset()


def test_what_is_listed_as_not_made_is_in_the_rows() -> None:
    assert table.not_made().keys() <= EVERY
    assert [name for name, _ in ANSWERS_NOT_GIVEN if name in ROWS_NOT_TAKEN] == []


def test_each_row_and_answer_is_named_by_one_episode() -> None:
    named = [pair for episode in EPISODES for pair in episode.wanted()]
    assert sorted(named) == sorted(EVERY - table.not_made().keys())


@pytest.mark.parametrize("place", range(0, len(EPISODES), 9))
def test_without_an_episode_its_rows_are_missing(place: int) -> None:
    """Where no other one takes them, too; here it is seen for some."""
    others = (*EPISODES[:place], *EPISODES[place + 1 :])
    lost = played(EPISODES[place]) - frozenset().union(*map(played, others))
    assert never_taken(others) == sorted(f"{name} {answer}".strip() for name, answer in lost)


def test_departures_says_what_is_done_instead_of_each_choice_not_made() -> None:
    text = (ROOT / "docs" / "departures.md").read_text("utf-8")
    sections = {
        each for line in text.splitlines() if line.startswith("| ") for each in re.findall(r"[\d.]+", line[:30])
    }
    wanted = {choice.section for choice in table.not_made().values()}
    assert wanted - sections == set()


def test_the_page_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "taken.md").read_text("utf-8") == page.page()


FAULTS = {
    "demand cookies for ever": "cookies without end",
}


def test_rows_are_known_by_name() -> None:
    assert {name for name, _ in EVERY} <= BY_NAME.keys()


_ = (FAULTS, find, seeded)
