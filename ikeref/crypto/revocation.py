"""Whether the certificates of a path still hold, by CRLs and by OCSP responses (Section 3.6, RFC 5280 section 6.3).

Nothing is fetched: what is known comes from files, or from the peer, and counts by its signature alone. A certificate
is `revoked` where an authentic statement says so, a stale one too; it is `good` where a fresh one says so; otherwise
its status is `unknown`, and policy decides.
"""

from datetime import datetime
from itertools import pairwise

from ikeref.crypto.crls import Evidence, Status, by_crls, read_crls
from ikeref.crypto.paths import Path
from ikeref.crypto.responders import by_responses, read_responses

__all__ = ["Evidence", "Status", "check", "read_crls", "read_responses"]


def check(path: Path, evidence: Evidence, now: datetime) -> tuple[Status, ...]:
    """What is known of each certificate of a path but the anchor, the peer's own first; `now` in some time zone."""
    found = []
    for certificate, issuer in pairwise(path):
        said = (by_crls(certificate, issuer, evidence.crls, now), by_responses(certificate, issuer, evidence, now))
        found.append(_together(said))
    return tuple(found)


def _together(said: tuple[Status, Status]) -> Status:
    for verdict in ("revoked", "good"):
        for each in said:
            if each.verdict == verdict:
                return each
    return said[0]._replace(why="; ".join(each.why for each in said))
