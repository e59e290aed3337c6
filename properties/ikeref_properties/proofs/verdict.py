"""What a proof says."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """One property, what it is about, and how far it was established."""

    property_id: str
    title: str
    section: str
    subject: str
    """`rows`: about the specification as data; `code`: about the implementation; `both`."""
    claim: str
    """`proved`, `exhaustive to bound`, `tested`, or `refuted`."""
    engine: str
    size: str
    seconds: float
    certificate: str
    bounds: str
    """What the claim is about, in words; the reason where it is refuted."""

    @property
    def good(self) -> bool:
        """Whether the property was established at all."""
        return self.claim != "refuted"
