"""What happens to an IKE SA in the scenarios, step by step; after each step the listings of both ends agree."""

from __future__ import annotations

import socket
from typing import Protocol

from ikeref import sa
from tests.interop import journal
from tests.interop.kernel import Half
from tests.interop.lab import in_namespace
from tests.interop.link import End
from tests.interop.listing import IkeListing, Listing
from tests.interop.ours import Ikeref
from tests.interop.scene import Scene

BOTH = ("ours", "theirs")


class HasKernel(Protocol):
    """A daemon with ESP in a kernel that can be asked for its keys."""

    keys: dict[str, Half]


def whole_life(scene: Scene, initiator: str) -> None:
    """Establish, create, rekey and delete, everything from both ends; `initiator` is `ours` or `theirs`."""
    establish(scene, initiator)
    for who in BOTH:
        create_second_child(scene, who)
        for rekeying in BOTH:
            rekey_child(scene, rekeying, "second")
            rekey_ike(scene, rekeying, children=2)
            rekey_child(scene, rekeying, "first")
        delete_second_child(scene, who)
    delete_ike(scene, "ours")
    establish(scene, initiator)
    delete_ike(scene, "theirs")


def establish(scene: Scene, who: str) -> IkeListing:
    """IKE_SA_INIT and IKE_AUTH from this end (Section 1.2)."""
    scene.side(who).connect()
    (ike,) = scene.agree(f"{who} establish", ike_sas=1, children=1)
    assert ike.initiator == (who == "ours")
    return ike


def create_second_child(scene: Scene, who: str) -> None:
    """CREATE_CHILD_SA for a further Child SA (Section 1.3.1)."""
    (before,) = scene.ours.sas()
    scene.side(who).create_child("second")
    (after,) = scene.agree(f"{who} create a Child SA", ike_sas=1, children=2)
    assert before.spi_i == after.spi_i
    assert before.children < after.children


def rekey_child(scene: Scene, who: str, child: str) -> None:
    """A Child SA is replaced by another with the same traffic selectors (Section 1.3.3)."""
    (before,) = scene.ours.sas()
    count = len(before.children)
    scene.side(who).rekey_child(child)
    scene.becomes(
        f"{who} rekey Child SA {child}: its SPIs change", lambda sas: len(_child_spis(sas) - _spis(before)) == 1
    )
    (after,) = scene.agree(f"{who} rekey Child SA {child}", ike_sas=1, children=count)
    assert len(before.children & after.children) == count - 1
    assert {each.local_ts for each in before.children} == {each.local_ts for each in after.children}
    assert before.spi_i == after.spi_i


def rekey_ike(scene: Scene, who: str, *, children: int) -> IkeListing:
    """The IKE SA is replaced by another, which inherits the Child SAs (Sections 1.3.2, 2.8)."""
    (before,) = scene.ours.sas()
    scene.side(who).rekey_ike()
    scene.becomes(f"{who} rekey the IKE SA: its SPIs change", lambda sas: before.spi_i not in {sa.spi_i for sa in sas})
    (after,) = scene.agree(f"{who} rekey the IKE SA", ike_sas=1, children=children)
    assert before.spi_r != after.spi_r
    assert before.children == after.children
    assert after.initiator == (who == "ours")
    return after


def delete_second_child(scene: Scene, who: str) -> None:
    """One of two Child SAs is closed (Section 1.4.1)."""
    scene.side(who).delete_child("second")
    scene.agree(f"{who} delete a Child SA", ike_sas=1, children=1)


def delete_ike(scene: Scene, who: str) -> None:
    """The IKE SA is closed and its Child SAs with it (Section 1.4.1)."""
    scene.side(who).delete_ike()
    scene.agree(f"{who} delete the IKE SA", ike_sas=0, children=0)


def cookie_demanded(scene: Scene, initiator: str) -> IkeListing:
    """A responder with a half-open IKE SA wants its COOKIE back before it does any work (Section 2.6).

    It has to be told to demand one from the first half-open IKE SA on.
    """
    establish(scene, initiator)
    delete_ike(scene, initiator)
    _leave_half_open(scene, initiator)
    since = len(scene.bridge.journal)
    ike = establish(scene, initiator)

    seen = scene.bridge.journal[since:]
    first, second, *_ = journal.requests(seen, initiator, journal.IKE_SA_INIT)
    answers = journal.responses(seen, other_end(initiator), journal.IKE_SA_INIT)
    demands = [each for each in answers if journal.notifications(each) == [journal.COOKIE]]
    assert demands
    assert answers[0] == demands[0]
    assert journal.COOKIE not in journal.notifications(first)
    assert journal.payloads(second)[0] in [journal.payloads(each)[0] for each in demands]
    if journal.groups([first]) == journal.groups([second]):
        assert journal.payloads(second)[1:] == journal.payloads(first)
    return ike


def group_corrected(scene: Scene, initiator: str, wrong: int, right: int) -> None:
    """The first key exchange method offered is not the responder's; it says which it wants (Sections 1.2, 1.3).

    The ends have to be told proposals that bring this about; `wrong` and `right` are numbers of the registry.
    """
    since = len(scene.bridge.journal)
    establish(scene, initiator)
    seen = scene.bridge.journal[since:]
    first, second = journal.requests(seen, initiator, journal.IKE_SA_INIT)
    assert journal.groups([first, second]) == [wrong, right]
    if initiator == "ours":  # strongSwan puts the group that it was told first, and so changes its SAi1
        assert journal.without_ke(first) == journal.without_ke(second)
    refusal, acceptance = journal.responses(seen, other_end(initiator), journal.IKE_SA_INIT)
    assert journal.notifications(refusal) == [journal.INVALID_KE_PAYLOAD]
    assert journal.groups([acceptance]) == [right]

    since = len(scene.bridge.journal)
    create_second_child(scene, initiator)
    tries = journal.requests(scene.bridge.journal[since:], initiator, journal.CREATE_CHILD_SA)
    assert len(tries) == 2
    assert len({journal.message_id(each) for each in tries}) == 2, "each try is an exchange of its own"
    rekey_ike(scene, initiator, children=2)
    rekey_child(scene, initiator, "second")


