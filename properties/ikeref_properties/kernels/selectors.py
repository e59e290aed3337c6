"""Comparing and narrowing traffic selectors (`ikeref.policy.selectors`, Sections 2.9, 2.9.2 and 3.13.1).

What a selector means is said once, by `allows`: which packets it lets through. A packet is four numbers: address
family (as TS Type), address, IP protocol (1 to 255) and port, of which 65536 stands for ports that can't be seen
(OPAQUE). Sets of selectors are equal if no packet tells them apart, and z3 looks for one that does.

`narrow` is a loop over `is_known`, `intersect` and `covers`. These three are judged on all inputs, each on each path,
against a formula (`_Contracts`); where selectors are several, the formulas stand in for them and `narrow` itself runs.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

from ikeref.wire import TrafficSelector
from ikeref_properties.kernels.checks import Check
from ikeref_properties.kernels.logic import Formula, between, eq, every, implies, le, no, pick, plus, raw, same, some
from ikeref_properties.kernels.paths import Run
from ikeref_properties.kernels.proxies import Number, Octets

_MODULE = "ikeref.policy.selectors"
_OPAQUE = 65536
_SIZES = {7: 4, 8: 16}
_NARROW = ("7296-2.9-05", "7296-2.9-06", "7296-2.9-10", "7296-3.13.1-02", "7296-3.13.1-08", "7296-3.13.1-09")


class _Packet(NamedTuple):
    family: Any
    address: Any
    protocol: Any
    port: Any


# --- What selectors mean --------------------------------------------------------------------------------------------


def _range(selector: TrafficSelector) -> tuple[Any, Any]:
    """First and last port; OPAQUE is port 65536 alone, ANY includes it (7296-3.13.1-08, 7296-3.13.1-09)."""
    opaque = every((eq(selector.start_port, 65535), eq(selector.end_port, 0)))
    anything = every((eq(selector.start_port, 0), eq(selector.end_port, 65535)))
    first = pick(opaque, _OPAQUE, selector.start_port)
    return first, pick(some((opaque, anything)), _OPAQUE, selector.end_port)


def _known(selector: TrafficSelector) -> Formula:
    size = [
        every((eq(selector.ts_type, kind), len(selector.start) == n == len(selector.end))) for kind, n in _SIZES.items()
    ]
    first, last = _range(selector)
    return every((some(size), le(selector.start, selector.end), le(first, last)))


def _allows(selector: TrafficSelector, packet: _Packet) -> Formula:
    first, last = _range(selector)
    return every(
        (
            _known(selector),
            eq(selector.ts_type, packet.family),
            between(selector.start, packet.address, selector.end),
            some((eq(selector.ip_protocol, 0), eq(selector.ip_protocol, packet.protocol))),
            between(first, packet.port, last),
        )
    )


def _allow(selectors: tuple[TrafficSelector, ...], packet: _Packet) -> Formula:
    return some(_allows(selector, packet) for selector in selectors)


def _covers(outer: TrafficSelector, inner: TrafficSelector) -> Formula:
    (first, last), (low, high) = _range(outer), _range(inner)
    return every(
        (
            eq(outer.ts_type, inner.ts_type),
            le(outer.start, inner.start),
            le(inner.end, outer.end),
            some((eq(outer.ip_protocol, 0), eq(outer.ip_protocol, inner.ip_protocol))),
            le(first, low),
            le(high, last),
        )
    )


def _meet(one: TrafficSelector, other: TrafficSelector) -> Formula:
    """Whether a packet goes through both."""
    (first, last), (low, high) = _range(one), _range(other)
    return every(
        (
            eq(one.ts_type, other.ts_type),
            le(one.start, other.end),
            le(other.start, one.end),
            some((eq(one.ip_protocol, 0), eq(other.ip_protocol, 0), eq(one.ip_protocol, other.ip_protocol))),
            le(first, high),
            le(low, last),
        )
    )


def _common(run: Run, one: TrafficSelector, other: TrafficSelector) -> TrafficSelector:
    """The selector of what both let through, if they meet."""
    (first, last), (low, high) = _range(one), _range(other)
    bottom, top = pick(le(first, low), low, first), pick(le(last, high), last, high)
    start = pick(le(one.start, other.start), other.start, one.start)
    end = pick(le(one.end, other.end), one.end, other.end)
    protocol = pick(eq(one.ip_protocol, 0), other.ip_protocol, one.ip_protocol)
    start_port = pick(eq(bottom, _OPAQUE), 65535, bottom)
    end_port = pick(eq(bottom, _OPAQUE), 0, pick(eq(top, _OPAQUE), 65535, top))
    size = len(one.start)

    def number(term: Any) -> Any:
        return term if isinstance(term, int) else Number(run, term)

    def octets(term: Any) -> Any:
        return term.to_bytes(size, "big") if isinstance(term, int) else Octets(run, term, size)

    return TrafficSelector(
        one.ts_type, number(protocol), number(start_port), number(end_port), octets(start), octets(end)
    )


def _equal(one: TrafficSelector, other: TrafficSelector) -> Formula:
    return every(eq(a, b) for a, b in zip(one, other))


def _contracts(run: Run) -> Mapping[str, Any]:
    """Formulas in the place of the three functions that `narrow` calls."""

    def intersect(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
        return _common(run, one, other) if run.decide(_meet(one, other)) else None

    def covers(outer: TrafficSelector, inner: TrafficSelector) -> bool:
        return run.decide(_covers(outer, inner))

    def is_known(selector: TrafficSelector) -> bool:
        return run.decide(_known(selector))

    return {"intersect": intersect, "covers": covers, "is_known": is_known}


# --- Inputs ---------------------------------------------------------------------------------------------------------


def _selector(run: Run, name: str, family: Any, size: int) -> TrafficSelector:
    return TrafficSelector(
        family,
        run.number(f"{name}.protocol", 0, 255),
        run.number(f"{name}.start_port", 0, 65535),
        run.number(f"{name}.end_port", 0, 65535),
        run.octets(f"{name}.start", size),
        run.octets(f"{name}.end", size),
    )


def _any(run: Run, name: str, *, known: bool = False) -> TrafficSelector:
    """A selector of either family, of any content; a known one where that is demanded of the caller."""
    family = run.choice(f"{name}.family", (7, 8))
    selector = _selector(run, name, family, _SIZES[family])
    if known:
        run.assume(_known(selector))
    return selector


def _packet(run: Run) -> _Packet:
    family = run.number("packet.family", 7, 8)
    address = run.number("packet.address", 0, 2**128 - 1)
    return _Packet(family, address, run.number("packet.protocol", 1, 255), run.number("packet.port", 0, _OPAQUE))


# --- Checks ---------------------------------------------------------------------------------------------------------


class Within(NamedTuple):
    """How big a question to `is_within` is."""

    inner: int
    outer: int
    free: str = "addresses, protocols, ports, and family of the outer ones"
    """What is any; otherwise "addresses" alone, or "ports" alone, the rest being one value."""


def checks(shapes: tuple[tuple[int, int], ...], within: tuple[Within, ...]) -> tuple[Check, ...]:
    """`shapes`: how many selectors are offered, and how many are ours."""
    one = "one selector each, both families, every address, protocol and port"
    return (
        Check(
            "is_known",
            _MODULE,
            "exactly the non-empty IPv4 and IPv6 ranges are known",
            f"{_TYPES}",
            ("7296-2.9-06", "7296-3.13.1-11"),
            _is_known,
        ),
        Check(
            "intersect", _MODULE, "exactly the packets that both allow; the same at both ends", one, _NARROW, _intersect
        ),
        Check(
            "covers",
            _MODULE,
            "exactly if no packet of the inner one is refused by the outer one",
            one,
            ("7296-2.9-05",),
            _covered,
        ),
        *(
            Check(
                "narrow",
                _MODULE,
                f"{_EXACT}; none twice; what is left of the first selector is in the first",
                f"{offered} offered, {mine} of ours, over the contracts of intersect, covers and is_known",
                (*_NARROW, "7296-2.9-11"),
                _narrow(offered, mine),
                contracts=_contracts,
            )
            for offered, mine in shapes
        ),
        Check("narrow", _MODULE, _EXACT, one, _NARROW, _narrow(1, 1)),
        *(
            Check(
                "is_within",
                _MODULE,
                "exactly if the outer selectors together allow each packet that the inner ones allow",
                f"{shape.inner} inner, {shape.outer} outer, any {shape.free}",
                ("7296-2.9-05", "7296-2.9.2-01", "7296-2.9.2-04"),
                _within(shape),
                {"int": Whole},
            )
            for shape in within
        ),
    )


_TYPES = "every TS Type, addresses of 0, 4 and 16 octets, every protocol and port"
_EXACT = "exactly the packets that both allow; the answer is within the offer and within the policy"


class Whole(int):
    """In the place of `int`, which can't read octets that are not known."""

    @staticmethod
    def from_bytes(octets: Any, byteorder: str) -> Any:  # type: ignore[override]  # only what kernels use
        """The number that octets are, in network byte order."""
        if isinstance(octets, Octets):
            assert byteorder == "big"
            return octets.as_number()
        return int.from_bytes(octets, "big" if byteorder == "big" else "little")


