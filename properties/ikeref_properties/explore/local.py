"""Steps of one end by the shipped `ikeref.sa.step`, every choice of nonces tried (Sections 2.1 to 2.3).

A step is a function of the end and its input, so what was once done need not be done again: two states that differ in
the other end only share it. Time stands still; a timer fires by having its deadline moved to now.
"""

from typing import NamedTuple

from ikeref_model.events import Alarm
from ikeref_model.rows import Row

from ikeref import sa
from ikeref.crypto import Provider
from ikeref.crypto.free import FreeCrypto
from ikeref.errors import Dropped, LocalProtocolError, ProtocolError
from ikeref.policy.connections import Connection, Settings
from ikeref.sa import Environment, Path, Session
from ikeref.sa.step import Datagram, Tick
from ikeref.sa.values import ChildRequest, DeleteIke, IkeRequest
from ikeref.wire import FLAG_INITIATOR, Message
from ikeref_properties.explore import checks, skeleton
from ikeref_properties.explore.comparison import IKE_SPI, Rekey
from ikeref_properties.explore.draws import NONCE_OCTETS, Draws, Rivals, calendar
from ikeref_properties.explore.kinds import Kinds, Shape
from ikeref_properties.explore.skeleton import EndSkeleton, MessageSkeleton, Origin
from ikeref_properties.explore.values import Deviation, End, Flight, Old
from ikeref_properties.network import ADDRESS, ENDS, PEER
from ikeref_properties.refinement.step import Referee, Step, deferred_after

NOW = 1.0
"""The time, always. Seconds."""
DUE = 0.5
RETRY_TRIES = 2

SETTINGS = Settings(nonce_octets=NONCE_OCTETS, retry_tries=RETRY_TRIES, keepalive_seconds=0.0)
INCOMING = tuple(Path(ADDRESS[end], ADDRESS[PEER[end]]) for end in ENDS)

Input = Datagram | sa.Command | Tick


MEMORY = 50_000
"""Steps that are remembered at most."""
NOTHING = "nothing"


class Branch(NamedTuple):
    """One outcome of a step."""

    end: End
    sent: tuple[Flight, ...]
    outputs: tuple[sa.Output, ...]
    deviation: Deviation | None
    behaviour: str = NOTHING
    """What the end did, without names and numbers: to compare what two searches saw."""


class Verdict(NamedTuple):
    """What was found of a step, for all steps of its kind."""

    deviation: Deviation | None
    taken: tuple[tuple[str, str], ...]
    """The rows that explain it, each with the answer given."""


Memory = dict[tuple[int, type, object, Rivals], tuple[End, tuple[Branch, ...]]]


