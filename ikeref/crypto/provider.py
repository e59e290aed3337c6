"""What the protocol asks of cryptography; `real` and `free` provide it (Sections 2.12 to 2.14 and 3.14).

A provider holds no secrets and no state. The protocol code is the same on any of them, so that it can be explored on
`free` at microseconds a step and run on `real`.
"""

from collections.abc import Callable
from typing import Any, Protocol

from ikeref.crypto.transforms import ChildSuite, Suite

__all__ = ["ChildSuite", "Provider", "Suite"]


class Provider(Protocol):
    """Key exchange, pseudorandom functions and message protection. All octets are `bytes`, all sizes octets."""

    def generate(self, group: int, random: Callable[[int], bytes]) -> tuple[Any, bytes]:
        """A private value, opaque to the caller, and the Key Exchange Data that goes with it (Section 3.4).

        Raises `LocalProtocolError` for a group that is not supported.
        """
        ...

    def agree(self, group: int, private: Any, public: bytes) -> bytes:
        """g^ir with leading zeros kept (Section 2.14). A bad public value is `InvalidSyntax` (RFC 6989)."""
        ...

    def prf(self, prf: int, key: bytes, data: bytes) -> bytes:
        """prf(key, data) (Section 2.13)."""
        ...

    def prf_plus(self, prf: int, key: bytes, seed: bytes, length: int) -> bytes:
        """The first `length` octets of prf+(key, seed) (Section 2.13)."""
        ...

    def encrypt(self, suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, iv: bytes, plaintext: bytes) -> bytes:
        """IV | ciphertext | ICV (Section 3.14).

        `prefix` is every octet of the message before the IV, its lengths already final. `plaintext` is padded and ends
        with Pad Length. `iv` has `iv_size` octets and must never recur with the same key.
        """
        ...

    def decrypt(self, suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, body: bytes) -> tuple[bytes, bytes]:
        """The IV, and the plaintext with its padding. A bad ICV, or no room for one, is `Dropped` (Section 2.21.4)."""
        ...

    def iv_size(self, suite: Suite) -> int:
        """Octets of IV in front of the ciphertext."""
        ...

    def icv_size(self, suite: Suite) -> int:
        """Octets of Integrity Checksum Data behind the ciphertext."""
        ...

    def block_size(self, suite: Suite) -> int:
        """Plaintext with padding and Pad Length is a multiple of this."""
        ...

    def public_size(self, group: int) -> int:
        """Octets of Key Exchange Data; 0 for a group that is not supported."""
        ...

    def supports(self, suite: Suite) -> bool:
        """Whether every transform of an IKE SA can be computed, and they fit together (Section 3.3.3)."""
        ...

    def supports_group(self, group: int) -> bool:
        """Whether the key exchange method can be computed."""
        ...
