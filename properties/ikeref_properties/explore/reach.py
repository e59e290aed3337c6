"""Which rows exploration does not take, and why; which allowed answers the code never gives (docs/departures.md)."""

from ikeref_model.rows import Row

_REASONS: tuple[tuple[str, str], ...] = (
    (
        "neither end sends what is badly formed or out of place; tests of hostile input take it",
        "init.request.malformed init.request.malformed.critical auth.request.malformed auth.request.malformed.critical "
        "order.request.early order.request.again order.request.half_open order.request.unknown "
        "window.request.outside window.request.outside.report liveness.request.failure_report "
        "error.request.malformed error.request.malformed.critical error.response.malformed input.dropped "
        "init.response.unacceptable init.response.unacceptable.give_up child.delete.response.failed",
    ),
    (
        "no policy of these ends answers so; random walks and tests of the first exchanges take it",
        "init.response.cookie.enough init.response.invalid_ke.enough init.response.error init.response.error.give_up "
        "init.request.refuse auth.response.unverified auth.response.unverified.report auth.response.unverified.delete "
        "auth.reported",
    ),
    (
        "no end proves itself by EAP here; random walks with EAP take it",
        "init.response.ok.eap eap.response.begin eap.response.round eap.response.abandon eap.response.abandon.report "
        "eap.response.success.unfinished eap.response.success eap.response.failure eap.response.early "
        "eap.response.success.early eap.response.unasked eap.request.begin eap.request.unwanted eap.request.round "
        "eap.request.success eap.request.failure eap.request.report eap.request.early eap.request.late",
    ),
    (
        "SAs have no lifetimes here; tests of lifetimes take it",
        "lifetime.soft lifetime.ike lifetime.ike.crossed lifetime.ike.nothing lifetime.child lifetime.child.delete "
        "lifetime.child.later lifetime.child.under_way lifetime.child.nothing",
    ),
    ("Message IDs stay small", "window.used_up window.used_up.crossed window.used_up.nothing"),
    (
        "no timer runs where there is nothing to wait for",
        "window.retransmit.nothing window.give_up.nothing half_open.expire.over",
    ),
    (
        "the window is announced once, in IKE_AUTH or after a rekey of the IKE SA",
        "window.announce.smaller window.announce.early window.announced.smaller window.announced.early",
    ),
    (
        "that an outbound direction opens later is folded into the row that opens both (`refinement.step`)",
        "child.rekey.request.accept.deferred collision.rekey_child.rekeying.deferred child.ready child.ready.nothing",
    ),
    (
        "neither end loses a Child SA; the path rekey-child-not-found takes it",
        "child.rekey.response.not_found child.rekey.response.not_found.crossed child.rekey.response.not_found.ignored",
    ),
    (
        "neither end rekeys an SA that it is rekeying, has rekeyed, or is about to inherit",
        "collision.rekey_child.replaced collision.rekey_child.crossed collision.rekey_ike.crossed "
        "collision.rekey_ike.undecided",
    ),
    (
        "both ends have one policy, and accept what they are answered; random walks of others take it",
        "child.create.response.unacceptable auth.response.unacceptable",
    ),
    ("a Child SA that is new has a name that is new", "collision.create_child.known"),
    (
        "responses are kept as long as they may be asked for; none is too old",
        "window.request.replay.forgotten closed.request.replay.forgotten",
    ),
    (
        "what is so old is tried in every state, and not put to the rows; random walks take it",
        "window.request.below closed.request.new closed.request.init",
    ),
    (
        "INITIAL_CONTACT comes with a new IKE SA of the same identities; tests of restarts take it",
        "contact.initial.ignored contact.initial.of_others contact.initial.nothing",
    ),
    (
        "who gives up a peer amid crossing rekeys needs more than one command",
        "ike.give_up.crossed ike.give_up.crossed.all",
    ),
    ("each datagram is for the end that it is sent to", "input.misdirected"),
)
NOT_TAKEN: dict[str, str] = {name: why for why, names in _REASONS for name in names.split()}
"""Rows that exploration does not take, and why. All others are taken: a test compares."""


def reason(row: Row) -> str:
    """Why exploration does not take a row; empty if it does."""
    return NOT_TAKEN.get(row.name, "")


_OTHER_ANSWER = "another of the answers that the RFC allows is given"
_POLICY = "no policy of the explored ends refuses so; tests of negotiation do"
NOT_MADE: dict[tuple[str, str], str] = {
    ("child.create.request.refuse", "reply REFUSED"): _POLICY,
    ("child.create.request.refuse", "reply TEMPORARY_FAILURE"): _OTHER_ANSWER,
    ("child.rekey.request.refuse", "reply NO_ADDITIONAL_SAS"): "a rekey adds no Child SA (Section 2.8)",
    ("child.rekey.request.refuse", "reply REFUSED"): _POLICY,
    ("ike.rekey.request.refuse", "reply NO_ADDITIONAL_SAS"): _OTHER_ANSWER,
    ("ike.rekey.request.refuse", "reply REFUSED"): _POLICY,
    ("collision.create_child.ike_ending", "reply NO_ADDITIONAL_SAS"): _OTHER_ANSWER,
    ("collision.create_child.ike_ending", "reply REFUSED"): _OTHER_ANSWER,
    ("collision.rekey_child.ike_ending", "reply NO_ADDITIONAL_SAS"): _OTHER_ANSWER,
    ("collision.rekey_child.ike_ending", "reply REFUSED"): _OTHER_ANSWER,
    ("liveness.request", "reply REFUSED"): "INFORMATIONAL is answered with what it asks for, or empty",
    ("window.request.replay.closed", "nothing"): "the last response is kept for a while",
}
"""Allowed answers, of rows that exploration takes, that the code never gives there."""
