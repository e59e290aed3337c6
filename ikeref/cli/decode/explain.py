"""A datagram explained: its fields, inside SK too where keys are at hand, and its defects (Sections 2.23, 3.14)."""

from typing import NamedTuple

from ikeref_properties.capture.keys import Keys
from ikeref_properties.capture.opening import Unchecked

from ikeref import wire
from ikeref.cli.decode.source import NAT_PORT, Given
from ikeref.crypto.envelope import Fragment, reassemble, unprotect_fragment
from ikeref.crypto.real import RealCrypto
from ikeref.errors import LocalProtocolError, ProtocolError
from ikeref.wire import SK, SKF, Defect, Field, Message, Opened

KeyRing = dict[tuple[bytes, bytes], Keys]
"""Keys of IKE SAs by SPIi and SPIr."""


class Explained(NamedTuple):
    """All there is to say of a datagram."""

    given: Given
    octets: bytes
    """From the IKE header on."""
    message: Message | None
    """None where decoding fails."""
    inside: Message | None
    """With the payloads from inside SK, where they could be opened."""
    fields: tuple[Field, ...]
    clear: bytes
    """The octets with the plaintext in the place of the ciphertext."""
    defects: tuple[Defect, ...]
    closed: str
    """Why SK stays closed; empty where it is open, or where there is none."""
    joined: Message | None = None
    """With the last fragment that was missing: the whole message (RFC 7383 section 2.6)."""


class Explainer:
    """Explains datagrams one after the other; it keeps fragments until they make a message."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._crypto = RealCrypto(legacy=True)
        self._fragments: dict[tuple[bytes, bytes, int, int, int], dict[int, Fragment]] = {}

    def explain(self, given: Given) -> Explained:
        """One datagram. Never raises."""
        skip = 4 if given.port == NAT_PORT and given.octets[:4] == wire.NON_ESP_MARKER else 0
        octets = given.octets[skip:]
        try:
            message: Message | None = wire.decode(octets)
        except ProtocolError:
            message = None
        opened, closed, bad = self._open(octets, message)
        defects = (*wire.lint(given.octets, port=given.port, opened=opened), *bad)
        fields = wire.fields(octets, opened)
        clear = _clear(octets, message, opened)
        inside = _inside(message, opened, octets)
        ordered = tuple(sorted(defects, key=lambda defect: defect.offset))
        return Explained(given, octets, message, inside, fields, clear, ordered, closed, self._join(octets, message))

    def _open(self, octets: bytes, message: Message | None) -> tuple[Opened | None, str, tuple[Defect, ...]]:
        """What was inside, why it stays closed, and the defect that this may be."""
        last = message.payloads[-1] if message is not None and message.payloads else None
        if message is None or not isinstance(last, SK | SKF):
            return None, "", ()
        known = self._ring.get((message.spi_i, message.spi_r))
        if known is None:
            return None, f"no keys for this IKE SA{'' if self._ring else '; --keys gives them'}", ()
        provider = Unchecked(known.unchecked) if known.unchecked else self._crypto
        prefix = octets[: len(octets) - len(last.body)]
        try:
            iv, plaintext = provider.decrypt(known.suite, *_keys(known, message), prefix, last.body)
            return Opened(plaintext, len(iv)), "", ()
        except LocalProtocolError as error:
            return None, str(error), ()
        except ValueError:
            return None, "the keys do not fit the cipher", ()
        except ProtocolError:
            size = known.unchecked or self._crypto.icv_size(known.suite)
        what = "SKF" if isinstance(last, SKF) else "SK"
        reason = "the Integrity Checksum Data does not fit the message and the key"
        defect = Defect(max(0, len(octets) - size), f"{what}.Integrity Checksum Data", "3.14", reason)
        return None, "its Integrity Checksum Data is wrong", (defect,)

    def _join(self, octets: bytes, message: Message | None) -> Message | None:
        last = message.payloads[-1] if message is not None and message.payloads else None
        if message is None or not isinstance(last, SKF):
            return None
        key = (message.spi_i, message.spi_r, message.flags, message.message_id, last.total_fragments)
        known = self._ring.get((message.spi_i, message.spi_r))
        if known is None or known.unchecked:
            return None
        try:
            fragment = unprotect_fragment(self._crypto, known.suite, *_keys(known, message), octets, message)
            found = self._fragments.setdefault(key, {})
            found[fragment.fragment_number] = fragment
            return reassemble(found.values()) if len(found) == fragment.total_fragments else None
        except (LocalProtocolError, ProtocolError, ValueError):
            return None


def _keys(known: Keys, message: Message) -> tuple[bytes, bytes]:
    """SK_e and SK_a of whoever sent the message (Section 2.14)."""
    return (known.sk_ei, known.sk_ai) if message.is_initiator else (known.sk_er, known.sk_ar)


def _clear(octets: bytes, message: Message | None, opened: Opened | None) -> bytes:
    last = message.payloads[-1] if message is not None and message.payloads else None
    if opened is None or not isinstance(last, SK | SKF):
        return octets
    start = len(octets) - len(last.body) + opened.iv_size
    return octets[:start] + opened.plaintext + octets[start + len(opened.plaintext) :]


def _inside(message: Message | None, opened: Opened | None, octets: bytes) -> Message | None:
    last = message.payloads[-1] if message is not None and message.payloads else None
    if message is None or opened is None or not isinstance(last, SK) or not opened.plaintext:
        return None
    end = max(0, len(opened.plaintext) - 1 - opened.plaintext[-1])
    try:
        start = len(octets) - len(last.body) + opened.iv_size
        return message._replace(payloads=wire.decode_payloads(last.next_payload, opened.plaintext[:end], start))
    except ProtocolError:
        return None
