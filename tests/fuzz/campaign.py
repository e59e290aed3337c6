"""Many runs of the engines one after another, and the account of all of them.

Runs alternate: coverage finds inputs that reach something new, chance changes these many times over. Each run is noted
in `journal.jsonl` of the folder; a campaign that is begun again goes on where it was.
"""

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TARGETS = ("all", "eap-tls")
"""Which states: those that are values, or those amid EAP-TLS, which cost a hundred times as much."""
RUN = 200_000
"""Inputs of one run."""
ENGINES = ("coverage", "random")
TURNS = ("coverage", "random", "random", "random")
"""Chance makes three times as many inputs in the same time."""
CORPUS = Path(__file__).parent / "corpus.txt"
"""Inputs that are kept in the repository, one a line: what they reach is reached by no seed."""


def journal(folder: Path) -> list[dict[str, Any]]:
    """The accounts of the runs so far."""
    path = folder / "journal.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def run(
    inputs: int,
    folder: Path,
    *,
    jobs: int = 1,
    engines: tuple[str, ...] = TURNS,
    size: int = RUN,
    target: str = "all",
) -> bool:
    """Go on until so many inputs have been run, those of earlier runs included; whether nothing was found."""
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(kept(target)):
        (folder / "corpus" / f"kept{number:05}").write_bytes(octets)
    done = journal(folder)
    total = sum(each["inputs"] for each in done)
    todo: list[tuple[str, int, int]] = []
    while total < inputs:
        number = len(done) + len(todo)
        count = min(size, inputs - total)
        todo.append((engines[number % len(engines)], count, number + 1))
        total += count
    with ThreadPoolExecutor(jobs) as pool, (folder / "journal.jsonl").open("a", encoding="utf-8") as file:
        for account in pool.map(lambda each: _one(each[0], each[1], each[2], folder, target), todo):
            file.write(json.dumps(account) + "\n")
            file.flush()
            print(_line(account), flush=True)
    return not any(each["findings"] for each in journal(folder))


def _one(engine: str, count: int, seed: int, folder: Path, target: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.fuzz.engines", engine, str(count), str(seed), str(folder), target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if line.startswith('{"inputs"')]
    if done.returncode or not said:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    account: dict[str, Any] = {"engine": engine, "seed": seed, **json.loads(said[-1])}
    reached = [line for line in done.stderr.splitlines() if " cov: " in line]
    if reached:
        account["edges"] = int(reached[-1].partition(" cov: ")[2].split()[0])
    return account


def _line(account: dict[str, Any]) -> str:
    speed = account["inputs"] / max(account["seconds"], 1e-9)
    return f"{account['engine']:8} {account['inputs']:8} inputs, {speed:6.0f} a second, findings: {account['findings']}"


def report(folder: Path) -> str:
    """What all runs have done, by engine."""
    found: Counter[str] = Counter()
    rows = []
    for engine in ENGINES:
        runs = [each for each in journal(folder) if each["engine"] == engine]
        inputs, seconds = sum(each["inputs"] for each in runs), sum(each["seconds"] for each in runs)
        seen: Counter[str] = Counter()
        for each in runs:
            seen.update(each["seen"])
            found.update(each["findings"])
        rows.append(f"{engine}: {inputs} inputs in {len(runs)} runs, {seconds / 3600:.2f} hours; " + _seen(seen))
        slowest = max((each["slowest"] for each in runs), default=0.0)
        edges = max((each.get("edges", 0) for each in runs), default=0)
        resident = max((each.get("resident", 0) for each in runs), default=0)
        rows.append(
            f"    the slowest input took {slowest * 1000:.1f} ms"
            + (f"; {edges} edges reached" if edges else "")
            + (f"; at most {resident / 1e6:.0f} MB" if resident else "")
        )
    rows.append(f"findings: {dict(found) or 'none'}")
    return "\n".join(rows)


def _seen(seen: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(seen.items()))


def kept(target: str = "all") -> tuple[bytes, ...]:
    """The inputs in the repository."""
    path = CORPUS if target == "all" else CORPUS.with_name(f"corpus_{target.replace('-', '_')}.txt")
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    return tuple(bytes.fromhex(line) for line in lines if line)
