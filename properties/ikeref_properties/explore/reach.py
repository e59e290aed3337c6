"""Which rows exploration does not take, and why. Who does take them: docs/taken.md, by `ikeref_properties.episodes`."""

from ikeref_model.rows import Row

_REASONS: tuple[tuple[str, str], ...] = (
    (
        "neither end sends what is badly formed or out of place",
        "init.request.malformed init.request.malformed.critical auth.request.malformed auth.request.malformed.critical "
        "order.request.again.fatal order.request.early order.request.again order.request.half_open "
        "order.request.unknown window.request.outside window.request.outside.report liveness.request.failure_report "
        "error.request.malformed error.request.malformed.critical error.response.malformed input.dropped "
        "init.response.unacceptable init.response.unacceptable.give_up child.delete.response.failed",
    ),
    (
        "no policy of these ends answers so",
        "init.response.cookie.enough init.response.invalid_ke.enough init.response.error init.response.error.give_up "
        "init.request.refuse auth.response.unverified auth.response.unverified.report auth.response.unverified.delete "
        "auth.reported",
    ),
    (
        "no end proves itself by EAP here",
        "init.response.ok.eap eap.response.begin eap.response.round eap.response.abandon eap.response.abandon.report "
        "eap.response.success.unfinished eap.response.success eap.response.failure eap.response.early "
        "eap.response.success.early eap.response.unasked eap.request.begin eap.request.unwanted eap.request.round "
        "eap.request.success eap.request.failure eap.request.report eap.request.early eap.request.late",
    ),
    (
        "SAs have no lifetimes here",
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
        "neither end loses a Child SA",
        "child.rekey.response.not_found child.rekey.response.not_found.crossed child.rekey.response.not_found.ignored",
    ),
    (
        "neither end rekeys an SA that it is rekeying, has rekeyed, or is about to inherit",
        "collision.rekey_child.replaced collision.rekey_child.crossed collision.rekey_ike.crossed "
        "collision.rekey_ike.undecided",
    ),
    (
        "both ends have one policy, and accept what they are answered",
        "child.create.response.unacceptable auth.response.unacceptable",
    ),
    ("a Child SA that is new has a name that is new", "collision.create_child.known"),
    (
        "responses are kept as long as they may be asked for; none is too old",
        "window.request.replay.forgotten closed.request.replay.forgotten",
    ),
    (
        "what is so old is tried in every state, and not put to the rows",
        "window.request.below closed.request.new closed.request.init",
    ),
    (
        "INITIAL_CONTACT comes with a new IKE SA of the same identities",
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
