"""The end of an IKE SA: rekeyed and inherited, or deleted (Sections 1.3.2, 1.4.1, 2.8, 2.8.2 and 2.18).

The successor inherits the Child SAs at the moment at which an end knows it to be the only one: when the end answers
a rekey and has none of its own outstanding; when the answer to its own arrives; or, if the two crossed, when the
nonces have been compared. The answers to requests that collide with something stand in `collisions`.
"""

from ikeref_model.child import ANSWERED
from ikeref_model.events import Alarm, Kind, Outcome
from ikeref_model.rows import (
    FAILED,
    REFUSALS,
    Row,
    dissolved,
    handed_over,
    reply,
    request,
    response,
    row,
    send,
    timer,
)
from ikeref_model.state import HALF_OPEN, NOTHING, ONE, Ike
from ikeref_model.terms import Pick, Value, all_of, any_of, is_, isnt, no, some_child

CHILD_EXCHANGES = (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD)
BUSY_WITH_CHILD = any_of(is_("ike.own", *CHILD_EXCHANGES), some_child(is_("each.due")))
"""Creating, rekeying or closing a Child SA of that IKE SA (Section 2.25.1); a rekey ends with the Delete of the old
SA."""
UNDECIDED = is_("ike_before.state", Ike.CROSSED)
"""It is one of two successors, and this end does not know yet which of them inherits (docs/silences.md)."""


def window_of_one(heir: str) -> dict[str, Value | Pick]:
    """The updates by which an IKE SA made by a rekey begins with windows of 1, whatever the old one had (Section
    2.3)."""
    return {f"{heir}.window": ONE, f"{heir}.peer_window": ONE}


HEIR_MINE: dict[str, Value | Pick] = {
    "ike_mine.state": Ike.ESTABLISHED,
    "ike_mine.verified": True,
    "ike_mine.original": True,
    **window_of_one("ike_mine"),
}
HEIR_THEIRS: dict[str, Value | Pick] = {
    "ike_theirs.state": Ike.ESTABLISHED,
    "ike_theirs.verified": True,
    "ike_theirs.original": False,
    **window_of_one("ike_theirs"),
}
"""Whoever begins the rekey is the original initiator of the IKE SA that it makes (Section 2.2)."""

IKE_REKEY: tuple[Row, ...] = (
    row(
        "ike.rekey.send",
        Ike.ESTABLISHED,
        send(Kind.REKEY_IKE),
        guard=all_of(is_("ike.own", NOTHING), isnt("ike.due"), no(UNDECIDED)),
        to=Ike.REKEYING,
        set={"ike.own": Kind.REKEY_IKE},
        section="1.3.2",
        level="implied",
        ids=("7296-1.3.2-01", "7296-1.3.2-02", "7296-1.3.2-04"),
    ),
    row(
        "ike.rekey.request.accept",
        Ike.ESTABLISHED,
        request(Kind.REKEY_IKE),
        guard=all_of(no(BUSY_WITH_CHILD), no(UNDECIDED)),
        to=Ike.REPLACED,
        set={**HEIR_THEIRS, **handed_over("theirs")},
        answers=reply(Outcome.OK),
        choice="policy",
        section="2.8",
        level="implied",
        ids=(
            "7296-2.8-09",
            "7296-1.3.2-05",
            "7296-1.3.2-06",
            "7296-1.3.2-09",
            "7296-1.3.2-08",
            "7296-2.2-04",
            "7296-2.3-14",
        ),
    ),
    row(
        "ike.rekey.request.refuse",
        (Ike.ESTABLISHED, Ike.REKEYING),
        request(Kind.REKEY_IKE),
        guard=no(BUSY_WITH_CHILD),
        answers=reply(*REFUSALS),
        choice="policy",
        section="1.3",
        level="MAY",
        ids=("7296-1.3-04", "7296-1.3-09", "7296-1.3-12", "7296-2.18-07"),
    ),
    row(
        "ike.rekey.response.ok",
        Ike.REKEYING,
        response(Kind.REKEY_IKE, Outcome.OK),
        to=Ike.REPLACED,
        set={**ANSWERED, "ike.due": True, **HEIR_MINE, **handed_over("mine")},
        section="2.8",
        level="implied",
        ids=(
            "7296-2.8-09",
            "7296-2.8-10",
            "7296-1.3.2-06",
            "7296-1.3.2-09",
            "7296-1.3.2-08",
            "7296-2.2-04",
            "7296-2.3-14",
        ),
    ),
    row(
        "ike.rekey.response.won",
        Ike.CROSSED,
        response(Kind.REKEY_IKE, Outcome.OK),
        guard=isnt("fact.lowest_is_mine"),
        to=Ike.REPLACED,
        set={
            **ANSWERED,
            "ike.due": True,
            **HEIR_MINE,
            "ike_theirs.state": Pick(is_("ike_theirs.state", Ike.ESTABLISHED), Ike.REPLACED, None),
            **handed_over("mine"),
        },
        section="2.8.2",
        level="MUST",
        ids=("7296-2.8.2-02", "7296-2.8.2-01", "7296-2.25.2-02"),
    ),
    row(
        "ike.rekey.response.lost",
        Ike.CROSSED,
        response(Kind.REKEY_IKE, Outcome.OK),
        guard=is_("fact.lowest_is_mine"),
        to=Ike.REPLACED,
        set={
            **ANSWERED,
            "ike_mine.state": Ike.REPLACED,
            "ike_mine.verified": True,
            "ike_mine.original": True,
            "ike_mine.due": True,
            **window_of_one("ike_mine"),
            **handed_over("theirs"),
        },
        section="2.8.2",
        level="MUST",
        ids=("7296-2.8.2-02", "7296-2.8.2-01", "7296-2.25.2-02"),
    ),
    row(
        "ike.rekey.response.failed",
        Ike.REKEYING,
        response(Kind.REKEY_IKE, *(FAILED - {Outcome.TEMPORARY_FAILURE}), Outcome.CHILD_SA_NOT_FOUND),
        to=Ike.ESTABLISHED,
        set=ANSWERED,
        section="1.3",
        level="implied",
        ids=("7296-1.3-11", "7296-1.3-12", "7296-2.8-05"),
    ),
    row(
        "ike.rekey.response.temporary",
        Ike.REKEYING,
        response(Kind.REKEY_IKE, Outcome.TEMPORARY_FAILURE),
        to=Ike.ESTABLISHED,
        set=ANSWERED,
        section="2.25",
        level="MUST",
        ids=("7296-2.25-03", "7296-2.25-04", "7296-2.25-05"),
    ),
    row(
        "ike.rekey.response.failed.crossed",
        Ike.CROSSED,
        response(Kind.REKEY_IKE, *FAILED, Outcome.CHILD_SA_NOT_FOUND),
        to=Ike.REPLACED,
        set={**ANSWERED, **handed_over("theirs")},
        section="2.8",
        level="implied",
        ids=("7296-2.8-09", "7296-2.25-03"),
    ),
)

