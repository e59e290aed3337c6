"""The tour's own checks: each holds of an honest trace, and each finds the fault that was made for it."""

from collections.abc import Callable, Iterable

import pytest

from ikeref.cli.tour.checks import CHECKS, Check
from ikeref.cli.tour.life import Options
from ikeref.cli.tour.report import run
from ikeref.cli.tour.trace import Flight, Moment, Side, Trace
from ikeref.registry import ExchangeType
from ikeref.sa import Established, Install, NewKeys, Output, Received, Remove
from ikeref.wire import Nonce

Change = Callable[[int, Moment, Output], Iterable[Output]]


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Of a tour without disturbance."""
    return run(Options()).outcome.trace


def changed(trace: Trace, change: Change) -> Trace:
    """The trace with other outputs."""
    moments = tuple(
        moment._replace(outputs=tuple(new for old in moment.outputs for new in change(index, moment, old)))
        for index, moment in enumerate(trace.moments)
    )
    return trace._replace(moments=moments)


def without(trace: Trace, kind: type, number: int | None = None) -> Trace:
    """Without outputs of a kind, or without the one with that number among them."""
    seen = -1

    def change(_index: int, _moment: Moment, output: Output) -> Iterable[Output]:
        nonlocal seen
        if not isinstance(output, kind):
            return (output,)
        seen += 1
        return () if number is None or seen == number else (output,)

    return changed(trace, change)


def with_flight(trace: Trace, index: int, flight: Flight) -> Trace:
    return trace._replace(flights=(*trace.flights[:index], flight, *trace.flights[index + 1 :]))


def only_bob_has_other_ike_keys(trace: Trace) -> Trace:
    def change(_index: int, moment: Moment, output: Output) -> Iterable[Output]:
        if isinstance(output, NewKeys) and moment.side is Side.BOB:
            return (output._replace(keys=output.keys._replace(sk_pi=bytes(32))),)
        return (output,)

    return changed(trace, change)


def all_child_sas_have_the_same_keys(trace: Trace) -> Trace:
    def change(_index: int, _moment: Moment, output: Output) -> Iterable[Output]:
        if isinstance(output, Install) and output.child.keys is not None:
            keys = output.child.keys
            same = keys._replace(encr_i=bytes(36), encr_r=bytes(36))
            return (output._replace(child=output.child._replace(keys=same)),)
        return (output,)

    return changed(trace, change)


def a_selector_differs(trace: Trace) -> Trace:
    rest = trace.rests[0]
    session = rest.sessions[Side.BOB][0]
    child = session.children[0]
    children = (child._replace(local_ts=child.remote_ts), *session.children[1:])
    sessions = {**rest.sessions, Side.BOB: (session._replace(children=children),)}
    return trace._replace(rests=(rest._replace(sessions=sessions), *trace.rests[1:]))


def an_heir_has_one_child_sa_less(trace: Trace) -> Trace:
    rest = trace.rests[3]
    session = rest.sessions[Side.ALICE][0]
    sessions = {**rest.sessions, Side.ALICE: (session._replace(children=session.children[1:]),)}
    return trace._replace(rests=(*trace.rests[:3], rest._replace(sessions=sessions), *trace.rests[4:]))


def a_message_id_is_left_out(trace: Trace) -> Trace:
    flight = trace.flights[4]
    assert flight.message is not None
    message = flight.message._replace(message_id=7)
    return with_flight(trace, 4, flight._replace(transmit=flight.transmit._replace(message=message)))


def a_retransmission_has_other_octets(trace: Trace) -> Trace:
    flight = trace.flights[4]
    other = flight.transmit._replace(datagram=flight.transmit.datagram[:-1] + b"\x00", again=True)
    return trace._replace(flights=(*trace.flights, flight._replace(transmit=other)))


def a_request_is_processed_again(trace: Trace) -> Trace:
    def change(_index: int, _moment: Moment, output: Output) -> Iterable[Output]:
        return (output, output) if isinstance(output, Received) and not output.message.is_response else (output,)

    return changed(trace, change)


def a_nonce_is_used_again(trace: Trace) -> Trace:
    first = trace.flights[0].message
    flight = trace.flights[4]
    assert first is not None
    assert flight.message is not None
    nonce = next(payload for payload in first.payloads if isinstance(payload, Nonce))
    payloads = tuple(nonce if isinstance(payload, Nonce) else payload for payload in flight.message.payloads)
    message = flight.message._replace(payloads=payloads)
    return with_flight(trace, 4, flight._replace(transmit=flight.transmit._replace(message=message)))


def an_octet_changes_under_way(trace: Trace) -> Trace:
    flight = trace.flights[4]
    octets = bytearray(flight.transmit.datagram)
    octets[60] ^= 1
    return with_flight(trace, 4, flight._replace(transmit=flight.transmit._replace(datagram=bytes(octets))))


def a_message_is_sent_in_clear_and_said_to_be_another(trace: Trace) -> Trace:
    flight, other = trace.flights[4], trace.flights[6]
    return with_flight(trace, 4, flight._replace(transmit=flight.transmit._replace(message=other.message)))


def an_exchange_is_never_answered(trace: Trace) -> Trace:
    def change(_index: int, _moment: Moment, output: Output) -> Iterable[Output]:
        if isinstance(output, Received) and output.message.is_response:
            return () if output.message.exchange_type == ExchangeType.IKE_AUTH else (output,)
        return (output,)

    return changed(trace, change)


FAULTS: dict[str, list[Callable[[Trace], Trace]]] = {
    "No Child SA before the peer is authenticated": [lambda trace: without(trace, Established)],
    "Child SAs are in pairs at every rest": [
        lambda trace: without(trace, Install, 0),
        lambda trace: without(trace, Remove, 0),
    ],
    "Both ends have the same SAs and selectors": [a_selector_differs],
    "An IKE SA rekey hands over each Child SA once": [an_heir_has_one_child_sa_less],
    "Deleting the IKE SA closes every Child SA": [lambda trace: without(trace, Remove, 11)],
    "Both ends derive the same keys, all distinct": [only_bob_has_other_ike_keys, all_child_sas_have_the_same_keys],
    "Message IDs of requests have no gap": [a_message_id_is_left_out],
    "One request is outstanding at a time": [an_exchange_is_never_answered],
    "What is sent again is identical to the octet": [a_retransmission_has_other_octets],
    "Each request is processed once": [a_request_is_processed_again],
    "Nonces are fresh": [a_nonce_is_used_again],
    "Datagrams open and close to the same octets": [
        an_octet_changes_under_way,
        a_message_is_sent_in_clear_and_said_to_be_another,
    ],
}


def test_every_check_has_a_fault_made_for_it() -> None:
    assert [check.name for check in CHECKS] == list(FAULTS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_an_honest_trace_passes(check: Check, trace: Trace) -> None:
    assert check.judge(trace).faults == ()


@pytest.mark.parametrize(
    ("check", "fault"),
    [(check, fault) for check in CHECKS for fault in FAULTS[check.name]],
    ids=lambda value: value.name if isinstance(value, Check) else getattr(value, "__name__", ""),
)
def test_a_fault_is_found(check: Check, fault: Callable[[Trace], Trace], trace: Trace) -> None:
    assert check.judge(fault(trace)).faults


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_run_in_which_nothing_happened_is_not_said_to_hold(check: Check) -> None:
    assert check.judge(Trace((), (), ())) == ("", ())
