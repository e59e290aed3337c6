"""The committed claims: every reference leads to a check that is run, no claim is stronger than its checks, and none
has become weaker."""

from pathlib import Path

import pytest
from ikeref_properties.catalogue import requirements
from ikeref_properties.claims import (
    CLAIMS,
    NOT_YET,
    PROVED,
    STRENGTH,
    TESTED,
    Part,
    Property,
    Reference,
    find,
    parse,
    properties,
)
from ikeref_properties.claims.establish import Established, Evidence, Options, establish, formula, judge
from ikeref_properties.claims.page import page
from ikeref_properties.claims.references import RUNNERS, checkout, problem
from ikeref_properties.proofs import LEMMAS, STATEMENTS
from ikeref_properties.proofs.sentences import SENTENCES

ROOT = Path(__file__).parents[2]
PARTS = [(each, part) for each in properties() for part in each.parts]
REFERENCES = list(dict.fromkeys(check for _, part in PARTS for check in part.checks))


def test_all_45_properties_are_there() -> None:
    assert [each.id for each in properties()] == list(range(1, 46))
    assert len({each.name for each in properties()}) == 45


def test_cited_requirements_exist() -> None:
    assert {id for each in properties() for id in each.requirements} <= set(requirements())


@pytest.mark.parametrize("reference", REFERENCES, ids=str)
def test_a_reference_leads_to_a_check(reference: Reference) -> None:
    assert problem(reference, ROOT) == ""


def test_what_runs_the_invariants_is_there() -> None:
    for each in RUNNERS.values():
        assert problem(Reference(*each.split(":", 1)), ROOT) == ""


@pytest.mark.parametrize(
    "text",
    [
        "proof:no-such",
        "sentence:no-such",
        "rows:no-such",
        "search:no-such",
        "kernel:ikeref.sa.window.no_such",
        "invariant:no such (Section 2.1)",
        "explored:no such (Section 2.1)",
        "test:tests/claims/test_claims.py::test_no_such",
        "test:tests/claims/no_such.py::test_no_such",
    ],
)
def test_a_reference_to_nothing_is_found(text: str) -> None:
    assert problem(Reference(*text.split(":", 1)), ROOT)


@pytest.mark.parametrize(("one", "part"), PARTS, ids=lambda each: str(getattr(each, "id", "")))
def test_a_claim_is_that_of_its_weakest_check(one: Property, part: Part) -> None:
    del one
    strengths = [STRENGTH[check.kind] for check in part.checks]
    assert part.claim == (min(strengths, key=CLAIMS.index) if strengths else NOT_YET)
    assert part.says.endswith(".")


def test_every_statement_and_every_sentence_serves_a_property() -> None:
    used = {(each.kind, each.name) for each in REFERENCES}
    assert {("proof", each) for each in (*LEMMAS, *(each.id for each in STATEMENTS))} <= used
    assert {("sentence", each.id) for each in SENTENCES} <= used


def test_what_the_rows_have_to_prove_is_a_goal() -> None:
    wanted = {1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 16, 26, 27, 28, 30, 31, 32}
    assert {each.id for each in properties() if each.goal == PROVED} == wanted


REACHED = {
    "proved": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 20 25 26 27 28 29 31 32 33 38 39 40 43",
    "exhaustive to bound": "1 2 3 4 5 6 7 8 9 13 31",
    "all paths": "2 3 6 9 21 22 23 35",
    "tested": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 33 34 35 36 37 38 "
    "39 40 41 42 43 44 45",
}
"""Written down twice on purpose: a claim that is lowered in the table fails here."""


@pytest.mark.parametrize("claim", REACHED)
def test_no_claim_has_become_weaker(claim: str) -> None:
    now = {each.id for each, part in PARTS if part.claim == claim}
    assert now >= {int(each) for each in REACHED[claim].split()}


def test_the_rows_reach_their_claims_now() -> None:
    quick = [each for each in REFERENCES if each.kind in ("proof", "sentence", "rows")]
    for each in quick:
        found = judge(each, Options(root=ROOT))
        assert found.claim == PROVED, found
        assert found.ran
        assert found.reference == each


def test_a_part_is_as_weak_as_its_weakest_evidence() -> None:
    part = Part("rows", "x.", PROVED, (), "")
    strong = Evidence(Reference("proof", "x"), PROVED, "", "", 0.0, "", "", True)
    assert Established(part, (strong,)).good
    assert not Established(part, (strong, strong._replace(claim=TESTED))).good
    assert not Established(part, (strong, strong._replace(claim="refuted"))).good
    assert not Established(part, ()).good


def test_a_claim_of_what_is_not_there_is_refuted() -> None:
    text = """
        [[property]]
        id = 1
        name = "x"
        title = "X"
        sections = ["2.1"]
        level = "MUST"
        [[property.part]]
        subject = "code"
        claim = "tested"
        says = "X."
        checks = ["test:tests/claims/test_claims.py::test_no_such"]
    """
    one = parse(text)[0]
    assert not establish([one], Options(root=ROOT))[1][0].good


def test_tests_are_run_when_everything_is_wanted() -> None:
    test = "tests/claims/test_claims.py::test_what_runs_the_invariants_is_there"
    part = Part("code", "x.", TESTED, (Reference("test", test),), "")
    one = properties()[0]._replace(id=1, parts=(part,))
    found = establish([one], Options(everything=True, root=ROOT))[1][0]
    assert found.good
    assert found.evidence[0].ran
    assert found.evidence[0].size == "1 test"


def test_a_malformed_table_is_refused() -> None:
    base = '[[property]]\nid = 1\nname = "x"\ntitle = "x"\nsections = ["2"]\nlevel = "MUST"\n[[property.part]]\n'
    for bad in ('subject = "cat"\nsays = "x."', 'subject = "rows"\nsays = "x."\nchecks = ["guess:x"]'):
        with pytest.raises(ValueError, match=r"cat|guess"):
            parse(base + bad)


def test_properties_are_found_by_number_name_section_and_word() -> None:
    assert [each.id for each in find("10")] == [10]
    assert [each.id for each in find("crossing-deletes")] == [10]
    assert 11 in [each.id for each in find("2.25.1")]
    assert 2 in [each.id for each in find("crossing rekeys")]
    assert not find("no such thing")


def test_formulas_are_shown() -> None:
    assert "HALF_CLOSED" in formula(Reference("sentence", "2.25.1-delete-while-closing"))
    assert formula(Reference("proof", "child-sas-in-pairs")).endswith("statements.paired")


def test_the_checkout_is_found() -> None:
    assert checkout() == ROOT


def test_the_committed_page_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "properties.md").read_text("utf-8") == page()
