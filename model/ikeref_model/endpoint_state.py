"""The state of one endpoint with any number of IKE SAs and Child SAs, by name, and how a row reads and writes it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from ikeref_model.events import (
    Asked,
    Change,
    Closed,
    Direction,
    Established,
    Installed,
    Kind,
    Position,
    Removed,
    Superseded,
)
from ikeref_model.rows import Row
from ikeref_model.state import ANNOUNCED, NOTHING, ONE, UNBORN, Child, Ike
from ikeref_model.terms import Pick, Value, holds


class Outstanding(NamedTuple):
    """A request of this end without a response."""

    number: int
    """Its Message ID."""
    kind: Kind
    subjects: tuple[str, ...] = ()
    """The Child SAs that it is about."""


class IkeRecord(NamedTuple):
    """An IKE SA: the variables of `state.IKE` and `state.WINDOW`, the names of its successors, its counters."""

    name: str
    state: str = Ike.IDLE
    outstanding: tuple[Outstanding, ...] = ()
    """Requests without a response, the oldest first."""
    due: bool = False
    verified: bool = False
    mine: str = ""
    theirs: str = ""
    sent: int = 0
    """The Message ID of the next request (Section 2.2)."""
    seen: int = 0
    """The lowest Message ID of a request that was not answered yet."""
    ahead: tuple[int, ...] = ()
    """Message IDs above it that were answered, in ascending order: none unless the window is above 1."""
    window: int = 1
    """How many requests of the peer this end takes at once."""
    peer_window: int = 1
    """How many requests of this end the peer takes at once."""
    original: bool = False
    """Whether this end is the original initiator (Section 2.2)."""

    @property
    def own(self) -> str | frozenset[str]:
        """The kind of what is outstanding; several where they differ, NOTHING where there is none."""
        if not self.outstanding:
            return NOTHING
        if len(self.outstanding) == 1:
            return self.outstanding[0].kind
        return frozenset(each.kind for each in self.outstanding)

    @property
    def room(self) -> bool:
        """Whether another request may be sent: all up to the one `peer_window` before it are answered (Section 2.3)."""
        return not self.outstanding or self.sent < self.outstanding[0].number + self.peer_window

    def asks(self, kind: Kind) -> bool:
        """Whether a request of that kind is outstanding."""
        return any(each.kind == kind for each in self.outstanding)

    def answered_by(self, kind: Kind, message_id: int | None) -> Outstanding | None:
        """The outstanding request to which a response belongs; where its Message ID is not known, the oldest."""
        for each in self.outstanding:
            if each.kind == kind and message_id in (None, each.number):
                return each
        return None


class ChildRecord(NamedTuple):
    """A Child SA: the variables of `state.CHILD`, where `homes` are the IKE SAs that control it."""

    name: str
    state: str = Child.ABSENT
    incoming: bool = False
    outgoing: bool = False
    due: bool = False
    homes: frozenset[str] = frozenset()
    mine: str = ""
    theirs: str = ""


IKE_FIELDS = {"state": "state", "due": "due", "verified": "verified", "original": "original"}
SIZES = ("window", "peer_window")
LAST_MESSAGE_ID = 0xFFFFFFFF
"""It has 32 bits (Section 2.2)."""
CHILD_FIELDS = {"state": "state", "in": "incoming", "out": "outgoing", "due": "due"}


def position_of(number: int, seen: int, ahead: tuple[int, ...] = (), window: int = 1) -> Position:
    """Where the Message ID of a request lies, if all requests below `seen` and those in `ahead` are answered. Responses
    have to be kept until a request comes whose Message ID is `window` higher (Sections 2.1 and 2.3)."""
    if number >= seen + window:
        return Position.OUTSIDE
    if number >= seen and number not in ahead:
        return Position.FRESH
    highest = ahead[-1] if ahead else seen - 1
    return Position.REPLAY if number > highest - window else Position.BELOW


def counted(number: int, seen: int, ahead: tuple[int, ...] = ()) -> tuple[int, tuple[int, ...]]:
    """`seen` and `ahead` after that request was answered."""
    if number != seen:
        return seen, tuple(sorted((*ahead, number)))
    seen += 1
    while ahead and ahead[0] == seen:
        seen, ahead = seen + 1, ahead[1:]
    return seen, ahead


class Endpoint(NamedTuple):
    """One endpoint: a value; two that are equal are the same state."""

    ikes: tuple[IkeRecord, ...] = ()
    children: tuple[ChildRecord, ...] = ()

    def ike(self, name: str) -> IkeRecord:
        """The IKE SA of that name, an idle one if there is none."""
        for each in self.ikes:
            if each.name == name:
                return each
        return IkeRecord(name)

    def before(self, name: str) -> IkeRecord:
        """The IKE SA of which that one is a successor, an idle one if there is none."""
        for each in self.ikes:
            if name in (each.mine, each.theirs):
                return each
        return IkeRecord("")

    def child(self, name: str) -> ChildRecord:
        """The Child SA of that name, an absent one if there is none."""
        for each in self.children:
            if each.name == name:
                return each
        return ChildRecord(name)

    def with_ike(self, record: IkeRecord) -> "Endpoint":
        """The same with that IKE SA."""
        others = [each for each in self.ikes if each.name != record.name]
        if record == IkeRecord(record.name):
            return self._replace(ikes=tuple(others))
        return self._replace(ikes=tuple(sorted((*others, record))))

    def with_child(self, record: ChildRecord) -> "Endpoint":
        """The same with that Child SA; one that is absent is forgotten."""
        others = [each for each in self.children if each.name != record.name]
        if record.state == Child.ABSENT and not (record.incoming or record.outgoing):
            return self._replace(children=tuple(others))
        return self._replace(children=tuple(sorted((*others, record), key=lambda each: each.name)))

    def renamed(self, old: str, new: str) -> "tuple[Endpoint, str]":
        """The same with a Child SA under its final name, and that name."""
        others = tuple(each for each in self.children if each.name != old)
        record = self.child(old)._replace(name=new)
        if self.child(new).state == Child.DENIED:
            record = record._replace(state=Child.DENIED)
        return self._replace(children=others).with_child(record), new

    def without_denied(self, sa: str) -> "Endpoint":
        """The same if nothing is expected any more on that IKE SA that could be what was denied."""
        ike = self.ike(sa)
        if ike.asks(Kind.CREATE_CHILD) or ike.asks(Kind.REKEY_CHILD):
            return self
        return self._replace(children=tuple(each for each in self.children if each.state != Child.DENIED))

    def changes_since(self, before: "Endpoint") -> tuple[Change, ...]:
        """What an observer of the SAs sees."""
        changes: list[Change] = []
        for name in sorted({each.name for each in (*self.children, *before.children)}):
            old, new = before.child(name), self.child(name)
            for direction, was, has in (
                (Direction.IN, old.incoming, new.incoming),
                (Direction.OUT, old.outgoing, new.outgoing),
            ):
                if has and not was:
                    changes.append(Installed(name, direction))
                if was and not has:
                    changes.append(Removed(name, direction))
        for name in sorted({each.name for each in (*self.ikes, *before.ikes)}):
            was_in, is_in = before.ike(name).state, self.ike(name).state
            if was_in in UNBORN and is_in not in UNBORN and is_in != Ike.CLOSED:
                changes.append(Established(name))
            if was_in not in (Ike.REPLACED, *UNBORN) and is_in == Ike.REPLACED:
                changes.append(Superseded(name))
            if was_in not in UNBORN and was_in != Ike.CLOSED and is_in == Ike.CLOSED:
                changes.append(Closed(name))
        return tuple(changes)

    def position_fits(self, sa: str, position: Position, message_id: int | None, kind: Kind) -> bool:
        """Whether the Message ID of a request lies where the observer says. That an IKE_SA_INIT request has come before
        is told by the whole of it (Section 2.1)."""
        if message_id is None:
            return True
        ike = self.ike(sa)
        if kind is Kind.IKE_SA_INIT:
            return position is (Position.REPLAY if ike.seen else Position.FRESH)
        return position is position_of(message_id, ike.seen, ike.ahead, ike.window)

    def flag_fits(self, sa: str, initiator: bool | None) -> bool:
        """Whether the Initiator flag of a message of the peer is right: set if and only if the peer is the original
        initiator of the IKE SA (Section 3.1)."""
        return initiator is None or initiator != self.ike(sa).original

    def may_number(self, sa: str, message_id: int | None, *, kind: Kind | None = None) -> bool:
        """Whether a new request may bear that Message ID: the next one; 0 for every IKE_SA_INIT."""
        expected = 0 if kind is Kind.IKE_SA_INIT else self.ike(sa).sent
        return message_id is None or message_id == expected

    def asked(self, sa: str, request: Asked) -> "Endpoint":
        """The same after that request was sent: it gets its Message ID, and the row has said that it is outstanding."""
        ike = self.ike(sa)
        if request.kind is Kind.IKE_SA_INIT:
            return self.with_ike(ike._replace(sent=1))
        number = ike.sent
        if all(each.number != number for each in ike.outstanding):  # it goes on with an exchange of several rounds
            number = max((each.number for each in ike.outstanding if each.kind == request.kind), default=number)
        outstanding = tuple(
            each._replace(number=ike.sent, subjects=request.children) if each.number == number else each
            for each in ike.outstanding
        )
        return self.with_ike(ike._replace(sent=ike.sent + 1, outstanding=outstanding))

    def counted(self, sa: str, answered: bool, message_id: int | None = None) -> "Endpoint":
        """The same after a fresh request was answered; an IKE_SA_INIT that created nothing does not count."""
        ike = self.ike(sa)
        if not answered or ike.state == Ike.IDLE:
            return self
        seen, ahead = counted(ike.seen if message_id is None else message_id, ike.seen, ike.ahead)
        return self.with_ike(ike._replace(seen=seen, ahead=ahead))


class View(NamedTuple):
    """How the variables of the rows map to one endpoint, seen from one IKE SA and one Child SA."""

    state: Endpoint
    ike_from: Endpoint
    sa: str
    child: str
    facts: dict[str, bool]
    number: int | None = None
    """The Message ID of our request that is answered."""
    announced: int = 1
    """What SET_WINDOW_SIZE says."""

    def read(self, variable: str) -> Value | frozenset[str]:
        """The value of a variable."""
        scope, _, name = variable.partition(".")
        match scope:
            case "fact" if name == "used_up":
                return self.facts[name] or self.ike_from.ike(self.sa).sent > LAST_MESSAGE_ID
            case "fact":
                return self.facts[name]
            case "ike":
                return _of_ike(self.ike_from.ike(self.sa), name)
            case "ike_before":
                return _of_ike(self.state.before(self.sa), name)
            case "ike_mine":
                return _of_ike(self.state.ike(self.ike_from.ike(self.sa).mine), name)
            case "ike_theirs":
                return _of_ike(self.state.ike(self.ike_from.ike(self.sa).theirs), name)
            case "child":
                return self.of_child(self.state.child(self.child), name)
            case "child_mine":
                return self.of_child(self.state.child(self.state.child(self.child).mine), name)
            case "child_theirs":
                return self.of_child(self.state.child(self.state.child(self.child).theirs), name)
            case _:
                raise KeyError(variable)

    def of_child(self, record: ChildRecord, name: str) -> Value:
        """The value of a variable of one Child SA."""
        ike = self.state.ike(self.sa)
        match name:
            case "on_any":
                return bool(record.homes)
            case "on_ike":
                return self.sa in record.homes
            case "on_mine":
                return ike.mine in record.homes
            case "on_theirs":
                return ike.theirs in record.homes
            case _:
                value: Value = getattr(record, CHILD_FIELDS[name])
                return value

    def inhabitants(self) -> tuple[ChildRecord, ...]:
        """The Child SAs that the IKE SA controls."""
        return tuple(each for each in self.state.children if self.sa in each.homes)

    def children(self) -> Iterator[Callable[[str], Value]]:
        """A reader of `each` for every Child SA of the IKE SA."""
        for record in self.inhabitants():
            yield partial(self._each, record)

    def _each(self, record: ChildRecord, variable: str) -> Value:
        return self.of_child(record, variable.partition(".")[2])


def _of_ike(record: IkeRecord, name: str) -> Value | frozenset[str]:
    if name in SIZES:
        return ONE if getattr(record, name) == 1 else ANNOUNCED
    value: Value | frozenset[str] = getattr(record, name)
    return value


def scopes(
    state: Endpoint,
    sa: str,
    child: str,
    facts: dict[str, bool],
    *,
    ike_from: Endpoint | None = None,
    number: int | None = None,
    announced: int = 1,
) -> View:
    """The view from IKE SA `sa` and Child SA `child`; the IKE SA is read from `ike_from` where several Child SAs
    take one step together. `number` is the Message ID of a response, `announced` what SET_WINDOW_SIZE says."""
    return View(state, ike_from if ike_from is not None else state, sa, child, facts, number, announced)


def apply(state: Endpoint, row: Row, view: View, heirs: list[str], new_child: str) -> Endpoint:
    """The state after `row`. `heirs` are the names of IKE SAs that come into being, `new_child` that of a Child SA."""
    read, children = view.read, list(view.children())
    values: dict[str, Value] = {}
    for variable, value in row.effects():
        if isinstance(value, Pick):
            picked = value.then if holds(value.condition, read, children) else value.otherwise
            if picked is None:
                continue
            values[variable] = picked
        else:
            values[variable] = value
    ike = state.ike(view.sa)
    # Names of what comes into being
    heir = next((each for each in heirs if each != view.sa and state.ike(each).state == Ike.IDLE), "?")
    if "ike_mine.state" in values and not ike.mine:
        ike = ike._replace(mine=heir)
    if "ike_theirs.state" in values and not ike.theirs:
        ike = ike._replace(theirs=heir)
    subject = state.child(view.child or new_child or "?")
    if "child_mine.state" in values:
        subject = subject._replace(mine=new_child or "?")
    if "child_theirs.state" in values and not subject.theirs:
        subject = subject._replace(theirs=new_child or "?")
    after = state.with_ike(ike)
    # Child SAs of this IKE SA, then the ones in question, which may overrule
    for record in view.inhabitants():
        after = after.with_child(_child_set(record, "each", values, view.sa, ike))
    touched = {variable.partition(".")[0] for variable in values}
    if "child" in touched or "child_mine" in touched or "child_theirs" in touched:
        present = after.child(subject.name)._replace(mine=subject.mine, theirs=subject.theirs)
        after = after.with_child(_child_set(present, "child", values, view.sa, ike))
    for scope, name in (("child_mine", subject.mine), ("child_theirs", subject.theirs)):
        if scope in touched:
            after = after.with_child(_child_set(after.child(name), scope, values, view.sa, ike))
    # IKE SAs
    if "ike.own" in values:
        ike = _outstanding(ike, row, values, view.number)
    after = after.with_ike(_ike_set(ike, "ike", values, view.announced))
    for scope, name in (("ike_mine", ike.mine), ("ike_theirs", ike.theirs)):
        if scope in touched:
            after = after.with_ike(_ike_set(after.ike(name), scope, values, max(ike.window, ike.peer_window)))
    return after


def _outstanding(ike: IkeRecord, row: Row, values: dict[str, Value], number: int | None) -> IkeRecord:
    """What `ike.own := VALUE` means where several requests may be outstanding: the one that a response answers is so no
    more, and NOTHING is left where the IKE SA ends; a kind is that of the request which is sent now."""
    kept = tuple(each for each in ike.outstanding if each.number != ike.sent)
    if row.on.what == "response":
        kept = tuple(each for each in kept if each.number != number)
    value = values["ike.own"]
    if value != NOTHING:
        kept = (*kept, Outstanding(ike.sent, Kind(str(value))))
    elif row.on.what != "response" or values.get("ike.state") == Ike.CLOSED:
        kept = ()
    return ike._replace(outstanding=kept)


def _ike_set(record: IkeRecord, scope: str, values: dict[str, Value], announced: int) -> IkeRecord:
    fields = {field: values[f"{scope}.{name}"] for name, field in IKE_FIELDS.items() if f"{scope}.{name}" in values}
    sizes = {ONE: 1, ANNOUNCED: announced}
    if f"{scope}.window" in values:
        record = record._replace(window=sizes[str(values[f"{scope}.window"])])
    if f"{scope}.peer_window" in values:
        record = record._replace(peer_window=sizes[str(values[f"{scope}.peer_window"])])
    return record._replace(**fields)  # type: ignore[arg-type]  # the table types them


def _child_set(record: ChildRecord, scope: str, values: dict[str, Value], sa: str, ike: IkeRecord) -> ChildRecord:
    fields = {field: values[f"{scope}.{name}"] for name, field in CHILD_FIELDS.items() if f"{scope}.{name}" in values}
    homes = record.homes if f"{scope}.on_any" not in values else frozenset[str]()
    for name, home in (("on_ike", sa), ("on_mine", ike.mine), ("on_theirs", ike.theirs)):
        value = values.get(f"{scope}.{name}")
        if value is True:
            homes |= {home}
        elif value is False:
            homes -= {home}
    return record._replace(homes=homes, **fields)  # type: ignore[arg-type]  # the table types them
