"""Cutting the key stream (`ikeref.crypto.schedule`, Sections 2.13, 2.14, 2.17 and 2.18).

prf+ gives a stream; which octets of it become which key is what is judged. So the provider here gives no octets but
their places, and notes what it was asked.
"""

import time
from typing import Any, NamedTuple

from ikeref.crypto import ChildSuite, Suite, schedule, transforms
from ikeref.registry import Encr, Integ, Prf
from ikeref_properties.kernels.checks import Check, KernelVerdict
from ikeref_properties.kernels.logic import eq, every
from ikeref_properties.kernels.paths import Run

_MODULE = "ikeref.crypto.schedule"
_IKE_IDS = ("7296-2.13-06", "7296-2.14-01", "7296-2.14-03")
_CHILD_IDS = ("7296-2.17-04", "7296-2.17-05", "7296-2.17-07", "7296-2.17-08", "7296-2.17-09")
_SEED_IDS = (
    "7296-2.13-05",
    "7296-2.13-07",
    "7296-2.14-02",
    "7296-2.14-05",
    "7296-2.14-06",
    "7296-2.17-02",
    "7296-2.17-03",
    "7296-2.18-03",
)

# --- On proxies: for all sizes --------------------------------------------------------------------------------------


class _Stream(NamedTuple):
    """A provider whose prf+ gives places."""

    run: Run

    def prf_plus(self, prf: int, key: bytes, seed: bytes, length: int) -> Any:
        """The stream, so long."""
        del prf, key, seed
        return self.run.stream(length)


class _Size(NamedTuple):
    key: int


def checks(pieces: int) -> tuple[Check, ...]:
    """KEYMAT cut into so many pieces."""

    def ike(run: Run, kernel: Any) -> object:
        p, a, e = (run.number(name, 0) for name in ("prf", "integ", "encr"))
        kernel = _sized(kernel, p, a, e)
        keys = kernel.ike_keys(_Stream(run), Suite(1, 1, 1, 1, 1), b"", b"", b"", b"", b"")
        _require_cut(run, keys, (p, a, a, e, e, p, p))
        return tuple(keys)

    def child(run: Run, kernel: Any) -> object:
        a, e = (run.number(name, 0) for name in ("integ", "encr"))
        kernel = _sized(kernel, 0, a, e)
        keys = kernel.child_keys(_Stream(run), 1, b"", b"", b"", ChildSuite(3, 1, 1, 1, 1, 1))
        _require_cut(run, keys, (e, a, e, a))
        return tuple(keys)

    def keymat(run: Run, kernel: Any) -> object:
        lengths = tuple(run.number(f"length{n}", 0) for n in range(pieces))
        cut = kernel.keymat(_Stream(run), 1, b"", b"", b"", lengths)
        _require_cut(run, cut, lengths)
        return cut

    rule = "the pieces follow one another from the first octet to the last, each of its own size"
    return (
        Check("ike_keys", _MODULE, rule, "keys of any size", _IKE_IDS, ike, {}, _no_contracts),
        Check("child_keys", _MODULE, rule, "keys of any size", _CHILD_IDS, child, {}, _no_contracts),
        Check("keymat", _MODULE, rule, f"{pieces} pieces of any size", ("7296-2.17-04", "7296-2.17-05"), keymat),
    )


def _no_contracts(run: Run) -> dict[str, Any]:
    """A copy of the module, whose tables of sizes may be replaced."""
    del run
    return {}


def _sized(kernel: Any, p: int, a: int, e: int) -> Any:
    """The copy with these sizes in the place of its tables."""
    kernel.prf_row = lambda _: _Size(p)
    kernel.integrity_key_size = lambda _: a
    kernel.encryption_key_size = lambda *_: e
    return kernel


def _require_cut(run: Run, pieces: Any, sizes: tuple[int, ...]) -> None:
    run.require(len(pieces) == len(sizes), "as many pieces as keys")
    position: Any = 0
    for piece, size in zip(pieces, sizes):
        run.require(every((eq(piece.start, position), eq(piece.stop, position + size))), "each piece follows the last")
        position = position + size


# --- On plain values: every suite -----------------------------------------------------------------------------------

_PRF_SIZES = {
    Prf.HMAC_SHA1: 20,
    Prf.AES128_XCBC: 16,
    Prf.HMAC_SHA2_256: 32,
    Prf.HMAC_SHA2_384: 48,
    Prf.HMAC_SHA2_512: 64,
    Prf.AES128_CMAC: 16,
}
_INTEG_SIZES = {
    Integ.NONE: 0,
    Integ.HMAC_MD5_96: 16,
    Integ.HMAC_SHA1_96: 20,
    Integ.AES_XCBC_96: 16,
    Integ.AES_CMAC_96: 16,
    Integ.AES_128_GMAC: 20,
    Integ.AES_192_GMAC: 28,
    Integ.AES_256_GMAC: 36,
    Integ.HMAC_SHA2_256_128: 32,
    Integ.HMAC_SHA2_384_192: 48,
    Integ.HMAC_SHA2_512_256: 64,
}
_SALTS = {
    Encr.AES_CTR: 4,
    Encr.AES_CCM_8: 3,
    Encr.AES_CCM_12: 3,
    Encr.AES_CCM_16: 3,
    Encr.AES_GCM_8: 4,
    Encr.AES_GCM_12: 4,
    Encr.AES_GCM_16: 4,
    Encr.NULL_AUTH_AES_GMAC: 4,
    Encr.CAMELLIA_CTR: 4,
    Encr.CAMELLIA_CCM_8: 3,
    Encr.CAMELLIA_CCM_12: 3,
    Encr.CAMELLIA_CCM_16: 3,
    Encr.CHACHA20_POLY1305: 4,
    Encr.AES_CCM_8_IIV: 3,
    Encr.AES_GCM_16_IIV: 4,
    Encr.CHACHA20_POLY1305_IIV: 4,
}
_FIXED = {Encr.TRIPLE_DES: 24, Encr.NULL: 0, Encr.CHACHA20_POLY1305: 32, Encr.CHACHA20_POLY1305_IIV: 32}
"""Octets of the key proper of algorithms without a Key Length attribute."""


