"""Running the checks behind the claims, and what was reached.

Proofs, sentences and the two questions about the rows take seconds and are always run. Searches, kernels and tests
take minutes and are run when asked; else their committed claim stands, marked as not run now.
"""

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from ikeref_model.explore import Schedule
from ikeref_model.tables import ROWS
from ikeref_model.terms import text

from ikeref_properties import kernels, proofs
from ikeref_properties.claims import CLAIMS, NOT_YET, STRENGTH, TESTED, Part, Property, Reference
from ikeref_properties.claims.references import EXPLORED, RUNNERS, checks_of, problem
from ikeref_properties.kernels import KernelVerdict, schedule
from ikeref_properties.proofs import Verdict, searches, single
from ikeref_properties.proofs.sentences import BY_ID as SENTENCES

REFUTED = "refuted"
QUICK = ("proof", "sentence", "rows")
"""Kinds of checks that take seconds."""
CODE_ENGINE = "z3 on the shipped code"
WORKERS = 2
FEW = 2
"""So many checks that take long are not worth a process of their own."""
TEST_ENGINES = {"test": "pytest", "invariant": "Hypothesis", "explored": "breadth-first search of the code"}


class Evidence(NamedTuple):
    """What one check says."""

    reference: Reference
    claim: str
    """One of the claims, or `refuted`."""
    engine: str
    size: str
    seconds: float
    certificate: str
    bound: str
    """What it is about; the reason where it is refuted."""
    ran: bool
    """Whether it was run now; if not, the claim is that of the committed table."""


class Established(NamedTuple):
    """How far one part was established."""

    part: Part
    evidence: tuple[Evidence, ...]

    @property
    def claim(self) -> str:
        """The weakest claim of its checks."""
        claims = [each.claim for each in self.evidence]
        if REFUTED in claims:
            return REFUTED
        return min(claims, key=CLAIMS.index) if claims else NOT_YET

    @property
    def good(self) -> bool:
        """Whether the claim that it must reach is reached."""
        return self.claim != REFUTED and CLAIMS.index(self.claim) >= CLAIMS.index(self.part.claim)


class Options(NamedTuple):
    """What is run."""

    everything: bool = False
    anew: bool = False
    """Find invariants anew instead of checking the committed ones."""
    root: Path | None = None
    """Where the tests are."""


def establish(
    wanted: Iterable[Property],
    options: Options,
    watch: Callable[[str], None] | None = None,
) -> dict[int, tuple[Established, ...]]:
    """What was reached of each part of these properties, by number. `watch` is told what is being run."""
    listed = tuple(wanted)
    references = list(dict.fromkeys(each for one in listed for part in one.parts for each in part.checks))
    known: dict[Reference, Evidence] = {}
    if options.everything and options.root is not None:
        if watch:
            watch("the tests")
        known |= _tests([each for each in references if each.kind in ("test", *RUNNERS)], options.root)
    long = [each for each in references if takes_long(each, options)]
    if len(long) > FEW:
        if watch:
            watch(f"{len(long)} proofs and searches, {WORKERS} at a time")
        known |= side_by_side(long, options)
    for reference in references:
        if reference not in known:
            if watch:
                watch(str(reference))
            known[reference] = judge(reference, options)
    return {
        one.id: tuple(Established(part, tuple(known[each] for each in part.checks)) for part in one.parts)
        for one in listed
    }


def takes_long(reference: Reference, options: Options) -> bool:
    """Whether it is a certificate, or a search that is to be run."""
    search = reference.kind == "search" and options.everything
    return search or (reference.kind == "proof" and reference.name in proofs.BY_ID)


def side_by_side(references: Iterable[Reference], options: Options) -> dict[Reference, Evidence]:
    """What these checks say, run in processes of their own; nothing where there are none to be had."""
    names = list(proofs.BY_ID)
    # The systems get larger towards the end of the list; who begins with them is not left waiting for one.
    listed = sorted(references, key=lambda each: -names.index(each.name) if each.name in names else 1)
    try:
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            found = pool.map(partial(judge, options=options), listed)
            return dict(zip(listed, found, strict=True))
    except (OSError, NotImplementedError, ImportError, BrokenProcessPool):
        return {}


def judge(reference: Reference, options: Options) -> Evidence:
    """What one check says; it is run if it is quick, or if everything is wanted."""
    match reference.kind:
        case "proof":
            return _of(reference, _proof(reference.name, options.anew))
        case "sentence":
            return _of(reference, single.sentence(SENTENCES[reference.name]))
        case "rows":
            questions = {
                "total": single.total,
                "deterministic": single.deterministic,
                "consistent": single.consistent,
            }
            return _of(reference, questions[reference.name]())
        case "search" if options.everything:
            return _of(reference, searches.run(searches.BY_ID[reference.name]))
        case "kernel" if options.everything:
            return _kernel(reference)
        case _:
            return _committed(reference, options.root)


