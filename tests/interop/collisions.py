"""Exchanges of both ends that cross, brought about by holding datagrams back until both requests are under way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from ikeref import sa, wire
from ikeref.net.transport import Event, Sent
from ikeref.registry import ExchangeType
from tests.interop import journal
from tests.interop.lab import eventually
from tests.interop.listing import Listing
from tests.interop.ours import Ikeref
from tests.interop.scenarios import BOTH, other_end
from tests.interop.scene import Scene


class Crossing(NamedTuple):
    """What our end saw in clear of two exchanges that crossed, that of our request and that of theirs."""

    ours: tuple[wire.Message, wire.Message]
    theirs: tuple[wire.Message, wire.Message]

    def nonces(self, who: str) -> tuple[bytes, bytes]:
        """Of the request and of the response."""
        request, response = self.ours if who == "ours" else self.theirs
        return _nonce(request), _nonce(response)

    def loser(self) -> str:
        """Whose request made the SA that is to be closed: the one with the lowest of the four nonces (2.8.1)."""
        return min(BOTH, key=lambda who: min(self.nonces(who)))

    def our_spi(self, who: str) -> str:
        """The SPI of our end in the SA that this end's request made."""
        ours = self.ours[0] if who == "ours" else self.theirs[1]
        return next(each for each in ours.payloads if isinstance(each, wire.SA)).proposals[0].spi.hex()


def cross(scene: Scene, ikeref: Ikeref, exchange_type: int, act: Callable[[str], None], first: str = "") -> Crossing:
    """Let both ends act at once; returns both exchanges. `first` is as `begin` has it."""
    seen = len(ikeref.events)
    begin(scene, exchange_type, act, first)

    def both() -> Crossing | None:
        return _crossing(ikeref.events[seen:], exchange_type)

    return eventually("both are answered", both, scene.patience)


def begin(scene: Scene, exchange_type: int, act: Callable[[str], None], first: str = "") -> None:
    """Let both ends act, and let nothing pass until the request of each is there.

    With `first` nothing but what this end sends passes until the other end has answered its request.
    """
    since = len(scene.bridge.journal)
    scene.bridge.hold(*BOTH)
    acting = [threading.Thread(target=act, args=(who,)) for who in BOTH]
    for each in acting:
        each.start()
    try:
        eventually(
            "both requests are under way",
            lambda: all(journal.requests(scene.bridge.journal[since:], who, exchange_type) for who in BOTH),
            scene.patience,
        )
        if first:
            other = other_end(first)
            scene.bridge.release(other)
            eventually(
                f"{other} answer",
                lambda: bool(journal.responses(scene.bridge.journal[since:], other, exchange_type)),
                scene.patience,
            )
    finally:
        scene.bridge.release()
        for each in acting:
            each.join()


def rekeys_of_the_child_sa(scene: Scene, ikeref: Ikeref) -> None:
    """The SA with the lowest nonce is closed by whoever created it; the other one stays (Section 2.8.1)."""
    (before,) = scene.ours.sas()
    crossing = cross(scene, ikeref, ExchangeType.CREATE_CHILD_SA, lambda who: scene.side(who).rekey_child("first"))
    assert _successful(crossing)
    loser = crossing.loser()
    winner = "theirs" if loser == "ours" else "ours"
    scene.becomes(
        f"of the two, that of {winner} stays",
        lambda sas: [child.spi_in for ike in sas for child in ike.children] == [crossing.our_spi(winner)],
    )
    (after,) = scene.agree("after crossing rekeys of the Child SA", ike_sas=1, children=1)
    assert after.spi_i == before.spi_i


def rekeys_of_the_ike_sa(scene: Scene, ikeref: Ikeref) -> None:
    """The same for IKE SAs; the one that stays inherits the Child SAs (Section 2.8.2)."""
    (before,) = scene.ours.sas()
    crossing = cross(scene, ikeref, ExchangeType.CREATE_CHILD_SA, lambda who: scene.side(who).rekey_ike())
    assert _successful(crossing)
    winner = "theirs" if crossing.loser() == "ours" else "ours"
    spi = crossing.our_spi(winner)

    def settled(sas: Listing) -> bool:
        return [ike.spi_i if ike.initiator else ike.spi_r for ike in sas] == [spi]

    scene.becomes(f"of the two, that of {winner} stays", settled)
    (after,) = scene.agree("after crossing rekeys of the IKE SA", ike_sas=1, children=len(before.children))
    assert after.children == before.children


def deletes_of_the_child_sa(scene: Scene, ikeref: Ikeref) -> None:
    """Neither response names the SA again (Section 1.4.1)."""
    crossing = cross(scene, ikeref, ExchangeType.INFORMATIONAL, lambda who: scene.side(who).delete_child("first"))
    scene.agree("after crossing Deletes of the Child SA", ike_sas=1, children=0)
    assert not deletes(crossing.theirs[1]), "our response"
    assert not deletes(crossing.ours[1]), "their response"


def deletes_of_the_ike_sa(scene: Scene, _: Ikeref) -> None:
    """Nothing is left (Section 1.4.1)."""
    begin(scene, ExchangeType.INFORMATIONAL, lambda who: scene.side(who).delete_ike())
    scene.agree("after crossing Deletes of the IKE SA", ike_sas=0, children=0)


def deletes(message: wire.Message) -> bool:
    """Whether there is a Delete payload in it."""
    return any(isinstance(each, wire.D) for each in message.payloads)


def _successful(crossing: Crossing) -> bool:
    return all(
        any(isinstance(each, wire.SA) for each in response.payloads)
        for response in (crossing.ours[1], crossing.theirs[1])
    )


def _nonce(message: wire.Message) -> bytes:
    return next(each for each in message.payloads if isinstance(each, wire.Nonce)).data


def _crossing(events: list[Event], exchange_type: int) -> Crossing | None:
    """The first exchange of each end in what our end sent and received."""
    sent = [event.transmit.message for event in events if isinstance(event, Sent)]
    received = [event.message for event in events if isinstance(event, sa.Received)]
    ours = _exchange(sent, received, exchange_type)
    theirs = _exchange(received, sent, exchange_type)
    return Crossing(ours, theirs) if ours and theirs else None


def _exchange(
    sent: list[wire.Message | None] | list[wire.Message],
    received: list[wire.Message | None] | list[wire.Message],
    exchange_type: int,
) -> tuple[wire.Message, wire.Message] | None:
    for request in sent:
        if request and request.exchange_type == exchange_type and not request.is_response:
            for response in received:
                same = (*request[:3], request.message_id)
                if response and response.is_response and (*response[:3], response.message_id) == same:
                    return request, response
            return None
    return None
