"""What is proved of the rows: each certificate is checked again before anybody says so.

The proofs are in `ikeref_properties.proofs`. Checking takes a second or two for each of them, so they are checked in
processes of their own while the tour runs.
"""

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import NamedTuple

from ikeref_properties import proofs
from ikeref_properties.proofs import lemma


class Proved(NamedTuple):
    """One claim about the rows, and whether its certificate stood up to being checked again."""

    name: str
    section: str
    claim: str
    """`proved`, `refuted`, or `unknown` where there is no certificate to check."""
    evidence: str
    """How: `259 clauses, 184 steps`."""
    about: str
    """Of what system it speaks, and within which bounds; where it is not proved, why."""


WORKERS = 2


class Recheck:
    """The checks under way. `result` waits for them."""

    def __init__(self) -> None:
        jobs: list[tuple[Callable[..., Proved], tuple[str, ...]]] = [(check_lemma, ())]
        jobs += [(check, (statement.id,)) for statement in proofs.STATEMENTS]
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self._futures: list[Future[Proved]] = []
        try:
            self._pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
            self._futures = [self._pool.submit(job, *arguments) for job, arguments in jobs]
        except (OSError, NotImplementedError, ImportError):
            self._pool = None  # no processes to be had: in turn, then

    def result(self) -> tuple[Proved, ...]:
        """All claims in order."""
        if self._pool is not None:
            try:
                with self._pool:
                    return tuple(future.result() for future in self._futures)
            except (BrokenProcessPool, OSError):
                pass
        return tuple(job(*arguments) for job, arguments in self._jobs)


def check_lemma() -> Proved:
    """The lemma that justifies the model of the network, proved anew."""
    return _of(lemma.prove())


def check(statement: str) -> Proved:
    """One certificate."""
    chosen = proofs.BY_ID[statement]
    try:
        return _of(proofs.verify(chosen, proofs.committed(chosen)))
    except (OSError, ValueError) as error:
        why = f"its certificate can't be read: {type(error).__name__}"
        return Proved(chosen.title, chosen.section, "unknown", "no certificate", why)


def _of(verdict: proofs.Verdict) -> Proved:
    return Proved(verdict.title, verdict.section, verdict.claim, verdict.size, verdict.bounds)
