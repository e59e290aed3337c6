"""What falls in the real code when it has a matching fault: the schedule of the model, run by two real endpoints.

Two endpoints in one process, on real cryptography, with simulated time and a network that delivers what the schedule
says, and everything else afterwards. The run is judged as every tour is: by the rows as they are, step by step, by the
checks of the tour, and by the invariants of the random walks.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from ikeref_properties.machines.invariants import Ledger, Violation
from ikeref_properties.mutants import find, seeded
from ikeref_properties.network import ENDS, PEER, A, B, Flight, Initiate, Pair, Record, connection
from ikeref_properties.refinement.words import kind_of

from ikeref import sa
from ikeref.cli.tour import trace
from ikeref.cli.tour.breaking.rows import Move
from ikeref.cli.tour.breaking.table import Break, Play
from ikeref.cli.tour.life import Outcome, Stage
from ikeref.cli.tour.trace import Alarm, Arrival, Moment, Quiescence, Side, Trace
from ikeref.crypto.real import RealCrypto
from ikeref.errors import LocalProtocolError
from ikeref.net.disturb import Fate
from ikeref.policy.connections import Settings
from ikeref.sa import Path, Transmit

SIDES: Final = {A: Side.ALICE, B: Side.BOB}
INVARIANTS: Final = "The invariants of the random walks hold"
_LOW: Final = bytes(31) + b"\x01"
"""A nonce lower than any that is drawn at random in a lifetime."""


class Ran(NamedTuple):
    """A run of the code."""

    outcome: Outcome
    stopped: str
    """Why it did not come to rest; empty if it did."""
    broke: tuple[str, ...]
    """The invariants that don't hold."""
    skipped: tuple[str, ...]
    """What the schedule asks for and the code gave no occasion to."""


def plays_of(moves: Iterable[Move]) -> tuple[Play, ...]:
    """A run of the model as something that can happen to the code; what is due, the code does by itself."""
    found = []
    for move in moves:
        match move.what:
            case "send" if not move.row.endswith(".due"):
                found.append(Play(move.end, _COMMANDS[move.kind], move.child))
            case "request" | "response":
                found.append(Play(move.end, move.what, move.kind))
            case _:
                pass
    return tuple(found)


_COMMANDS: Final = {
    "CREATE_CHILD": "create child",
    "REKEY_CHILD": "rekey child",
    "DELETE_CHILD": "delete child",
    "REKEY_IKE": "rekey IKE",
    "DELETE_IKE": "delete IKE",
    "LIVENESS": "liveness",
}


def run(chosen: Break, plays: tuple[Play, ...], lowest: str, *, broken: bool = True) -> Ran:
    """The schedule, by code with the fault or without."""
    play = _Run(plays, lowest)
    with seeded(find(chosen.mutant) if broken and chosen.mutant else None):
        return play.done(chosen)


