"""All episodes, each with the rows that it is there for; and what the code never does.

Every row of the model, and of rows that allow several answers every answer, is taken by an episode or listed in
`ROWS_NOT_TAKEN` or `ANSWERS_NOT_GIVEN`: a choice that was not made. tests/refinement/test_rows_taken.py lets all of
them happen.
"""

from collections.abc import Callable
from typing import NamedTuple

from ikeref_model.rows import Row
from ikeref_model.tables import ROWS

from ikeref_properties.episodes import beginning, crossings, eap, lives, messages
from ikeref_properties.episodes.stage import Stage, Taken

ANY = ""
"""The answer of a row that allows only one."""


class Choice(NamedTuple):
    """Something that the rows allow and the code does not do."""

    section: str
    """Under which docs/departures.md says what is done instead."""
    why: str


class Episode(NamedTuple):
    """A run of two ends."""

    play: Callable[[], Stage]
    section: str
    rows: str
    """Those that it is there for; with `:` and the answer where the row allows several."""

    @property
    def name(self) -> str:
        """As in `cookies without end`."""
        return self.play.__name__.replace("_", " ")

    @property
    def what(self) -> str:
        """What happens, in a sentence."""
        return " ".join((self.play.__doc__ or "").split())

    def wanted(self) -> Taken:
        """The rows that it is there for, and the answers."""
        pairs = (each.partition(":") for each in self.rows.split())
        return frozenset((name, answer) for name, _, answer in pairs)


