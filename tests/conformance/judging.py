"""Whether an answer is what a verdict of the vectors in `bad/` allows.

A verdict names the set of answers that the RFC leaves open; `judge` returns what is wrong with the answer that came.
"""

import re
from enum import Enum
from typing import Any, NamedTuple

from ikeref.endpoint import Endpoint
from ikeref.registry import NotifyType
from ikeref.sa import Output, Transmit
from ikeref.wire import Message, N

_ERRORS = range(1, 16384)
"""Notify Message Types that report errors (Section 3.10.1)."""


class Kind(Enum):
    """What an answer amounts to."""

    SILENCE = "silence"
    ERROR = "an error notification"
    SUCCESS = "a normal answer"


class Heard(NamedTuple):
    """What came back for a datagram."""

    kind: Kind
    notify: N | None = None
    message: Message | None = None
    datagram: bytes = b""


def heard(outputs: tuple[Output, ...]) -> Heard:
    """The one answer among the outputs. More than one would amplify, which nothing here calls for."""
    sent = [output for output in outputs if isinstance(output, Transmit) and output.message is not None]
    assert len(sent) <= 1, f"{len(sent)} datagrams were sent in answer to one"
    if not sent:
        return Heard(Kind.SILENCE)
    message, datagram = sent[0].message, sent[0].datagram
    assert message is not None
    for payload in message.payloads:
        if isinstance(payload, N) and payload.type in _ERRORS:
            return Heard(Kind.ERROR, payload, message, datagram)
    return Heard(Kind.SUCCESS, None, message, datagram)


_ALLOWED: dict[str, tuple[Kind, ...]] = {
    "accept": (Kind.SUCCESS,),
    "drop": (Kind.SILENCE,),
    "error": (Kind.SILENCE, Kind.ERROR),
    "notify": (Kind.ERROR,),
    "drop-or-notify": (Kind.SILENCE, Kind.ERROR),
    "error-or-accept": (Kind.SILENCE, Kind.ERROR, Kind.SUCCESS),
    "accept-or-drop": (Kind.SUCCESS, Kind.SILENCE),
    "accept-or-error": (Kind.SUCCESS, Kind.ERROR),
    "any-no-crash": (Kind.SILENCE, Kind.ERROR, Kind.SUCCESS),
    "notify-or-error": (Kind.SILENCE, Kind.ERROR),
    "notify-or-accept": (Kind.ERROR, Kind.SUCCESS),
}


def judge(vector: dict[str, Any], answer: Heard) -> str:
    """What is wrong with an answer to a vector; nothing where its verdict allows it."""
    verdict = vector["verdict"]
    if answer.kind not in _ALLOWED[verdict]:
        return f"{verdict} wanted, {answer.kind.value} came"
    if answer.notify is None:
        return ""
    if "notify" in vector:
        data = bytes.fromhex(vector["notify_data"]) if "notify_data" in vector else answer.notify.data
        if (answer.notify.type, answer.notify.data) != (vector["notify"], data):
            return f"notification {vector['notify']} wanted, {answer.notify} came"
    elif answer.notify.type not in _named(vector["must"]):
        return f"notification {answer.notify} came, and the vector says: {vector['must']}"
    return ""


def _named(must: str) -> set[int]:
    """The errors that the prose of a vector allows; INVALID_SYNTAX goes without saying."""
    words = re.findall(r"[A-Z][A-Z_]+[A-Z]", must)
    return {int(NotifyType[word]) for word in words if word in NotifyType.__members__} | {NotifyType.INVALID_SYNTAX}


def residue(endpoint: Endpoint) -> dict[str, int]:
    """How much an endpoint holds: the size of every container in it, whatever its name, and the half-open count."""
    sizes = {name: len(held) for name, held in vars(endpoint).items() if isinstance(held, (dict, set, list))}
    return {**sizes, "half_open": endpoint.half_open}
