"""Reading a configuration from TOML; docs/configuration.md describes the format.

Nothing is guessed: an unknown key, a wrong type or a value out of range is a `ConfigError` that says where (the path of
the key), what is wrong and what would be right.
"""

import base64
import binascii
import dataclasses
import ipaddress
import tomllib
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography import x509

from ikeref.policy import attributes, identities, pools, proposals, selectors
from ikeref.policy.connections import ChildConfig, Configuration, Connection, Mode, Settings
from ikeref.policy.credentials import OwnCredential, PeerCredential, PrivateKey, Secret, TrustAnchors
from ikeref.policy.identities import Identity
from ikeref.policy.keyfiles import read_certificates, read_key
from ikeref.policy.pools import Pool
from ikeref.registry import CfgAttribute, IdType, IpcompTransform, ProtocolId
from ikeref.wire import CfgAttr, Proposal, TrafficSelector

__all__ = ["ChildConfig", "ConfigError", "Configuration", "Connection", "Mode", "Settings", "load"]

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration says what it may not; the text is for the person who wrote it, and shows no secret."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        """Path of the key, as in `connections.home.children.net.local_ts`."""
        self.reason = reason


def load(source: str | Path, *, base: Path = Path()) -> Configuration:
    """The configuration in a file (`Path`) or in a text (`str`).

    Names of files in it are relative to the folder of the configuration file, to `base` for a text. Raises ConfigError,
    and OSError where the configuration file itself can't be read.
    """
    if isinstance(source, Path):
        base = source.parent
        source = source.read_text(encoding="utf-8")
    try:
        root = _Table(tomllib.loads(source), "")
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("", f"this is no TOML: {error}") from None
    settings = _settings(root.table("settings"))
    kept = root.table("pools")
    known = {name: _pool(name, kept.table(name)) for name in kept.values}
    found = root.table("connections")
    connections = tuple(_connection(name, found.table(name), base, known) for name in found.values)
    if not connections:
        raise ConfigError("connections", "no connection is configured; write a table such as [connections.home]")
    found.finish()
    root.finish()
    return Configuration(connections, settings)


class _Table:
    """A TOML table that knows its path, and which of its keys were asked for."""

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self.values = values
        self._path = path
        self._known: list[str] = []

    def at(self, key: str = "") -> str:
        """The path of a key."""
        return f"{self._path}.{key}".strip(".")

    def has(self, key: str) -> bool:
        self._known.append(key)
        return key in self.values

    def fail(self, key: str, reason: str) -> ConfigError:
        return ConfigError(self.at(key), reason)

    def table(self, key: str) -> "_Table":
        value = self.values[key] if self.has(key) else {}
        if not isinstance(value, dict):
            raise self.fail(key, f"must be a table, [{self.at(key)}]")
        return _Table(value, self.at(key))

    def text(self, key: str) -> str | None:
        value = self.values[key] if self.has(key) else None
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.fail(key, "must be a text in quotes, and not empty")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """One text, or an array of texts."""
        value = self.values[key] if self.has(key) else []
        entries = [value] if isinstance(value, str) else value
        if not isinstance(entries, list) or not all(isinstance(entry, str) and entry.strip() for entry in entries):
            raise self.fail(key, "must be a text in quotes, or an array of texts")
        return tuple(entries)

    def flag(self, key: str, default: bool) -> bool:
        value = self.values[key] if self.has(key) else default
        if not isinstance(value, bool):
            raise self.fail(key, "must be true or false")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number of the type of `default`, within bounds."""
        value = self.values[key] if self.has(key) else default
        whole = isinstance(default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise self.fail(key, f"must be a {'whole number' if whole else 'number'}")
        if not low <= value <= high:
            raise self.fail(key, f"must be from {low:g} to {high:g}, not {value:g}")
        return int(value) if whole else float(value)

    def read(self, key: str, reader: Callable[[str], T]) -> T | None:
        """A text turned into a value; what the reader's ValueError says becomes the reason."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return reader(text)
        except ValueError as error:
            raise self.fail(key, str(error)) from None

    def finish(self) -> None:
        """Refuses the keys that nobody asked for."""
        for key in self.values:
            if key not in self._known:
                close = get_close_matches(key, self._known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(set(self._known)))}"
                raise self.fail(key, f"is not known; {hint}")


# --- Settings -------------------------------------------------------------------------------------------------------

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "retransmit_initial_seconds": (0.001, 60),
    "retransmit_base": (1, 10),
    "retransmit_tries": (0, 50),
    "half_open_seconds": (0.1, 3600),
    "half_open_limit": (1, 1_000_000),
    "cookie_threshold": (0, 1_000_000),
    "cookie_secret_seconds": (1, 86400),
    "unprotected_answers_per_second": (1, 1_000_000),
    "child_limit": (0, 1_000_000),
    "initial_rounds": (2, 100),
    "retry_seconds": (0.01, 3600),
    "retry_tries": (0, 1000),
    "window_size": (1, 1000),
    "fragment_octets": (0, 65535),
    "fragment_limit": (1, 65535),
    "nonce_octets": (16, 256),
}
"""Lowest and highest value; every other setting may be from 0 to a year."""

_YEAR: Final = 366 * 86400
_SMALLEST_DATAGRAM: Final = 576
"""Octets that every host takes: what RFC 7383 section 2.5.1 recommends for IPv4."""


def _settings(table: _Table) -> Settings:
    values: dict[str, Any] = {}
    defaults = Settings()
    for field in dataclasses.fields(Settings):
        bounds = _BOUNDS.get(field.name, (0, _YEAR))
        values[field.name] = table.number(field.name, getattr(defaults, field.name), *bounds)
    table.finish()
    if 0 < values["fragment_octets"] < _SMALLEST_DATAGRAM:
        raise table.fail("fragment_octets", f"is below {_SMALLEST_DATAGRAM}; 0 switches fragmentation off")
    return Settings(**values)


# --- Connections ----------------------------------------------------------------------------------------------------


def _pool(name: str, table: _Table) -> Pool:
    """Internal addresses, and what else peers are told (Sections 2.19, 3.15.1)."""
    ranges = _each(table, "addresses", pools.range_of)
    if not ranges:
        raise table.fail("addresses", "is missing; write networks or ranges of addresses to give out")
    told: list[CfgAttr] = []
    for word in ("netmask", "dns", "nbns", "dhcp"):
        told += _each(table, word, partial(attributes.server, word))
    if len([each for each in told if each.type == CfgAttribute.INTERNAL_IP4_NETMASK]) > 1:
        raise table.fail("netmask", "is one only")  # 7296-3.15.1-13
    told += _each(table, "subnets", attributes.subnet)
    table.finish()
    return Pool(name, ranges, tuple(told))


def _pools_of(table: _Table, known: dict[str, Pool]) -> tuple[Pool, ...]:
    names = table.texts("pools")
    for name in names:
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else f"write a table [pools.{name}]"
            raise table.fail("pools", f"there is no pool {name!r}; {there}")
    return tuple(known[name] for name in names)


def _request(table: _Table) -> tuple[CfgAttr, ...]:
    words = table.texts("request")
    try:
        return attributes.request(words) if words else ()
    except ValueError as error:
        raise table.fail("request", str(error)) from None


def _version(text: str) -> str:
    if not all(" " <= each <= "~" for each in text):
        raise ValueError("must be printable ASCII (Section 3.15.1)")  # 7296-3.15.1-24
    return text


def _each(table: _Table, key: str, reader: Callable[[str], T]) -> tuple[T, ...]:
    """Texts turned into values."""
    try:
        return tuple(reader(text) for text in table.texts(key))
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def _connection(name: str, table: _Table, base: Path, known: dict[str, Pool]) -> Connection:
    local_address = table.read("local_address", _address)
    remote_address = table.read("remote_address", _address)
    if local_address and remote_address and (":" in local_address) != (":" in remote_address):
        raise table.fail("remote_address", "is not of the same IP version as local_address")
    local_auth, remote_auth = _auth(table, base)
    children = table.table("children")
    connection = Connection(
        name=name,
        local_id=_local_id(table, local_address, local_auth),
        remote_id=_remote_id(table, remote_address),
        local_auth=local_auth,
        remote_auth=remote_auth,
        ike_proposals=_proposals(table, "ike_proposals", ProtocolId.IKE) or proposals.DEFAULT_IKE,
        children=tuple(_child(child, children.table(child)) for child in children.values),
        local_address=local_address,
        remote_address=remote_address,
        local_port=int(table.number("local_port", 500, 0, 65535)),
        local_nat_port=int(table.number("local_nat_port", 4500, 0, 65535)),
        remote_port=int(table.number("remote_port", 500, 1, 65535)),
        remote_nat_port=int(table.number("remote_nat_port", 4500, 1, 65535)),
        childless=table.flag("childless", False),
        initial_contact=table.flag("initial_contact", False),
        force_encapsulation=table.flag("force_encapsulation", False),
        request=_request(table),
        pools=_pools_of(table, known),
        configuration_required=table.flag("configuration_required", False),
        application_version=table.read("application_version", _version) or "",
    )
    if connection.configuration_required and not connection.pools:
        raise table.fail("configuration_required", "needs pools: without, nobody could ever get a Child SA")
    if not connection.children and not connection.childless:
        raise table.fail(
            "children", f"no Child SA is configured; write [{table.at('children')}.net], or childless = true"
        )
    table.finish()
    return connection


def _child(name: str, table: _Table) -> ChildConfig:
    esp = _proposals(table, "esp_proposals", ProtocolId.ESP)
    ah = _proposals(table, "ah_proposals", ProtocolId.AH)
    if esp and ah:
        raise table.fail("ah_proposals", "a Child SA has either esp_proposals or ah_proposals")
    mode = table.text("mode") or "tunnel"
    modes: dict[str, Mode] = {"tunnel": "tunnel", "transport": "transport"}
    if mode not in modes:
        raise table.fail("mode", f'must be "tunnel" or "transport", not {mode!r}')
    child = ChildConfig(
        name=name,
        proposals=esp or ah or proposals.DEFAULT_ESP,
        local_ts=_selectors(table, "local_ts"),
        remote_ts=_selectors(table, "remote_ts"),
        mode=modes[mode],
        start=table.flag("start", True),
        single_pair=table.flag("single_pair", False),
        non_first_fragments=table.flag("non_first_fragments", False),
        tfc_padding=table.flag("tfc_padding", True),
        ipcomp=_each(table, "ipcomp", _compression),
    )
    table.finish()
    return child


def _compression(text: str) -> int:
    known = {each.name.lower(): int(each) for each in IpcompTransform if each is not IpcompTransform.OUI}
    if text.lower() not in known:
        raise ValueError(f"{text!r} is none of {', '.join(known)}")
    return known[text.lower()]


def _proposals(table: _Table, key: str, protocol: int) -> tuple[Proposal, ...]:
    texts = table.texts(key)
    try:
        return proposals.parse(",".join(texts), protocol) if texts else ()
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def _selectors(table: _Table, key: str) -> tuple[TrafficSelector, ...]:
    """`dynamic`, alone, stands for the address of the IKE SA, as does leaving the key out."""
    texts = table.texts(key)
    if texts == ("dynamic",):
        return ()
    try:
        return tuple(selectors.from_text(part) for text in texts for part in text.split(","))
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no numeric IPv4 or IPv6 address; names are not looked up") from None


# --- Identities and credentials --------------------------------------------------------------------------------------


def _local_id(table: _Table, address: str | None, credential: OwnCredential) -> Identity:
    identity = table.read("local_id", identities.parse)
    if identity is not None:
        return identity
    if isinstance(credential, PrivateKey) and credential.chain:
        subject = x509.load_der_x509_certificate(credential.chain[0]).subject
        return Identity(IdType.DER_ASN1_DN, subject.public_bytes())
    if address is not None:
        return identities.parse(address)
    raise table.fail("local_id", "is missing, and there is neither a certificate nor a local_address to take it from")


def _remote_id(table: _Table, address: str | None) -> Identity | None:
    if table.text("remote_id") == "any":
        return None
    identity = table.read("remote_id", identities.parse)
    if identity is not None:
        return identity
    if address is not None:
        return identities.parse(address)
    raise table.fail(
        "remote_id", 'is missing, and there is no remote_address to take it from; "any" accepts every identity'
    )


def _auth(table: _Table, base: Path) -> tuple[OwnCredential, PeerCredential]:
    """Either `psk` for both ends, or `local_auth` and `remote_auth` for each."""
    shared = table.read("psk", _secret)
    local, remote = table.table("local_auth"), table.table("remote_auth")
    if shared is not None:
        for key in ("local_auth", "remote_auth"):
            if key in table.values:
                raise table.fail(
                    key, f"psk already says how both ends authenticate; move it into {key}, or leave this out"
                )
        return shared, shared
    for key in ("local_auth", "remote_auth"):
        if key not in table.values:
            raise table.fail(key, "is missing; write psk for both ends, or both local_auth and remote_auth")
    own = _own_credential(local, base)
    peer = _peer_credential(remote, base)
    local.finish()
    remote.finish()
    return own, peer


def _own_credential(table: _Table, base: Path) -> OwnCredential:
    secret = table.read("psk", _secret)
    key_file, chain_files = table.text("key"), table.texts("certificates")
    if secret is not None:
        if key_file or chain_files:
            raise table.fail("psk", "stands beside key or certificates; one way to authenticate is needed")
        return secret
    if key_file is None:
        raise table.fail("", "needs psk, or key with certificates")
    key = table.read("key", lambda name: read_key(base / name))
    assert key is not None
    chain = _certificates(table, "certificates", chain_files, base)
    if chain and x509.load_der_x509_certificate(chain[0]).public_key() != key.public_key():
        raise table.fail("certificates", f"the first certificate, in {chain_files[0]}, is not of the key in {key_file}")
    return PrivateKey(key, chain)


def _peer_credential(table: _Table, base: Path) -> PeerCredential:
    secret = table.read("psk", _secret)
    files = table.texts("authorities")
    if secret is not None:
        if files:
            raise table.fail("psk", "stands beside authorities; one way to authenticate is needed")
        return secret
    if not files:
        raise table.fail("", "needs psk, or authorities (files with certificates)")
    return TrustAnchors(_certificates(table, "authorities", files, base))


def _certificates(table: _Table, key: str, files: Iterable[str], base: Path) -> tuple[bytes, ...]:
    try:
        return tuple(der for name in files for der in read_certificates(base / name))
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def _secret(text: str) -> Secret:
    """Text as it is, `0x` and hexadecimal, or `0s` and base64. What is wrong is told without showing it."""
    try:
        if text.startswith("0x"):
            return Secret(bytes.fromhex(text[2:]))
        if text.startswith("0s"):
            return Secret(base64.b64decode(text[2:], validate=True))
    except (ValueError, binascii.Error):
        kind = "hexadecimal digits" if text.startswith("0x") else "base64"
        raise ValueError(f"after {text[:2]} {kind} must follow") from None
    return Secret(text.encode("utf-8"))
