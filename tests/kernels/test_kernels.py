"""The shipped decision kernels along all their paths, and what the checks find in faulty copies of them."""

from pathlib import Path

import pytest
from ikeref_properties import kernels
from ikeref_properties.catalogue import requirements
from ikeref_properties.kernels import Check, Mutant, hunt, run, schedule
from ikeref_properties.kernels.checks import KernelVerdict

CHECKS = kernels.checks("small")


def _name(item: object) -> str:
    match item:
        case Check():
            return f"{item.kernel} / {item.bound}"
        case Mutant():
            return f"{item.kernel}: {item.fault}"
    return str(item)


@pytest.mark.parametrize("check", CHECKS, ids=_name)
def test_a_kernel_has_its_property_on_all_paths(check: Check) -> None:
    verdict = run(check)
    assert (verdict.claim, verdict.counterexample) == ("all paths", "")


def test_keys_are_cut_right_for_every_suite() -> None:
    verdict = schedule.every_suite()
    assert (verdict.claim, verdict.counterexample) == ("exhaustive", "")


@pytest.mark.parametrize("mutant", kernels.MUTANTS, ids=_name)
def test_a_faulty_kernel_is_found_out(mutant: Mutant) -> None:
    found = hunt(mutant, CHECKS)
    assert found.by
    assert found.counterexample


def test_faults_differ() -> None:
    assert len({(mutant.module, mutant.old, mutant.new) for mutant in kernels.MUTANTS}) == len(kernels.MUTANTS)


def test_requirements_exist() -> None:
    known = requirements()
    cited = {id for check in kernels.checks("large") for id in check.requirements}
    assert {id for id in cited | set(schedule.every_suite().requirements) if id not in known} == set()


def test_each_check_of_the_small_size_has_a_kernel_in_the_large_one() -> None:
    def judged(checks: tuple[Check, ...]) -> set[tuple[str, str]]:
        return {(check.module, check.kernel) for check in checks}

    assert judged(CHECKS) == judged(kernels.checks("large"))


def test_a_limit_makes_a_claim_weaker() -> None:
    check = next(check for check in CHECKS if check.kernel == "covers")
    verdict: KernelVerdict = run(check, limit=3)
    assert (verdict.claim, verdict.paths) == ("tested", 3)


def test_the_page_lists_every_fault_and_every_bound() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "kernels.md").read_text(encoding="utf-8")
    faults = [f"| {mutant.kernel} | {mutant.fault} |" for mutant in kernels.MUTANTS]
    bounds = [f"| {check.bound} |" for check in kernels.checks("large")]
    assert [row for row in faults + bounds if row not in page] == []
