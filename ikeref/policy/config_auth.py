"""Reading from TOML who the ends are and how they prove it (Sections 2.15, 2.16, 3.5).

Departure D-5: beside an initiator that uses EAP, a responder may have a shared key.
"""

from pathlib import Path

from cryptography import x509

from ikeref.policy import config_eap, identities
from ikeref.policy.config_keys import public_key, secret
from ikeref.policy.config_trust import own_key, trust_anchors
from ikeref.policy.credentials import EapOnly, EapPeer, OwnCredential, PeerCredential, PrivateKey, RawKeys
from ikeref.policy.identities import Identity
from ikeref.policy.tables import Table
from ikeref.registry import IdType


def local_id(table: Table, address: str | None, credential: OwnCredential) -> Identity:
    identity = table.read("local_id", identities.parse)
    if identity is not None:
        return identity
    if isinstance(credential, PrivateKey) and credential.chain:
        subject = x509.load_der_x509_certificate(credential.chain[0]).subject
        return Identity(IdType.DER_ASN1_DN, subject.public_bytes())
    if isinstance(credential, EapPeer):
        return table.table("local_auth").read("identity", _access_identifier) or Identity(IdType.KEY_ID, b"")
    if address is not None:
        return identities.parse(address)
    raise table.fail("local_id", "is missing, and there is neither a certificate nor a local_address to take it from")


def _access_identifier(name: str) -> Identity:
    """A user's name for EAP as IDi: with a realm it is like a mail address (7296-3.5-17, 7296-3.5-19)."""
    return Identity(IdType.RFC822_ADDR if "@" in name else IdType.KEY_ID, name.encode("utf-8"))


def remote_id(table: Table, address: str | None) -> Identity | None:
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


def credentials(table: Table, base: Path) -> tuple[OwnCredential, PeerCredential]:
    """Either `psk` for both ends, or `local_auth` and `remote_auth` for each."""
    shared = table.read("psk", secret)
    local, remote = table.table("local_auth"), table.table("remote_auth")
    if shared is not None:
        for key in ("local_auth", "remote_auth"):
            if key in table.values:
                raise table.fail(
                    key, f"psk already says how both ends authenticate; move it into {key}, or leave this out"
                )
        return shared, shared
    alone = any(each.values.get("eap_only") is True for each in (local, remote))
    for key in ("local_auth", "remote_auth"):
        if key not in table.values and not alone:
            raise table.fail(key, "is missing; write psk for both ends, or both local_auth and remote_auth")
    if local.has("eap") and remote.has("eap"):
        raise table.fail("remote_auth.eap", "stands beside local_auth.eap, but only the initiator proves itself by EAP")
    if local.has("eap") and "remote_address" not in table.values:
        raise table.fail("remote_address", "is missing; who proves itself by EAP initiates, and must know to whom")
    identity = table.read("local_id", identities.parse)
    own = _own_credential(local, base, identity) if "local_auth" in table.values else EapOnly()
    peer = _peer_credential(remote, base, table.text("remote_id")) if "remote_auth" in table.values else EapOnly()
    local.finish()
    remote.finish()
    return own, peer


def _own_credential(table: Table, base: Path, local_id: Identity | None) -> OwnCredential:
    if table.has("eap"):
        return config_eap.peer(table, base, local_id)
    shared = table.read("psk", secret)
    key_file, chain_files = table.text("key"), table.texts("certificates")
    if shared is not None:
        if key_file or chain_files:
            raise table.fail("psk", "stands beside key or certificates; one way to authenticate is needed")
        return shared
    if key_file is None:
        raise table.fail("", "needs psk, or key with certificates, or eap")
    return own_key(table, base)


def _peer_credential(table: Table, base: Path, remote_id: str | None) -> PeerCredential:
    if table.has("eap"):
        return config_eap.server(table, base)
    shared = table.read("psk", secret)
    ways = [key for key in ("authorities", "public_keys") if table.has(key)]
    if shared is not None or len(ways) > 1:
        if ways:
            first = "psk" if shared is not None else ways[0]
            raise table.fail(first, f"stands beside {ways[-1]}; one way to authenticate is needed")
        assert shared is not None
        return shared
    if not ways:
        raise table.fail("", "needs psk, or authorities (files with certificates), or public_keys, or eap")
    return _raw_keys(table, base, remote_id) if ways == ["public_keys"] else trust_anchors(table, base)


def _raw_keys(table: Table, base: Path, remote_id: str | None) -> RawKeys:
    """`public_keys`: files for whoever the connection is for, or a table of identities with a file for each."""
    named = table.values["public_keys"]
    if not isinstance(named, dict):
        if remote_id == "any":
            raise table.fail("public_keys", 'with remote_id = "any", must say whose each is: { "ID" = FILE }')
        return RawKeys(tuple((None, public_key(table, "public_keys", base, f)) for f in table.texts("public_keys")))
    inner = table.table("public_keys")
    found: list[tuple[Identity | None, bytes]] = []
    for name in named:
        try:
            owner = identities.parse(name)
        except ValueError as error:
            raise inner.fail(name, str(error)) from None
        found += [(owner, public_key(inner, name, base, file)) for file in inner.texts(name)]
    return RawKeys(tuple(found))
