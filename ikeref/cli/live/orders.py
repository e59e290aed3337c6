"""What may be asked of a running endpoint, typed or given with `--do` (Sections 1.3, 1.4, 2.8)."""

from difflib import get_close_matches
from typing import Final, NamedTuple

from ikeref.registry import CfgAttribute
from ikeref.sa import (
    AskConfiguration,
    CheckLiveness,
    ChildSa,
    ChildState,
    Command,
    CreateChild,
    DeleteChild,
    DeleteIke,
    RekeyChild,
    RekeyIke,
    Session,
)
from ikeref.wire import CfgAttr


class OrderError(ValueError):
    """An order can't be understood or carried out; the text says why and what would be right."""


class Word(NamedTuple):
    """An order that there is."""

    word: str
    argument: str
    """What may follow; empty for nothing."""
    meaning: str


WORDS: Final = (
    Word("status", "", "show IKE SAs and Child SAs"),
    Word("create", "NAME", "create the Child SA that the configuration calls so"),
    Word("rekey-child", "[SPI|NAME]", "replace a Child SA"),
    Word("rekey-ike", "", "replace the IKE SA; its Child SAs move"),
    Word("delete-child", "[SPI|NAME]", "close a Child SA"),
    Word("delete-ike", "", "close the IKE SA and all its Child SAs"),
    Word("version", "", "ask the peer which software it is (Section 2.20)"),
    Word("configure", "", "ask the peer for the internal addresses that the configuration wants (Section 2.19)"),
    Word("liveness", "", "ask whether the peer is alive"),
    Word("wait", "SECONDS", "do nothing for a while"),
    Word("help", "", "show this"),
    Word("quit", "", "delete the IKE SAs and end"),
)


class Order(NamedTuple):
    """An order as it was typed."""

    word: str
    argument: str
    session: int | None
    """The number in front, as in `2: rekey-ike`."""

    @property
    def text(self) -> str:
        return f"{self.word} {self.argument}".strip()


def parse(text: str) -> Order:
    """An order from its text. Raises OrderError."""
    head, colon, rest = text.partition(":")
    session = int(head) if colon and head.strip().isdecimal() else None
    word, _, argument = (rest if session is not None else text).strip().partition(" ")
    argument = argument.strip()
    known = {each.word: each for each in WORDS}
    if word not in known:
        close = get_close_matches(word, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        raise OrderError(f"{word!r} is no order; {hint}")
    wanted = known[word].argument
    if argument and not wanted:
        raise OrderError(f"{word} takes nothing behind it")
    if not argument and wanted and not wanted.startswith("["):
        raise OrderError(f"{word} needs {wanted}")
    if word == "wait" and not argument.replace(".", "", 1).isdecimal():
        raise OrderError(f"wait needs a number of seconds, not {argument!r}")
    return Order(word, argument, session)


def choose(order: Order, sessions: dict[int, Session]) -> tuple[int, Session]:
    """The session that an order is for. Raises OrderError."""
    alive = {number: session for number, session in sessions.items() if session.current is not None}
    if order.session is not None:
        if order.session not in alive:
            raise OrderError(f"there is no IKE SA {order.session}; status shows those that there are")
        return order.session, alive[order.session]
    if not alive:
        raise OrderError("there is no IKE SA")
    if len(alive) > 1:
        raise OrderError(f"there are {len(alive)} IKE SAs; put a number in front, as in `{max(alive)}: {order.text}`")
    return next(iter(alive.items()))


def command_of(order: Order, session: Session) -> Command:
    """What the order asks of the protocol. Raises OrderError."""
    match order.word:
        case "create":
            return CreateChild(order.argument)
        case "rekey-child":
            return RekeyChild(_child(order, session).spi_in)
        case "delete-child":
            return DeleteChild(_child(order, session).spi_in)
        case "rekey-ike":
            return RekeyIke()
        case "delete-ike":
            return DeleteIke()
        case "liveness":
            return CheckLiveness()
        case "version":
            return AskConfiguration((CfgAttr(CfgAttribute.APPLICATION_VERSION),))
        case "configure":
            return AskConfiguration()
        case _:
            raise OrderError(f"{order.word} is nothing that one asks of an IKE SA")


def _child(order: Order, session: Session) -> ChildSa:
    """By its name, or by either of its SPIs; the only one where nothing is said."""
    children = [child for child in session.children if child.state is ChildState.OPEN]
    wanted = order.argument.lower().removeprefix("0x")
    if order.argument:
        children = [
            child
            for child in children
            if order.argument == child.name or wanted in (child.spi_in.hex(), child.spi_out.hex())
        ]
    if not children:
        what = f"that is called {order.argument} or has that SPI" if order.argument else "that is open"
        raise OrderError(f"there is no Child SA {what}; status shows those that there are")
    if len(children) > 1:
        spis = ", ".join(child.spi_in.hex() for child in children)
        raise OrderError(f"several Child SAs could be meant; say which by its SPI: {spis}")
    return children[0]


def manual() -> str:
    """What `help` shows."""
    lines = [f"{f'{each.word} {each.argument}'.strip():26} {each.meaning}" for each in WORDS]
    return "\n".join((*lines, "Where there are several IKE SAs, put a number in front, as in `2: rekey-ike`."))
