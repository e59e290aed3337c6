"""What a check is, and what it says when it has run."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from ikeref_properties.kernels.paths import Inconclusive, Run, Violation, explore
from ikeref_properties.kernels.source import load

Claim = Literal["all paths", "exhaustive", "tested", "violated", "inconclusive"]
"""All paths: z3 judged every path, for every input within the bound. Exhaustive: every input was run. Tested: the
limit came first, or samples were run."""


class Check(NamedTuple):
    """One property of one kernel, on proxies."""

    kernel: str
    """Functions, behind their module."""
    module: str
    property: str
    bound: str
    """What the inputs range over."""
    requirements: tuple[str, ...]
    body: Callable[[Run, Any], object]
    """Called with the run and the module."""
    names: Mapping[str, Any] = {}
    """What proxies need in the module's namespace (`source.load`)."""
    contracts: Callable[[Run], Mapping[str, Any]] | None = None
    """Formulas in the place of functions that other checks judge."""


class KernelVerdict(NamedTuple):
    """What a check found."""

    kernel: str
    property: str
    bound: str
    paths: int
    seconds: float
    """Of one core."""
    claim: Claim
    requirements: tuple[str, ...]
    counterexample: str = ""
    """What should have been, and inputs for which it is not; those that are zero or empty are left out."""


def run(check: Check, *, old: str = "", new: str = "", limit: int = 100_000, seconds: float = 600.0) -> KernelVerdict:
    """Judge the shipped module; or, with `old` replaced by `new` in its source, a faulty copy of it."""
    start = time.process_time()
    contracts, names = check.contracts, check.names or None
    module = load(check.module, old=old, new=new, names=(names or {}) if contracts else names)

    def body(path: Run) -> object:
        if contracts:
            vars(module).update(contracts(path))
        return check.body(path, module)

    try:
        outcome = explore(body, limit=limit, deadline=time.monotonic() + seconds)
    except Inconclusive as error:
        return _verdict(check, 0, start, "inconclusive", str(error))
    if outcome.violation:
        return _verdict(check, outcome.paths, start, "violated", _told(outcome.violation))
    claim: Claim = "all paths" if outcome.complete else "tested"
    return _verdict(check, outcome.paths, start, claim, "")


def _verdict(check: Check, paths: int, start: float, claim: Claim, counterexample: str) -> KernelVerdict:
    return KernelVerdict(
        f"{check.module}.{check.kernel}",
        check.property,
        check.bound,
        paths,
        time.process_time() - start,
        claim,
        check.requirements,
        counterexample,
    )


def _told(violation: Violation) -> str:
    inputs = ", ".join(f"{name}={_plain(value)}" for name, value in violation.inputs.items() if _says_something(value))
    return f"{violation.message}: {inputs or 'all zero'}"


def _says_something(value: object) -> bool:
    return any(value) if isinstance(value, bytes) else bool(value)


def _plain(value: object) -> str:
    match value:
        case bytes():
            return value.hex()
        case tuple():
            return "+".join(map(str, value))
    return str(value)
