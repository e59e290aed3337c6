"""Every incident has its tests, each of which finds a fault."""

import re
from pathlib import Path

import pytest
from ikeref_properties.mutants import MUTANTS, matrix

from tests.fuzz import test_fuzz
from tests.hardness import incidents, test_faults, test_flood, test_sweeps_found
from tests.hardness.incidents import Entry

ROOT = Path(__file__).parents[2]
INCIDENTS, PROPERTIES = incidents.load()
ALL = (*INCIDENTS, *PROPERTIES)
SEEDED = {
    *(fault.name for fault, _ in test_fuzz.FAULTS),
    *(fault.name for fault, _ in test_sweeps_found.TWINS),
    *(fault.name for fault, _ in test_faults.FAULTS),
    *(fault.name for fault in test_flood.FAULTS),
}
KILLS = {name: entry.checks for name, entry in matrix.load().items()}


def test_no_incident_is_left_out() -> None:
    assert len(INCIDENTS) == 38
    assert [each.id for each in PROPERTIES] == list("abcdefghij")
    known = " ".join(each.id for each in INCIDENTS)
    named = {cve for fault in MUTANTS for cve in re.findall(r"CVE-\d+-\d+", fault.origin)}
    assert {cve for cve in named if cve not in known} == set()
    assert len(re.findall(r"CVE-", known)) >= 45


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.id)
def test_its_tests_exist_and_one_finds_the_fault(entry: Entry) -> None:
    if entry.why:
        assert not entry.tests
        return
    assert entry.tests
    for node in entry.tests:
        path, _, name = node.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.M), node
    how, _, what = entry.fails_on.partition(": ")
    assert how in ("mutant", "seeded", "altered")
    if how == "mutant":
        assert any(f"test:{node}" in KILLS[what] for node in entry.tests), f"no test of it finds {what!r}"
    elif how == "seeded":
        assert what in SEEDED
    else:
        assert what


def test_the_page_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "incidents.md").read_text("utf-8") == incidents.page()
