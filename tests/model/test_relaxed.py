"""What survives a SHOULD that is not followed: the page is that of the rows."""

from pathlib import Path

import pytest
from ikeref_model.relaxed import RELAXED
from ikeref_properties.proofs.relaxed import ASKED, NOT_TAKEN, SURVIVES, page, survival

PAGE = Path(__file__).parents[2] / "docs" / "relaxed.md"


def test_every_relaxed_row_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"`{row.name}`" in text for row in RELAXED)
    assert "breaks in" in text
    assert SURVIVES in text


def test_a_row_that_breaks_inheritance_and_one_that_breaks_nothing() -> None:
    chosen = tuple(row for row in RELAXED if row.name in ("relaxed.liveness.replaced", "relaxed.ike_delete.at_once"))
    found = {
        row.name: dict(zip((each.number for each in ASKED), verdicts, strict=True))
        for row, verdicts in survival(chosen)
    }
    assert found["relaxed.ike_delete.at_once"]["3, 4"].startswith("breaks in")
    assert set(found["relaxed.liveness.replaced"].values()) == {SURVIVES, NOT_TAKEN}
    assert found["relaxed.liveness.replaced"]["13"] == SURVIVES


@pytest.mark.nightly
def test_the_committed_page_is_that_of_the_rows() -> None:
    assert PAGE.read_text("utf-8") == page()
