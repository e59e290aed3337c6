"""The named paths: each course of events of Sections 2.8 and 2.25, and what the RFC does not spell out.

One letter for each end, A and B; `name-a` and `name-b` are variants. Where nonces decide, each of the four is the
lowest in turn: Ni or Nr of A's exchange or of B's.
"""

from ikeref_model.events import Kind, Outcome

from ikeref_properties.explore.paths import (
    A,
    B,
    Event,
    Path,
    Test,
    asks,
    equal,
    have,
    hears,
    lowest,
    nothing,
    prefix,
    replies,
    twice,
)
from ikeref_properties.explore.skeleton import Origin, of_end
from ikeref_properties.explore.values import Bounds, End, Left, State

CREATE, REKEY, REKEY_IKE = Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.REKEY_IKE
DELETE, DELETE_IKE, LIVENESS = Kind.DELETE_CHILD, Kind.DELETE_IKE, Kind.LIVENESS
OK, EMPTY, BUSY = Outcome.OK, Outcome.EMPTY, Outcome.TEMPORARY_FAILURE
NOT_FOUND, OTHER_GROUP = Outcome.CHILD_SA_NOT_FOUND, Outcome.INVALID_KE_PAYLOAD


def _bounds(
    *kinds: str, commands: int = 1, duplicates: int = 0, groups: bool = False, any_order: bool = False
) -> Bounds:
    return Bounds(commands, 0, duplicates, kinds=kinds, groups=groups, every_nonce=any_order)


def _crossing(kind: Kind) -> tuple[Event, ...]:
    """Both ends rekey at once, and both answer."""
    return (asks(A, kind), asks(B, kind), replies(B, kind, OK), replies(A, kind, OK))


def _collision(kind: Kind, name: str, section: str, command: str) -> tuple[Path, ...]:
    bounds = _bounds(command, any_order=True)
    what = "both ends rekey the same SA at once"
    found = []
    for end, letter in ((A, "a"), (B, "b")):
        for field in ("ni", "nr"):
            events = (*_crossing(kind), hears(end, kind, OK, lowest(field)))
            said = f"{what}; the lowest nonce is {field[0].upper()}{field[1]} of {letter.upper()}'s exchange"
            found.append(Path(f"{name}-{letter}-{field}", said, section, bounds, events, have(1)))
    return tuple(found)


def _other_groups(kind: Kind, name: str, what: str, command: str) -> Path:
    """Both exchanges fail for their group, and the ones that follow cross again."""
    ends = (A, B)
    refused = (*[asks(end, kind) for end in ends], *[replies(end, kind, OTHER_GROUP) for end in ends[::-1]])
    agreed = (*[asks(end, kind) for end in ends], *[replies(end, kind, OK) for end in ends[::-1]])
    said = f"both ends rekey {what} with the wrong group, and both again, with new nonces"
    events = (*refused, *agreed, hears(A, kind, OK, lowest("ni")))
    return Path(name, said, "1.3", _bounds(command, groups=True), events, have(1))


def _without_child(state: State, origin: Origin) -> State:
    """B has lost its Child SA."""
    end = state.ends[B]
    assert end.session is not None
    session = end.session._replace(children=())
    skeleton = of_end(session, {}, {}, frozenset(), False, frozenset(), origin)
    return state._replace(ends=(state.ends[A], End(session, end.drawn, {}, {}, frozenset(), False, skeleton, {})))


def _one_for_b(state: State, _origin: Origin) -> State:
    """B gets one command only."""
    commands, *others = state.left
    return state._replace(left=Left((commands[A], 1), *others))


def _crossed(kind: Kind, test: Test) -> tuple[Event, ...]:
    return (*_crossing(kind), hears(A, kind, OK, test))


