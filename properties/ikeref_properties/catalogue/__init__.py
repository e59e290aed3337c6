"""The catalogue of requirements: every rule of RFC 7296, and the most important ones of its extensions, by id.

The data stand in `rfc7296.toml` and `extensions.toml` beside this file; an id is made of the RFC, the section and a
number (`7296-2.1-11`). Summaries are in our own words.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Requirement(NamedTuple):
    """One rule."""

    id: str
    rfc: int
    section: str
    title: str
    level: str
    """MUST, MUST NOT, SHOULD, SHOULD NOT, MAY and so on, or `implied`: stated in the indicative."""
    role: str
    summary: str
    check: str
    """Where it is visible: wire, codec, crypto, model, local or operator."""


FILES = ("rfc7296.toml", "extensions.toml")


@cache
def requirements() -> dict[str, Requirement]:
    """All of them by id, in the order of the RFCs."""
    found: dict[str, Requirement] = {}
    for name in FILES:
        data = tomllib.loads(files("ikeref_properties.catalogue").joinpath(name).read_text("utf-8"))
        for each in data["requirement"]:
            found[each["id"]] = Requirement(
                each["id"],
                each.get("rfc", data.get("rfc", 0)),
                each["section"],
                each["title"],
                each["level"],
                each["role"],
                each["summary"],
                each["check"],
            )
    return found


def requirement(id: str) -> Requirement:
    """The rule of that id; KeyError if there is none."""
    return requirements()[id]


def of_section(section: str, rfc: int = 7296) -> tuple[Requirement, ...]:
    """The rules of one section."""
    return tuple(each for each in requirements().values() if each.rfc == rfc and each.section == section)
