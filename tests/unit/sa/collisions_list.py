"""Which situation is which test: the list of collisions that was agreed on beforehand, entry by entry.

`python -m tests.unit.sa.collisions_list > docs/collisions.md` writes the page.
"""

from typing import Final, NamedTuple

CHILD, IKE, MORE, WINDOWS = (f"test_collisions_{each}" for each in ("child", "ike", "more", "windows"))
STALE: Final = "test_stale_state"
EXTENSION: Final = "RFC 9370"


class Entry(NamedTuple):
    """A situation, and the tests of it."""

    group: str
    situation: str
    basis: str
    """Sections that decide it; `choice` where the RFC is silent, and ours stands for ikeref alone."""
    tests: tuple[str, ...]
    """`module.function`; empty for what needs an extension that ikeref does not have."""


def _of(module: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{module}.test_{name}" for name in names)


NEW, DELETE, REKEY, CROSS = "New Child SA", "Delete a Child SA", "Rekey a Child SA", "Rekeys of a Child SA that collide"
END, RENEW, SELDOM = "Delete the IKE SA", "Rekey the IKE SA", "What is seldom tried"

ENTRIES: Final[tuple[Entry, ...]] = (
    Entry(NEW, "a second one, the same as the first", "2.8; choice", _of(CHILD, "new_child_duplicate")),
    Entry(NEW, "crosses a rekey of the IKE SA", "2.25.2", _of(CHILD, "new_child_collision_ike_rekey")),
    Entry(NEW, "with several key exchanges", EXTENSION, ()),
    Entry(DELETE, "undisturbed", "1.4.1", _of(CHILD, "delete_child_regular")),
    Entry(DELETE, "crosses the peer's Delete", "1.4.1", _of(CHILD, "delete_child_collision")),
    Entry(
        DELETE, "crosses the peer's Delete, which is late", "1.4.1, 2.25.1", _of(CHILD, "delete_child_collision_drop")
    ),
    Entry(DELETE, "crosses a rekey of the IKE SA", "2.25.1, 2.25.2", _of(CHILD, "delete_child_collision_ike_rekey")),
    Entry(REKEY, "undisturbed", "1.3.3, 2.8", _of(CHILD, "rekey_child_regular")),
    Entry(REKEY, "INVALID_KE_PAYLOAD first", "1.3.3", _of(CHILD, "rekey_child_ke_invalid")),
    Entry(REKEY, "with several key exchanges", EXTENSION, ()),
    Entry(
        REKEY,
        "the responder gets rid of the old one before it is deleted",
        "choice",
        _of(CHILD, "rekey_child_responder_handle_hard_expire"),
    ),
    Entry(REKEY, "the responder has lost the SA", "2.25.1", _of(CHILD, "rekey_child_responder_lost_sa")),
    Entry(
        REKEY,
        "the responder deletes the old one itself, before its answer arrives",
        "choice",
        _of(CHILD, "rekey_child_responder_incorrect_delete"),
    ),
    Entry(CROSS, "undisturbed", "2.8.1", _of(CHILD, "rekey_child_collision")),
    Entry(CROSS, "with several key exchanges", EXTENSION, ()),
    Entry(CROSS, "an answer is late", "2.8.1", _of(CHILD, "rekey_child_collision_delayed_response")),
    Entry(
        CROSS,
        "a request is late, and finds the SA being deleted",
        "2.25.1",
        _of(CHILD, "rekey_child_collision_delayed_request"),
    ),
    Entry(
        CROSS,
        "a request is later still, and finds the SA gone",
        "2.25.1",
        _of(CHILD, "rekey_child_collision_delayed_request_more"),
    ),
    Entry(CROSS, "INVALID_KE_PAYLOAD in both", "2.8.1", _of(CHILD, "rekey_child_collision_ke_invalid")),
    Entry(CROSS, "a rekey crosses a Delete", "2.25.1", _of(CHILD, "rekey_child_collision_delete")),
    Entry(
        CROSS,
        "a rekey arrives when the SA has been deleted",
        "2.25.1",
        _of(CHILD, "rekey_child_collision_delete_drop_rekey"),
    ),
    Entry(
        CROSS,
        "a rekey crosses a rekey of the IKE SA",
        "2.25.1, 2.25.2",
        _of(CHILD, "rekey_child_collision_ike_rekey"),
    ),
    Entry(END, "undisturbed", "1.4.1", _of(IKE, "delete_ike_regular")),
    Entry(END, "crosses the peer's Delete", "2.25.2", _of(IKE, "delete_ike_collision")),
    Entry(RENEW, "undisturbed", "2.18", _of(IKE, "rekey_ike_regular")),
    Entry(RENEW, "INVALID_KE_PAYLOAD first", "1.3.2", _of(IKE, "rekey_ike_ke_invalid")),
    Entry(RENEW, "with several key exchanges", EXTENSION, ()),
    Entry(RENEW, "crosses the peer's rekey", "2.8.2", _of(IKE, "rekey_ike_collision")),
    Entry(
        RENEW,
        "crosses the peer's rekey, INVALID_KE_PAYLOAD in both",
        "2.8.2",
        _of(IKE, "rekey_ike_collision_ke_invalid"),
    ),
    Entry(
        RENEW,
        "crosses the peer's rekey, an answer is late or lost",
        "2.8.2",
        _of(IKE, "rekey_ike_collision_delayed_response", "rekey_ike_collision_lost_response"),
    ),
    Entry(
        RENEW,
        "crosses the peer's rekey, a request is late or lost",
        "2.8.2, 2.21.4",
        _of(IKE, "rekey_ike_collision_dropped_request"),
    ),
    Entry(RENEW, "crosses a Delete of the IKE SA", "2.25.2", _of(IKE, "rekey_ike_collision_delete")),
    Entry(
        SELDOM,
        "three exchanges cross",
        "2.25.1, 2.25.2",
        (
            *_of(MORE, "three_exchanges_cross"),
            *_of(WINDOWS, "three_exchanges_cross", "a_rekey_a_delete_and_two_new_child_sas_cross"),
        ),
    ),
    Entry(SELDOM, "nonces are equal", "2.8.1; choice", _of(MORE, "rekey_collision_equal_nonces")),
    Entry(SELDOM, "a nonce is the beginning of another", "2.8.1", _of(MORE, "rekey_collision_prefix_nonce")),
    Entry(
        SELDOM,
        "windows above 1, with everything in any order",
        "2.3, 2.8.1, 2.8.2",
        _of(
            WINDOWS,
            "both_ends_rekey_two_child_sas_at_once",
            "the_lowest_nonce_decides_in_each_crossing_by_itself",
            "the_ike_sa_is_rekeyed_by_both_ends_amid_a_full_window",
        ),
    ),
    Entry(
        SELDOM,
        "datagrams arrive twice during a collision",
        "2.1",
        _of(MORE, "rekey_collision_every_datagram_twice", "rekey_collision_one_datagram_once_more_and_late"),
    ),
    Entry(
        SELDOM,
        "an end restarts and says INITIAL_CONTACT",
        "2.4",
        (
            *_of(MORE, "restart_during_a_collision_with_initial_contact"),
            *_of(STALE, "s2_4_initial_contact_after_a_restart_ends_what_the_peer_still_has"),
        ),
    ),
    Entry(
        SELDOM,
        "message IDs are used up",
        "2.2",
        _of(
            STALE,
            "s2_2_an_ike_sa_is_rekeyed_before_its_message_ids_are_used_up",
            "s2_2_an_ike_sa_whose_message_ids_are_used_up_is_closed",
        ),
    ),
    Entry(
        SELDOM,
        "the same Child SA is rekeyed twice by a confused peer",
        "2.25.1",
        _of(MORE, "the_same_child_sa_is_rekeyed_twice", "a_child_sa_that_was_rekeyed_is_rekeyed_again_later"),
    ),
)

HEAD = """# Collisions, by name

What happens when exchanges cross, as tests of the shipped code: `tests/unit/sa/test_collisions_*.py` and their
neighbours. Each runs with either end in each part; where requests cross, with either of them arriving first; where
nonces decide, with each of the four the lowest in turn. Each step is judged by the rows and by the invariants, unless
an end is made to forget or to misbehave, or windows are above 1. What needs several key exchanges (RFC 9370) waits for
them.

Besides these, random walks and [the exploration of every state](explore.md) come upon such situations by themselves,
and `ikeref tour --break list` shows what goes wrong when a rule about them is broken.
"""


def page() -> str:
    """The table, group by group."""
    lines = [HEAD]
    group = ""
    for each in ENTRIES:
        if each.group != group:
            group = each.group
            lines += [f"\n## {group}\n", "| situation | sections | tests |", "| --- | --- | --- |"]
        tests = "<br>".join(f"`{name.partition('.')[2]}`" for name in each.tests) or "not yet"
        lines.append(f"| {each.situation} | {each.basis} | {tests} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
