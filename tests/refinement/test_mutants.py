"""Every seeded fault of the code is found, and the published matrix says by what."""

import mmap
import re
from pathlib import Path
from random import Random

import pytest
from ikeref_properties.claims import properties
from ikeref_properties.mutants import MUTANTS, Mutant, find, matrix, seeded
from ikeref_properties.mutants.__main__ import main
from ikeref_properties.mutants.checks import WALKS, Kill, one_walk, walks
from ikeref_properties.mutants.matrix import LIMIT, MEMORY, Entry, apart, killers
from ikeref_properties.mutants.page import argument, page, reason
from ikeref_properties.mutants.seeding import edit, mutant
from ikeref_properties.mutants.uniqueness import only_in_code, only_in_rows

from ikeref.sa import window

ROOT = Path(__file__).parents[2]
ENTRIES = matrix.load()
CHANGED = matrix.stale(ENTRIES)
SAMPLE = 6
"""Faults that only a test finds, tried each time; and of those whose code changed at most so many."""


def walked(entry: Entry) -> tuple[Kill, str, int] | None:
    """The first finding of a walk: the kill, the kind of the walk, and which run it was."""
    for kill in entry.kills:
        match = re.fullmatch(r"(\w+), run (\d+), step \d+", kill.how)
        if match:
            return kill, match[1], int(match[2])
    return None


BY_WALKS = [each for each in MUTANTS if each.name in ENTRIES and walked(ENTRIES[each.name]) and each not in CHANGED]
BY_TESTS = [each for each in MUTANTS if each.name in ENTRIES and each not in BY_WALKS and ENTRIES[each.name].kills]
TRIED = Random(7).sample(BY_TESTS, min(SAMPLE, len(BY_TESTS))) if BY_TESTS else []


def test_there_are_many_faults_and_each_has_a_name() -> None:
    assert len(MUTANTS) >= 60
    assert len({each.name for each in MUTANTS}) == len({each.id for each in MUTANTS}) == len(MUTANTS)
    assert find(MUTANTS[0].id) is find(MUTANTS[0].name)


@pytest.mark.parametrize("fault", MUTANTS, ids=lambda fault: fault.id)
def test_a_fault_can_be_seeded_and_is_gone_afterwards(fault: Mutant) -> None:
    before = matrix.key_of(fault)
    with seeded(fault):
        pass
    assert matrix.key_of(fault) == before


def test_a_seeded_fault_changes_the_code() -> None:
    with seeded(find("wait equally long each time")):
        assert window.wait(3, 1.0, 2.0) == 1.0
    assert window.wait(3, 1.0, 2.0) == 4.0


def test_an_edit_that_does_not_fit_is_refused() -> None:
    for old, why in (("no such words", "0 times"), ("LAST_MESSAGE_ID = 0xFFFFFFFF", "within a function")):
        with pytest.raises(ValueError, match=why), seeded(mutant("x", "2.2", edit("sa.window", old, "y = 1"))):
            pass


def test_every_fault_is_found_or_argued() -> None:
    missed = [each.name for each in MUTANTS if each.name in ENTRIES and not ENTRIES[each.name].kills]
    assert [name for name in missed if not argument(name)] == []
    assert len([each for each in MUTANTS if each.name in ENTRIES]) >= 60


@pytest.mark.parametrize("fault", BY_WALKS, ids=lambda fault: fault.id)
def test_a_walk_finds_the_fault_again(fault: Mutant) -> None:
    found = walked(ENTRIES[fault.name])
    assert found is not None
    kill, make, run = found
    (kind,) = [each for each in WALKS if each.make.__name__ == make]
    with seeded(fault):
        rules = one_walk(kind, run - 1)
    assert kill.check.removeprefix("invariant:") in rules


@pytest.mark.parametrize("kind", WALKS, ids=lambda kind: kind.make.__name__)
def test_a_walk_finds_nothing_without_a_fault(kind: object) -> None:
    (one,) = [each for each in WALKS if each is kind]
    for run in range(min(5, one.runs)):
        assert not one_walk(one, run)


def _again(fault: Mutant | None, names: list[str]) -> list[Kill]:
    """These tests, in a process of their own."""
    return apart(fault, names, ROOT, LIMIT, tests_alone=True)


@pytest.mark.parametrize("fault", TRIED, ids=lambda fault: fault.id)
def test_a_test_finds_the_fault_again(fault: Mutant) -> None:
    names = [kill.check.removeprefix("test:") for kill in ENTRIES[fault.name].kills if kill.check.startswith("test:")]
    if not names:
        pytest.skip("found by a kernel check or an exploration, which have tests of their own")
    assert _again(fault, names[:1])


A_TEST = "tests/unit/test_endpoint.py::test_s2_6_a_message_finds_its_ike_sa_among_many"


def test_a_test_finds_nothing_without_a_fault() -> None:
    assert not _again(None, [A_TEST])


def test_that_no_test_ran_is_not_taken_for_finding_nothing() -> None:
    with pytest.raises(RuntimeError, match="did not come to an end"):
        _again(None, [A_TEST + "_of_another_name"])


def test_a_fault_is_found_from_a_process_that_is_large_itself() -> None:
    fault = next(each for each in TRIED if any(kill.check.startswith("test:") for kill in ENTRIES[each.name].kills))
    with mmap.mmap(-1, MEMORY):
        test_a_test_finds_the_fault_again(fault)


@pytest.mark.parametrize("fault", CHANGED[:SAMPLE], ids=lambda fault: fault.id)
def test_a_fault_whose_code_changed_is_still_found(fault: Mutant) -> None:
    """It has no result for its present content: `python -m ikeref_properties.mutants --changed` makes one."""
    entry = ENTRIES.get(fault.name)
    if argument(fault.name) or entry is None:
        return
    with seeded(fault):
        found = walks(10.0) if walked(entry) else []
    names = [kill.check.removeprefix("test:") for kill in entry.kills if kill.check.startswith("test:")]
    assert found or _again(fault, names)


# The matrix


def test_every_property_finds_a_fault_alone_or_a_reason_says_why_it_stays() -> None:
    alone = only_in_code(ENTRIES).keys() | only_in_rows().keys()
    assert [each.id for each in properties() if each.id not in alone and not reason(each.id)] == []


def test_reasons_are_for_properties_that_need_one() -> None:
    alone = only_in_code(ENTRIES).keys() | only_in_rows().keys()
    assert [each.id for each in properties() if each.id in alone and reason(each.id)] == []


def test_a_fault_that_one_property_finds_is_that_ones_own() -> None:
    entry = Entry("x", "", (Kill("invariant:half closed (Section 1.4.1)", "", 0.0),), 0.0)
    assert killers(entry) == {26}
    assert only_in_code({"x": entry}) == {26: ("x",)}
    both = entry._replace(kills=(*entry.kills, Kill("invariant:expired (Section 2.8)", "", 0.0)))
    assert killers(both) == {26, 37}
    assert only_in_code({"x": both}) == {}


def test_the_committed_page_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "mutants_code.md").read_text("utf-8") == page(ENTRIES)


def test_the_command_lists_shows_and_tries(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(each.name in listed for each in MUTANTS)
    assert main(["swap winner"]) == 0
    assert "ikeref.sa.collisions" in capsys.readouterr().out
    assert main(["no such fault"]) == 2
