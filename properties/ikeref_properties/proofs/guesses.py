"""Invariants found by hand, as clauses ("not all of these"). The others are found by the search of
`ikeref_model.prove`."""

from collections.abc import Callable

from ikeref_model.events import Kind
from ikeref_model.hostile import INITIAL, proved
from ikeref_model.prove import Clause
from ikeref_model.rows import LIVE
from ikeref_model.state import Child, Ike
from ikeref_model.system import ENDS, MINE, PEER, System

LATER = tuple(kind for kind in Kind if kind not in INITIAL)

OF_CHILD_SAS = tuple(kind for kind in LATER if kind not in (Kind.LIVENESS, Kind.DELETE_IKE))

EMPTY = (
    Child.ABSENT,
    Child.UNWANTED,
    Child.DENIED,
    Child.CREATING,
    Child.REKEYING_GONE,
    Child.CROSSED_GONE,
)
"""The states of a Child SA in which nothing is installed."""


def before_auth(system: System) -> tuple[Clause, ...]:
    """Live means verified, verified means proved; whatever concerns Child SAs happens only where live."""
    found: list[Clause] = []
    dead = tuple(each for each in Ike if each not in (*LIVE, Ike.REPORTING))
    born = tuple(each for each in Child if each not in (Child.ABSENT, Child.DENIED))
    for end in ENDS:
        peer = proved(PEER[end])
        theirs = f"{end}.ike_{MINE[PEER[end]]}.verified"
        found.append(((f"{end}.ike_old.state", (Ike.CROSSED,)), (theirs, (False,))))
        for ike in system.scope.ikes:
            at = f"{end}.ike_{ike}"
            found += [
                ((f"{at}.state", LIVE), (f"{at}.verified", (False,))),
                ((f"{at}.verified", (True,)), (peer, (False,))),
                ((f"{at}.own", LATER), (f"{at}.state", dead)),
                ((f"{at}.own", OF_CHILD_SAS), (f"{at}.state", (Ike.REPORTING,))),
            ]
        for child in system.scope.children:
            at = f"{end}.child_{child}"
            found += [((f"{at}.state", born), (peer, (False,)))]
            found += [((f"{at}.{way}", (True,)), (f"{at}.state", EMPTY)) for way in ("in", "out")]
            found += [
                ((f"{at}.on_{ike}", (True,)), (f"{end}.ike_{ike}.verified", (False,))) for ike in system.scope.ikes
            ]
    return tuple(found)


GUESSES: dict[str, Callable[[System], tuple[Clause, ...]]] = {"no-child-before-auth": before_auth}