class Local:
    """Runs the steps of both ends, and remembers them."""

    def __init__(
        self,
        connections: tuple[Connection, Connection],
        origin: Origin,
        *,
        every_nonce: bool = True,
        settings: Settings = SETTINGS,
        rows: tuple[Row, ...] | None = None,
        judged: bool = True,
        crypto: Provider | None = None,
    ) -> None:
        self.constants: tuple[object, ...] = (*connections, *(c for each in connections for c in each.children))
        """What every session shares."""
        self._origin = origin
        self._draws = (Draws(0), Draws(1))
        self._environments = tuple(
            Environment(crypto or FreeCrypto(), draws.random, draws.new_spi, settings, (policy,), calendar)
            for draws, policy in zip(self._draws, connections)
        )
        self._every_nonce = every_nonce
        self._kinds = Kinds()
        self._verdicts: dict[tuple[Shape, tuple[int, ...]], Verdict] = {}
        self._memory: Memory = {}
        self._older: Memory = {}
        self.referee = Referee(rows)
        self._judges = judged
        self.steps = 0
        """Steps of the code that were really made."""

    def forget(self) -> None:
        """Give memory back, but for what was needed since this was last called."""
        self._older, self._memory = self._memory, {}
        self._kinds.forget()

    def branches(
        self, who: int, end: End, key: object, peer: End, message: MessageSkeleton | None = None
    ) -> tuple[Branch, ...]:
        """What an input can lead to: nothing where it is not allowed. `key` says which input.

        A key is the octets of a datagram (of which `message` is what it says), a command, or a timer's name with its
        place.
        """
        rivals = (
            NOBODY
            if not self._every_nonce or end.session is None
            else _rivals(end, peer, message.message if message is not None else None)
        )
        memory = (id(end), type(key), key, rivals)
        known = self._memory.get(memory)
        if known is not None:
            return known[1]
        older = self._older.get(memory)
        found = older[1] if older is not None else tuple(self._run(who, end, key, rivals, message))
        if len(self._memory) >= MEMORY:
            self.forget()
        self._memory[memory] = (end, found)
        return found

    def _run(self, who: int, end: End, key: object, rivals: Rivals, said: MessageSkeleton | None) -> list[Branch]:
        session = end.session
        message = said.message if said is not None else None
        if session is None:
            return [Branch(end, (), (), None)] if type(key) is bytes else []
        kind = self._kinds.of(who, end, key, said)
        what, session = _input(session, key, who)
        draws, env = self._draws[who], self._environments[who]
        found: list[Branch] = []
        scripts: list[tuple[int, ...]] = [()]
        while scripts:
            script = scripts.pop()
            draws.begin(end.drawn, script, rivals)
            self.steps += 1
            try:
                step = sa.step(session, what, NOW, env)
            except LocalProtocolError:
                return []
            except Dropped:
                ignored = Branch(end, (), (), None)
                return [self._judged((kind, ()), who, end, session, key, message, ignored)]
            except Exception as error:  # whatever it is, it is a finding
                if isinstance(error, ProtocolError):
                    why = f"a ProtocolError gets out: {error}"
                else:
                    why = f"{type(error).__name__}: {error}"
                return [Branch(end, (), (), Deviation("totality", why))]
            for place in range(len(script), len(draws.choices)):
                taken = (*script, *(0,) * (place - len(script)))
                scripts += [(*taken, other) for other in range(draws.choices[place] - 1, 0, -1)]
            branch = _branch(who, end, key, session, step, draws.count, self._origin, message)
            chosen = (kind, (*script, *draws.choices))
            found.append(self._judged(chosen, who, end, session, key, message, branch))
        return found

    def _judged(
        self,
        kind: tuple[Shape, tuple[int, ...]],
        who: int,
        end: End,
        before: Session,
        key: object,
        message: Message | None,
        branch: Branch,
    ) -> Branch:
        """A branch with what the rows say of it, and what comes of old datagrams after it: asked once for each kind."""
        known = self._verdicts.get(kind)
        if known is None:
            word = message or _word(key)
            taken: tuple[tuple[str, str], ...] = ()
            if branch.deviation is None and word is not None and self._judges:
                asked = Step(before, word, branch.outputs, branch.end.session, end.deferred, branch.end.deferred)
                why, taken = self.referee.judge(asked)
                branch = branch._replace(deviation=Deviation("the rows", why) if why else None)
            if branch.deviation is None and branch.end is not end:
                branch = self._with_the_past(who, end, branch)
            self._verdicts[kind] = Verdict(branch.deviation, taken)
            return branch
        self.referee.taken.update(known.taken)
        return branch if known.deviation is None else branch._replace(deviation=known.deviation)

    def _with_the_past(self, who: int, before: End, branch: Branch) -> Branch:
        """What came before comes again: requests answered last get the same responses, all else has no effect."""
        session = branch.end.session
        if session is None:
            return branch
        known = {(ike.spi, ike.outstanding, ike.expected, ike.answered, ike.phase) for ike in before.skeleton.ikes}
        for ike in branch.end.skeleton.ikes:
            if (ike.spi, ike.outstanding, ike.expected, ike.answered, ike.phase) in known:
                continue
            old = list(branch.end.old.get((ike.spi, True), ()) if ike.outstanding else ())
            for number, datagram in branch.end.old.get((ike.spi, False), ()):
                if number not in ike.answered:
                    old.append((number, datagram))
                elif not self._replays(who, session, datagram):
                    why = "a request that was answered does not get the same response"
                    return branch._replace(deviation=Deviation("retransmission (Section 2.1)", why))
            for _, datagram in old:
                self.steps += 1
                try:
                    sa.step(session, Datagram(datagram, INCOMING[who]), NOW, self._environments[who])
                except Dropped:
                    continue
                why = "one from long ago has effect"
                return branch._replace(deviation=Deviation("old messages (Section 2.3)", why))
        return branch

    def _replays(self, who: int, session: Session, request: bytes) -> bool:
        """Whether the request that was answered last changes nothing and gets one response, an old one."""
        self.steps += 1
        try:
            after, outputs = sa.step(session, Datagram(request, INCOMING[who]), NOW, self._environments[who])
        except Dropped:
            return False
        sent = [output for output in outputs if type(output) is sa.Transmit]
        return after == session and len(sent) == 1 and sent[0].again


