"""The window of IKE SAs that a system shows: `old` and its two successors, moved on as they are rekeyed in turn.

A rekey of a successor may begin while the old IKE SA still waits for its Delete, and the next one too. When a rekey of
a successor is asked for (`on`), it becomes `old`; what is left behind has to be `left` at both ends: an IKE SA that
only waits for its end, with nothing on it that is looked at. Such an IKE SA stays so, and does nothing to any other
(the lemma `left-behind` of the proofs). So generations may overlap, as many as there are.

What a rekey would do out of sight sets `lost`: it hands on what is looked at although the window can't follow, it hands
on a Child SA about which an exchange is under way, or the slot of a new IKE SA is not fresh. A proof has to show that
nothing is ever lost.
"""

from collections.abc import Collection

from ikeref_model import state
from ikeref_model.events import Kind, Outcome
from ikeref_model.rows import Row
from ikeref_model.state import Child, Ike
from ikeref_model.system import ENDS, MINE, NONE, PEER, Copy, Right, Scope, Step, conj, disj, negation
from ikeref_model.terms import FALSE, TRUE, Term, is_, isnt

LOST = "lost"
"""Something happened that the window does not show."""
LEFT = (Ike.IDLE, Ike.CLOSED, Ike.REPLACED, Ike.DELETING)
"""The states, at either end, of an IKE SA that another one has replaced, or that never came into being."""
AWAITING = (state.NOTHING, Kind.DELETE_IKE, "PASSING")
"""What may be outstanding on it."""
EXCHANGING = (
    Child.CREATING,
    Child.REKEYING,
    Child.CROSSED,
    Child.REKEYING_GONE,
    Child.CROSSED_GONE,
    Child.DELETING,
    Child.HALF_CLOSED,
)
"""The states of a Child SA about which a request of this end is outstanding."""
DROPPED = {"a": "b", "b": "a"}


def left(ike: str, children: Collection[str]) -> Term:
    """The IKE SA is left behind at both ends."""
    rules: list[Term] = []
    for end in ENDS:
        rules.append(is_(f"{end}.ike_{ike}.state", *LEFT))
        rules.append(is_(f"{end}.ike_{ike}.own", *AWAITING))
        rules += [is_(f"{end}>{ike}.{part}", NONE) for part in ("about", "new")]
        rules.append(disj((isnt(f"{end}>{ike}.msg", NONE), is_(f"{end}>{ike}.ans", NONE))))
        rules.append(isnt(f"{end}>{ike}.ans", Outcome.INVALID_SYNTAX))
        gone = is_(f"{end}.ike_{ike}.state", Ike.DELETING, Ike.CLOSED)
        rules.append(disj((isnt(f"{end}>{ike}.msg", Kind.DELETE_IKE), gone)))
        asked = conj((is_(f"{end}.ike_{ike}.own", Kind.DELETE_IKE), is_(f"{end}>{ike}.msg", Kind.DELETE_IKE)))
        rules.append(disj((isnt(f"{end}.ike_{ike}.state", Ike.DELETING), asked)))
        rules += [isnt(f"{end}.child_{child}.on_{ike}") for child in children]
    return conj(tuple(rules))


def ending(ike: str) -> Term:
    """Both ends have ended the IKE SA, or one of them is about to: its Delete is due, or under way."""
    ended = conj(tuple(is_(f"{end}.ike_{ike}.state", Ike.IDLE, Ike.CLOSED) for end in ENDS))
    coming: list[Term] = [ended]
    for end in ENDS:
        at, slot = f"{end}.ike_{ike}", f"{end}>{ike}"
        heard = disj((is_(f"{slot}.ans", NONE), is_(f"{PEER[end]}.ike_{ike}.state", Ike.CLOSED)))
        asked = (
            is_(f"{at}.state", Ike.DELETING),
            is_(f"{at}.own", Kind.DELETE_IKE),
            is_(f"{slot}.msg", Kind.DELETE_IKE),
        )
        coming += [conj((is_(f"{at}.state", Ike.REPLACED), is_(f"{at}.due"))), conj((*asked, heard))]
    return disj(tuple(coming))


