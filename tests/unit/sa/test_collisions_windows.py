"""Collisions with windows above 1: several exchanges of each end cross, in every order (Sections 2.3, 2.8, 2.25)."""

import dataclasses
from itertools import permutations
from random import Random

import pytest
from ikeref_properties.network import ENDS, PEER, Flight, Pair, connection

from ikeref import sa
from ikeref.policy import addresses
from ikeref.policy.connections import Connection, Settings
from tests.unit.sa.scene import NONCES, check_names, either

NAMES = ("net", "web", "mail")


def policy(end: str) -> Connection:
    """Each Child SA has traffic of its own, so that both ends call it by one name."""
    plain = connection(end, children=NAMES)
    children = []
    for number, each in enumerate(plain.children):
        nets = {side: (addresses.from_text(f"10.{place}.{number}.0/24"),) for place, side in enumerate(ENDS, 1)}
        children.append(dataclasses.replace(each, local_ts=nets[end], remote_ts=nets[PEER[end]]))
    return dataclasses.replace(plain, children=tuple(children))


def pair(seed: int = 7, size: int = 4) -> Pair:
    """Two ends with a window of 4 and the Child SAs `net` and `web`."""
    ends = Pair(seed, settings=Settings(window_size=size), connections={end: policy(end) for end in ENDS}).establish()
    ends.command("A", sa.CreateChild("web"))
    ends.deliver_all()
    return ends


def child(ends: Pair, end: str, name: str) -> bytes:
    return next(each.spi_in for each in ends.children(end) if each.name == name)


def requests(ends: Pair) -> list[Flight]:
    return [each for each in ends.flying if each.message is not None and not each.message.is_response]


def shuffled(ends: Pair, random: Random, *, twice: float = 0.0) -> None:
    """Whatever is in flight arrives in any order, some of it more than once."""
    while ends.flying:
        ends.deliver(random.choice(ends.flying), keep=random.random() < twice)


def in_pairs(ends: Pair) -> bool:
    there = {(each.spi_out, each.spi_in) for each in ends.children("B")}
    return {(each.spi_in, each.spi_out) for each in ends.children("A")} == there


@either
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("twice", [0.0, 0.2])
def test_both_ends_rekey_two_child_sas_at_once(one: str, seed: int, twice: float) -> None:
    """Four exchanges cross; one new Child SA is left of each, and none of the old ones."""
    ends = pair(seed)
    old = {end: {each.spi_in for each in ends.children(end)} for end in ENDS}
    for end in (one, PEER[one]):
        for name in ("net", "web"):
            ends.command(end, sa.RekeyChild(child(ends, end, name)))
    assert len(requests(ends)) == 4
    shuffled(ends, Random(seed), twice=twice)
    ends.settle()
    assert in_pairs(ends)
    for end in ENDS:
        check_names(ends, end, ["net", "web"])
        assert not old[end] & {each.spi_in for each in ends.children(end)}


@either
@pytest.mark.parametrize("nonce", NONCES)
@pytest.mark.parametrize("late", range(4))
def test_the_lowest_nonce_decides_in_each_crossing_by_itself(one: str, nonce: str, late: int) -> None:
    """`net` is rekeyed by both ends with a known lowest nonce, while `web` is rekeyed by both ends too."""
    ends = pair()
    other = PEER[one]
    for end in (one, other):
        ends.command(end, sa.RekeyChild(child(ends, end, "web")))
    value = {name: bytes([16 if name == nonce else 32 + index] * 32) for index, name in enumerate(NONCES)}
    ends.forced[one][32] = [value["our Ni"], value["our Nr"]]
    ends.forced[other][32] = [value["their Ni"], value["their Nr"]]
    for end in (one, other):
        ends.command(end, sa.RekeyChild(child(ends, end, "net")))
    asked = requests(ends)
    for flight in asked[2:]:
        ends.deliver(flight)  # Those about `net`, which draw what is forced.
    for flight in asked[:2]:
        ends.deliver(flight)
    answers = list(ends.flying)
    for flight in (*answers[:late], *answers[late + 1 :], answers[late]):
        ends.deliver(flight)
    ends.settle()
    assert in_pairs(ends)
    winner = other if nonce in ("our Ni", "their Nr") else one
    (survivor,) = (each for each in ends.children(winner) if each.name == "net")
    assert survivor.initiator


@either
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_exchanges_cross(one: str, order: tuple[int, ...]) -> None:
    """A new Child SA and the rekey of another on one side, a rekey of the IKE SA on the other: all in flight at once.

    The rekey of the IKE SA gets TEMPORARY_FAILURE for as long as a Child SA exchange is outstanding there, and the
    Child SA exchanges get it from whoever rekeys the IKE SA (Sections 2.25.1, 2.25.2). All comes about in the end.
    """
    ends = pair()
    before = ends.ikes("A")[0].spi_i
    old = child(ends, one, "net")
    ends.command(one, sa.CreateChild("mail"))
    ends.command(one, sa.RekeyChild(old))
    ends.command(PEER[one], sa.RekeyIke())
    asked = requests(ends)
    assert len(asked) == 3
    for at in order:
        ends.deliver(asked[at])
    for flight in [ends.flying[at] for at in order[::-1]]:
        ends.deliver(flight)
    ends.settle()
    assert in_pairs(ends)
    check_names(ends, one, ["mail", "net", "web"])
    assert old not in {each.spi_in for each in ends.children(one)}
    assert ends.ikes("A")[0].spi_i != before


@either
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_rekey_a_delete_and_two_new_child_sas_cross(one: str, order: tuple[int, ...]) -> None:
    """One end rekeys `net` and deletes `web`; the other deletes `net` and creates `mail`."""
    ends = pair()
    other = PEER[one]
    ends.command(one, sa.RekeyChild(child(ends, one, "net")))
    ends.command(one, sa.DeleteChild(child(ends, one, "web")))
    ends.command(other, sa.DeleteChild(child(ends, other, "net")))
    ends.command(other, sa.CreateChild("mail"))
    asked = requests(ends)
    assert len(asked) == 4
    for at in order:
        ends.deliver(asked[at])
    shuffled(ends, Random(str(order)))
    ends.settle()
    assert in_pairs(ends)
    check_names(ends, one, ["mail"])


@either
@pytest.mark.parametrize("seed", range(8))
def test_the_ike_sa_is_rekeyed_by_both_ends_amid_a_full_window(one: str, seed: int) -> None:
    ends = pair(seed)
    before = ends.ikes("A")[0].spi_i
    for end in (one, PEER[one]):
        ends.command(end, sa.RekeyIke())
        ends.command(end, sa.RekeyChild(child(ends, end, "net")))
        ends.command(end, sa.CheckLiveness())
    shuffled(ends, Random(seed), twice=0.2)
    ends.settle()
    assert in_pairs(ends)
    check_names(ends, one, ["net", "web"])
    assert len(ends.ikes("A")) == len(ends.ikes("B")) == 1
    assert ends.ikes("A")[0].spi_i != before
