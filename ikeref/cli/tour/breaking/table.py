"""The rules that can be broken, each with what becomes of it (Sections 1.2 to 2.25).

A break has up to two halves. The first is a change of the rows: a search of the model shows the shortest run in which
a property falls, or z3 the sentence of the RFC that the rows don't keep any more. The second is a change of the real
code, one of `ikeref_properties.mutants`: it runs the same schedule, and the checks of the tour say what failed.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ikeref_properties.mutants_rows import Rows, without_guard, without_update

from ikeref.cli.tour.breaking.changes import (
    Seeded,
    answering,
    both_lose,
    forgotten_deletes,
    served_while_closing,
    served_while_rekeying,
    successors_unmoved,
)

AUTHENTICATION, PAIRS, HEIRS, TRAFFIC = (
    "no-child-before-auth",
    "child-sas-in-pairs",
    "inherited-exactly-once",
    "traffic-goes-on",
)
"""Statements of `ikeref_properties.proofs`."""
SENTENCES, LEMMA = "sentences", "message-ids"


class Play(NamedTuple):
    """Something that happens to the real code."""

    end: str
    """`A` or `B`."""
    what: str
    """A command as `tell` knows it, `request` or `response` (the oldest of its kind arrives), or `time` (it passes)."""
    which: str = ""
    """COMMANDS: the Child SA, `old`, or `a` or `b` for one that an exchange of A or B made. ARRIVALS: `again` if the
    network keeps a copy, `kept` for such a copy."""


class Break(NamedTuple):
    """One rule broken."""

    name: str
    what: str
    section: str
    rows: tuple[str, ...]
    """The rows that are broken; the first is the one to read."""
    by: str = ""
    """What of the model falls: a statement, `sentences` or `message-ids`; empty where the rows don't speak of it."""
    broken: Callable[[], Rows] | None = None
    """The broken rows."""
    mutant: str = ""
    """The fault of the code, by its name (`ikeref_properties.mutants.find`); empty if there is none that matches."""
    differs: str = ""
    """How the fault of the code is not quite that of the rows."""
    plays: tuple[Play, ...] = ()
    """What happens to the code; empty: the schedule that the model found."""
    lowest: str = ""
    """Whose exchange holds the lowest nonce, where `plays` need it."""
    literal: bool = False
    """The RFC can be read like this."""


A, B = "A", "B"
REQUEST, RESPONSE, TIME = "request", "response", "time"
_REKEY: Final = (Play(A, "rekey child", "old"), Play(B, REQUEST), Play(A, RESPONSE), Play(B, REQUEST))
_CROSSED: Final = (
    Play(A, "rekey child", "old"),
    Play(B, "rekey child", "old"),
    Play(A, REQUEST, "REKEY_CHILD"),
    Play(B, REQUEST, "REKEY_CHILD"),
)

