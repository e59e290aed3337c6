"""Child SAs and IKE SAs that cross, are missing, wait, or come to their end (Sections 1.4.1, 2.4, 2.8, 2.25)."""

from dataclasses import replace
from typing import Any

from ikeref_model.events import Alarm, Kind, Request, Timer

from ikeref.policy import proposals
from ikeref.policy.connections import Connection, Settings
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from ikeref.sa import CheckLiveness, CreateChild, DeleteChild, DeleteIke, RekeyChild, RekeyIke, Session
from ikeref.wire import SA, Message, N, Nonce
from ikeref_properties.episodes.stage import Stage
from ikeref_properties.network import A, B, connection

CREATE = ExchangeType.CREATE_CHILD_SA
TWO_GROUPS = "aes256gcm16-x25519-ecp256"


def _up(**arranged: Any) -> Stage:
    return Stage(**arranged).establish()


def _first_child(stage: Stage, end: str) -> RekeyChild:
    return RekeyChild(stage.child(end))


def _request(stage: Stage, end: str) -> Message:
    """The request that is on its way to an end."""
    message = stage.to(end).message
    assert message is not None
    return message


def _once_more(stage: Stage, message: Message) -> Stage:
    """The same request of A, as a new one."""
    payloads = [each._replace(data=bytes(32)) if type(each) is Nonce else each for each in message.payloads]
    ike = next(ike for session in stage.pair.sessions(A) for ike in session.ikes if ike.spi_i == message.spi_i)
    return stage.request(B, message.exchange_type, *payloads, ike=ike)


# Rekeys of a Child SA


def child_not_found() -> Stage:
    """The peer has lost the Child SA: so it goes here, too, and another is asked for (Section 2.25)."""
    stage = _up()
    stage.command(A, _first_child(stage, A)).deliver(B)
    return stage.forge(A, N(NotifyType.CHILD_SA_NOT_FOUND, b"", 3, stage.child(B)))


def child_not_found_where_rekeys_crossed() -> Stage:
    """The peer's rekey has replaced it already: that it is gone says nothing new (Section 2.8.1)."""
    stage = _up()
    stage.command(A, _first_child(stage, A)).command(B, _first_child(stage, B))
    stage.deliver(A, B)
    return stage.forge(A, N(NotifyType.CHILD_SA_NOT_FOUND, b"", 3, b"gone"))


def child_rekeyed_twice_by_the_peer() -> Stage:
    """The second request for what was replaced already, or is waiting for its Delete."""
    stage = _up()
    stage.command(A, _first_child(stage, A))
    message = _request(stage, B)
    stage.deliver(B)
    return _once_more(stage, message)


def child_rekeyed_twice_by_the_peer_amid_ours() -> Stage:
    """The same while our own rekey of it is unanswered."""
    stage = _up()
    stage.command(A, _first_child(stage, A)).command(B, _first_child(stage, B))
    message = _request(stage, B)
    stage.deliver(B)
    return _once_more(stage, message)


def child_rekeys_cross_and_wait() -> Stage:
    """The same where both rekey it."""
    stage = _up()
    return stage.command(A, _first_child(stage, A)).command(B, _first_child(stage, B)).quiet()


def traffic_on_a_child_that_is_open() -> Stage:
    """There is nothing to wait for."""
    stage = _up()
    stage.telling(Timer(Alarm.READY, "Child SA 1"))
    stage.pair.heard(B, stage.child(B))
    return stage


# New Child SAs


def child_answer_unacceptable_later() -> Stage:
    """A Child SA in another mode than was asked for is deleted (Section 1.3.1)."""
    made = connection(A)
    children = tuple(replace(child, mode="transport" if child.name == "web" else "tunnel") for child in made.children)
    stage = _up(connections={A: replace(made, children=children), B: connection(B)})
    return stage.command(A, CreateChild("web")).quiet()


def spi_in_use_already() -> Stage:
    """The peer's SPI of the new Child SA is that of another one."""
    stage = _up().command(A, CreateChild("web"))
    message = _request(stage, B)
    (offer,) = [each for each in message.payloads if type(each) is SA]
    known = SA(tuple(proposal._replace(spi=stage.child(A)) for proposal in offer.proposals))
    payloads = [known if each is offer else each for each in message.payloads]
    stage.telling(Request(Kind.CREATE_CHILD, ("Child SA 1",)))
    return stage.forge(B, *payloads)


def child_refused_for_its_group() -> Stage:
    """The other group is wanted."""
    policies = {A: connection(A, esp=TWO_GROUPS), B: connection(B, esp="aes256gcm16-ecp256")}
    return _up(connections=policies).command(A, CreateChild("web")).quiet()


def child_refused_for_its_suite() -> Stage:
    """No proposal suits."""
    stage = _up()
    stage.change(B, _other_suites)
    return stage.command(A, CreateChild("web")).quiet()


def child_refused_for_want_of_room() -> Stage:
    """No further Child SA is taken."""
    stage = _up(settings=Settings(child_limit=1))
    return stage.command(A, CreateChild("web")).quiet()


def rekeys_refused_for_their_suite() -> Stage:
    """No proposal suits any more, of Child SA and IKE SA."""
    stage = _up()
    stage.change(B, _other_suites)
    stage.command(A, _first_child(stage, A)).quiet()
    return stage.command(A, RekeyIke()).quiet()


