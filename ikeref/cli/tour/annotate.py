"""What the model says of each moment of a trace.

The abstraction from real steps to observations, and the monitor that judges them, are in
`ikeref_properties.refinement`; this is the seam to them.
"""

from typing import NamedTuple

from ikeref.cli.tour.trace import Trace


class RowText(NamedTuple):
    """A row that explains a step."""

    name: str
    section: str
    level: str


class Annotation(NamedTuple):
    """The monitor's verdict on one moment."""

    accepted: bool
    event: str
    """What the step is to the model: `request REKEY_CHILD`."""
    rows: tuple[RowText, ...]
    """The rows of one explanation; where the step is rejected, those that came closest."""
    reason: str = ""
    """Why it is rejected."""
    details: tuple[str, ...] = ()
    """Why each of the closest rows does not fit."""


def annotate(trace: Trace) -> tuple[Annotation | None, ...]:
    """The verdict on each moment, in order."""
    return (None,) * len(trace.moments)
