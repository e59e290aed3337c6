"""The workbench of one step: the session being changed, and what is to go out.

`step` is a function of values; within it a `Turn` holds the parts that handlers replace. It lives for one step only.
"""

from typing import Any

from ikeref.crypto import IkeKeys, Suite, envelope
from ikeref.crypto.transforms import is_aead
from ikeref.errors import LocalProtocolError
from ikeref.policy.identities import Identity
from ikeref.registry import Encr, ExchangeType
from ikeref.sa import window
from ikeref.sa.environment import Environment
from ikeref.sa.outputs import Audit, Closed, Install, NewKeys, Output, Remove, Replayed, Step, Transmit, Unconfigured
from ikeref.sa.values import (
    Answer,
    ChildSa,
    ChildState,
    Command,
    CreateChild,
    Exchange,
    IkeSa,
    Intent,
    Path,
    Phase,
    RekeyChild,
    RekeyIke,
    Retry,
    Session,
    changed,
)
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, Message, Payload
from ikeref.wire.encapsulation import KEEPALIVE, wrap
from ikeref.wire.header import new


class Turn:
    """One step in the making."""

    __slots__ = ("children", "connection", "env", "ikes", "internal", "now", "outputs", "peer", "retries")

    def __init__(self, session: Session, now: float, env: Environment) -> None:
        self.env = env
        self.now = now
        self.connection, self.ikes, self.children, self.peer, self.retries, self.internal = session
        self.outputs: list[Output] = []

    def finish(self) -> Step:
        """The session as it is now, and the outputs."""
        return new(Step, (self.session() if self.ikes else None, tuple(self.outputs)))

    def session(self) -> Session:
        """The session as it is now."""
        return new(Session, (self.connection, self.ikes, self.children, self.peer, self.retries, self.internal))

    def restore(self, session: Session, outputs: int) -> None:
        """Back to a session, and to so many outputs: a request that failed has changed nothing."""
        self.connection, self.ikes, self.children, self.peer, self.retries, self.internal = session
        del self.outputs[outputs:]

    # IKE SAs

    def ike(self, spi: bytes) -> IkeSa | None:
        """The IKE SA with that SPI of ours."""
        for ike in self.ikes:
            if ike.spi == spi:
                return ike
        return None

    def put(self, ike: IkeSa) -> IkeSa:
        """Store an IKE SA, the newest last, in place of the one with the same SPI of ours."""
        ikes, spi = self.ikes, ike.spi
        if len(ikes) == 1 and ikes[0].spi == spi:
            self.ikes = (ike,)
            return ike
        for index, other in enumerate(ikes):
            if other.spi == spi:
                self.ikes = (*ikes[:index], ike, *ikes[index + 1 :])
                return ike
        self.ikes = (*ikes, ike)
        return ike

    @property
    def current(self) -> IkeSa | None:
        """The IKE SA that controls the Child SAs."""
        return self.session().current

    def close(self, ike: IkeSa, reason: str, *, linger: bool = False) -> None:
        """End an IKE SA; with the last one that could control them, all Child SAs (7296-1.4.1-11).

        With `linger` it still replays its last response for a while.
        """
        if linger and self.env.settings.closed_linger_seconds > 0:
            expires = self.now + self.env.settings.closed_linger_seconds
            self.put(ike._replace(phase=Phase.CLOSED, outstanding=(), queue=(), handshake=None, expires=expires))
        else:
            self.ikes = tuple(other for other in self.ikes if other.spi != ike.spi)
        self.outputs.append(Closed(ike.spi_i, ike.spi_r, reason))
        if not any(other.owner for other in self.ikes):
            self.close_children()

    def close_children(self) -> None:
        """Close all Child SAs: no IKE SA is left that they could belong to (7296-1.4.1-11)."""
        for child in self.children:
            self.shut(child)
        self.retries = ()
        if self.internal is not None:
            self.outputs.append(Unconfigured(self.internal))
            self.internal = None

    # Child SAs

    def child(self, spi_in: bytes) -> ChildSa | None:
        """The Child SA with that inbound SPI."""
        for child in self.children:
            if child.spi_in == spi_in:
                return child
        return None

    def child_by_peer(self, protocol_id: int, spi_out: bytes) -> ChildSa | None:
        """The Child SA with that outbound SPI: the one that the peer names (Section 1.4.1)."""
        for child in self.children:
            if child.spi_out == spi_out and child.protocol_id == protocol_id:
                return child
        return None

    def put_child(self, child: ChildSa) -> ChildSa:
        """Store a Child SA in place of the one with the same inbound SPI."""
        for index, other in enumerate(self.children):
            if other.spi_in == child.spi_in:
                self.children = (*self.children[:index], child, *self.children[index + 1 :])
                return child
        self.children = (*self.children, child)
        return child

    def install(self, child: ChildSa, path: Path, *, outbound: bool = True) -> None:
        """Open a new Child SA: inbound first, then outbound unless that is deferred (Section 2.8)."""
        self.outputs.append(Install(True, child, path))
        if outbound:
            self.outputs.append(Install(False, child, path))
            self.put_child(changed(child, keys=None))
        else:
            self.put_child(child._replace(outbound=False))

    def remove(self, child: ChildSa) -> None:
        """Close what is open of a Child SA, and forget it."""
        self.shut(child)
        self._open_outbound(child.spi_in)

    def shut(self, child: ChildSa) -> None:
        """The same, where nothing takes its place."""
        if child.outbound:
            self.outputs.append(Remove(False, child))
        if child.inbound:
            self.outputs.append(Remove(True, child))
        self.children = tuple(other for other in self.children if other.spi_in != child.spi_in)

    def close_outbound(self, child: ChildSa) -> None:
        """Close the outbound direction, or leave it closed where it is not open yet; the inbound one waits for the
        peer's response (7296-1.4.1-08), and an operator is told (7296-1.4.1-13)."""
        if child.outbound:
            self.outputs.append(Remove(False, child))
        self.outputs.append(Audit("Child SA is half closed, its deletes crossed (Section 1.4.1)", child.spi_in))
        self.put_child(child._replace(outbound=False, keys=None))
        self._open_outbound(child.spi_in)

    def _open_outbound(self, replaced: bytes) -> None:
        """Send on what replaced a Child SA: its initiator, too, has it now (7296-2.8-22)."""
        for child in self.children:
            if child.replaces == replaced:
                self.open_outbound(child)

    def open_outbound(self, child: ChildSa) -> ChildSa:
        """Send on a Child SA, if that still waits to be begun and is not over: the peer has it (7296-2.8-22)."""
        if child.keys is None or child.redundant or child.state is ChildState.DELETING:
            return child
        ike = self.current or self.ikes[-1]
        self.outputs.append(Install(False, child, ike.path))
        return self.put_child(child._replace(outbound=True, keys=None))

    # Messages

    def transmit(self, path: Path, datagrams: tuple[bytes, ...], message: Message, *, again: bool = False) -> None:
        """Send a message, behind a non-ESP marker where the path wants one (Section 2.23)."""
        clear: Message | None = message
        for datagram in datagrams:
            marked = wrap(datagram) if path.encapsulated else datagram
            self.outputs.append(new(Transmit, (marked, path, clear, again)))
            clear = None

    def keepalive(self, ike: IkeSa) -> None:
        """Keep a NAT's mapping alive (Section 2.23)."""
        self.outputs.append(Transmit(KEEPALIVE, ike.path, None))

    def replay(self, request: Message, answer: Answer, path: Path) -> None:
        """Send a response again, because its request came again (Section 2.1)."""
        self.outputs.append(Replayed(request))
        self.transmit(path, answer.datagrams, answer.message, again=True)

    def seal(self, ike: IkeSa, message: Message) -> tuple[bytes, ...]:
        """The octets of a message, protected by the keys of the IKE SA (Section 3.14), in fragments if it is long."""
        keys, suite = ike.keys, ike.suite
        assert keys is not None
        assert suite is not None
        sk_e, sk_a = (keys.sk_ei, keys.sk_ai) if ike.initiator else (keys.sk_er, keys.sk_ar)
        datagram = envelope.protect(self.env.crypto, suite, sk_e, sk_a, message, self._iv(suite, ike.sealed))
        if not ike.fragmentation:
            return (datagram,)
        size = ike.path.room(self.env.settings.fragment_octets)
        if len(datagram) <= size:
            return (datagram,)  # 7383-2.4-03
        return self._in_fragments(suite, sk_e, sk_a, message, size, ike.sealed + 1)

    def _in_fragments(
        self, suite: Suite, sk_e: bytes, sk_a: bytes, message: Message, size: int, sealed: int
    ) -> tuple[bytes, ...]:
        """A message in fragments of so many octets. The IV of the whole, which nobody gets to see, was the last."""
        crypto = self.env.crypto
        parts = enumerate(envelope.cut(crypto, suite, message, size), sealed)
        closed = [part._replace(iv=self._iv(suite, number)) for number, part in parts]
        return tuple([envelope.protect_fragment(crypto, suite, sk_e, sk_a, part) for part in closed])

    def _iv(self, suite: Suite, sealed: int) -> bytes:
        """The IV is a counter where the cipher wants one, else it can't be foretold (Section 3.14, RFC 5282 section
        3.1)."""
        size = self.env.crypto.iv_size(suite)
        return sealed.to_bytes(size) if suite.encr == Encr.AES_CTR or is_aead(suite.encr) else self.env.random(size)

    def announce_keys(self, spi_i: bytes, spi_r: bytes, suite: Suite, keys: IkeKeys) -> None:
        """Tell key logs."""
        self.outputs.append(new(NewKeys, (spi_i, spi_r, suite, keys)))

    def request(
        self, ike: IkeSa, exchange_type: ExchangeType, payloads: tuple[Payload, ...], intent: Intent, **changes: Any
    ) -> IkeSa:
        """Send a protected request; the IKE SA as it waits for the response, with further fields changed."""
        if window.exhausted(ike.next_request):
            raise LocalProtocolError("the message IDs of this IKE SA are used up", section="2.2")
        flags = FLAG_INITIATOR if ike.initiator else 0
        message = Message(ike.spi_i, ike.spi_r, exchange_type, flags, ike.next_request, payloads)
        datagrams = self.seal(ike, message)
        return self.send_request(ike, message, datagrams, intent, sealed=_sealed(ike, datagrams), **changes)

    def send_request(
        self, ike: IkeSa, message: Message, datagrams: tuple[bytes, ...], intent: Intent, **changes: Any
    ) -> IkeSa:
        """Send a request and remember it until its response comes, with further fields of the IKE SA changed."""
        settings = self.env.settings
        deadline = self.now + window.wait(1, settings.retransmit_initial_seconds, settings.retransmit_base)
        exchange = Exchange(message.message_id, message, datagrams, intent, deadline)
        earlier = ike.outstanding if message.message_id else ()  # IKE_SA_INIT anew takes the place of the last
        ike = changed(
            ike,
            outstanding=(*earlier, exchange),
            next_request=message.message_id + 1,
            sent=self.now,
            **changes,
        )
        self.transmit(ike.path, datagrams, message)
        return self.put(ike)

    def amend(self, ike: IkeSa, exchange: Exchange, changed: Exchange) -> IkeSa:
        """Replace an unanswered request by what is now known of it."""
        outstanding = tuple([changed if each is exchange else each for each in ike.outstanding])
        return self.put(ike._replace(outstanding=outstanding))

    def respond(self, ike: IkeSa, request: Message, payloads: tuple[Payload, ...], path: Path) -> IkeSa:
        """Send the response to a request, and keep it while its request may still come again (7296-2.3-11)."""
        flags = FLAG_RESPONSE | (FLAG_INITIATOR if ike.initiator else 0)
        message = Message(ike.spi_i, ike.spi_r, request.exchange_type, flags, request.message_id, payloads)
        datagrams = self.seal(ike, message)
        answer, expected = Answer(message, datagrams), ike.expected + 1
        answers: tuple[Answer, ...] = (answer,)
        if ike.window > 1:
            kept = window.kept(ike.answered, request.message_id, ike.window)
            answers = tuple([each for each in (*ike.answers, answer) if each.message.message_id in kept])
            expected = window.next_expected(ike.expected, kept)
        ike = changed(
            ike, answers=answers, expected=expected, sealed=_sealed(ike, datagrams), sent=self.now, heard=self.now
        )
        self.transmit(path, datagrams, message)
        return self.put(ike)

    # Commands

    def enqueue(self, ike: IkeSa, command: Command) -> IkeSa:
        """Let a command wait until the window has room (Section 2.3)."""
        return self.put(ike._replace(queue=(*ike.queue, command)))

    def enqueue_first(self, ike: IkeSa, command: Command) -> IkeSa:
        """Let a command be the next to start."""
        return self.put(ike._replace(queue=(command, *ike.queue)))

    def retry_later(self, command: CreateChild | RekeyChild | RekeyIke) -> None:
        """Try a command again, after a while that doubles and a random part of it; what asks for the same waits too.

        (7296-2.25-03.)
        """
        jitter = self.env.random(1)[0] / 256
        due = self.now + self.env.settings.retry_seconds * 2 ** (command.attempt - 1) * (1 + jitter)
        self.retries = (*self.retries, Retry(due, command))
        current = self.current
        if current is not None and not isinstance(command, CreateChild):
            same = command._replace(attempt=0, group=0)
            self.put(current._replace(queue=tuple(other for other in current.queue if _plain(other) != same)))

    def audit(self, reason: str, spi: bytes = b"") -> None:
        """Tell whoever watches."""
        self.outputs.append(Audit(reason, spi))

    @property
    def patience(self) -> float:
        """Seconds until the peer has given up on any request of its own, if its settings are like ours."""
        settings = self.env.settings
        return window.patience(settings.retransmit_initial_seconds, settings.retransmit_base, settings.retransmit_tries)

    def authenticated(self, peer: Identity) -> None:
        """The peer has proved who it is: mostly whom policy names, and then policy's own value is kept."""
        expected = self.connection.remote_id
        self.peer = expected if peer == expected else peer


def _sealed(ike: IkeSa, datagrams: tuple[bytes, ...]) -> int:
    """How many IVs are used once these are protected; fragments leave one out."""
    return ike.sealed + (1 if len(datagrams) == 1 else 1 + len(datagrams))


def waits(ike: IkeSa, command: Command) -> bool:
    """Whether that very command is in the queue. Commands without fields are equal tuples, so their types count too."""
    return any(type(other) is type(command) and other == command for other in ike.queue)


def _plain(command: Command) -> Command:
    """A rekey as it was first asked for."""
    return command._replace(attempt=0, group=0) if isinstance(command, RekeyChild | RekeyIke) else command
