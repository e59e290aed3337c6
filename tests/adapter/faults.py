"""Faults of the foreign implementation, each a method or two that differ; the campaign has to find every one."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from tests.adapter.minimal import Minimal
from tests.adapter.octets import (
    CREATE,
    DELETE,
    ESP,
    INFO,
    NONCE,
    REKEY,
    SA,
    TSR,
    Payloads,
    first,
    notifications,
    proposal,
)
from tests.adapter.records import Child, Ike, Request


class OtherMessageId(Minimal):
    """A response bears the responder's own Message ID instead of the request's."""

    def respond(self, ike: Ike, exchange: int, payloads: Payloads) -> None:
        ike.response = self.seal(ike, exchange, payloads, ike.mine, True)
        ike.theirs += 1
        self.out.append(ike.response)


class EncryptsAgain(Minimal):
    """A retransmitted request is encrypted anew."""

    def repeat(self, ike: Ike, request: Request) -> None:
        if request.kind not in ("init", "auth"):
            request.datagram = self.seal(ike, request.exchange, request.payloads, ike.mine - 1, False)
        super().repeat(ike, request)


class AnswersAgain(Minimal):
    """A request that comes again is answered by an empty response."""

    def respond_again(self, ike: Ike) -> None:
        self.out.append(self.seal(ike, INFO, [], ike.theirs - 1, True))


class DeleteForDelete(Minimal):
    """Deletes that cross are answered with a Delete."""

    def delete_request(self, ike: Ike, spi: bytes) -> Iterator[bytes]:
        for child in self.children:
            if child.spi_out == spi and child.state == "deleting":
                yield child.spi_in
                return
        yield from super().delete_request(ike, spi)


class RekeysUnknown(Minimal):
    """The rekey of an unknown Child SA makes a new one."""

    def unknown_rekey(self, ike: Ike, payloads: Payloads, creating: bool) -> Payloads:
        del creating
        return self.create(ike, payloads, first(payloads, NONCE), None)


class Hasty(Minimal):
    """The initiator asks for a Child SA before it has authenticated itself."""

    def send_auth(self, ike: Ike) -> None:
        self.ask_child(ike, None)


class Trusting(Minimal):
    """Whatever is in AUTH verifies."""

    def verifies(self, given: bytes, expected: bytes) -> bool:
        del given, expected
        return True


class Twice(Minimal):
    """Each request is answered twice."""

    def respond(self, ike: Ike, exchange: int, payloads: Payloads) -> None:
        super().respond(ike, exchange, payloads)
        self.out.append(ike.response)


class OneNonce(Minimal):
    """There is one nonce for everything."""

    def new_nonce(self) -> bytes:
        return b"n" * 32


class OneIv(Minimal):
    """There is one IV for everything."""

    def new_iv(self, ike: Ike) -> bytes:
        del ike
        return bytes(8)


class NoWindow(Minimal):
    """Requests are answered in whatever order they come."""

    def in_window(self, ike: Ike, number: int) -> bool:
        if number > ike.theirs and ike.state == "up":
            ike.theirs = number
        return super().in_window(ike, number)


class WrongVictim(Minimal):
    """After crossing rekeys the exchange with the highest nonce is redundant."""

    def loses(self, ours: bytes, theirs: bytes) -> bool:
        return ours > theirs


class EarlyChild(Minimal):
    """A responder makes Child SAs for an initiator that it has not authenticated."""

    def half_open_request(self, ike: Ike, exchange: int, payloads: Payloads) -> None:
        if exchange == CREATE:
            self.respond(ike, exchange, self.create_request(ike, payloads))
        else:
            super().half_open_request(ike, exchange, payloads)


class Obedient(Minimal):
    """An unprotected Delete ends the IKE SA."""

    def arrived(self, datagram: bytes) -> None:
        ike = self.ikes.get(datagram[8:16]) or self.ikes.get(datagram[:8])
        if datagram[16] == DELETE and ike is not None:
            self.close(ike)
        super().arrived(datagram)


class CarriesOn(Minimal):
    """Message IDs go on where they were when the IKE SA is rekeyed."""

    def rekey_ike(self, ike: Ike, payloads: Payloads) -> Payloads:
        answer = super().rekey_ike(ike, payloads)
        if answer[0][0] == SA:
            list(self.ikes.values())[-1].mine = ike.mine
        return answer


class Wide(Minimal):
    """A responder grants more traffic than was asked for."""

    def accept_child(self, ike: Ike, payloads: Payloads, ni: bytes, nr: bytes) -> Payloads:
        everything = struct.pack("!B3xBBHHH", 1, 7, 0, 16, 0, 65535) + bytes(4) + b"\xff" * 4
        return [
            (kind, everything if kind == TSR else body) for kind, body in super().accept_child(ike, payloads, ni, nr)
        ]


class Renumbers(Minimal):
    """The answer chooses proposal 2 whatever was offered."""

    def accept_child(self, ike: Ike, payloads: Payloads, ni: bytes, nr: bytes) -> Payloads:
        made = super().accept_child(ike, payloads, ni, nr)
        return [(SA, proposal(ESP, self.children[-1].spi_in, 2)), *made[1:]] if made[0][0] == SA else made


class Impatient(Minimal):
    """A new request is sent while another is unanswered."""

    def order(self, what: str, spi: bytes, now: float) -> list[bytes]:
        self.now, self.out = now, []
        for ike in self.ikes.values():
            if what == "liveness" and ike.state == "up" and ike.request is not None:
                self.out.append(self.seal(ike, INFO, [], ike.mine, False))
                ike.mine += 1
                return self.out
        return super().order(what, spi, now)


class Deaf(Minimal):
    """A Delete of an unknown Child SA is not answered."""

    def info_request(self, ike: Ike, payloads: Payloads) -> None:
        for kind, body in payloads:
            if kind == DELETE and body[4:8] and not any(each.spi_out == body[4:8] for each in self.children):
                return
        super().info_request(ike, payloads)


class WrongKeys(Minimal):
    """Keys of the two directions of a Child SA are taken for each other."""

    def key(self, ike: Ike, child: Child, ni: bytes, nr: bytes, *, ours: bool) -> None:
        super().key(ike, child, ni, nr, ours=not ours)


class Keeps(Minimal):
    """A Child SA that the peer deletes stays."""

    def delete_request(self, ike: Ike, spi: bytes) -> Iterator[bytes]:
        before = list(self.children)
        yield from super().delete_request(ike, spi)
        self.children = before


class NeverDeletes(Minimal):
    """A Child SA that was rekeyed is not deleted: nobody is hurt at once."""

    def delete_old(self, ike: Ike, child: Child) -> None:
        del ike, child


class RekeysDying(Minimal):
    """A rekey of a Child SA that is being deleted is granted."""

    def create_request(self, ike: Ike, payloads: Payloads) -> Payloads:
        spi = notifications(payloads).get(REKEY, (b"", b""))[0]
        if any(child.state == "deleting" and child.spi_out == spi for child in self.children):
            return self.create(ike, payloads, first(payloads, NONCE), None)
        return super().create_request(ike, payloads)


class Fault(NamedTuple):
    """A fault and how it shows."""

    make: type[Minimal]
    rule: str
    """How the rule that finds it begins."""
    section: str
    """That the finding cites; empty where it depends on what comes next."""
    view: bool = False
    """It shows only to those who see the SAs."""


FAULTS: tuple[Fault, ...] = (
    Fault(OtherMessageId, "what is answered", "2.2"),
    Fault(EncryptsAgain, "retransmission", "2.1"),
    Fault(AnswersAgain, "one response", "2.1"),
    Fault(Twice, "one response", "2.1"),
    Fault(Impatient, "window", "2.3"),
    Fault(NoWindow, "rows: Request", "2.3"),
    Fault(CarriesOn, "message IDs", "2.2"),
    Fault(OneNonce, "nonces", "2.10"),
    Fault(OneIv, "IVs", "3.14"),
    Fault(Hasty, "rows: Response IKE_SA_INIT sends a CREATE_CHILD", "1.2"),
    Fault(EarlyChild, "rows: Request CREATE_CHILD", "1"),
    Fault(Trusting, "rows", ""),
    Fault(Obedient, "rows", ""),
    Fault(DeleteForDelete, "rows: Request DELETE_CHILD answers OK", "1.4.1"),
    Fault(Deaf, "rows: Request DELETE_CHILD sends nothing", "2.25.1"),
    Fault(RekeysUnknown, "rows: Request REKEY_CHILD answers OK", "2.25.1"),
    Fault(RekeysDying, "rows: Request REKEY_CHILD answers OK", "2.25.1"),
    Fault(Renumbers, "choice", "3.3.6"),
    Fault(Wide, "narrowing", "2.9"),
    Fault(WrongKeys, "keys", "2.17", view=True),
    Fault(Keeps, "Child SAs in pairs", "1.4.1", view=True),
)
DEPARTURES: tuple[type[Minimal], ...] = (WrongVictim, NeverDeletes)
"""What the RFC says with SHOULD, or implies: a warning."""
