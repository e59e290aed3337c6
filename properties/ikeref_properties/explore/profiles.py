"""Bounds that have a name, because they are worth a night."""

from typing import NamedTuple

from ikeref_properties.explore.values import Bounds


class Profile(NamedTuple):
    """Bounds under a name."""

    name: str
    what: str
    bounds: Bounds


PROFILES = (
    Profile(
        "million",
        "three commands at each end create, rekey or delete Child SAs, every order of nonces: a million states",
        Bounds(commands=3, losses=0, duplicates=0, kinds=("create child", "rekey child", "delete child")),
    ),
    Profile(
        "ci",
        "two commands at each end, of every kind, a loss, a duplicate, every order of nonces: what CI explores",
        Bounds(commands=2, losses=1, duplicates=1),
    ),
)


def names() -> list[str]:
    """Of all profiles."""
    return [profile.name for profile in PROFILES]


def bounds(name: str) -> Bounds:
    """Those of a profile that exists."""
    return next(profile.bounds for profile in PROFILES if profile.name == name)