def _branch(
    who: int, end: End, key: object, before: Session, step: sa.Step, drawn: int, origin: Origin, message: Message | None
) -> Branch:
    session, outputs = step
    if session is not None and session.ikes:
        session = _settle(session)
    deviation = checks.step(before, outputs, session)
    installed, roots = end.plane, end.roots
    if any(type(output) in (sa.Install, sa.Remove) for output in outputs):
        installed, roots = dict(installed), dict(roots)
    deviation = deviation or checks.plane(outputs, session, installed, roots)
    doomed, closing = end.doomed, end.closing
    match key:
        case sa.DeleteChild(spi_in=spi):
            doomed |= {end.roots.get(spi, b"")}
        case sa.DeleteIke():
            closing = True
        case _:
            closing = closing or _persistent(before, session)
    deferred = deferred_after(before, message, outputs, end.deferred)
    made = End(
        session, drawn, installed, roots, doomed, closing, EMPTY, _remembered(end, session, key, outputs), deferred
    )
    try:
        made.skeleton = skeleton.of_end(session, installed, roots, doomed, closing, deferred, origin)
    except TypeError as error:
        deviation = deviation or Deviation("totality", str(error))
    sent = tuple(
        Flight(1 - who, output.datagram, skeleton.of_message(output.message, origin))
        for output in outputs
        if type(output) is sa.Transmit and output.message is not None
    )
    what = "datagram" if type(key) is bytes else str(key[0]) if type(key) is tuple else type(key).__name__
    return Branch(made, sent, outputs, deviation, behaviour(what, outputs, origin))


_ALARMS = {"retransmit": Alarm.RETRANSMIT, "give up": Alarm.GIVE_UP, "retry": Alarm.RETRY}
"""That nobody waits any longer for a closed or a redundant IKE SA is not for the rows: they have no such timer."""


def _word(key: object) -> sa.Command | Alarm | None:
    """What an input is to the rows."""
    if type(key) is tuple:
        return _ALARMS.get(key[0])
    return None if type(key) is bytes else key  # type: ignore[return-value]  # a command


def _remembered(end: End, session: Session | None, key: object, outputs: tuple[sa.Output, ...]) -> Old:
    """The datagrams that came last on each IKE SA."""
    if type(key) is not bytes:
        return end.old
    for output in outputs:
        if type(output) is sa.Received:
            message = output.message
            spi = message.spi_r if message.flags & FLAG_INITIATOR else message.spi_i
            place = (spi, message.is_response)
            size = next((ike.window for ike in session.ikes if ike.spi == spi), 1) if session is not None else 1
            before = end.old.get(place, ())
            now = (message.message_id, key)
            return {**end.old, place: (now,) if message.is_response else (*before[-size:], now)}
    return end.old


EMPTY = EndSkeleton(b"", (), (), (), (), (), (), ())


def _settle(session: Session) -> Session:
    """How often a request was sent again only matters to giving up, which is an action of its own."""
    if all(exchange.transmissions == 1 for ike in session.ikes for exchange in ike.outstanding):
        return session
    deadline = NOW + SETTINGS.retransmit_initial_seconds
    ikes = tuple(
        ike._replace(outstanding=tuple(each._replace(transmissions=1, deadline=deadline) for each in ike.outstanding))
        for ike in session.ikes
    )
    return session._replace(ikes=ikes)


