"""Each named course of events is found in the states of the code."""

import pytest
from ikeref_properties.explore.catalogue import PATHS
from ikeref_properties.explore.paths import Path, find


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_named_path_is_found(path: Path) -> None:
    found = find(path)
    assert found is not None
    assert len(found.schedule) >= len(path.events) - 1


def test_a_course_that_the_code_never_takes_is_not_found() -> None:
    """Who hears TEMPORARY_FAILURE does not end with two Child SAs."""
    path = next(path for path in PATHS if path.name == "rekey-child-and-delete")
    assert find(path._replace(ends=lambda state: len(state.flights) > 0)) is None


def test_names_are_unique() -> None:
    assert len({path.name for path in PATHS}) == len(PATHS)
