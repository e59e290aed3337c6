"""Message IDs and retransmission (`ikeref.sa.window`, Sections 2.1 to 2.4)."""

from itertools import pairwise
from typing import Any

from ikeref_properties.kernels.checks import Check
from ikeref_properties.kernels.logic import Formula, eq, every, le, lt, no, same, some
from ikeref_properties.kernels.paths import Run

_MODULE = "ikeref.sa.window"
_LAST = 2**32 - 1
WINDOWS = (1, 2, 4)


def checks(requests: int, tries: int) -> tuple[Check, ...]:
    """At most so many requests in a row, and so many transmissions of one."""

    def processed_once(run: Run, kernel: Any) -> object:
        size = run.choice("window", WINDOWS)
        expected = first = run.number("first", 0, _LAST)
        answered: tuple[int, ...] = ()
        processed: list[int] = []
        seen = []
        for n in range(requests):
            message_id = run.number(f"request{n}", 0, _LAST)
            position = kernel.request_position(message_id, expected, size, answered)
            seen.append(position)
            known = some(eq(message_id, earlier) for earlier in processed)
            asked = every((known, *(lt(other, message_id + size) for other in processed)))
            due = every((no(known), le(first, message_id), _all_before(first, message_id - size, processed)))
            if position == kernel.Position.NEW:
                run.require(no(known), "no message ID is processed twice")
                run.require(due, "a request is processed only if all that are a window before it were")
                processed.append(message_id)
                answered = kernel.kept(answered, message_id, size)
                expected = kernel.next_expected(expected, answered)
            elif position == kernel.Position.AGAIN:
                run.require(known, "a response is sent again only to a request that was answered")
            else:
                run.require(no(asked), "a retransmission is recognised while its response may still be asked for")
                run.require(no(due), "a request within the window is processed")
        return seen

    def within_the_window(run: Run, kernel: Any) -> object:
        size = run.choice("window", WINDOWS)
        count = run.choice("outstanding?", tuple(range(size + 1)))
        outstanding = tuple(run.number(f"request{n}", 0, _LAST) for n in range(count))
        following = run.number("next", 0, _LAST + 1)
        room = kernel.has_room(following, outstanding, size)
        told = every(lt(following, each + size) for each in outstanding)
        run.require(same(room, told), "request X is sent only when all up to X - size have been answered")
        return room

    def never_shrinks(run: Run, kernel: Any) -> object:
        size, announced = run.number("size", 1, _LAST), run.number("announced", 0, _LAST)
        after = kernel.widened(size, announced)
        run.require(every((le(size, after), le(announced, after))), "as large as before, and as announced")
        run.require(some((eq(after, size), eq(after, announced))), "and no larger")
        return after

    def answered_by_its_own(run: Run, kernel: Any) -> object:
        message_id = run.number("response", 0, _LAST)
        count = run.choice("outstanding?", (0, 1, 2))
        outstanding = tuple(run.number(f"request{n}", 0, _LAST) for n in range(count))
        place = kernel.answered_by(message_id, outstanding)
        if place < 0:
            run.require(no(some(eq(message_id, each) for each in outstanding)), "the response to a request is accepted")
        else:
            run.require(eq(message_id, outstanding[place]), "a response is taken for that to its own request")
        return place

    def never_wraps(run: Run, kernel: Any) -> object:
        following = run.number("next", 0, 2**40)
        spent = kernel.exhausted(following)
        run.require(
            same(spent, lt(_LAST, following)), "exhausted if and only if 32 bits can't hold the next message ID"
        )
        return spent

    def grows(run: Run, kernel: Any) -> object:
        initial, base = run.real("initial"), run.real("base")
        run.assume(every((lt(0, initial), lt(1, base))))
        waits = [kernel.wait(n, initial, base) for n in range(1, tries + 1)]
        run.require(eq(waits[0], initial), "the first wait is the initial one")
        for earlier, later in pairwise(waits):
            run.require(eq(later, earlier * base), "each wait is the one before times the base")
        run.require(eq(kernel.patience(initial, base, tries - 1), sum(waits)), "patience is the sum of the waits")
        return waits

    return (
        Check(
            "request_position",
            _MODULE,
            "of requests in any order each is processed once, none beyond the window; kept responses go again",
            f"{requests} requests, windows 1, 2 and 4, all 32 bits",
            ("7296-2.1-04", "7296-2.1-08", "7296-2.3-11", "7296-2.3-12", "7296-2.3-16"),
            processed_once,
        ),
        Check(
            "has_room",
            _MODULE,
            "request X waits until all up to X - size have been answered",
            "windows 1, 2 and 4, all 32 bits",
            ("7296-2.3-08", "7296-2.3-09"),
            within_the_window,
        ),
        Check(
            "widened",
            _MODULE,
            "a window never shrinks",
            "all 32 bits",
            ("7296-2.3-13",),
            never_shrinks,
        ),
        Check(
            "answered_by",
            _MODULE,
            "a response is accepted if and only if the request that it answers is outstanding",
            "2 requests, all 32 bits",
            ("7296-2.2-06",),
            answered_by_its_own,
        ),
        Check(
            "exhausted",
            _MODULE,
            "an IKE SA is exhausted exactly when the next message ID does not fit in 32 bits",
            "0 to 2^40",
            ("7296-2.2-10",),
            never_wraps,
        ),
        Check(
            "wait, patience",
            _MODULE,
            "waits grow exponentially, and patience is their sum",
            f"{tries} transmissions, real numbers",
            ("7296-2.4-15",),
            grows,
            {"float": _same},
        ),
    )


def _all_before(first: int, last: int, processed: list[int]) -> Formula:
    """Whether all message IDs from `first` to `last` were processed."""
    numbers = [first + n for n in range(len(processed) + 1)]
    return every(some((lt(last, number), *(eq(number, each) for each in processed))) for number in numbers)


def _same(value: Any) -> Any:
    """In the place of `float`, which proxies can't become."""
    return value
