"""The rows as tables, diagrams, matrices, JSON and SMT-LIB; the pages in docs/rows are those of the rows."""

import json
import random
from pathlib import Path

import pytest
import z3
from ikeref_model import phrases
from ikeref_model.answers import ABOUT, OUTSTANDING, alternatives, answering, cell, possible
from ikeref_model.diagrams import BY_NAME as DIAGRAMS
from ikeref_model.diagrams import dot, edges, mermaid
from ikeref_model.events import Kind, Outcome, Position
from ikeref_model.examples import STORIES, Story, run, tell
from ikeref_model.ike_initiator import NOT_FATAL
from ikeref_model.local import CONSISTENT
from ikeref_model.render import ALL_TABLES, as_json, main, markdown, pages
from ikeref_model.rows import LIVE, Row
from ikeref_model.smtlib import constant, smtlib
from ikeref_model.state import NOTHING, SCOPES, Child, Ike, variable
from ikeref_model.tables import ALLOWED, BY_NAME, ROWS, TABLES
from ikeref_model.terms import Value, holds, is_, isnt, no, variables_of

DOCS = Path(__file__).parents[2] / "docs" / "rows"
PAGES = pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_committed_page_is_that_of_the_rows(name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    assert page == PAGES[name], "stale: run python -m ikeref_model.render docs/rows"


def test_no_other_page_is_committed() -> None:
    assert {each.name for each in DOCS.iterdir()} == set(PAGES)


def test_a_page_of_other_rows_differs() -> None:
    """The twin of the test of committed pages."""
    fewer = {**ALL_TABLES, "child": TABLES["child"][1:]}
    changed = pages(fewer)
    assert {name for name, page in PAGES.items() if changed[name] != page} == {"child.md", "index.md"}


def test_pages_are_written(tmp_path: Path) -> None:
    main([str(tmp_path / "rows")])
    assert {each.name: each.read_text("utf-8") for each in (tmp_path / "rows").iterdir()} == PAGES


def test_every_row_is_on_a_page_with_all_its_requirements() -> None:
    text = "\n".join(PAGES.values())
    for row in ALLOWED:
        assert f"({row.name})=" in text
        assert f"**Requirements**: {', '.join(row.requirements)}" in text


def test_a_table_has_one_line_per_row() -> None:
    lines = markdown(TABLES["child"]).splitlines()
    assert len(lines) == 2 + len(TABLES["child"])
    assert {line.count("|") for line in lines} == {8}


# Words


def test_every_state_and_fact_has_words() -> None:
    assert set(phrases.IKE_STATES) == set(Ike)
    assert set(phrases.CHILD_STATES) == set(Child)
    assert set(phrases.FACTS) == {each.name for each in SCOPES["fact"]}
    assert set(phrases.SUBJECTS) == set(SCOPES) - {"fact"}


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.name)
def test_no_formula_is_left_in_the_words(row: Row) -> None:
    words = " ".join(
        (phrases.event(row.on), phrases.guard(row.guard), phrases.answers(row), *phrases.updates(row.update))
    )
    assert not {"=", ":="} & set(words.split())
    assert "." not in words
    assert "_mine" not in words


@pytest.mark.parametrize(
    ("name", "event", "guard", "answers"),
    [
        (
            "collision.rekey_child.closing",
            "request REKEY_CHILD arrives",
            "the IKE SA is live and the message is well-formed",
            "response TEMPORARY_FAILURE",
        ),
        (
            "ike.rekey.request.accept",
            "request REKEY_IKE arrives",
            "no CREATE_CHILD, REKEY_CHILD or DELETE_CHILD of ours is outstanding and no Child SA is due for deletion by"
            " us and the IKE SA before it is not CROSSED and the message is well-formed",
            "response OK",
        ),
        (
            "auth.response.unverified",
            f"response {phrases.listed([each for each in Outcome if each in (Outcome.OK, Outcome.EAP, *NOT_FATAL)])}"
            " to our IKE_AUTH arrives",
            "AUTH does not verify",
            "nothing",
        ),
        ("window.retransmit", "timer RETRANSMIT fires", "a request of ours is outstanding", "the same octets again"),
        ("window.request.replay", "any request arrives again", "the response is still kept", "the same octets again"),
    ],
)
def test_words(name: str, event: str, guard: str, answers: str) -> None:
    row = BY_NAME[name]
    assert (phrases.event(row.on), phrases.guard(row.guard), phrases.answers(row)) == (event, guard, answers)


