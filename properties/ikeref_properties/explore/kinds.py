"""When two steps of one end are of one kind, so that one judgement answers for both (Sections 2.2, 2.8.1).

They are if the end before, what comes in and what is chosen differ in names only: SPIs, keys and public values by first
occurrence, message IDs as against the end's own, nonces by their order where they are compared. The code makes every
step all the same; whether the rows allow it, and whether what is old still has no effect, is asked once for each kind.
"""

from itertools import pairwise

from ikeref.sa import DeleteChild, RekeyChild
from ikeref_properties.explore.fingerprint import own
from ikeref_properties.explore.skeleton import EndSkeleton, MessageSkeleton
from ikeref_properties.explore.values import End

Names = dict[bytes, int]
Shape = tuple[object, ...]


class Kinds:
    """What steps are alike. Mutable: remembers the shapes of ends."""

    def __init__(self) -> None:
        self._shapes: dict[int, tuple[End, Names, Shape]] = {}

    def forget(self) -> None:
        """Give memory back."""
        self._shapes.clear()

    def of(self, who: int, end: End, key: object, message: MessageSkeleton | None) -> Shape:
        """The kind of a step, before anything is chosen in it."""
        _, names, shape = self._shapes.get(id(end)) or self._keep(end)
        skeleton = end.skeleton
        nonces: tuple[bytes, ...] = ()
        if message is not None:
            ike = own(skeleton, message.to_spi)
            number = message.message_id
            if ike is not None:
                number -= ike.next_request if message.response else ike.expected
            new: Names = {}
            slots = [names.get(slot) or new.setdefault(slot, -1 - len(new)) for slot in message.slots]
            for rekey in skeleton.rekeys if message.response else ():
                if rekey.crossed and (rekey.ike, rekey.number) == (message.ike, message.message_id):
                    nonces = (rekey.nonce, *rekey.crossed, *message.nonces)
            what: Shape = (ike is not None, number, message.octets, *slots)
        else:
            what = _asked(key, names, skeleton)
        return who, shape, what, _order(nonces) if nonces else ()

    def _keep(self, end: End) -> tuple[End, Names, Shape]:
        names: Names = {}
        skeleton = end.skeleton
        out: list[object] = [skeleton.octets, _slots(skeleton.slots, names)]
        for ike in skeleton.ikes:
            out += [
                (answer.message_id - ike.expected, answer.octets, _slots(answer.slots, names)) for answer in ike.answers
            ]
            for response, number in ((True, ike.next_request), (False, ike.expected)):
                out.append(tuple([old - number for old, _ in end.old.get((ike.spi, response), ())]))
        kept = self._shapes[id(end)] = end, names, tuple(out)
        return kept


def _slots(slots: tuple[bytes, ...], names: Names) -> bytes:
    return bytes([names.setdefault(slot, len(names) + 1) for slot in slots])


def _asked(key: object, names: Names, skeleton: EndSkeleton) -> Shape:
    match key:
        case (str() as timer, int() as which, int() as number) if type(key) is tuple:
            return timer, which, number and number - skeleton.ikes[which].next_request
        case RekeyChild(spi_in=spi) | DeleteChild(spi_in=spi):
            return type(key).__name__, names.get(spi, 0)
        case _:
            return type(key).__name__, key


def _order(nonces: tuple[bytes, ...]) -> Shape:
    """The nonces' order, with lengths and which is a prefix of the next."""
    order = sorted(set(nonces))
    return (
        tuple([order.index(nonce) for nonce in nonces]),
        tuple([len(nonce) for nonce in order]),
        tuple([after.startswith(before) for before, after in pairwise(order)]),
    )