EPISODES: tuple[Episode, ...] = (
    Episode(
        beginning.cookies_without_end, "2.6", "init.response.cookie init.response.cookie.enough init.request.cookie"
    ),
    Episode(beginning.groups_without_end, "2.21.1", "init.response.invalid_ke init.response.invalid_ke.enough"),
    Episode(beginning.no_proposal_in_common, "2.1", "init.response.error window.retransmit"),
    Episode(beginning.no_answer_for_want_of_room, "2.21", "init.request.refuse:nothing"),
    Episode(beginning.another_suite_than_offered, "2.1", "init.response.unacceptable window.request.replay"),
    Episode(beginning.nothing_left_to_ask_for, "2.1", "init.response.unacceptable.give_up window.retransmit.nothing"),
    Episode(beginning.malformed_first_request, "2.21", "init.request.malformed:nothing"),
    Episode(beginning.critical_first_request, "2.5", "init.request.malformed.critical:UNSUPPORTED_CRITICAL_PAYLOAD"),
    Episode(beginning.critical_first_request_unanswered, "2.5", "init.request.malformed.critical:nothing"),
    Episode(beginning.window_announced_before_authentication, "2.3", "window.announced.early"),
    Episode(
        beginning.responder_unverified,
        "2.21.2",
        "auth.response.unverified.report auth.reported liveness.request.failure_report",
    ),
    Episode(beginning.refused_without_proof, "2.21.2", "auth.response.unverified"),
    Episode(beginning.malformed_auth_request, "2.21.2", "auth.response.failed auth.request.malformed"),
    Episode(beginning.critical_auth_request, "2.21.2", "auth.request.malformed.critical"),
    Episode(beginning.child_answer_unacceptable, "1.3.1", "auth.response.unacceptable"),
    Episode(beginning.request_before_authentication, "1", "order.request.early:nothing"),
    Episode(beginning.first_request_on_a_half_open_ike_sa, "2.1", "order.request.half_open"),
    Episode(beginning.authentication_again, "2.21", "order.request.again.fatal window.response.unexpected"),
    Episode(beginning.first_request_again, "1", "order.request.again:nothing"),
    Episode(beginning.half_open_and_given_up, "2.4", "half_open.expire ike.give_up"),
    Episode(beginning.half_open_no_more, "2.4", "half_open.expire.over"),
    Episode(beginning.retransmission_not_needed, "2.4", "window.give_up.nothing"),
    Episode(eap.eap_succeeds, "2.16", "eap.response.round eap.response.success eap.request.success"),
    Episode(eap.eap_with_a_wrong_password, "2.16", "eap.response.begin eap.request.failure"),
    Episode(eap.eap_where_nobody_expects_it, "2.16", "init.response.ok.eap eap.request.unwanted:AUTHENTICATION_FAILED"),
    Episode(eap.eap_of_nobody, "2.16", "eap.request.unwanted:INVALID_SYNTAX"),
    Episode(eap.responder_of_eap_unverified, "2.21.2", "eap.request.report"),
    Episode(eap.eap_that_does_not_end, "2.16", "eap.response.abandon eap.request.round"),
    Episode(eap.eap_of_another_method_amid_the_first, "2.21.2", "eap.response.abandon.report"),
    Episode(eap.success_amid_the_method, "2.16", "eap.response.success.unfinished"),
    Episode(eap.success_at_once, "2.16", "eap.response.success.early eap.request.begin"),
    Episode(eap.no_eap_at_all, "2.16", "eap.response.early"),
    Episode(eap.eap_unasked, "2.16", "eap.response.unasked"),
    Episode(eap.failure_without_eap, "2.16", "eap.response.failure"),
    Episode(eap.auth_before_success, "2.16", "eap.request.early:AUTHENTICATION_FAILED"),
    Episode(eap.two_auth_before_success, "2.16", "eap.request.early:INVALID_SYNTAX"),
    Episode(eap.eap_after_success, "2.16", "eap.request.late:INVALID_SYNTAX"),
    Episode(messages.malformed_request, "2.21.3", "error.request.malformed"),
    Episode(messages.critical_request, "2.5", "error.request.malformed.critical"),
    Episode(messages.malformed_says_the_peer, "2.21.3", "error.response.malformed"),
    Episode(messages.not_authentic, "2.2", "input.dropped"),
    Episode(messages.delete_refused, "1.4.1", "child.delete.response.failed"),
    Episode(messages.request_with_the_flag_of_the_other_end, "3.1", "input.misdirected:one-way"),
    Episode(messages.response_with_the_flag_of_the_other_end, "3.1", "input.misdirected:nothing"),
    Episode(messages.request_for_no_ike_sa, "2.21.4", "input.unprotected:one-way input.unprotected:nothing"),
    Episode(
        messages.request_for_an_ike_sa_that_never_was,
        "2.21.4",
        "order.request.unknown:one-way order.request.unknown:nothing",
    ),
    Episode(messages.refused_and_again, "2.1", "init.request.refuse:REFUSED window.request.replay.asking:nothing"),
    Episode(messages.request_beyond_the_window, "2.3", "window.request.outside"),
    Episode(messages.request_long_answered, "2.1", "window.request.below:nothing"),
    Episode(
        messages.requests_on_a_closed_ike_sa,
        "2.1",
        "closed.request.new:one-way closed.request.new:nothing closed.request.init "
        "closed.request.delete_again closed.request.replay.forgotten:one-way "
        "closed.request.replay.forgotten:nothing",
    ),
    Episode(
        messages.failed_authentication_again,
        "2.1",
        "auth.request.unverified closed.request.replay:repeat closed.request.replay:nothing",
    ),
    Episode(messages.window_announced_twice, "2.3", "window.announce.smaller"),
    Episode(messages.window_never_shrinks, "2.3", "window.announce window.announced window.announced.smaller"),
    Episode(messages.initial_contact, "2.4", "contact.initial"),
    Episode(messages.initial_contact_that_fails, "2.4", "contact.initial.of_others"),
    Episode(messages.initial_contact_of_another_time, "2.4", "contact.initial.ignored"),
    Episode(messages.initial_contact_and_nothing_to_end, "2.4", "contact.initial.nothing"),
    Episode(messages.message_ids_used_up, "2.2", "window.used_up"),
    Episode(messages.message_ids_used_up_while_rekeys_cross, "2.2", "window.used_up.crossed"),
    Episode(messages.message_ids_of_a_half_open_ike_sa, "2.2", "window.used_up.nothing"),
    Episode(lives.child_not_found, "2.25", "child.rekey.response.not_found"),
    Episode(
        lives.child_not_found_where_rekeys_crossed,
        "2.8",
        "child.rekey.response.not_found.ignored collision.rekey_child.rekeying.deferred",
    ),
    Episode(lives.child_rekeyed_twice_by_the_peer, "2.8.1", "collision.rekey_child.replaced:TEMPORARY_FAILURE"),
    Episode(lives.child_rekeyed_twice_by_the_peer_amid_ours, "2.25.1", "collision.rekey_child.crossed"),
    Episode(lives.child_rekeys_cross_and_wait, "2.8.1", "child.rekey.response.lost"),
    Episode(lives.traffic_on_a_child_that_is_open, "2.8", "child.ready.nothing"),
    Episode(lives.child_answer_unacceptable_later, "1.3.1", "child.create.response.unacceptable"),
    Episode(lives.spi_in_use_already, "2.6", "collision.create_child.known"),
    Episode(lives.child_refused_for_its_group, "1.3", "child.create.request.refuse:INVALID_KE_PAYLOAD"),
    Episode(
        lives.child_refused_for_its_suite, "1.3.1", "child.create.request.refuse:REFUSED child.create.response.failed"
    ),
    Episode(lives.child_refused_for_want_of_room, "1.3", "child.create.request.refuse:NO_ADDITIONAL_SAS"),
    Episode(
        lives.rekeys_refused_for_their_suite,
        "1.3",
        "child.rekey.request.refuse:REFUSED child.rekey.response.failed ike.rekey.request.refuse:REFUSED "
        "ike.rekey.response.failed",
    ),
    Episode(
        lives.rekeys_refused_for_their_group,
        "1.3",
        "init.request.invalid_ke child.rekey.request.refuse:INVALID_KE_PAYLOAD "
        "ike.rekey.request.refuse:INVALID_KE_PAYLOAD",
    ),
    Episode(lives.ike_rekeyed_twice_by_the_peer, "2.8.2", "collision.rekey_ike.replaced"),
    Episode(
        lives.ike_rekeyed_twice_by_the_peer_amid_ours,
        "2.25.2",
        "collision.rekey_ike.rekeying collision.rekey_ike.crossed",
    ),
    Episode(
        lives.successor_rekeyed_before_it_is_decided,
        "2.25",
        "ike.rekey.request.refuse:TEMPORARY_FAILURE collision.rekey_ike.undecided",
    ),
    Episode(
        lives.child_on_a_successor_before_it_is_decided,
        "1.3",
        "child.create.request.refuse:TEMPORARY_FAILURE child.rekey.request.refuse:TEMPORARY_FAILURE",
    ),
    Episode(
        lives.child_on_an_ike_sa_that_ends,
        "2.25.2",
        "child.create.response.temporary collision.create_child.ike_ending:TEMPORARY_FAILURE",
    ),
    Episode(lives.child_rekeyed_on_an_ike_sa_that_ends, "2.25.2", "collision.rekey_child.ike_ending:TEMPORARY_FAILURE"),
    Episode(lives.given_up_while_rekeys_cross, "2.8.2", "ike.give_up.crossed"),
    Episode(lives.time_to_rekey, "2.8", "lifetime.soft"),
    Episode(lives.ike_expires, "2.25", "lifetime.ike window.retry"),
    Episode(lives.ike_expires_while_rekeys_cross, "2.8.2", "lifetime.ike.crossed"),
    Episode(lives.ike_would_expire_that_is_not_up, "2.8", "lifetime.ike.nothing"),
    Episode(lives.child_expires, "2.8", "lifetime.child.delete"),
    Episode(lives.child_expires_while_the_peer_is_silent, "2.8", "lifetime.child"),
    Episode(lives.child_expires_amid_the_delete_of_its_ike_sa, "2.8", "lifetime.child.later"),
    Episode(lives.child_would_expire_that_is_gone, "2.8", "lifetime.child.nothing"),
    Episode(
        crossings.all_goes_well,
        "2.4",
        "init.send init.response.ok auth.response.ok init.request.accept auth.request.accept "
        "child.create.send child.create.request.accept child.create.response.ok child.rekey.send "
        "child.rekey.request.accept.deferred child.rekey.response.ok child.delete.send "
        "child.delete.send.due child.delete.request child.delete.response.ok ike.rekey.send "
        "ike.rekey.request.accept ike.rekey.response.ok ike.delete.send ike.delete.send.due "
        "ike.delete.request ike.delete.response liveness.send liveness.request:OK liveness.response",
    ),
    Episode(crossings.first_child_refused, "2.21.2", "auth.response.childless auth.request.childless:REFUSED"),
    Episode(crossings.group_that_was_not_offered, "2.21.1", "init.response.invalid_ke.not_offered"),
    Episode(crossings.first_request_again_when_up, "2.1", "window.request.replay.init"),
    Episode(crossings.deletes_cross, "1.4.1", "child.delete.response.crossed collision.delete_child.closing"),
    Episode(crossings.delete_answered_empty, "1.4.1", "child.delete.response.empty"),
    Episode(crossings.delete_of_nothing, "2.25.1", "collision.delete_child.absent"),
    Episode(crossings.rekey_of_nothing, "2.25.1", "collision.rekey_child.absent"),
    Episode(
        crossings.delete_overtakes_the_answer_to_a_rekey,
        "2.25.1",
        "child.rekey.response.ok.gone collision.delete_child.rekeying",
    ),
    Episode(
        crossings.rekey_and_delete_cross, "2.25.1", "child.rekey.response.failed.gone collision.rekey_child.closing"
    ),
    Episode(crossings.rekeys_cross_and_one_fails, "2.8.1", "child.rekey.response.failed.crossed"),
    Episode(
        crossings.delete_overtakes_where_rekeys_cross_and_we_lose,
        "2.25.1",
        "child.rekey.response.won child.rekey.response.lost.gone collision.delete_child.rekeying.crossed",
    ),
    Episode(crossings.delete_overtakes_where_rekeys_cross_and_we_win, "2.8.1", "child.rekey.response.won.gone"),
    Episode(
        crossings.delete_of_a_child_that_is_not_known_yet,
        "2.25.1",
        "collision.rekey_child.unborn.wait collision.delete_child.unborn",
    ),
    Episode(crossings.ike_rekeys_cross, "2.8.2", "ike.rekey.response.won ike.rekey.response.lost"),
    Episode(crossings.ike_rekeys_cross_and_one_fails, "2.8", "ike.rekey.response.failed.crossed"),
    Episode(
        crossings.ike_rekeyed_while_a_child_is_created,
        "2.25.2",
        "ike.rekey.response.temporary collision.rekey_ike.child_busy collision.create_child.ike_rekeying",
    ),
    Episode(
        crossings.children_rekeyed_and_deleted_while_the_ike_sa_is_rekeyed,
        "2.25.2",
        "child.rekey.response.temporary collision.rekey_child.ike_rekeying collision.delete_child.ike_rekeying",
    ),
    Episode(
        crossings.ike_rekeyed_while_it_is_deleted, "2.25.2", "collision.rekey_ike.closing collision.delete_ike.rekeying"
    ),
    Episode(crossings.ike_deleted_where_its_rekeys_cross, "2.8.2", "collision.delete_ike.rekeying.crossed"),
    Episode(crossings.ike_deletes_cross, "2.25.2", "collision.delete_ike.closing"),
    Episode(crossings.command_that_waits, "2.3", "window.command.wait"),
)

