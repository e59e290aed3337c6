"""More than a million states of the real code: `pytest tests/explore/nightly_million.py`.

Not part of the ordinary run, nor of `-m nightly`, by its name: it takes eleven minutes of CPU.
"""

from ikeref_properties.explore import profiles
from ikeref_properties.explore.search import Search


def test_no_state_of_the_profile_of_a_million_deviates() -> None:
    result = Search(profiles.bounds("million"), processes=2).run()
    assert result.counterexample is None
    assert result.complete, "every state was seen"
    assert result.states == 1_320_620
    assert result.apart == 2_640_917, "the same with the ends told apart"
