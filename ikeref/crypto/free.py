"""The toy provider: the same interface at microseconds a step, for exploration and classes. It protects nothing.

Diffie-Hellman is a counter that `random` draws; the cipher is the identity with a tag that depends on both keys; a
pseudorandom function is one call of SHAKE128. Everything is deterministic given `random`. What protocol code
could get wrong with real algorithms (keys of the wrong direction, a wrong prefix, another group's public value) fails
here too.
"""

from collections.abc import Callable
from hashlib import blake2b, shake_128
from typing import Any

from ikeref.crypto.transforms import GROUPS, Suite, prf_row, unsupported
from ikeref.errors import Dropped, InvalidSyntax
from ikeref.registry import KeGroup, name

_IV = 8
_ICV = 8
_PUBLIC = 8


class FreeCrypto:
    """Cheap stand-ins for all the algorithms whose sizes `transforms` knows."""

    __slots__ = ()

    def generate(self, group: int, random: Callable[[int], bytes]) -> tuple[Any, bytes]:
        """The private value is its own public value: the group, then six octets from `random`."""
        if group not in GROUPS:
            raise unsupported("key exchange method", name(KeGroup, group))
        public = group.to_bytes(2) + random(_PUBLIC - 2)
        return public, public

    def agree(self, group: int, private: Any, public: bytes) -> bytes:
        """Both public values, the lower first."""
        if len(public) != _PUBLIC or public[:2] != group.to_bytes(2):
            raise InvalidSyntax("the public value is not of this group", section="3.4", field="KE")
        return bytes(private + public if private < public else public + private)

    def prf(self, prf: int, key: bytes, data: bytes) -> bytes:
        """As many octets as the real function gives."""
        return shake_128(b"%d %d " % (prf, len(key)) + key + data).digest(prf_row(prf).output)

    def prf_plus(self, prf: int, key: bytes, seed: bytes, length: int) -> bytes:
        """`length` octets; a shorter output is the start of a longer one."""
        return shake_128(b"%d+%d " % (prf, len(key)) + key + seed).digest(length)

    def encrypt(self, suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, iv: bytes, plaintext: bytes) -> bytes:
        """IV | plaintext | tag."""
        body = iv + plaintext
        return body + _tag(suite, sk_e, sk_a, prefix, body)

    def decrypt(self, suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, body: bytes) -> tuple[bytes, bytes]:
        """The IV and the plaintext; a wrong tag is `Dropped`."""
        if len(body) < _IV + _ICV:
            raise Dropped("no room for IV and ICV", section="3.14", field="SK")
        if _tag(suite, sk_e, sk_a, prefix, body[:-_ICV]) != body[-_ICV:]:
            raise Dropped("the ICV is wrong", section="2.21.4", field="SK")
        return body[:_IV], body[_IV:-_ICV]

    def iv_size(self, suite: Suite) -> int:  # noqa: ARG002  # one size for all suites
        """Eight, whatever the suite."""
        return _IV

    def icv_size(self, suite: Suite) -> int:  # noqa: ARG002  # one size for all suites
        """Eight, whatever the suite."""
        return _ICV

    def block_size(self, suite: Suite) -> int:  # noqa: ARG002  # one size for all suites
        """One: no padding."""
        return 1

    def public_size(self, group: int) -> int:
        """Eight, whatever the group."""
        return _PUBLIC if group in GROUPS else 0

    def supports(self, suite: Suite) -> bool:
        """All that have sizes."""
        return suite.group in GROUPS

    def supports_group(self, group: int) -> bool:
        """All that have sizes."""
        return group in GROUPS


def _tag(suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, body: bytes) -> bytes:
    hash = blake2b(prefix, digest_size=_ICV, key=sk_e[:64])
    hash.update(b"%d %d " % (suite.encr, len(prefix)) + sk_a)
    hash.update(body)
    return hash.digest()
