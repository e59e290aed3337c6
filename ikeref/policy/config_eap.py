"""Reading from TOML how an initiator proves itself by EAP, at either end (Section 2.16, RFC 5998)."""

from pathlib import Path
from typing import Final

from ikeref.policy import identities
from ikeref.policy.config_keys import certificates, private_key, secret
from ikeref.policy.credentials import SAFE_EAP, EapPeer, EapServer, PrivateKey, Secret, TrustAnchors
from ikeref.policy.identities import Identity
from ikeref.policy.tables import Table
from ikeref.registry import EapType, IdType

METHODS: Final[dict[str, EapType]] = {
    "mschapv2": EapType.MSCHAPV2,
    "md5": EapType.MD5_CHALLENGE,
    "tls": EapType.TLS,
}
_BY_PASSWORD: Final = (EapType.MSCHAPV2, EapType.MD5_CHALLENGE)
_NAMED: Final = (IdType.FQDN, IdType.RFC822_ADDR, IdType.KEY_ID)
"""Identities whose data are a user's name as it is written."""


def peer(table: Table, base: Path, local_id: Identity | None) -> EapPeer:
    """`local_auth` of an initiator."""
    methods = _methods(table)
    identity = table.text("identity")
    if identity is not None:
        name = identity.encode("utf-8")
    elif local_id is not None and local_id.id_type in _NAMED:
        name = local_id.data
    else:
        raise table.fail("identity", "is missing, and there is no local_id that is a name or a mail address")
    password = _password(table, "password", methods)
    key, anchors = _tls(table, base, methods)
    server_id = table.read("server_id", identities.parse)
    return EapPeer(methods, name, password, key, anchors, server_id, _only(table, methods))


def server(table: Table, base: Path) -> EapServer:
    """`remote_auth` of a responder."""
    methods = _methods(table)
    users = table.table("users")
    found = tuple((name.encode("utf-8"), _user(users, name, methods)) for name in users.values)
    users.finish()
    if bool(found) != any(method in _BY_PASSWORD for method in methods):
        wanted = "is for mschapv2 and md5 alone" if found else "is missing: names and passwords, for mschapv2 and md5"
        raise table.fail("users", wanted)
    key, anchors = _tls(table, base, methods)
    asks = table.flag("ask_identity", False)
    return EapServer(methods, found, key, anchors, asks, _only(table, methods))


def _methods(table: Table) -> tuple[int, ...]:
    names = table.texts("eap")
    for name in names:
        if name not in METHODS:
            raise table.fail("eap", f"{name!r} is no method known here; known are {', '.join(METHODS)}")
    if not names or len(set(names)) != len(names):
        raise table.fail("eap", "must name each method once, the preferred first")
    return tuple(METHODS[name] for name in names)


def _password(table: Table, key: str, methods: tuple[int, ...]) -> Secret | None:
    found = table.read(key, secret)
    if (found is not None) != any(method in _BY_PASSWORD for method in methods):
        raise table.fail(key, "is missing" if found is None else "is for mschapv2 and md5 alone")
    if found is not None and EapType.MSCHAPV2 in methods:
        try:
            found.octets.decode("utf-8")
        except UnicodeDecodeError:
            raise table.fail(key, "must be UTF-8 text, for mschapv2") from None
    return found


def _user(users: Table, name: str, methods: tuple[int, ...]) -> Secret:
    found = _password(users, name, (*methods, EapType.MD5_CHALLENGE))
    assert found is not None
    return found


def _tls(table: Table, base: Path, methods: tuple[int, ...]) -> tuple[PrivateKey | None, TrustAnchors | None]:
    needed = EapType.TLS in methods
    for key in ("key", "certificates", "authorities"):
        if table.has(key) != needed:
            raise table.fail(key, "is missing, which tls needs" if needed else "is for tls alone")
    if not needed:
        return None, None
    files = table.texts("authorities")
    return private_key(table, base), TrustAnchors(certificates(table, "authorities", files, base))


def _only(table: Table, methods: tuple[int, ...]) -> bool:
    only = table.flag("eap_only", False)
    if only and not any(method in SAFE_EAP for method in methods):
        raise table.fail("eap_only", "needs a method that may stand alone, which is tls (RFC 5998 section 4)")
    return only
