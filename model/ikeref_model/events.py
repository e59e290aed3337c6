"""The vocabulary: what an observer of one real endpoint sees at one step (Sections 1.2 to 1.4, 2.1 to 2.3).

An `Observation` says: on this IKE SA, this event happened, the endpoint sent these messages and changed these SAs.
IKE SAs and Child SAs have names of the observer's choosing (any strings, never reused); the successor of an IKE SA
and the replacement of a Child SA are new names. SPIs, keys and payload contents do not appear.

Conventions that the abstraction has to follow:

* One received datagram, one command or one timer is one observation; whatever is sent while it is handled is in `sent`,
  in order. A request that is sent later, when the window allows it, belongs to the observation in which it is sent.
* A command that cannot be carried out now (window full, or refused locally) has an empty `sent`.
* The answer to a Delete of Child SAs is `OK` with `children` = those whose paired Delete is in it, `EMPTY` if there
  is none. The answer to a Delete of the IKE SA is `EMPTY` (Section 1.4.1); to any other INFORMATIONAL request it is
  `OK`.
* In IKE_AUTH, `REFUSED` means: authenticated, but without a Child SA (Section 1.2). A response whose AUTH does not
  verify has `fact verifies = False`, whatever it says. With EAP (Section 2.16) a request without AUTH has `fact
  without_auth = True`, where it is sent after IKE_SA_INIT and where it arrives.
* These are dataclasses: `Installed` and `Removed` of the same things differ.
* A request that finds no IKE SA, or is not protected where it has to be, is `Input.UNPROTECTED`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a request asks for."""

    IKE_SA_INIT = "IKE_SA_INIT"
    IKE_AUTH = "IKE_AUTH"
    CREATE_CHILD = "CREATE_CHILD"
    """CREATE_CHILD_SA for a new Child SA (Section 1.3.1)."""
    REKEY_CHILD = "REKEY_CHILD"
    """CREATE_CHILD_SA with N(REKEY_SA) (Section 1.3.3)."""
    REKEY_IKE = "REKEY_IKE"
    """CREATE_CHILD_SA that rekeys the IKE SA (Section 1.3.2)."""
    DELETE_CHILD = "DELETE_CHILD"
    """INFORMATIONAL with Delete payloads for ESP or AH SAs (Section 1.4.1)."""
    DELETE_IKE = "DELETE_IKE"
    """INFORMATIONAL with a Delete payload for the IKE SA (Section 1.4.1)."""
    LIVENESS = "LIVENESS"
    """Any other INFORMATIONAL request (Section 1.4)."""


class Outcome(StrEnum):
    """What a response says."""

    OK = "OK"
    EMPTY = "EMPTY"
    """A Delete answered without a Delete payload."""
    COOKIE = "COOKIE"
    INVALID_KE_PAYLOAD = "INVALID_KE_PAYLOAD"
    REFUSED = "REFUSED"
    """NO_PROPOSAL_CHOSEN, TS_UNACCEPTABLE and every other error that is not listed here."""
    UNSUPPORTED_CRITICAL_PAYLOAD = "UNSUPPORTED_CRITICAL_PAYLOAD"
    EAP = "EAP"
    """IKE_AUTH: another round of EAP (Section 2.16)."""
    EAP_SUCCESS = "EAP_SUCCESS"
    EAP_FAILURE = "EAP_FAILURE"
    NO_ADDITIONAL_SAS = "NO_ADDITIONAL_SAS"
    TEMPORARY_FAILURE = "TEMPORARY_FAILURE"
    CHILD_SA_NOT_FOUND = "CHILD_SA_NOT_FOUND"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    INVALID_SYNTAX = "INVALID_SYNTAX"
    INVALID_MESSAGE_ID = "INVALID_MESSAGE_ID"
    """Never allowed in a response (Section 2.3), so no row answers it; what a response with it does is a row."""


class Position(StrEnum):
    """Where the Message ID of a received request lies (Sections 2.2 and 2.3)."""

    FRESH = "FRESH"
    """In the window, never seen before."""
    REPLAY = "REPLAY"
    """Of a request that was answered already, and whose response has to be kept: the last ones, by window size."""
    BELOW = "BELOW"
    """Of a request that was answered before that."""
    OUTSIDE = "OUTSIDE"
    """Beyond the window."""


class Alarm(StrEnum):
    """Timers."""

    RETRANSMIT = "RETRANSMIT"
    GIVE_UP = "GIVE_UP"
    """A request has been repeated to no avail (Section 2.4)."""
    HALF_OPEN_EXPIRY = "HALF_OPEN_EXPIRY"
    RETRY = "RETRY"
    """The wait after TEMPORARY_FAILURE and the like is over."""
    READY = "READY"
    """The peer can receive on a Child SA: traffic has come in on it, or the wait for that is over (Section 2.8)."""
    SOFT_EXPIRY = "SOFT_EXPIRY"
    """An SA has come to the age at which it is to be rekeyed (Section 2.8)."""
    EXPIRY = "EXPIRY"
    """The lifetime of the IKE SA is over (Section 2.8)."""
    CHILD_EXPIRY = "CHILD_EXPIRY"
    """The lifetime of a Child SA is over, and it was neither replaced nor deleted in time."""
    USED_UP = "USED_UP"
    """The next Message ID of one end would not fit 32 bits (Section 2.2)."""


