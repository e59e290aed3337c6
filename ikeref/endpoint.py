"""Many IKE SAs behind one socket: dispatch by SPI, half-open IKE SAs, cookies, errors outside of any IKE SA.

The one mutable thing of the protocol: a dictionary of sessions. It does no input or output and reads no clock:
datagrams, commands and the time come in, outputs go out (Sections 2.1, 2.4, 2.5, 2.6, 2.21.1, 2.21.4, 2.23).
"""

import hashlib
import heapq
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from ikeref import sa, wire
from ikeref.crypto import Provider
from ikeref.errors import Dropped, InvalidMajorVersion, LocalProtocolError, RemoteProtocolError
from ikeref.policy import choice, proposals
from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import EapServer
from ikeref.policy.identities import Identity
from ikeref.policy.pools import Leases
from ikeref.registry import ExchangeType, KeGroup, NotifyType, PayloadType, name
from ikeref.sa import hints, nat
from ikeref.sa.outputs import Audit, InitialContact, Output, Transmit
from ikeref.sa.timers import NEVER
from ikeref.sa.values import Path, Phase, Session
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, NO_SPI, VERSION, Header, Message, N, TrafficSelector
from ikeref.wire.encapsulation import Ike, split, wrap

_COOKIE_OCTETS = 20
_RESERVED_SPIS = 255
_DRAWS = 64
"""SPIs that are drawn at most until one is free: of 2^32 many are."""
_PAUSE_SECONDS = 1.0
"""Until what failed for want of randomness is tried again."""
_HALF_OPEN = Phase.HALF_OPEN
_ENCRYPTED = (int(PayloadType.SK), int(PayloadType.SKF))


