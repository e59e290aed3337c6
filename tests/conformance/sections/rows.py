"""Tables of rules about octets: a message that is read, the same with something altered, and what becomes of it.

A row belongs to one requirement of the catalogue. Its `good` datagram is decoded and comes back octet for octet; the
alteration is refused at a stated place, is ignored, or is read as what the rule says.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from ikeref import wire
from ikeref.errors import ProtocolError

Values = dict[str, Any]
"""The fields of a message by their path, such as payloads[0].proposals[1].number."""


def flat(value: Any, path: str = "") -> Values:
    """A message, taken apart."""
    if hasattr(value, "_fields"):
        found: Values = {f"{path}.is": type(value).__name__} if path else {}
        for name in value._fields:
            found |= flat(getattr(value, name), f"{path}.{name}" if path else name)
        return found
    if isinstance(value, tuple):
        found = {f"{path}.count": len(value)}
        for index, each in enumerate(value):
            found |= flat(each, f"{path}[{index}]")
        return found
    return {path: value}


def changed(before: wire.Message, after: wire.Message) -> Values:
    """What another message says at the places where the two differ; None where it says nothing."""
    ours, theirs = flat(before), flat(after)
    return {path: theirs.get(path) for path in ours | theirs if ours.get(path) != theirs.get(path)}


class Refused(NamedTuple):
    """Nobody can read it; the first octet that is wrong, and the section whose rule it breaks."""

    section: str
    offset: int
    kind: str = "InvalidSyntax"


class Ignored(NamedTuple):
    """It makes no difference: only these reserved fields are read as something else."""

    fields: tuple[str, ...]


class Reads(NamedTuple):
    """It says something else: these fields, and no others, with these values."""

    values: Values


Outcome = Refused | Ignored | Reads


class Row(NamedTuple):
    """A rule about octets."""

    id: str
    good: bytes
    altered: bytes
    outcome: Outcome


RESERVED = ("reserved", "reserved2", "flags", "version")
"""What a receiver has to ignore, at least some bits of it (Section 2.5)."""


def refusal(octets: bytes) -> tuple[str, str, int] | None:
    """Why nobody can read a datagram: the error, the section of the rule and the first wrong octet."""
    try:
        wire.decode(octets)
    except ProtocolError as error:
        return type(error).__name__, error.section, error.offset
    return None


def check(row: Row) -> None:
    """The good message is read and comes back, and the altered one meets its fate."""
    good = wire.decode(row.good)
    assert wire.encode(good) == row.good
    assert row.altered != row.good
    match row.outcome:
        case Refused(section, offset, kind):
            assert refusal(row.altered) == (kind, section, offset)
        case Ignored(fields):
            differences = changed(good, wire.decode(row.altered))
            assert set(differences) == set(fields)
            assert all(path.rsplit(".", 1)[-1] in RESERVED for path in fields)
        case Reads(values):
            read = wire.decode(row.altered)
            assert changed(good, read) == values
            assert wire.encode(read) == row.altered


def put(octets: bytes, at: int, digits: str) -> bytes:
    """Octets with others from a place on, given by hexadecimal digits; the length stays."""
    new = bytes.fromhex(digits)
    return octets[:at] + new + octets[at + len(new) :]


def longer(octets: bytes, digits: str) -> bytes:
    """A datagram with octets behind it, which the Length of its header counts."""
    whole = octets + bytes.fromhex(digits)
    return whole[:24] + len(whole).to_bytes(4, "big") + whole[28:]


def reserved(id: str, good: bytes, at: int, digits: str, *fields: str) -> Row:
    """Other bits at a place, which are ignored."""
    return Row(id, good, put(good, at, digits), Ignored(fields))


def refused(id: str, good: bytes, at: int, digits: str, section: str, offset: int, kind: str = "InvalidSyntax") -> Row:
    """Other octets at a place, which nobody can read."""
    return Row(id, good, put(good, at, digits), Refused(section, offset, kind))


def reads(id: str, good: bytes, at: int, digits: str, **values: Any) -> Row:
    """Other octets at a place, which say something else. In names of fields a double underscore is a dot, and `p` the
    first payload."""
    said = {name.replace("__", ".").replace("p.", "payloads[0].", 1): value for name, value in values.items()}
    return Row(id, good, put(good, at, digits), Reads(said))


class Figure(NamedTuple):
    """A layout: where each field stands. Altering a bit of it alters that field and nothing else."""

    id: str
    good: bytes
    fields: dict[str, tuple[int, int]]
    """First octet and size, by path; a path may begin with `p`, the first payload."""


def check_figure(figure: Figure, decode: Callable[[bytes], wire.Message] = wire.decode) -> None:
    """Each field is read from its octets, all of them and no others."""
    good = decode(figure.good)
    values = flat(good)
    for name, (at, size) in figure.fields.items():
        path = name.replace("p.", "payloads[0].", 1) if name.startswith("p.") else name
        octets = figure.good[at : at + size]
        value = values[path]
        assert (value if isinstance(value, bytes) else value.to_bytes(size, "big")) == octets, path
        read = 0
        for bit in range(8 * size):
            flipped = (int.from_bytes(octets, "big") ^ 1 << bit).to_bytes(size, "big")
            with suppress(ProtocolError):
                other = decode(figure.good[:at] + flipped + figure.good[at + size :])
                assert set(changed(good, other)) == {path}, path
                read += 1
        assert read, f"no alteration of {path} can be read"


Named = TypeVar("Named", Row, Figure)


def by_id(rows: Iterable[Named]) -> dict[str, list[Named]]:
    """The rows of each requirement."""
    found: dict[str, list[Named]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return found