IKE_DELETE: tuple[Row, ...] = (
    row(
        "ike.delete.send",
        Ike.ESTABLISHED,
        send(Kind.DELETE_IKE),
        guard=is_("ike.own", NOTHING),
        to=Ike.DELETING,
        set={"ike.own": Kind.DELETE_IKE},
        section="1.4.1",
        level="SHOULD",
        ids=("7296-2.4-26", "7296-1.4.1-16", "7296-2.4-25", "7296-2.21.2-11", "7296-2.21.3-03", "7296-2.25-06"),
    ),
    row(
        "ike.delete.send.due",
        Ike.REPLACED,
        send(Kind.DELETE_IKE),
        guard=all_of(is_("ike.own", NOTHING), is_("ike.due"), is_("ike_theirs.state", Ike.IDLE, Ike.CLOSED)),
        to=Ike.DELETING,
        set={"ike.own": Kind.DELETE_IKE, "ike.due": False},
        section="2.8",
        level="MUST",
        ids=("7296-2.8-10", "7296-2.8-11", "7296-2.8.2-01", "7296-1.3.2-07"),
    ),
    row(
        "ike.delete.request",
        (Ike.ESTABLISHED, Ike.REPLACED),
        request(Kind.DELETE_IKE),
        to=Ike.CLOSED,
        set={"ike.own": NOTHING, "ike.due": False, **dissolved()},
        answers=reply(Outcome.EMPTY),
        section="1.4.1",
        level="implied",
        ids=("7296-1.4.1-11", "7296-1.4.1-12", "7296-1.4-05"),
    ),
    row(
        "ike.delete.response",
        Ike.DELETING,
        response(Kind.DELETE_IKE, *Outcome),
        to=Ike.CLOSED,
        set={**ANSWERED, **dissolved()},
        section="1.4.1",
        level="implied",
        ids=("7296-1.4.1-11",),
    ),
    row(
        "ike.give_up",
        tuple(state for state in Ike if state not in (Ike.IDLE, *HALF_OPEN, Ike.CROSSED, Ike.CLOSED)),
        timer(Alarm.GIVE_UP),
        guard=isnt("ike.own", NOTHING),
        to=Ike.CLOSED,
        set={"ike.own": NOTHING, "ike.due": False, **dissolved()},
        section="2.4",
        level="MUST",
        ids=("7296-2.4-09", "7296-2.4-22", "7296-2.1-10", "7296-1-05"),
    ),
    row(
        "ike.give_up.crossed",
        Ike.CROSSED,
        timer(Alarm.GIVE_UP),
        to=Ike.CLOSED,
        set={"ike.own": NOTHING, "ike.due": False, **handed_over("theirs")},
        choice="who inherits",
        section="2.8.2",
        level="MUST",
        ids=("7296-2.8.2-02", "7296-2.8-09", "7296-2.4-09"),
    ),
    row(
        "ike.give_up.crossed.all",
        Ike.CROSSED,
        timer(Alarm.GIVE_UP),
        to=Ike.CLOSED,
        set={"ike.own": NOTHING, "ike.due": False, **dissolved()},
        choice="who inherits",
        section="2.1",
        level="implied",
        ids=("7296-2.1-10", "7296-2.4-22"),
    ),
)

IKE_LIFE: tuple[Row, ...] = IKE_REKEY + IKE_DELETE
