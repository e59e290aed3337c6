"""The nonce tie-break of simultaneous rekeys (`ikeref.sa.collisions`, Sections 2.8.1 and 2.8.2)."""

from typing import Any

from ikeref_properties.kernels.checks import Check
from ikeref_properties.kernels.logic import every, implies, lower, lt, no, same, some
from ikeref_properties.kernels.paths import Run

_MODULE = "ikeref.sa.collisions"
_IDS = ("7296-2.8.1-03", "7296-2.8.2-01")


def checks(least: int, most: int) -> tuple[Check, ...]:
    """Nonces of `least` to `most` octets."""

    def compared(run: Run, kernel: Any) -> object:
        one, other = run.text("one", 0, most), run.text("other", 0, most)
        verdict = kernel.lower(one, other)
        run.require(same(verdict, lower(one, other)), "compared octet by octet, one that ends first is lower")
        return verdict

    def at_octets(run: Run, kernel: Any) -> object:
        ours, theirs = _exchange(run, "our", least, most), _exchange(run, "their", least, most)
        return _judge(run, kernel, ours, theirs, lower)

    def at_ranks(run: Run, kernel: Any) -> object:
        ours, theirs = (
            tuple(run.number(f"{whose} {what}", 0) for what in ("Ni", "Nr", "SPI", "SPI of the responder"))
            for whose in ("our", "their")
        )
        return _judge(run, kernel, ours, theirs, lt)

    both = "both ends agree which SA is redundant, it is that of the lowest nonce, and never both nor neither"
    return (
        Check(
            "lower",
            _MODULE,
            "nonces are compared octet by octet from the first; one that ends first is lower",
            f"0 to {most} octets",
            ("7296-2.8.1-04",),
            compared,
        ),
        Check(
            "ours_is_redundant",
            _MODULE,
            both,
            f"nonces of {least} to {most} octets, SPIs of 1 to 8",
            _IDS,
            at_octets,
        ),
        Check(
            "ours_is_redundant",
            _MODULE,
            f"{both}: by the order of the octet strings alone",
            "octet strings of any length",
            _IDS,
            at_ranks,
        ),
    )


def _exchange(run: Run, whose: str, least: int, most: int) -> tuple[Any, ...]:
    nonces = [run.text(f"{whose} {nonce}", least, most) for nonce in ("Ni", "Nr")]
    return (*nonces, run.text(f"{whose} SPI", 1, 8), run.text(f"{whose} SPI of the responder", 1, 8))


def _judge(run: Run, kernel: Any, ours: tuple[Any, ...], theirs: tuple[Any, ...], below: Any) -> object:
    here = kernel.ours_is_redundant(ours[:2], theirs[:2], ours[2:], theirs[2:])
    there = kernel.ours_is_redundant(theirs[:2], ours[:2], theirs[2:], ours[2:])
    lowest_here = some(every(below(mine, other) for other in theirs[:2]) for mine in ours[:2])
    lowest_there = some(every(below(other, mine) for mine in ours[:2]) for other in theirs[:2])
    run.require(implies(lowest_here, here), "the SA of the lowest nonce is redundant, ours")
    run.require(implies(lowest_there, there), "the SA of the lowest nonce is redundant, theirs")
    run.require(not (here and there), "never both")
    # Neither only where nothing tells the exchanges apart: the same nonces and the same SPIs.
    alike = [every((no(below(a, b)), no(below(b, a)))) for a, b in zip(ours[2:], theirs[2:])]
    alike += [some(every((no(below(a, b)), no(below(b, a)))) for b in theirs[:2]) for a in ours[:2]]
    run.require(some((here, there, every(alike))), "never neither, if anything differs")
    return here, there
