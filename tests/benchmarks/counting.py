"""What a handshake costs, counted: the bytecode instructions that Python runs for it.

A count is the same on every machine, however busy. It says less than a time, for instructions differ in what they cost,
but it says at once when something is done twice, or for every message instead of once.
"""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.benchmarks import workloads

OPCODES = {(3, 11): 27_200}
"""Of one handshake, both sides, by version of Python: other versions have other instructions."""
TOLERANCE = 0.05
"""How much more it may be, for something that is worth it; write down a new figure then."""

_APART = ("/site-packages/", "/tests/")
"""What is no part of the protocol: the cryptography package, and who counts."""


def opcodes(work: Callable[[], object]) -> Counter[str]:
    """How many instructions each function runs in `work`, by file and name."""
    counted: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        code = frame.f_code
        if any(part in code.co_filename for part in _APART):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            counted[f"{code.co_filename}::{code.co_qualname}"] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


def handshake() -> Counter[str]:
    """Of one handshake between two endpoints that have had some already, for caches to be warm."""
    a, b = workloads.ends()
    for _ in range(3):
        workloads.handshake(a, b)
    return opcodes(lambda: workloads.handshake(a, b))


def judge(counted: Counter[str]) -> str:
    """What to say of a count that is too high; nothing if it is not, or if this version of Python has no figure."""
    total, known = counted.total(), OPCODES.get(sys.version_info[:2])
    if known is None or total <= known * (1 + TOLERANCE):
        return ""
    most = "".join(f"\n{count:6} {name}" for name, count in counted.most_common(25))
    return (
        f"a handshake takes {total} instructions, {total / known - 1:.0%} more than the {known} that "
        f"tests/benchmarks/counting.py knows. Do less, or write the new figure there if it is worth it.{most}"
    )


if __name__ == "__main__":
    found = handshake()
    print(f"{found.total()} instructions")
    for function, instructions in found.most_common():
        print(f"{instructions:6} {function}")
