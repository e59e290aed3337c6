"""Values that stand for every value: what the shipped functions get in place of int, float and bytes.

A proxy holds a term. Arithmetic on it builds a bigger term; a comparison asks the run to `decide`, which answers True
or False and remembers which, so that the other answer gets a run of its own. What a proxy can't do (be hashed, be an
index, be formatted as a number) fails loudly: then the kernel is too clever for this.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

from ikeref_properties.kernels.logic import Formula, build, digits_lower, eq, every, le, lt, times
from ikeref_properties.kernels.terms import Term


class Decider(Protocol):
    """The run that a proxy belongs to."""

    def decide(self, condition: Formula) -> bool:
        """Which way this path goes."""
        ...


class Number:
    """An integer or a real number that is not known. It equals and orders like one, and can be added and multiplied."""

    __hash__ = None  # type: ignore[assignment]  # no set or table may hold what is not known
    __slots__ = ("_run", "term")

    def __init__(self, run: Decider, term: Term) -> None:
        self._run = run
        self.term = term

    def __repr__(self) -> str:
        return "Number"

    def __eq__(self, other: object) -> bool:
        return _is_number(other) and self._run.decide(eq(self, other))

    def __lt__(self, other: object) -> bool:
        return self._run.decide(lt(self, other)) if _is_number(other) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._run.decide(le(self, other)) if _is_number(other) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._run.decide(lt(other, self)) if _is_number(other) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._run.decide(le(other, self)) if _is_number(other) else NotImplemented

    def __add__(self, other: Any) -> Any:
        return self._built("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._built("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._built("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._built("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._built("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._built("*", other, self)

    def _built(self, operation: str, one: Any, other: Any) -> Any:
        if not _is_number(one) or not _is_number(other):
            return NotImplemented
        return Number(self._run, build(operation, _term(one), _term(other)))

    def __pow__(self, exponent: int) -> Any:
        product: Any = 1
        for _ in range(exponent):
            product = product * self
        return product


def _is_number(value: object) -> bool:
    return isinstance(value, Number | int | Fraction)


def _term(value: Any) -> Any:
    return value.term if isinstance(value, Number) else value


class Octets:
    """So many octets, none of them known: an address. `term` is their value in network byte order."""

    __hash__ = None  # type: ignore[assignment]  # no set or table may hold what is not known
    __slots__ = ("_run", "size", "term")

    def __init__(self, run: Decider, term: Term, size: int) -> None:
        self._run = run
        self.term = term
        self.size = size

    def __repr__(self) -> str:
        return f"Octets({self.size})"

    def __len__(self) -> int:
        return self.size

    def as_number(self) -> Number:
        """What `int.from_bytes` gives for them in network byte order."""
        return Number(self._run, self.term)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Octets | bytes) and len(other) == self.size and self._run.decide(eq(self, other))

    def __lt__(self, other: "Octets | bytes") -> bool:
        return self._run.decide(_before(self, other))

    def __le__(self, other: "Octets | bytes") -> bool:
        return not self._run.decide(_before(other, self))

    def __gt__(self, other: "Octets | bytes") -> bool:
        return self._run.decide(_before(other, self))

    def __ge__(self, other: "Octets | bytes") -> bool:
        return not self._run.decide(_before(self, other))


def _before(one: Octets | bytes, other: Octets | bytes) -> Formula:
    """Scaled to one size they compare as numbers, and a shorter one stands before all that it is a prefix of."""
    longer = max(len(one), len(other))
    a, b = times(one, 256 ** (longer - len(one))), times(other, 256 ** (longer - len(other)))
    return le(a, b) if len(one) < len(other) else lt(a, b)


class Text:
    """Octets of which not even the number is known, up to a bound: a nonce.

    One digit for each octet that there may be: the octet plus 1, or 0 behind the end. Read as one number, two of these
    compare as the octet strings do, and one that ends first is the lower.
    """

    __hash__ = None  # type: ignore[assignment]  # no set or table may hold what is not known
    __slots__ = ("_run", "digits")

    def __init__(self, run: Decider, digits: tuple[Term, ...]) -> None:
        self._run = run
        self.digits = digits

    def __repr__(self) -> str:
        return f"Text(at most {len(self.digits)})"

    def __len__(self) -> int:
        for size, digit in enumerate(self.digits):
            if self._run.decide(eq(digit, 0)):
                return size
        return len(self.digits)

    def __getitem__(self, index: int) -> Number:
        if index < 0 or index >= len(self):
            raise IndexError(index)
        return Number(self._run, build("-", self.digits[index], 1))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Text):
            return NotImplemented
        return self._run.decide(every(eq(a, b) for a, b in zip(self.digits, other.digits)))

    def __lt__(self, other: "Text") -> bool:
        return self._run.decide(digits_lower(self.digits, other.digits))

    def __le__(self, other: "Text") -> bool:
        return not self._run.decide(digits_lower(other.digits, self.digits))

    def __gt__(self, other: "Text") -> bool:
        return self._run.decide(digits_lower(other.digits, self.digits))

    def __ge__(self, other: "Text") -> bool:
        return not self._run.decide(digits_lower(self.digits, other.digits))


class Opaque:
    """Something that is only compared for equality: the attributes of a transform, say. Number 0 is the empty tuple."""

    __hash__ = None  # type: ignore[assignment]  # no set or table may hold what is not known
    __slots__ = ("_run", "plain", "term")

    def __init__(self, run: Decider, term: Term, plain: Callable[[int], object]) -> None:
        self._run = run
        self.term = term
        self.plain = plain
        """What it is for a given number."""

    def __repr__(self) -> str:
        return "Opaque"

    def __eq__(self, other: object) -> bool:
        if other == ():
            return self._run.decide(eq(self, 0))
        return isinstance(other, Opaque) and self._run.decide(eq(self, other))


class Span:
    """Octets of which only the place matters: those from `start` to `stop` of a stream, cut as bytes are.

    A plain `range` is the same on plain numbers.
    """

    __slots__ = ("_run", "start", "stop")

    def __init__(self, run: Decider, start: Any, stop: Any) -> None:
        self._run = run
        self.start = start
        self.stop = stop

    def __repr__(self) -> str:
        return "Span"

    def __getitem__(self, cut: slice) -> "Span":
        size = self.stop - self.start
        first = 0 if cut.start is None else _inside(cut.start, size)
        last = size if cut.stop is None else _inside(cut.stop, size)
        return Span(self._run, self.start + first, self.start + (last if last >= first else first))


def _inside(index: Any, size: Any) -> Any:
    """An index of a slice, counted from the end if it is negative, and never outside."""
    if index < 0:
        index = index + size
        return index if index >= 0 else 0
    return index if index <= size else size