def _is_known(run: Run, kernel: Any) -> object:
    sizes = run.choice("sizes", tuple(product((0, 4, 16), repeat=2)))
    selector = TrafficSelector(
        run.number("family", 0, 255),
        run.number("protocol", 0, 255),
        run.number("start_port", 0, 65535),
        run.number("end_port", 0, 65535),
        run.octets("start", sizes[0]),
        run.octets("end", sizes[1]),
    )
    verdict = kernel.is_known(selector)
    run.require(same(verdict, _known(selector)), "known exactly if it is a range of IPv4 or IPv6 that is not empty")
    return verdict


def _intersect(run: Run, kernel: Any) -> object:
    one, other, packet = _any(run, "one", known=True), _any(run, "other", known=True), _packet(run)
    both = kernel.intersect(one, other)
    wanted = every((_allows(one, packet), _allows(other, packet)))
    run.require(same(both is not None, _meet(one, other)), "none exactly if the ranges do not meet")
    run.require(same(both is not None and _allows(both, packet), wanted), "exactly the packets that both allow")
    if both is not None:
        run.require(_equal(both, _common(run, one, other)), "the selector of the formula")
        run.require(_equal(both, _common(run, other, one)), "the same at both ends")
        run.require(_known(both), "a known selector")
    return both


def _covered(run: Run, kernel: Any) -> object:
    outer, inner, packet = _any(run, "outer", known=True), _any(run, "inner", known=True), _packet(run)
    verdict = kernel.covers(outer, inner)
    run.require(same(verdict, _covers(outer, inner)), "covered exactly if each of its ranges is within")
    if verdict:
        run.require(implies(_allows(inner, packet), _allows(outer, packet)), "no packet is refused")
    else:
        corners = _corners((inner,), (outer,))
        run.require(some(_escapes((inner,), (outer,), each) for each in corners), "some packet is refused")
    return verdict


