"""What the RFC says of one end, sentence by sentence, in terms of the model's variables: Sections 1 to 1.4, 2.1 to 2.6
and 2.21; with those on collisions and rekeys. `ikeref_model.sentences` holds each against all rows.
"""

from ikeref_model.events import Alarm, Input, Kind, Outcome
from ikeref_model.rows import LIVE, NOTHING_SENT, On, arrives, request, response, timer
from ikeref_model.sentences import Sentence, replies, reply_of, sending
from ikeref_model.state import NOTHING, Child, Ike
from ikeref_model.terms import all_of, any_of, is_, isnt

from ikeref_properties.proofs.alone import ALONE
from ikeref_properties.proofs.collisions import SECTION_2_25_1, SECTION_2_25_2
from ikeref_properties.proofs.eap import EAP
from ikeref_properties.proofs.lifetimes import LIFETIMES, ORIGINAL_INITIATOR
from ikeref_properties.proofs.order import ORDER
from ikeref_properties.proofs.rekeys import REKEYS
from ikeref_properties.proofs.windows import WINDOW
from ikeref_properties.proofs.words import ALIVE, ALL_SHUT, EMPTY, LATER

ENDINGS: tuple[Sentence, ...] = (
    Sentence(
        "1.4.1-delete-ike",
        "A request to delete the IKE SA closes it with all its Child SAs; the response is empty.",
        "1.4.1",
        ("7296-1.4.1-11", "7296-1.4.1-12"),
        request(Kind.DELETE_IKE),
        all_of(ALIVE, isnt("ike.state", Ike.CROSSED)),
        EMPTY,
        after=all_of(is_("ike.state", Ike.CLOSED), is_("ike.own", NOTHING), ALL_SHUT),
    ),
    Sentence(
        "1.4.1-delete-ike-answered",
        "The end that deletes the IKE SA closes it with all its Child SAs when the response comes, whatever it says.",
        "1.4.1",
        ("7296-1.4.1-11",),
        response(Kind.DELETE_IKE, *Outcome),
        ALIVE,
        after=all_of(is_("ike.state", Ike.CLOSED), is_("ike.own", NOTHING), ALL_SHUT),
    ),
    Sentence(
        "1.4.1-no-request-after-delete",
        "After the Delete of an IKE SA no other request is sent on it.",
        "1.4.1",
        ("7296-2.8-11", "7296-1.4.1-11"),
        sending(*Kind),
        is_("ike.state", Ike.DELETING, Ike.CLOSED),
        never=True,
    ),
    Sentence(
        "1.4.1-answers-until-closed",
        "While the Delete of the IKE SA is outstanding, the peer's requests are answered.",
        "1.4.1",
        ("7296-1.4-05",),
        request(*LATER),
        is_("ike.state", Ike.DELETING),
        replies(),
    ),
    Sentence(
        "2.4-given-up",
        "A peer that is silent for too long is given up: the IKE SA and all its Child SAs are gone.",
        "2.4",
        ("7296-2.4-09", "7296-2.4-22"),
        timer(Alarm.GIVE_UP),
        all_of(isnt("ike.own", NOTHING), isnt("ike.state", Ike.CROSSED)),
        NOTHING_SENT,
        after=all_of(is_("ike.state", Ike.CLOSED), is_("ike.own", NOTHING), ALL_SHUT),
    ),
    Sentence(
        "2.4-given-up-crossed",
        "If the peer has rekeyed the IKE SA meanwhile, the Child SAs end, or the successor inherits.",
        "2.8.2",
        ("7296-2.4-09", "7296-2.8.2-02", "7296-2.1-10"),
        timer(Alarm.GIVE_UP),
        all_of(is_("ike.state", Ike.CROSSED), isnt("ike_theirs.state", Ike.CLOSED)),
        NOTHING_SENT,
        after=all_of(
            is_("ike.state", Ike.CLOSED),
            is_("ike.own", NOTHING),
            any_of(ALL_SHUT, all_of(is_("each.on_theirs"), isnt("each.on_ike"))),
        ),
        unchanged=("ike_theirs.",),
    ),
    Sentence(
        "2.4-initial-contact",
        "INITIAL_CONTACT ends an IKE SA between the same identities with all its Child SAs, in silence, or is ignored.",
        "2.4",
        ("7296-2.4-04", "7296-2.4-22"),
        arrives(Input.INITIAL_CONTACT),
        all_of(ALIVE, is_("fact.verifies"), is_("fact.same_identities")),
        NOTHING_SENT,
        after=any_of(
            all_of(is_("ike.state", Ike.CLOSED), is_("ike.own", NOTHING), isnt("ike.due"), ALL_SHUT),
            ALIVE,
        ),
        unchanged=("ike_mine.", "ike_theirs.", "ike.verified"),
    ),
    Sentence(
        "2.4-initial-contact-of-others",
        "INITIAL_CONTACT from a peer that is not authenticated, or that is somebody else, changes nothing.",
        "2.4",
        ("7296-2.4-09", "7296-2.4-02", "7296-2.4-08"),
        arrives(Input.INITIAL_CONTACT),
        any_of(isnt("fact.verifies"), isnt("fact.same_identities"), isnt("ike.state", *LIVE)),
        NOTHING_SENT,
        unchanged=("*",),
    ),
    Sentence(
        "2.4-given-up-only-in-silence",
        "An end that awaits no response gives nobody up.",
        "2.4",
        ("7296-2.4-09",),
        timer(Alarm.GIVE_UP),
        is_("ike.own", NOTHING),
        NOTHING_SENT,
        unchanged=("*",),
    ),
    Sentence(
        "2.21.3-malformed-request",
        "A malformed request under protection gets INVALID_SYNTAX and ends the IKE SA.",
        "2.21.3",
        ("7296-2.21.3-01", "7296-2.21.3-04"),
        request(*LATER),
        all_of(ALIVE, is_("fact.malformed"), isnt("fact.critical")),
        reply_of(Outcome.INVALID_SYNTAX),
        after=all_of(is_("ike.state", Ike.CLOSED), ALL_SHUT),
    ),
    Sentence(
        "2.21.3-invalid-syntax-received",
        "INVALID_SYNTAX in the answer to a request ends the IKE SA.",
        "2.21.3",
        ("7296-2.21.3-04",),
        On("response", frozenset(LATER), frozenset((Outcome.INVALID_SYNTAX,))),
        ALIVE,
        after=all_of(is_("ike.state", Ike.CLOSED), ALL_SHUT),
    ),
    Sentence(
        "2.5-unsupported-critical",
        "An unsupported critical payload in a protected request is refused, and nothing else happens.",
        "2.5",
        ("7296-2.5-14", "7296-2.5-15", "7296-2.21.3-01"),
        request(*LATER),
        all_of(ALIVE, is_("fact.malformed"), is_("fact.critical")),
        reply_of(Outcome.UNSUPPORTED_CRITICAL_PAYLOAD),
        unchanged=("*",),
    ),
    Sentence(
        "1.4.1-half-closed-is-left",
        "Nobody sends anything about a half-closed Child SA: it is not closed unilaterally.",
        "1.4.1",
        ("7296-1.4.1-15",),
        sending(Kind.REKEY_CHILD, Kind.DELETE_CHILD),
        is_("child.state", Child.HALF_CLOSED),
        never=True,
    ),
    Sentence(
        "1.4.1-half-closed-in-time",
        "No timer but that of a silent peer touches a half-closed Child SA.",
        "1.4.1",
        ("7296-1.4.1-15",),
        timer(Alarm.RETRANSMIT),
        is_("child.state", Child.HALF_CLOSED),
        unchanged=("child.", "each."),
    ),
)

SENTENCES: tuple[Sentence, ...] = (
    *SECTION_2_25_1,
    *SECTION_2_25_2,
    *ALONE,
    *REKEYS,
    *WINDOW,
    *ORDER,
    *EAP,
    *ENDINGS,
    *LIFETIMES,
    *ORIGINAL_INITIATOR,
)
BY_ID: dict[str, Sentence] = {each.id: each for each in SENTENCES}
