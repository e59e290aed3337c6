"""Section 2.25: what a request meets at an end where nothing else is going on.

A retry that finds its end so is answered as the first request would have been: no collision puts it off again. Two ends
that always retry at the same moment may put each other off for ever (`COLLIDE`).
"""

from ikeref_model.check import step_of
from ikeref_model.events import Kind
from ikeref_model.rows import Row, request
from ikeref_model.sentences import Sentence
from ikeref_model.state import NOTHING, Child, Ike
from ikeref_model.system import build, initial
from ikeref_model.tables import ROWS
from ikeref_model.terms import all_of, is_, isnt, no, some_child

from ikeref_properties.proofs.statements import WHOLE_SCOPE
from ikeref_properties.proofs.words import AS_USUAL, CALM, OK, opened

IDLE = all_of(CALM, is_("ike.own", NOTHING))

ALONE: tuple[Sentence, ...] = (
    Sentence(
        "2.25-alone-rekey-child",
        "A rekey of a Child SA that nothing else is going on about can be accepted; only policy refuses it.",
        "2.25",
        ("7296-2.25-03",),
        request(Kind.REKEY_CHILD),
        all_of(IDLE, is_("child.state", Child.OPEN)),
        AS_USUAL,
        some=OK,
        if_answered=OK,
        after=all_of(is_("child.state", Child.REPLACED), is_("child_theirs.in")),
    ),
    Sentence(
        "2.25-alone-create-child",
        "A request for a new Child SA that comes while nothing is going on can be accepted; only policy refuses it.",
        "2.25",
        ("7296-2.25-03",),
        request(Kind.CREATE_CHILD),
        all_of(IDLE, is_("child.state", Child.ABSENT)),
        AS_USUAL,
        some=OK,
        if_answered=OK,
        after=opened("child"),
    ),
    Sentence(
        "2.25-alone-rekey-ike",
        "A rekey of the IKE SA that comes while nothing else is going on can be accepted; only policy refuses it.",
        "2.25",
        ("7296-2.25-03",),
        request(Kind.REKEY_IKE),
        all_of(IDLE, no(some_child(is_("each.due"))), isnt("ike_before.state", Ike.CROSSED)),
        AS_USUAL,
        some=OK,
        if_answered=OK,
        after=all_of(is_("ike.state", Ike.REPLACED), is_("ike_theirs.state", Ike.ESTABLISHED)),
    ),
)

COLLIDE = (
    "A child.rekey.send on old [old]",
    "B ike.rekey.send on old",
    "B collision.rekey_child.ike_rekeying on old [old]: TEMPORARY_FAILURE",
    "A collision.rekey_ike.child_busy on old: TEMPORARY_FAILURE",
    "A child.rekey.response.temporary on old [old]",
    "B ike.rekey.response.temporary on old",
)
"""One end rekeys the Child SA and the other the IKE SA, at the same moment. Both are put off, and as they were before:
without a random wait they may go on so for ever."""


def collides(rows: tuple[Row, ...] = ROWS) -> bool:
    """Whether these steps lead from the start back to the start."""
    system = build(WHOLE_SCOPE, rows)
    named = {step.name: step for step in system.steps}
    state = start = initial(system)
    for name in COLLIDE:
        after = step_of(named[name], state) if name in named else None
        if after is None:
            return False
        state = after
    return state == start
