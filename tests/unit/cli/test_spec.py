"""`ikeref spec`: what a question leads to, and how the answer looks."""

import json
from io import StringIO

import pytest
from ikeref_model.tables import ALLOWED, BY_NAME, ROWS
from ikeref_properties.catalogue import of_section, requirements
from ikeref_properties.catalogue.silences import silences
from ikeref_properties.claims import CLAIMS
from rich.console import Console
from typer.testing import CliRunner

from ikeref.cli import spec
from ikeref.cli.find import ALIASES, Found, find, subsections
from ikeref.cli.main import app

RUNNER = CliRunner()


def names(found: Found) -> set[str]:
    return {row.name for row in found.rows}


def printed(found: Found, width: int = 80, **options: bool) -> str:
    console = Console(file=StringIO(), width=width, highlight=False)
    console.print(spec.answer(found, **options))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


# Sections and requirements


@pytest.mark.parametrize("question", ["2.8.1", "Section 2.8.1", "section 2.8.1.", "§2.8.1", "RFC 7296 2.8.1"])
def test_a_section_gives_its_rows_and_its_requirements(question: str) -> None:
    found = find(question.split())
    assert {row.name for row in ALLOWED if row.section == "2.8.1"} <= names(found)
    assert found.requirements == of_section("2.8.1")
    text = printed(found)
    assert all(each.id in text for each in of_section("2.8.1"))
    assert "Rules that no row cites" in text


def test_a_section_without_rows_gives_its_requirements() -> None:
    found = find(["3.3.5"])
    assert not found.rows
    text = " ".join(printed(found).split())
    assert all(each.id in text for each in of_section("3.3.5"))
    assert "no row" in text


def test_a_section_tells_of_those_below_it() -> None:
    assert subsections("2.8") == ("2.8.1", "2.8.2", "2.8.3")
    assert f"2.8.2 ({sum(row.section == '2.8.2' for row in ALLOWED)} rows)" in printed(find(["2.8"]))


def test_a_section_of_another_rfc() -> None:
    found = find(["RFC", "7383", "2.3"])
    assert {each.rfc for each in found.requirements} == {7383}


def test_a_requirement_gives_its_summary_and_the_rows_that_cite_it() -> None:
    found = find(["7296-2.25.1-01"])
    assert names(found) == {row.name for row in ALLOWED if "7296-2.25.1-01" in row.requirements}
    assert requirements()["7296-2.25.1-01"].summary in " ".join(printed(found, 120).split())


def test_a_requirement_without_a_row_says_so() -> None:
    text = printed(find(["7296-2.8.1-02"]), 120)
    assert "no row" in text.splitlines()[0]
    assert "packets on either must be accepted" in text


def test_every_requirement_and_every_section_is_found() -> None:
    for id, each in requirements().items():
        assert find([id]).asked == each
        assert each in find(["RFC", str(each.rfc), each.section]).requirements


def test_what_is_tolerated_in_others_is_not_shown_as_a_rule() -> None:
    text = printed(find(["relaxed.rekey_child.closing"]))
    assert "tolerated" in text
    assert "does not follow a SHOULD" in text


# States, events, rows


def test_a_row_by_its_name() -> None:
    assert find(["child.delete.request"]).rows == (BY_NAME["child.delete.request"],)


def test_a_state_of_the_child_sa() -> None:
    expected = {row.name for row in ALLOWED if row.component == "child" and "HALF_CLOSED" in row.source}
    assert names(find(["half-closed"])) == expected


def test_a_state_of_the_ike_sa_gives_rows_for_child_sas_too() -> None:
    found = names(find(["INIT_SENT"]))
    assert "init.response.ok" in found
    assert "collision.create_child.ike_ending" in names(find(["REPLACED"]))


def test_a_part_of_a_name_is_enough() -> None:
    assert names(find(["delete"])) == names(find(["DELETE_CHILD"])) | names(find(["DELETE_IKE"]))


def test_words_narrow_each_other_down() -> None:
    found = names(find(["REKEY_CHILD", "DELETING", "request"]))
    assert "collision.rekey_child.closing" in found
    assert found == names(find(["REKEY_CHILD"])) & names(find(["DELETING"])) & names(find(["request"]))


def test_an_outcome_gives_the_rows_that_send_it_and_that_receive_it() -> None:
    found = names(find(["TEMPORARY_FAILURE"]))
    assert {"collision.rekey_ike.closing", "child.rekey.response.temporary"} <= found


def test_names_of_the_rfc_lead_to_those_of_the_rows() -> None:
    assert names(find(["CREATE_CHILD_SA"])) >= names(find(["REKEY_IKE"]))
    assert find(["NO_PROPOSAL_CHOSEN"]).rows == find(["REFUSED"]).rows
    assert all(find([each]).rows for each in ALIASES)


def test_a_word_that_no_row_has_is_looked_up_in_the_requirements() -> None:
    found = find(["jitter"])
    assert not found.rows
    assert "7296-2.8.1-01" in {each.id for each in found.requirements}


@pytest.mark.parametrize(
    ("question", "near"),
    [
        ("HALF_CLOSE", "HALF_CLOSED"),
        ("rekkey_child", "REKEY_CHILD"),
        ("2.99", "2.9"),
        ("7296-2.8.1-99", "7296-2.8.1-09"),
    ],
)
def test_what_is_unknown_gets_near_words(question: str, near: str) -> None:
    found = find([question])
    assert not found.rows + found.requirements
    assert near in found.near


# Output


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("question", ["2.8.1", "2.25.1", "HALF_CLOSED", "delete", "7296-2.8.1-02", "2.21.2", "rekey"])
def test_nothing_is_wider_than_the_terminal(question: str, width: int) -> None:
    for options in ({}, {"brief": True}, {"full": True}):
        assert max(map(len, printed(find([question]), width, **options).splitlines())) <= width


