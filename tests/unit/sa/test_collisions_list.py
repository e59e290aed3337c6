"""The list of collisions has a test for each entry, and the page says so."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.unit.sa.collisions_list import CHILD, ENTRIES, EXTENSION, IKE, MORE, WINDOWS, Entry, page

PAGE = Path(__file__).parents[3] / "docs" / "collisions.md"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.group}: {entry.situation}")
def test_an_entry_has_tests_unless_it_needs_an_extension(entry: Entry) -> None:
    assert bool(entry.tests) is (entry.basis != EXTENSION)
    for name in entry.tests:
        module, _, function = name.partition(".")
        assert callable(getattr(import_module(f"tests.unit.sa.{module}"), function))


@pytest.mark.parametrize("module", [CHILD, IKE, MORE, WINDOWS])
def test_every_collision_test_is_in_the_list(module: str) -> None:
    listed = {name for each in ENTRIES for name in each.tests}
    found = {f"{module}.{name}" for name in vars(import_module(f"tests.unit.sa.{module}")) if name.startswith("test_")}
    assert found <= listed


def test_the_page_is_that_of_the_list() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
