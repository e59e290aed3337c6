"""What is proved: for each statement the system that it is about, the invariant in terms of its variables, and
witnesses.

A witness is a state that has to be reachable: it shows that the invariant does not hold because nothing happens.
"""

from collections.abc import Callable
from typing import NamedTuple

from ikeref_model.events import Kind
from ikeref_model.focus import DROPPED, KEPT, LINKED, PARENT, THIS, build_focus
from ikeref_model.hostile import build_hostile, proved
from ikeref_model.judgement import build_judgement, one_at_a_time
from ikeref_model.rows import LIVE, Row
from ikeref_model.state import NOTHING, Child, Ike
from ikeref_model.succession import well_left
from ikeref_model.system import ENDS, MINE, NONE, PEER, Scope, System, build
from ikeref_model.terms import Term, all_of, any_of, is_, isnt, no

CHILD_SCOPE = Scope(
    "two ends, one IKE SA, Child SAs created, rekeyed and deleted by either end",
    (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD),
)
IKE_SCOPE = Scope(
    "two ends, the IKE SA rekeyed and deleted by either end, with one Child SA created and deleted by either end",
    (Kind.REKEY_IKE, Kind.DELETE_IKE, Kind.DELETE_CHILD, Kind.CREATE_CHILD),
    ("old", "a", "b"),
    ("old",),
)
TRAFFIC_SCOPE = Scope(
    "two ends, one IKE SA, a Child SA rekeyed by either end, again and again, and never deleted by command",
    (Kind.REKEY_CHILD, Kind.DELETE_CHILD),
)
EXCHANGES = (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD, Kind.LIVENESS)
FAMILY_SCOPE = Scope(
    "two ends, one IKE SA until it is deleted, any number of Child SAs, each created, rekeyed and deleted by either end"
    " at any time",
    (*EXCHANGES, Kind.DELETE_IKE),
    children=(PARENT, THIS),
)
LINE_SCOPE = Scope(
    "two ends, IKE SAs rekeyed and deleted by either end, any number one after the other, with any number of Child SAs,"
    " each created, rekeyed and deleted by either end at any time",
    (*EXCHANGES, Kind.REKEY_IKE, Kind.DELETE_IKE),
    ("old", "a", "b"),
    (THIS,),
)
JUDGED_SCOPE = Scope(
    "two ends, any number of IKE SAs of which nothing is known, any number of Child SAs, each created, rekeyed and"
    " deleted by either end at any time",
    (*EXCHANGES, Kind.REKEY_IKE, Kind.DELETE_IKE),
    (),
    (PARENT, THIS),
)
WHOLE_SCOPE = Scope(
    "two ends, the IKE SA and the Child SA rekeyed and deleted by either end, all colliding freely",
    (Kind.REKEY_CHILD, Kind.DELETE_CHILD, Kind.REKEY_IKE, Kind.DELETE_IKE),
    ("old", "a", "b"),
)


class Statement(NamedTuple):
    """One property of the rows."""

    id: str
    title: str
    section: str
    about: str
    """The system and its bounds, in words."""
    build: Callable[[tuple[Row, ...]], System]
    safe: Callable[[System], Term]
    witnesses: tuple[tuple[str, Term], ...]


def quiescent(system: System) -> Term:
    """Nothing in flight that could still have an effect, nothing outstanding, nothing due."""
    rules: list[Term] = []
    for each in system.variables:
        if each.name.endswith(".own"):
            rules.append(is_(each.name, NOTHING))
        if each.name.endswith(".due"):
            rules.append(isnt(each.name))
    for end in ENDS:
        for ike in system.scope.ikes:
            slot, other = f"{end}>{ike}", f"{PEER[end]}.ike_{ike}.state"
            spent = any_of(isnt(f"{slot}.ans", NONE), is_(other, Ike.CLOSED))
            rules.append(any_of(is_(f"{slot}.msg", NONE), spent))
    return all_of(*rules)


def in_pairs(system: System) -> Term:
    """Section 1.4.1: each Child SA has both directions at both ends or none."""
    pairs = []
    for child in system.scope.children:
        halves = [f"{end}.child_{child}.{way}" for end in ENDS for way in ("in", "out")]
        pairs.append(any_of(all_of(*map(is_, halves)), all_of(*map(isnt, halves))))
    return all_of(*pairs)