def test_a_row_is_shown_with_state_event_guard_answer_section_and_level() -> None:
    text = printed(find(["collision.delete_child.closing"]), 120)
    for part in (
        "Section 1.4.1       MUST",
        "Child SA DELETING → HALF_CLOSED",
        "request DELETE_CHILD arrives",
        "the IKE SA is live",
        "response EMPTY",
        "the Child SA closes its outgoing SA",
        "7296-1.4.1-08",
        "outgoing",
    ):
        assert part in text
    assert "ike.state in" not in text
    assert "ike.state in" in printed(find(["collision.delete_child.closing"]), 120, full=True)


def test_words_that_the_rfc_does_not_have_are_explained() -> None:
    text = printed(find(["collision.create_child.ike_ending"]), 120)
    assert "REFUSED  any error without a name of its own here" in text
    assert "EMPTY" not in text


def test_the_overview_counts_what_there_is() -> None:
    result = RUNNER.invoke(app, ["spec"], terminal_width=120)
    assert result.exit_code == 0
    assert f"{len(ROWS)} rows" in result.stdout
    assert f"2.8.1 ({sum(row.section == '2.8.1' for row in ROWS)})" in result.stdout


def test_no_match_is_exit_code_1_and_says_what_is_near() -> None:
    result = RUNNER.invoke(app, ["spec", "HALF_CLOSE"])
    assert result.exit_code == spec.NO_MATCH
    assert "did you mean HALF_CLOSED" in result.stderr
    result = RUNNER.invoke(app, ["spec", "IKE_SA_INIT", "HALF_CLOSED"])
    assert result.exit_code == spec.NO_MATCH
    assert "leave a word out" in result.stderr


def test_json_has_rows_and_requirements() -> None:
    result = RUNNER.invoke(app, ["spec", "2.8.1", "--json"])
    data = json.loads(result.stdout)
    assert {row["name"] for row in data["rows"]} == names(find(["2.8.1"]))
    listed = {each["id"] for each in (*data["requirements"], *data["no_row"])}
    assert {each.id for each in of_section("2.8.1")} <= listed
    assert {each["id"] for each in data["no_row"]} == {"7296-2.8.1-01", "7296-2.8.1-02"}


def test_json_without_a_question_is_everything() -> None:
    data = json.loads(RUNNER.invoke(app, ["spec", "--json"]).stdout)
    assert sum(len(rows) for rows in data["tables"].values()) == len(ALLOWED)


# Questions in plain words


QUESTIONS = {
    "what may I answer to REKEY_CHILD while I am deleting that SA?": "collision.rekey_child.closing",
    "what may I answer to rekey child sa while deleting": "collision.rekey_child.closing",
    "N(COOKIE)": "init.request.cookie",
    "N(SET_WINDOW_SIZE)": "window.announce",
    "window size": "window.announce",
    "delete ike": "ike.delete.request",
    "half open": "auth.request.accept",
    "half-closed": "child.delete.response.crossed",
    "message id": "window.request.outside",
    "retransmission": "window.request.replay",
    "who deletes the old SA": "child.delete.send.due",
    "what if both rekey at the same time": "collision.rekey_child.rekeying",
    "silence": "child.delete.response.empty",
    "MUST": "child.delete.request",
    "request DELETE_IKE in REKEYING": "collision.delete_ike.rekeying",
    "what do I do when TEMPORARY_FAILURE arrives": "child.rekey.response.temporary",
    "INITIAL_CONTACT": "contact.initial",
    "timeout": "ike.give_up",
    "is the peer alive": "liveness.send",
    "may I create a child sa while rekeying the ike sa": "collision.create_child.ike_rekeying",
    "the peer rekeys the IKE SA while I am creating a Child SA": "collision.rekey_ike.child_busy",
    "may the same request come again": "window.request.replay",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_in_plain_words_leads_to_the_row(question: str) -> None:
    assert QUESTIONS[question] in names(find([question]))


def test_the_row_of_the_state_that_was_asked_for_comes_first() -> None:
    found = find(["what may I answer to REKEY_CHILD while I am deleting that SA?"])
    assert found.rows[0].name == "collision.rekey_child.closing"


def test_words_that_did_not_help_are_told() -> None:
    found = find(["what about frobnication of a REKEY_CHILD"])
    assert "frobnication" in found.ignored
    assert "passed over: about, frobnication" in printed(found)


def test_who_answers_so_is_told_apart_from_who_gets_it() -> None:
    text = printed(find(["TEMPORARY_FAILURE"]), brief=True)
    first, second = text.split("What is done about TEMPORARY_FAILURE")
    assert "collision.rekey_child.closing" in first
    assert "child.rekey.response.temporary" in second


def test_a_section_has_its_properties_and_its_silences() -> None:
    text = " ".join(printed(find(["2.8.1"]), 120).split())
    assert "simultaneous-child-rekey" in text
    assert "Comparing nonces only" in text


def test_every_section_of_the_page_of_silences_is_known() -> None:
    entries = silences()
    assert len(entries) > 20
    assert all(each.sections and each.situation and each.answer for each in entries)
    known = {each.section for each in requirements().values() if each.rfc == 7296}
    assert {section for each in entries for section in each.sections} <= known


def test_json_has_all_of_a_section() -> None:
    result = RUNNER.invoke(app, ["spec", "2.8.1", "--json"])
    told = json.loads(result.stdout)
    assert {"rows", "requirements", "no_row", "properties", "silences", "subsections"} <= told.keys()
    assert told["silences"][0]["sections"]
    assert told["properties"][0]["rows"] in CLAIMS
