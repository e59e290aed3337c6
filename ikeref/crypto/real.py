"""The provider that stands on the cryptography package and hashlib (Sections 2.12 to 2.14 and 3.14)."""

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from cryptography.exceptions import InvalidTag

from ikeref.crypto.ciphers import CIPHERS, LEGACY_CIPHERS, NULL_CIPHERS, CipherFunctions
from ikeref.crypto.groups import GROUP_FUNCTIONS, LEGACY_GROUP_FUNCTIONS, GroupFunctions
from ikeref.crypto.macs import INTEGRITY_FUNCTIONS, PRF_FUNCTIONS, Function
from ikeref.crypto.transforms import ENCRYPTION, GROUPS, Suite, unsupported
from ikeref.errors import Dropped, InvalidSyntax, LocalProtocolError
from ikeref.registry import Encr, Integ, KeGroup, Prf, name

_COUNTERS = tuple(bytes((n,)) for n in range(256))


class RealCrypto:
    """Real algorithms. `legacy` adds 3DES and the MODP groups 2 and 5; `null` adds ENCR NULL, for a glass box only."""

    __slots__ = ("_ciphers", "_groups")

    def __init__(self, *, legacy: bool = False, null: bool = False) -> None:
        ciphers, groups = CIPHERS, GROUP_FUNCTIONS
        if legacy:
            ciphers, groups = ciphers | LEGACY_CIPHERS, groups | LEGACY_GROUP_FUNCTIONS
        if null:
            ciphers = ciphers | NULL_CIPHERS
        self._ciphers = ciphers
        self._groups = groups

    def generate(self, group: int, random: Callable[[int], bytes]) -> tuple[Any, bytes]:
        """See `Provider.generate`."""
        return self._group(group).generate(random)

    def agree(self, group: int, private: Any, public: bytes) -> bytes:
        """See `Provider.agree`."""
        return self._group(group).agree(private, public)

    def prf(self, prf: int, key: bytes, data: bytes) -> bytes:
        """See `Provider.prf`."""
        function = PRF_FUNCTIONS.get(prf)
        if function is None:
            raise unsupported("pseudorandom function", name(Prf, prf))
        return function(key, data)

    def prf_plus(self, prf: int, key: bytes, seed: bytes, length: int) -> bytes:
        """See `Provider.prf_plus`. Blocks are chained (`7296-2.13-09`); more than 255 are refused (`7296-2.13-11`)."""
        function = PRF_FUNCTIONS.get(prf)
        if function is None:
            raise unsupported("pseudorandom function", name(Prf, prf))
        block = out = function(key, seed + b"\1")
        blocks = -(-length // len(block))
        if blocks > 255:
            raise LocalProtocolError(f"prf+ can't give {length} octets", section="2.13")
        for n in _COUNTERS[2 : blocks + 1]:
            block = function(key, block + seed + n)
            out += block
        return out[:length]

    def encrypt(self, suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, iv: bytes, plaintext: bytes) -> bytes:
        """See `Provider.encrypt`. The ICV covers all that precedes it, encrypted (`7296-3.14-18`, `7296-3.14-19`)."""
        cipher = self._cipher(suite)
        if cipher.icv:
            return iv + cipher.seal(sk_e, iv, plaintext, prefix)
        mac, size = _integrity(suite)
        body = iv + cipher.seal(sk_e, iv, plaintext, b"")
        return body + mac(sk_a, prefix + body)[:size]

    def decrypt(self, suite: Suite, sk_e: bytes, sk_a: bytes, prefix: bytes, body: bytes) -> tuple[bytes, bytes]:
        """See `Provider.decrypt`. The ICV is checked before anything is decrypted (Section 3.14)."""
        cipher = self._cipher(suite)
        size = cipher.iv
        iv = body[:size]
        if cipher.icv:
            if len(body) < size + cipher.icv:
                raise Dropped("no room for IV and ICV", section="3.14", field="SK")
            try:
                return iv, cipher.open(sk_e, iv, body[size:], prefix)
            except InvalidTag:
                raise Dropped("the ICV is wrong", section="2.21.4", field="SK") from None
        mac, icv = _integrity(suite)
        end = len(body) - icv
        if end < size:
            raise Dropped("no room for IV and ICV", section="3.14", field="SK")
        if not compare_digest(mac(sk_a, prefix + body[:end])[:icv], body[end:]):
            raise Dropped("the ICV is wrong", section="2.21.4", field="SK")
        if (end - size) % cipher.block:
            raise InvalidSyntax("the ciphertext is no multiple of the block size", section="3.14", field="SK")
        return iv, cipher.open(sk_e, iv, body[size:end], b"")

    def iv_size(self, suite: Suite) -> int:
        """See `Provider.iv_size`."""
        return self._cipher(suite).iv

    def icv_size(self, suite: Suite) -> int:
        """See `Provider.icv_size`."""
        return self._cipher(suite).icv or _integrity(suite)[1]

    def block_size(self, suite: Suite) -> int:
        """See `Provider.block_size`."""
        return self._cipher(suite).block

    def public_size(self, group: int) -> int:
        """See `Provider.public_size`."""
        return GROUPS[group].public if group in self._groups else 0

    def supports(self, suite: Suite) -> bool:
        """See `Provider.supports`."""
        row = ENCRYPTION.get(suite.encr)
        if row is None or suite.encr not in self._ciphers:
            return False
        key_known = suite.key_bits in row.key_bits or (row.fixed and suite.key_bits == 0)
        integrity = suite.integ == Integ.NONE if row.icv else suite.integ in INTEGRITY_FUNCTIONS
        return key_known and integrity and suite.prf in PRF_FUNCTIONS and suite.group in self._groups

    def supports_group(self, group: int) -> bool:
        """See `Provider.supports_group`."""
        return group in self._groups

    def _cipher(self, suite: Suite) -> CipherFunctions:
        try:
            return self._ciphers[suite.encr]
        except KeyError:
            raise unsupported("encryption algorithm", name(Encr, suite.encr)) from None

    def _group(self, group: int) -> GroupFunctions:
        try:
            return self._groups[group]
        except KeyError:
            raise unsupported("key exchange method", name(KeGroup, group)) from None


def _integrity(suite: Suite) -> tuple[Function, int]:
    try:
        return INTEGRITY_FUNCTIONS[suite.integ]
    except KeyError:
        raise unsupported("integrity algorithm", name(Integ, suite.integ)) from None