def paired(system: System) -> Term:
    """With nothing in flight, outstanding or due, Child SAs are in pairs, and none is left that was replaced. Where
    Child SAs are looked at one by one, this is about the one; of its parent too little is known."""
    children = (THIS,) if THIS in system.scope.children else system.scope.children
    alone = system._replace(scope=system.scope._replace(children=children))
    left = [is_(f"{end}.child_{child}.state", Child.REPLACED) for end in ENDS for child in children]
    return any_of(no(quiescent(system)), all_of(in_pairs(alone), no(any_of(*left))))


def paired_each(system: System) -> Term:
    """The same of each of any number of Child SAs; whether it outlives a simultaneous rekey both ends decide alike;
    and nothing stands still before it is at rest."""
    return all_of(paired(system), no(all_of(is_(KEPT), is_(DROPPED))), moving(system))


def judged_alike(system: System) -> Term:
    """Both ends find alike whether `this` outlives the rekey that made it; and an end has one exchange at a time about
    its parent."""
    return all_of(no(all_of(is_(KEPT), is_(DROPPED))), one_at_a_time(system))


def moving(system: System) -> Term:
    """Section 2.25: where not everything is at rest a request or a response can be taken, or a Delete that is due be
    sent: something that no user has to ask for."""
    own = [step for step in system.steps if step.row.endswith(".due") or any(".ans" in each for each, _ in step.assign)]
    return any_of(quiescent(system), *(step.guard for step in own if step.row != "on"))


def flowing(system: System) -> Term:
    """Section 2.8: each end has an outgoing SA whose incoming half is installed at the peer."""
    ways = []
    for end in ENDS:
        carried = [(f"{end}.child_{child}.out", f"{PEER[end]}.child_{child}.in") for child in system.scope.children]
        ways.append(any_of(*(all_of(is_(out), is_(into)) for out, into in carried)))
    return all_of(*ways)


def usable(system: System) -> Term:
    """Section 2.8: where the Delete of a replaced Child SA is due, that end can send and receive on another one, and
    the peer receives on it."""
    rules = []
    for end in ENDS:
        for child in system.scope.children:
            goes = all_of(_child(end, child, Child.REPLACED), is_(f"{end}.child_{child}.due"))
            ready = [
                all_of(*map(is_, (f"{end}.child_{each}.in", f"{end}.child_{each}.out", f"{PEER[end]}.child_{each}.in")))
                for each in system.scope.children
                if each != child
            ]
            rules.append(any_of(no(goes), *ready))
    return all_of(*rules)


def uninterrupted(system: System) -> Term:
    """Each end can send to the other, and the old Child SA goes only when the new one is usable."""
    return all_of(flowing(system), usable(system))


