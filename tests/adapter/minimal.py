"""A small IKEv2 that shares no code with ikeref: a foreign implementation for the campaign to test.

One peer, a shared key, one suite (AES-256-GCM with 16 octets of ICV, HMAC-SHA-256, X25519), one kind of Child SA.
Either role; creates, rekeys and deletes Child SAs, answers the rekey of the IKE SA, never asks for it. Its octets come
from `struct`, its cryptography from the package of that name.
"""

import contextlib
import hmac
import struct
from collections.abc import Iterator
from random import Random

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.adapter.octets import (
    AUTH,
    BAD_AUTH,
    BAD_KE,
    COOKIE,
    CREATE,
    CRITICAL,
    DELETE,
    ESP,
    GROUP,
    IDI,
    IDR,
    IKE,
    IKE_AUTH,
    INFO,
    INIT,
    KE,
    NO_PROPOSAL,
    NONCE,
    NOT_FOUND,
    REKEY,
    SA,
    SK,
    TEMPORARY,
    TS_BAD,
    TSI,
    TSR,
    Payloads,
    UnknownCritical,
    chain,
    choose,
    error,
    first,
    notifications,
    notify,
    prf,
    prf_plus,
    proposal,
    subnet,
    unchain,
)
from tests.adapter.records import Child, Ike, Request


