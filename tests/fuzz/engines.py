"""What makes inputs: chance alone, or coverage of ikeref's code as libFuzzer sees it (by atheris).

A run of either is a process of its own, so that memory and instrumentation end with it, and prints its account as one
line of JSON. Run by `tests.fuzz.campaign`:

    python -m tests.fuzz.engines random COUNT SEED FOLDER [TARGET]
    python -m tests.fuzz.engines coverage COUNT SEED FOLDER [TARGET]

FOLDER holds `corpus/` (inputs that reached something new) and `findings/`.
"""

import gc
import hashlib
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

LONGEST = 4096
"""Octets of an input at most."""


class Account(NamedTuple):
    """What a run has done."""

    inputs: int
    seconds: float
    seen: dict[str, int]
    findings: dict[str, int]
    """What did not hold, and how often; the first input of each is in the folder."""
    slowest: float
    """Seconds of processor time that one input took at most."""
    resident: int = 0
    """Octets of memory that the process had at most."""


class Runner:
    """Runs inputs, and keeps account of them and of those that find something."""

    def __init__(self, folder: Path, target: str) -> None:
        from tests.fuzz.harness import Finding, Harness  # not before instrumentation
        from tests.fuzz.inputs import build

        self.build = build
        self.finding = Finding
        self.harness = Harness(target)
        self.folder = folder
        self.inputs = 0
        self.findings: Counter[str] = Counter()
        self.slowest = 0.0
        self.began = time.monotonic()

    def run(self, what: Any) -> None:
        """One input, taken apart."""
        self.inputs += 1
        before = time.process_time()
        try:
            self.harness.happen(what)
        except self.finding as finding:
            self._note(str(finding), self.build(what))
        spent = time.process_time() - before
        if spent > self.slowest:
            self.slowest = spent
            (self.folder / "slowest").write_bytes(self.build(what))

    def _note(self, what: str, octets: bytes) -> None:
        if not self.findings[what]:
            folder = self.folder / "findings"
            folder.mkdir(exist_ok=True)
            name = hashlib.sha256(octets).hexdigest()[:12]
            (folder / f"{name}.hex").write_text(f"{octets.hex()}\n{what}\n", "utf-8")
        self.findings[what] += 1

    def account(self) -> Account:
        """What has been done so far."""
        seconds = time.monotonic() - self.began
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Account(self.inputs, seconds, dict(self.harness.seen), dict(self.findings), self.slowest, resident)


def load(folder: Path) -> tuple[bytes, ...]:
    """The inputs in a folder, in the order of their names."""
    return tuple(path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file())


def by_chance(count: int, seed: int, folder: Path, target: str) -> Account:
    """Change seeds, and what coverage has found, at random."""
    runner = Runner(folder, target)
    from tests.fuzz.harness import random_change
    from tests.fuzz.inputs import parse

    corpus = [parse(octets) for octets in (*runner.harness.seeds(), *load(folder / "corpus"))]
    rng = Random(seed)
    gc.freeze()
    for _ in range(count):
        runner.run(random_change(runner.harness, rng, corpus[int(rng.random() * len(corpus))]))
    return runner.account()


def by_coverage(count: int, seed: int, folder: Path, target: str) -> None:
    """Let libFuzzer choose what to change; our own changes, which know the structure, beside its own. Never returns."""
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with atheris.instrument_imports(include=["ikeref"], exclude=["ikeref_properties", "ikeref_model"]):
        runner = Runner(folder, target)
    from tests.fuzz.inputs import changed, parse

    corpus = folder / "corpus"
    for octets in runner.harness.seeds():
        (corpus / hashlib.sha1(octets, usedforsecurity=False).hexdigest()).write_bytes(octets[:LONGEST])

    def one(octets: bytes) -> None:
        runner.run(parse(octets))
        if runner.inputs >= count:
            _say(runner.account())
            os._exit(0)

    def change(octets: bytes, longest: int, number: int) -> bytes:
        rng = Random(number)
        if rng.random() < 0.2:
            mutated: bytes = atheris.Mutate(octets, longest)
            return mutated
        for _ in range(1 + int(rng.random() * 3)):
            octets = changed(octets, rng, len(runner.harness.scenes))
        return octets[:longest]

    options = [f"-seed={seed}", f"-max_len={LONGEST}", "-len_control=0", "-timeout=30", "-rss_limit_mb=2048"]
    options += [f"-artifact_prefix={folder}/findings/", "-print_final_stats=1", "-verbosity=1"]
    setup: Callable[..., Any] = atheris.Setup
    setup(["fuzz", *options, str(corpus)], one, custom_mutator=change)
    atheris.Fuzz()


def _say(account: Account) -> None:
    print(json.dumps(account._asdict()), flush=True)


def main(arguments: list[str]) -> None:
    """Do as asked."""
    engine, count, seed, folder = arguments[0], int(arguments[1]), int(arguments[2]), Path(arguments[3])
    target = arguments[4] if len(arguments) > 4 else "all"
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    (folder / "findings").mkdir(exist_ok=True)
    if engine == "coverage":
        by_coverage(count, seed, folder, target)
    else:
        _say(by_chance(count, seed, folder, target))


if __name__ == "__main__":
    main(sys.argv[1:])