class _Run:
    def __init__(self, plays: tuple[Play, ...], lowest: str) -> None:
        self.plays = plays
        self.lowest = lowest
        self.ledger = Ledger()
        self.broke: list[str] = []
        self.skipped: list[str] = []
        self.rests: list[Quiescence] = []
        self.stages: list[int] = []
        """How many records there were when a stage began."""
        self.starting = plays[0].what == "initiate"
        strangers = {end: connection(end, secret=f"the secret of {end}".encode()) for end in ENDS}
        self.pair = Pair(
            7,
            crypto=RealCrypto,
            settings=Settings(closed_linger_seconds=60),
            connections=strangers if self.starting else None,
            watch=self._watch,
        )
        self.kept: list[Flight] = []
        if not self.starting:
            self.pair.establish()
            self._rest(0)
        self.old = {end: child.spi_in for end in ENDS for child in self.pair.children(end)[:1]}
        self.begun = len(self.pair.records)

    def _watch(self, record: Record) -> None:
        if self.broke:
            return  # what follows a broken invariant may break others, and tells nothing
        try:
            self.ledger.note(record)
        except Violation as error:
            self.broke.append(str(error))

    def _rest(self, stage: int) -> None:
        sessions = {SIDES[end]: self.pair.sessions(end) for end in ENDS}
        self.rests.append(Quiescence(len(self.pair.records), stage, sessions))

    def done(self, chosen: Break) -> Ran:
        """All of it, until both ends are at rest."""
        stopped = ""
        try:
            for play in self.plays:
                if not self._play(play):
                    self.skipped.append(f"{play.end}: {play.what} {play.which}".rstrip())
            self.pair.settle(200)
            self._rest(1)
            self._judge_rest()
        except AssertionError as error:
            stopped = str(error)
        except Exception as error:  # a fault may make the code fall over, and that is what is told then
            stopped = f"the code falls over: {type(error).__name__}: {error}"
        stages = (
            Stage("Establish", "1.2", Side.ALICE, None, "an IKE SA, and with it the first Child SA"),
            Stage("Broken", chosen.section, Side.ALICE, None, chosen.what),
        )
        ends = {SIDES[end]: (f"192.0.2.{number}", 500) for number, end in enumerate(ENDS, 1)}
        outcome = Outcome(self._trace(), stages, ends, stopped, self.pair.now)
        return Ran(outcome, stopped, tuple(self.broke), tuple(self.skipped))

    def _judge_rest(self) -> None:
        if self.starting:
            if any(self.pair.ikes(end) for end in ENDS):
                self.broke.append("authentication (Section 2.15): an IKE SA is established between strangers")
            return
        if self.broke:
            return
        for end in ENDS:
            left = [child for child in self.pair.children(end) if child.state is not sa.ChildState.OPEN]
            for child in left:
                name = f"{SIDES[end]} keeps Child SA {child.spi_in.hex()}, which is {child.state.name}"
                self.broke.append(f"rest (Section 2.8): nothing is under way any more, and {name}")
        try:
            self.ledger.at_rest(self.pair)
        except Violation as error:
            self.broke.append(str(error))

    # What happens

    def _play(self, play: Play) -> bool:
        match play.what:
            case "initiate":
                self.pair.initiate(play.end)
            case "request" | "response":
                return self._arrive(play)
            case "lose":
                flight = self._flying(play.end)
                if flight is None:
                    return False
                self.pair.lose(flight)
            case "time":
                return bool(self.pair.advance())
            case _:
                return self._tell(play)
        return True

    def _tell(self, play: Play) -> bool:
        command = self._command(play)
        if command is None:
            return False
        if self.lowest == play.end and play.what.startswith("rekey"):
            self.pair.forced[play.end][32] = [_LOW]
        try:
            self.pair.command(play.end, command)
        except LocalProtocolError:
            return False
        return True

    def _command(self, play: Play) -> sa.Command | None:
        spi = self._child(play.end, play.which)
        match play.what:
            case "create child":
                return sa.CreateChild("web")
            case "rekey child" if spi:
                return sa.RekeyChild(spi)
            case "delete child" if spi:
                return sa.DeleteChild(spi)
            case "rekey IKE":
                return sa.RekeyIke()
            case "delete IKE":
                return sa.DeleteIke()
            case "liveness":
                return sa.CheckLiveness()
            case _:
                return None

    def _child(self, end: str, slot: str) -> bytes:
        """The SPI of a Child SA by its slot: `old`, or that of the end whose exchange made it."""
        for child in self.pair.children(end):
            is_old = child.spi_in == self.old.get(end)
            if is_old if slot in ("", "old") else not is_old and child.initiator == (slot == end.lower()):
                return child.spi_in
        return b""

    def _arrive(self, play: Play) -> bool:
        if play.which == "kept":
            flight = next((each for each in self.kept if self._is(each, play)), None)
            if flight is None:
                return False
            self.kept.remove(flight)
            self.pair.deliver(flight, keep=True)
            return True
        flight = next((each for each in self.pair.flying if self._is(each, play)), None)
        if flight is None:
            return False
        if play.which == "again":
            self.kept.append(flight)
        self.pair.deliver(flight)
        return True

    @staticmethod
    def _is(flight: Flight, play: Play) -> bool:
        message = flight.message
        if flight.to != play.end or message is None or message.is_response != (play.what == "response"):
            return False
        wanted = play.which if play.which.isupper() and play.what == "request" else ""
        return not wanted or str(kind_of(message)) == wanted

    def _flying(self, end: str) -> Flight | None:
        return next((each for each in self.pair.flying if each.to == end), None)

    # As a trace of the tour

    def _trace(self) -> Trace:
        flights: list[trace.Flight] = []
        moments: list[Moment] = []
        index_of: dict[int, int] = {}
        delivered = {record.event.number for record in self.pair.records if isinstance(record.event, Flight)}
        number = 0
        rests = list(self.rests)
        for place, record in enumerate(self.pair.records):
            stage = 0 if place < self.begun and not self.starting else 1
            idle = type(record.event) is sa.Tick and not record.outputs and record.before == record.after
            if not idle:
                cause = self._cause(record, index_of)
                moments.append(
                    Moment(record.now, SIDES[record.end], cause, record.outputs, record.before, record.after, stage)
                )
            for output in record.outputs:
                if type(output) is Transmit:
                    number += 1
                    index_of[number] = len(flights)
                    fate = Fate(dropped=number not in delivered)
                    flights.append(trace.Flight(record.now, SIDES[record.end], len(moments) - 1, output, fate))
            rests = [
                each._replace(moment=len(moments)) if self.rests[at].moment == place + 1 else each
                for at, each in enumerate(rests)
            ]
        return Trace(tuple(moments), tuple(flights), tuple(rests))

    @staticmethod
    def _cause(record: Record, index_of: dict[int, int]) -> trace.Cause:
        match record.event:
            case Initiate():
                return trace.Initiate(f"to {PEER[record.end]}")
            case Flight(number=number, datagram=datagram, path=path):
                there = Path(path.remote, path.local, path.encapsulated)
                return Arrival(datagram, there, index_of.get(number, -1))
            case sa.Tick():
                return Alarm()
            case command:
                return command