class Minimal:
    """The whole of it."""

    def __init__(self, seed: int, secret: bytes = b"a secret that both ends share") -> None:
        self.random = Random(f"minimal {seed}").randbytes
        self.secret, self.own_id, self.peer_id = secret, b"b.example", b"a.example"
        self.ikes: dict[bytes, Ike] = {}
        self.inits: dict[bytes, Ike] = {}
        self.children: list[Child] = []
        self.now = 0.0
        self.out: list[bytes] = []

    # What the adapter calls

    def receive(self, datagram: bytes, source: object, destination: object, now: float) -> list[bytes]:
        del source, destination
        self.now, self.out = now, []
        with contextlib.suppress(ValueError, struct.error, InvalidTag, IndexError):
            self.arrived(datagram)
        return self.out

    def tick(self, now: float) -> list[bytes]:
        self.now, self.out = now, []
        for ike in list(self.ikes.values()):
            request = ike.request
            if request is not None and request.due <= now:
                if request.tries == 5:
                    self.close(ike)
                else:
                    self.repeat(ike, request)
            elif ike.state in ("half", "closed") and ike.until <= now:
                self.ikes = {spi: each for spi, each in self.ikes.items() if each is not ike}
                self.inits = {octets: each for octets, each in self.inits.items() if each is not ike}
        return self.out

    def next_deadline(self) -> float | None:
        due = [ike.request.due for ike in self.ikes.values() if ike.request is not None]
        due += [ike.until for ike in self.ikes.values() if ike.state in ("half", "closed") and ike.request is None]
        return min(due, default=None)

    def order(self, what: str, spi: bytes, now: float) -> list[bytes]:
        """A command, by name; nothing where it can't be done now."""
        self.now, self.out = now, []
        if what == "initiate":
            self.initiate()
        ike = next((each for each in self.ikes.values() if each.state == "up"), None)
        if ike is None or ike.request is not None:
            return self.out
        child = next((each for each in self.children if each.spi_in == spi and each.state == "up"), None)
        if what == "create":
            self.ask_child(ike, None)
        elif what == "rekey child" and child is not None:
            self.ask_child(ike, child)
        elif what == "delete child" and child is not None:
            self.ask_delete(ike, child)
        elif what == "delete IKE":
            ike.state = "deleting"
            self.ask(ike, INFO, [(DELETE, struct.pack("!BBH", IKE, 0, 0))], Request("delete IKE"))
        elif what == "liveness":
            self.ask(ike, INFO, [], Request("liveness"))
        return self.out

    # Octets

    def header(self, ike: Ike, kind: int, exchange: int, number: int, response: bool, size: int) -> bytes:
        flags = (0x08 if ike.initiator else 0) | (0x20 if response else 0)
        return ike.spi_i + ike.spi_r + struct.pack("!BBBBII", kind, 0x20, exchange, flags, number, size)

    def clear(self, ike: Ike, exchange: int, payloads: Payloads, response: bool) -> bytes:
        body = chain(payloads)
        return self.header(ike, payloads[0][0], exchange, 0, response, 28 + len(body)) + body

    def seal(self, ike: Ike, exchange: int, payloads: Payloads, number: int, response: bool) -> bytes:
        plain = chain(payloads) + b"\0"
        kind = payloads[0][0] if payloads else 0
        size = 28 + 4 + 8 + len(plain) + 16
        head = self.header(ike, SK, exchange, number, response, size) + struct.pack("!BBH", kind, 0, size - 28)
        iv = self.new_iv(ike)
        return head + iv + AESGCM(ike.sends[:32]).encrypt(ike.sends[32:] + iv, plain, head)

    def new_iv(self, ike: Ike) -> bytes:
        ike.count += 1
        return ike.count.to_bytes(8)

    def open(self, ike: Ike, datagram: bytes) -> bytes:
        if datagram[16] != SK:
            raise ValueError("not protected")
        iv, body = datagram[32:40], datagram[40:]
        plain = AESGCM(ike.receives[:32]).decrypt(ike.receives[32:] + iv, body, datagram[:32])
        return plain[: len(plain) - 1 - plain[-1]]

    def read(self, ike: Ike, datagram: bytes) -> Payloads:
        return list(unchain(datagram[28], self.open(ike, datagram)))

    def new_nonce(self) -> bytes:
        return self.random(32)

    def new_spi(self) -> bytes:
        return b"\xb0" + self.random(3)

    # Sending

    def ask(self, ike: Ike, exchange: int, payloads: Payloads, request: Request) -> None:
        request.exchange, request.payloads = exchange, payloads
        request.datagram = self.seal(ike, exchange, payloads, ike.mine, False)
        request.due = self.now + 2
        ike.mine += 1
        ike.request = request
        self.out.append(request.datagram)

    def repeat(self, ike: Ike, request: Request) -> None:
        del ike
        request.tries += 1
        request.due = self.now + 2 * 2**request.tries
        self.out.append(request.datagram)

    def respond(self, ike: Ike, exchange: int, payloads: Payloads) -> None:
        ike.response = self.seal(ike, exchange, payloads, ike.theirs, True)
        ike.theirs += 1
        self.out.append(ike.response)

    def respond_again(self, ike: Ike) -> None:
        self.out.append(ike.response)

    def close(self, ike: Ike) -> None:
        if ike.state in ("up", "deleting"):
            self.children.clear()
        ike.state, ike.request, ike.until = "closed", None, self.now + 30

    # IKE_SA_INIT and IKE_AUTH

    def initiate(self) -> None:
        ike = Ike(True, self.random(8))
        self.ikes[ike.spi_i] = ike
        ike.ni = self.new_nonce()
        ike.request = Request("init")
        self.send_init(ike, [])

    def send_init(self, ike: Ike, cookie: Payloads) -> None:
        public = ike.private.public_key().public_bytes_raw()
        payloads = [*cookie, (SA, proposal(IKE, b"")), (KE, struct.pack("!HH", GROUP, 0) + public), (NONCE, ike.ni)]
        assert ike.request is not None
        ike.first_i = ike.request.datagram = self.clear(ike, INIT, payloads, False)
        ike.request.due, ike.mine = self.now + 2, 1
        self.out.append(ike.first_i)

    def init_request(self, datagram: bytes, payloads: Payloads) -> None:
        chosen = choose(first(payloads, SA), IKE)
        public = first(payloads, KE)
        refused = Ike(False, datagram[:8])
        if chosen is None:
            self.out.append(self.clear(refused, INIT, [notify(NO_PROPOSAL)], True))
            return
        if struct.unpack("!H", public[:2])[0] != GROUP:
            self.out.append(self.clear(refused, INIT, [notify(BAD_KE, struct.pack("!H", GROUP))], True))
            return
        ike = Ike(False, datagram[:8], self.random(8))
        ike.ni, ike.nr, ike.first_i = first(payloads, NONCE), self.new_nonce(), datagram
        self.agree(ike, public[4:])
        own = ike.private.public_key().public_bytes_raw()
        answer = [(SA, proposal(IKE, b"", chosen[0])), (KE, struct.pack("!HH", GROUP, 0) + own), (NONCE, ike.nr)]
        ike.first_r = ike.response = self.clear(ike, INIT, answer, True)
        ike.state, ike.until, ike.theirs = "half", self.now + 30, 1
        self.ikes[ike.spi_r] = self.inits[datagram] = ike
        self.out.append(ike.response)

    def agree(self, ike: Ike, public: bytes) -> None:
        shared = ike.private.exchange(X25519PublicKey.from_public_bytes(public))
        ike.derive(prf(ike.ni + ike.nr, shared))

    def init_response(self, ike: Ike, datagram: bytes, payloads: Payloads) -> None:
        told = notifications(payloads)
        if COOKIE in told and not any(kind == SA for kind, _ in payloads):
            self.send_init(ike, [notify(COOKIE, told[COOKIE][1])])
            return
        public = first(payloads, KE)
        ike.spi_r, ike.nr, ike.first_r = datagram[8:16], first(payloads, NONCE), datagram
        self.agree(ike, public[4:])
        self.send_auth(ike)

    def send_auth(self, ike: Ike) -> None:
        request = Request("auth")
        request.spi = self.new_spi()
        own, _ = self.identities()
        payloads = [(IDI, own), (AUTH, self.auth(ike.first_i, ike.nr, ike.pi, own)), (SA, proposal(ESP, request.spi))]
        self.ask(ike, IKE_AUTH, [*payloads, (TSI, subnet(2)), (TSR, subnet(1))], request)

    def identities(self) -> tuple[bytes, bytes]:
        return struct.pack("!B3x", 2) + self.own_id, struct.pack("!B3x", 2) + self.peer_id

    def auth(self, message: bytes, nonce: bytes, key: bytes, identity: bytes) -> bytes:
        padded = prf(self.secret, b"Key Pad for IKEv2")
        return struct.pack("!B3x", 2) + prf(padded, message + nonce + prf(key, identity))

    def verifies(self, given: bytes, expected: bytes) -> bool:
        return hmac.compare_digest(given, expected)

    def auth_request(self, ike: Ike, payloads: Payloads) -> None:
        own, peer = self.identities()
        expected = self.auth(ike.first_i, ike.nr, ike.pi, peer)
        if first(payloads, IDI) != peer or not self.verifies(first(payloads, AUTH), expected):
            self.respond(ike, IKE_AUTH, [notify(BAD_AUTH)])
            self.close(ike)
            return
        ike.state = "up"
        answer = [(IDR, own), (AUTH, self.auth(ike.first_r, ike.ni, ike.pr, own))]
        made = self.accept_child(ike, payloads, ike.ni, ike.nr)
        self.respond(ike, IKE_AUTH, [*answer, *made])

    def auth_response(self, ike: Ike, payloads: Payloads, request: Request) -> None:
        _, peer = self.identities()
        bodies = dict(payloads)
        expected = self.auth(ike.first_r, ike.ni, ike.pr, peer)
        if bodies.get(IDR) != peer or not self.verifies(bodies.get(AUTH, b""), expected):
            if AUTH in bodies:
                self.ask(ike, INFO, [notify(BAD_AUTH)], Request("report"))
            self.close(ike)
            return
        ike.state = "up"
        if not error(payloads):
            self.installed(ike, request, payloads, ike.ni, ike.nr)

    # Child SAs

    def accept_child(self, ike: Ike, payloads: Payloads, ni: bytes, nr: bytes) -> Payloads:
        """Take the peer's offer; the payloads that say so."""
        chosen = choose(first(payloads, SA), ESP)
        if chosen is None:
            return [notify(NO_PROPOSAL)]
        if (first(payloads, TSI), first(payloads, TSR)) != (subnet(1), subnet(2)):
            return [notify(TS_BAD)]
        child = Child(self.new_spi(), chosen[1])
        self.key(ike, child, ni, nr, ours=False)
        self.children.append(child)
        return [(SA, proposal(ESP, child.spi_in, chosen[0])), (TSI, subnet(1)), (TSR, subnet(2))]

    def key(self, ike: Ike, child: Child, ni: bytes, nr: bytes, *, ours: bool) -> None:
        keys = prf_plus(ike.d, ni + nr, 72)
        child.key_out, child.key_in = (keys[:36], keys[36:]) if ours else (keys[36:], keys[:36])

    def installed(self, ike: Ike, request: Request, payloads: Payloads, ni: bytes, nr: bytes) -> Child | None:
        """The Child SA that the peer has granted."""
        chosen = choose(first(payloads, SA), ESP)
        if chosen is None or chosen[1] in request.denied:
            return None
        child = Child(request.spi, chosen[1])
        self.key(ike, child, ni, nr, ours=True)
        self.children.append(child)
        return child

    def ask_child(self, ike: Ike, old: Child | None) -> None:
        request = Request("rekey" if old else "create", old)
        request.spi, request.nonce = self.new_spi(), self.new_nonce()
        payloads = [(SA, proposal(ESP, request.spi)), (NONCE, request.nonce), (TSI, subnet(2)), (TSR, subnet(1))]
        if old is not None:
            old.state = "rekeying"
            payloads.insert(0, notify(REKEY, b"", ESP, old.spi_in))
        self.ask(ike, CREATE, payloads, request)

    def ask_delete(self, ike: Ike, child: Child) -> None:
        child.state = "deleting"
        self.ask(ike, INFO, [(DELETE, struct.pack("!BBH", ESP, 4, 1) + child.spi_in)], Request("delete", child))

    def create_request(self, ike: Ike, payloads: Payloads) -> Payloads:
        told = notifications(payloads)
        if REKEY not in told and choose(first(payloads, SA), IKE) is not None:
            return self.rekey_ike(ike, payloads)
        nonce = first(payloads, NONCE)
        own = ike.request
        creating = own is not None and own.kind in ("create", "rekey")
        old = None
        if REKEY in told:
            old = next((each for each in self.children if each.spi_out == told[REKEY][0]), None)
            if old is None:
                return self.unknown_rekey(ike, payloads, creating)
            if old.state not in ("up", "rekeying") or (own is not None and own.child is old and own.crossed):
                return [notify(TEMPORARY)]
        if ike.state != "up":
            return [notify(TEMPORARY)]
        return self.create(ike, payloads, nonce, old)

    def unknown_rekey(self, ike: Ike, payloads: Payloads, creating: bool) -> Payloads:
        del ike
        spi = notifications(payloads)[REKEY][0]
        return [notify(TEMPORARY)] if creating else [notify(NOT_FOUND, b"", ESP, spi)]

    def create(self, ike: Ike, payloads: Payloads, nonce: bytes, old: Child | None) -> Payloads:
        own_nonce = self.new_nonce()
        made = self.accept_child(ike, payloads, nonce, own_nonce)
        if made[0][0] != SA:
            return made
        if old is not None and old.state == "rekeying" and ike.request is not None:
            ike.request.crossed = min(nonce, own_nonce), self.children[-1]
        elif old is not None:
            old.state = "replaced"
        return [made[0], (NONCE, own_nonce), *made[1:]]

    def created(self, ike: Ike, payloads: Payloads, request: Request) -> None:
        """The answer to our CREATE_CHILD_SA."""
        old = request.child
        wrong = error(payloads)
        if wrong:
            if old is not None and wrong == NOT_FOUND:
                self.children = [each for each in self.children if each is not old]
            elif old is not None:
                old.state = "replaced" if request.crossed else "up"
            return
        nonce = first(payloads, NONCE)
        new = self.installed(ike, request, payloads, request.nonce, nonce)
        if old is None:
            return
        old.state = "replaced"
        victim: Child | None = old
        if request.crossed and self.loses(min(request.nonce, nonce), request.crossed[0]):
            victim = new
        elif request.crossed:
            request.crossed[1].state = "replaced"
        if victim in self.children and victim is not None and ike.state == "up":
            self.delete_old(ike, victim)

    def loses(self, ours: bytes, theirs: bytes) -> bool:
        """The exchange with the lowest nonce is redundant."""
        return ours < theirs

    def delete_old(self, ike: Ike, child: Child) -> None:
        self.ask_delete(ike, child)

    # The IKE SA: rekeyed by the peer, deleted by either

    def rekey_ike(self, ike: Ike, payloads: Payloads) -> Payloads:
        chosen = choose(first(payloads, SA), IKE)
        busy = ike.request is not None and ike.request.kind in ("create", "rekey", "delete")
        if ike.state != "up" or busy or chosen is None:
            return [notify(TEMPORARY)]
        new = Ike(False, chosen[1], self.random(8))
        new.ni, new.nr, new.state = first(payloads, NONCE), self.new_nonce(), "up"
        shared = new.private.exchange(X25519PublicKey.from_public_bytes(first(payloads, KE)[4:]))
        new.derive(prf(ike.d, shared + new.ni + new.nr))
        self.ikes[new.spi_r] = new
        ike.state = "replaced"
        public = struct.pack("!HH", GROUP, 0) + new.private.public_key().public_bytes_raw()
        return [(SA, proposal(IKE, new.spi_r, chosen[0])), (NONCE, new.nr), (KE, public)]

    def info_request(self, ike: Ike, payloads: Payloads) -> None:
        answer: list[bytes] = []
        over = error(payloads) == BAD_AUTH
        for kind, body in payloads:
            if kind == DELETE and body[0] == IKE:
                over = True
            elif kind == DELETE:
                spis = [body[at : at + 4] for at in range(4, len(body), 4)]
                answer += [spi for each in spis for spi in self.delete_request(ike, each)]
        deleted = [(DELETE, struct.pack("!BBH", ESP, 4, len(answer)) + b"".join(answer))] if answer else []
        self.respond(ike, INFO, deleted)
        if over:
            self.close(ike)

    def delete_request(self, ike: Ike, spi: bytes) -> Iterator[bytes]:
        child = next((each for each in self.children if each.spi_out == spi), None)
        if child is None:
            if ike.request is not None:
                ike.request.denied.add(spi)
        elif child.state != "deleting":
            self.children.remove(child)
            yield child.spi_in

    # Receiving

    def arrived(self, datagram: bytes) -> None:
        spi_i, spi_r = datagram[:8], datagram[8:16]
        exchange, flags, number, size = struct.unpack_from("!BBII", datagram, 18)
        if size != len(datagram) or datagram[17] >> 4 != 2:
            return
        if exchange == INIT and not flags & 0x20:
            if datagram in self.inits:
                if self.inits[datagram].response == self.inits[datagram].first_r:
                    self.respond_again(self.inits[datagram])
            elif spi_r == bytes(8) and number == 0:
                self.init_request(datagram, list(unchain(datagram[16], datagram[28:])))
            return
        ike = self.ikes.get(spi_r if flags & 0x08 else spi_i)
        if ike is None:
            return
        if flags & 0x20:
            self.response(ike, number, datagram)
        elif self.in_window(ike, number):
            self.request(ike, exchange, datagram)
        elif number == ike.theirs - 1 and ike.response and self.open(ike, datagram) is not None:
            self.respond_again(ike)

    def in_window(self, ike: Ike, number: int) -> bool:
        return number == ike.theirs and ike.state not in ("new", "closed")

    def request(self, ike: Ike, exchange: int, datagram: bytes) -> None:
        try:
            payloads = self.read(ike, datagram)
        except UnknownCritical as unknown:
            if ike.state != "half":
                self.respond(ike, exchange, [notify(CRITICAL, bytes(unknown.args))])
            return
        if ike.state == "half":
            self.half_open_request(ike, exchange, payloads)
        elif exchange == CREATE:
            self.respond(ike, exchange, self.create_request(ike, payloads))
        elif exchange == INFO:
            self.info_request(ike, payloads)

    def half_open_request(self, ike: Ike, exchange: int, payloads: Payloads) -> None:
        if exchange == IKE_AUTH:
            self.auth_request(ike, payloads)

    def response(self, ike: Ike, number: int, datagram: bytes) -> None:
        request = ike.request
        if request is None or number != ike.mine - 1:
            return
        if request.kind == "init":
            self.init_response(ike, datagram, list(unchain(datagram[16], datagram[28:])))
            return
        payloads = self.read(ike, datagram)
        ike.request = None
        if request.kind == "auth":
            self.auth_response(ike, payloads, request)
        elif request.kind in ("create", "rekey"):
            self.created(ike, payloads, request)
        elif request.kind == "delete":
            self.children = [each for each in self.children if each is not request.child]
        elif request.kind == "delete IKE":
            self.close(ike)
