"""Captured IKE SAs altered: messages forged under their own keys, put in, taken out, moved."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ikeref_properties.capture import keys
from ikeref_properties.capture.check import Report, judge
from ikeref_properties.capture.opening import Opener, Seen

from ikeref import wire
from ikeref.crypto import envelope
from ikeref.crypto.real import RealCrypto
from ikeref.net import packets
from ikeref.net.packets import Contents, Datagram

GENERATED = Path(__file__).parents[1] / "vectors" / "generated"
PROVIDER = RealCrypto(legacy=True)


def scenarios() -> list[str]:
    """The names of all captures."""
    return sorted(path.parent.name for path in GENERATED.glob("*/scenario.json"))


def files(name: str) -> tuple[Path, Path]:
    """The capture and its keys."""
    return GENERATED / name / f"{name}.pcap", GENERATED / name / f"{name}.keys.json"


class Altered(NamedTuple):
    """A capture that is being altered. Places count datagrams from 0; packet numbers stay what they were."""

    datagrams: tuple[Datagram, ...]
    seen: tuple[Seen, ...]
    keys: tuple[keys.Keys, ...]

    def judge(self) -> Report:
        """The verdict."""
        return judge(Contents(self.datagrams, len(self.datagrams), 0), self.keys)

    def place(self, number: int) -> int:
        """Where the packet of that number stands."""
        return next(place for place, each in enumerate(self.datagrams) if each.number == number)

    def message(self, number: int) -> wire.Message:
        """What the packet of that number holds, opened."""
        found = next(each.message for each in self.seen if each.number == number)
        assert found is not None
        return found

    def forged(self, number: int, like: int, message: wire.Message, *, iv: int = 0x5A) -> Datagram:
        """A datagram with that message and packet number, from the sender of the packet `like`."""
        template = self.datagrams[self.place(like)]
        return template._replace(number=number, octets=self._encode(message, iv))

    def _encode(self, message: wire.Message, iv: int) -> bytes:
        if message.exchange_type == 34:
            return wire.encode(message)
        found = next(each for each in self.keys if (each.spi_i, each.spi_r) == (message.spi_i, message.spi_r))
        sk_e, sk_a = (found.sk_ei, found.sk_ai) if message.is_initiator else (found.sk_er, found.sk_ar)
        fresh = bytes((iv,)) * PROVIDER.iv_size(found.suite)
        return envelope.protect(PROVIDER, found.suite, sk_e, sk_a, message, fresh)

    def insert(self, after: int, datagram: Datagram) -> "Altered":
        """With a datagram more, behind the packet `after`."""
        at = self.place(after) + 1
        return self._replace(datagrams=(*self.datagrams[:at], datagram, *self.datagrams[at:]))

    def replace(self, number: int, message: wire.Message) -> "Altered":
        """With another message in one packet."""
        at = self.place(number)
        new = self.forged(number, number, message)
        return self._replace(datagrams=(*self.datagrams[:at], new, *self.datagrams[at + 1 :]))

    def without(self, *numbers: int) -> "Altered":
        """Without some packets."""
        return self._replace(datagrams=tuple(each for each in self.datagrams if each.number not in numbers))

    def add(self, after: int, message: wire.Message, like: int, number: int = 900) -> "Altered":
        """With a forged message behind the packet `after`."""
        return self.insert(after, self.forged(number, like, message))


Alteration = Callable[[Altered], Altered]


def captured(name: str) -> Altered:
    """A capture as it is."""
    path, key_file = files(name)
    found = keys.read(key_file)
    contents = packets.read(path)
    opener = Opener(found)
    return Altered(contents.datagrams, tuple(opener.open(each) for each in contents.datagrams), found)
