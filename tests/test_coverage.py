"""Every claim of the catalogue leads somewhere, and what is claimed only rises."""

import ast
import os
from functools import cache
from pathlib import Path

import pytest
from ikeref_properties.catalogue import coverage, requirements, trial
from ikeref_properties.catalogue.claims import SCOPE, Claim, claims, parse, tried
from ikeref_properties.mutants.seeding import place_of

ROOT = Path(__file__).parent.parent
MUST = "7296-1-01"
TEST = '"tests/test_coverage.py::test_x"'


@cache
def functions(file: Path) -> frozenset[str]:
    """Functions of a module, methods as CLASS.METHOD."""
    tree = ast.parse(file.read_text("utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(found)


def missing(name: str) -> bool:
    """Nothing is there: PATH::FUNCTION, a case of a test in brackets."""
    path, _, function = name.partition("[")[0].partition("::")
    file = ROOT / path
    return not file.is_file() or function not in functions(file)


def misled(claim: Claim) -> list[str]:
    """What a claim names that is not there."""
    tests = [each for each in (*claim.tests, *claim.interop) if missing(each) or "::test_" not in each]
    return tests + [each for each in claim.code if missing(each)]


def test_claims_are_well_formed() -> None:
    assert claims().problems == ()


def test_claims_name_tests_and_functions_that_exist() -> None:
    assert {each.id: found for each in claims().by_id.values() if (found := misled(each))} == {}
    here = "tests/test_coverage.py::test_claims_are_well_formed"
    assert misled(Claim("", tests=(here, f"{here}[case]", f"{here}_not"))) == [f"{here}_not"]


def test_faults_of_claims_fit_the_code_and_their_tests_were_seen_to_fail() -> None:
    """`python -m ikeref_properties.catalogue.trial` sees to it."""
    faults = [(each.id, edit) for each in claims().by_id.values() for fault in each.faults for edit in fault.edits]
    assert {id: edit.old for id, edit in faults if not place_of(edit)} == {}
    assert [each.id for each in trial.stale()] == []
    assert set(tried()) <= claims().by_id.keys()


@pytest.mark.skipif(
    "IKEREF_TRIAL" not in os.environ,
    reason="a thousand faults, many minutes: IKEREF_TRIAL=1, or python -m ikeref_properties.catalogue.trial --all",
)
def test_tests_fail_under_the_faults_of_their_claims() -> None:
    wrong = [verdict for verdict in trial.attempt(claims().by_id.values(), ROOT) if verdict.problems]
    assert wrong == []


def test_a_trial_refuses_a_test_that_finds_nothing() -> None:
    found = 'test = "tests/unit/crypto/test_auth.py::test_s2_15_signed_octets_are_message_nonce_and_mac_of_the_id"'
    fault = 'fault = "leave the nonce out of AUTH"'
    other = 'fault = "make cookies for any nonce"'
    texts = {"a.toml": f'["7296-2.15-05"]\n{found}\n{fault}\n["7296-2.15-04"]\n{found}\n{other}'}
    verdicts = {each.id: each.problems for each in trial.attempt(parse(texts).by_id.values(), ROOT)}
    assert verdicts["7296-2.15-05"] == ()
    assert "no test fails under “make cookies for any nonce”" in verdicts["7296-2.15-04"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('["7296-1-99"]\ntest = "x"', "7296-1-99 is no requirement"),
        (f'["{MUST}"]\ntest = {TEST}', "names a test, and the fault or the altered message"),
        (f'["{MUST}"]\naltered = "a bit"', "names a fault but no test"),
        (f'["{MUST}"]\ntest = {TEST}\nfault = "no such"', "no fault called 'no such'"),
        (f'["{MUST}"]\nwaived = "why"', "kind is one of"),
        (f'["{MUST}"]\nkind = "operator"', "the reason is missing"),
        (f'["{MUST}"]\nwaived = "why"\nkind = "operator"\ntest = {TEST}', "both claimed and waived"),
        (f'["{MUST}"]\ntest = {TEST}\naltered = "a bit"\nrow = "x"', "unknown key row"),
        (f'["{MUST}"]\ntest = {TEST}\naltered = "a bit"\nrows = ["no such"]', "no row no such"),
        (f'["{MUST}"]\ntest = {TEST}\naltered = "a bit"\nproperty = 999', "no property 999"),
        (f'["{MUST}"]\ntest = {TEST}\nedit = ["sa.step", "x"]', "edit is [module, old, new]"),
        ('["7296-1.1.2-01"]\nnote = "x"', "claims nothing"),
        ('["7296-1-04"', "a.toml:"),
    ],
)
def test_what_is_wrong_with_a_claim_is_said(text: str, wrong: str) -> None:
    assert any(wrong in each for each in parse({"a.toml": text}).problems)


def test_no_requirement_is_claimed_twice() -> None:
    good = f'["{MUST}"]\ntest = {TEST}\naltered = "a bit"'
    assert parse({"a.toml": good}).problems == ()
    assert parse({"a.toml": good, "b.toml": good}).problems == (f"b.toml: {MUST} is claimed twice",)


def test_claims_do_not_fall() -> None:
    """`python -m ikeref_properties.catalogue.coverage` raises the floor, and never lowers it."""
    by_section = coverage.sections(coverage.entries())
    fallen = {
        name: count for name, count in coverage.floor().items() if coverage.figures(by_section[name]).claimed < count
    }
    assert fallen == {}
    none = coverage.risen(coverage.entries(known=parse({})))
    assert sum(none.values()) >= sum(coverage.floor().values()) > 0


def test_few_requirements_are_waived() -> None:
    for rfcs in ((7296,), SCOPE[1:]):
        assert not coverage.too_many_waived(coverage.entries(rfcs))
    waived = "\n".join(f'["{id}"]\nwaived = "why"\nkind = "not_built"' for id in list(requirements())[:40])
    assert coverage.too_many_waived(coverage.entries((7296,), parse({"a.toml": waived})))
    assert not coverage.too_many_waived(
        coverage.entries((7296,), parse({"a.toml": waived.replace("not_built", "operator")}))
    )


def test_the_committed_page_has_every_requirement_with_its_tests() -> None:
    """`python -m ikeref_properties.catalogue.coverage` writes it; where the code stands may lag behind."""
    page = (ROOT / "docs" / "coverage.md").read_text("utf-8").splitlines()
    lines = {line.split(" ", 2)[1]: line for line in page if line.startswith("| ")}
    for entry in coverage.entries():
        line = lines[entry.rule.id]
        assert ("| waived (" in line, line.endswith("| open |")) == (entry.status == "waived", entry.status == "open")
        for test in entry.claim.tests if entry.claim is not None else ():
            assert f"`{test.removeprefix('tests/')}`".replace("|", "\\|") in line
