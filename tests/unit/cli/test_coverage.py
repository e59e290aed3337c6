"""`ikeref coverage`: figures, the claims of a section, and what is open."""

import json

import pytest
from ikeref_properties.catalogue import coverage, of_section
from ikeref_properties.catalogue.claims import parse
from typer.testing import CliRunner

from ikeref.cli.coverage import select
from ikeref.cli.main import app

RUNNER = CliRunner()


@pytest.mark.parametrize("question", ["2.1", "Section 2.1", "§2.1", "RFC 7296 2.1", "rfc7296 section 2.1"])
def test_a_section_gives_its_requirements(question: str) -> None:
    assert tuple(each.rule for each in select(question)) == of_section("2.1")


def test_an_id_and_an_rfc_are_found() -> None:
    assert [each.rule.id for each in select("7296-2.1-11")] == ["7296-2.1-11"]
    assert {each.rule.rfc for each in select("RFC 7383")} == {7383}
    assert select("2.99") == select("nonsense") == ()


def test_figures_add_up() -> None:
    data = json.loads(RUNNER.invoke(app, ["coverage", "--json"]).stdout)
    counts = data["figures"]
    assert counts["requirements"] == len(data["requirements"]) == counts["claimed"] + counts["waived"] + counts["open"]
    for groups in (data["levels"], data["sections"]):
        assert sum(each["requirements"] for each in groups.values()) == counts["requirements"]


def test_the_claim_of_a_requirement_is_shown() -> None:
    result = RUNNER.invoke(app, ["coverage", "7296-1.2-18"])
    assert result.exit_code == 0
    assert "claimed" in result.stdout
    assert "believe any AUTH" in result.stdout


def test_what_is_open_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "claims", lambda: parse({}))
    result = RUNNER.invoke(app, ["coverage", "2.1", "--open"])
    assert result.exit_code == 1
    assert all(each.id in result.stdout for each in of_section("2.1"))


def test_nothing_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"a.toml": "\n".join(f'["{each.id}"]\nwaived = "x"\nkind = "operator"' for each in of_section("2.1"))}
    monkeypatch.setattr(coverage, "claims", lambda: parse(texts))
    result = RUNNER.invoke(app, ["coverage", "2.1", "--open"])
    assert (result.exit_code, result.stdout) == (0, "nothing is open\n")


def test_what_is_unknown_ends_with_2() -> None:
    result = RUNNER.invoke(app, ["coverage", "2.99"])
    assert result.exit_code == 2
    assert "no requirement fits “2.99”" in result.stderr
