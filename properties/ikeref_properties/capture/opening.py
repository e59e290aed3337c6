"""Datagrams opened: decoded, decrypted, fragments put together (Sections 2.21.4 and 3.14, RFC 7383)."""

from enum import Enum, auto
from typing import NamedTuple

from ikeref import wire
from ikeref.crypto import Provider, Suite, envelope
from ikeref.crypto.ciphers import CIPHERS, LEGACY_CIPHERS, NULL_CIPHERS
from ikeref.crypto.real import RealCrypto
from ikeref.errors import Dropped, LocalProtocolError, ProtocolError, RemoteProtocolError, UnsupportedCriticalPayload
from ikeref.net.packets import Datagram
from ikeref_properties.capture.keys import Keys

UNKNOWN = "no keys are known for this IKE SA"


class State(Enum):
    """What became of a datagram."""

    CLEAR = auto()
    """Read, and not protected."""
    OPENED = auto()
    """Its ICV was right, and it could be read."""
    MALFORMED = auto()
    """Its ICV was right, but the payloads inside can't be read (Section 2.21.3)."""
    PIECE = auto()
    """A fragment of a message that is not complete yet."""
    NO_KEYS = auto()
    """Protected, and no keys are known for its IKE SA."""
    FORGED = auto()
    """Its ICV is wrong."""
    UNREADABLE = auto()
    """It can't even be decoded from outside."""


class Seen(NamedTuple):
    """A datagram and what it holds."""

    datagram: Datagram
    state: State
    message: wire.Message | None
    """With the payloads from inside; without any where they can't be read."""
    octets: tuple[bytes, ...]
    """What was on the wire: one datagram, or all fragments by number."""
    problem: str = ""
    critical: bool = False
    """What makes it malformed is an unsupported critical payload (Section 2.5)."""

    @property
    def number(self) -> int:
        return self.datagram.number


class Opener:
    """Opens datagrams in their order; keeps fragments until they are complete."""

    def __init__(self, keys: tuple[Keys, ...], provider: Provider | None = None) -> None:
        self.keys = {(each.spi_i, each.spi_r): each for each in keys}
        self.provider = provider if provider is not None else RealCrypto(legacy=True)
        self._pieces: dict[tuple[object, ...], dict[int, tuple[envelope.Fragment, bytes]]] = {}

    def open(self, datagram: Datagram) -> Seen:
        """What the datagram holds. Never raises a `ProtocolError`."""
        octets = datagram.octets
        if datagram.lacking:
            text = f"the capture lacks the last {datagram.lacking} octets of it"
            return Seen(datagram, State.UNREADABLE, None, (octets,), text)
        try:
            message = wire.decode(octets)
        except ProtocolError as error:
            return Seen(datagram, State.UNREADABLE, None, (octets,), str(error))
        last = message.payloads[-1] if message.payloads else None
        if not isinstance(last, wire.SK | wire.SKF):
            return Seen(datagram, State.CLEAR, message, (octets,))
        keys = self.keys.get((message.spi_i, message.spi_r))
        outside = message._replace(payloads=())
        if keys is None:
            return Seen(datagram, State.NO_KEYS, outside, (octets,), UNKNOWN)
        sk_e, sk_a = (keys.sk_ei, keys.sk_ai) if message.is_initiator else (keys.sk_er, keys.sk_ar)
        provider: Provider = Unchecked(keys.unchecked) if keys.unchecked else self.provider
        try:
            if isinstance(last, wire.SKF):
                fragment = envelope.unprotect_fragment(provider, keys.suite, sk_e, sk_a, octets, message)
                return self._piece(datagram, outside, fragment)
            opened = envelope.unprotect(provider, keys.suite, sk_e, sk_a, octets, message)
            return Seen(datagram, State.OPENED, opened.message, (octets,))
        except ValueError:
            return Seen(datagram, State.NO_KEYS, outside, (octets,), "the keys do not fit the cipher")
        except LocalProtocolError as error:
            return Seen(datagram, State.NO_KEYS, outside, (octets,), str(error))
        except Dropped as error:
            return Seen(datagram, State.FORGED, outside, (octets,), str(error))
        except RemoteProtocolError as error:
            critical = isinstance(error, UnsupportedCriticalPayload)
            if keys.unchecked:
                return Seen(datagram, State.FORGED, outside, (octets,), str(error))
            return Seen(datagram, State.MALFORMED, outside, (octets,), str(error), critical)

    def _piece(self, datagram: Datagram, outside: wire.Message, fragment: envelope.Fragment) -> Seen:
        total = fragment.total_fragments
        pieces = self._pieces.setdefault((*outside, total), {})
        pieces[fragment.fragment_number] = (fragment, datagram.octets)
        words = f"fragment {fragment.fragment_number} of {total}"
        if len(pieces) < total:
            return Seen(datagram, State.PIECE, outside, (datagram.octets,), words)
        del self._pieces[(*outside, total)]
        octets = tuple(pieces[number][1] for number in sorted(pieces))
        whole = envelope.reassemble(piece for piece, _ in pieces.values())
        return Seen(datagram, State.OPENED, whole, octets)


class Unchecked(RealCrypto):
    """Decrypts without looking at the ICV, of which only the size is known."""

    def __init__(self, icv: int) -> None:
        super().__init__(legacy=True)
        self.icv = icv

    def decrypt(self, suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, body: bytes) -> tuple[bytes, bytes]:
        """See `Provider.decrypt`; wrong keys show only by what comes out."""
        del sk_a, prefix
        cipher = (CIPHERS | LEGACY_CIPHERS | NULL_CIPHERS)[suite.encr]
        end = len(body) - self.icv
        if end < cipher.iv or (end - cipher.iv) % cipher.block:
            raise Dropped("the ciphertext does not fit the cipher", section="3.14", field="SK")
        iv = body[: cipher.iv]
        return iv, cipher.open(sk_e, iv, body[cipher.iv : end], b"")
