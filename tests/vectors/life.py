"""What happened in a generated scenario: its exchanges in clear, its IKE SAs, its Child SAs with keys of their own.

Everything is opened with the keys of `captured_sas`; the keys of Child SAs are computed here from what stands on the
wire, g^ir and SK_d (Section 2.17).
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ikeref import wire
from ikeref.crypto import ChildKeys, ChildSuite, IkeKeys
from ikeref.crypto.envelope import protect, protect_fragment, reassemble, unprotect, unprotect_fragment
from ikeref.crypto.real import RealCrypto
from ikeref.crypto.schedule import child_keys
from ikeref.registry import Encr, ExchangeType, Integ, KeGroup, ProtocolId
from tests.vectors.captured import GENERATED, CapturedSa, captured_sas, directed, ike_messages, number

REAL = RealCrypto()


class Exchange(NamedTuple):
    """A request and its response, in clear."""

    request: wire.Message
    response: wire.Message
    request_octets: bytes
    response_octets: bytes


class Life(NamedTuple):
    """Everything in a scenario's capture."""

    sas: dict[tuple[bytes, bytes], CapturedSa]
    protected: int
    """Datagrams with SK or SKF."""
    exchanges: list[Exchange]


def keys_file(name: str) -> Path:
    return GENERATED / name / f"{name}.keys.json"


@cache
def life(name: str) -> Life:
    sas = captured_sas(keys_file(name))
    requests: dict[tuple[Any, ...], tuple[wire.Message, bytes]] = {}
    fragments: dict[tuple[Any, ...], dict[int, Any]] = {}
    exchanges, protected = [], 0
    answered = set()
    for captured in ike_messages(GENERATED / name / f"{name}.pcap"):
        octets = captured.octets
        message = wire.decode(octets)
        last = message.payloads[-1] if message.payloads else None
        if isinstance(last, wire.SK | wire.SKF):
            protected += 1
            sa = sas[message.spi_i, message.spi_r]
            sk_e, sk_a = directed(sa, message)
            if isinstance(last, wire.SKF):
                fragment = unprotect_fragment(REAL, sa.suite, sk_e, sk_a, octets)
                assert protect_fragment(REAL, sa.suite, sk_e, sk_a, fragment) == octets
                key = (message.spi_i, message.spi_r, message.message_id, message.flags)
                parts = fragments.setdefault(key, {})
                parts[fragment.fragment_number] = fragment
                if len(parts) < fragment.total_fragments:
                    continue
                message = reassemble(parts.values())
            else:
                opened = unprotect(REAL, sa.suite, sk_e, sk_a, octets)
                again = protect(REAL, sa.suite, sk_e, sk_a, opened.message, opened.iv, opened.padding)
                assert again == octets
                message = opened.message
        # Before it has an answer, an IKE_SA_INIT request is known by its SPIi alone.
        spi_r = b"" if message.exchange_type == ExchangeType.IKE_SA_INIT else message.spi_r
        exchange = (message.spi_i, spi_r, message.exchange_type, message.message_id)
        if not message.is_response:
            requests[*exchange, message.is_initiator] = (message, octets)
            continue
        match = requests.get((*exchange, not message.is_initiator))
        if match and (match[1], octets) not in answered:
            answered.add((match[1], octets))
            exchanges.append(Exchange(match[0], message, match[1], octets))
    return Life(sas, protected, exchanges)


def find(payloads: tuple[wire.Payload, ...], kind: type[Any]) -> Any:
    return next((payload for payload in payloads if isinstance(payload, kind)), None)


def nonces(exchange: Exchange) -> tuple[bytes, bytes]:
    return find(exchange.request.payloads, wire.Nonce).data, find(exchange.response.payloads, wire.Nonce).data


def g_ir_of(entry: dict[str, Any]) -> bytes:
    return bytes.fromhex(entry.get("dh_shared_secret") or "")


def ppk_secret(name: str) -> bytes:
    """The PPK of a scenario, from its configuration."""
    text = json.loads((GENERATED / name / "scenario.json").read_text())["swanctl"]["A"]
    return bytes.fromhex(text.partition("secret = 0x")[2].split()[0])


def effective(sa: CapturedSa) -> IkeKeys:
    """The keys after a PPK was mixed in, where one was."""
    ppk = sa.entry.get("ppk")
    return sa.keys._replace(**{field: bytes.fromhex(value) for field, value in ppk.items()}) if ppk else sa.keys


def initial(name: str) -> list[tuple[Exchange, CapturedSa]]:
    """The IKE_SA_INIT exchange of each IKE SA that came from one."""
    found = []
    for exchange in life(name).exchanges:
        if exchange.request.exchange_type == ExchangeType.IKE_SA_INIT and find(exchange.response.payloads, wire.SA):
            sa = life(name).sas.get((exchange.response.spi_i, exchange.response.spi_r))
            if sa is not None:
                found.append((exchange, sa))
    return found


def child_exchange(name: str, entry: dict[str, Any]) -> Exchange | None:
    """The exchange in which both SPIs of a Child SA were told. With EAP, IKE_AUTH takes several: the last of them."""
    spis = {entry["spi_a"], entry["spi_b"]}
    offers: dict[bytes, Any] = {}
    for exchange in life(name).exchanges:
        offered = find(exchange.request.payloads, wire.SA)
        chosen = find(exchange.response.payloads, wire.SA)
        if exchange.request.exchange_type == ExchangeType.IKE_AUTH:
            offered = offers.setdefault(exchange.request.spi_i, offered)
        if offered and chosen and chosen.proposals[0].protocol_id in (ProtocolId.ESP, ProtocolId.AH):
            told = {p.spi.hex() for p in offered.proposals} | {chosen.proposals[0].spi.hex()}
            if spis <= told:
                return exchange
    return None


class Child(NamedTuple):
    """A Child SA, recomputed."""

    entry: dict[str, Any]
    """What the keys file says of it."""
    exchange: Exchange
    suite: ChildSuite
    seed: bytes
    """[g^ir |] Ni | Nr"""
    keys: ChildKeys


@cache
def children(name: str) -> tuple[Child, ...]:
    """All Child SAs of a scenario."""
    found = []
    for entry in json.loads(keys_file(name).read_text())["child_sas"]:
        exchange = child_exchange(name, entry)
        assert exchange is not None, f"{name}: no exchange for the Child SA {entry['spi_a']}"
        ike = life(name).sas[exchange.request.spi_i, exchange.request.spi_r]
        if exchange.request.exchange_type == ExchangeType.IKE_AUTH:
            first = next(first for first, sa in initial(name) if sa is ike)
            ni, nr = nonces(first)
        else:
            ni, nr = nonces(exchange)
        suite = ChildSuite(
            number(ProtocolId, entry["protocol"]),
            number(Encr, entry["encr"]),
            0 if entry["encr"] in (None, "CHACHA20_POLY1305", "NULL") else entry["key_bits"],
            number(Integ, entry["integ"]),
            number(KeGroup, entry["dh"]),
            int(entry["esn"]),
        )
        g_ir = g_ir_of(entry) if entry["pfs"] else b""
        keys = child_keys(REAL, ike.suite.prf, effective(ike).sk_d, ni, nr, suite, g_ir)
        found.append(Child(entry, exchange, suite, g_ir + ni + nr, keys))
    return tuple(found)
