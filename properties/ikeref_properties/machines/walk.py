"""Random walks: many schedules a second, each judged at every step and at rest."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import NamedTuple

from ikeref_model.events import Kind, Outcome
from ikeref_model.relaxed import RELAXED
from ikeref_model.rows import Row
from ikeref_model.tables import ROWS

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.policy.credentials import EapPeer, EapServer, Secret
from ikeref.registry import EapType
from ikeref.sa import Phase
from ikeref_properties.machines.invariants import Ledger, Violation
from ikeref_properties.machines.schedule import Schedule, Weights, perform, random_schedule, shrink, text
from ikeref_properties.network import ENDS, A, B, Pair, Record, connection
from ikeref_properties.refinement import Observer
from ikeref_properties.refinement.words import outcome_of

Watch = Callable[[Record], None]
MakePair = Callable[[int, Watch], Pair]
"""Two ends that have an established IKE SA or are about to; each step is to be shown to the watch."""


def established(seed: int, watch: Watch) -> Pair:
    """Two ends on the toy provider with an IKE SA and one Child SA."""
    return Pair(seed, settings=Settings(), watch=watch).establish()


def starting(seed: int, watch: Watch) -> Pair:
    """Two ends on the toy provider of which one has just sent IKE_SA_INIT."""
    pair = Pair(seed, settings=Settings(), watch=watch)
    pair.initiate()
    return pair


def other_groups(seed: int, watch: Watch) -> Pair:
    """Two ends, established, that prefer different key exchange groups: many a first try gets INVALID_KE_PAYLOAD."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256", esp="aes256gcm16-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256", esp="aes256gcm16-ecp256"),
    }
    return Pair(seed, connections=connections, watch=watch).establish(B if seed % 2 else A)


def cookies(seed: int, watch: Watch) -> Pair:
    """Two ends of which one has sent IKE_SA_INIT; it is asked for a cookie, and will be for another group."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256"),
    }
    pair = Pair(seed, settings=Settings(cookie_threshold=0), connections=connections, watch=watch)
    pair.initiate()
    pair.deliver(pair.flying[0])
    answer = pair.flying[0].message
    if pair.sessions(B) or answer is None or outcome_of(Kind.IKE_SA_INIT, answer) is not Outcome.COOKIE:
        raise Violation("cookies (Section 2.6)", "something else was done before there was a cookie")
    return pair


def both_starting(seed: int, watch: Watch) -> Pair:
    """Two ends that have just sent IKE_SA_INIT to each other."""
    pair = Pair(seed, watch=watch)
    pair.initiate(A)
    pair.initiate(B)
    return pair


def limited(seed: int, watch: Watch) -> Pair:
    """Two ends, established, that allow two Child SAs."""
    return Pair(seed, settings=Settings(child_limit=2), watch=watch).establish()


def modes(seed: int, watch: Watch) -> Pair:
    """Two ends, established, whose policies of two Child SAs want transport or tunnel mode as it comes (1.3.1)."""
    wanted = Random(seed)
    connections = {}
    for end in ENDS:
        policy = connection(end)
        children = tuple(
            replace(child, mode=wanted.choice(("transport", "transport", "tunnel"))) for child in policy.children
        )
        connections[end] = replace(policy, children=children)
    return Pair(seed, connections=connections, watch=watch).establish()


def by_eap(seed: int, watch: Watch) -> Pair:
    """Two ends of which one has sent IKE_SA_INIT and will prove itself by EAP, with a key or without (Section 2.16)."""
    methods = (int(EapType.MSCHAPV2), int(EapType.MD5_CHALLENGE))[seed % 2 :]
    user, password = b"carol", Secret(b"a password")
    connections = {
        A: replace(connection(A), local_auth=EapPeer(methods[-1:], user, password)),
        B: replace(connection(B), remote_auth=EapServer(methods, ((user, password),))),
    }
    pair = Pair(seed, connections=connections, watch=watch)
    pair.initiate()
    return pair


def aging(seed: int, watch: Watch) -> Pair:
    """Two ends, established, whose SAs end after a while; one end replaces them in time, or tries to, or neither."""
    rekey = seed % 3 * 6
    settings = Settings(
        rekey_child_seconds=rekey, rekey_ike_seconds=2.5 * rekey, expire_child_seconds=20, expire_ike_seconds=45
    )
    return Pair(seed, settings=settings, watch=watch).establish()


def strangers(seed: int, watch: Watch) -> Pair:
    """Two ends with different shared keys: neither may authenticate the other (Section 2.15)."""
    connections = {A: connection(A, secret=b"the secret of A"), B: connection(B, secret=b"the secret of B")}
    pair = Pair(seed, connections=connections, watch=watch).establish()
    if any(ike.phase is Phase.ESTABLISHED for end in ENDS for ike in pair.ikes(end)):
        raise Violation("authentication (Section 2.15)", "an IKE SA is established between strangers")
    if any(pair.ikes(end) for end in ENDS):
        raise Violation("authentication (Section 2.15)", "an end keeps an IKE SA that failed to authenticate")
    return pair


def unanswered(seed: int, watch: Watch) -> Pair:
    """Two ends of which one, out of reach, has been asked whether it lives, for so long that it must be given up."""
    pair = Pair(seed, watch=watch).establish()
    pair.command(A, sa.CheckLiveness())
    for _ in range(pair.ends[A].settings.retransmit_tries + 1):
        pair.flying.clear()
        pair.advance()
    if pair.ikes(A) or pair.children(A):
        raise Violation("giving up (Section 2.4)", "a silent peer is kept")
    pair.flying.clear()
    pair.command(B, sa.DeleteIke())
    return pair


def skipping(seed: int, watch: Watch) -> Pair:
    """Two ends of which one has sent a request beyond the other's window (Section 2.3)."""
    pair = Pair(seed).establish()
    number, session = next(iter(pair.ends[A].sessions.items()))
    ike = session.ikes[0]
    pair.ends[A].sessions[number] = session._replace(ikes=(ike._replace(next_request=ike.next_request + 1),))
    pair.command(A, sa.CheckLiveness())
    if any(type(output) is sa.Transmit for output in pair.deliver(pair.flying[0]).outputs):
        raise Violation("window (Section 2.3)", "a request beyond the window is answered")
    return Pair(seed, watch=watch)


