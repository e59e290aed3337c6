"""docs/model.md says nothing that the rows, the certificates and the code don't."""

import json
from pathlib import Path

import pytest
from ikeref_model.diagrams import BY_NAME, mermaid
from ikeref_model.examples import STORIES, sequence
from ikeref_model.state import Child
from ikeref_properties import proofs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
PAIRS = json.loads((Path(proofs.__file__).parent / "certificates" / "child-sas-in-pairs.json").read_text("utf-8"))


def test_the_pictures_are_drawn_from_the_rows() -> None:
    story = next(each for each in STORIES if each.name == "crossing-deletes")
    assert f"```mermaid\n{mermaid(BY_NAME['deletion'])}\n```" in PAGE
    assert f"```mermaid\n{sequence(story)}\n```" in PAGE


def test_the_figures_are_those_of_the_certificate() -> None:
    assert f"{PAIRS['states']:,} states of two ends" in PAGE
    assert f"each of the {len(PAIRS['clauses'])} clauses" in PAGE


@pytest.mark.parametrize(
    "never",
    [
        {"A.child_old.state": Child.HALF_CLOSED, "B.child_old.state": Child.OPEN, "B.child_old.due": False},
        {"A.child_old.state": Child.HALF_CLOSED, "A.child_old.in": False},
        {"A.child_old.state": Child.HALF_CLOSED, "A.child_old.out": True},
    ],
)
def test_the_clauses_of_the_page_are_in_the_certificate(never: dict[str, object]) -> None:
    assert any(
        {variable for variable, _ in clause} <= never.keys()
        and all(never[variable] in values for variable, values in clause)
        for clause in PAIRS["clauses"]
    )


def test_the_lines_of_code_are_those_of_the_code() -> None:
    code = PAGE.partition("the collision is two lines:\n\n```python\n")[2].partition("```")[0]
    assert code.count("\n") == 3
    file = (ROOT / "ikeref" / "sa" / "informational.py").read_text(encoding="utf-8")
    stripped = "\n".join(line.strip() for line in file.splitlines())
    assert "\n".join(line.strip() for line in code.splitlines()) in stripped
