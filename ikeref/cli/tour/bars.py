"""Which SAs are open beside each line of the story: the coloured bars along the lifelines of the page.

An IKE SA is one bar from Established to Closed, a Child SA two: one for each direction (Section 1.4.1).
"""

from typing import NamedTuple

from ikeref.cli.tour.trace import Side
from ikeref.sa import Closed, Established, Install, Output, Remove

COLOURS = 6
"""How many colours the style sheet has for Child SAs."""


class Sa(NamedTuple):
    """An SA as the page shows it: the same colour at both ends."""

    label: str
    """`IKE SA 84129b4d`, `net, second`."""
    colour: str
    """Name of the style sheet's variable."""
    spis: str


class Bar(NamedTuple):
    """A piece of a bar beside one line."""

    slot: int
    """Counts from the lifeline outwards."""
    sa: Sa
    shape: str
    """`start`, `middle`, `end`, or `whole` where both are on one line."""


class Bars:
    """Follows the outputs of a trace in order, and gives the bars beside each line."""

    def __init__(self) -> None:
        self._open: dict[Side, dict[object, tuple[int, Sa]]] = {side: {} for side in Side}
        self._children: dict[frozenset[bytes], Sa] = {}
        self._ikes: dict[tuple[bytes, bytes], Sa] = {}
        self._names: dict[str, int] = {}
        self.slots = 0
        """Highest slot that was ever taken, plus one."""

    @property
    def legend(self) -> tuple[Sa, ...]:
        """All SAs seen so far."""
        return (*self._ikes.values(), *self._children.values())

    def sa_of(self, output: Output) -> Sa | None:
        """The SA that came or went with an output, if any."""
        match output:
            case Install(child=child) | Remove(child=child):
                key = frozenset((child.spi_in, child.spi_out))
                if key not in self._children:
                    self._names[child.name] = self._names.get(child.name, 0) + 1
                    ordinal = self._names[child.name]
                    label = f"Child SA {child.name}" + (f", rekey {ordinal - 1}" if ordinal > 1 else "")
                    colour = f"--child-{len(self._children) % COLOURS}"
                    self._children[key] = Sa(label, colour, " and ".join(sorted(spi.hex() for spi in key)))
                return self._children[key]
            case Established(spi_i=spi_i, spi_r=spi_r) | Closed(spi_i=spi_i, spi_r=spi_r):
                name = spi_i, spi_r
                if name not in self._ikes:
                    count = len(self._ikes)
                    label = "IKE SA" if not count else f"IKE SA, rekey {count}"
                    self._ikes[name] = Sa(label, f"--ike-{count % 2}", f"{spi_i.hex()} and {spi_r.hex()}")
                return self._ikes[name]
            case _:
                return None

    def line(self, side: Side | None = None, output: Output | None = None) -> dict[Side, tuple[Bar, ...]]:
        """The bars beside the line that tells `output` of `side`; without one, of a line where no SA comes or goes."""
        started: set[object] = set()
        ended: set[object] = set()
        if side is not None and output is not None:
            sa, key = self.sa_of(output), _key(output)
            match output:
                case Install() | Established() if sa is not None:
                    self._open[side][key] = (self._free(side), sa)
                    started.add(key)
                case Remove() | Closed():
                    ended.add(key)
                case _:
                    pass
        found = {
            each: tuple(
                Bar(slot, sa, _shape(each is side and key in started, each is side and key in ended))
                for key, (slot, sa) in self._open[each].items()
            )
            for each in Side
        }
        if side is not None:
            for key in ended:
                self._open[side].pop(key, None)
        return found

    def _free(self, side: Side) -> int:
        taken = {slot for slot, _ in self._open[side].values()}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        self.slots = max(self.slots, slot + 1)
        return slot


def _key(output: Output) -> object:
    match output:
        case Install(inbound=inbound, child=child) | Remove(inbound=inbound, child=child):
            return inbound, child.spi_in if inbound else child.spi_out
        case Established(spi_i=spi_i, spi_r=spi_r) | Closed(spi_i=spi_i, spi_r=spi_r):
            return spi_i, spi_r
        case _:
            return None


def _shape(starts: bool, ends: bool) -> str:
    if starts and ends:
        return "whole"
    return "start" if starts else "end" if ends else "middle"
