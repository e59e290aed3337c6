"""The anti-replay window, held against a plain set of all numbers ever received (RFC 4303 sections 3.4.3 and A2)."""

from hypothesis import given
from hypothesis import strategies as st

from ikeref.esp.replay import NEW_WINDOW, SIZE, Window

NUMBERS = st.lists(st.integers(0, 3 * SIZE), max_size=60)


@given(NUMBERS)
def test_new_is_what_was_not_received_and_not_too_old(numbers: list[int]) -> None:
    window, received = NEW_WINDOW, set[int]()
    for number in numbers:
        new = number > 0 and number not in received and number > max(received, default=0) - SIZE
        assert window.is_new(number) == new
        if new:
            window = window.received(number)
            received.add(number)
    assert window.top == max(received, default=0)


def test_the_window_forgets_what_left_it() -> None:
    window = NEW_WINDOW.received(1).received(SIZE)
    assert not window.is_new(1)
    window = window.received(SIZE + 1)
    assert not window.is_new(1)  # too old to tell
    assert window.seen < 1 << SIZE


@given(st.integers(0, 2**40), st.integers(-SIZE + 1, 2**31))
def test_a2_the_upper_half_is_inferred(top: int, distance: int) -> None:
    number = top + distance
    if number <= 0:
        return
    assert Window(top, 1).whole(number % 2**32, esn=True) == number


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_without_esn_a_number_is_what_it_says(top: int, low: int) -> None:
    assert Window(top, 1).whole(low, esn=False) == low