def test_negations_are_said_of_what_is_denied() -> None:
    either = no(no(is_("child.state", Child.OPEN)))
    assert phrases.guard(either) == "the Child SA is OPEN"
    assert phrases.guard(isnt("ike.own", NOTHING)) == "a request of ours is outstanding"
    assert phrases.guard(isnt("fact.verifies")) == "AUTH does not verify"
    assert phrases.guard(is_("fact.verifies", False)) == "AUTH does not verify"


def test_updates_tell_conditions_apart() -> None:
    assert phrases.updates(BY_NAME["child.rekey.response.lost"].update) == (
        "what we asked is outstanding no more",
        "if our new Child SA is DENIED: our new Child SA becomes ABSENT and closes in both directions",
        "else: our new Child SA becomes REPLACED, opens in both directions, is due for deletion by us and belongs to"
        " this IKE SA",
    )


# Diagrams


def test_diagrams_show_the_rows_that_change_the_state() -> None:
    assert "REKEYING --> CROSSED: get REKEY_CHILD" in mermaid(DIAGRAMS["child"])
    assert "ESTABLISHED --> DELETING: send DELETE_IKE" in mermaid(DIAGRAMS["ike_rekey"])
    assert "IDLE --> HALF_OPEN: get IKE_SA_INIT" in mermaid(DIAGRAMS["ike_responder"])
    assert '"DELETING" -> "HALF_CLOSED" [label="get DELETE_CHILD"' in dot(DIAGRAMS["child"])


@pytest.mark.parametrize("name", DIAGRAMS)
def test_every_state_of_a_diagram_is_reached(name: str) -> None:
    diagram = DIAGRAMS[name]
    reached = {diagram.start}
    for _ in diagram.states:
        reached |= {destination for source, destination in edges(diagram) if source in reached}
    assert reached == set(diagram.states)


def test_a_diagram_lacks_the_arrow_of_a_row_that_is_gone() -> None:
    rows = [row for row in ROWS if row.name != "collision.delete_child.closing"]
    gone = set(edges(DIAGRAMS["child"])) - set(edges(DIAGRAMS["child"], rows))
    assert gone == {("DELETING", "HALF_CLOSED")}


# Matrices


def test_only_what_can_not_occur_is_left_out_of_the_matrices() -> None:
    for ike in LIVE:
        for child in Child:
            own = ABOUT.get(child)
            state: dict[str, Value] = {"ike.state": ike, "child.state": child}
            consistent = [
                each
                for each in (NOTHING, *Kind)
                if holds(CONSISTENT, {**state, "ike.own": each}.__getitem__) and each in (own or each, NOTHING)
            ]
            assert possible(ike, child) == bool(consistent)
            assert OUTSTANDING.get(ike, own or NOTHING) in consistent or not consistent


def test_a_cell_is_empty_only_where_nothing_can_occur() -> None:
    for kind in (Kind.REKEY_CHILD, Kind.DELETE_CHILD):
        for ike in LIVE:
            for child in Child:
                assert bool(cell(kind, ike, child)) == possible(ike, child)


def test_s2_25_1_cells() -> None:
    assert cell(Kind.REKEY_CHILD, Ike.ESTABLISHED, Child.DELETING) == "TEMPORARY_FAILURE"
    assert cell(Kind.DELETE_CHILD, Ike.ESTABLISHED, Child.DELETING) == "EMPTY → HALF_CLOSED"
    assert cell(Kind.REKEY_IKE, Ike.DELETING) == "TEMPORARY_FAILURE"
    assert [row.name for row in answering(Kind.REKEY_IKE, Ike.CROSSED)] == ["collision.rekey_ike.crossed"]