def _persistent(before: Session, after: Session | None) -> bool:
    """Whether the last attempt of something failed, so that the IKE SA may be closed (Section 2.25)."""
    for ike in before.ikes:
        intents = [exchange.intent for exchange in ike.outstanding]
        if any(isinstance(i, ChildRequest | IkeRequest) and i.command.attempt >= RETRY_TRIES for i in intents):
            now = next((each for each in after.ikes if each.spi == ike.spi), None) if after is not None else None
            if now is not None and (now.phase is sa.Phase.DELETING or any(type(c) is DeleteIke for c in now.queue)):
                return True
    return False


def _input(session: Session, key: object, who: int) -> tuple[Input, Session]:
    match key:
        case bytes():
            return Datagram(key, INCOMING[who]), session
        case (str() as timer, int() as which, int() as number) if type(key) is tuple:  # not a command
            return Tick(), _due(session, timer, which, number)
        case command:
            return command, session  # type: ignore[return-value]  # nothing else is a key


def _due(session: Session, timer: str, which: int, number: int) -> Session:
    """The session with one timer due; for a request that of this Message ID."""
    if timer == "retry":
        retries = session.retries
        return session._replace(retries=(*retries[:which], retries[which]._replace(due=DUE), *retries[which + 1 :]))
    ike = session.ikes[which]
    if timer in ("expire", "forget"):
        ike = ike._replace(expires=DUE)
    else:
        sent = SETTINGS.retransmit_tries + 1 if timer == "give up" else 1
        outstanding = [
            each._replace(deadline=DUE, transmissions=sent) if each.message_id == number else each
            for each in ike.outstanding
        ]
        ike = ike._replace(outstanding=tuple(outstanding))
    return session._replace(ikes=(*session.ikes[:which], ike, *session.ikes[which + 1 :]))


def _rivals(end: End, peer: End, message: Message | None) -> Rivals:
    """The nonces that one drawn now may be compared with."""
    theirs = peer.skeleton.rekeys
    if not theirs:
        return NOBODY
    begun = [each for each in theirs if _could_rekey(end, each)]
    as_initiator = tuple([(each.size, (each.nonce,), each.spi) for each in begun])
    as_responder: tuple[bytes, ...] = ()
    if message is not None and not message.is_response:
        asked = (message.spi_i, message.spi_r), message.message_id
        for other in theirs:
            for ours in end.skeleton.rekeys:
                if (other.ike, other.number) == asked and ours.crosses(other):
                    as_responder = tuple(sorted({ours.nonce, other.nonce, *ours.crossed, *other.crossed}))
    return Rivals(as_initiator, as_responder) if as_initiator or as_responder else NOBODY


def _could_rekey(end: End, theirs: Rekey) -> bool:
    """Whether a step could begin a rekey of the SA that the peer is rekeying."""
    session = end.session
    assert session is not None
    if theirs.size == IKE_SPI:
        return any((ike.spi_i, ike.spi_r) == theirs.ike for ike in session.ikes)
    return any(
        child.spi_out == theirs.mine and child.state in (sa.ChildState.OPEN, sa.ChildState.REKEYING)
        for child in session.children
    )


NOBODY = Rivals()


def behaviour(what: str, outputs: tuple[sa.Output, ...], origin: Origin) -> str:
    """What an end did, without names and numbers, and whichever end it was."""
    words = [what]
    for output in outputs:
        match output:
            case sa.Received(message) | sa.Transmit(message=message) | sa.Replayed(message=message):
                if message is not None:
                    payloads = "/".join(type(payload).__name__ for payload in message.payloads)
                    which = "first" if (message.spi_i, message.spi_r) == origin.ike else message.flags
                    words.append(
                        f"{type(output).__name__} {message.exchange_type} {which} {message.is_response} {payloads}"
                    )
            case sa.Install(inbound, child) | sa.Remove(inbound, child):
                kind = "in" if inbound else "out"
                made = "first" if child.spi_in in origin.children else child.initiator
                words.append(f"{type(output).__name__} {kind} {made} {child.redundant} {child.state}")
            case sa.Closed(reason=reason):
                words.append(f"Closed {reason}")
            case sa.Failed(what, reason):
                words.append(f"Failed {what} {reason}")
            case _:
                words.append(type(output).__name__)
    return "; ".join(words)
