"""A walk over octets that writes down which octets are which field. Used by the field map only."""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

NOT_DECODED = "Octets not decoded"
"""Path of octets behind a defect, where fields can't be told apart any more."""


class Field(NamedTuple):
    """Octets `start` to `end` of a datagram, and what they are."""

    start: int
    end: int
    path: str
    """For example "SA.proposal[1].transform[2].Transform ID": payload, parts counted from 1, the figure's label."""
    text: str
    """The value for a person: "12 (AES_CBC)"."""
    section: str
    """Where the figure stands: "3.3.2", or "RFC 7383 2.5"."""


class Short(Exception):
    """Fewer octets are left than the field has. It never leaves the field map."""


def hexadecimal(octets: bytes) -> str:
    """All octets in hexadecimal digits."""
    return octets.hex()


class Cursor:
    """Takes field after field from `octets`, from `position` up to `stop`; each becomes a `Field` in `fields`."""

    def __init__(self, octets: bytes, position: int, stop: int, path: str, section: str, fields: list[Field]) -> None:
        self.octets = octets
        self.position = position
        self.stop = stop
        self.path = path
        self.section = section
        self.fields = fields

    @property
    def left(self) -> int:
        """Octets not taken yet."""
        return self.stop - self.position

    def take(self, label: str, size: int, show: Callable[[bytes], str] = hexadecimal) -> bytes:
        """The next `size` octets as one field. Raises `Short` after noting what is there of it."""
        end = min(self.position + size, self.stop)
        octets = self.octets[self.position : end]
        short = len(octets) < size
        if octets:
            text = f"{octets.hex()} (cut short: {len(octets)} of {size} octets)" if short else show(octets)
            path = f"{self.path}.{label}" if self.path else label
            self.fields.append(Field(self.position, end, path, text, self.section))
        self.position = end
        if short:
            raise Short
        return octets

    def number(self, label: str, size: int, show: Callable[[int], str] = str) -> int:
        """The next `size` octets as an unsigned integer."""
        return int.from_bytes(self.take(label, size, lambda octets: show(int.from_bytes(octets, "big"))), "big")

    def rest(self, label: str, show: Callable[[bytes], str] = hexadecimal) -> bytes:
        """All octets that are left, as one field; none when nothing is left."""
        return self.take(label, self.left, show)

    def ahead(self, skip: int, size: int) -> int:
        """The integer in the `size` octets after the next `skip` octets; 0 when they are not there."""
        start = self.position + skip
        return int.from_bytes(self.octets[start : start + size], "big") if start + size <= self.stop else 0

    def within(self, size: int, path: str, section: str, draw: Callable[["Cursor"], None]) -> bool:
        """Let `draw` take the next `size` octets, as far as they are there, under `path`.

        What it leaves, or can't take, is noted as not decoded. False when the field after it can't be found: `size`
        octets are not there.
        """
        stop = min(self.position + size, self.stop)
        part = Cursor(self.octets, self.position, stop, path, section, self.fields)
        with suppress(Short):
            draw(part)
        part.rest(NOT_DECODED)
        whole = stop == self.position + size
        self.position = stop
        return whole
