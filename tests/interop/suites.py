"""Suites of the IKE SA and of Child SAs in which every two transforms that go together meet."""

from __future__ import annotations

import itertools
import random

AEAD = (
    *(f"aes{bits}{mode}{size}" for bits in (128, 192, 256) for mode in ("gcm", "ccm") for size in (8, 12, 16)),
    "chacha20poly1305",
)
CIPHERS = (*(f"aes{bits}{mode}" for bits in (128, 192, 256) for mode in ("", "ctr")), "3des")
INTEGRITY = ("sha1", "sha256", "sha384", "sha512", "aesxcbc", "aescmac")
PRFS = ("prfsha1", "prfsha256", "prfsha384", "prfsha512", "prfaesxcbc", "prfaescmac")
GROUPS = (
    *("modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192"),
    *("ecp256", "ecp384", "ecp521", "ecp256bp", "ecp384bp", "ecp512bp", "x25519", "x448"),
)


def pairwise(seed: int) -> list[tuple[str, str]]:
    """Proposals of IKE SA and Child SA, few, in which every two transforms that may stand together do so once."""
    source = random.Random(seed)
    columns: tuple[tuple[tuple[str, ...], ...], ...] = ((AEAD, PRFS, GROUPS), (CIPHERS, INTEGRITY, PRFS, GROUPS))
    return [
        ("-".join(row), "-".join(word for word in row if not word.startswith("prf")))
        for each in columns
        for row in _cover(each, source)
    ]


def _cover(columns: tuple[tuple[str, ...], ...], source: random.Random) -> list[tuple[str, ...]]:
    """Rows in which every two values of different columns stand together: greedy, the best of some random rows."""
    pairs = set(itertools.chain.from_iterable(map(_pairs, itertools.product(*columns))))
    rows = []
    while pairs:
        tries = [_row_with(min(pairs), columns, source) for _ in range(40)]
        best = max(tries, key=lambda row: len(pairs & _pairs(row)))
        pairs -= _pairs(best)
        rows.append(best)
    return rows


def _row_with(
    pair: tuple[tuple[int, str], tuple[int, str]], columns: tuple[tuple[str, ...], ...], source: random.Random
) -> tuple[str, ...]:
    fixed = dict(pair)
    return tuple(fixed.get(place) or source.choice(values) for place, values in enumerate(columns))


def _pairs(row: tuple[str, ...]) -> set[tuple[tuple[int, str], tuple[int, str]]]:
    return set(itertools.combinations(tuple(enumerate(row)), 2))