def follows(scope: Scope, keep: str) -> Term:
    """The window can move on to this successor, and it is about to be rekeyed."""
    behind = [left("old", scope.children), left(DROPPED[keep], scope.children)]
    calm = [is_(f"{end}.ike_{keep}.state", Ike.ESTABLISHED, Ike.REKEYING) for end in ENDS]
    asked = [conj((is_(f"{end}>{keep}.msg", Kind.REKEY_IKE), is_(f"{end}>{keep}.ans", NONE))) for end in ENDS]
    return conj((*behind, *calm, disj(tuple(asked))))


def well_left(scope: Scope) -> Term:
    """Nothing was lost, and whatever the window may leave behind will end."""
    rules = [isnt(LOST)]
    for keep, drop in DROPPED.items():
        rules.append(disj((negation(follows(scope, keep)), conj((ending("old"), ending(drop))))))
    return conj(tuple(rules))


def on(scope: Scope, keep: str, known: Collection[str]) -> Step:
    """The window moves on to a successor."""
    drop = DROPPED[keep]
    moved: dict[str, Right] = {}
    for end in ENDS:
        for each in state.IKE:
            moved[f"{end}.ike_old.{each.name}"] = Copy(f"{end}.ike_{keep}.{each.name}")
            moved |= {f"{end}.ike_{slot}.{each.name}": each.initial for slot in (keep, drop)}
        for part in ("msg", "about", "new", "ans"):
            moved[f"{end}>old.{part}"] = Copy(f"{end}>{keep}.{part}")
            moved |= {f"{end}>{slot}.{part}": NONE for slot in (keep, drop)}
        for child in scope.children:
            moved[f"{end}.child_{child}.on_old"] = Copy(f"{end}.child_{child}.on_{keep}")
            moved |= {f"{end}.child_{child}.on_{slot}": False for slot in (keep, drop)}
    assign = tuple((variable, right) for variable, right in moved.items() if variable in known)
    return Step(f"on to IKE SA {keep}", "on", follows(scope, keep), assign)


def sight(scope: Scope, row: Row, end: str, ike: str, known: Collection[str]) -> tuple[Term, Term]:
    """When a row about a rekey of that IKE SA happens within the window, and when out of sight."""
    written = {each.variable: each.value for each in row.effects()}
    heirs = [each for each in ("ike_mine", "ike_theirs") if isinstance(written.get(f"{each}.state"), str)]
    if ike != "old":
        if not heirs and not {"each.on_mine", "each.on_theirs"} & set(written):
            return TRUE, FALSE
        behind = negation(follows(scope, ike))
        concerned = disj(
            (
                *(is_(f"{end}.child_{child}.on_{ike}") for child in scope.children),
                *(isnt(f"{child}.born") for child in scope.children),
            )
        )
        return conj((behind, negation(concerned))), conj((behind, concerned))
    stale = []
    for heir in heirs:
        slot = MINE[end] if heir == "ike_mine" else MINE[PEER[end]]
        record = [each._replace(name=f"{end}.ike_{slot}.{each.name}") for each in state.IKE]
        fresh = [is_(each.name, each.initial) for each in record if each.name in known]
        fresh += [isnt(f"{end}.child_{child}.on_{slot}") for child in scope.children]
        stale.append(negation(conj((*fresh, is_(f"{end}>{slot}.msg", NONE)))))
    if {"each.on_mine", "each.on_theirs"} & set(written):
        for child in scope.children:
            at = f"{end}.child_{child}"
            stale.append(conj((is_(f"{at}.on_{ike}"), is_(f"{at}.state", *EXCHANGING))))
    return negation(disj(tuple(stale))), disj(tuple(stale))
