"""Messages out of place, badly formed, of nobody, too old or too early (Sections 2.1 to 2.5, 2.21, 3.1)."""

from dataclasses import replace

from ikeref_model.events import Alarm, Input, Kind, Observation, Position, Request, Timer

from ikeref.policy.connections import Connection, Settings
from ikeref.registry import ExchangeType, NotifyType
from ikeref.sa import AnnounceWindow, CheckLiveness, DeleteChild, DeleteIke, RekeyIke
from ikeref.sa.window import LAST_MESSAGE_ID
from ikeref.wire import AUTH, FLAG_INITIATOR, N
from ikeref_properties.episodes.stage import BAD, CRITICAL, FIRST, MALFORMED, UNSUPPORTED, Stage
from ikeref_properties.network import ENDS, A, B, Flight, connection

NOBODY = "an IKE SA that was never there"
INFORMATIONAL = ExchangeType.INFORMATIONAL


def _up(**arranged: object) -> Stage:
    return Stage(**arranged).establish()  # type: ignore[arg-type]  # as Stage takes them


def _size(number: int) -> N:
    return N(NotifyType.SET_WINDOW_SIZE, number.to_bytes(4, "big"))


# Badly formed


def malformed_request() -> Stage:
    """It is authentic: INVALID_SYNTAX, and the IKE SA is over (Section 2.21.3)."""
    return _up().request(B, INFORMATIONAL, BAD, facts=MALFORMED)


def critical_request() -> Stage:
    """It has a critical payload that nobody knows: that is said, nothing else happens (Section 2.5)."""
    return _up().request(B, INFORMATIONAL, CRITICAL, facts=UNSUPPORTED)


def malformed_says_the_peer() -> Stage:
    """INVALID_SYNTAX in a response ends the IKE SA."""
    return _up().command(A, CheckLiveness()).deliver(B).forge(A, N(NotifyType.INVALID_SYNTAX))


def not_authentic() -> Stage:
    """An octet of it is another."""
    stage = _up().command(A, CheckLiveness())
    flight = stage.lose(B)
    octets = bytearray(flight.datagram)
    octets[-1] ^= 1
    return stage.telling(Input.DROPPED).again(flight._replace(datagram=bytes(octets)))


def delete_refused() -> Stage:
    """The peer answers the Delete of a Child SA with an error: it is gone all the same."""
    stage = _up()
    stage.command(A, DeleteChild(stage.child(A))).deliver(B)
    return stage.forge(A, N(NotifyType.TEMPORARY_FAILURE))


# Of nobody


def _turned(flight: Flight) -> Flight:
    """The same with the Initiator flag of the other end."""
    octets = bytearray(flight.datagram)
    octets[19] ^= FLAG_INITIATOR
    assert flight.message is not None
    message = flight.message._replace(flags=flight.message.flags ^ FLAG_INITIATOR)
    return flight._replace(datagram=bytes(octets), message=message)


def request_with_the_flag_of_the_other_end() -> Stage:
    """It finds no IKE SA, and that is said."""
    stage = _up().command(A, CheckLiveness())
    return stage.again(_turned(stage.lose(B)))


def response_with_the_flag_of_the_other_end() -> Stage:
    """It finds no request."""
    stage = _up().command(A, CheckLiveness()).deliver(B)
    return stage.again(_turned(stage.lose(A)))


def request_for_no_ike_sa() -> Stage:
    """The responder has lost all that it had, and says so, unprotected: a hint at most (Section 2.21.4)."""
    stage = _up()
    stage.restart(B)
    return stage.command(A, CheckLiveness()).deliver(B).quiet()


def request_for_an_ike_sa_that_never_was() -> Stage:
    """The same, as the rows have it that tell of a request; and after too many such answers."""
    stage = _up(settings=Settings(unprotected_answers_per_second=1))
    stage.restart(B)
    stage.command(A, CheckLiveness()).telling(Request(Kind.LIVENESS), NOBODY).deliver(B)
    again = next(flight for flight in reversed(stage.pair.past) if flight.to == B)
    return stage.telling(Request(Kind.LIVENESS), NOBODY).again(again)


def refused_and_again() -> Stage:
    """A first request was refused without a trace; it comes again, after too many such answers."""
    policies = {A: connection(A), B: connection(B, ike="aes128-sha256-ecp256")}
    stage = Stage(connections=policies, settings=Settings(unprotected_answers_per_second=1)).begin()
    first = stage.to(B)
    event = Request(Kind.IKE_SA_INIT, position=Position.REPLAY)
    return stage.deliver(B).telling(event, NOBODY).again(first)


# Requests out of order


def request_beyond_the_window() -> Stage:
    """It is dropped (Section 2.3)."""
    return _up().request(B, INFORMATIONAL, ahead=1)


def request_long_answered() -> Stage:
    """The last response is kept, not the one before (Section 2.1)."""
    stage = _up().command(A, CheckLiveness())
    first = stage.to(B)
    return stage.quiet().command(A, CheckLiveness()).quiet().again(first)