ROWS_NOT_TAKEN: dict[str, Choice] = {
    "init.response.error.give_up": Choice("2.21.1", "nobody has proved who sent an error: the initiator waits on"),
    "auth.response.unverified.delete": Choice("2.21.2", "the responder is told by a notification, not by a Delete"),
    "child.rekey.request.accept": Choice("2.8", "sending on what replaces a Child SA is always put off"),
    "collision.rekey_child.rekeying": Choice("2.8", "the same where both rekey it"),
    "child.ready": Choice("2.8", "the Delete of the old Child SA tells that the peer has the new one, not its traffic"),
    "child.rekey.response.not_found.crossed": Choice(
        "2.8.1", "the peer's rekey has replaced it: that is left to stand"
    ),
    "ike.give_up.crossed.all": Choice("2.8.2", "the peer's successor inherits"),
    "lifetime.child.under_way": Choice("2.8", "what is being deleted ends with its lifetime, too"),
    "window.request.replay.forgotten": Choice("2.1", "the last responses are kept for as long as the IKE SA is there"),
    "window.request.outside.report": Choice("2.3", "INVALID_MESSAGE_ID is never sent"),
    "window.announce.early": Choice("2.3", "the size is announced once the end has proved who it is, no earlier"),
}
"""Rows that no run of the code takes."""
ANSWERS_NOT_GIVEN: dict[tuple[str, str], Choice] = {
    ("init.request.refuse", "INVALID_SYNTAX"): Choice("3.10.1", "it is sent under protection alone"),
    ("init.request.malformed", "INVALID_SYNTAX"): Choice("3.10.1", "it is sent under protection alone"),
    ("auth.request.childless", "NO_ADDITIONAL_SAS"): Choice("1.3", "a limit does not count for the first Child SA"),
    ("eap.request.late", "AUTHENTICATION_FAILED"): Choice("2.16", "a message without AUTH is badly formed"),
    ("child.rekey.request.refuse", "NO_ADDITIONAL_SAS"): Choice("1.3", "a rekey adds no Child SA"),
    ("ike.rekey.request.refuse", "NO_ADDITIONAL_SAS"): Choice("1.3", "nor an IKE SA"),
    ("collision.create_child.ike_ending", "NO_ADDITIONAL_SAS"): Choice("2.25", "TEMPORARY_FAILURE, as elsewhere"),
    ("collision.create_child.ike_ending", "REFUSED"): Choice("2.25", "TEMPORARY_FAILURE, as elsewhere"),
    ("collision.rekey_child.ike_ending", "NO_ADDITIONAL_SAS"): Choice("2.25", "TEMPORARY_FAILURE, as elsewhere"),
    ("collision.rekey_child.ike_ending", "REFUSED"): Choice("2.25", "TEMPORARY_FAILURE, as elsewhere"),
    ("collision.rekey_child.replaced", "CHILD_SA_NOT_FOUND"): Choice(
        "2.25", "it is still there until its Delete comes"
    ),
    ("order.request.early", "INVALID_SYNTAX"): Choice("1", "it is dropped"),
    ("order.request.early", "REFUSED"): Choice("1", "it is dropped"),
    ("order.request.again", "REFUSED"): Choice("2.21.3", "INVALID_SYNTAX, which is fatal"),
    ("window.request.replay.asking", "repeat"): Choice("2.1", "an answer without state is made anew"),
    ("window.request.below", "repeat"): Choice("2.1", "as many responses are kept as the window has room for"),
    ("liveness.request", "REFUSED"): Choice("1.4", "INFORMATIONAL is answered with what it asks for, or empty"),
}
"""Answers that a row allows and that the code never gives there."""