class Input(StrEnum):
    """Input that belongs to no exchange."""

    DROPPED = "DROPPED"
    """Bad ICV, undecodable, or otherwise discarded."""
    UNPROTECTED = "UNPROTECTED"
    """Not protected by an IKE SA: an unknown SPI, a forged notification, a hint."""
    MISDIRECTED = "MISDIRECTED"
    """A message whose Initiator flag is not the peer's: that of the original initiator or not (Sections 2.2, 3.1)."""
    UNEXPECTED = "UNEXPECTED"
    """A protected response that answers no outstanding request."""
    INITIAL_CONTACT = "INITIAL_CONTACT"
    """On another IKE SA, in IKE_AUTH, the peer said that it has no other (Section 2.4)."""


class Direction(StrEnum):
    """The two SAs of a pair."""

    IN = "IN"
    OUT = "OUT"


@dataclass(frozen=True, slots=True)
class Command:
    """The application asks for an exchange; IKE_SA_INIT initiates a new IKE SA."""

    kind: Kind
    child: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request arrived and passed its integrity check."""

    kind: Kind
    children: tuple[str, ...] = ()
    """DELETE_CHILD: those that are to be deleted; REKEY_CHILD: the one; a name never seen if no such Child SA is
    known."""
    position: Position = Position.FRESH
    message_id: int | None = None
    window: int = 0
    """What SET_WINDOW_SIZE in it says (Section 2.3); 0: there is none."""
    initiator: bool | None = None
    """Its Initiator flag, where the observer tells it (Section 3.1)."""


@dataclass(frozen=True, slots=True)
class Response:
    """The response to an outstanding request arrived and passed its integrity check."""

    kind: Kind
    outcome: Outcome
    children: tuple[str, ...] = ()
    """DELETE_CHILD: those whose paired Delete is in the response. IKE_AUTH, CREATE_CHILD and REKEY_CHILD: the one that
    the response says was created, where the observer tells it."""
    message_id: int | None = None
    window: int = 0
    """What SET_WINDOW_SIZE in it says (Section 2.3); 0: there is none."""
    initiator: bool | None = None
    """Its Initiator flag, where the observer tells it (Section 3.1)."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer fired, or something came that belongs to no message."""

    alarm: Alarm
    child: str = ""
    """READY and CHILD_EXPIRY: the Child SA."""


Event = Command | Request | Response | Timer | Input


@dataclass(frozen=True, slots=True)
class Reply:
    """The endpoint answered the request of this step."""

    outcome: Outcome
    children: tuple[str, ...] = ()
    """DELETE_CHILD: those whose paired Delete is in the response."""
    window: int = 0
    """What SET_WINDOW_SIZE in it says (Section 2.3); 0: there is none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The endpoint sent a new request, over the IKE SA `sa` ("" for that of the observation)."""

    kind: Kind
    children: tuple[str, ...] = ()
    sa: str = ""
    message_id: int | None = None
    window: int = 0
    """What SET_WINDOW_SIZE in it says (Section 2.3); 0: there is none."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The endpoint repeated a request (on a timer) or a response (on a replay), octet for octet."""


@dataclass(frozen=True, slots=True)
class OneWay:
    """The endpoint sent an unprotected notification: INVALID_IKE_SPI or INVALID_MAJOR_VERSION (Section 1.5)."""


Sent = Reply | Asked | Repeated | OneWay


@dataclass(frozen=True, slots=True)
class Installed:
    """One direction of a Child SA was installed."""

    child: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Removed:
    """One direction of a Child SA was removed."""

    child: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Established:
    """An IKE SA came into being."""

    sa: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """An IKE SA was replaced by a successor. Reporting it is optional."""

    sa: str


@dataclass(frozen=True, slots=True)
class Closed:
    """An IKE SA ended."""

    sa: str


Change = Installed | Removed | Established | Superseded | Closed


@dataclass(frozen=True, slots=True)
class Observation:
    """One step of one endpoint."""

    sa: str
    event: Event
    sent: tuple[Sent, ...] = ()
    changes: tuple[Change, ...] = ()
    facts: tuple[tuple[str, bool], ...] = ()
    """What the observer knows besides, by the names of `state.FACTS`; what is not told may be either."""
    visible: bool = True
    """Whether the observer sees the SAs of the endpoint. If not, as with a capture, `changes` only gives names to the
    SAs that come into being, should any do so."""
