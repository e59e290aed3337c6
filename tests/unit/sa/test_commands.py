"""Commands wait for the window, each for itself (Section 2.3)."""

import pytest
from ikeref_properties.network import A, B, Pair

from ikeref import sa
from ikeref.errors import LocalProtocolError


def waiting() -> Pair:
    """Two ends; one has a request outstanding."""
    pair = Pair()
    pair.establish()
    pair.command(A, sa.CreateChild("web"))
    return pair


@pytest.mark.parametrize(
    ("first", "second"), [(sa.CheckLiveness(), sa.DeleteIke()), (sa.DeleteIke(), sa.CheckLiveness())]
)
def test_s2_3_commands_without_fields_are_told_apart(first: sa.Command, second: sa.Command) -> None:
    pair = waiting()
    pair.command(A, first)
    pair.command(A, second)
    pair.settle()
    assert not [ike for end in (A, B) for ike in pair.ikes(end) if ike.phase is sa.Phase.ESTABLISHED]


def test_s2_3_the_same_command_does_not_wait_twice() -> None:
    pair = waiting()
    pair.command(A, sa.DeleteIke())
    with pytest.raises(LocalProtocolError, match="waiting"):
        pair.command(A, sa.DeleteIke())