def pairs(row: Row) -> Taken:
    """The row with each of its answers, if it allows several."""
    if len(row.answers) == 1:
        return frozenset(((row.name, ANY),))
    return frozenset((row.name, each.name or each.what) for each in row.answers)


def not_made() -> dict[tuple[str, str], Choice]:
    """All that the rows allow and the code never does."""
    by_row = {pair: ROWS_NOT_TAKEN[row.name] for row in ROWS if row.name in ROWS_NOT_TAKEN for pair in pairs(row)}
    return by_row | ANSWERS_NOT_GIVEN


SAID_TWICE = {
    ("collision.rekey_ike.undecided", ANY): ("ike.rekey.request.refuse", "TEMPORARY_FAILURE"),
    ("ike.rekey.request.refuse", "TEMPORARY_FAILURE"): ("collision.rekey_ike.undecided", ANY),
    ("lifetime.child.delete", ANY): ("lifetime.child.later", ANY),
}
"""What another row says too, where it is taken: which."""


def without(*left_out: tuple[str, str]) -> tuple[Row, ...]:
    """The rows without some, or without one of their answers."""
    found = []
    for row in ROWS:
        answers = {answer for name, answer in left_out if name == row.name}
        kept = frozenset(each for each in row.answers if (each.name or each.what) not in answers)
        if kept and ANY not in answers:
            found.append(row._replace(answers=kept))
    return tuple(found)


def takes(stage: Stage, pair: tuple[str, str]) -> bool:
    """Whether a row is taken with that answer: without it, the rest of the rows does not allow what was done."""
    if pair not in SAID_TWICE:
        return not stage.allowed_by(without(pair))
    other = SAID_TWICE[pair]
    return not stage.allowed_by(without(pair, other)) and stage.allowed_by(without(other))


def said(stage: Stage) -> Taken:
    """What seems to be taken, in the words of `pairs`."""
    several = {row.name for row in ROWS if len(row.answers) > 1}
    taken = stage.taken()
    return frozenset((name, answer.rpartition(" ")[2] if name in several else ANY) for name, answer in taken)
