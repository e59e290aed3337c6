"""Runs that once broke something, each as short as it can be: what the users and the network do, then rest.

Found by random walks; `ikeref_properties.machines.walk.run` judges every step and the end.
"""

import pytest
from ikeref_properties.machines.schedule import ADVANCE, COMMAND, DELIVER, DUPLICATE, LOSE, REPLAY, Act, Schedule
from ikeref_properties.machines.walk import other_groups, run

FOUND: dict[str, tuple[int, Schedule]] = {
    "s1_4_1_the_ike_sa_ends_while_a_rekeyed_child_sa_waits_for_its_outbound_half": (
        40,
        (
            Act(COMMAND, 0, "B", "rekey child"),
            Act(DELIVER),
            Act(COMMAND, 0, "A", "delete IKE"),
            Act(LOSE),
        ),
    ),
    "s1_4_1_deletes_cross_of_a_child_sa_that_still_waits_for_its_outbound_half": (
        860,
        (
            Act(COMMAND, 0, "B", "rekey child"),
            Act(DELIVER),
            Act(DELIVER),
            Act(COMMAND, 1, "A", "rekey child"),
            *(Act(DELIVER) for _ in range(6)),
            Act(COMMAND, 0, "A", "rekey child"),
            Act(COMMAND, 0, "B", "rekey child"),
            Act(DELIVER),
            Act(DELIVER),
            Act(DELIVER),
            Act(DELIVER, 1),
            Act(DELIVER),
            Act(DELIVER),
            Act(COMMAND, 0, "A", "delete child"),
        ),
    ),
    "s1_4_1_a_child_sa_is_deleted_before_its_initiator_knows_of_it": (
        148,
        (
            Act(COMMAND, 0, "B", "create"),
            Act(DELIVER),
            Act(LOSE),
            Act(COMMAND, 1, "A", "delete child"),
        ),
    ),
    "s2_25_a_child_sa_is_rekeyed_before_its_initiator_knows_of_it": (
        265,
        (
            Act(COMMAND, 0, "B", "create"),
            Act(DELIVER),
            Act(LOSE),
            Act(COMMAND, 1, "A", "rekey child"),
        ),
    ),
    "s2_25_what_replaces_a_child_sa_is_rekeyed_before_its_initiator_knows_of_it": (
        590,
        (
            Act(COMMAND, 0, "B", "rekey child"),
            Act(DELIVER),
            Act(LOSE),
            Act(COMMAND, 1, "A", "rekey child"),
        ),
    ),
    "s1_4_1_the_successor_keeps_its_child_sas_until_its_own_delete_is_answered": (
        104,
        (
            Act(COMMAND, 0, "B", "rekey IKE"),
            Act(COMMAND, 0, "B", "delete IKE"),
        ),
    ),
    "s2_8_2_the_end_of_an_ike_sa_settles_no_collision_of_its_successors": (
        283,
        (
            Act(COMMAND, 0, "A", "rekey IKE"),
            Act(DELIVER),
            Act(DELIVER),
            Act(COMMAND, 0, "B", "rekey IKE"),
            Act(COMMAND, 0, "A", "rekey IKE"),
            Act(DELIVER, 2),
        ),
    ),
    "s2_8_2_a_successor_that_was_deleted_before_ours_lost_against_it_takes_its_child_sas_along": (
        8469,
        (
            Act(COMMAND, 0, "B", "rekey IKE"),
            Act(LOSE),
            Act(ADVANCE),
            Act(LOSE),
            Act(COMMAND, 0, "A", "rekey IKE"),
            Act(COMMAND, 0, "A", "delete IKE"),
            Act(LOSE),
            Act(REPLAY, 299),
            Act(LOSE),
        ),
    ),
}
OTHER_GROUPS: dict[str, tuple[int, Schedule]] = {
    "s2_8_1_a_rekey_that_failed_leaves_replaced_what_the_peer_s_rekey_replaced": (
        91,
        (
            Act(COMMAND, 0, "B", "rekey child"),
            Act(COMMAND, 0, "A", "rekey child"),
            Act(ADVANCE),
            Act(DELIVER),
            Act(DELIVER),
            Act(DUPLICATE, 3),
            Act(COMMAND, 0, "A", "rekey child"),
        ),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_schedule(name: str) -> None:
    seed, schedule = FOUND[name]
    run(seed, schedule)


@pytest.mark.parametrize("name", OTHER_GROUPS)
def test_schedule_with_other_groups(name: str) -> None:
    seed, schedule = OTHER_GROUPS[name]
    run(seed, schedule, other_groups)
