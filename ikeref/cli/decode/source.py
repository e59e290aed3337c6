"""Where octets come from: hexadecimal digits, a binary file, a capture, standard input.

What is given decides: the name of a file wins over digits; in a file, the first octets say whether it is a capture,
and otherwise whether it is text of hexadecimal digits or the datagram itself.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ikeref.net import packets
from ikeref.wire import NON_ESP_MARKER

IKE_PORT: Final = 500
NAT_PORT: Final = 4500
"""Where the non-ESP marker stands in front (Section 2.23)."""

_SEPARATORS: Final = re.compile(r"0[xX]|\\x|[\s:,;.\-_]|(?<![0-9a-fA-F])#.*$", re.MULTILINE)


class SourceError(ValueError):
    """What was given holds no octets that could be explained; the text says why and what would."""


class Given(NamedTuple):
    """A datagram to be explained."""

    octets: bytes
    """As it was on UDP, with the non-ESP marker where there was one."""
    port: int
    """500, or 4500 where the non-ESP marker stands in front."""
    where: str
    """`packet 3, 10.0.0.1:500 to 10.0.0.2:500`; empty where there is but one."""


def given(what: str, stdin: BinaryIO, port: int | None = None) -> tuple[Given, ...]:
    """The datagrams in an argument: hexadecimal digits, the name of a file, or `-` for standard input.

    `port` says on which it came, where that can't be seen. Raises SourceError, or OSError for a file.
    """
    if what == "-":
        return _content(stdin.read(), "standard input", port)
    path = Path(what)
    if _is_file(path):
        return _content(path.read_bytes(), what, port)
    octets = digits(what)
    if octets is None:
        if _is_folder(path):
            raise SourceError(f"{_short(what)!r} is a folder; give one of the files in it")
        looks_like_name = "/" in what or "." in path.name
        hint = "there is no file of that name" if looks_like_name else "it is no file, and not hexadecimal digits"
        raise SourceError(f"{_short(what)!r}: {hint}; give hexadecimal digits, a file or - for standard input")
    return (_single(octets, port),)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # a long run of digits is no name


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def digits(text: str) -> bytes | None:
    """The octets of hexadecimal digits, with or without spaces, colons, commas or 0x; None if it is anything else."""
    plain = _SEPARATORS.sub("", text)
    try:
        return bytes.fromhex(plain) if plain else None
    except ValueError:
        return None


def _content(octets: bytes, name: str, port: int | None) -> tuple[Given, ...]:
    if not octets:
        raise SourceError(f"{name} is empty")
    if octets[:4] in packets.MAGIC:
        return tuple(_capture(octets, name))
    try:
        found = digits(octets.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    if found is None and octets.isascii() and octets.decode("ascii").isprintable():
        raise SourceError(f"{name} holds text that is not hexadecimal digits: {_short(octets.decode('ascii'))!r}")
    return (_single(octets if found is None else found, port),)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _single(octets: bytes, port: int | None) -> Given:
    if port is None:
        marked = octets[:4] == NON_ESP_MARKER and packets.looks_like_ike(octets[4:])
        port = NAT_PORT if marked else IKE_PORT
    return Given(octets, port, "")


def _capture(octets: bytes, name: str) -> Iterator[Given]:
    """All IKE datagrams of a capture: on ports 500 and 4500, and on others what looks like one."""
    try:
        contents = packets.read_from(BytesIO(octets), name)
    except packets.Unreadable as error:
        raise SourceError(str(error)) from error
    if not contents.datagrams:
        cut = f"; {contents.cut}" if contents.cut else ""
        raise SourceError(f"there is no IKE in the {contents.packets} packets of {name}{cut}")
    for each in contents.datagrams:
        port = NAT_PORT if each.encapsulated else IKE_PORT
        marker = NON_ESP_MARKER if each.encapsulated else b""
        lacking = f", which the capture has without its last {each.lacking} octets" if each.lacking else ""
        where = f"packet {each.number}, {each.source} to {each.destination}{lacking}"
        if contents.cut and each is contents.datagrams[-1]:
            where += f"; {contents.cut}"
        yield Given(marker + each.octets, port, where)