def suite_changed_by_rekeys(scene: Scene) -> None:
    """Each rekey of the IKE SA ends in another suite than before (Section 1.3.2).

    Each responder has to prefer another of the two proposals that both are told.
    """
    suites = [establish(scene, "ours").suite]
    for who in ("theirs", "ours", "theirs"):
        suites.append(rekey_ike(scene, who, children=1).suite)
        assert suites[-1] != suites[-2]
        rekey_child(scene, who, "first")
    assert len(set(suites)) == 2


def short_life(scene: Scene, initiator: str) -> None:
    """Establish, and rekey everything from both ends."""
    establish(scene, initiator)
    for who in BOTH:
        rekey_child(scene, who, "first")
        rekey_ike(scene, who, children=1)
    rekey_child(scene, "ours", "first")
    delete_ike(scene, initiator)


def rebound(scene: Scene, who: str, *, last: str = "") -> None:
    """The NAT before this end forgets: it speaks from a new port, and the other end follows (Sections 2.11, 2.23).

    The other end answers there, and sends there what it begins. This end has to have initiated: what comes in from
    outside keeps the port that it came for, so there is nothing to forget. In the end `last` rekeys the IKE SA, if not
    told otherwise the other end.
    """
    before = len(scene.bridge.journal)
    scene.bridge.link.rebind(who)
    rekey_child(scene, who, "first")  # it speaks
    rekey_child(scene, other_end(who), "first")  # and the other one finds it
    rekey_ike(scene, last or other_end(who), children=1)
    seen = [each for each in scene.bridge.journal[before:] if each.message]
    sent = {each.ports[0] for each in seen if each.direction == who}
    assert {port // 10000 for port in sent} == {3}, "the NAT took a port of another range"
    assert {each.ports[1] for each in seen if each.direction != who} == sent


def asked_whether_alive(scene: Scene, who: str) -> None:
    """An empty INFORMATIONAL is answered by another (Sections 1.4, 2.4). This end has to be told to ask."""

    def answered(_: Listing) -> bool:
        seen = scene.bridge.journal
        asked = {journal.message_id(each) for each in journal.requests(seen, who, journal.INFORMATIONAL)}
        answers = journal.responses(seen, other_end(who), journal.INFORMATIONAL)
        return bool(asked & {journal.message_id(each) for each in answers})

    scene.becomes(f"{who} ask, and are answered", answered)
    scene.agree("after the answer", ike_sas=1, children=1)


def given_up(scene: Scene) -> None:
    """When requests stay unanswered the IKE SA and its Child SAs are given up, at each end (Section 2.4)."""
    scene.agree("both gave the other up", ike_sas=0, children=0)


def same_keys(ours: Ikeref, theirs: HasKernel) -> None:
    """Each half of a Child SA that their kernel ever had, it had with the keys that our end derived (Section 2.17)."""
    installed = [event for event in ours.events if isinstance(event, sa.Install)]
    derived = {}
    for child in (event.child for event in installed if event.child.keys):
        keys = child.keys
        assert keys is not None
        from_initiator = (keys.encr_i, keys.integ_i)
        from_responder = (keys.encr_r, keys.integ_r)
        inward, outward = (from_responder, from_initiator) if child.initiator else (from_initiator, from_responder)
        derived[child.spi_in.hex()], derived[child.spi_out.hex()] = inward, outward
    listed = {spi: (half.key, half.integrity_key) for spi, half in theirs.keys.items()}
    assert listed
    assert {spi: derived[spi] for spi in listed} == listed


def _leave_half_open(scene: Scene, initiator: str) -> None:
    """Begin an IKE SA and leave it: the last IKE_SA_INIT request seen, under another SPI and from another port."""
    link = scene.bridge.link
    near, far = (link.ours, link.theirs) if initiator == "ours" else (link.theirs, link.ours)
    request = journal.requests(scene.bridge.journal, initiator, journal.IKE_SA_INIT)[-1]
    spi_i = bytes(each ^ 0x5A for each in request[:8])
    loss, scene.bridge.loss = scene.bridge.loss, 0.0
    in_namespace(near.namespace, lambda: _send(near, far, spi_i + request[8:]))

    def answered(_: Listing) -> bool:
        answers = journal.responses(scene.bridge.journal, other_end(initiator), journal.IKE_SA_INIT)
        return any(each.startswith(spi_i) for each in answers)

    scene.becomes("an IKE SA is half-open", answered)
    scene.bridge.loss = loss


def _send(near: End, far: End, datagram: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((near.address, 40000))
        sender.sendto(datagram, (far.address, 500))


def other_end(who: str) -> str:
    return "theirs" if who == "ours" else "ours"


def _child_spis(sas: Listing) -> frozenset[str]:
    return frozenset(child.spi_in for ike in sas for child in ike.children)


def _spis(ike: IkeListing) -> frozenset[str]:
    return _child_spis(frozenset((ike,)))
