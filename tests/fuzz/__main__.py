"""Fuzz endpoints in every state.

    python -m tests.fuzz --inputs 10000000               # both engines, in turn; goes on where it was
    python -m tests.fuzz --inputs 200000 --engine random # without atheris
    python -m tests.fuzz --target eap-tls --folder .fuzz-tls --inputs 100000
    python -m tests.fuzz --report
    python -m tests.fuzz --replay FOLDER/findings/x.hex  # one input again, with the traceback
    python -m tests.fuzz --minimise                      # write what reaches most with least to tests/fuzz/corpus.txt

Exit status 1 where something was found. Atheris is in the extra `fuzz`.
"""

import argparse
import sys
from pathlib import Path

from tests.fuzz import campaign
from tests.fuzz.campaign import TARGETS


def main(arguments: list[str] | None = None) -> int:
    """Do what is asked; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz endpoints in every state.")
    parser.add_argument("--inputs", type=int, default=100_000, help="until there were so many in all (100000)")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time (1)")
    parser.add_argument("--engine", choices=campaign.ENGINES, help="this one alone")
    parser.add_argument("--target", choices=TARGETS, default="all", help="states: all, or those amid EAP-TLS (all)")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="corpus, findings and journal (.fuzz)")
    parser.add_argument("--report", action="store_true", help="say what was done so far")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input again")
    parser.add_argument("--minimise", action="store_true", help="write the corpus of the repository anew")
    asked = parser.parse_args(arguments)
    if asked.report:
        print(campaign.report(asked.folder))
        return 0
    if asked.replay is not None:
        return _replay(asked.replay, asked.target)
    if asked.minimise:
        from tests.fuzz.minimise import minimise

        print(f"{minimise(asked.folder)} inputs are kept")
        return 0
    engines = (asked.engine,) if asked.engine else campaign.TURNS
    clean = campaign.run(asked.inputs, asked.folder, jobs=asked.jobs, engines=engines, target=asked.target)
    print(campaign.report(asked.folder))
    return int(not clean)


def _replay(path: Path, target: str) -> int:
    from tests.fuzz.harness import Harness
    from tests.fuzz.inputs import parse

    octets = bytes.fromhex(path.read_text("utf-8").split()[0]) if path.suffix == ".hex" else path.read_bytes()
    harness = Harness(target)
    what = parse(octets)
    scene = harness.scenes[what.scene % len(harness.scenes)]
    print(f"{what}\nin {scene.life}, message {scene.place}, at {scene.station.end}")
    harness.run(octets)
    print("nothing is found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
