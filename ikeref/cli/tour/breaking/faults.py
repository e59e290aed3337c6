"""Faults of the real code that the published mutants don't have (Sections 2.2, 2.8.1)."""

from collections.abc import Callable
from typing import Any, Final

from ikeref_properties.mutants.code import MUTANTS, Patch

from ikeref.sa import child
from ikeref.sa.turn import Turn
from ikeref.sa.values import ChildRequest, IkeSa
from ikeref.wire import Message

Apply = Callable[[Patch], None]


def _compare_only_what_exists(patch: Patch) -> None:
    """Nonces are compared only while the peer's new Child SA still exists (a reading of Section 2.8.1)."""
    receive = child.receive_response

    def mutant(turn: Turn, ike: IkeSa, message: Message, intent: ChildRequest) -> None:
        crossing = intent.crossing
        if crossing is not None and turn.child(crossing.spi) is None:
            intent = intent._replace(crossing=None)
        receive(turn, ike, message, intent)

    patch(child, "receive_response", mutant)


def _stop_counting(patch: Patch) -> None:
    """Each request bears the Message ID of the one before."""
    request = Turn.request

    def mutant(self: Turn, ike: IkeSa, *what: Any) -> Any:
        return request(self, ike._replace(next_request=max(0, ike.next_request - 1)), *what)

    patch(Turn, "request", mutant)


OWN: Final[dict[str, Apply]] = {
    "compare nonces only of what still exists": _compare_only_what_exists,
    "stop counting": _stop_counting,
}


def fault_of(name: str) -> Apply:
    """How to seed the fault of that name. Raises KeyError for a name that is not one."""
    return (OWN | {each.name: each.apply for each in MUTANTS})[name]
