"""Reading a configuration from TOML; docs/configuration.md describes the format.

Nothing is guessed: an unknown key, a wrong type or a value out of range is a `ConfigError` that says where (the path of
the key), what is wrong and what would be right.
"""

import dataclasses
import ipaddress
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from ikeref.policy import attributes, config_auth, pools, proposals, selectors
from ikeref.policy.connections import ChildConfig, Configuration, Connection, Mode, Settings
from ikeref.policy.pools import Pool
from ikeref.policy.tables import ConfigError, Table
from ikeref.registry import CfgAttribute, IpcompTransform, ProtocolId
from ikeref.wire import CfgAttr, Proposal, TrafficSelector

__all__ = ["ChildConfig", "ConfigError", "Configuration", "Connection", "Mode", "Settings", "load"]

T = TypeVar("T")


def load(source: str | Path, *, base: Path = Path()) -> Configuration:
    """The configuration in a file (`Path`) or in a text (`str`).

    Names of files in it are relative to the folder of the configuration file, to `base` for a text. Raises ConfigError,
    and OSError where the configuration file itself can't be read.
    """
    if isinstance(source, Path):
        base = source.parent
        source = source.read_text(encoding="utf-8")
    try:
        root = Table(tomllib.loads(source), "")
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


# --- Settings -------------------------------------------------------------------------------------------------------

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "retransmit_initial_seconds": (0.001, 60),
    "retransmit_base": (1, 10),
    "retransmit_tries": (0, 50),
    "half_open_seconds": (0.1, 3600),
    "half_open_limit": (1, 1_000_000),
    "half_open_per_address": (0, 1_000_000),
    "unprotected_octets": (3000, 65535),
    "cookie_threshold": (0, 1_000_000),
    "cookie_secret_seconds": (1, 86400),
    "unprotected_answers_per_second": (1, 1_000_000),
    "child_limit": (0, 1_000_000),
    "initial_rounds": (2, 100),
    "eap_rounds": (10, 1000),
    "retry_seconds": (0.01, 3600),
    "retry_tries": (0, 1000),
    "window_size": (1, 1000),
    "fragment_octets": (0, 65535),
    "fragment_limit": (1, 65535),
    "message_octets": (3000, 1 << 24),
    "nonce_octets": (32, 256),  # half of the longest key of a PRF at least (7296-2.10-04)
}
"""Lowest and highest value; every other setting may be from 0 to a year."""

_YEAR: Final = 366 * 86400
_SMALLEST_DATAGRAM: Final = 576
"""Octets that every host takes: what RFC 7383 section 2.5.1 recommends for IPv4."""


def _settings(table: Table) -> Settings:
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


def _pool(name: str, table: Table) -> Pool:
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


def _pools_of(table: Table, known: dict[str, Pool]) -> tuple[Pool, ...]:
    names = table.texts("pools")
    for name in names:
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else f"write a table [pools.{name}]"
            raise table.fail("pools", f"there is no pool {name!r}; {there}")
    return tuple(known[name] for name in names)


def _request(table: Table) -> tuple[CfgAttr, ...]:
    words = table.texts("request")
    try:
        return attributes.request(words) if words else ()
    except ValueError as error:
        raise table.fail("request", str(error)) from None


def _version(text: str) -> str:
    if not all(" " <= each <= "~" for each in text):
        raise ValueError("must be printable ASCII (Section 3.15.1)")  # 7296-3.15.1-24
    return text


def _each(table: Table, key: str, reader: Callable[[str], T]) -> tuple[T, ...]:
    """Texts turned into values."""
    try:
        return tuple(reader(text) for text in table.texts(key))
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def _connection(name: str, table: Table, base: Path, known: dict[str, Pool]) -> Connection:
    local_address = table.read("local_address", _address)
    remote_address = table.read("remote_address", _address)
    if local_address and remote_address and (":" in local_address) != (":" in remote_address):
        raise table.fail("remote_address", "is not of the same IP version as local_address")
    local_auth, remote_auth = config_auth.credentials(table, base)
    children = table.table("children")
    connection = Connection(
        name=name,
        local_id=config_auth.local_id(table, local_address, local_auth),
        remote_id=config_auth.remote_id(table, remote_address),
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


def _child(name: str, table: Table) -> ChildConfig:
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


def _proposals(table: Table, key: str, protocol: int) -> tuple[Proposal, ...]:
    texts = table.texts(key)
    try:
        return proposals.parse(",".join(texts), protocol) if texts else ()
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def _selectors(table: Table, key: str) -> tuple[TrafficSelector, ...]:
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
