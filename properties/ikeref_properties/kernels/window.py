"""Message IDs and retransmission (`ikeref.sa.window`, Sections 2.1 to 2.4)."""

from itertools import pairwise
from typing import Any

from ikeref_properties.kernels.checks import Check
from ikeref_properties.kernels.logic import eq, every, lt, no, same, some
from ikeref_properties.kernels.paths import Run

_MODULE = "ikeref.sa.window"
_LAST = 2**32 - 1


def checks(requests: int, tries: int) -> tuple[Check, ...]:
    """At most so many requests in a row, and so many transmissions of one."""

    def processed_once(run: Run, kernel: Any) -> object:
        expected = first = run.number("first", 0, _LAST)
        processed: list[int] = []
        seen = []
        for n in range(requests):
            message_id = run.number(f"request{n}", 0, _LAST)
            position = kernel.request_position(message_id, expected)
            seen.append(position)
            known = some(eq(message_id, earlier) for earlier in processed)
            last = eq(message_id, processed[-1]) if processed else eq(message_id, first - 1)
            if position == kernel.Position.NEW:
                run.require(no(known), "no message ID is processed twice")
                run.require(eq(message_id, first + len(processed)), "requests are processed in order, without a gap")
                processed.append(message_id)
                expected = expected + 1
            elif position == kernel.Position.AGAIN:
                run.require(last, "the response that is sent again is that to this message ID")
            else:
                due = eq(message_id, first + len(processed))
                run.require(no(last), "a retransmission of the last request is recognised")
                run.require(no(due), "the next request is processed")
        return seen

    def answered_by_its_own(run: Run, kernel: Any) -> object:
        message_id = run.number("response", 0, _LAST)
        waits = run.choice("outstanding?", (True, False))
        outstanding = run.number("request", 0, _LAST) if waits else None
        accepted = kernel.answers(message_id, outstanding)
        belongs = outstanding is not None and eq(message_id, outstanding)
        run.require(same(accepted, belongs), "a response is accepted if and only if its request is unanswered")
        return accepted

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
            "of any requests each is processed once, in order, without a gap; the last one's response is sent again",
            f"{requests} requests, all 32 bits",
            ("7296-2.1-04", "7296-2.1-08", "7296-2.3-16"),
            processed_once,
        ),
        Check(
            "answers",
            _MODULE,
            "a response is accepted if and only if the request that it answers is outstanding",
            "all 32 bits",
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


def _same(value: Any) -> Any:
    """In the place of `float`, which proxies can't become."""
    return value
