"""What an end may do although the tables say otherwise: a SHOULD that it does not follow, a silence that it fills
differently.

Nothing is proved about these rows; some of them break a property (docs/silences.md). A monitor of a foreign
implementation uses them, so that no legal choice is called a violation; `variant` says why a row stands here.
"""

from ikeref_model.child import ANSWERED
from ikeref_model.collisions import GONE, REKEYING_IKE
from ikeref_model.events import Kind, Outcome
from ikeref_model.ike_rekey import BUSY_WITH_CHILD, HEIR_THEIRS, UNDECIDED
from ikeref_model.rows import LIVE, Row, handed_over, opened, reply, request, response, row, send
from ikeref_model.state import Child, Ike
from ikeref_model.terms import all_of, any_of, is_, isnt

REFUSE = reply(Outcome.REFUSED, Outcome.NO_ADDITIONAL_SAS)
SHOULD = "does not follow a SHOULD"
SILENT = "fills a silence differently"

RELAXED: tuple[Row, ...] = (
    row(
        "relaxed.rekey_child.closing",
        (Child.DELETING, Child.HALF_CLOSED),
        request(Kind.REKEY_CHILD),
        guard=is_("ike.state", *LIVE),
        answers=REFUSE | reply(Outcome.CHILD_SA_NOT_FOUND),
        variant=SHOULD,
        section="2.25.1",
        level="SHOULD",
        ids=("7296-2.25.1-01",),
    ),
    row(
        "relaxed.rekey_child.absent",
        GONE,
        request(Kind.REKEY_CHILD),
        guard=is_("ike.state", *LIVE),
        answers=REFUSE | reply(Outcome.TEMPORARY_FAILURE),
        variant=SHOULD,
        section="2.25.1",
        level="SHOULD",
        ids=("7296-2.25.1-04",),
    ),
    row(
        "relaxed.rekey_child.replaced",
        (Child.REPLACED, Child.CROSSED),
        request(Kind.REKEY_CHILD),
        guard=is_("ike.state", *LIVE),
        answers=REFUSE | reply(Outcome.CHILD_SA_NOT_FOUND),
        variant=SILENT,
        section="2.25.1",
        level="silent",
        ids=("7296-2.25.1-01",),
    ),
    row(
        "relaxed.rekey_child.ike_rekeying",
        (Child.OPEN, Child.REPLACED, *GONE),
        request(Kind.REKEY_CHILD),
        guard=REKEYING_IKE,
        answers=REFUSE,
        variant=SHOULD,
        section="2.25.2",
        level="SHOULD",
        ids=("7296-2.25.2-06",),
    ),
    row(
        "relaxed.rekey_child.ike_rekeying.accept",
        Child.OPEN,
        request(Kind.REKEY_CHILD),
        guard=REKEYING_IKE,
        to=Child.REPLACED,
        set=opened("child_theirs"),
        answers=reply(Outcome.OK),
        variant=SHOULD,
        section="2.25.2",
        level="SHOULD",
        ids=("7296-2.25.2-06",),
    ),
    row(
        "relaxed.create_child.ike_rekeying",
        Child.ABSENT,
        request(Kind.CREATE_CHILD),
        guard=REKEYING_IKE,
        answers=REFUSE,
        variant=SHOULD,
        section="2.25.2",
        level="SHOULD",
        ids=("7296-2.25.2-06",),
    ),
    row(
        "relaxed.create_child.ike_rekeying.accept",
        Child.ABSENT,
        request(Kind.CREATE_CHILD),
        guard=REKEYING_IKE,
        set=opened("child"),
        answers=reply(Outcome.OK),
        variant=SHOULD,
        section="2.25.2",
        level="SHOULD",
        ids=("7296-2.25.2-06",),
    ),
    row(
        "relaxed.rekey_ike.refuse",
        (Ike.ESTABLISHED, Ike.REKEYING, Ike.CROSSED, Ike.REPLACED, Ike.DELETING),
        request(Kind.REKEY_IKE),
        guard=any_of(BUSY_WITH_CHILD, isnt("ike.state", Ike.ESTABLISHED, Ike.REKEYING)),
        answers=REFUSE,
        variant=SHOULD,
        section="2.25.2",
        level="SHOULD",
        ids=("7296-2.25.2-03", "7296-2.25.1-08"),
    ),
    row(
        "relaxed.rekey_ike.child_busy.accept",
        Ike.ESTABLISHED,
        request(Kind.REKEY_IKE),
        guard=any_of(BUSY_WITH_CHILD, UNDECIDED),
        to=Ike.REPLACED,
        set={**HEIR_THEIRS, **handed_over("theirs")},
        answers=reply(Outcome.OK),
        variant=SHOULD,
        section="2.25.1",
        level="SHOULD",
        ids=("7296-2.25.1-08",),
    ),
    row(
        "relaxed.ike_delete.at_once",
        Ike.REPLACED,
        send(Kind.DELETE_IKE),
        guard=all_of(is_("ike.room"), is_("ike.due"), isnt("ike_theirs.state", Ike.IDLE, Ike.CLOSED)),
        to=Ike.DELETING,
        set={"ike.own": Kind.DELETE_IKE, "ike.due": False},
        variant=SILENT,
        section="2.8",
        level="implied",
        ids=("7296-2.8-10",),
    ),
    row(
        "relaxed.ike_delete.replaced",
        Ike.REPLACED,
        send(Kind.DELETE_IKE),
        guard=all_of(is_("ike.room"), isnt("ike.due")),
        to=Ike.DELETING,
        set={"ike.own": Kind.DELETE_IKE},
        variant=SILENT,
        section="2.8",
        level="silent",
        ids=("7296-2.8-10",),
    ),
    row(
        "relaxed.liveness.replaced",
        Ike.REPLACED,
        send(Kind.LIVENESS),
        guard=is_("ike.room"),
        set={"ike.own": Kind.LIVENESS},
        variant=SILENT,
        section="2.4",
        level="silent",
        ids=("7296-2.4-11",),
    ),
    row(
        "relaxed.child_delete.empty.keep",
        Child.DELETING,
        response(Kind.DELETE_CHILD, Outcome.EMPTY),
        to=Child.REPLACED,
        set={**ANSWERED, "child.in": False},
        variant=SILENT,
        section="1.4.1",
        level="silent",
        ids=("7296-1.4.1-03", "7296-1.4.1-15"),
    ),
)
