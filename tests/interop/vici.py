"""A client of strongSwan's control socket (VICI), as small as these tests need.

A packet is a length of four octets, a type, for some types a name (one octet of length before it), and a message: a
sequence of elements that nest sections and lists of strings.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

Value = str | list[str] | dict[str, "Value"]
Section = dict[str, Value]

_COMMAND, _RESPONSE, _UNKNOWN_COMMAND, _REGISTER, _UNREGISTER, _CONFIRM, _UNKNOWN_EVENT, _EVENT = range(8)
_SECTION_START, _SECTION_END, _KEY_VALUE, _LIST_START, _LIST_ITEM, _LIST_END = range(1, 7)


class ViciError(Exception):
    """The daemon answered that it could not; the text is its own."""


def call(
    path: Path, command: str, message: Mapping[str, str | list[str]] | None = None, timeout: float = 30
) -> Section:
    """Run a command and return its answer. `timeout` in seconds bounds every wait for the daemon."""
    with _connect(path, timeout) as connection:
        return _command(connection, command, message or {})[0]


def stream(path: Path, command: str, event: str, timeout: float = 30) -> list[Section]:
    """Run a command that answers with events, one for each thing listed."""
    with _connect(path, timeout) as connection:
        _send(connection, _REGISTER, event)
        kind, _ = _receive(connection)
        if kind != _CONFIRM:
            raise ViciError(f"no event {event}")
        return _command(connection, command, {})[1]


def _connect(path: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _command(
    connection: socket.socket, command: str, message: Mapping[str, str | list[str]]
) -> tuple[Section, list[Section]]:
    _send(connection, _COMMAND, command, _encode(message))
    events: list[Section] = []
    while True:
        kind, body = _receive(connection)
        if kind == _EVENT:
            events.append(_decode(body[1 + body[0] :]))
        elif kind == _RESPONSE:
            answer = _decode(body)
            if answer.get("success", "yes") != "yes":
                raise ViciError(f"{command} {dict(message)}: {answer.get('errmsg', 'no reason given')}")
            return answer, events
        else:
            raise ViciError(f"{command}: packet type {kind}")


def _send(connection: socket.socket, kind: int, name: str, message: bytes = b"") -> None:
    packet = bytes((kind, len(name))) + name.encode() + message
    connection.sendall(len(packet).to_bytes(4) + packet)


def _receive(connection: socket.socket) -> tuple[int, bytes]:
    packet = _exactly(connection, int.from_bytes(_exactly(connection, 4)))
    return packet[0], packet[1:]


def _exactly(connection: socket.socket, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        more = connection.recv(size - len(octets))
        if not more:
            raise ViciError("the daemon closed its control socket")
        octets += more
    return octets


def _encode(message: Mapping[str, str | list[str]]) -> bytes:
    octets = b""
    for key, value in message.items():
        name = bytes((len(key),)) + key.encode()
        if isinstance(value, str):
            octets += bytes((_KEY_VALUE,)) + name + _text(value)
        else:
            items = b"".join(bytes((_LIST_ITEM,)) + _text(item) for item in value)
            octets += bytes((_LIST_START,)) + name + items + bytes((_LIST_END,))
    return octets


def _text(value: str) -> bytes:
    octets = value.encode()
    return len(octets).to_bytes(2) + octets


def _decode(octets: bytes) -> Section:
    """The message as nested dictionaries."""
    root: Section = {}
    open_sections = [root]
    items: list[str] = []
    for kind, name, value in _elements(octets):
        if kind == _SECTION_START:
            section: Section = {}
            open_sections[-1][name] = section
            open_sections.append(section)
        elif kind == _SECTION_END:
            open_sections.pop()
        elif kind == _KEY_VALUE:
            open_sections[-1][name] = value
        elif kind == _LIST_START:
            items = []
            open_sections[-1][name] = items
        elif kind == _LIST_ITEM:
            items.append(value)
    return root


def _elements(octets: bytes) -> Iterator[tuple[int, str, str]]:
    """Every element: its kind, its name and its value, empty where it has none."""
    at = 0
    while at < len(octets):
        kind, name, value = octets[at], "", ""
        at += 1
        if kind in (_SECTION_START, _KEY_VALUE, _LIST_START):
            size = octets[at]
            name = octets[at + 1 : at + 1 + size].decode()
            at += 1 + size
        if kind in (_KEY_VALUE, _LIST_ITEM):
            size = int.from_bytes(octets[at : at + 2])
            value = octets[at + 2 : at + 2 + size].decode(errors="replace")
            at += 2 + size
        yield kind, name, value
