"""Words that the sentences share: situations of an end, and answers."""

from ikeref_model.events import Kind, Outcome
from ikeref_model.rows import LIVE, REFUSALS
from ikeref_model.sentences import reply_of
from ikeref_model.state import Child, Ike
from ikeref_model.terms import Term, all_of, any_of, is_, isnt, some_child

ALIVE = is_("ike.state", *LIVE)
CALM = is_("ike.state", Ike.ESTABLISHED)
CLOSING = is_("child.state", Child.DELETING, Child.HALF_CLOSED)
MISSING = is_("child.state", Child.ABSENT, Child.REKEYING_GONE, Child.CROSSED_GONE)
"""Never created, or deleted meanwhile."""
ASKED_FOR = is_("ike.own", Kind.CREATE_CHILD, Kind.REKEY_CHILD)
"""It may be the one that this end has asked for, which the peer knows of already."""
CHILD_WORK = any_of(is_("ike.own", Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD), some_child(is_("each.due")))
IKE_REKEY = is_("ike.state", Ike.REKEYING, Ike.CROSSED)
SHUT = all_of(isnt("child.in"), isnt("child.out"))
ALL_SHUT = all_of(isnt("each.in"), isnt("each.out"), is_("each.state", Child.ABSENT))
TEMPORARY = reply_of(Outcome.TEMPORARY_FAILURE)
NOT_FOUND = reply_of(Outcome.CHILD_SA_NOT_FOUND)
AS_USUAL = reply_of(Outcome.OK, *REFUSALS)
"""What a responder may answer to CREATE_CHILD_SA where nothing collides: its policy decides."""
OK, EMPTY = reply_of(Outcome.OK), reply_of(Outcome.EMPTY)
LATER = tuple(kind for kind in Kind if kind not in (Kind.IKE_SA_INIT, Kind.IKE_AUTH))
EVERY_STATE = is_("ike.state", *Ike)


def opened(scope: str) -> Term:
    """Both directions of a Child SA."""
    return all_of(is_(f"{scope}.in"), is_(f"{scope}.out"))