def _narrow(offered: int, mine: int) -> Any:
    def body(run: Run, kernel: Any) -> object:
        theirs = tuple(_any(run, f"offered{n}") for n in range(offered))
        ours = tuple(_any(run, f"mine{n}", known=True) for n in range(mine))
        packet = _packet(run)
        result = kernel.narrow(theirs, ours)
        wanted = every((_allow(theirs, packet), _allow(ours, packet)))
        run.require(same(_allow(result, packet), wanted), "exactly the packets that both allow")
        for selector in result:
            run.require(_known(selector), "an answer of known selectors")
        if not result:
            return ()
        for one, other in product(result, result):
            if one is not other:
                run.require(no(_covers(one, other)), "none within another")
        first = theirs[0]
        for n, policy in enumerate(ours):
            earlier = some(_meet(first, each) for each in ours[:n])
            left = every((_known(first), no(earlier), _allows(first, packet), _allows(policy, packet)))
            run.require(implies(left, _allows(result[0], packet)), "what is left of the first is in the first")
        return result

    return body


def _within(shape: Within) -> Any:
    def selector(run: Run, name: str) -> TrafficSelector:
        match shape.free:
            case "addresses":
                start, end = (run.octets(f"{name}.{field}", 4) for field in ("start", "end"))
                return TrafficSelector(7, 0, 0, 65535, start, end)
            case "ports":
                low, high = (run.number(f"{name}.{field}", 0, 65535) for field in ("start_port", "end_port"))
                return TrafficSelector(7, 6, low, high, bytes(4), bytes(4))
        family = run.choice(f"{name}.family", (7, 8)) if name.startswith("outer") else 7
        return _selector(run, name, family, _SIZES[family])

    def body(run: Run, kernel: Any) -> object:
        inners = tuple(selector(run, f"inner{n}") for n in range(shape.inner))
        outers = tuple(selector(run, f"outer{n}") for n in range(shape.outer))
        packet = _packet(run)
        verdict = kernel.is_within(inners, outers)
        if verdict:
            run.require(implies(_allow(inners, packet), _allow(outers, packet)), "no packet escapes")
            run.require(every(_known(each) for each in inners), "all are known")
        else:
            unknown = some(no(_known(each)) for each in inners)
            corners = _corners(inners, outers)
            run.require(some((unknown, *(_escapes(inners, outers, each) for each in corners))), "some packet escapes")
        return verdict

    return body


def _escapes(inners: tuple[TrafficSelector, ...], outers: tuple[TrafficSelector, ...], packet: _Packet) -> Formula:
    return every((_allow(inners, packet), no(_allow(outers, packet))))


def _corners(inners: tuple[TrafficSelector, ...], outers: tuple[TrafficSelector, ...]) -> list[_Packet]:
    """If any packet of `inners` is refused by `outers`, then one of these: move it down to where its range begins, or
    to just behind a range that refuses it no longer.
    """
    found = []
    for inner in inners:
        addresses = [raw(inner.start), *(plus(each.end, 1) for each in outers)]
        ports = [_range(inner)[0], *(plus(_range(each)[1], 1) for each in outers)]
        protocols = [raw(inner.ip_protocol), *range(1, len(outers) + 2)]
        for address, protocol, port in product(addresses, protocols, ports):
            found.append(_Packet(raw(inner.ts_type), address, protocol, port))
    return found
