"""Refinement has teeth: whatever the abstraction reads of a step, scrambled, is refused (Sections 2.1 to 2.3, 2.8).

A run of two ends is drawn, then a step of it, then one thing in that step which the model, or what must hold in every
run, has to depend on. FIELDS lists them: they are all that `refinement.observer` and `machines.invariants` read.
"""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ikeref_properties.machines import walk
from ikeref_properties.machines.invariants import Violation
from ikeref_properties.machines.schedule import Weights, perform, random_schedule
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, Pair, Record
from ikeref_properties.refinement.words import is_protected

from ikeref import sa
from ikeref.registry import ExchangeType
from ikeref.sa import Output
from ikeref.wire import FLAG_RESPONSE, D, Message, N

WEIGHTS = Weights(acts=30, commands=6, losses=1)
NOBODY = b"\xee" * 4


def judged(records: list[Record], pair: Pair) -> bool:
    """Whether model and invariants accept a run, and its end."""
    judge = Judge()
    try:
        for record in records:
            judge(record)
        judge.ledger.at_rest(pair)
    except (Violation, AssertionError, KeyError):
        return False
    return True


def run(seed: int) -> Pair:
    pair = walk.established(seed, lambda _: None)
    for act in random_schedule(Random(seed), WEIGHTS):
        perform(pair, act)
    pair.settle()
    return pair


Scramble = Callable[[Output], Output | None]
"""What becomes of an output; None: it is not of the kind that is scrambled."""


def of_message(change: Callable[[Message], Message | None]) -> Scramble:
    def scramble(output: Output) -> Output | None:
        if type(output) is not sa.Transmit or output.message is None or output.again:
            return None
        if output.message.exchange_type == ExchangeType.IKE_AUTH:
            return None
        if not is_protected(output.datagram, output.path.encapsulated):
            return None
        changed = change(output.message)
        return output._replace(message=changed) if changed is not None else None

    return scramble


def deleted(message: Message) -> Message | None:
    if not any(type(p) is D and p.spis for p in message.payloads):
        return None
    payloads = tuple(p._replace(spis=(NOBODY,)) if type(p) is D else p for p in message.payloads)
    return message._replace(payloads=payloads)


def rekeyed(message: Message) -> Message | None:
    if not any(type(p) is N and p.type == 16393 for p in message.payloads):
        return None
    return message._replace(
        payloads=tuple(p._replace(spi=NOBODY) if type(p) is N and p.type == 16393 else p for p in message.payloads)
    )


def unsaid(message: Message) -> Message | None:
    """A response without its Delete payloads, or the refusal."""
    kept = tuple(p for p in message.payloads if type(p) not in (D, N))
    return message._replace(payloads=kept) if message.is_response and len(kept) < len(message.payloads) else None


def request_id(message: Message) -> Message | None:
    return None if message.is_response else message._replace(message_id=message.message_id + 1)


def response_id(message: Message) -> Message | None:
    return message._replace(message_id=message.message_id + 1) if message.is_response else None


def exchange_type(message: Message) -> Message | None:
    return message._replace(exchange_type=73 - message.exchange_type) if message.is_response else None


def again(output: Output) -> Output | None:
    if type(output) is not sa.Transmit or output.message is None or not output.message.is_response or output.again:
        return None
    return output._replace(again=True)


def direction(output: Output) -> Output | None:
    return output._replace(inbound=not output.inbound) if type(output) is sa.Remove else None


def removed(output: Output) -> Output | None:
    return output._replace(child=output.child._replace(spi_in=NOBODY)) if type(output) is sa.Remove else None


def installed(output: Output) -> Output | None:
    if type(output) is not sa.Install or not output.inbound:
        return None
    return output._replace(child=output.child._replace(spi_in=NOBODY))


def installed_out(output: Output) -> Output | None:
    if type(output) is not sa.Install or output.inbound:
        return None
    return output._replace(child=output.child._replace(spi_out=NOBODY))


def keys(output: Output) -> Output | None:
    if type(output) is not sa.Install or output.child.keys is None:
        return None
    made = output.child.keys
    return output._replace(child=output.child._replace(keys=made._replace(encr_i=made.encr_r, encr_r=made.encr_i)))


def silent(output: Output) -> Output | None:
    """The output is left out; a stand-in that means nothing comes instead.

    A replayed response may be forgotten by then, a command may wait, and an answer outside of any IKE SA is a MAY.
    """
    if type(output) is sa.Transmit and (
        output.message is None
        or output.again
        or not output.message.is_response
        or not is_protected(output.datagram, output.path.encapsulated)
    ):
        return None
    return sa.Audit("left out") if type(output) in (sa.Transmit, sa.Remove, sa.Install, sa.Closed) else None


FIELDS: dict[str, Scramble] = {
    "SPIs of a Delete": of_message(deleted),
    "SPI of REKEY_SA": of_message(rekeyed),
    "Delete or notification left out": of_message(unsaid),
    "Message ID of a request": of_message(request_id),
    "Message ID of a response": of_message(response_id),
    "Response flag": of_message(lambda message: message._replace(flags=message.flags ^ FLAG_RESPONSE)),
    "Exchange Type of a response": of_message(exchange_type),
    "whether it was sent before": again,
    "direction removed": direction,
    "Child SA removed": removed,
    "inbound SPI installed": installed,
    "outbound SPI installed": installed_out,
    "keys installed": keys,
    "output left out": silent,
}


@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 499), place=st.integers(0, 9999))
def test_a_scrambled_field_is_refused(field: str, seed: int, place: int) -> None:
    pair = run(seed)
    lasting = {child.spi_in for end in ENDS for child in pair.children(end)}
    changes = [
        (index, at, changed)
        for index, record in enumerate(pair.records)
        for at, output in enumerate(record.outputs)
        if not isinstance(record.event, sa.Tick) and (changed := FIELDS[field](output)) not in (None, output)
        # Keys of a Child SA that the other end never came to install can't be compared with anything.
        if FIELDS[field] is not keys or (type(output) is sa.Install and output.child.spi_in in lasting)
    ]
    assume(changes)
    index, at, changed = changes[place % len(changes)]
    assert changed is not None
    record = pair.records[index]
    outputs = (*record.outputs[:at], changed, *record.outputs[at + 1 :])
    records = [*pair.records[:index], record._replace(outputs=outputs), *pair.records[index + 1 :]]
    assert not judged(records, pair), (field, index, record)


def is_request(message: Message) -> bool:
    return not message.is_response and message.exchange_type != ExchangeType.IKE_SA_INIT


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 499), place=st.integers(0, 9999))
def test_a_silent_end_is_refused(seed: int, place: int) -> None:
    """From some request after IKE_SA_INIT on an end says nothing and does nothing."""
    pair = run(seed)
    requests = [
        index
        for index, record in enumerate(pair.records)
        if any(type(output) is sa.Received and is_request(output.message) for output in record.outputs)
    ]
    start = requests[place % len(requests)]
    end = pair.records[start].end
    records = [
        record._replace(outputs=()) if record.number >= start and record.end == end else record
        for record in pair.records
    ]
    assert not judged(records, pair)


def test_the_runs_themselves_are_accepted() -> None:
    for seed in range(20):
        pair = run(seed)
        assert judged(pair.records, pair)