def _closed_by(stage: Stage) -> Flight:
    """A deletes the IKE SA: B repeats its response for a while."""
    stage.command(A, DeleteIke())
    deleting = stage.to(B)
    stage.quiet()
    return deleting


def requests_on_a_closed_ike_sa() -> Stage:
    """The Delete again; a new request; a first one; and all that when the IKE SA is forgotten, until nobody is answered
    any more that has no IKE SA."""
    stage = _up(settings=Settings(unprotected_answers_per_second=2))
    old = stage.ike(A)
    deleting = _closed_by(stage).message
    assert deleting is not None
    again = next(flight for flight in stage.pair.past if flight.message is deleting)
    stage.again(again)
    stage.pair.flying.clear()
    stage.request(B, INFORMATIONAL, ike=old)
    stage.telling(Request(Kind.IKE_SA_INIT)).request(B, ExchangeType.IKE_SA_INIT, ike=old)
    stage.pair.now = 31.0
    stage.pair.tick()
    forgotten = (("forgotten", True),)
    stage.telling(Request(Kind.DELETE_IKE, position=Position.REPLAY), facts=forgotten).again(again)
    stage.telling(Request(Kind.LIVENESS, message_id=3)).request(B, INFORMATIONAL, ahead=1, ike=old)
    return stage.telling(Request(Kind.DELETE_IKE, position=Position.REPLAY), facts=forgotten).again(again)


def failed_authentication_again() -> Stage:
    """An IKE SA that has ended without a Delete repeats its response, too (Section 2.1)."""
    policies = {end: connection(end, secret=end.encode() * 16) for end in ENDS}
    stage = Stage(connections=policies).begin()
    first = stage.to(B)
    last = stage.deliver(B, A).to(B)
    return stage.quiet().again(last).again(first).quiet()


# Windows


def window_announced_twice() -> Stage:
    """The size that holds already is announced once more (Section 2.3)."""
    return _up(settings=Settings(window_size=2)).command(A, AnnounceWindow()).quiet()


def window_never_shrinks() -> Stage:
    """The peer says less than before."""
    return _up(settings=Settings(window_size=4)).request(B, INFORMATIONAL, _size(2)).quiet()


# Restarts


def _contact(same: bool = True, verifies: bool = True) -> Observation:
    return Observation(FIRST, Input.INITIAL_CONTACT, facts=(("verifies", verifies), ("same_identities", same)))


def initial_contact() -> Stage:
    """A has restarted and says so: its first IKE SA is over at B (Section 2.4)."""
    stage = Stage(connections=_with_contact()).establish()
    stage.restart(A)
    return stage.begin().quiet()


def _with_contact() -> dict[str, Connection]:
    return {end: replace(connection(end), initial_contact=True) for end in ENDS}


def initial_contact_that_fails() -> Stage:
    """Who says so does not prove who it is."""
    stage = Stage(connections=_with_contact()).establish()
    stage.restart(A)
    stage.begin().deliver(B, A)
    message = stage.to(B).message
    assert message is not None
    wrong = [each._replace(data=bytes(32)) if type(each) is AUTH else each for each in message.payloads]
    return stage.telling(besides=[_contact(same=False, verifies=False)]).forge(B, *wrong).quiet()


def initial_contact_of_another_time() -> Stage:
    """The IKE SA that says so was begun before the other: the other is no stale one."""
    stage = Stage(connections=_with_contact()).begin().deliver(B, A)
    early = stage.lose(B)
    stage.restart(A)
    stage.begin().deliver(B, A, B)
    second = Observation("IKE SA 2", Input.INITIAL_CONTACT, facts=(("verifies", True), ("same_identities", True)))
    stage.pair.flying.clear()
    return stage.telling(besides=[second]).again(early)


def initial_contact_and_nothing_to_end() -> Stage:
    """There is a half-open IKE SA besides."""
    stage = Stage(connections=_with_contact()).begin().deliver(B)
    stage.restart(A)
    stage.pair.flying.clear()
    stage.begin().deliver(B, A)
    return stage.telling(besides=[_contact()]).deliver(B)


# Message IDs


def message_ids_used_up() -> Stage:
    """The last request of the peer is answered: the IKE SA is closed (Section 2.2)."""
    return _up().number(A, LAST_MESSAGE_ID).request(B, INFORMATIONAL)


def message_ids_used_up_while_rekeys_cross() -> Stage:
    """The same where the peer's successor inherits (Section 2.8.2)."""
    stage = _up().number(A, LAST_MESSAGE_ID - 1)
    old = stage.ike(A)
    stage.command(A, RekeyIke()).command(B, RekeyIke()).deliver(B)
    stage.pair.flying.clear()
    return stage.request(B, INFORMATIONAL, ike=old)


def message_ids_of_a_half_open_ike_sa() -> Stage:
    """Of an IKE SA that is not up no Message ID is ever so high; if it were, nothing would come of it."""
    stage = Stage().begin().deliver(B)
    return stage.number(A, LAST_MESSAGE_ID + 1).telling(Timer(Alarm.USED_UP)).wake(B, 1.0)