def test_alternatives_fit_the_same_state() -> None:
    names = [each.name for each in alternatives(BY_NAME["collision.rekey_child.absent"])]
    assert names == ["collision.rekey_child.closing", "collision.rekey_child.ike_rekeying"]
    assert not alternatives(BY_NAME["child.delete.request"])


# Stories


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_ends_at_rest_with_pairs(story: Story) -> None:
    _, state = run(story)[-1]
    assert not [name for name, value in state.items() if name.endswith(".due") and value]
    assert {value for name, value in state.items() if name.endswith(".own")} == {NOTHING}
    for child in story.scope.children:
        ways = {state[f"{end}.child_{child}.{way}"] for end in "AB" for way in ("in", "out")}
        assert len(ways) == 1
    assert all(step.split()[1] in tell(story) for step in story.steps)


def test_a_story_that_the_rows_do_not_allow_is_an_error() -> None:
    story = STORIES[0]
    with pytest.raises(ValueError, match="not possible"):
        run(story._replace(steps=story.steps[1:2] + story.steps[5:]))
    with pytest.raises(LookupError):
        run(story._replace(steps=("A child.eat [old]",)))


# Data


def test_json_holds_every_row() -> None:
    data = json.loads(as_json())
    assert set(data) == {"format", "states", "variables", "tables"}
    assert sum(len(rows) for rows in data["tables"].values()) == len(ALLOWED)
    first = data["tables"]["collisions"][0]
    assert first["name"] == "collision.rekey_child.closing"
    assert first["answers"] == [["reply", "TEMPORARY_FAILURE"]]
    assert set(first) == {
        *("name", "component", "source", "event", "guard", "update", "destination", "answers"),
        *("section", "level", "requirements", "choice", "variant", "words"),
    }
    assert set(first["event"]) == {"what", "kinds", "outcomes", "position", "alarm", "input"}
    assert first["event"]["position"] == Position.FRESH


def test_the_json_form_is_documented() -> None:
    """Each key of a row has a line in the table of docs/model.md."""
    text = (DOCS.parent / "model.md").read_text(encoding="utf-8")
    row = json.loads(as_json())["tables"]["child"][0]
    assert [key for key in (*row, *row["event"]) if f"`{key}`" not in text] == []


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.name)
def test_smtlib_says_the_same_as_the_guard(row: Row) -> None:
    """z3 reads the script; for states drawn at random, guard and script agree."""
    draw = random.Random(row.name)
    solver = z3.Solver(ctx=z3.Context())
    script = smtlib(row)
    solver.from_string(script)
    assert solver.check() == z3.sat
    condition = row.condition()
    plain = sorted(name for name in variables_of(condition) if not name.startswith("each."))
    several = "some Child SA" in script
    for _ in range(4):
        values = {name: draw.choice(variable(name).domain) for name in plain}
        some = draw.random() < 0.5
        children = [{"each.due": some}.__getitem__] if several else []
        facts = [f"(assert (= |{name}| {constant(name, value)}))" for name, value in values.items()]
        if several:
            facts.append(f"(assert (= |some Child SA has each.due| {str(some).lower()}))")
        solver = z3.Solver(ctx=z3.Context())
        solver.from_string(script.replace("(assert guard)", "\n".join([*facts, "(assert guard)"])))
        assert (solver.check() == z3.sat) == holds(condition, values.__getitem__, children)


def test_forms_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, start in (
        (["--json"], "{"),
        (["--dot", "child"], "digraph"),
        (["--mermaid", "child"], "stateDiagram-v2"),
        (["--smt", "child.delete.send"], "; child.delete.send: Section 1.4.1, MUST"),
    ):
        main(arguments)
        assert capsys.readouterr().out.startswith(start)
