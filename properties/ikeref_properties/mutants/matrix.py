"""Every fault against every check, each fault in a process of its own; and the committed table of what came of it.

`matrix.json` keeps, by fault, what finds it. An entry is for one content: the fault's own words and the source of the
functions that it changes. `stale` tells which entries are of another one.
"""

import hashlib
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ikeref_properties.claims import properties
from ikeref_properties.claims.references import checkout
from ikeref_properties.mutants import MUTANTS, Mutant, seeded
from ikeref_properties.mutants.checks import Kill, cheap_tests, collect, explored, of_kernels, tests, walks
from ikeref_properties.mutants.seeding import source_of

TABLE = Path(__file__).with_name("matrix.json")
LIMIT = 600.0
"""Seconds for one fault on a busy machine: what takes longer is given up, and what was found by then counts."""

MEMORY = 2 << 30
"""Octets for one fault, beside those of the process that tries it."""


class Entry(NamedTuple):
    """What became of a fault."""

    fault: str
    key: str
    kills: tuple[Kill, ...]
    """In the order in which they were found."""
    seconds: float

    @property
    def checks(self) -> frozenset[str]:
        """What finds it."""
        return frozenset(each.check for each in self.kills)


def key_of(fault: Mutant) -> str:
    """The content that an entry is for."""
    return hashlib.sha256(repr((fault.edits, [source_of(each) for each in fault.edits])).encode()).hexdigest()[:16]


def load() -> dict[str, Entry]:
    """The committed table."""
    if not TABLE.exists():
        return {}
    data = json.loads(TABLE.read_text("utf-8"))
    return {
        name: Entry(name, one["key"], tuple(Kill(*kill) for kill in one["kills"]), one["seconds"])
        for name, one in data.items()
    }


def save(entries: dict[str, Entry]) -> None:
    """Write the table, in the order of the faults."""
    data = {
        fault.name: {
            "key": entries[fault.name].key,
            "seconds": round(entries[fault.name].seconds, 1),
            "kills": [[kill.check, kill.how, round(kill.seconds, 3)] for kill in entries[fault.name].kills],
        }
        for fault in MUTANTS
        if fault.name in entries
    }
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in data.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def stale(entries: dict[str, Entry]) -> list[Mutant]:
    """Faults without an entry for their present content."""
    return [each for each in MUTANTS if each.name not in entries or entries[each.name].key != key_of(each)]


# Trying


def attempt(fault: Mutant | None, names: list[str], root: Path, tell: Callable[[list[Kill]], object]) -> None:
    """All checks on one fault (on none: the code as it is), each kind told as it comes."""
    with seeded(fault):
        found = walks()
        tell(found)
        if not found:
            tell(explored())
        failed = tests(names, root, first=False)
        tell(failed)
        if fault is not None and not found and not failed:
            tell(walks(30.0, deep=True))
    if fault is not None:
        tell(of_kernels(fault))


def apart(
    fault: Mutant | None,
    names: list[str],
    root: Path,
    limit: float = LIMIT,
    *,
    tests_alone: bool = False,
    first: bool = False,
) -> list[Kill]:
    """The same in a process of its own, for so many seconds at most.

    Raises RuntimeError where that process ends early without a fault: that it found nothing would say nothing.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(fault, names, root, sender, tests_alone, first))
    process.start()
    sender.close()
    kills: list[Kill] = []
    deadline = time.monotonic() + limit
    while receiver.poll(max(0.0, deadline - time.monotonic())):
        try:
            kills += receiver.recv()
        except EOFError:
            break
    else:
        process.kill()
    process.join()
    if fault is None and process.exitcode:
        raise RuntimeError(f"the tests without a fault did not come to an end: exit status {process.exitcode}")
    return kills


def _work(fault: Mutant | None, names: list[str], root: Path, sender: Any, tests_alone: bool, first: bool) -> None:
    limit = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (it lasts as long as the process)
    if tests_alone:
        with seeded(fault):
            sender.send(tests(names, root, first=first))
    else:
        attempt(fault, names, root, sender.send)
    sender.close()


def _address_space() -> int:
    """Octets that this process has mapped: those of the process that it was forked from."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()


def run(faults: Iterable[Mutant], processes: int = 1) -> Iterator[Entry]:
    """The faults one after the other, or several at a time; entries as they come."""
    root = checkout()
    if root is None:
        raise FileNotFoundError("the tests are not there: run this from a checkout")
    names = cheap_tests()
    collect(names, root)
    waiting = list(faults)
    if processes == 1:
        yield from (_entry(each, names, root) for each in waiting)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(processes) as pool:
        yield from pool.map(lambda each: _entry(each, names, root), waiting)


def _entry(fault: Mutant, names: list[str], root: Path) -> Entry:
    started = time.monotonic()
    kills = apart(fault, names, root)
    return Entry(fault.name, key_of(fault), tuple(kills), time.monotonic() - started)


# Properties


def served() -> dict[str, frozenset[int]]:
    """Which properties a check serves, among the claims about the code."""
    found: dict[str, set[int]] = {}
    for each in properties():
        for part in each.parts:
            if part.subject == "code":
                for check in part.checks:
                    found.setdefault(str(check), set()).add(each.id)
    return {check: frozenset(ids) for check, ids in found.items()}


def killers(entry: Entry) -> frozenset[int]:
    """The properties that find a fault."""
    serves = served()
    return frozenset().union(*(serves.get(each, frozenset()) for each in entry.checks))