PATHS: tuple[Path, ...] = (
    Path(
        "create-and-rekey-ike",
        "A creates a Child SA while B rekeys the IKE SA: both are refused, and both come later",
        "2.25.2",
        _bounds("create child", "rekey IKE"),
        (
            asks(A, CREATE),
            asks(B, REKEY_IKE),
            replies(B, CREATE, BUSY),
            replies(A, REKEY_IKE, BUSY),
            hears(A, CREATE, OK),
            hears(B, REKEY_IKE, OK),
        ),
        have(2),
    ),
    Path(
        "delete-child",
        "A deletes a Child SA",
        "1.4.1",
        _bounds("delete child"),
        (asks(A, DELETE), replies(B, DELETE, OK), hears(A, DELETE, OK)),
        have(0),
    ),
    Path(
        "delete-child-crossing",
        "both ends delete a Child SA at once: neither response has a Delete",
        "1.4.1",
        _bounds("delete child"),
        (asks(A, DELETE), asks(B, DELETE), replies(B, DELETE, EMPTY), replies(A, DELETE, EMPTY)),
        have(0),
    ),
    Path(
        "delete-child-crossing-late",
        "the same, and B's Delete comes when A has nothing left",
        "1.4.1",
        _bounds("delete child"),
        (
            asks(A, DELETE),
            asks(B, DELETE),
            replies(B, DELETE, EMPTY),
            hears(A, DELETE, EMPTY),
            replies(A, DELETE, EMPTY),
            hears(B, DELETE, EMPTY),
        ),
        have(0),
    ),
    Path(
        "delete-child-and-rekey-ike",
        "A deletes a Child SA while B rekeys the IKE SA: the one is done, the other comes later",
        "2.25.1",
        _bounds("delete child", "rekey IKE"),
        (
            asks(A, DELETE),
            asks(B, REKEY_IKE),
            replies(B, DELETE, OK),
            replies(A, REKEY_IKE, BUSY),
            hears(B, REKEY_IKE, OK),
        ),
        have(0),
    ),
    Path(
        "rekey-child",
        "A rekeys a Child SA and deletes the old one",
        "1.3.3",
        _bounds("rekey child"),
        (asks(A, REKEY), replies(B, REKEY, OK), hears(A, REKEY, OK), replies(B, DELETE, OK)),
        have(1),
        never=(asks(B, REKEY),),
    ),
    Path(
        "rekey-child-other-group",
        "A rekeys a Child SA with a group that B does not want, then with the one that B asks for",
        "1.3",
        _bounds("rekey child", groups=True),
        (asks(A, REKEY), replies(B, REKEY, OTHER_GROUP), asks(A, REKEY), replies(B, REKEY, OK)),
        have(1),
        never=(asks(B, REKEY),),
    ),
    Path(
        "rekey-child-not-found",
        "B has lost the Child SA that A rekeys: A creates another",
        "2.25",
        _bounds("rekey child"),
        (asks(A, REKEY), replies(B, REKEY, NOT_FOUND), asks(A, CREATE), replies(B, CREATE, OK)),
        have(1),
        begins=_without_child,
    ),
    *_collision(REKEY, "rekey-child-crossing", "2.8.1", "rekey child"),
    Path(
        "rekey-child-crossing-late-response",
        "both ends rekey a Child SA; B deletes what is superfluous before A has its response",
        "2.8.1",
        _bounds("rekey child", any_order=True),
        (*_crossing(REKEY), hears(B, REKEY, OK), replies(A, DELETE, OK), hears(A, REKEY, OK)),
        have(1),
    ),
    Path(
        "rekey-child-late-request",
        "A's rekey comes when B has replaced the Child SA: refused; A hears that before B's Delete",
        "2.25.1",
        _bounds("rekey child"),
        (
            asks(A, REKEY),
            asks(B, REKEY),
            replies(A, REKEY, OK),
            hears(B, REKEY, OK),
            replies(B, REKEY, BUSY),
            hears(A, REKEY, BUSY),
            replies(A, DELETE),
        ),
        have(1),
    ),
    Path(
        "rekey-child-late-request-delete-first",
        "A's rekey comes when B has replaced the Child SA: refused; A has B's Delete before it hears that",
        "2.25.1",
        _bounds("rekey child"),
        (
            asks(A, REKEY),
            asks(B, REKEY),
            replies(A, REKEY, OK),
            hears(B, REKEY, OK),
            replies(B, REKEY, BUSY),
            replies(A, DELETE),
            hears(A, REKEY, BUSY),
        ),
        have(1),
    ),
    Path(
        "rekey-child-later-request",
        "A's rekey comes when B has nothing left of the Child SA: A does not create another",
        "2.25.1",
        _bounds("rekey child"),
        (
            asks(A, REKEY),
            asks(B, REKEY),
            replies(A, REKEY, OK),
            replies(A, DELETE),
            hears(B, DELETE),
            replies(B, REKEY, NOT_FOUND),
            hears(A, REKEY, NOT_FOUND),
        ),
        have(1),
        never=(asks(A, CREATE),),
    ),
    _other_groups(REKEY, "rekey-child-crossing-other-groups", "a Child SA", "rekey child"),
    Path(
        "rekey-child-and-delete",
        "A rekeys a Child SA while B deletes it",
        "2.25.1",
        _bounds("rekey child", "delete child"),
        (
            asks(A, REKEY),
            asks(B, DELETE),
            replies(B, REKEY, BUSY),
            replies(A, DELETE, OK),
            hears(A, REKEY, BUSY),
        ),
        have(0),
    ),
    Path(
        "rekey-child-after-delete",
        "A's rekey of a Child SA comes when B has deleted it",
        "2.25.1",
        _bounds("rekey child", "delete child"),
        (
            asks(A, REKEY),
            asks(B, DELETE),
            replies(A, DELETE, OK),
            hears(B, DELETE, OK),
            replies(B, REKEY, NOT_FOUND),
            hears(A, REKEY, NOT_FOUND),
        ),
        have(0),
        never=(asks(A, CREATE),),
    ),
    Path(
        "rekey-child-and-ike",
        "A rekeys a Child SA while B rekeys the IKE SA: both are refused, and both come later",
        "2.25.1",
        _bounds("rekey child", "rekey IKE"),
        (
            asks(A, REKEY),
            asks(B, REKEY_IKE),
            replies(B, REKEY, BUSY),
            replies(A, REKEY_IKE, BUSY),
            hears(A, REKEY, OK),
            hears(B, REKEY_IKE, OK),
        ),
        have(1),
    ),
    Path(
        "delete-ike",
        "A deletes the IKE SA",
        "1.4.1",
        _bounds("delete IKE"),
        (asks(A, DELETE_IKE), replies(B, DELETE_IKE, EMPTY), hears(A, DELETE_IKE, EMPTY)),
        nothing,
    ),
    Path(
        "delete-ike-crossing",
        "both ends delete the IKE SA at once",
        "2.25.2",
        _bounds("delete IKE"),
        (asks(A, DELETE_IKE), asks(B, DELETE_IKE), replies(B, DELETE_IKE, EMPTY), replies(A, DELETE_IKE, EMPTY)),
        nothing,
    ),
    Path(
        "rekey-ike",
        "A rekeys the IKE SA and deletes the old one",
        "1.3.2",
        _bounds("rekey IKE"),
        (asks(A, REKEY_IKE), replies(B, REKEY_IKE, OK), hears(A, REKEY_IKE, OK), replies(B, DELETE_IKE, EMPTY)),
        have(1),
        never=(asks(B, REKEY_IKE),),
    ),
    Path(
        "rekey-ike-other-group",
        "A rekeys the IKE SA with a group that B does not want, then with the one that B asks for",
        "1.3",
        _bounds("rekey IKE", groups=True),
        (asks(A, REKEY_IKE), replies(B, REKEY_IKE, OTHER_GROUP), asks(A, REKEY_IKE), replies(B, REKEY_IKE, OK)),
        have(1),
        never=(asks(B, REKEY_IKE),),
    ),
    *_collision(REKEY_IKE, "rekey-ike-crossing", "2.8.2", "rekey IKE"),
    _other_groups(REKEY_IKE, "rekey-ike-crossing-other-groups", "the IKE SA", "rekey IKE"),
    # That B has won and deletes the old IKE SA before A has its response is not among them: our winner waits with that
    # Delete until the peer's superfluous IKE SA is gone (docs/silences.md).
    Path(
        "rekey-ike-crossing-late-response-lost",
        "both ends rekey the IKE SA; B has lost and deletes its own before A has its response",
        "2.8.2",
        _bounds("rekey IKE", any_order=True),
        (
            *_crossing(REKEY_IKE),
            hears(B, REKEY_IKE, OK, lowest("ni")),
            replies(A, DELETE_IKE, EMPTY),
            hears(A, REKEY_IKE, OK),
        ),
        have(1),
    ),
    Path(
        "rekey-ike-lost-request",
        "A's rekey of the IKE SA is lost; B rekeys it and deletes it",
        "2.8.2",
        _bounds("rekey IKE"),
        (asks(A, REKEY_IKE), asks(B, REKEY_IKE), replies(A, REKEY_IKE, OK), replies(A, DELETE_IKE, EMPTY)),
        have(1),
        never=(replies(B, REKEY_IKE), hears(A, REKEY_IKE)),
    ),
    Path(
        "rekey-ike-and-delete",
        "A rekeys the IKE SA while B deletes it",
        "2.25.2",
        _bounds("rekey IKE", "delete IKE"),
        (asks(A, REKEY_IKE), asks(B, DELETE_IKE), replies(B, REKEY_IKE, BUSY), replies(A, DELETE_IKE, EMPTY)),
        nothing,
    ),
    # What the RFC leaves to be concluded
    Path(
        "three-crossing",
        "with a window of 2: A rekeys a Child SA and creates another while B rekeys the first",
        "2.25.1",
        _bounds("rekey child", "create child", commands=2)._replace(window=2),
        (
            asks(A, REKEY),
            asks(A, CREATE),
            asks(B, REKEY),
            replies(B, CREATE, OK),
            replies(B, REKEY, OK),
            replies(A, REKEY, OK),
        ),
        have(2),
        never=(asks(B, CREATE),),
        begins=_one_for_b,
    ),
    Path(
        "rekey-child-equal-nonces",
        "two rekeys of a Child SA cross, and the lowest nonce is in both",
        "2.8.1",
        _bounds("rekey child", any_order=True),
        _crossed(REKEY, equal),
        have(1),
    ),
    Path(
        "rekey-child-prefix-nonce",
        "two rekeys of a Child SA cross, and the lowest nonce is the beginning of the next",
        "2.8.1",
        _bounds("rekey child", any_order=True),
        _crossed(REKEY, prefix),
        have(1),
    ),
    Path(
        "rekey-ike-equal-nonces",
        "two rekeys of the IKE SA cross, and the lowest nonce is in both",
        "2.8.2",
        _bounds("rekey IKE", any_order=True),
        _crossed(REKEY_IKE, equal),
        have(1),
    ),
    Path(
        "rekey-ike-prefix-nonce",
        "two rekeys of the IKE SA cross, and the lowest nonce is the beginning of the next",
        "2.8.2",
        _bounds("rekey IKE", any_order=True),
        _crossed(REKEY_IKE, prefix),
        have(1),
    ),
    Path(
        "rekey-child-crossing-duplicated",
        "two rekeys of a Child SA cross, and a request comes twice",
        "2.1",
        _bounds("rekey child", duplicates=1),
        (asks(A, REKEY), asks(B, REKEY), twice(B, REKEY), replies(A, REKEY, OK)),
        have(1),
    ),
    Path(
        "rekey-child-twice",
        "a Child SA is rekeyed, and so is what came of it",
        "2.8",
        _bounds("rekey child", commands=2),
        (hears(A, REKEY, OK), hears(A, REKEY, OK)),
        have(1),
        never=(asks(B, REKEY),),
    ),
    Path(
        "liveness-amid-rekey",
        "A rekeys the IKE SA, and B asks on the old one whether A is there",
        "2.4",
        _bounds("rekey IKE", "liveness"),
        (asks(A, REKEY_IKE), asks(B, LIVENESS), replies(B, REKEY_IKE, OK), replies(A, LIVENESS, OK)),
        have(1),
    ),
)


def named(name: str) -> Path:
    """The path of that name; KeyError if there is none."""
    return {path.name: path for path in PATHS}[name]
