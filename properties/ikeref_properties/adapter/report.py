"""A failure for people: what does not hold, the run as a ladder, a capture to look at with other tools."""

import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ikeref import wire
from ikeref.net.capture import Capture
from ikeref.policy import identities, proposals
from ikeref.registry import Encr, ExchangeType, Integ, name
from ikeref.wire import Message
from ikeref_properties.adapter.arena import Arena, Flight, Probe, Step
from ikeref_properties.adapter.campaign import Failure, Result
from ikeref_properties.adapter.implementation import Command
from ikeref_properties.adapter.messages import Violation
from ikeref_properties.adapter.watcher import Watcher
from ikeref_properties.machines import schedule
from ikeref_properties.network import A, B

_WIDTH: Final = 100
_MARGIN: Final = 6
_FRAMES: Final = 3
_INNER: Final = _WIDTH - _MARGIN - 2


def text(failure: Failure) -> str:
    """What does not hold, where it stands in the RFC, and how it came to it."""
    lines = [str(failure.error), *_raised(failure.error), ""]
    if isinstance(failure.error, Violation):
        finding = failure.error.finding
        if finding.requirements:
            lines.append(f"  requirements: {', '.join(finding.requirements)}")
        lines += [f"  {each}" for each in finding.details]
    lines += [
        "",
        *ladder(failure.arena, failure.watcher),
        _row("", "✗".rjust(_INNER - 1) + " "),
        "",
        f"  seed {failure.seed}, and then:",
    ]
    lines += [f"    {each}" for each in schedule.text(failure.schedule).splitlines() or ["nothing"]]
    return "\n".join(lines)


def _raised(error: AssertionError) -> Iterator[str]:
    """Where the implementation raised an exception, the innermost last."""
    cause = error.__cause__
    if cause is None:
        return
    for frame in traceback.extract_tb(cause.__traceback__)[-_FRAMES:]:
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"


def fruitless(result: Result) -> str:
    """Why no IKE SA came about, as far as one can see; empty if one did."""
    match = result.fruitless
    if result.established or match is None or match.watcher is None:
        return ""
    policy = match.setup.policy
    ours, theirs = (f"{address}:{port}" for address, port in match.setup.addresses)
    suites = ", ".join(proposals.format(each) for each in policy.ike_proposals)
    remote = identities.to_text(policy.remote_id) if policy.remote_id is not None else "anybody"
    lines = [
        "no IKE SA came about, not even where nothing was lost. This is how far the first life came:",
        "",
        *ladder(match.arena, match.watcher),
        "",
        f"  ikeref is {identities.to_text(policy.local_id)} at {ours}; it wants {remote} at {theirs},",
        f"  with {suites}",
    ]
    return "\n".join(lines)


def ladder(arena: Arena, watcher: Watcher) -> Iterator[str]:
    """Every step: ikeref's on the left, the implementation's on the right; each datagram where it is sent."""
    yield " " * _MARGIN + "ikeref" + "the implementation".rjust(_INNER - 4)
    now = 0.0
    seen: set[bytes] = set()
    for step in arena.steps:
        if step.now != now:
            now = step.now
            yield _row("", f" {now:g} s ".center(_INNER, "·"))
        happened = _event(step)
        yield _row("", f" {happened}".ljust(_INNER) if step.end == A else f"{happened} ".rjust(_INNER))
        for flight in step.sent:
            yield _arrow(flight, flight.message or _opened(flight, watcher), flight.datagram in seen)
            seen.add(flight.datagram)


def _opened(flight: Flight, watcher: Watcher) -> Message | None:
    seen = watcher.opened.get(flight.number)
    return seen.message if seen is not None else None


def _event(step: Step) -> str:
    match step.event:
        case Flight(number=number):
            return f"gets {number}"
        case Command(ask=ask, spi=spi):
            return f"is told: {ask} {spi.hex()}".rstrip()
        case Probe(name=what):
            return f"probes: {what}"
        case _:
            return "looks at the clock"


def _arrow(flight: Flight, message: Message | None, again: bool) -> str:
    words = "a datagram that is not authentic" if flight.probe else "a datagram that can't be read"
    if message is not None:
        kind = name(ExchangeType, message.exchange_type)
        way = "response" if message.is_response else "request"
        payloads = ", ".join(wire.payload_name(each) for each in message.payloads)
        words = f"{kind} {way} {message.message_id}{', again' if again else ''}: {payloads or 'no payloads'}"
    if len(words) > _INNER - 8:
        words = words[: _INNER - 9] + "…"
    room = _INNER - len(words) - 4
    line = f"── {words} {'─' * (room - 1)}▶" if flight.to == B else f"◀{'─' * (room - 1)} {words} ──"
    return _row(str(flight.number), line)


def _row(number: str, middle: str) -> str:
    return f"{number:>{_MARGIN - 1}} │{middle}│"


def summary(result: Result) -> Iterator[str]:
    """What a campaign has shown, in lines."""
    yield f"{result.runs} runs, {result.established} of them with an IKE SA; {result.judged} steps judged by the rows"
    yield f"{len(result.rows)} rows were taken"
    if result.unsupported:
        yield f"not supported: {', '.join(sorted(result.unsupported))}"
    for finding, count in result.warnings.most_common():
        ids = f" [{', '.join(finding.requirements)}]" if finding.requirements else ""
        yield f"warning, {count} times: {finding.text} (Section {finding.section}){ids}"
    for why, count in result.limits.most_common():
        yield f"not judged to the end, {count} times: {why}"


def save(failure: Failure, stem: Path) -> tuple[Path, Path]:
    """A capture of the run, in the order of sending, and the keys of its IKE SAs; both with that name."""
    arena = failure.arena
    capture, keys = stem.with_suffix(".pcapng"), stem.with_suffix(".keys.json")
    with Capture(capture) as file:
        for step in arena.steps:
            here, there = arena.addresses[step.end], arena.addresses[B if step.end == A else A]
            for flight in step.sent:
                file.record(flight.datagram, here, there, step.now)
    entries = [
        {
            "spi_i": each.spi_i.hex(),
            "spi_r": each.spi_r.hex(),
            "encr": name(Encr, each.suite.encr),
            "key_bits": each.suite.key_bits,
            "integ": name(Integ, each.suite.integ) if each.suite.integ else None,
            "sk_ei": each.sk_ei.hex(),
            "sk_er": each.sk_er.hex(),
            "sk_ai": each.sk_ai.hex(),
            "sk_ar": each.sk_ar.hex(),
        }
        for each in arena.keys.values()
    ]
    keys.write_text(json.dumps({"ike_sas": entries}, indent=1) + "\n", encoding="ascii")
    return capture, keys
