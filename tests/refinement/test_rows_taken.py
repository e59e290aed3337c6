"""Every row, and every answer that a row allows, is taken by the real code, or listed as a choice not made.

Each episode is a short run of two ends; the rows judge every step of it, and would refuse it without the rows that it
is there for.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from ikeref_model.tables import ROWS
from ikeref_properties.episodes import page, table
from ikeref_properties.episodes.stage import Stage, Taken
from ikeref_properties.episodes.table import ANSWERS_NOT_GIVEN, EPISODES, ROWS_NOT_TAKEN, SAID_TWICE, Episode
from ikeref_properties.mutants import find, seeded

from ikeref.errors import LocalProtocolError

DOCS = Path(__file__).parents[2] / "docs"
EVERY = frozenset(pair for row in ROWS for pair in table.pairs(row))
BY_NAME = {episode.name: episode for episode in EPISODES}


@cache
def played(episode: Episode) -> Stage:
    """Once for all tests."""
    return episode.play()


def missed(episode: Episode, stage: Stage) -> list[str]:
    """The rows of an episode that it does not take."""
    return [f"{name} {answer}".strip() for name, answer in episode.wanted() if not table.takes(stage, (name, answer))]


@cache
def taken_in(episode: Episode) -> Taken:
    return frozenset(pair for pair in episode.wanted() if table.takes(played(episode), pair))


def never_taken(episodes: tuple[Episode, ...]) -> list[str]:
    taken: Taken = frozenset().union(*map(taken_in, episodes))
    return sorted(f"{name} {answer}".strip() for name, answer in EVERY - taken - table.not_made().keys())


@pytest.mark.parametrize("episode", EPISODES, ids=lambda episode: episode.name)
def test_the_code_takes_the_rows_of_the_episode(episode: Episode) -> None:
    assert played(episode).refused == []
    assert missed(episode, played(episode)) == []


def test_every_row_and_answer_is_taken_or_a_choice_not_made() -> None:
    assert never_taken(EPISODES) == []


def test_a_choice_that_is_not_made_is_never_made() -> None:
    seen: Taken = frozenset().union(*(table.said(played(episode)) for episode in EPISODES))
    assert seen & table.not_made().keys() == frozenset()
    assert len(seen) > 180


def test_what_is_listed_is_in_the_rows_and_in_one_place() -> None:
    assert table.not_made().keys() | SAID_TWICE.keys() <= EVERY
    assert [name for name, _ in ANSWERS_NOT_GIVEN if name in ROWS_NOT_TAKEN] == []
    named = [pair for episode in EPISODES for pair in episode.wanted()]
    assert sorted(named) == sorted(EVERY - table.not_made().keys())


@pytest.mark.parametrize("episode", EPISODES, ids=lambda episode: episode.name)
def test_without_an_episode_its_rows_are_named(episode: Episode) -> None:
    others = tuple(each for each in EPISODES if each is not episode)
    assert never_taken(others) == sorted(f"{name} {answer}".strip() for name, answer in episode.wanted())


def test_a_row_that_the_code_does_not_take_is_found() -> None:
    plain = BY_NAME["all goes well"]
    wrong = plain._replace(rows=f"{plain.rows} collision.delete_child.closing")
    assert missed(wrong, played(plain)) == ["collision.delete_child.closing"]


FAULTS = {
    "send IKE_SA_INIT anew without end": "cookies without end",
    "believe an error before keys exist": "no proposal in common",
    "believe the responder's AUTH": "responder unverified",
    "keep the IKE SA that failed to authenticate": "failed authentication again",
    "heed INITIAL_CONTACT before authentication": "initial contact that fails",
    "answer what is malformed and unprotected": "malformed first request",
    "keep the IKE SA after INVALID_SYNTAX was sent": "authentication again",
    "keep the IKE SA after INVALID_SYNTAX came": "malformed says the peer",
    "accept requests beyond the window": "request beyond the window",
    "answer no retransmission": "requests on a closed ike sa",
    "install what the peer has deleted": "delete of a child that is not known yet",
    "close both directions when deletes crossed": "deletes cross",
    "swap winner and loser": "ike rekeys cross",
    "rekey what was rekeyed": "child rekeyed twice by the peer",
    "rekey twice while rekeys cross": "child rekeyed twice by the peer amid ours",
    "accept either mode": "child answer unacceptable later",
    "keep no Child SA within the limit": "child refused for want of room",
}
"""Faults of the code that lie on the way of an episode."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_the_way_of_an_episode_is_found(fault: str) -> None:
    episode = BY_NAME[FAULTS[fault]]
    with seeded(find(fault)):
        try:
            stage = episode.play()
        except (LocalProtocolError, StopIteration, IndexError):
            return  # It does not come to its end.
    assert stage.refused or missed(episode, stage)


def test_departures_says_what_is_done_instead_of_each_choice_not_made() -> None:
    text = (DOCS / "departures.md").read_text("utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    sections = {section for cell in cells for section in re.findall(r"[\d.]+", cell)}
    assert {choice.section for choice in table.not_made().values()} - sections == set()


def test_the_page_is_that_of_the_table() -> None:
    assert (DOCS / "taken.md").read_text("utf-8") == page.page()
