"""A whole capture judged: every message of every family of IKE SAs, at both ends.

After a violation the rest of its family is not judged: no state is left from which to go on.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

from ikeref_model.events import Outcome
from ikeref_model.monitor import Candidate, Match
from ikeref_model.state import Ike
from ikeref_model.tables import BY_NAME

from ikeref.net import packets
from ikeref.net.packets import Contents, Unreadable
from ikeref.registry import NotifyType
from ikeref_properties.capture import keys, meaning, rules
from ikeref_properties.capture.follow import Blocked, End, TooMany, Verdict
from ikeref_properties.capture.judging import LATE
from ikeref_properties.capture.keys import Keys
from ikeref_properties.capture.names import Names
from ikeref_properties.capture.opening import UNKNOWN, Opener, Seen, State
from ikeref_properties.capture.rules import Finding, Weight
from ikeref_properties.capture.sessions import Exchange, Item, Sa, Sessions, Side, sessions
from ikeref_properties.closest import closest


class Exit(IntEnum):
    """What it comes to, as an exit code."""

    CONFORMS = 0
    VIOLATION = 1
    UNREADABLE = 2
    INCONCLUSIVE = 3


class Line(NamedTuple):
    """What is said of one datagram."""

    seen: Seen
    item: Item | None
    """None if it tells nothing about an IKE SA."""
    judged: bool
    again: bool
    """A copy of one seen before."""
    rows: tuple[Match, ...]
    """By which its sender was allowed to send it."""
    findings: tuple[Finding, ...]
    extensions: tuple[str, ...]
    """What it uses besides: extensions that the rows don't have, fragments, of which a capture shows an exchange as a
    whole, and EAP."""


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on a capture."""

    contents: Contents
    sas: tuple[Sa, ...]
    lines: tuple[Line, ...]
    gaps: tuple[str, ...]
    """What the capture lacks, where that has to be assumed."""
    limits: tuple[str, ...]
    """Why something could not be decided."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(each for line in self.lines for each in line.findings)

    @property
    def violations(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.weight is Weight.VIOLATION)

    @property
    def judged(self) -> int:
        """How many messages were judged."""
        return sum(line.judged for line in self.lines)

    @property
    def exit(self) -> Exit:
        if any(each.weight is Weight.VIOLATION for each in self.findings):
            return Exit.VIOLATION
        protected = any(sa.keyless or sa.forged for sa in self.sas)
        opened = any(sa.opened for sa in self.sas)
        if self.limits or not self.judged or (protected and not opened):
            return Exit.INCONCLUSIVE
        return Exit.CONFORMS


def check(capture: Path, key_files: tuple[Path, ...] = ()) -> Report:
    """Judge a capture. Raises `Unreadable` for a file that is not what it should be, OSError where there is none."""
    contents = packets.read(capture)
    found = tuple(each for path in key_files for each in keys.read(path))
    if not contents.datagrams:
        what = f"{contents.packets} packets" + (f", {contents.esp} of them ESP in UDP" if contents.esp else "")
        raise Unreadable(f"{capture} has no IKE, neither on UDP ports 500 and 4500 nor on others ({what})")
    return judge(contents, found)


def judge(contents: Contents, found: tuple[Keys, ...]) -> Report:
    """Judge the datagrams of a capture. Raises `Unreadable` if the keys are of something else."""
    opener = Opener(found)
    seen = [opener.open(each) for each in contents.datagrams]
    sorted_ = sessions(seen)
    Names(sorted_).give()
    _fit(tuple(sorted_.sas.values()), found, seen)
    return _Court(contents, sorted_, seen).report()


def _fit(sas: tuple[Sa, ...], found: tuple[Keys, ...], seen: list[Seen]) -> None:
    """Raise `Unreadable` if there are keys and none of them opens anything."""
    if any(sa.opened for sa in sas) or not found:
        return
    forged, keyless = sum(sa.forged for sa in sas), sum(sa.keyless for sa in sas)
    if forged:
        raise Unreadable(
            f"the keys open none of the {forged + keyless} protected messages, every ICV is wrong: "
            "are they of this capture?"
        )
    unfit = next((each.problem for each in seen if each.state is State.NO_KEYS and each.problem != UNKNOWN), "")
    if unfit:
        raise Unreadable(f"the keys open none of the {keyless} protected messages: {unfit}")
    if keyless:
        raise Unreadable(
            f"none of the {keyless} protected messages belongs to an IKE SA whose keys are given: "
            "are they of this capture?"
        )


@dataclass(slots=True)
class _Family:
    """The two ends of a family."""

    ends: dict[Side, End]
    closed: str = ""
    """Why it is not judged any further."""
    eap_failed: set[str] = field(default_factory=set)


class _Court:
    """Judges message by message."""

    def __init__(self, contents: Contents, found: Sessions, seen: list[Seen]) -> None:
        self.contents = contents
        self.found = found
        self.seen = seen
        self.items = {each.index: each for each in found.items}
        self.others = {each.place: each for each in found.others}
        self.families: dict[str, _Family] = {}
        self.limits: dict[str, None] = {}
        names = dict.fromkeys(sa.family for sa in found.sas.values())
        for name in names:
            sas = tuple(sa for sa in found.sas.values() if sa.family == name)
            queues: dict[tuple[str, Side], list[Exchange]] = {
                (sa.name, side): found.queue(sa, side) for sa in sas for side in Side
            }
            self.families[name] = _Family({side: End(side, sas, queues) for side in Side})

    def report(self) -> Report:
        lines = tuple(self._line(index, seen) for index, seen in enumerate(self.seen))
        gaps = [gap for family in self.families.values() for end in family.ends.values() for gap in end.gaps]
        sas = tuple(self.found.sas.values())
        return Report(self.contents, sas, lines, tuple(dict.fromkeys(gaps)), tuple(self.limits))

    def _line(self, index: int, seen: Seen) -> Line:
        item = self.items.get(index)
        if item is None:
            note = Finding(Weight.NOTE, seen.number, self.others[index].why)
            return Line(seen, None, False, False, (), (note,), ())
        family = self.families[item.sa.family]
        again = item is not (item.exchange.response if item.is_response else item.exchange.request)
        extensions = () if again else _uses(item)
        if family.closed:
            note = Finding(Weight.NOTE, seen.number, f"not judged: {family.closed}")
            return Line(seen, item, False, again, (), (note,), extensions)
        if again:
            wrong = rules.copy(item)
            rows: tuple[Match, ...] = ()
            findings: tuple[Finding, ...] = (wrong,) if wrong is not None else ()
        else:
            rows, findings = self._first(family, item)
        if any(each.weight is Weight.VIOLATION for each in findings):
            family.closed = f"it follows the violation in packet {seen.number}"
        return Line(seen, item, not family.closed or bool(findings), again, rows, findings, extensions)

    def _first(self, family: _Family, item: Item) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
        """The rows and the findings for a message that is seen for the first time."""
        findings = [*rules.first(item), *_failure_reported(family, item)]
        if any(each.weight is Weight.VIOLATION for each in findings):
            return (), tuple(findings)
        try:
            verdict = family.ends[item.side].see(item)
        except TooMany:
            family.closed = "too many histories explain what came before"
            self.limits[f"IKE SA {item.sa.name}: {family.closed}"] = None
            return (), tuple(findings)
        if not verdict.explained:
            rekeys = [each for side in Side for each in self.found.queue(item.sa, side) if each.heir]
            replaced = any(each.outcome in (None, Outcome.OK) for each in rekeys)
            return (), (*findings, _violation(item, verdict, replaced))
        if verdict.loose:
            findings.append(Finding(Weight.NOTE, item.seen.number, _LOOSE))
        if verdict.departures:
            findings.append(_departure(item, verdict.departures))
        return verdict.matches, tuple(findings)


_LOOSE = "after what is not judged here, only Message IDs and the order of messages are judged"


def _uses(item: Item) -> tuple[str, ...]:
    found = meaning.extensions(item.message)
    if len(item.seen.octets) > 1:
        found += (meaning.FRAGMENTATION,)
    return found + tuple(each for each in item.exchange.extensions if each == meaning.CHILDLESS)


def _failure_reported(family: _Family, item: Item) -> tuple[Finding, ...]:
    """After EAP Failure nobody sends AUTHENTICATION_FAILED (Section 2.21)."""
    if meaning.eap_failed(item.message):
        family.eap_failed.add(item.sa.name)
    elif item.sa.name in family.eap_failed and NotifyType.AUTHENTICATION_FAILED in meaning.errors(item.message):
        text = "AUTHENTICATION_FAILED after EAP Failure, which has said it already"
        return (Finding(Weight.WARNING, item.seen.number, text, "2.21", ("7296-2.21-06",)),)
    return ()


_BLOCKED: dict[Blocked, tuple[str, str, tuple[str, ...]]] = {
    Blocked.WINDOW: (
        "beyond the window: too many requests before it have not been answered",
        "2.3",
        ("7296-2.3-04", "7296-2.3-08", "7296-2.3-09"),
    ),
    Blocked.NO_REQUEST: (
        "it answers no request: none with this Message ID has been seen before it",
        "2.2",
        ("7296-2.2-06", "7296-1.2-04", "7296-2.1-03"),
    ),
    Blocked.ORDER: (
        "its Message ID is ahead of its turn: messages with lower ones come first only later",
        "2.2",
        ("7296-2.2-03", "7296-2.2-05", "7296-2.3-16"),
    ),
}


def _violation(item: Item, verdict: Verdict, replaced: bool) -> Finding:
    """No state explains the message; `replaced`: its IKE SA was rekeyed."""
    if verdict.blocked is not None:
        text, section, ids = _BLOCKED[verdict.blocked]
        return Finding(Weight.VIOLATION, item.seen.number, text, section, ids)
    told = closest(verdict.candidates, verdict.fitting)
    others = _elsewhere(verdict) if item.is_response else ()
    rows = tuple(each.row for each in told)
    details = tuple(f"{each.row} (Section {each.section}): {each.why}" for each in (*told, *others))
    early_or_late = _out_of_time(verdict, replaced) if not item.is_response else None
    if early_or_late is not None:
        text, section, ids = early_or_late
        return Finding(Weight.VIOLATION, item.seen.number, f"{_what(item)} {text}", section, ids, rows, details)
    ids = tuple(dict.fromkeys(id for each in told for id in BY_NAME[each.row].requirements))
    verb = "be answered like this" if item.is_response else "be sent"
    text = f"no state explains it: this {_what(item)} can't {verb} here"
    return Finding(
        Weight.VIOLATION, item.seen.number, text, told[0].section if told else "", ids[:_SHOWN], rows, details
    )


_SHOWN: Final = 6
"""Requirements that are named."""
_EARLY: Final = frozenset((Ike.IDLE, Ike.INIT_SENT, Ike.AUTH_SENT, Ike.HALF_OPEN))


def _out_of_time(verdict: Verdict, replaced: bool) -> tuple[str, str, tuple[str, ...]] | None:
    """A request on an IKE SA that is not there yet, or no longer: no row about the request itself says why."""
    if verdict.phases and verdict.phases <= _EARLY:
        return "before IKE_AUTH is over", "1", ("7296-1-02", "7296-1.4-01")
    if verdict.phases == {str(Ike.CLOSED)}:
        text = "on an IKE SA that has been deleted"
        if replaced:
            return text, "2.8", ("7296-2.8-11",)
        return text, "1.4.1", ("7296-1.4.1-11", "7296-1.4.1-12")
    if verdict.phases == {str(Ike.REPLACED)}:
        text = "on an IKE SA that has been replaced: its successor has the Child SAs, and only its Delete is to come"
        return text, "2.8", ("7296-2.8-09", "7296-2.8-11", "7296-1.4-03")
    return None


def _elsewhere(verdict: Verdict) -> tuple[Candidate, ...]:
    """Rows that allow such an answer, in other situations."""
    needing = [each for each in verdict.candidates if each.why.startswith("it needs")]
    return tuple(each for each in needing if each.row not in verdict.fitting)[:2]


def _what(item: Item) -> str:
    kind = item.exchange.kind
    return f"{kind} request" if kind is not None else "request"


def _departure(item: Item, rows: tuple[Match, ...]) -> Finding:
    row = rows[0].row
    kind = item.exchange.kind
    if not item.is_response and kind is not None and kind in LATE:
        _, section, id = LATE[kind]
        text = f"{_what(item)} on an IKE SA that has been replaced, where its Delete comes next"
        return Finding(Weight.WARNING, item.seen.number, text, section, (id,), (row.name,))
    allowed = " or ".join(sorted(each.text() for each in row.answers))
    level = {"silent": "the RFC is silent", "SHOULD": "the RFC says SHOULD"}.get(row.level, f"the RFC says {row.level}")
    return Finding(
        Weight.WARNING,
        item.seen.number,
        f"{item.exchange.outcome} where {row.name} has {allowed}; {level}",
        row.section,
        row.requirements,
        (row.name,),
    )
