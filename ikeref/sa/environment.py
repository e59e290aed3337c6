"""What a step may use besides its arguments: policy, cryptography, randomness and fresh SPIs."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ikeref.crypto import Provider
from ikeref.policy.connections import Connection, Settings
from ikeref.policy.identities import Identity
from ikeref.policy.pools import Lease, LeaseOf, LeasesTo
from ikeref.sa.values import Path


def _nobody(_local: Identity, _peer: Identity) -> bool:
    return False


def _no_lease(_address: bytes) -> Lease | None:
    return None


def _no_leases(_identity: Identity) -> tuple[bytes, ...]:
    return ()


class Environment(NamedTuple):
    """The world outside of a session, as far as a step sees it."""

    crypto: Provider
    random: Callable[[int], bytes]
    """That many random octets; fit for nonces and keys (Section 2.10)."""
    new_spi: Callable[[int], bytes]
    """An SPI of that many octets (8 or 4), non-zero and not in use at this end (Sections 2.6, 3.3.1)."""
    settings: Settings
    connections: tuple[Connection, ...]
    """What a responder chooses from, in order of preference."""
    calendar: Callable[[], datetime]
    """The date, with its time zone: certificates expire (Section 2.15)."""
    knows: Callable[[Identity, Identity], bool] = _nobody
    """Whether an IKE SA between these identities, ours and the peer's, is up at this end (Section 2.4)."""

    lease_of: LeaseOf = _no_lease
    """Who holds an internal address of our pools, or held it last (Section 2.19)."""
    leases_to: LeasesTo = _no_leases
    """The internal addresses that an identity holds, or held last."""

    def lifetime(self, now: float, seconds: float) -> float:
        """When to rekey what is made now and may live so long: up to a tenth earlier (7296-2.8.1-01). 0: never."""
        return now + seconds * (1 - self.random(1)[0] / 2560) if seconds else 0.0

    def end(self, now: float, seconds: float) -> float:
        """When what is made now must not be used any longer (7296-2.8-01). 0: never."""
        return now + seconds if seconds else 0.0

    def candidates(self, path: Path) -> tuple[Connection, ...]:
        """The connections that a peer at that address may use; identities narrow them down in IKE_AUTH."""
        local, remote = (None, path.local[0]), (None, path.remote[0])
        return tuple([c for c in self.connections if c.remote_address in remote and c.local_address in local])