BREAKS: Final[tuple[Break, ...]] = (
    # Authentication and order
    Break(
        "believe-anybody",
        "AUTH is not verified: whoever answers is believed",
        "2.15",
        ("auth.request.accept", "auth.response.ok"),
        AUTHENTICATION,
        Seeded("auth.unchecked.responder"),
        "believe any AUTH",
        "both ends believe, and their secrets differ",
        (Play(A, "initiate"), Play(B, REQUEST), Play(A, RESPONSE), Play(B, REQUEST), Play(A, RESPONSE)),
    ),
    Break(
        "serve-strangers",
        "CREATE_CHILD_SA is served before IKE_AUTH",
        "1.2",
        ("child.create.request.accept", "order.request.early"),
        AUTHENTICATION,
        Seeded("auth.create.half_open"),
    ),
    # Deletes of a Child SA
    Break(
        "keep-incoming",
        "an end that is asked to delete a Child SA closes only its outgoing half",
        "1.4.1",
        ("child.delete.request",),
        PAIRS,
        Seeded("delete.keeps_incoming"),
        "leave the inbound half",
    ),
    Break(
        "ignore-the-answer",
        "an end that deletes a Child SA does not close its outgoing half when the answer comes",
        "1.4.1",
        ("child.delete.response.ok",),
        PAIRS,
        Seeded("delete.response_ignored"),
        "forget deletes of its own",
        "the code does not take note of the answer at all",
    ),
    Break(
        "half-an-answer",
        "a Delete is answered without the paired Delete",
        "1.4.1",
        ("child.delete.request",),
        SENTENCES,
        answering("child.delete.request", "reply", "EMPTY"),
        "answer a Delete without the paired Delete",
        "",
        (Play(A, "delete child", "old"), Play(B, REQUEST), Play(A, RESPONSE)),
    ),
    Break(
        "forget-own-delete",
        "when Deletes cross, an end answers as if it had sent none",
        "1.4.1",
        ("collision.delete_child.closing",),
        SENTENCES,
        forgotten_deletes,
        "ignore that deletes crossed",
        "",
        (
            Play(A, "delete child", "old"),
            Play(B, "delete child", "old"),
            Play(B, REQUEST),
            Play(A, REQUEST),
            Play(A, RESPONSE),
            Play(B, RESPONSE),
        ),
    ),
    Break(
        "install-what-was-denied",
        "an end installs a Child SA that it has just answered not to have",
        "2.25.1",
        ("collision.delete_child.unborn", "child.create.response.ok"),
        PAIRS,
        Seeded("literal.denied_then_installed"),
        "install what the peer has deleted",
        literal=True,
    ),
    # Rekeys of a Child SA
    Break(
        "both-win",
        "after crossing rekeys each end takes itself for the winner",
        "2.8.1",
        ("child.rekey.response.won", "child.rekey.response.lost"),
        PAIRS,
        Seeded("rekey.both_win"),
        "both win",
    ),
    Break(
        "both-lose",
        "after crossing rekeys each end takes itself for the loser",
        "2.8.1",
        ("child.rekey.response.lost", "child.rekey.response.won"),
        PAIRS,
        both_lose,
        "both lose",
    ),
    Break(
        "compare-what-exists",
        "nonces are compared only if the peer's new Child SA still exists",
        "2.8.1",
        ("child.rekey.response.lost", "child.rekey.response.won", "collision.rekey_child.rekeying"),
        PAIRS,
        Seeded("literal.nonces_only_if_it_still_exists"),
        "compare nonces only of what still exists",
        "",
        (
            *_CROSSED,
            Play(B, RESPONSE, "REKEY_CHILD"),
            Play(A, REQUEST, "DELETE_CHILD"),
            Play(B, RESPONSE, "DELETE_CHILD"),
            Play(B, "delete child", "b"),
            Play(A, REQUEST, "DELETE_CHILD"),
            Play(A, RESPONSE, "REKEY_CHILD"),
        ),
        A,
        literal=True,
    ),
    Break(
        "close-too-early",
        "the responder to a rekey closes the old Child SA as soon as it has the new one",
        "2.8",
        ("child.rekey.request.accept",),
        TRAFFIC,
        Seeded("rekey.old_closed_at_once"),
    ),
    Break(
        "never-send",
        "the responder to a rekey installs the incoming half of the new Child SA and never the outgoing one",
        "2.8",
        ("child.delete.request", "child.rekey.request.accept.deferred"),
        PAIRS,
        Seeded("rekey.half_installed"),
        "never open the outbound half",
        "",
        (*_REKEY, Play(A, RESPONSE)),
    ),
    Break(
        "install-what-was-refused",
        "a rekey that got TEMPORARY_FAILURE installs the new Child SA all the same",
        "2.25",
        ("child.rekey.response.temporary",),
        PAIRS,
        Seeded("rekey.refused_but_installed"),
    ),
    Break(
        "rekey-what-is-closing",
        "a rekey of a Child SA that is being deleted is granted",
        "2.25.1",
        ("collision.rekey_child.closing",),
        PAIRS,
        served_while_closing,
        "rekey what is being deleted",
        "the code forgets its own Delete besides",
    ),
    Break(
        "retry-at-once",
        "a rekey that got TEMPORARY_FAILURE is tried again at once",
        "2.25",
        ("child.rekey.response.temporary", "window.retry"),
        "",
        None,
        "retry at once",
        "",
        (
            Play(A, "rekey child", "old"),
            Play(B, "rekey IKE"),
            Play(B, REQUEST),
            Play(A, REQUEST),
            Play(A, RESPONSE),
            Play(B, RESPONSE),
        ),
    ),
    # The IKE SA
    Break(
        "rekey-while-busy",
        "a rekey of the IKE SA is granted while a Child SA exchange of one's own is outstanding",
        "2.25.1",
        ("collision.rekey_ike.child_busy",),
        HEIRS,
        Seeded("literal.rekey_while_busy"),
        "let an IKE SA rekey overtake Child SA exchanges",
        literal=True,
    ),
    Break(
        "create-while-rekeying",
        "a new Child SA is granted on an IKE SA that is being rekeyed",
        "2.25.2",
        ("collision.create_child.ike_rekeying",),
        SENTENCES,
        served_while_rekeying,
        "create Child SAs while rekeying the IKE SA",
        "",
        (
            Play(A, "rekey IKE"),
            Play(B, "create child"),
            Play(A, REQUEST),
            Play(B, REQUEST),
            Play(B, RESPONSE),
            Play(A, RESPONSE),
        ),
    ),
    Break(
        "delete-too-early",
        "the winner deletes the old IKE SA while the loser's redundant one still stands",
        "2.8.2",
        ("ike.delete.send.due",),
        HEIRS,
        Seeded("literal.orphan_ike"),
        "delete the old IKE SA at once",
        literal=True,
    ),
    Break(
        "lose-the-children",
        "a Delete of the old IKE SA ends its Child SAs, although the peer's successor exists already",
        "2.8.2",
        ("collision.delete_ike.rekeying.crossed",),
        HEIRS,
        Seeded("literal.delete_ends_children"),
        "lose what the peer inherited",
        literal=True,
    ),
    Break(
        "rekey-an-undecided-heir",
        "an IKE SA is rekeyed before it is known whether it inherits",
        "2.8.2",
        ("collision.rekey_ike.undecided", "ike.rekey.send"),
        "network",
        successors_unmoved,
        literal=True,
    ),
    Break(
        "forget-the-children",
        "the successor of an IKE SA does not inherit its Child SAs at the end that answered",
        "2.8",
        ("ike.rekey.request.accept",),
        HEIRS,
        Seeded("inherit.lost"),
        "lose Child SAs in a rekey of the IKE SA",
        "the code loses them at both ends",
    ),
    Break(
        "inherit-twice",
        "the old IKE SA keeps its Child SAs when its successor inherits them",
        "2.8",
        ("ike.rekey.response.ok",),
        HEIRS,
        Seeded("inherit.doubled"),
    ),
    Break(
        "wrong-heir",
        "the loser of crossing rekeys of the IKE SA keeps the Child SAs on its own successor",
        "2.8.2",
        ("ike.rekey.response.lost",),
        HEIRS,
        Seeded("inherit.wrong_heir"),
    ),
    Break(
        "inherit-too-early",
        "when rekeys of the IKE SA cross, the peer's successor inherits before nonces are compared",
        "2.8.2",
        ("collision.rekey_ike.rekeying",),
        HEIRS,
        Seeded("inherit.too_early"),
    ),
    Break(
        "wrong-messenger",
        "a Child SA is deleted over an IKE SA that does not control it",
        "1.4",
        ("child.delete.send",),
        HEIRS,
        Seeded("inherit.delete_on_wrong_ike"),
    ),
    Break(
        "outlive-the-ike-sa",
        "Child SAs stay when their IKE SA is deleted",
        "1.4.1",
        ("ike.delete.request",),
        HEIRS,
        lambda: without_update("ike.delete.request", "each.state", "each.in", "each.out", "each.on_any"),
        "keep Child SAs of a closed IKE SA",
    ),
    # Message IDs, window, retransmission
    Break(
        "two-at-a-time",
        "a second request is sent while one is outstanding",
        "2.3",
        ("ike.rekey.send",),
        LEMMA,
        lambda: without_guard("ike.rekey.send", "ike.own"),
    ),
    Break(
        "answer-twice",
        "a request that comes again is processed again",
        "2.1",
        ("window.request.replay",),
        SENTENCES,
        answering("window.request.replay", "reply", "OK"),
        "process requests again",
        "",
        (Play(A, "create child"), Play(B, REQUEST, "again"), Play(B, REQUEST, "kept"), Play(A, RESPONSE)),
    ),
    Break(
        "stay-silent",
        "a request that comes again gets no answer",
        "2.1",
        ("window.request.replay",),
        SENTENCES,
        answering("window.request.replay", "nothing"),
        "answer no retransmission",
        "",
        (
            Play(A, "liveness"),
            Play(B, REQUEST, "again"),
            Play(A, "lose"),
            Play(B, REQUEST, "kept"),
        ),
    ),
    Break(
        "take-any-response",
        "a response is taken for the outstanding request whatever its Message ID",
        "2.2",
        ("window.response.unexpected",),
        "",
        None,
        "accept any response",
        "",
        (
            Play(A, "liveness"),
            Play(B, REQUEST),
            Play(A, RESPONSE, "again"),
            Play(A, "delete child", "old"),
            Play(A, RESPONSE, "kept"),
        ),
    ),
    Break(
        "encrypt-anew",
        "a retransmission is encrypted anew",
        "2.1",
        ("window.retransmit",),
        "",
        None,
        "encrypt retransmissions anew",
        "",
        (Play(A, "liveness"), Play(B, "lose"), Play(A, TIME)),
    ),
    Break(
        "one-message-id",
        "the Message ID does not rise",
        "2.2",
        ("liveness.send",),
        "",
        None,
        "stop counting",
        "",
        (Play(A, "liveness"), Play(B, REQUEST), Play(A, RESPONSE), Play(A, "liveness")),
    ),
    # What the rows don't speak of
    Break(
        "one-nonce",
        "an end uses one nonce in every exchange",
        "2.10",
        ("child.create.send",),
        "",
        None,
        "reuse the nonce",
        "",
        (
            Play(A, "create child"),
            Play(B, REQUEST),
            Play(A, RESPONSE),
            Play(A, "rekey child", "old"),
            Play(B, REQUEST),
        ),
    ),
    Break(
        "one-iv",
        "an end uses one IV for all its messages",
        "3.14",
        ("liveness.send",),
        "",
        None,
        "use one IV",
        "",
        (Play(A, "liveness"), Play(B, REQUEST), Play(A, RESPONSE)),
    ),
    Break(
        "swap-the-keys",
        "the keys of the two directions of a Child SA are taken for each other",
        "2.17",
        ("child.create.request.accept",),
        "",
        None,
        "mistake the directions of keys",
        "",
        (Play(A, "create child"), Play(B, REQUEST), Play(A, RESPONSE)),
    ),
)
BY_BREAK: Final[dict[str, Break]] = {each.name: each for each in BREAKS}
