"""A scene for collisions: two ends with an IKE SA and a Child SA, and words for what happens between them."""

from collections.abc import Iterator

import pytest
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, PEER, A, B, Flight, Pair, Record, connection
from ikeref_properties.refinement.words import deleted_spis, kind_of

from ikeref import sa
from ikeref.policy.connections import Connection, Settings
from ikeref.registry import ExchangeType, NotifyType
from ikeref.wire import Message, N

NONCES = ("our Ni", "their Ni", "their Nr", "our Nr")
"""Ours are those of the end that comes first; `their Nr` answers `our Ni`."""


class Scene:
    """Two ends with an IKE SA and a Child SA; `one` comes first in what happens."""

    def __init__(
        self,
        one: str,
        *,
        connections: dict[str, Connection] | None = None,
        judged: bool = True,
        window: int = 1,
    ) -> None:
        self.one, self.other = one, PEER[one]
        self.judge = Judge() if judged else None
        settings = Settings(window_size=window)
        self.pair = Pair(7, settings=settings, connections=connections, watch=self.judge).establish()
        self.old = {end: self.pair.children(end)[0].spi_in for end in ENDS}
        self.ike = self.pair.ikes(A)[0].spi_i
        self.start = len(self.pair.records)

    def lowest(self, nonce: str, *, before: int = 0) -> bool:
        """Make that nonce the lowest, after so many others of each end; whether our exchange holds it, and so loses."""
        value = {name: bytes([16 if name == nonce else 32 + index] * 32) for index, name in enumerate(NONCES)}
        first = {end: [bytes([index, attempt] * 16) for attempt in range(before)] for index, end in enumerate(ENDS, 1)}
        self.pair.forced[self.one][32] = [*first[self.one], value["our Ni"], value["our Nr"]]
        self.pair.forced[self.other][32] = [*first[self.other], value["their Ni"], value["their Nr"]]
        return nonce in ("our Ni", "their Nr")

    def to(self, end: str) -> Flight:
        """The oldest datagram on its way to an end."""
        return next(flight for flight in self.pair.flying if flight.to == end)

    def hold(self, end: str) -> Flight:
        """Keep back the oldest datagram to an end."""
        flight = self.to(end)
        self.pair.lose(flight)
        return flight

    def late(self, flight: Flight) -> Record:
        """It arrives after all."""
        return self.pair.deliver(flight, keep=True)

    def deliver(self, end: str) -> Record:
        return self.pair.deliver(self.to(end))

    def rekey_child(self, end: str) -> None:
        self.pair.command(end, sa.RekeyChild(self.old[end]))

    def delete_child(self, end: str) -> None:
        self.pair.command(end, sa.DeleteChild(self.old[end]))

    def settle(self) -> None:
        self.pair.settle()
        if self.judge is not None:
            self.judge.ledger.at_rest(self.pair)

    def sent(self, end: str) -> Iterator[Message]:
        """What an end has sent, retransmissions left out."""
        for record in self.pair.records[self.start :]:
            for output in record.outputs:
                if (
                    record.end == end
                    and type(output) is sa.Transmit
                    and output.message is not None
                    and not output.again
                ):
                    yield output.message

    def requests(self, end: str) -> list[str]:
        return [str(kind_of(message)) for message in self.sent(end) if not message.is_response]

    def deleted(self, end: str) -> list[bytes]:
        """SPIs in the requests of an end to delete Child SAs."""
        return [spi for message in self.sent(end) if not message.is_response for spi in deleted_spis(message)]

    def child(self, end: str) -> bytes:
        """The only Child SA."""
        (child,) = self.pair.children(end)
        return child.spi_in

    def ike_is_new(self) -> bool:
        (ike,) = self.pair.ikes(A)
        return ike.spi_i != self.ike


def errors(record: Record) -> list[int]:
    """The error notifications that an end answers with."""
    return [
        payload.type
        for output in record.outputs
        if type(output) is sa.Transmit and output.message is not None and output.message.is_response
        for payload in output.message.payloads
        if type(payload) is N and payload.type < 16384
    ]


def answered_spis(record: Record) -> tuple[bytes, ...]:
    """The SPIs in the Delete payloads that an end answers with."""
    (message,) = (
        output.message
        for output in record.outputs
        if type(output) is sa.Transmit and output.message is not None and output.message.is_response
    )
    assert message.exchange_type == ExchangeType.INFORMATIONAL
    return deleted_spis(message)


TEMPORARY = [NotifyType.TEMPORARY_FAILURE]
NOT_FOUND = [NotifyType.CHILD_SA_NOT_FOUND]
INVALID_KE = [NotifyType.INVALID_KE_PAYLOAD]

first = pytest.mark.parametrize("first", ["the other's", "ours"])
"""Whose request arrives first, where two cross."""


def arrivals(scene: Scene, first: str) -> tuple[str, str]:
    """The ends in the order in which the crossing requests arrive."""
    return (scene.other, scene.one) if first == "ours" else (scene.one, scene.other)


either = pytest.mark.parametrize("one", ENDS)
each_nonce = pytest.mark.parametrize("nonce", NONCES)


def other_groups(one: str) -> dict[str, Connection]:
    """Each end prefers another key exchange group, for Child SAs and IKE SAs."""
    return {
        one: connection(one, ike="aes256gcm16-prfsha256-x25519-ecp256", esp="aes256gcm16-x25519-ecp256"),
        PEER[one]: connection(PEER[one], ike="aes256gcm16-prfsha256-ecp256-x25519", esp="aes256gcm16-ecp256-x25519"),
    }


def check_names(ends: Pair, end: str, names: list[str]) -> None:
    """The Child SAs of an end, by what they were negotiated from, none twice."""
    assert sorted(child.name for child in ends.children(end)) == names


def check_child_collision(scene: Scene, ours_loses: bool) -> None:
    """Exactly one new Child SA is left; the loser has deleted its own, the winner the old one (Section 2.8.1)."""
    loser, winner = (scene.one, scene.other) if ours_loses else (scene.other, scene.one)
    assert scene.deleted(winner) == [scene.old[winner]]
    (redundant,) = scene.deleted(loser)
    assert redundant not in (scene.old[loser], scene.child(loser))
    (survivor,) = scene.pair.children(winner)
    assert survivor.initiator


def check_ike_collision(scene: Scene, ours_loses: bool) -> None:
    """One new IKE SA is left, the winner's, with the Child SA (Section 2.8.2)."""
    winner = scene.other if ours_loses else scene.one
    assert scene.requests(A) == scene.requests(B) == ["REKEY_IKE", "DELETE_IKE"]
    (survivor,) = scene.pair.ikes(winner)
    assert survivor.initiator
    assert scene.ike_is_new()
    assert scene.child(scene.one) == scene.old[scene.one]
