"""The command that runs everything: what it keeps, what it leaves out, what it writes. Nothing is run here."""

from __future__ import annotations

import json
from pathlib import Path

from tests.interop.__main__ import About, Result, kept, page

ABOUT = About("libreswan", "2.23: a nat that forgets", "theirs", lossy=True)
TESTS = {"a/test_x.py::test_one": ABOUT, "a/test_x.py::test_two": ABOUT._replace(lossy=False)}


def test_the_last_outcome_of_a_test_counts(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert kept(journal) == {}
    lines = [["one", ["failed", 7, "a"]], ["two", ["passed", 7, "a"]], ["one", ["passed", 7, "b"]]]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert kept(journal) == {"one": Result("passed", 7, "b"), "two": Result("passed", 7, "a")}


def test_a_page_of_everything_says_so() -> None:
    results = {name: Result("passed", 7, "a") for name in TESTS}
    text = page({**results, "a test of once": Result("failed", 7, "a")}, TESTS, 7, "versions")
    assert "| libreswan | 2.23: a NAT that forgets |  | 1 of 1 |  | 1 of 1 |\n" in text
    assert "2 passed, 0 failed, 0 skipped. All ran with one state" in text
    assert "not run" not in text
    assert "is open" not in text


def test_a_page_says_what_failed_what_was_not_run_and_what_is_of_another_state() -> None:
    one, two = TESTS
    text = page({one: Result("failed", 7, "a")}, TESTS, 7, "versions")
    assert "What fails is open: `test_x.py::test_one`. Tests not run: 1." in text
    assert "| libreswan | 2.23: a NAT that forgets |  |  |  | 0 of 1 |\n" in text
    text = page({one: Result("passed", 7, "a"), two: Result("passed", 7, "b")}, TESTS, 7, "versions")
    assert "The run was done in parts" in text
    assert "1 with a, 1 with b" in text
