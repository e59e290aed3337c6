"""What is proved of the rows: each certificate is checked again before anybody says so.

The proofs are in `ikeref_properties.proofs`; this is the seam to them.
"""

from typing import NamedTuple


class Proved(NamedTuple):
    """One claim about the rows, and whether its certificate stood up to being checked again."""

    name: str
    section: str
    proved: bool
    evidence: str
    """How: `induction over 118 rows`."""
    why: str = ""
    """Why not, where it is not proved."""


def recheck() -> tuple[Proved, ...]:
    """All claims."""
    return ()
