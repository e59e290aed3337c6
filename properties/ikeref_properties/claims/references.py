"""Whether a reference to a check leads anywhere, and whether that is run."""

import ast
from functools import cache
from importlib.resources import files
from pathlib import Path

from ikeref_properties import kernels
from ikeref_properties.claims import Reference
from ikeref_properties.kernels import Check
from ikeref_properties.proofs import BY_ID as STATEMENTS
from ikeref_properties.proofs import LEMMAS
from ikeref_properties.proofs.searches import BY_ID as SEARCHES
from ikeref_properties.proofs.sentences import BY_ID as SENTENCES

JUDGE = "test:tests/refinement/test_machine.py::test_random_walks_follow_the_model_and_agree_at_rest"
"""What runs the invariants: each at every step of the machines."""
EXPLORER = "test:tests/explore/test_explore.py::test_no_state_within_bounds_deviates"
"""What runs the exploration of the code."""
EXPLORED = (
    "two real ends, one command an end of every kind, one loss, one duplicate, every order of nonces; and with two"
    " Child SAs, or early retries, in the order drawn"
)
RUNNERS = {"invariant": JUDGE, "explored": EXPLORER}
ROWS = ("total", "deterministic", "consistent")
EVERY_SUITE = ("skeyseed", "skeyseed_rekey", "ike_keys", "child_keys")
"""The functions of the one kernel check that runs every input instead of z3."""


def problem(reference: Reference, root: Path) -> str:
    """Why the reference leads nowhere; "" if it leads to a check. `root` holds the tests."""
    match reference.kind:
        case "proof":
            known = reference.name in LEMMAS or reference.name in STATEMENTS
        case "sentence":
            known = reference.name in SENTENCES
        case "rows":
            known = reference.name in ROWS
        case "search":
            known = reference.name in SEARCHES
        case "kernel":
            known = bool(checks_of(reference.name)) or _suites(reference.name)
        case "invariant":
            known = reference.name in invariants()
        case "explored":
            known = reference.name in explored()
        case _:
            return _test(reference.name, root)
    return "" if known else f"there is no {reference.kind} called {reference.name}"


def checks_of(function: str) -> tuple[Check, ...]:
    """The kernel checks of a function, as in `ikeref.sa.window.answered_by`."""
    module, _, name = function.rpartition(".")
    return tuple(each for each in kernels.checks() if each.module == module and name in each.kernel.split(", "))


def _suites(function: str) -> bool:
    module, _, name = function.rpartition(".")
    return module == "ikeref.crypto.schedule" and name in EVERY_SUITE


@cache
def invariants() -> frozenset[str]:
    """The rules that the machines judge by: what `Violation` is raised with."""
    folder = files("ikeref_properties.machines")
    texts = [folder.joinpath(name).read_text("utf-8") for name in ("invariants.py", "walk.py")]
    return frozenset().union(*(_raised("Violation", text) for text in texts))


@cache
def explored() -> frozenset[str]:
    """The rules that the exploration judges by: what `Deviation` is made with."""
    folder = files("ikeref_properties.explore")
    texts = [each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".py")]
    return frozenset().union(*(_raised("Deviation", text) for text in texts))


def _raised(name: str, source: str) -> frozenset[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return frozenset(found)


def _test(name: str, root: Path) -> str:
    path, _, function = name.partition("::")
    file = root / path
    if not file.is_file():
        return f"there is no file {path}"
    if function not in _functions(file):
        return f"there is no test {function} in {path}"
    return ""


@cache
def _functions(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def checkout() -> Path | None:
    """The repository that this package is run from; None where it was installed without its tests."""
    here = Path(__file__).resolve()
    return next((each for each in here.parents if (each / "tests" / "model").is_dir()), None)
