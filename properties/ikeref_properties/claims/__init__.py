"""The properties of IKEv2's session layer, and how far each is established: a committed table (`properties.toml`).

A property has parts: one sentence each, about the rows or about the code, with the claim that it must reach and the
checks that establish it. A check is a reference, `KIND:NAME`:

* `proof:ID` a statement with a certificate (`ikeref_properties.proofs`), or a lemma of `proofs.LEMMAS`;
* `sentence:ID` a sentence of the RFC held against all rows (`proofs.sentences`);
* `rows:total`, `rows:deterministic` every event has a row, and more than one only where there is a choice;
* `search:ID` an exhaustive search within a bound (`proofs.searches`);
* `kernel:FUNCTION` every path of a shipped function (`ikeref_properties.kernels`);
* `explored:RULE` what is judged in every state of two real ends within a bound (`ikeref_properties.explore`);
* `invariant:RULE` what `machines.invariants` judges at every step of the Hypothesis machines;
* `test:PATH::NAME` a test of the repository.

The claim of a part is never stronger than its weakest check. `not yet` is a claim too: a part without checks that says
what is missing.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

NOT_YET, TESTED, ALL_PATHS, EXHAUSTIVE, PROVED = "not yet", "tested", "all paths", "exhaustive to bound", "proved"
CLAIMS = (NOT_YET, TESTED, ALL_PATHS, EXHAUSTIVE, PROVED)
"""From weak to strong. `all paths`: z3 judged each path of the code, at a stated size."""
STRENGTH = {
    "proof": PROVED,
    "sentence": PROVED,
    "rows": PROVED,
    "search": EXHAUSTIVE,
    "kernel": ALL_PATHS,
    "explored": EXHAUSTIVE,
    "invariant": TESTED,
    "test": TESTED,
}
"""The claim that each kind of check can establish."""


class Reference(NamedTuple):
    """A check by name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Part(NamedTuple):
    """One claim of a property."""

    subject: str
    """`rows` or `code`."""
    says: str
    claim: str
    """What it must reach."""
    checks: tuple[Reference, ...]
    bound: str
    """Where the checks don't say it themselves."""


class Property(NamedTuple):
    """One of the properties."""

    id: int
    name: str
    title: str
    sections: tuple[str, ...]
    level: str
    requirements: tuple[str, ...]
    goal: str
    """What the rows have to reach; "" where nothing more than the parts is wanted. Further parts say what is known
    beyond the goal: of more Child SAs, of larger windows."""
    parts: tuple[Part, ...]

    def claim(self, subject: str) -> str:
        """The weakest claim about the rows or the code; "" if there is none about it."""
        claims = [part.claim for part in self.parts if part.subject == subject]
        return min(claims, key=CLAIMS.index) if claims else ""

    def open(self) -> bool:
        """Whether some part is missing or the goal is not reached yet."""
        reached = any(part.subject == "rows" and part.claim == self.goal for part in self.parts)
        return bool(self.goal and not reached) or any(part.claim == NOT_YET for part in self.parts)


@cache
def properties() -> tuple[Property, ...]:
    """All of them, by number."""
    text = files("ikeref_properties.claims").joinpath("properties.toml").read_text("utf-8")
    return parse(text)


def parse(text: str) -> tuple[Property, ...]:
    """The table that TOML text describes. Raises KeyError or ValueError where it is malformed."""
    return tuple(_property(each) for each in tomllib.loads(text)["property"])


def find(question: str) -> tuple[Property, ...]:
    """The properties of that number, name, section, or part of a name or title."""
    asked = question.lower().strip()
    if not asked:
        return ()
    exact = tuple(each for each in properties() if asked in (str(each.id), each.name, *each.sections))
    return exact or tuple(each for each in properties() if asked in each.name or asked in each.title.lower())


def _property(data: dict[str, Any]) -> Property:
    return Property(
        data["id"],
        data["name"],
        data["title"],
        tuple(data["sections"]),
        data["level"],
        tuple(data.get("requirements", ())),
        data.get("goal", ""),
        tuple(_part(each) for each in data["part"]),
    )


def _part(data: dict[str, Any]) -> Part:
    claim, subject = data.get("claim", NOT_YET), data["subject"]
    if claim not in CLAIMS or subject not in ("rows", "code"):
        raise ValueError(f"{claim}, {subject}")
    return Part(subject, data["says"], claim, tuple(map(_reference, data.get("checks", ()))), data.get("bound", ""))


def _reference(text: str) -> Reference:
    kind, _, name = text.partition(":")
    if kind not in STRENGTH or not name:
        raise ValueError(f"no reference to a check: {text}")
    return Reference(kind, name)