class Finding(NamedTuple):
    """A run in which something did not hold."""

    seed: int
    schedule: Schedule
    error: Exception

    def __str__(self) -> str:
        return f"seed {self.seed}: {type(self.error).__name__}: {self.error}\n{text(self.schedule)}"


REFUSING: tuple[Row, ...] = (*ROWS, *(row for row in RELAXED if "rekey_child.unacceptable" in row.name))
"""The rows for ends that may refuse the answer to a rekey, and go on with the old Child SA (docs/silences.md)."""
ROWS_FOR: dict[MakePair, tuple[Row, ...]] = {modes: REFUSING}
"""By which rows the steps are judged, where it is not those of the proofs alone."""


class Judge:
    """Judges every step of two ends: the invariants, and what the model's rows allow."""

    def __init__(self, *, model: bool = True, make: MakePair = established) -> None:
        """`make`: which two ends; it tells by which rows they are judged."""
        self.ledger = Ledger()
        self.observers = {end: Observer(end, rows=ROWS_FOR.get(make)) for end in ENDS} if model else {}

    def __call__(self, record: Record) -> None:
        """Raises Violation."""
        self.ledger.note(record)
        if record.end in self.observers:
            verdict = self.observers[record.end].observe(record)
            if not verdict.ok:
                raise Violation("the model", f"step {record.number} of {record.end}: {verdict.explanation}")


def run(seed: int, schedule: Schedule, make: MakePair = established, *, model: bool = True) -> Pair:
    """Let a schedule happen, then let everything settle. Raises Violation where something does not hold."""
    judge = Judge(model=model, make=make)
    pair = make(seed, judge)
    try:
        for act in schedule:
            perform(pair, act)
    except Violation:
        raise
    except Exception as error:
        raise Violation("nothing raises (Section 2.21)", f"{type(error).__name__}: {error}") from error
    come_to_rest(pair, judge)
    return pair


def come_to_rest(pair: Pair, judge: Judge) -> None:
    """The network is perfect from now on, until nothing is left to do. Raises Violation where ends don't agree then."""
    pair.settle()
    judge.ledger.at_rest(pair)


def attempt(seed: int, schedule: Schedule, make: MakePair = established, *, model: bool = True) -> Exception | None:
    """What a run breaks; None for nothing."""
    try:
        run(seed, schedule, make, model=model)
    except Exception as error:  # whatever it is, it is a finding
        return error
    return None


def walk(
    first: int,
    count: int,
    weights: Weights | None = None,
    make: MakePair = established,
    *,
    findings: int = 1,
    model: bool = True,
    shorten: bool = True,
) -> list[Finding]:
    """Runs with the seeds `first` to `first + count`, up to so many findings, each shrunk unless not to `shorten`."""
    found: list[Finding] = []
    weights = weights or Weights()
    for seed in range(first, first + count):
        schedule = random_schedule(Random(seed), weights)
        error = attempt(seed, schedule, make, model=model)
        if error is None:
            continue
        found.append(shortened(seed, schedule, error, make, model) if shorten else Finding(seed, schedule, error))
        if len(found) >= findings:
            break
    return found


def shortened(seed: int, schedule: Schedule, error: Exception, make: MakePair, model: bool = True) -> Finding:
    """The same finding with as few acts as will do."""
    rule = _rule(error)

    def fails(shorter: Schedule) -> bool:
        again = attempt(seed, shorter, make, model=model)
        return again is not None and _rule(again) == rule

    shorter = shrink(schedule, fails)
    return Finding(seed, shorter, attempt(seed, shorter, make, model=model) or error)


def _rule(error: Exception) -> str:
    return error.rule if isinstance(error, Violation) else type(error).__name__
