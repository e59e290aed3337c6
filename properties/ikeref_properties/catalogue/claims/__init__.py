"""What is claimed of each requirement, as data: the TOML files beside this one, a table for each id.

    ["7296-2.1-11"]
    test = "tests/unit/test_endpoint.py::test_that_fails_when_the_rule_is_broken"
    fault = "name of a fault of ikeref_properties.mutants"

* `test`: one or several tests, PATH::NAME. Under every fault of the claim one of them fails, and every one of them
  fails under one of the faults; without any fault they pass.
* `fault`: one or several faults of the code by name; `edit`: one that is made for this claim, [module, old, new] as in
  `mutants.edit`, or several.
* `altered`: in words, what the test alters in a message or a situation; the same test holds the unaltered twin. Where
  there are faults as well, some of the tests may be about this alone.
* `code`: where it is, PATH::FUNCTION, if no fault says so; `rows`: names of rows of the model; `property`: numbers of
  properties (`ikeref prove`); `interop`: tests of `tests/interop`, with the case in brackets where one is meant. Rows
  and properties that name the requirement themselves need not be repeated.
* `waived`: why nothing is claimed, with `kind`, one of `WAIVERS`.
* `note`: what a reader has to know about the claim.

A MUST is claimed by a test with a fault or an altered message. `python -m ikeref_properties.catalogue.trial` puts each
fault into the code and sees the tests fail; `tried.json` keeps what has been seen.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from ikeref_model.tables import ALLOWED

from ikeref_properties.catalogue import Requirement, requirements
from ikeref_properties.claims import properties
from ikeref_properties.mutants import Edit, Mutant, find
from ikeref_properties.mutants.seeding import edit

STRICT: Final = ("MUST", "MUST NOT", "REQUIRED")
"""Levels whose claims name a test that fails."""
WAIVERS: Final = {
    "operator": "advice to those who configure and run an end",
    "informative": "nothing that an end does or leaves",
    "obsoleted": "a later RFC takes it back",
    "elsewhere": "about something that is no part of IKE's end, such as the kernel's IPsec",
    "not_built": "ikeref does not have it",
}
KEYS: Final = frozenset(
    ("test", "fault", "edit", "altered", "code", "rows", "property", "interop", "waived", "kind", "note")
)
SCOPE: Final = (7296, 7383, 7427, 6989, 6023)
"""The RFCs whose requirements are to be claimed or waived, all of them."""


class Claim(NamedTuple):
    """What is said of one requirement."""

    id: str
    tests: tuple[str, ...] = ()
    faults: tuple[Mutant, ...] = ()
    altered: str = ""
    code: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    properties: tuple[int, ...] = ()
    interop: tuple[str, ...] = ()
    waived: str = ""
    kind: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """The content that a trial is for: the faults and the tests."""
        words = (self.tests, [each.edits for each in self.faults])
        return hashlib.sha256(repr(words).encode()).hexdigest()[:16]


class Claims(NamedTuple):
    """All that is claimed, and what is wrong with how it is written."""

    by_id: dict[str, Claim]
    problems: tuple[str, ...]

    def status(self, id: str) -> str:
        """`claimed`, `waived` or `open`."""
        claim = self.by_id.get(id)
        return "open" if claim is None else "waived" if claim.waived else "claimed"


@cache
def claims() -> Claims:
    """All of the files beside this one."""
    folder = files("ikeref_properties.catalogue.claims")
    texts = {each.name: each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".toml")}
    return parse(texts)


def parse(texts: dict[str, str]) -> Claims:
    """Claims from the text of each file; what is wrong is told, with file and id, not raised."""
    found: dict[str, Claim] = {}
    problems = []
    for name, text in sorted(texts.items()):
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            problems.append(f"{name}: {error}")
            continue
        for id, data in tables.items():
            wrong = [f"{id} is no requirement"] if id not in requirements() else []
            if id in found:
                wrong.append(f"{id} is claimed twice")
            claim, more = _claim(id, data)
            wrong += more
            problems += [f"{name}: {each}" for each in wrong]
            if claim is not None:
                found.setdefault(id, claim)
    return Claims(found, tuple(problems))


def _claim(id: str, data: Any) -> tuple[Claim | None, list[str]]:
    if not isinstance(data, dict):
        return None, [f'{id} has no table: write ["{id}"]']
    wrong = [f"{id}: unknown key {key}" for key in data.keys() - KEYS]
    faults = []
    for name in _list(data.get("fault", ())):
        try:
            faults.append(find(name))
        except KeyError:
            wrong.append(f"{id}: there is no fault called {name!r}")
    for number, words in enumerate(_edits(data.get("edit", ())), 1):
        if len(words) != 3:
            wrong.append(f"{id}: edit is [module, old, new]")
        else:
            faults.append(Mutant(f"{id} {number}", "", (edit(*words),)))
    claim = Claim(
        id,
        _list(data.get("test", ())),
        tuple(faults),
        data.get("altered", ""),
        _list(data.get("code", ())),
        _list(data.get("rows", ())),
        tuple(data["property"] if isinstance(data.get("property", ()), list | tuple) else (data["property"],))
        if "property" in data
        else (),
        _list(data.get("interop", ())),
        data.get("waived", ""),
        data.get("kind", ""),
        data.get("note", ""),
    )
    return claim, wrong + _rules(claim)


def _list(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _edits(value: Any) -> tuple[tuple[str, ...], ...]:
    if not value:
        return ()
    return (tuple(value),) if isinstance(value[0], str) else tuple(tuple(each) for each in value)


def _rules(claim: Claim) -> list[str]:
    """What is wrong with a claim by itself."""
    wrong = []
    if claim.waived or claim.kind:
        if claim.kind not in WAIVERS:
            wrong.append(f"kind is one of {', '.join(WAIVERS)}")
        if not claim.waived:
            wrong.append("kind says what kind of waiver; the reason is missing")
        if claim.tests or claim.faults or claim.altered:
            wrong.append("both claimed and waived")
    elif not (claim.tests or claim.code or rows_of(claim) or properties_of(claim) or claim.interop):
        wrong.append("claims nothing")
    if (claim.faults or claim.altered) and not claim.tests:
        wrong.append("names a fault but no test that finds it")
    rule = requirements().get(claim.id)
    strict = rule is not None and rule.level in STRICT and not claim.waived
    if strict and not (claim.tests and (claim.faults or claim.altered)):
        wrong.append("a MUST names a test, and the fault or the altered message under which it fails")
    known = {row.name for row in ALLOWED}
    wrong += [f"there is no row {name}" for name in claim.rows if name not in known]
    numbers = {each.id for each in properties()}
    wrong += [f"there is no property {number}" for number in claim.properties if number not in numbers]
    return [f"{claim.id}: {each}" for each in wrong]


def rows_of(claim: Claim) -> tuple[str, ...]:
    """The rows of the model behind a requirement: those claimed, and those that name it."""
    return tuple(dict.fromkeys((*claim.rows, *_rows().get(claim.id, ()))))


def properties_of(claim: Claim) -> tuple[int, ...]:
    """The properties behind a requirement."""
    named = (each.id for each in properties() if claim.id in each.requirements)
    return tuple(dict.fromkeys((*claim.properties, *named)))


@cache
def _rows() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in ALLOWED:
        for id in row.requirements:
            found.setdefault(id, []).append(row.name)
    return {id: tuple(names) for id, names in found.items()}


def in_scope(scope: Iterable[int] = SCOPE) -> tuple[Requirement, ...]:
    """What is to be claimed or waived."""
    wanted = tuple(scope)
    return tuple(each for each in requirements().values() if each.rfc in wanted)


def tried() -> dict[str, str]:
    """For which content of each claim its tests have been seen to fail."""
    file = files("ikeref_properties.catalogue.claims").joinpath("tried.json")
    return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}


__all__ = ["SCOPE", "STRICT", "WAIVERS", "Claim", "Claims", "Edit", "claims", "in_scope", "parse", "tried"]
