"""Protocol faults of the real code, each a small replacement of one function; applied by tests only.

`apply` gets a function like pytest's `monkeypatch.setattr`. The kinds are those that daemons have shipped, and the
readings of the RFC that don't work.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from ikeref import endpoint
from ikeref.sa import authentication, child, collisions, informational, rekey, timers, window
from ikeref.sa.authentication import Reply
from ikeref.sa.environment import Environment
from ikeref.sa.turn import Turn
from ikeref.sa.values import ChildSa, ChildState, Command, IkeSa, Informational, Phase
from ikeref.wire import D, Message
from ikeref_properties.machines import walk
from ikeref_properties.machines.walk import MakePair

Patch = Callable[[Any, str, Any], None]


class Mutant(NamedTuple):
    """A fault."""

    name: str
    section: str
    apply: Callable[[Patch], None]
    pair: MakePair = walk.established
    """The ends among which it shows."""


def _answer_without_delete(patch: Patch) -> None:
    respond = informational.respond

    def mutant(turn: Turn, ike: IkeSa, message: Message) -> Reply:
        reply = respond(turn, ike, message)
        return reply._replace(payloads=tuple(p for p in reply.payloads if type(p) is not D))

    patch(informational, "respond", mutant)


def _ignore_crossing_deletes(patch: Patch) -> None:
    respond = informational.respond

    def mutant(turn: Turn, ike: IkeSa, message: Message) -> Reply:
        for sa in turn.children:
            if sa.state is ChildState.DELETING:
                turn.put_child(sa._replace(state=ChildState.OPEN))
        return respond(turn, ike, message)

    patch(informational, "respond", mutant)


def _swap_winner_and_loser(patch: Patch) -> None:
    right = collisions.ours_is_redundant
    patch(collisions, "ours_is_redundant", lambda *args: not right(*args))


def _both_lose(patch: Patch) -> None:
    patch(collisions, "ours_is_redundant", lambda *_: True)


def _both_win(patch: Patch) -> None:
    patch(collisions, "ours_is_redundant", lambda *_: False)


def _compare_initiators_nonces_only(patch: Patch) -> None:
    patch(collisions, "ours_is_redundant", lambda ours, theirs, *_: ours[0] < theirs[0])


def _forget_that_child_rekeys_crossed(patch: Patch) -> None:
    def mutant(turn: Turn, ike: IkeSa, old: ChildSa, *_: object) -> None:  # noqa: ARG001
        turn.put_child(old._replace(state=ChildState.REPLACED))

    patch(child, "_note_rekey", mutant)


def _forget_that_ike_rekeys_crossed(patch: Patch) -> None:
    respond = rekey.respond

    def mutant(turn: Turn, ike: IkeSa, message: Message) -> Any:
        exchange = ike.outstanding
        if ike.rekey is not None:
            ike = turn.put(ike._replace(outstanding=()))
        payloads = respond(turn, ike, message)
        turn.put((turn.ike(ike.spi) or ike)._replace(outstanding=exchange))
        return payloads

    patch(rekey, "respond", mutant)


def _process_requests_again(patch: Patch) -> None:
    patch(
        window,
        "request_position",
        lambda number, expected, _size, _answered: (
            window.Position.NEW if number <= expected else window.Position.OUTSIDE
        ),
    )


def _accept_requests_beyond_the_window(patch: Patch) -> None:
    right = window.request_position
    patch(
        window,
        "request_position",
        lambda number, expected, size, answered: (
            window.Position.NEW if number > expected else right(number, expected, size, answered)
        ),
    )


def _accept_any_response(patch: Patch) -> None:
    patch(window, "answered_by", lambda _number, outstanding: 0 if outstanding else -1)


def _answer_no_retransmission(patch: Patch) -> None:
    patch(Turn, "replay", lambda *_: None)


def _encrypt_retransmissions_anew(patch: Patch) -> None:
    transmit = Turn.transmit

    def mutant(self: Turn, path: Any, datagrams: tuple[bytes, ...], message: Message, *, again: bool = False) -> None:
        ike = self.ike(message.spi_i) or self.ike(message.spi_r)
        if again and ike is not None and ike.keys is not None and not message.is_response:
            datagrams = self.seal(ike, message)
            self.put(ike._replace(sealed=ike.sealed + 1))
        transmit(self, path, datagrams, message, again=again)

    patch(Turn, "transmit", mutant)


def _never_raise_the_message_id(patch: Patch) -> None:
    send = Turn.send_request

    def mutant(
        self: Turn, ike: IkeSa, message: Message, datagrams: tuple[bytes, ...], intent: Any, **changes: Any
    ) -> IkeSa:
        sent = send(self, ike, message, datagrams, intent, **changes)
        return self.put(sent._replace(next_request=message.message_id)) if ike.phase >= Phase.ESTABLISHED else sent

    patch(Turn, "send_request", mutant)


def _use_one_iv(patch: Patch) -> None:
    seal = Turn.seal
    patch(Turn, "seal", lambda self, ike, message: seal(self, ike._replace(sealed=0), message))


def _never_open_the_outbound_half(patch: Patch) -> None:
    patch(Turn, "_open_outbound", lambda *_: None)


def _leave_the_inbound_half(patch: Patch) -> None:
    shut = Turn._shut
    patch(Turn, "_shut", lambda self, sa: shut(self, sa._replace(inbound=False)))


def _lose_child_sas_in_a_rekey(patch: Patch) -> None:
    inherit = rekey._inherit

    def mutant(turn: Turn, old: IkeSa, heir: IkeSa, *, delete: bool = False) -> None:
        inherit(turn, old, heir, delete=delete)
        for sa in turn.children:
            turn.remove(sa)

    patch(rekey, "_inherit", mutant)


def _believe_any_auth(patch: Patch) -> None:
    patch(authentication, "verify", lambda *_: None)


def _believe_any_cookie(patch: Patch) -> None:
    patch(endpoint.Endpoint, "_cookie_is_valid", lambda *_: True)


def _delete_the_old_ike_sa_at_once(patch: Patch) -> None:
    step = import_module("ikeref.sa.step")  # The package has a function of that name.
    patch(step, "_may_delete", lambda _turn, ike: ike.phase is Phase.REKEYED)


def _let_an_ike_rekey_overtake_child_exchanges(patch: Patch) -> None:
    respond = rekey.respond

    def mutant(turn: Turn, ike: IkeSa, message: Message) -> Any:
        exchange = ike.outstanding
        if not exchange or ike.rekey is not None:
            return respond(turn, ike, message)
        turn.put(ike._replace(outstanding=()))
        payloads = respond(turn, ike._replace(outstanding=()), message)
        turn.put((turn.ike(ike.spi) or ike)._replace(outstanding=exchange))
        return payloads

    patch(rekey, "respond", mutant)


def _create_child_sas_while_rekeying_the_ike_sa(patch: Patch) -> None:
    respond = child.respond
    patch(
        child,
        "respond",
        lambda turn, ike, message: respond(turn, ike._replace(outstanding=(), phase=Phase.ESTABLISHED), message),
    )


def _retry_at_once(patch: Patch) -> None:
    def mutant(self: Turn, command: Command) -> None:
        if self.current is not None:
            self.enqueue(self.current, command)

    patch(Turn, "retry_later", mutant)


def _mistake_the_directions_of_keys(patch: Patch) -> None:
    install = Turn.install

    def mutant(self: Turn, sa: ChildSa, path: Any, *, outbound: bool = True) -> None:
        install(self, sa._replace(initiator=True), path, outbound=outbound)

    patch(Turn, "install", mutant)


def _install_what_the_peer_has_deleted(patch: Patch) -> None:
    patch(informational, "_condemn", lambda *_: None)


def _lose_what_the_peer_inherited(patch: Patch) -> None:
    patch(rekey, "promote_candidate", lambda *_: None)


def _keep_child_sas_of_a_closed_ike_sa(patch: Patch) -> None:
    close = Turn.close

    def mutant(self: Turn, ike: IkeSa, reason: str, *, linger: bool = False) -> None:
        children = self.children
        count = len(self.outputs)
        close(self, ike, reason, linger=linger)
        if len(self.children) < len(children):
            self.children = children
            del self.outputs[count + 1 :]

    patch(Turn, "close", mutant)


def _rekey_what_is_being_deleted(patch: Patch) -> None:
    respond = child.respond

    def mutant(turn: Turn, ike: IkeSa, message: Message) -> Any:
        closing = [sa for sa in turn.children if sa.state is ChildState.DELETING]
        for sa in closing:
            turn.put_child(sa._replace(state=ChildState.OPEN))
        return respond(turn, ike, message)

    patch(child, "respond", mutant)


def _never_give_up(patch: Patch) -> None:
    patch(timers, "_give_up", lambda turn, ike: turn.put(ike._replace(outstanding=_again_later(turn, ike))))


def _again_later(turn: Turn, ike: IkeSa) -> Any:
    return tuple(exchange._replace(deadline=turn.now + 60) for exchange in ike.outstanding)


def _give_out_one_spi(patch: Patch) -> None:
    new_spi = endpoint.Endpoint._new_spi

    def mutant(self: endpoint.Endpoint, octets: int) -> bytes:
        return new_spi(self, octets) if octets == 8 else b"\x00\x00\x10\x00"

    patch(endpoint.Endpoint, "_new_spi", mutant)


def _reuse_the_nonce(patch: Patch) -> None:
    start = child.start

    def mutant(turn: Turn, ike: IkeSa, command: Any) -> None:
        env: Environment = turn.env
        random = env.random
        turn.env = env._replace(random=lambda n: bytes([ike.initiator] * n) if n == 32 else random(n))
        start(turn, ike, command)
        turn.env = env

    patch(child, "start", mutant)


def _forget_deletes_of_its_own(patch: Patch) -> None:
    receive = informational.receive_response

    def mutant(turn: Turn, ike: IkeSa, message: Message, intent: Informational) -> None:
        if type(intent.command).__name__ != "DeleteChild":
            receive(turn, ike, message, intent)

    patch(informational, "receive_response", mutant)


MUTANTS: tuple[Mutant, ...] = (
    Mutant("answer a Delete without the paired Delete", "1.4.1", _answer_without_delete),
    Mutant("ignore that deletes crossed", "1.4.1", _ignore_crossing_deletes),
    Mutant("swap winner and loser", "2.8.1", _swap_winner_and_loser),
    Mutant("both lose", "2.8.1", _both_lose),
    Mutant("both win", "2.8.1", _both_win),
    Mutant("compare the initiators' nonces only", "2.8.1", _compare_initiators_nonces_only),
    Mutant("forget that rekeys of a Child SA crossed", "2.8.1", _forget_that_child_rekeys_crossed),
    Mutant("forget that rekeys of an IKE SA crossed", "2.8.2", _forget_that_ike_rekeys_crossed),
    Mutant("process requests again", "2.1", _process_requests_again),
    Mutant("accept requests beyond the window", "2.3", _accept_requests_beyond_the_window, walk.skipping),
    Mutant("accept any response", "2.2", _accept_any_response),
    Mutant("answer no retransmission", "2.1", _answer_no_retransmission),
    Mutant("encrypt retransmissions anew", "2.1", _encrypt_retransmissions_anew),
    Mutant("never raise the message ID", "2.2", _never_raise_the_message_id),
    Mutant("use one IV", "3.14", _use_one_iv),
    Mutant("never open the outbound half", "2.8", _never_open_the_outbound_half),
    Mutant("leave the inbound half", "1.4.1", _leave_the_inbound_half),
    Mutant("lose Child SAs in a rekey of the IKE SA", "2.8", _lose_child_sas_in_a_rekey),
    Mutant("believe any AUTH", "2.15", _believe_any_auth, walk.strangers),
    Mutant("believe any cookie", "2.6", _believe_any_cookie, walk.cookies),
    Mutant("delete the old IKE SA at once", "2.8.2", _delete_the_old_ike_sa_at_once),
    Mutant("let an IKE SA rekey overtake Child SA exchanges", "2.25.1", _let_an_ike_rekey_overtake_child_exchanges),
    Mutant("create Child SAs while rekeying the IKE SA", "2.25.2", _create_child_sas_while_rekeying_the_ike_sa),
    Mutant("retry at once", "2.25", _retry_at_once),
    Mutant("mistake the directions of keys", "2.17", _mistake_the_directions_of_keys),
    Mutant("install what the peer has deleted", "1.4.1", _install_what_the_peer_has_deleted),
    Mutant("lose what the peer inherited", "2.8.2", _lose_what_the_peer_inherited),
    Mutant("keep Child SAs of a closed IKE SA", "1.4.1", _keep_child_sas_of_a_closed_ike_sa),
    Mutant("rekey what is being deleted", "2.25.1", _rekey_what_is_being_deleted),
    Mutant("never give up", "2.4", _never_give_up, walk.unanswered),
    Mutant("give out one SPI", "1.4.1", _give_out_one_spi),
    Mutant("reuse the nonce", "2.10", _reuse_the_nonce),
    Mutant("forget deletes of its own", "1.4.1", _forget_deletes_of_its_own),
)