def _proof(name: str, anew: bool) -> Verdict:
    if name in proofs.LEMMAS:
        return proofs.LEMMAS[name](ROWS)
    statement = proofs.BY_ID[name]
    if not anew:
        try:
            return proofs.verify(statement, proofs.committed(statement))
        except (OSError, ValueError) as error:
            why = f"its certificate can't be read: {type(error).__name__}"
            return Verdict(name, statement.title, statement.section, "rows", REFUTED, proofs.ENGINE, "", 0.0, "", why)
    started = time.perf_counter()
    found = proofs.certificate(statement)
    if isinstance(found, Schedule):
        seconds = time.perf_counter() - started
        return Verdict(
            name, statement.title, statement.section, "rows", REFUTED, proofs.ENGINE, "", seconds, "", found.text()
        )
    verdict = proofs.verify(statement, found)
    return verdict._replace(seconds=time.perf_counter() - started, certificate="found anew")


def _of(reference: Reference, verdict: Verdict) -> Evidence:
    return Evidence(
        reference,
        verdict.claim,
        verdict.engine,
        verdict.size,
        verdict.seconds,
        verdict.certificate,
        verdict.bounds,
        True,
    )


def _kernel(reference: Reference) -> Evidence:
    verdicts: list[KernelVerdict] = [kernels.run(each) for each in checks_of(reference.name)]
    if not verdicts:
        verdicts = [schedule.every_suite()]
    broken = next((each for each in verdicts if each.claim not in ("all paths", "exhaustive", "tested")), None)
    weakest = TESTED if any(each.claim == "tested" for each in verdicts) else STRENGTH["kernel"]
    return Evidence(
        reference,
        REFUTED if broken else weakest,
        CODE_ENGINE,
        f"{sum(each.paths for each in verdicts)} paths",
        sum(each.seconds for each in verdicts),
        "",
        broken.counterexample if broken else "; ".join(dict.fromkeys(each.bound for each in verdicts)),
        True,
    )


def _committed(reference: Reference, root: Path | None) -> Evidence:
    engine = {
        "search": searches.ENGINE,
        "kernel": CODE_ENGINE,
        **TEST_ENGINES,
    }[reference.kind]
    why = problem(reference, root) if root is not None else ""
    claim = REFUTED if why else STRENGTH[reference.kind]
    return Evidence(reference, claim, engine, "", 0.0, "", why or _bound(reference), False)


def _bound(reference: Reference) -> str:
    match reference.kind:
        case "search" if reference.name in searches.BY_ID:
            return searches.BY_ID[reference.name].bounds
        case "explored":
            return EXPLORED
        case "kernel":
            return "; ".join(dict.fromkeys(each.bound for each in checks_of(reference.name)))
        case _:
            return ""


def _tests(references: list[Reference], root: Path) -> dict[Reference, Evidence]:
    """Tests are run by pytest, all at once; an invariant by the machines that judge by it."""
    runners = {kind: Reference(*name.split(":", 1)) for kind, name in RUNNERS.items()}
    wanted = list(dict.fromkeys(runners.get(each.kind, each) for each in references))
    missing = {each: why for each in wanted if (why := problem(each, root))}
    outcomes = _pytest([each.name for each in wanted if each not in missing], root)
    found = {}
    for each in references:
        run = runners.get(each.kind, each)
        why = missing.get(run) or problem(each, root)
        passed, failed, seconds = outcomes.get(run.name, (0, 0, 0.0))
        if not why and (failed or not passed):
            why = f"{failed} failed" if failed else "nothing was run"
        size = f"{passed} test{'s' if passed != 1 else ''}"
        claim = REFUTED if why else STRENGTH[each.kind]
        found[each] = Evidence(each, claim, TEST_ENGINES[each.kind], size, seconds, "", why or _bound(each), True)
    return found


def _pytest(names: list[str], root: Path) -> dict[str, tuple[int, int, float]]:
    """How many cases of each test passed and failed, and their seconds."""
    if not names:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *names]
        subprocess.run(command, cwd=root, check=False, capture_output=True)
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    found: dict[str, tuple[int, int, float]] = {}
    for case in cases:
        path = f"{(case.get('classname') or '').replace('.', '/')}.py"
        name = f"{path}::{(case.get('name') or '').partition('[')[0]}"
        bad = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped") is not None
        passed, failed, seconds = found.get(name, (0, 0, 0.0))
        found[name] = passed + (not bad and not skipped), failed + bad, seconds + float(case.get("time") or 0)
    return found


def formula(reference: Reference) -> str:
    """The property behind a check, in the model's variables; "" where it is no formula."""
    match reference.kind:
        case "sentence":
            one = SENTENCES[reference.name]
            words = [f"on {one.on.text()}", f"when {text(one.when)}"]
            if one.never:
                words.append("no row")
            if one.only is not None:
                words.append(f"only {' or '.join(sorted(each.text() for each in one.only))}")
            if one.some:
                words.append(f"possible: {' or '.join(sorted(each.text() for each in one.some))}")
            if text(one.after) != "always":
                given = " or ".join(sorted(each.text() for each in one.if_answered))
                words.append(f"afterwards{f', if {given},' if given else ''} {text(one.after)}")
            if one.unchanged:
                unchanged = ", ".join("everything" if each == "*" else each.rstrip(".") for each in one.unchanged)
                words.append(f"unchanged: {unchanged}")
            return "; ".join(words)
        case "proof" if reference.name in proofs.BY_ID:
            safe = proofs.BY_ID[reference.name].safe
            return f"{safe.__module__}.{safe.__name__}"
        case _:
            return ""
