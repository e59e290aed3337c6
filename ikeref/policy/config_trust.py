"""Reading from TOML which certificates are shown, and which are believed (Sections 3.6 and 3.7, RFC 4806)."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from ikeref.policy import lookup
from ikeref.policy.config_keys import certificates, private_key, statements
from ikeref.policy.credentials import PrivateKey, Strictness, TrustAnchors
from ikeref.policy.keyfiles import read_crl, read_response
from ikeref.policy.tables import Table

_STRICTNESS: Final[dict[str, Strictness]] = {"off": "off", "if-available": "if-available", "require": "require"}


def own_key(table: Table, base: Path) -> PrivateKey:
    """`local_auth` with a key: what is shown with it, and `others` for peers that trust other authorities."""
    found = _one_key(table, base)
    entries = table.values.get("others", []) if table.has("others") else []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise table.fail("others", "must be an array of tables, each with key and certificates")
    others = []
    for index, entry in enumerate(entries):
        inner = Table(entry, table.at(f"others[{index}]"))
        if "key" not in entry:
            raise inner.fail("key", "is missing")
        others.append(_one_key(inner, base))
        inner.finish()
    return replace(found, others=tuple(others))


def _one_key(table: Table, base: Path) -> PrivateKey:
    found = private_key(table, base)
    urls, bundle_url = table.texts("urls"), table.read("bundle_url", _url) or ""
    crls = statements(table, "crls", base, read_crl)
    responses = statements(table, "ocsp_responses", base, read_response)
    for key in ("urls", "bundle_url", "crls", "ocsp_responses"):
        if key in table.values and not found.chain:
            raise table.fail(key, "needs certificates")
    if len(urls) > len(found.chain):
        raise table.fail("urls", f"are more than the {len(found.chain)} certificates, of which each has one")
    try:
        checked = tuple(_url(url) for url in urls)
    except ValueError as error:
        raise table.fail("urls", str(error)) from None
    return replace(found, urls=checked, bundle_url=bundle_url, crls=crls, responses=responses)


def _url(text: str) -> str:
    return lookup.url_of(bytes(lookup.HASH_OCTETS) + text.encode("utf-8"))


def trust_anchors(table: Table, base: Path) -> TrustAnchors:
    """`remote_auth` with `authorities`."""
    files = table.texts("authorities")
    if not files:
        raise table.fail("authorities", "must name a file with certificates, or several")
    crls = statements(table, "crls", base, read_crl)
    asks = table.flag("ocsp", False)
    responders = certificates(table, "ocsp_responders", table.texts("ocsp_responders"), base)
    default = "if-available" if crls or asks else "off"
    word = table.text("revocation") or default
    if word not in _STRICTNESS:
        raise table.fail("revocation", f"must be one of {', '.join(_STRICTNESS)}, not {word!r}")
    if word == "off" and default != "off":
        raise table.fail("revocation", 'is "off", but there are crls or ocsp')
    if responders and not asks:
        raise table.fail("ocsp_responders", "needs ocsp = true")
    return TrustAnchors(
        certificates(table, "authorities", files, base),
        _STRICTNESS[word],
        crls,
        asks,
        responders,
        _hosts(table),
        table.flag("wildcards", False),
    )


def _hosts(table: Table) -> tuple[str, ...]:
    try:
        return tuple(lookup.host(text) for text in table.texts("lookup_hosts"))
    except ValueError as error:
        raise table.fail("lookup_hosts", str(error)) from None
