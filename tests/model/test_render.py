"""The rows as tables, diagrams and JSON."""

import json

from ikeref_model.render import as_json, markdown, mermaid, page
from ikeref_model.tables import ROWS, TABLES


def test_every_row_is_in_the_page() -> None:
    text = page()
    assert all(f"`{row.name}`" in text for row in ROWS)
    assert text.count("stateDiagram-v2") == 2


def test_a_table_has_one_line_per_row() -> None:
    lines = markdown(TABLES["child"]).splitlines()
    assert len(lines) == 2 + len(TABLES["child"])
    assert {line.replace("\\|", "").count("|") for line in lines} == {11}


def test_diagrams_show_the_rows_that_change_the_state() -> None:
    assert "REKEYING --> CROSSED: collision.rekey_child.rekeying" in mermaid(TABLES, "child")
    assert "ESTABLISHED --> DELETING: ike.delete.send" in mermaid(TABLES, "ike")


def test_json_holds_every_row() -> None:
    data = json.loads(as_json())
    assert sum(len(rows) for rows in data["tables"].values()) == len(ROWS)
    first = data["tables"]["collisions"][0]
    assert first["name"] == "collision.rekey_child.closing"
    assert first["answers"] == [["reply", "TEMPORARY_FAILURE"]]
