"""What the foreign implementation remembers: IKE SAs, Child SAs, its own unanswered request."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.adapter.octets import Payloads, prf_plus


class Child:
    def __init__(self, spi_in: bytes, spi_out: bytes) -> None:
        self.spi_in, self.spi_out = spi_in, spi_out
        self.key_in = self.key_out = b""
        self.state = "up"  # rekeying, replaced, deleting


class Request:
    """One of ours that is unanswered."""

    def __init__(self, kind: str, child: Child | None = None) -> None:
        self.kind, self.child = kind, child
        self.datagram = b""
        self.payloads: Payloads = []
        self.exchange = 0
        self.nonce = self.spi = b""
        self.crossed: tuple[bytes, Child] | None = None
        self.denied: set[bytes] = set()
        self.tries, self.due = 0, 0.0


class Ike:
    def __init__(self, initiator: bool, spi_i: bytes, spi_r: bytes = bytes(8)) -> None:
        self.initiator, self.spi_i, self.spi_r = initiator, spi_i, spi_r
        self.state = "new"  # half, up, replaced, deleting, closed
        self.mine = self.theirs = self.count = 0
        self.request: Request | None = None
        self.response = b""
        self.ni = self.nr = self.first_i = self.first_r = b""
        self.private = X25519PrivateKey.generate()
        self.until = 0.0

    def derive(self, seed: bytes) -> None:
        keys = prf_plus(seed, self.ni + self.nr + self.spi_i + self.spi_r, 32 * 3 + 36 * 2)
        self.d, self.ei, self.er = keys[:32], keys[32:68], keys[68:104]
        self.pi, self.pr = keys[104:136], keys[136:]

    @property
    def sends(self) -> bytes:
        return self.ei if self.initiator else self.er

    @property
    def receives(self) -> bytes:
        return self.er if self.initiator else self.ei
