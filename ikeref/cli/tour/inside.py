"""What was inside the SK payloads of a trace, octet for octet, opened with the keys that the receiver derived."""

from ikeref import wire
from ikeref.cli.tour.trace import Flight, Side, Trace
from ikeref.crypto.real import RealCrypto
from ikeref.errors import ProtocolError
from ikeref.sa import NewKeys
from ikeref.wire import SK, Field, Message, Opened

Keys = dict[tuple[Side, bytes, bytes], NewKeys]
"""By the end that derived them, and the SPIs of the IKE SA."""


def keys_of(trace: Trace) -> Keys:
    """The keys of all IKE SAs of a trace."""
    return {
        (moment.side, output.spi_i, output.spi_r): output
        for moment in trace.moments
        for output in moment.outputs
        if isinstance(output, NewKeys)
    }


def sender_keys(known: NewKeys, message: Message) -> tuple[bytes, bytes]:
    """SK_e and SK_a of the direction in which the message travels (Section 2.14)."""
    keys = known.keys
    return (keys.sk_ei, keys.sk_ai) if message.is_initiator else (keys.sk_er, keys.sk_ar)


def opened(flight: Flight, keys: Keys) -> Opened | None:
    """The plaintext of a flight's SK payload; None where there is none, or nobody has keys for it."""
    try:
        message = wire.decode(flight.octets)
        last = message.payloads[-1] if message.payloads else None
        known = keys.get((flight.sender.other, message.spi_i, message.spi_r))
        known = known or keys.get((flight.sender, message.spi_i, message.spi_r))
        if not isinstance(last, SK) or known is None:
            return None
        prefix = flight.octets[: len(flight.octets) - len(last.body)]
        iv, plaintext = RealCrypto().decrypt(known.suite, *sender_keys(known, message), prefix, last.body)
    except ProtocolError:
        return None
    return Opened(plaintext, len(iv))


def clear_octets(flight: Flight, inside: Opened | None) -> bytes:
    """The datagram with the plaintext in the place of the ciphertext."""
    if inside is None:
        return flight.octets
    last = wire.decode(flight.octets).payloads[-1]
    assert isinstance(last, SK)
    start = len(flight.octets) - len(last.body) + inside.iv_size
    return flight.octets[:start] + inside.plaintext + flight.octets[start + len(inside.plaintext) :]


def fields(flight: Flight, inside: Opened | None) -> tuple[Field, ...]:
    """Which octets are which field, inside SK too."""
    return wire.fields(flight.octets, inside)
