"""A network that disturbs, always in the same way."""

from hypothesis import given
from hypothesis import strategies as st

from ikeref.net.disturb import Disturbance, Fate, Profile, fate

probabilities = st.floats(0, 1)
counts = st.integers(0, 4)
profiles = st.builds(Profile, st.integers(0, 99), probabilities, counts, probabilities, counts, probabilities, counts)


def through(profile: Profile, items: list[int]) -> tuple[list[int], list[Fate]]:
    network: Disturbance[int] = Disturbance(profile)
    out: list[int] = []
    fates = []
    for item in items:
        passed = network.put(item)
        fates.append(passed.fate)
        out += passed.items
    return [*out, *network.flush()], fates


def test_an_undisturbed_network_changes_nothing() -> None:
    assert through(Profile(), [1, 2, 3]) == ([1, 2, 3], [Fate()] * 3)


def test_every_other_is_dropped_doubled_or_overtaken() -> None:
    assert through(Profile(drop_every=2), [1, 2, 3, 4])[0] == [1, 3]
    assert through(Profile(duplicate_every=2), [1, 2, 3, 4])[0] == [1, 2, 2, 3, 4, 4]
    assert through(Profile(reorder_every=2), [1, 2, 3, 4, 5])[0] == [1, 3, 2, 5, 4]
    assert through(Profile(reorder_every=1), [1, 2, 3, 4])[0] == [2, 1, 4, 3]


def test_what_is_held_comes_out_at_the_end() -> None:
    network: Disturbance[int] = Disturbance(Profile(reorder_every=1))
    assert network.put(1).items == ()
    assert network.flush() == (1,)
    assert network.flush() == ()


@given(profiles, st.integers(0, 30))
def test_each_comes_out_as_often_as_its_fate_says(profile: Profile, count: int) -> None:
    out, fates = through(profile, list(range(count)))
    for item, its in enumerate(fates):
        assert out.count(item) == (0 if its.dropped else 2 if its.duplicated else 1)


@given(profiles, st.integers(0, 30))
def test_nothing_overtakes_by_more_than_one_that_arrives(profile: Profile, count: int) -> None:
    order = list(dict.fromkeys(through(profile, list(range(count)))[0]))
    arrived = sorted(order)
    assert all(abs(order.index(item) - place) <= 1 for place, item in enumerate(arrived))


@given(profiles, st.integers(1, 30))
def test_a_seed_repeats_and_a_fate_can_be_looked_up(profile: Profile, count: int) -> None:
    assert through(profile, list(range(count))) == through(profile, list(range(count)))
    fates = through(profile, list(range(count)))[1]
    assert fates[count - 1].dropped == fate(profile, count).dropped
    assert fates[count - 1].duplicated == fate(profile, count).duplicated


def test_seeds_differ_and_probabilities_are_about_right() -> None:
    def losses(seed: int) -> list[bool]:
        return [fate(Profile(seed, drop=0.2), number).dropped for number in range(1, 2001)]

    assert losses(1) != losses(2)
    assert 300 < sum(losses(1)) < 500
