"""Is it fast and small enough? Run by hand: `pytest tests/benchmarks`, or `python tests/benchmarks/report.py`."""

import hashlib
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ikeref.crypto import ciphers, groups, macs
from ikeref.registry import Prf
from ikeref.wire import decode
from tests.benchmarks import measure, targets, workloads

Benchmark = Any
"""The fixture of pytest-benchmark."""


# Is it the same cryptography?


class Calls(Counter[object]):
    """Counts library calls by name and sizes."""

    def tools(self) -> workloads.Tools:
        """The library, each call counted."""
        real = workloads.Tools()

        def random(octets: int) -> bytes:
            self["random", octets] += 1
            return real.random(octets)

        def hmac(key: bytes, data: bytes, digest: str) -> bytes:
            self["hmac", len(key), len(data), digest] += 1
            return real.hmac(key, data, digest)

        def sha1(data: bytes, **options: bool) -> object:
            self["sha1", len(data)] += 1
            return real.sha1(data, **options)

        def private_key(octets: bytes) -> Any:
            self["private key", len(octets)] += 1
            return CountedKey(self, real.private_key(octets))

        def public_key(octets: bytes) -> Any:
            self["public key", len(octets)] += 1
            return real.public_key(octets)

        def aead(key: bytes) -> Any:
            self["aead", len(key)] += 1
            return CountedAead(self, real.aead(key))

        return workloads.Tools(random, private_key, public_key, aead, hmac, sha1)


class CountedKey:
    def __init__(self, calls: Calls, key: X25519PrivateKey) -> None:
        self.calls, self.key = calls, key

    def public_key(self) -> X25519PublicKey:
        self.calls["its public key"] += 1
        return self.key.public_key()

    def exchange(self, peer: X25519PublicKey) -> bytes:
        self.calls["exchange"] += 1
        return self.key.exchange(peer)


class CountedAead:
    def __init__(self, calls: Calls, aead: AESGCM) -> None:
        self.calls, self.aead = calls, aead

    def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        self.calls["encrypt", len(nonce), len(data), len(associated)] += 1
        return self.aead.encrypt(nonce, data, associated)

    def decrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        self.calls["decrypt", len(nonce), len(data), len(associated)] += 1
        return self.aead.decrypt(nonce, data, associated)


def test_the_script_makes_exactly_the_calls_of_a_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Calls()
    workloads.bare(script.tools())
    calls = Calls()
    tools = calls.tools()
    monkeypatch.setattr(groups, "X25519PrivateKey", SimpleNamespace(from_private_bytes=tools.private_key))
    monkeypatch.setattr(groups, "X25519PublicKey", SimpleNamespace(from_public_bytes=tools.public_key))
    monkeypatch.setattr(ciphers, "AESGCM", tools.aead)
    monkeypatch.setattr(hashlib, "sha1", tools.sha1)
    monkeypatch.setitem(macs.PRF_FUNCTIONS, Prf.HMAC_SHA2_256, lambda key, data: tools.hmac(key, data, "sha256"))
    a, b = workloads.ends(random=tools.random)
    calls.clear()
    workloads.handshake(a, b)
    assert calls == script


# Speed


def test_a_handshake_costs_little_more_than_its_cryptography() -> None:
    measured = measure.handshake()
    assert measured.ratio <= targets.HANDSHAKE, measured


def test_decoding_ike_sa_init_costs_less_than_a_derive() -> None:
    measured = measure.decoding_initial()
    assert measured.ratio <= targets.DECODE_INITIAL, measured


def test_decoding_and_decrypting_ike_auth_costs_less_than_a_derive() -> None:
    measured = measure.decoding_auth()
    assert measured.ratio <= targets.DECODE_AUTH, measured


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_an_idle_ike_sa_with_a_child_sa_is_small(role: str) -> None:
    assert measure.resident_octets(10_000, role) <= targets.RESIDENT


# For comparisons over time


def test_handshake(benchmark: Benchmark) -> None:
    benchmark(workloads.handshakes, 10)


def test_cryptography_of_a_handshake(benchmark: Benchmark) -> None:
    benchmark(workloads.bares, 10)


def test_decode_ike_sa_init(benchmark: Benchmark) -> None:
    benchmark(decode, workloads.initial_message())


def test_derive(benchmark: Benchmark) -> None:
    benchmark(workloads.derive())


def test_loopback(benchmark: Benchmark) -> None:
    benchmark.pedantic(measure.loopback, (100,), rounds=3)
