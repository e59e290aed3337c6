"""What a question to `ikeref spec` is about: a section, a requirement, a row, a state, or a word of an event.

Several words narrow each other down: `REKEY_CHILD DELETING` are the rows for that event in that state.
"""

import difflib
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from ikeref_model.events import Alarm, Input, Kind, Outcome, Position
from ikeref_model.rows import LEVELS, Row
from ikeref_model.state import Child, Ike
from ikeref_model.tables import ALLOWED, BY_NAME
from ikeref_model.terms import Is, Not, Term, variables_of
from ikeref_properties.catalogue import Requirement, requirements

from ikeref.cli.question import words as words_of

_ID: Final = re.compile(r"(\d{4})-([\d.A-Z]+)-(\d{1,2})")
_SECTION: Final = re.compile(
    r"(?:RFC\s*(\d{4})[\s,-]*)?(?:SECTION|SECTIONS|§)?\s*((?:\d+|[A-F])(?:\.\d+)*\.?)", re.IGNORECASE
)
WHAT: Final = ("send", "request", "response", "timer", "input", "wait")
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "INFORMATIONAL": ("DELETE_CHILD", "DELETE_IKE", "LIVENESS"),
    "CREATE_CHILD_SA": ("CREATE_CHILD", "REKEY_CHILD", "REKEY_IKE"),
    "DPD": ("LIVENESS",),
    "NO_PROPOSAL_CHOSEN": ("REFUSED",),
    "TS_UNACCEPTABLE": ("REFUSED",),
    "SINGLE_PAIR_REQUIRED": ("REFUSED",),
    "FAILED_CP_REQUIRED": ("REFUSED",),
    "INTERNAL_ADDRESS_FAILURE": ("REFUSED",),
    "REKEY_SA": ("REKEY_CHILD",),
    "RETRANSMISSION": ("RETRANSMIT", "REPLAY"),
    "TIMEOUT": ("GIVE_UP",),
    "HALF_OPEN": ("HALF_OPEN", "HALF_OPEN_EXPIRY"),
}
"""What the RFC calls things for which the rows have a name of their own."""


