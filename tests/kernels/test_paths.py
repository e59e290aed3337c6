"""The executor: proxies are faithful to plain values, no path is missed, and nothing is claimed that was not shown."""

from itertools import product
from typing import Any, cast

import pytest
from ikeref_properties.kernels.logic import eq, every, le, lower, lt, no, pick, same, some
from ikeref_properties.kernels.paths import Inconclusive, Run, explore
from ikeref_properties.kernels.proxies import Text

STRINGS = [bytes(octets) for size in range(4) for octets in product((0, 1, 255), repeat=size)]


def _sign(one: Any, other: Any) -> object:
    return one < other, one <= other, one > other, one >= other, one == other, one != other


def _text(run: Run, name: str, value: bytes) -> bytes:
    """Text of which the run is told what it is."""
    text = run.text(name, 0, 3)
    for i, digit in enumerate(cast(Text, text).digits):
        run.assume(eq(digit, value[i] + 1 if i < len(value) else 0))
    return text


@pytest.mark.parametrize("one", STRINGS[:14])
def test_text_compares_as_bytes_do(one: bytes) -> None:
    for other in STRINGS:
        seen: list[object] = []

        def body(run: Run, other: bytes = other, seen: list[object] = seen) -> object:
            if run.is_plain:
                return _sign(run.text("one", 0, 3), run.text("other", 0, 3))
            a, b = _text(run, "one", one), _text(run, "other", other)
            seen.append((_sign(a, b), len(a), len(b), run.value(lower(a, b))))
            return _sign(a, b)

        assert explore(body).paths == 1
        assert seen == [(_sign(one, other), len(one), len(other), one < other)]


def test_octets_compare_as_bytes_do_whatever_their_sizes() -> None:
    def body(run: Run) -> object:
        sizes = run.choice("sizes", tuple(product((0, 1, 2, 4), repeat=2)))
        return _sign(run.octets("one", sizes[0]), run.octets("other", sizes[1]))

    assert explore(body).complete


def test_numbers_compare_and_compute_as_ints_do() -> None:
    def body(run: Run) -> object:
        one, other = run.number("one", -5, 5), run.number("other", -5, 5)
        run.require(eq(one + other - other, one), "sums")
        run.require(eq(3 - one, 2 - (one - 1)), "differences")
        return one + 2 * other, max(one, other), one in (1, other), _sign(one, other), _sign(3, one)

    assert explore(body).complete


def test_every_path_is_run() -> None:
    def body(run: Run) -> object:
        value = run.number("value", 0, 100)
        return next((n for n in range(10) if value < 10 * n), 10)

    outcome = explore(body)
    assert (outcome.paths, outcome.complete) == (10, True)


def test_a_path_that_no_input_takes_is_not_run() -> None:
    def body(run: Run) -> object:
        value = run.number("value", 0, 10)
        run.assume(lt(value, 5))
        return value > 7, value > 2 and value < 3

    assert explore(body).paths == 2


def test_the_only_wrong_input_is_found() -> None:
    def body(run: Run) -> object:
        value = run.octets("value", 16)
        run.require(no(eq(value, 0xC0FFEE)), "anything else")
        return value

    violation = explore(body).violation
    assert violation is not None
    assert violation.inputs == {"value": bytes(13) + b"\xc0\xff\xee"}


def test_an_exception_of_the_kernel_is_a_violation() -> None:
    def body(run: Run) -> object:
        value = run.number("value", 0, 9)
        return (0, 1, 2)[3 if value == 7 else 0]

    violation = explore(body).violation
    assert violation is not None
    assert violation.inputs == {"value": 7}


def test_what_proxies_cannot_do_is_no_verdict() -> None:
    def body(run: Run) -> object:
        return {1: "one"}.get(run.number("value", 0, 9))

    with pytest.raises(Inconclusive, match="unhashable"):
        explore(body)


def test_proxies_that_disagree_with_plain_values_are_no_verdict() -> None:
    def body(run: Run) -> object:
        run.number("value", 0, 9)
        return run.is_plain

    with pytest.raises(Inconclusive, match="plain values"):
        explore(body)


def test_a_violation_that_plain_values_do_not_have_is_no_verdict() -> None:
    def body(run: Run) -> object:
        run.number("value", 0, 9)
        run.require(run.is_plain, "plain")
        return None

    with pytest.raises(Inconclusive, match="proxies only"):
        explore(body)


def test_what_holds_on_proxies_alone_is_no_verdict() -> None:
    def body(run: Run) -> object:
        run.number("value", 0, 9)
        run.require(not run.is_plain, "proxies")
        return None

    with pytest.raises(Inconclusive, match="hide"):
        explore(body)


def test_formulas_are_the_same_on_plain_values_and_on_terms() -> None:
    def body(run: Run) -> object:
        a, b = run.number("a", 0, 2), run.number("b", 0, 2)
        formulas = (
            le(a, b),
            lt(a, b),
            every((le(a, 1), no(eq(a, b)))),
            some((eq(a, 2), le(b, 0))),
            same(eq(a, 1), eq(b, 1)),
        )
        return run.choice("which", range(3)), a == 0, a == 1, b == 0, b == 1, formulas, pick(lt(a, b), a, b)

    assert explore(body).paths == 27
