"""What a refused CREATE_CHILD_SA calls for (Sections 1.3, 2.25), the same for Child SAs and IKE SAs."""

from ikeref.policy import choice
from ikeref.registry import NotifyType
from ikeref.sa.turn import Turn
from ikeref.sa.values import CreateChild, DeleteIke, IkeSa, RekeyChild, RekeyIke
from ikeref.wire import N, Proposal


def try_again(
    turn: Turn, ike: IkeSa, command: CreateChild | RekeyChild | RekeyIke, offer: tuple[Proposal, ...], error: N
) -> None:
    """Another attempt where the error asks for one: later, or at once with another group or a single pair of addresses.

    After too many times TEMPORARY_FAILURE the ends are out of step, and the IKE SA is closed (7296-2.25-06). The group
    of INVALID_KE_PAYLOAD must have been offered; a new exchange follows, with new nonce and message ID (7296-1.3-11).
    """
    if error.type == NotifyType.TEMPORARY_FAILURE:
        if command.attempt >= turn.env.settings.retry_tries:
            turn.enqueue(ike, DeleteIke())
        else:
            turn.retry_later(command._replace(attempt=command.attempt + 1))
    elif error.type == NotifyType.INVALID_KE_PAYLOAD:
        group = int.from_bytes(error.data, "big") if len(error.data) == 2 else 0
        if not command.group and group in choice.groups_of(offer):
            turn.enqueue_first(ike, command._replace(group=group))
    elif error.type == NotifyType.SINGLE_PAIR_REQUIRED:
        _ask_for_one_pair(turn, ike, command)


def _ask_for_one_pair(turn: Turn, ike: IkeSa, command: CreateChild | RekeyChild | RekeyIke) -> None:
    """Only the traffic that is needed now, where a packet told it (7296-2.9-16)."""
    if isinstance(command, CreateChild) and command.packet and not command.alone:
        turn.enqueue_first(ike, command._replace(alone=True))