class Found(NamedTuple):
    """What a question leads to."""

    title: str
    rows: tuple[Row, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    """Those that the question is about; the rows cite theirs."""
    asked: Requirement | None = None
    """The one that the question names."""
    near: tuple[str, ...] = ()
    """Words close to one that is unknown; then there is nothing else."""
    section: str = ""
    """The section of RFC 7296 that was asked for."""
    conflict: bool = False
    """Every word is known, but no row fits all of them."""
    outcome: str = ""
    """The outcome that was asked for, if it was nothing else: who answers so is one thing, who gets it another."""
    ignored: tuple[str, ...] = ()
    """Words that did not help: unknown, or no row fits them besides the others."""


def find(words: list[str]) -> Found:
    """The answer to a question of one or more words."""
    question = " ".join(words).strip()
    if (match := _ID.fullmatch(question)) is not None:
        return _of_id(f"{match[1]}-{match[2]}-{int(match[3]):02}", question)
    if (match := _SECTION.fullmatch(question)) is not None:
        return _of_section(int(match[1] or 7296), match[2].rstrip(".").upper(), question)
    if question in BY_NAME:
        return Found(f"Row {question}", (BY_NAME[question],))
    asked, plain = words_of(question)
    if not asked:
        return _of_text(question, question)
    return _of_words(question, asked, lenient=plain or len(asked) > 2)


def _of_words(question: str, asked: tuple[str, ...], *, lenient: bool) -> Found:
    """The rows that fit all words. A `lenient` search passes over words that are unknown, or that fit nothing besides
    those before them, and says so."""
    rows: tuple[Row, ...] = ALLOWED
    meanings: list[str] = []
    ignored: list[str] = []
    outcome = ""
    for word in asked:
        meaning = tuple(_meanings(word))
        fitting = tuple(row for row in rows if any(each.fits(row) for each in meaning))
        if lenient and not fitting:
            ignored.append(word)
            continue
        if not meaning:
            return _of_text(question, word)
        word = _plain(word)
        rows = fitting
        meanings.append(" or ".join(dict.fromkeys(each.text for each in meaning)))
        outcome = word if {each.group for each in meaning} == {"outcome"} else ""
    if not meanings:
        return _of_text(question, asked[0])
    if len(asked) > 1 or outcome:
        states = frozenset(map(_plain, asked)) & frozenset(map(str, (*Ike, *Child)))
        rows = tuple(sorted(rows, key=lambda row: _generality(row, states)))
    single = outcome if len(asked) == 1 and len(tuple(_meanings(asked[0]))) == 1 else ""
    return Found(", and ".join(meanings), rows, conflict=not rows, outcome=single, ignored=tuple(ignored))


def _generality(row: Row, states: frozenset[str]) -> tuple[bool, bool, int]:
    """Rows of the states asked for come first, those about few things before those about everything; what is only
    tolerated comes last."""
    elsewhere = bool(states) and not states & frozenset(row.source)
    return bool(row.variant), elsewhere, len(row.source) + len(row.on.kinds) + len(row.on.outcomes)


def subsections(section: str) -> tuple[str, ...]:
    """The sections of RFC 7296 directly or indirectly below that one for which there are requirements."""
    below = {
        each.section for each in requirements().values() if each.rfc == 7296 and each.section.startswith(f"{section}.")
    }
    return tuple(sorted(below, key=order))


def order(section: str) -> tuple[int, ...]:
    """Sections by number, not by letter."""
    return tuple(int(each) if each.isdigit() else 0 for each in section.split("."))


def _of_id(id: str, question: str) -> Found:
    known = requirements()
    if id not in known:
        return Found(question, near=tuple(difflib.get_close_matches(id, known, 5, 0.8)))
    asked = known[id]
    rows = tuple(row for row in ALLOWED if id in row.requirements)
    title = f"{_section_title(asked.rfc, asked.section)}: {asked.title}"
    return Found(f"Requirement {id} of {title}", rows, (), asked, section=asked.section if asked.rfc == 7296 else "")


def _of_section(rfc: int, section: str, question: str) -> Found:
    own = tuple(each for each in requirements().values() if (each.rfc, each.section) == (rfc, section))
    ids = frozenset(each.id for each in own)
    rows = tuple(row for row in ALLOWED if (rfc == 7296 and row.section == section) or ids & set(row.requirements))
    title = _section_title(rfc, section)
    asked = section if rfc == 7296 else ""
    if own:
        return Found(f"{title}: {own[0].title}", rows, own, section=asked)
    if rfc == 7296 and subsections(section):
        return Found(title, rows, section=asked)
    sections = {each.section for each in requirements().values() if each.rfc == rfc}
    near = difflib.get_close_matches(section, sections, 5, 0.5) or sorted(sections, key=order)[:8]
    return Found(question, near=tuple(near if rfc == 7296 else [f"RFC {rfc} section {each}" for each in near]))


def _section_title(rfc: int, section: str) -> str:
    return f"Section {section}" if rfc == 7296 else f"RFC {rfc} section {section}"


def _of_text(question: str, word: str) -> Found:
    """Nothing in the vocabulary: rows by a part of their name, else requirements that speak of it."""
    named = tuple(row for row in ALLOWED if len(question) > 2 and question.lower() in row.name)
    if named:
        return Found(f"Rows named {question}", named)
    pattern = re.compile(rf"\b{re.escape(question)}", re.IGNORECASE)
    spoken = tuple(each for each in requirements().values() if pattern.search(f"{each.title} {each.summary}"))
    spoken = tuple(sorted(spoken, key=lambda each: each.rfc != 7296))
    if spoken and len(question) > 2:
        return Found(f"Requirements that speak of “{question}”", (), spoken)
    known = {each.lower(): each for each in _vocabulary()}
    near = difflib.get_close_matches(_plain(word).lower(), known, 6, 0.5)
    return Found(question, near=tuple(known[each] for each in near))


# Words of states and events


class _Meaning(NamedTuple):
    text: str
    word: str
    group: str

    def fits(self, row: Row) -> bool:
        """Whether the row is about this."""
        match self.group:
            case "IKE SA":
                return self.word in row.source if row.component == "ike" else _reads(row.guard, self.word)
            case "Child SA":
                return row.component == "child" and self.word in row.source
            case "kind":
                asked = any(each.what == "ask" and each.name == self.word for each in row.answers)
                return self.word in row.on.kinds or asked
            case "outcome":
                replied = any(each.what == "reply" and each.name == self.word for each in row.answers)
                return self.word in row.on.outcomes or replied
            case "what":
                return row.on.what == self.word
            case "level":
                return not row.variant and row.level == self.word
            case "component":
                return row.component == self.word or f"{self.word}.state" in variables_of(row.guard)
            case "name":
                return any(each in row.name for each in self.word.split())
            case _:
                return self.word in (row.on.position, row.on.alarm, row.on.input)


_GROUPS: Final[tuple[tuple[str, type[StrEnum], str], ...]] = (
    ("IKE SA", Ike, "IKE SA {}"),
    ("Child SA", Child, "Child SA {}"),
    ("kind", Kind, "request {}"),
    ("outcome", Outcome, "response {}"),
    ("timer", Alarm, "timer {}"),
    ("input", Input, "input {}"),
    ("position", Position, "request {} by its message ID"),
)


_GENERAL: Final = {
    "IKE_SA": (_Meaning("IKE SAs", "ike", "component"),),
    "CHILD_SA": (_Meaning("Child SAs", "child", "component"),),
    "COLLISION": (_Meaning("collisions", "collision. crossed .won .lost", "name"),),
    "MESSAGE_ID": (_Meaning("Message IDs", "window.request window.response window.used_up", "name"),),
    "SET_WINDOW_SIZE": (_Meaning("SET_WINDOW_SIZE", "window.announce", "name"),),
}
"""Words that are about rows as a whole."""


def _meanings(word: str) -> Iterator[_Meaning]:
    """A name of the vocabulary, or a part of some: `delete` is DELETE_CHILD and DELETE_IKE."""
    plain = _plain(word)
    if plain.lower() in WHAT:
        yield _Meaning(f"{plain.lower()}s", plain.lower(), "what")
        return
    if plain in _GENERAL:
        yield from _GENERAL[plain]
        return
    if word in LEVELS or plain == "SILENT":
        yield _Meaning(f"level {word}", word, "level")
        return
    wanted = ALIASES.get(plain, (plain,))
    exact = [each for each in _all() if each.word in wanted]
    yield from exact or [each for each in _all() if plain in each.word.split("_") or plain + "_" in each.word]


def _all() -> Iterator[_Meaning]:
    for group, names, text in _GROUPS:
        for each in names:
            yield _Meaning(text.format(each), str(each), group)


def _plain(word: str) -> str:
    return word.strip(",.;:()[]\"'").upper().replace("-", "_")


def _vocabulary() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*WHAT, *(each.word for each in _all()), *ALIASES, *BY_NAME)))


def _reads(term: Term, state: str) -> bool:
    """Whether a guard asks for that state of the IKE SA, and not for its absence."""
    match term:
        case Is("ike.state", values):
            return state in values
        case Not(Is("ike.state", values)):
            return state not in values
        case _:
            inner = getattr(term, "terms", ())
            return any(_reads(each, state) for each in inner)