def rekeys_refused_for_their_group() -> Stage:
    """The other group is wanted, of Child SA and IKE SA."""
    ike = "aes256gcm16-prfsha256-"
    policies = {
        A: connection(A, ike=ike + "x25519-ecp256", esp=TWO_GROUPS),
        B: connection(B, ike=ike + "ecp256", esp="aes256gcm16-ecp256"),
    }
    stage = _up(connections=policies)
    stage.command(A, _first_child(stage, A)).quiet()
    return stage.command(A, RekeyIke()).quiet()


def _other_suites(session: Session) -> Session:
    policy: Connection = session.connection
    esp, ike = (
        proposals.parse("aes128-sha256", ProtocolId.ESP),
        proposals.parse("aes128-sha256-ecp256", ProtocolId.IKE),
    )
    children = tuple(replace(child, proposals=esp) for child in policy.children)
    return session._replace(connection=replace(policy, children=children, ike_proposals=ike))


# Rekeys of the IKE SA


def ike_rekeyed_twice_by_the_peer() -> Stage:
    """Another request on the old IKE SA, which was replaced."""
    stage = _up().command(A, RekeyIke())
    message = _request(stage, B)
    stage.deliver(B)
    return _once_more(stage, message)


def ike_rekeyed_twice_by_the_peer_amid_ours() -> Stage:
    """The same while our own rekey of it is unanswered."""
    stage = _up().command(A, RekeyIke()).command(B, RekeyIke())
    message = _request(stage, B)
    stage.deliver(B)
    return _once_more(stage, message)


def _undecided() -> Stage:
    """A has the answer to its rekey, B's own is unanswered: B does not know which successor inherits."""
    stage = _up().command(A, RekeyIke()).command(B, RekeyIke()).deliver(B)
    stage.lose(A)
    stage.deliver(A)
    return stage


def successor_rekeyed_before_it_is_decided() -> Stage:
    """Nothing is begun on a successor that may have to go (Section 2.8.2)."""
    stage = _undecided()
    stage.pair.flying.clear()
    return stage.command(A, RekeyIke()).deliver(B)


def child_on_a_successor_before_it_is_decided() -> Stage:
    """Nor a Child SA created or rekeyed."""
    stage = _undecided()
    stage.pair.flying.clear()
    stage.command(A, CreateChild("web")).deliver(B, A)
    return stage.command(A, _first_child(stage, A)).deliver(B, A)


def child_on_an_ike_sa_that_ends() -> Stage:
    """The peer asks for a Child SA, or rekeys one, where our Delete of the IKE SA is under way (Section 2.25.2)."""
    stage = _up().command(B, DeleteIke())
    stage.command(A, CreateChild("web")).deliver(B)
    stage.lose(A)
    stage.deliver(A)
    return stage


def child_rekeyed_on_an_ike_sa_that_ends() -> Stage:
    """The same for a rekey."""
    stage = _up().command(B, DeleteIke())
    return stage.command(A, _first_child(stage, A)).deliver(B)


def given_up_while_rekeys_cross() -> Stage:
    """Who does not answer our rekey has rekeyed the IKE SA: its successor inherits (Section 2.8.2)."""
    stage = _up().command(A, RekeyIke()).command(B, RekeyIke()).deliver(B)
    stage.pair.flying.clear()
    return stage.silence(7)


# Lifetimes


def _aging(**seconds: float) -> Stage:
    """B's SAs grow old."""
    stage = Stage()
    stage.settings(B, Settings(**seconds))  # type: ignore[arg-type]  # fields of seconds alone
    return stage.establish()


def time_to_rekey() -> Stage:
    """A Child SA and an IKE SA come to the age at which they are rekeyed (Section 2.8)."""
    stage = _aging(rekey_child_seconds=20, rekey_ike_seconds=200)
    stage.telling(Timer(Alarm.SOFT_EXPIRY)).silence(1).quiet()
    return stage


def ike_expires() -> Stage:
    """An IKE SA that nobody rekeyed, and whose Delete the peer did not get."""
    stage = _aging(expire_ike_seconds=20)
    return stage.silence(8)


def ike_expires_while_rekeys_cross() -> Stage:
    """The peer's successor inherits."""
    stage = _aging(expire_ike_seconds=3)
    stage.command(A, RekeyIke()).command(B, RekeyIke()).deliver(B)
    stage.pair.flying.clear()
    return stage.silence(3)


def ike_would_expire_that_is_not_up() -> Stage:
    """A half-open IKE SA has an end of its own."""
    stage = Stage()
    stage.settings(B, Settings(expire_ike_seconds=5))
    stage.begin().deliver(B)
    return stage.telling(Timer(Alarm.EXPIRY)).wake(B, 6.0)


def child_expires() -> Stage:
    """A Child SA that nobody rekeyed takes the IKE SA with it."""
    return _aging(expire_child_seconds=20).silence(1).quiet()


def child_expires_while_the_peer_is_silent() -> Stage:
    """The same, without a word to who does not answer."""
    stage = _aging(expire_child_seconds=2)
    stage.command(B, CheckLiveness())
    return stage.silence(2)


def child_expires_amid_the_delete_of_its_ike_sa() -> Stage:
    """It goes at once; the IKE SA follows."""
    stage = _aging(expire_child_seconds=2)
    stage.command(B, DeleteIke())
    return stage.silence(2)


def child_would_expire_that_is_gone() -> Stage:
    """It was deleted in time."""
    stage = _aging(expire_child_seconds=20)
    stage.command(B, DeleteChild(stage.child(B))).quiet()
    return stage.telling(Timer(Alarm.CHILD_EXPIRY, "Child SA 1")).wake(B, 21.0)