class Endpoint:
    """One end, towards any number of peers.

    `random(n)` gives n random octets, `calendar()` the date for certificates. Times are seconds of any clock that does
    not go back. A policy that `crypto` can't carry out is a LocalProtocolError.
    """

    def __init__(
        self,
        connections: tuple[Connection, ...],
        crypto: Provider,
        random: Callable[[int], bytes],
        settings: Settings | None = None,
        calendar: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        for connection in connections:
            _check_supported(connection, crypto)
        self.settings = settings or Settings()
        self.leases = Leases()
        """Internal addresses of all pools, whoever holds them (Section 2.19)."""
        self.environment = sa.Environment(
            crypto,
            random,
            self._new_spi,
            self.settings,
            connections,
            calendar,
            self._knows,
            self.leases.of,
            self.leases.to,
        )
        self.sessions: dict[int, Session] = {}
        """By a number that stays the same through rekeys of the IKE SA."""
        self.half_open = 0
        """IKE SAs that a responder keeps for initiators that have proved nothing yet (Section 2.6)."""
        self._half_open_from: dict[bytes, int] = {}
        """How many of these there are, by the network that they came from."""
        self._came_from: dict[int, bytes] = {}
        self._next = 1
        self._by_spi: dict[bytes, int] = {}
        """Whose an SPI of ours is: of an IKE SA, a Child SA, or a request that is to make one."""
        self._spis: dict[int, tuple[bytes, ...]] = {}
        self._fresh: list[bytes] = []
        """SPIs given out in this step; those that the session does not keep are free again."""
        self._by_request: dict[bytes, int] = {}
        self._request_of: dict[int, bytes] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._due: dict[int, float] = {}
        self._secrets: tuple[bytes, bytes] = (random(32), random(32))
        self._secret_made: float | None = None
        self._answers = hints.Bucket(self.settings.unprotected_answers_per_second)
        self._hints = hints.Bucket(self.settings.unprotected_answers_per_second)
        self._hosts: dict[int, str] = {}
        self._at: dict[str, dict[int, None]] = {}
        """The sessions with a peer at that address, the first one first."""
        self._told: dict[int, float] = {}
        """When the peer of a session was last told of an unknown SPI."""

    # Commands

    def initiate(
        self, connection: Connection, path: Path, now: float, packet: tuple[TrafficSelector, ...] = ()
    ) -> tuple[int, tuple[Output, ...]]:
        """Begin an IKE SA over `path`, perhaps for a packet: its source and destination. Its number, and what to do.

        Raises LocalProtocolError where policy has the peer prove itself by EAP, as initiators alone do (Section 2.16).
        """
        if isinstance(connection.remote_auth, EapServer):
            reason = f"connection {connection.name} has its peer prove itself by EAP, so it can only respond"
            raise LocalProtocolError(reason, section="2.16")
        number = self._number()
        return number, self._keep(number, None, sa.initiate(connection, path, now, self.environment, packet))

    def command(self, number: int, command: sa.Command, now: float) -> tuple[Output, ...]:
        """Ask something of a session. Raises LocalProtocolError where it can't be done."""
        session = self.sessions.get(number)
        if session is None:
            raise LocalProtocolError(f"there is no session {number}")
        return self._keep(number, session, sa.step(session, command, now, self.environment))

    def fetched(self, answer: sa.Fetched, now: float) -> tuple[Output, ...]:
        """What a `Fetch` came to. Whatever it is, it only ever makes outputs; nobody may wait for it any longer."""
        number = self._by_spi.get(answer.spi)
        if number is None:
            return ()
        try:
            outputs = self._keep(
                number, self.sessions[number], sa.step(self.sessions[number], answer, now, self.environment)
            )
        except Dropped as dropped:
            return (Audit(f"dropped: {dropped}"),)
        except OSError as error:  # no randomness: as if the datagram had been lost
            self._fresh.clear()
            return (Audit(f"dropped: {error}"),)
        return outputs + self._forget_stale(number, outputs, now)

    def heard(self, spi_in: bytes, path: Path, now: float) -> tuple[Output, ...]:
        """An authentic ESP packet of the Child SA with that inbound SPI, newer than all before, came on `path`: a peer
        that a NAT has given another address is followed (Section 2.23)."""
        number = self._by_spi.get(spi_in)
        if number is None:
            return ()
        session = self.sessions[number]
        return self._keep(number, session, sa.step(session, sa.Heard(path), now, self.environment))

    def not_installed(self, spi_in: bytes, reason: str, now: float) -> tuple[Output, ...]:
        """The host could not open a direction of the Child SA with that inbound SPI: it is deleted, since it carries
        nothing and the peer takes it for good (Section 1.4.1)."""
        number = self._by_spi.get(spi_in)
        told = Audit(f"the host refuses the Child SA: {reason}", spi_in)
        if number is None:
            return (told,)
        try:
            return (told, *self.command(number, sa.DeleteChild(spi_in), now))
        except LocalProtocolError as error:
            return (told, Audit(f"it is not deleted: {error.reason}", spi_in))

    # Time

    def next_deadline(self) -> float | None:
        """When `timer` wants to be called next; None for never."""
        while self._deadlines and self._due.get(self._deadlines[0][1]) != self._deadlines[0][0]:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def timer(self, now: float) -> tuple[Output, ...]:
        """Do all that is due by `now`."""
        outputs: list[Output] = []
        while (due := self.next_deadline()) is not None and due <= now:
            _, number = heapq.heappop(self._deadlines)
            del self._due[number]
            session = self.sessions[number]
            try:
                step = sa.step(session, sa.Tick(), now, self.environment)
            except OSError as error:
                self._fresh.clear()
                self._due[number] = now + _PAUSE_SECONDS
                heapq.heappush(self._deadlines, (now + _PAUSE_SECONDS, number))
                outputs.append(Audit(f"put off: {error}"))
                continue
            outputs += self._keep(number, session, step)
        return tuple(outputs)

    # Datagrams

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        """Process a datagram as it came from the network. Whatever it is, it only ever makes outputs."""
        try:
            if path.encapsulated:
                content = split(datagram)
                if type(content) is not Ike:
                    return ()
                datagram = content.datagram
            return self._receive(datagram, path, now)
        except Dropped as dropped:
            told = Audit(f"dropped: {dropped}")
            return (told, *self.hint(path, now)) if hints.is_hint(datagram) else (told,)
        except OSError as error:  # no randomness: as if the datagram had been lost
            self._fresh.clear()
            return (Audit(f"dropped: {error}"),)

    def _receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        header = wire.peek(datagram)
        if header.next_payload not in _ENCRYPTED and len(datagram) > self.settings.unprotected_octets:
            raise Dropped(f"{len(datagram)} octets that nothing protects", section="2.6")
        number = self._by_spi.get(header.spi_r if header.flags & FLAG_INITIATOR else header.spi_i)
        if number is not None and header.version >> 4 == VERSION >> 4:
            session = self.sessions[number]
            step = sa.step(session, sa.Datagram(datagram, path), now, self.environment)
            outputs = self._keep(number, session, step)
            if header.exchange_type == ExchangeType.IKE_AUTH:
                return outputs + self._forget_stale(number, outputs, now)
            return outputs
        if header.flags & FLAG_RESPONSE:
            raise Dropped("a response to nobody", section="2.21.4")  # 7296-2.21.4-02
        try:
            if header.exchange_type == ExchangeType.IKE_SA_INIT and header.spi_r == NO_SPI:
                return self._receive_first(datagram, header, path, now)
            message = wire.decode(datagram)
        except InvalidMajorVersion as error:
            return self._refuse(header, error, path, now)
        except RemoteProtocolError as error:
            raise Dropped(f"no IKE SA has these SPIs, and {error}", section="2.21.4") from error
        if not message.payloads or type(message.payloads[-1]) is not wire.SK:
            raise Dropped("an unprotected request, and no IKE SA has these SPIs", section="1.5")
        return self._answer(header, N(NotifyType.INVALID_IKE_SPI), path, now, "no IKE SA has these SPIs")

    def _receive_first(self, datagram: bytes, header: Header, path: Path, now: float) -> tuple[Output, ...]:
        """An IKE_SA_INIT request: a retransmission, or a first one (Sections 2.1, 2.6)."""
        fingerprint = _fingerprint(datagram, path)
        number = self._by_request.get(fingerprint)
        if number is not None:
            return sa.replay(self.sessions[number], datagram, path, now, self.environment).outputs
        try:
            request = wire.decode(datagram)
            if not header.flags & FLAG_INITIATOR or header.message_id != 0:
                raise Dropped("IKE_SA_INIT comes from an initiator and has message ID 0", section="2.2")
            if self._wants_cookie(path) and not self._cookie_is_valid(request, path, now):
                return self._answer(header, N(NotifyType.COOKIE, self._cookie(request, path, now)), path, now)
            if self.half_open >= self.settings.half_open_limit:
                raise Dropped("too many IKE SAs are half open", section="2.6")
            if self._has_enough(path):
                raise Dropped(f"too many IKE SAs from {path.remote[0]} are half open", section="2.6")
            step = sa.respond(request, datagram, path, now, self.environment)
        except RemoteProtocolError as error:
            return self._refuse(header, error, path, now)
        number = self._number()
        self._by_request[fingerprint] = number
        self._request_of[number] = fingerprint
        return self._keep(number, None, step)

    # Answers outside of any IKE SA

    def _refuse(self, header: Header, error: RemoteProtocolError, path: Path, now: float) -> tuple[Output, ...]:
        """An error notification without protection; a malformed request gets none (7296-3.10.1-07)."""
        if error.notify == NotifyType.INVALID_SYNTAX:
            raise Dropped(f"malformed, and not authentic: {error}", section="3.10.1")
        return self._answer(header, N(error.notify, error.data), path, now, f"refused: {error}")

    def _answer(self, header: Header, notify: N, path: Path, now: float, reason: str = "") -> tuple[Output, ...]:
        """One unprotected notification, SPIs and ID copied, at a limited rate (7296-2.21.4-01, 7296-2.21.4-04)."""
        if header.spi_i == NO_SPI:
            raise Dropped("the initiator's SPI must not be zero", section="3.1")  # an answer would have it too
        if notify.type != NotifyType.COOKIE and not self._answers.take(now):
            raise Dropped(f"too many unprotected answers; {reason}", section="2.21.4")
        flags = FLAG_RESPONSE
        if not header.flags & FLAG_INITIATOR:
            flags |= FLAG_INITIATOR
        message = Message(header.spi_i, header.spi_r, header.exchange_type, flags, header.message_id, (notify,))
        octets = wire.encode(message)
        out = Transmit(wrap(octets) if path.encapsulated else octets, path, message)
        return (Audit(reason), out) if reason else (out,)

    # Cookies

    def _wants_cookie(self, path: Path) -> bool:
        """Whether there are many half-open IKE SAs, or many from that address, if it is theirs."""
        each = self.settings.half_open_per_address
        if self.half_open >= self.settings.cookie_threshold:
            return True
        return each > 0 and 2 * self._half_open_from.get(_network(path), 0) >= each

    def _has_enough(self, path: Path) -> bool:
        """Whether an address that is really the initiator's has too many half-open IKE SAs."""
        each = self.settings.half_open_per_address
        return 0 < each <= self._half_open_from.get(_network(path), 0)

    def _cookie(self, request: Message, path: Path, now: float, which: int = 0) -> bytes:
        """Hash(Ni | IPi | SPIi | secret): proves that the initiator gets what is sent to its address (7296-2.6-17)."""
        self._rotate(now)
        nonces = [payload.data for payload in request.payloads if type(payload) is wire.Nonce]
        octets = b"".join(nonces) + nat.packed(path.remote[0]) + request.spi_i
        return hmac.digest(self._secrets[which], octets, "sha256")[:_COOKIE_OCTETS]

    def _cookie_is_valid(self, request: Message, path: Path, now: float) -> bool:
        """Whether the request brings a cookie of the present secret or the last.

        An invalid one counts as none (7296-2.6-21).
        """
        first = request.payloads[0] if request.payloads else None
        if type(first) is not N or first.type != NotifyType.COOKIE:
            return False
        return any(hmac.compare_digest(first.data, self._cookie(request, path, now, which)) for which in (0, 1))

    def _rotate(self, now: float) -> None:
        """A new secret every while; the one before stays valid as long (7296-2.6-19, 7296-2.6-20)."""
        if self._secret_made is None:
            self._secret_made = now
        elif now - self._secret_made >= self.settings.cookie_secret_seconds:
            self._secrets = (self.environment.random(32), self._secrets[0])
            self._secret_made = now

    # Packets of nobody

    def unknown_spi(self, spi: bytes, path: Path, now: float) -> tuple[Output, ...]:
        """An ESP or AH packet came by `path`, and no Child SA has its SPI: tell who sent it, at a limited rate.

        Over an IKE SA with that address, once in `hint_seconds` (7296-1.5-02, 7296-2.21.4-12), else in one unprotected
        message, whose own SPIs mean nothing, and which is a hint at most (7296-1.5-04, 7296-1.5-07, 7296-1.5-08).
        """
        for number in tuple(self._at.get(path.remote[0], ())):
            session = self.sessions[number]
            if hints.concerns(session, path):
                told = self._told.get(number)
                if hints.is_busy(session) or (told is not None and now < told + self.settings.hint_seconds):
                    return ()
                self._told[number] = now
                try:
                    return self.command(number, sa.TellInvalidSpi(spi), now)
                except (LocalProtocolError, OSError) as error:
                    return (Audit(f"a packet of an unknown SPI: {error}"),)
        if not self._answers.take(now):
            return (Audit("too many unprotected answers; a packet of an unknown SPI"),)
        random = self.environment.random
        hint = N(NotifyType.INVALID_SPI, spi)
        message = Message(random(8), random(8), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 0, (hint,))
        octets = wire.encode(message)
        return (Transmit(wrap(octets) if path.encapsulated else octets, path, message),)

    def hint(self, path: Path, now: float) -> tuple[Output, ...]:
        """Something that anyone can send, an unprotected notification or ICMP, says that all is not well at the other
        end of `path`. No SA changes; the peers there that were silent for `hint_seconds` are asked whether they live
        (7296-2.4-10, 7296-2.21.4-09), at a limited rate (7296-2.4-13, 7296-2.21.4-10)."""
        seconds = self.settings.hint_seconds
        if not seconds or not self._hints.take(now):
            return ()
        found: list[Output] = []
        for number in tuple(self._at.get(path.remote[0], ())):
            session = self.sessions[number]
            if (
                not hints.concerns(session, path)
                or hints.is_busy(session)
                or not hints.is_silent(session, now, seconds)
            ):
                continue
            if found and not self._hints.take(now):
                break
            try:
                found += self.command(number, sa.CheckLiveness(), now)
            except (LocalProtocolError, OSError) as error:
                found.append(Audit(f"a peer that may be gone is not asked: {error}"))
        return tuple(found)

    # Bookkeeping

    def _number(self) -> int:
        number = self._next
        self._next += 1
        return number

    def _keep(self, number: int, before: Session | None, step: sa.Step) -> tuple[Output, ...]:
        """Store what a session has become, and index it."""
        after = step.session
        self._count_half_open(number, before, after)
        self._index(number, after.spis if after is not None else ())
        if (after is not None and after.internal is not None) or number in self.leases.held:
            self._hold(number, after)
        hints.move(number, after, self._hosts, self._at)
        if after is None:
            self._told.pop(number, None)
            self._by_request.pop(self._request_of.pop(number, b""), None)
            self.sessions.pop(number, None)
            self._due.pop(number, None)
            return step.outputs
        self.sessions[number] = after
        due = sa.deadline(after, self.settings)
        if due == NEVER:
            self._due.pop(number, None)
        elif self._due.get(number) != due:
            self._due[number] = due
            heapq.heappush(self._deadlines, (due, number))
        return step.outputs

    def _count_half_open(self, number: int, before: Session | None, after: Session | None) -> None:
        """One more that is half open, or one less."""
        change = _is_half_open(after) - _is_half_open(before)
        if not change:
            return
        self.half_open += change
        if after is not None and change > 0:
            network = self._came_from[number] = _network(after.ikes[0].path)
        else:
            network = self._came_from.pop(number)
        count = self._half_open_from.get(network, 0) + change
        if count:
            self._half_open_from[network] = count
        else:
            del self._half_open_from[network]

    def _hold(self, number: int, after: Session | None) -> None:
        """A session holds the internal addresses that it gave to its peer, until its IKE SA ends (7296-3.15.1-12)."""
        if after is None or after.internal is None or after.internal.ours:
            self.leases.hold(number, None, ())
        else:
            self.leases.hold(number, after.peer, after.internal.packed)

    def _forget_stale(self, number: int, outputs: tuple[Output, ...], now: float) -> tuple[Output, ...]:
        """End what is left between the identities of an INITIAL_CONTACT (7296-2.4-04).

        Only what was begun before: an IKE_AUTH of before a restart may arrive after one that came later.
        """
        ended: list[Output] = []
        for contact in outputs:
            if type(contact) is InitialContact:
                for other in self._between(contact.local, contact.peer):
                    if other < number:
                        session = self.sessions[other]
                        step = sa.abandon(session, "INITIAL_CONTACT: the peer has lost it", now, self.environment)
                        ended += self._keep(other, session, step)
        return tuple(ended)

    def _between(self, local: Identity, peer: Identity) -> list[int]:
        """The sessions between two identities."""
        return [n for n, s in self.sessions.items() if s.peer == peer and s.connection.local_id == local]

    def _knows(self, local: Identity, peer: Identity) -> bool:
        return bool(self._between(local, peer))

    def _index(self, number: int, spis: tuple[bytes, ...]) -> None:
        """Let a session be found by these SPIs, and no others."""
        known = self._spis.get(number, ())
        if spis != known:
            for spi in known:
                self._by_spi.pop(spi, None)
            for spi in spis:
                self._by_spi[spi] = number
            if spis:
                self._spis[number] = spis
            else:
                del self._spis[number]
        self._fresh.clear()

    def _new_spi(self, octets: int) -> bytes:
        """Random, not in use at this end; those of Child SAs lie above the reserved ones (RFC 4303 section 2.1)."""
        for _ in range(_DRAWS):
            spi = self.environment.random(octets)
            if int.from_bytes(spi, "big") > _RESERVED_SPIS and spi not in self._by_spi and spi not in self._fresh:
                self._fresh.append(spi)
                return spi
        raise OSError("the source of randomness repeats itself")


def _check_supported(connection: Connection, crypto: Provider) -> None:
    """Raises LocalProtocolError where policy wants what cryptography hasn't got: better now than in an exchange."""
    for proposal in connection.ike_proposals:
        if not all(crypto.supports(suite) for suite in choice.suites_of(proposal)):
            reason = f"connection {connection.name}: {proposals.format(proposal)} is not wholly supported"
            raise LocalProtocolError(reason, section="3.3.2")
    for child in connection.children:
        for group in choice.groups_of(child.proposals):
            if not crypto.supports_group(group):
                reason = f"Child SA {child.name} wants key exchange {name(KeGroup, group)}, which is not supported"
                raise LocalProtocolError(reason, section="3.3.2")


def _is_half_open(session: Session | None) -> bool:
    """A half-open IKE SA is the first of its session, and alone (Section 2.6)."""
    return session is not None and session.ikes[0].phase is _HALF_OPEN


def _network(path: Path) -> bytes:
    return nat.network(path.remote[0])


def _fingerprint(datagram: bytes, path: Path) -> bytes:
    """Tells retransmissions of one IKE_SA_INIT from others: the whole datagram counts, and its source (7296-2.1-14)."""
    host, port = path.remote
    return hashlib.blake2b(f"{host} {port} ".encode() + datagram, digest_size=16).digest()
