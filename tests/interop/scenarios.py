"""What happens to an IKE SA in the scenarios, step by step; after each step the listings of both ends agree."""

from __future__ import annotations

from tests.interop.listing import IkeListing, Listing
from tests.interop.scene import Scene

BOTH = ("ours", "theirs")


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


def _child_spis(sas: Listing) -> frozenset[str]:
    return frozenset(child.spi_in for ike in sas for child in ike.children)


def _spis(ike: IkeListing) -> frozenset[str]:
    return _child_spis(frozenset((ike,)))
