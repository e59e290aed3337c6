"""The inputs of a corpus that reach what the scenes' own messages don't, the short ones first.

What is reached is counted in steps from line to line, with Python's own tracing. The result is one line of hexadecimal
for each input.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import ikeref
from tests.fuzz.campaign import CORPUS, kept
from tests.fuzz.engines import load
from tests.fuzz.harness import Finding, Harness

_SOURCE = str(Path(ikeref.__file__).parent)
Arc = tuple[CodeType, int, int]


def minimise(folder: Path, largest: int = 1000) -> int:
    """Write the corpus of the repository anew, from that of a campaign's folder; how many inputs are in it.

    Inputs above `largest` octets are left out.
    """
    harness = Harness()
    reached: set[Arc] = set()
    for octets in harness.seeds():
        reached |= arcs(lambda octets=octets: _run(harness, octets))  # type: ignore[misc]
    chosen = []
    for octets in sorted({*kept(), *load(folder / "corpus")}, key=lambda each: (len(each), each)):
        if len(octets) <= largest:
            fresh = arcs(lambda octets=octets: _run(harness, octets)) - reached  # type: ignore[misc]
            if fresh:
                reached |= fresh
                chosen.append(octets)
    CORPUS.write_text("".join(f"{octets.hex()}\n" for octets in chosen), "ascii")
    return len(chosen)


def _run(harness: Harness, octets: bytes) -> None:
    try:
        harness.run(octets)
    except Finding:
        return


def arcs(act: Callable[[], None]) -> set[Arc]:
    """The steps from line to line in ikeref's code while something is done."""
    found: set[Arc] = set()

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_SOURCE):
            return None
        before = 0

        def step(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal before
            if event == "line":
                found.add((code, before, frame.f_lineno))
                before = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        act()
    finally:
        sys.settrace(None)
    return found
