"""A campaign in one line, for a test of one's own: `conforms(Mine)`."""

from pathlib import Path

from ikeref_properties.adapter import report
from ikeref_properties.adapter.campaign import Result, Setup, walk
from ikeref_properties.adapter.implementation import Factory


def conforms(
    factory: Factory,
    setup: Setup | None = None,
    *,
    runs: int = 100,
    first: int = 0,
    save: Path | None = None,
) -> Result:
    """Run a campaign with the seeds from `first` on. Raises AssertionError, with the counterexample as its text, where
    a rule does not hold, and also where no IKE SA ever came about or a life was not judged to its end.

    `save` is where to write a failure: `SAVE.pcapng` and `SAVE.keys.json`. Warnings are in the result, and printed.
    """
    result = walk(factory, setup, first=first, count=runs)
    print(*report.summary(result), sep="\n")
    if result.failures:
        failure = result.failures[0]
        if save is not None:
            report.save(failure, save)
        raise AssertionError(report.text(failure))
    if not result.established:
        raise AssertionError(report.fruitless(result) or "no IKE SA came about: no life without disturbance was tried")
    if result.limits:
        raise AssertionError(f"not judged to the end: {', '.join(result.limits)}")
    return result