class _Asked(NamedTuple):
    """A provider that notes what it was asked."""

    calls: list[tuple[Any, ...]]

    def prf(self, prf: int, key: bytes, data: bytes) -> bytes:
        """Nothing."""
        self.calls.append((prf, key, data))
        return b""

    def prf_plus(self, prf: int, key: bytes, seed: bytes, length: int) -> Any:
        """Places."""
        self.calls.append((prf, key, seed, length))
        return range(length)


def every_suite(kernel: Any = schedule) -> KernelVerdict:
    """Every suite and Child SA suite of the tables: sizes, order, and what prf and prf+ are asked."""
    start = time.process_time()
    count, wrong = 0, ""
    for encr, bits, size in _ciphers():
        for integ, a in _INTEG_SIZES.items():
            for prf, p in _PRF_SIZES.items():
                wrong = wrong or _ike(kernel, Suite(encr, bits, prf, integ, 1), (p, a, a, size, size, p, p))
                count += 1
            for g_ir in (b"", b"g"):
                wrong = wrong or _child(kernel, ChildSuite(3, encr, bits, integ, 0, 0), (size, a, size, a), g_ir)
                count += 1
    for integ, a in _INTEG_SIZES.items():
        wrong = wrong or _child(kernel, ChildSuite(2, 0, 0, integ, 0, 0), (0, a, 0, a), b"")
        count += 1
    for prf in _PRF_SIZES:
        wrong = wrong or _seeds(kernel, prf)
        count += 1
    return KernelVerdict(
        f"{_MODULE}.skeyseed, skeyseed_rekey, ike_keys, child_keys",
        "the PRF, its key and its seed are the section's; keys have the sizes of their algorithms, in order",
        f"every PRF, cipher, key length and integrity algorithm of the tables: {count} runs",
        count,
        time.process_time() - start,
        "violated" if wrong else "exhaustive",
        (*_IKE_IDS, *_CHILD_IDS, *_SEED_IDS),
        wrong,
    )


def _ciphers() -> list[tuple[int, int, int]]:
    found = []
    for row in transforms.ENCRYPTION.values():
        salt = _SALTS.get(Encr(row.id), 0)
        if row.id in _FIXED:
            found.append((int(row.id), 0, _FIXED[Encr(row.id)] + salt))
        else:
            found += [(int(row.id), bits, bits // 8 + salt) for bits in row.key_bits]
    return found


def _ike(kernel: Any, suite: Suite, sizes: tuple[int, ...]) -> str:
    asked = _Asked([])
    keys = kernel.ike_keys(asked, suite, b"seed", b"Ni", b"Nr", b"SPIi", b"SPIr")
    if asked.calls != [(suite.prf, b"seed", b"NiNrSPIiSPIr", sum(sizes))]:
        return f"prf+ was asked otherwise: {suite} {asked.calls}"
    return "" if _is_cut(keys, sizes) else f"keys are cut otherwise: {suite} {tuple(keys)} instead of {sizes}"


def _child(kernel: Any, suite: ChildSuite, sizes: tuple[int, ...], g_ir: bytes) -> str:
    asked = _Asked([])
    keys = kernel.child_keys(asked, 5, b"SK_d", b"Ni", b"Nr", suite, g_ir)
    if asked.calls != [(5, b"SK_d", g_ir + b"NiNr", sum(sizes))]:
        return f"prf+ was asked otherwise: {suite} {asked.calls}"
    if not _is_cut(keys, sizes):
        return f"keys are cut otherwise: {suite} {tuple(keys)} instead of {sizes}"
    pieces = kernel.keymat(_Asked([]), 5, b"SK_d", b"Ni", b"Nr", sizes, g_ir)
    return "" if _is_cut(pieces, sizes) else f"KEYMAT is cut otherwise: {pieces} instead of {sizes}"


def _seeds(kernel: Any, prf: int) -> str:
    asked = _Asked([])
    ni, nr = bytes(range(16)), bytes(range(16, 40))
    kernel.skeyseed(asked, prf, ni, nr, b"g")
    kernel.skeyseed_rekey(asked, prf, b"SK_d", b"g", ni, nr)
    key = ni[:8] + nr[:8] if prf in (Prf.AES128_XCBC, Prf.AES128_CMAC) else ni + nr
    wanted = [(prf, key, b"g"), (prf, b"SK_d", b"g" + ni + nr)]
    return "" if asked.calls == wanted else f"prf was asked otherwise: PRF {prf}"


def _is_cut(pieces: Any, sizes: tuple[int, ...]) -> bool:
    position = 0
    for piece, size in zip(pieces, sizes, strict=True):
        if len(piece) != size or (size and piece.start != position):
            return False
        position += size
    return True