def without_commanded_deletes(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows of ends whose users delete nothing: only what a rekey leaves due is deleted."""
    return tuple(row for row in rows if row.name not in ("child.delete.send", "ike.delete.send"))


def without_deferral(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows of ends that send on a new Child SA at once. (One that defers it waits for the Delete of the parent,
    which is not looked at here.)"""
    return tuple(row for row in rows if not row.name.endswith(".deferred"))


def inherited(system: System) -> Term:
    """No Child SA has two IKE SAs (doubled); one that carries traffic has one that is alive (lost); when quiescent,
    both ends agree on it, and no IKE SA is left replaced."""
    rules: list[Term] = []
    for end in ENDS:
        for child in system.scope.children:
            homes = [f"{end}.child_{child}.on_{ike}" for ike in system.scope.ikes]
            rules += [no(all_of(is_(one), is_(two))) for at, one in enumerate(homes) for two in homes[:at]]
            used = any_of(is_(f"{end}.child_{child}.in"), is_(f"{end}.child_{child}.out"))
            rules.append(any_of(no(used), *map(is_, homes)))
            for ike, home in zip(system.scope.ikes, homes, strict=True):
                rules.append(no(all_of(used, is_(home), is_(f"{end}.ike_{ike}.state", Ike.IDLE, Ike.CLOSED))))
    agreed: list[Term] = [in_pairs(system)]
    for ike in system.scope.ikes:
        states = [f"{end}.ike_{ike}.state" for end in ENDS]
        agreed.append(
            any_of(
                all_of(*(is_(each, Ike.ESTABLISHED) for each in states)),
                all_of(*(is_(each, Ike.IDLE, Ike.CLOSED) for each in states)),
            )
        )
        for child in system.scope.children:
            homes = [f"{end}.child_{child}.on_{ike}" for end in ENDS]
            agreed.append(any_of(all_of(*map(is_, homes)), all_of(*map(isnt, homes))))
    return all_of(*rules, any_of(no(quiescent(system)), all_of(*agreed)))


def by_nonces() -> Term:
    """Sections 2.8.1 and 2.8.2, of Child SAs and of IKE SAs: an end deletes the new one of its own exchange only if
    that has the lowest nonce, never the new one of the peer's; and the old one, where the peer's exchange has made one
    too, only if the lowest nonce is in that."""
    rules: list[Term] = []
    for what, nothing in (("child", (Child.ABSENT,)), ("ike", (Ike.IDLE, Ike.CLOSED))):
        for end in ENDS:
            old, mine, theirs = (f"{end}.{what}_{slot}" for slot in ("old", MINE[end], MINE[PEER[end]]))
            rules.append(any_of(isnt(f"{mine}.due"), is_(f"lowest_{what}", end)))
            rules.append(isnt(f"{theirs}.due"))
            crossed = all_of(is_(f"{old}.due"), isnt(f"{theirs}.state", *nothing))
            rules.append(any_of(no(crossed), is_(f"lowest_{what}", PEER[end])))
    return all_of(*rules)


def agreed(system: System) -> Term:
    """Child SAs are in pairs at rest, on one and the same IKE SA, and nothing is left that was replaced; nonces decide
    who deletes what."""
    return all_of(paired(system), inherited(system), by_nonces())


def inherited_by_all(system: System) -> Term:
    """The same of each of any number of Child SAs; and the window of IKE SAs loses sight of nothing that matters."""
    return all_of(inherited(system), well_left(system.scope))


def authenticated(system: System) -> Term:
    """A Child SA exists only under an IKE SA whose peer's AUTH was verified, and the peer has sent it; no IKE SA takes
    requests for Child SAs before that."""
    rules: list[Term] = []
    for end in ENDS:
        for child in system.scope.children:
            used = any_of(is_(f"{end}.child_{child}.in"), is_(f"{end}.child_{child}.out"))
            rules.append(any_of(no(used), is_(proved(PEER[end]))))
            for ike in system.scope.ikes:
                under = all_of(used, is_(f"{end}.child_{child}.on_{ike}"))
                rules.append(any_of(no(under), is_(f"{end}.ike_{ike}.verified")))
        for ike in system.scope.ikes:
            live = is_(f"{end}.ike_{ike}.state", *LIVE)
            rules.append(any_of(no(live), is_(f"{end}.ike_{ike}.verified")))
            rules.append(any_of(isnt(f"{end}.ike_{ike}.verified"), is_(proved(PEER[end]))))
    return all_of(*rules)


def _child(end: str, slot: str, *states: Child) -> Term:
    return is_(f"{end}.child_{slot}.state", *states)


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "no-child-before-auth",
        "No Child SA before the peer is authenticated",
        "1.2",
        "all rows; each end against a network that may deliver anything at any time; assumed: AUTH verifies only if the"
        " peer has sent it (Section 2.15)",
        build_hostile,
        authenticated,
        (
            ("initiator established", is_("A.ike_old.state", Ike.ESTABLISHED)),
            ("Child SA at the responder", all_of(is_("B.child_old.in"), isnt("A.child_old.in"))),
        ),
    ),
    Statement(
        "child-sas-in-pairs",
        "Child SAs end in pairs, and what was replaced is gone",
        "1.4.1",
        CHILD_SCOPE.title + "; three Child SAs at a time, rekeyed again when a rekey is over at both ends, window 1",
        lambda rows: build(CHILD_SCOPE, rows),
        paired,
        (
            ("both open", all_of(is_("A.child_old.in"), is_("B.child_old.in"), is_("A.child_old.out"))),
            ("half-closed", _child("A", "old", Child.HALF_CLOSED)),
            ("crossed deletes", all_of(_child("A", "old", Child.HALF_CLOSED), _child("B", "old", Child.HALF_CLOSED))),
            ("simultaneous rekey", all_of(_child("A", "old", Child.CROSSED), _child("B", "old", Child.CROSSED))),
            (
                "three pairs after a simultaneous rekey",
                all_of(
                    *(_child(end, "old", Child.REPLACED) for end in ENDS),
                    *(is_(f"{end}.child_{slot}.{way}") for end in ENDS for slot in "ab" for way in ("in", "out")),
                ),
            ),
            ("denied before it was known", _child("A", "a", Child.DENIED)),
        ),
    ),
    Statement(
        "traffic-goes-on",
        "During a rekey each end can send to the other all the time",
        "2.8",
        TRAFFIC_SCOPE.title + "; rekeyed again when a rekey is over at both ends, window 1",
        lambda rows: build(TRAFFIC_SCOPE, without_commanded_deletes(rows)),
        uninterrupted,
        (
            ("simultaneous rekey", all_of(_child("A", "old", Child.CROSSED), _child("B", "old", Child.CROSSED))),
            ("the old one is gone", all_of(_child("A", "old", Child.ABSENT), _child("B", "old", Child.ABSENT))),
        ),
    ),
    Statement(
        "traffic-through-ike-rekeys",
        "During rekeys of the IKE SA too each end can send to the other all the time",
        "2.8",
        "two ends, the IKE SA and the Child SA rekeyed by either end, again and again, all crossing, and never deleted"
        " by command; rekeyed again when a rekey is over at both ends, window 1",
        lambda rows: build(WHOLE_SCOPE, without_commanded_deletes(rows)),
        uninterrupted,
        (
            (
                "the IKE SA is rekeyed from both ends after the Child SA was",
                all_of(
                    *(is_(f"{end}.ike_old.state", Ike.CROSSED) for end in ENDS),
                    *(_child(end, "a", Child.OPEN) for end in ENDS),
                ),
            ),
            (
                "a request to rekey the Child SA meets one to rekey the IKE SA",
                all_of(_child("A", "old", Child.REKEYING), is_("B.ike_old.state", Ike.REKEYING)),
            ),
            (
                "the Child SA is rekeyed from both ends on the IKE SA that a rekey made",
                all_of(*(_child(end, "old", Child.CROSSED) for end in ENDS), is_("A.child_old.on_a")),
            ),
        ),
    ),
    Statement(
        "inherited-exactly-once",
        "A rekeyed IKE SA hands every Child SA to its successor exactly once",
        "2.8.2",
        IKE_SCOPE.title + "; rekeyed again when a rekey is over at both ends, window 1",
        lambda rows: build(IKE_SCOPE, rows),
        inherited,
        (
            (
                "simultaneous rekey of the IKE SA",
                all_of(is_("A.ike_old.state", Ike.CROSSED), is_("B.ike_old.state", Ike.CROSSED)),
            ),
            (
                "three IKE SAs",
                all_of(
                    *(is_(f"{end}.ike_old.state", Ike.REPLACED) for end in ENDS),
                    *(isnt(f"{end}.ike_{slot}.state", Ike.IDLE, Ike.CLOSED) for end in ENDS for slot in "ab"),
                ),
            ),
            (
                "inherited by the peer's IKE SA",
                all_of(is_("A.child_old.on_b"), is_("B.child_old.on_b"), is_("A.ike_old.state", Ike.CLOSED)),
            ),
        ),
    ),
    Statement(
        "pairs-and-inheritance",
        "Child SAs end in pairs on one IKE SA, and nothing replaced is left, while everything crosses",
        "2.25",
        WHOLE_SCOPE.title + "; rekeyed again when a rekey is over at both ends; no Child SA is newly created, window 1",
        lambda rows: build(WHOLE_SCOPE, rows),
        agreed,
        (
            ("both open", all_of(*(is_(f"{end}.child_old.{way}") for end in ENDS for way in ("in", "out")))),
            ("crossed deletes", all_of(*(_child(end, "old", Child.HALF_CLOSED) for end in ENDS))),
            ("simultaneous rekey of the Child SA", all_of(*(_child(end, "old", Child.CROSSED) for end in ENDS))),
            (
                "simultaneous rekey of the IKE SA",
                all_of(*(is_(f"{end}.ike_old.state", Ike.CROSSED) for end in ENDS)),
            ),
            (
                "the Child SA is half-closed when its IKE SA is deleted",
                all_of(_child("A", "old", Child.HALF_CLOSED), is_("B.ike_old.state", Ike.DELETING)),
            ),
            (
                "three Child SAs on the IKE SA that a rekey made",
                all_of(*(is_(f"A.child_{child}.{way}") for child in ("old", "a", "b") for way in ("in", "on_a"))),
            ),
        ),
    ),
    Statement(
        "pairs-of-any-number",
        "Child SAs, as many as there are, end in pairs, and what was replaced is gone",
        "1.4.1",
        FAMILY_SCOPE.title + ", what was just rekeyed included; window 1",
        lambda rows: build_focus(FAMILY_SCOPE, rows),
        paired_each,
        (
            ("both open", all_of(*(is_(f"{end}.child_this.{way}") for end in ENDS for way in ("in", "out")))),
            ("half-closed", _child("A", THIS, Child.HALF_CLOSED)),
            ("crossed deletes", all_of(*(_child(end, THIS, Child.HALF_CLOSED) for end in ENDS))),
            ("simultaneous rekey", all_of(*(_child(end, PARENT, Child.CROSSED) for end in ENDS))),
            (
                "made by a rekey, open at both ends, and its parent still there",
                all_of(
                    *(_child(end, PARENT, Child.REPLACED) for end in ENDS),
                    *(_child(end, THIS, Child.OPEN) for end in ENDS),
                ),
            ),
            (
                "rekeyed from both ends while its parent is still there",
                all_of(_child("B", PARENT, Child.REPLACED), *(_child(end, THIS, Child.CROSSED) for end in ENDS)),
            ),
            ("denied before it was known", _child("A", THIS, Child.DENIED)),
        ),
    ),
    Statement(
        "judged-alike",
        "Whether a Child SA outlives the rekey that made it both ends judge alike, on whatever IKE SAs they are",
        "2.8.1",
        JUDGED_SCOPE.title + "; windows of any size",
        lambda rows: build_judgement(JUDGED_SCOPE, rows),
        judged_alike,
        (
            ("kept after a simultaneous rekey", all_of(_child("B", PARENT, Child.CROSSED), is_(KEPT), is_(LINKED))),
            ("dropped after a simultaneous rekey", all_of(_child("A", PARENT, Child.CROSSED), is_(DROPPED))),
            (
                "closed under a rekey that is answered",
                all_of(_child("A", PARENT, Child.ABSENT), is_(f"A>{PARENT}.ans", "OK"), is_(f"A>{PARENT}.new", THIS)),
            ),
        ),
    ),
    Statement(
        "inheritance-of-any-number",
        "IKE SAs rekeyed one after the other hand on every Child SA exactly once",
        "2.8.2",
        LINE_SCOPE.title + "; a successor is rekeyed at any time too; no outgoing half is deferred; window 1",
        lambda rows: build_focus(LINE_SCOPE, without_deferral(rows)),
        inherited_by_all,
        (
            (
                "simultaneous rekey of the IKE SA",
                all_of(is_("A.ike_old.state", Ike.CROSSED), is_("B.ike_old.state", Ike.CROSSED)),
            ),
            (
                "three IKE SAs",
                all_of(
                    *(is_(f"{end}.ike_old.state", Ike.REPLACED) for end in ENDS),
                    *(isnt(f"{end}.ike_{slot}.state", Ike.IDLE, Ike.CLOSED) for end in ENDS for slot in "ab"),
                ),
            ),
            (
                "inherited by the peer's IKE SA",
                all_of(is_("A.child_this.on_b"), is_("B.child_this.on_b"), is_("A.ike_old.state", Ike.CLOSED)),
            ),
            (
                "a successor rekeyed while the old IKE SA is still there",
                all_of(is_("A.ike_old.state", Ike.REPLACED), is_("A.ike_a.state", Ike.REKEYING)),
            ),
            (
                "deletes of the IKE SA cross",
                all_of(*(is_(f"{end}.ike_old.state", Ike.DELETING) for end in ENDS)),
            ),
            (
                "a Child SA rekeyed at one end, its IKE SA at the other",
                all_of(is_("A.child_this.state", Child.REKEYING), is_("B.ike_old.state", Ike.REKEYING)),
            ),
        ),
    ),
)
BY_ID: dict[str, Statement] = {each.id: each for each in STATEMENTS}
