"""`ikeref prove`: what it shows, and its exit codes."""

import json

import pytest
from ikeref_properties.proofs import Verdict
from typer.testing import CliRunner

from ikeref.cli.main import app


def run(*arguments: str, columns: int = 80) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": str(columns), "TERM": "dumb"}).invoke(app, ["prove", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("columns", [80, 120])
def test_a_property_is_shown_with_claim_engine_and_formula(columns: int) -> None:
    code, output = run("10", columns=columns)
    assert code == 0
    words = " ".join(output.split())
    for word in (
        "Crossing Deletes",
        "proved of the rows",
        "z3, every state of one end",
        "HALF_CLOSED",
        "All are reached",
    ):
        assert word in words
    assert all(len(line) <= columns for line in output.splitlines())


def test_what_was_not_run_is_in_brackets() -> None:
    code, output = run("35")
    assert code == 0
    assert "(tested)" in output
    assert "(all paths)" in output


def test_a_section_gives_a_table() -> None:
    code, output = run("2.25")
    assert code == 0
    assert "Section 2.25" in output
    assert "proved" in output
    assert "exhaustive to bound" in output


def test_certificates_alone() -> None:
    code, output = run("5", "--check-certificates")
    assert code == 0
    assert "traffic-goes-on.json" in output
    assert "not yet" not in output
    assert run("44", "--check-certificates")[0] == 2


def test_json_says_the_same() -> None:
    code, output = run("5", "--json")
    assert code == 0
    one = json.loads(output)[0]
    assert one["id"] == 5
    assert not one["open"]
    assert one["parts"][0]["claim"] == "proved"
    assert one["parts"][0]["checks"][0]["certificate"] == "traffic-goes-on.json"


def test_an_unknown_property_is_exit_code_2() -> None:
    for name in ("no-such-thing", ""):
        code, output = run(name)
        assert code == 2
        assert f"no property “{name}”" in output


@pytest.mark.parametrize("lacking", ["pytest", "checkout"])
def test_tests_that_cannot_be_run_are_said_and_refute_nothing(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacking == "pytest":
        monkeypatch.setattr("ikeref.cli.prove.find_spec", lambda _: None)
    else:
        monkeypatch.setattr("ikeref.cli.prove.checkout", lambda: None)
    code, output = run("10", "--all")
    assert code == 0
    assert "the tests are not run" in output
    assert "(tested) of the code" in output
    assert "refuted" not in output


def test_a_claim_that_is_not_reached_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    refuted = Verdict("x", "x", "2.3", "rows", "refuted", "z3", "", 0.0, "", "a row is missing")
    monkeypatch.setattr("ikeref_properties.proofs.single.total", lambda: refuted)
    code, output = run("31")
    assert code == 1
    assert "a row is missing" in output
    assert "1 not reached" in output
