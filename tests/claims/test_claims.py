"""The committed claims: every reference leads to a check that is run, no claim is stronger than its checks, and none
has become weaker."""

from pathlib import Path

import pytest
from ikeref_properties.catalogue import requirements
from ikeref_properties.claims import (
    ALL_PATHS,
    CLAIMS,
    EXHAUSTIVE,
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
from ikeref_properties.claims.establish import (
    Established,
    Evidence,
    Options,
    establish,
    formula,
    judge,
    side_by_side,
    takes_long,
)
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


LETTERS = dict(zip("neatp", (NOT_YET, EXHAUSTIVE, ALL_PATHS, TESTED, PROVED), strict=True))
REACHED = """
    1 pee tet    2 pp ate   3 p ate    4 pp te    5 pep et    6 ppp ate 7 pppe tate  8 p tet     9 p ate   10 p t
    11 p tt      12 p t     13 eppt te 14 p tttt  15 p tt     16 ppp tt 17 p tt      18 p ttt    19 t tt   20 p ttt
    21 - at      22 - atttt 23 - attt  24 - t     25 p t      26 p tt   27 p ttt     28 pp ttt   29 p ttt  30 p t
    31 p tett    32 p -     33 p tt    34 - t     35 - tat    36 - ttet 37 p tt      38 p t      39 p t    40 p tt
    41 - tt      42 - tt    43 p tt    44 - t     45 - t
"""
"""The claim of each part about the rows, and of each part about the code: `proved`, `exhaustive`, `all paths`,
`tested`, `not yet`. Written down twice on purpose: a claim that is lowered in the table, or left out, fails here."""
WORDS = REACHED.split()
PINNED = {int(id): (rows, code) for id, rows, code in zip(WORDS[::3], WORDS[1::3], WORDS[2::3], strict=True)}


def weaker(one: Property) -> str:
    """How the property claims less than is written down here; "" if it does not."""
    for subject, pinned in zip(("rows", "code"), PINNED[one.id], strict=True):
        now = [part.claim for part in one.parts if part.subject == subject]
        then = [LETTERS[letter] for letter in pinned.strip("-")]
        if len(now) < len(then):
            return f"{len(then) - len(now)} parts about the {subject} are missing"
        for claim, wanted in zip(now, then, strict=False):
            if CLAIMS.index(claim) < CLAIMS.index(wanted):
                return f"{claim}, not {wanted}, of the {subject}"
    return ""


@pytest.mark.parametrize("one", properties(), ids=lambda one: one.name)
def test_no_claim_has_become_weaker(one: Property) -> None:
    assert weaker(one) == ""


@pytest.mark.parametrize("one", properties(), ids=lambda one: one.name)
def test_a_claim_that_is_lowered_or_left_out_is_found(one: Property) -> None:
    for number, part in enumerate(one.parts):
        others = one.parts[:number], one.parts[number + 1 :]
        assert weaker(one._replace(parts=(*others[0], *others[1])))
        lowered = part._replace(claim=CLAIMS[CLAIMS.index(part.claim) - 1])
        assert weaker(one._replace(parts=(*others[0], lowered, *others[1])))


def test_what_has_to_be_proved_is_proved_and_nothing_is_left_to_do() -> None:
    assert [each.id for each in properties() if each.open()] == []
    one = properties()[0]
    assert one._replace(parts=tuple(part for part in one.parts if part.claim != PROVED)).open()
    assert one._replace(parts=(*one.parts, one.parts[0]._replace(claim=NOT_YET))).open()


def test_the_rows_reach_their_claims_now() -> None:
    """(tests/model/test_proofs.py re-checks every certificate; one of each kind of check is enough here.)"""
    certified = {each.id for each in STATEMENTS} - {"traffic-goes-on"}
    quick = [each for each in REFERENCES if each.kind in ("proof", "sentence", "rows") and each.name not in certified]
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


def test_what_takes_long_is_run_side_by_side_with_the_same_results() -> None:
    names = ("proof:traffic-goes-on", "proof:no-child-before-auth", "search:every-message-kept")
    options = Options(everything=True, anew=True, root=ROOT)
    references = [Reference(*each.split(":", 1)) for each in names]
    assert all(takes_long(each, options) for each in references)
    assert not takes_long(references[2], Options())
    found = side_by_side(references, options)
    assert set(found) == set(references)
    for each in references:
        assert found[each]._replace(seconds=0.0) == judge(each, options)._replace(seconds=0.0)
    assert [found[each].certificate for each in references] == ["found anew", "found anew", ""]


def test_a_part_with_several_certificates_is_reached() -> None:
    checks = tuple(Reference("proof", each) for each in ("traffic-goes-on", "no-child-before-auth", "judged-alike"))
    part = Part("rows", "x.", PROVED, checks, "")
    watched: list[str] = []
    found = establish([properties()[0]._replace(parts=(part,))], Options(root=ROOT), watched.append)[1][0]
    assert found.good
    assert watched == ["3 proofs and searches, 2 at a time"]


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
