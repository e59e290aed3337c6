"""A tour in files: a capture with the keys that open it, and the trace as JSON.

JSON holds the messages in clear and no keys; the key log holds them by design, in a folder that only its owner reads.
"""

import json
from pathlib import Path
from typing import Any

from ikeref.cli import words
from ikeref.cli.tour import inside
from ikeref.cli.tour.annotate import Annotation
from ikeref.cli.tour.report import Report
from ikeref.cli.tour.story import arrow, is_protected
from ikeref.cli.tour.trace import Alarm, Arrival, Cause, Initiate, Moment
from ikeref.cli.tour.verdicts import Verdict
from ikeref.net.capture import Capture
from ikeref.net.keylog import KeyLog
from ikeref.net.transport import Event, Sent
from ikeref.wire import payload_name

DECODE_AS = "decode_as_entries"
"""Wireshark's file of ports whose protocol it can't know."""


class Files:
    """Observes both nodes of a tour, and writes the capture and the folder of keys beside it."""

    def __init__(self, capture: Path) -> None:
        self.capture = capture
        self.folder = capture.with_name(f"{capture.name}.keys")
        self._keys = KeyLog(self.folder)
        self.folder.chmod(0o700)
        self._capture = Capture(capture, arrivals=False)
        self._ports: dict[int, bool] = {}

    def __call__(self, event: Event, at: float) -> None:
        """An observer of a node."""
        self._keys(event, at)
        self._capture(event, at)
        if isinstance(event, Sent):
            path = event.transmit.path
            self._ports |= {path.local[1]: path.encapsulated, path.remote[1]: path.encapsulated}

    def close(self) -> None:
        """Finish the files; tells Wireshark which of the ports carry IKE."""
        self._capture.close()
        lines = [
            f"decode_as_entry: udp.port,{port},(none),{'UDPENCAP' if encapsulated else 'ISAKMP'}\n"
            for port, encapsulated in sorted(self._ports.items())
        ]
        (self.folder / DECODE_AS).write_text("".join(lines), encoding="ascii")

    def command(self) -> str:
        """How to read the capture with tshark."""
        return f"WIRESHARK_CONFIG_DIR={_quoted(self.folder)} tshark -r {_quoted(self.capture)} -O isakmp"


def _quoted(path: Path) -> str:
    text = str(path)
    return f"'{text}'" if " " in text else text


FORMAT = "ikeref-trace-1"


def as_json(report: Report) -> str:
    """The whole tour as JSON: no keys, but every message in clear. docs/tour.md says what each key means."""
    return json.dumps(values(report), indent=1) + "\n"


def values(report: Report) -> dict[str, Any]:
    """The same as values for `json`, the first five keys in reading order."""
    outcome = report.outcome
    return {
        "format": FORMAT,
        "good": report.good,
        "unfinished": outcome.unfinished,
        "seconds": round(outcome.seconds, 6),
        "disturbance": {
            "seed": report.options.profile.seed,
            "drop": report.options.profile.drop,
            "duplicate": report.options.profile.duplicate,
            "reorder": report.options.profile.reorder,
        },
        "ends": {side: {"address": address[0], "port": address[1]} for side, address in outcome.addresses.items()},
        "stages": [
            {"title": stage.title, "section": stage.section, "end": stage.side, "summary": stage.summary}
            for stage in outcome.stages
        ],
        "datagrams": datagrams(report),
        "moments": _moments(report),
        "verdicts": [verdict(each) for each in report.verdicts],
    }


def datagrams(report: Report) -> list[dict[str, Any]]:
    """Every datagram, with what was inside SK in the place of the ciphertext."""
    trace = report.outcome.trace
    keys = inside.keys_of(trace)
    found = []
    for index, flight in enumerate(trace.flights):
        told, opened, message = arrow(index, flight), inside.opened(flight, keys), flight.message
        found.append(
            {
                "number": told.number,
                "time": round(flight.time, 6),
                "sender": flight.sender,
                "title": told.title,
                "notation": told.notation,
                "payloads": [payload_name(payload) for payload in message.payloads] if message is not None else [],
                "protected": is_protected(flight),
                "again": flight.transmit.again,
                "lost": flight.fate.dropped,
                "duplicated": flight.fate.duplicated,
                "late": flight.fate.held,
                "encapsulated": flight.transmit.path.encapsulated,
                "octets": flight.octets.hex(),
                "clear_octets": inside.clear_octets(flight, opened).hex() if opened is not None else None,
                "fields": [list(field) for field in inside.fields(flight, opened)] if message is not None else [],
            }
        )
    return found


def _moments(report: Report) -> list[dict[str, Any]]:
    trace = report.outcome.trace
    sent: dict[int, list[int]] = {}
    for index, flight in enumerate(trace.flights):
        sent.setdefault(flight.moment, []).append(index + 1)
    return [
        {
            "time": round(moment.time, 6),
            "end": moment.side,
            "stage": moment.stage,
            "cause": _cause(moment.cause),
            "effects": _effects(moment),
            "sends": sent.get(index, []),
            "model": _model(annotation),
        }
        for index, (moment, annotation) in enumerate(zip(trace.moments, report.annotations, strict=True))
    ]


def _effects(moment: Moment) -> list[str]:
    return [text for output in moment.outputs if (text := words.effect(output))]


def _cause(cause: Cause) -> dict[str, Any]:
    match cause:
        case Initiate():
            return {"kind": "command", "text": "initiate an IKE SA"}
        case Alarm():
            return {"kind": "timer"}
        case Arrival(flight=flight):
            return {"kind": "datagram", "number": flight + 1 or None}
        case command:
            return {"kind": "command", "text": words.command(command)}


def _model(annotation: Annotation) -> dict[str, Any]:
    return {
        "judged": annotation.judged,
        "accepted": annotation.accepted,
        "event": annotation.event,
        "rows": [row._asdict() for row in annotation.rows],
        "reason": annotation.reason,
        "details": list(annotation.details),
    }


def verdict(each: Verdict) -> dict[str, Any]:
    """One verdict."""
    return {**each._asdict(), "faults": list(each.faults)}
