"""What the sweeps find: faults that are seeded."""

from collections.abc import Callable

import pytest
from ikeref_properties.mutants import find, seeded
from ikeref_properties.mutants.seeding import Mutant, edit, mutant

from ikeref.errors import RemoteProtocolError
from tests.fuzz.harness import Finding, Harness
from tests.hardness import test_sweeps as sweeps


@pytest.fixture(scope="module")
def harness() -> Harness:
    return Harness()


FOUND = (Finding, AssertionError, ValueError, RemoteProtocolError, pytest.fail.Exception)


def _refusing(fault: str, module: str, old: str, new: str) -> Mutant:
    return mutant(fault, "", edit(module, old, new))


OWN = "self._by_spi.get(header.spi_r if header.flags & FLAG_INITIATOR else header.spi_i)"
EARLY = mutant(
    "serve who is not authenticated",
    "1.2",
    edit("sa.step", "    early = ike.phase is Phase.HALF_OPEN and", "    early = False and"),
    edit(
        "sa.step",
        "    if ike.phase is Phase.HALF_OPEN:\n        if message.exchange_type == ExchangeType.INFORMATIONAL:",
        "    if ike.phase is Phase.HALF_OPEN and message.exchange_type == ExchangeType.IKE_AUTH:\n        if False:",
    ),
)
TWINS: tuple[tuple[Mutant, Callable[[Harness], None]], ...] = (
    (EARLY, sweeps.test_any_exchange_type_may_come_in_any_state),
    (find("take nonces of any length"), sweeps.test_nonces_of_any_length_in_every_exchange),
    (find("choose what lacks a mandatory transform"), sweeps.test_each_transform_type_may_be_missing),
    (
        _refusing("believe the selectors' number", "wire.ts", "if count != len(selectors) or not count:", "if False:"),
        sweeps.test_selectors_that_are_not_as_many_as_they_say,
    ),
    (
        _refusing("take any Length", "wire.header", "if header.length != size:", "if False:"),
        sweeps.test_datagrams_of_any_length_and_any_length_field,
    ),
    (
        _refusing("read IKEv1", "wire.header", "if header.major_version == 1:", "if False:"),
        sweeps.test_payload_types_of_one_version_in_messages_of_another,
    ),
    (
        _refusing("compute with any group", "sa.initial", "if key_exchange.group != suite.group:", "if False:"),
        lambda _: sweeps.test_every_number_of_a_key_exchange_group(),
    ),
    (
        _refusing(
            "go without a nonce",
            "sa.initial",
            'nonce = one(payloads, Nonce, "1.2")\n    # Check\n    connection',
            "nonce = next((p for p in payloads if type(p) is Nonce), Nonce(bytes(32)))\n    # Check\n    connection",
        ),
        sweeps.test_any_payload_and_any_two_may_be_missing,
    ),
    (
        _refusing(
            "take status for errors",
            "sa.compose",
            "payload.type < NotifyType.INITIAL_CONTACT",
            "payload.type < 50000",
        ),
        sweeps.test_status_notifications_that_nobody_asked_for_change_nothing,
    ),
    (
        mutant(
            "believe a reflection",
            "2.6",
            edit(
                "sa.step", "if ike is None or bool(header.flags & FLAG_INITIATOR) == ike.initiator:", "if ike is None:"
            ),
            edit("endpoint", OWN, "self._by_spi.get(header.spi_i, self._by_spi.get(header.spi_r))"),
            edit(
                "sa.step",
                "ike = turn.ike(header.spi_r if header.flags & FLAG_INITIATOR else header.spi_i)",
                "ike = turn.ike(header.spi_i) or turn.ike(header.spi_r)",
            ),
            edit(
                "sa.step",
                "    sk_e, sk_a = (keys.sk_er, keys.sk_ar) if ike.initiator else",
                "    sk_e, sk_a = (keys.sk_er, keys.sk_ar) if not what.octets[19] & FLAG_INITIATOR else",
            ),
        ),
        lambda _: sweeps.test_s2_6_what_an_end_sent_means_nothing_when_it_comes_back(),
    ),
    (
        _refusing(
            "answer at length",
            "endpoint",
            "flags, header.message_id, (notify,))",
            "flags, header.message_id, (notify,) * 30)",
        ),
        sweeps.test_s2_6_what_is_answered_without_state_is_not_much_longer_than_what_was_asked,
    ),
)


@pytest.mark.parametrize(("fault", "test"), TWINS, ids=lambda each: each.id if isinstance(each, Mutant) else "")
def test_a_seeded_fault_is_found(harness: Harness, fault: Mutant, test: Callable[[Harness], None]) -> None:
    with seeded(fault), pytest.raises(FOUND):
        test(harness)
