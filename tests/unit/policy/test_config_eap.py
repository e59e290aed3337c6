"""EAP in a configuration: what is read, and what is refused, with reasons (Section 2.16)."""

from pathlib import Path

import pytest

from ikeref.policy.config import ConfigError, load
from ikeref.policy.connections import Connection
from ikeref.policy.credentials import EapOnly, EapPeer, EapServer, PrivateKey, Secret, TrustAnchors
from ikeref.policy.identities import parse
from ikeref.registry import EapType
from tests.interop.pki import make_pki

CLIENT = """
[connections.office]
remote_address = "198.51.100.7"
local_id = "carol@example.org"
{local}
{remote}
[connections.office.children.net]
"""
SERVER = """
[connections.users]
local_address = "198.51.100.7"
remote_id = "any"
{local}
{remote}
[connections.users.children.net]
"""
TRUST = 'remote_auth = { authorities = "ca.pem" }'
SHOWN = 'local_auth = { key = "own.key", certificates = "own.pem" }'
KEYS = 'key = "own.key", certificates = "own.pem", authorities = "ca.pem"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_pki("own.example")
    where = tmp_path_factory.mktemp("keys")
    (where / "ca.pem").write_bytes(made.authority)
    (where / "own.pem").write_bytes(made.credentials["own.example"].certificate)
    (where / "own.key").write_bytes(made.credentials["own.example"].private_key)
    return where


def client(local: str, remote: str = TRUST, *, base: Path = Path()) -> Connection:
    return load(CLIENT.format(local=local, remote=remote), base=base).connections[0]


def server(remote: str, local: str = SHOWN, *, base: Path = Path()) -> Connection:
    return load(SERVER.format(local=local, remote=remote), base=base).connections[0]


def test_an_initiator_with_a_password(folder: Path) -> None:
    made = client('local_auth = { eap = ["mschapv2", "md5"], password = "pw" }', base=folder)
    assert made.local_auth == EapPeer((EapType.MSCHAPV2, EapType.MD5_CHALLENGE), b"carol@example.org", Secret(b"pw"))
    assert isinstance(made.remote_auth, TrustAnchors)
    assert made.local_id == parse("carol@example.org")
    named = client('local_auth = { eap = "md5", password = "pw", identity = "carol" }', base=folder)
    assert isinstance(named.local_auth, EapPeer)
    assert named.local_auth.identity == b"carol"


def test_the_identity_stands_for_a_missing_local_id(folder: Path) -> None:
    text = CLIENT.replace('local_id = "carol@example.org"\n', "")
    for name, expected in (("dave", "keyid:dave"), ("dave@example.org", "email:dave@example.org")):
        own = f'local_auth = {{ eap = "md5", password = "pw", identity = "{name}" }}'
        made = load(text.format(local=own, remote=TRUST), base=folder).connections[0]
        assert made.local_id == parse(expected)


def test_an_initiator_with_tls(folder: Path) -> None:
    made = client(f'local_auth = {{ eap = "tls", {KEYS}, server_id = "@sun.example" }}', base=folder).local_auth
    assert isinstance(made, EapPeer)
    assert made.methods == (EapType.TLS,)
    assert isinstance(made.key, PrivateKey)
    assert isinstance(made.anchors, TrustAnchors)
    assert made.server == parse("@sun.example")
    assert not made.only


def test_eap_alone_at_both_ends(folder: Path) -> None:
    initiator = client(f'local_auth = {{ eap = "tls", {KEYS}, eap_only = true }}', "", base=folder)
    assert isinstance(initiator.local_auth, EapPeer)
    assert initiator.local_auth.only
    assert initiator.remote_auth == EapOnly()
    responder = server(f'remote_auth = {{ eap = "tls", {KEYS}, eap_only = true }}', "", base=folder)
    assert isinstance(responder.remote_auth, EapServer)
    assert responder.local_auth == EapOnly()


def test_a_responder_with_users(folder: Path) -> None:
    made = server('remote_auth = { eap = "mschapv2", users = { carol = "pw", dave = "0x6f7065" } }', base=folder)
    assert isinstance(made.remote_auth, EapServer)
    assert made.remote_auth.password(b"carol") == Secret(b"pw")
    assert made.remote_auth.password(b"dave") == Secret(b"ope")
    assert made.remote_auth.password(b"eve") is None
    assert not made.remote_auth.ask_identity
    assert "pw" not in repr(made)


@pytest.mark.parametrize(
    ("local", "remote", "where", "reason"),
    [
        ('local_auth = { eap = "ttls" }', TRUST, "local_auth.eap", "known are mschapv2"),
        ("local_auth = { eap = [] }", TRUST, "local_auth.eap", "must name each method once"),
        ('local_auth = { eap = ["md5", "md5"] }', TRUST, "local_auth.eap", "must name each method once"),
        ('local_auth = { eap = "md5" }', TRUST, "local_auth.password", "is missing"),
        ('local_auth = { eap = "md5", password = "0xz" }', TRUST, "local_auth.password", "hexadecimal"),
        ('local_auth = { eap = "mschapv2", password = "0xff" }', TRUST, "local_auth.password", "UTF-8"),
        ('local_auth = { eap = "md5", password = "p", key = "k" }', TRUST, "local_auth.key", "is for tls alone"),
        ('local_auth = { eap = "tls", password = "p" }', TRUST, "local_auth.password", "is for mschapv2 and md5 alone"),
        ('local_auth = { eap = "tls" }', TRUST, "local_auth.key", "is missing, which tls needs"),
        ('local_auth = { eap = "md5", password = "p", eap_only = true }', TRUST, "local_auth.eap_only", "stand alone"),
        ('local_auth = { eap = "md5", password = "p", pasword = "q" }', TRUST,
         "local_auth.pasword", "did you mean password"),
        ('local_auth = { eap = "md5", password = "p" }', "", "remote_auth", "is missing"),
        ('local_auth = { eap = "md5", password = "p" }', 'remote_auth = { eap = "md5", users = { c = "p" } }',
         "remote_auth.eap", "only the initiator proves itself by EAP"),
    ],
)  # fmt: skip
def test_what_an_initiator_may_not_say(local: str, remote: str, where: str, reason: str, folder: Path) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        client(local, remote, base=folder)
    assert caught.value.where == f"connections.office.{where}"


@pytest.mark.parametrize(
    ("remote", "where", "reason"),
    [
        ('remote_auth = { eap = "mschapv2" }', "remote_auth.users", "is missing: names and passwords"),
        ('remote_auth = { eap = "tls", users = { c = "p" } }', "remote_auth.users", "is for mschapv2 and md5 alone"),
        ('remote_auth = { eap = "mschapv2", users = { c = "0xff" } }', "remote_auth.users.c", "UTF-8"),
        ('remote_auth = { eap = "md5", users = { c = 1 } }', "remote_auth.users.c", "must be a text"),
        ('remote_auth = { eap = "md5", users = { c = "p" }, ask_identity = 1 }', "remote_auth.ask_identity", "true or"),
    ],
)
def test_what_a_responder_may_not_say(remote: str, where: str, reason: str, folder: Path) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        server(remote, base=folder)
    assert caught.value.where == f"connections.users.{where}"


def test_who_uses_eap_has_to_know_the_responders_address(folder: Path) -> None:
    text = CLIENT.replace('remote_address = "198.51.100.7"', 'remote_id = "any"')
    with pytest.raises(ConfigError, match="must know to whom") as caught:
        load(text.format(local='local_auth = { eap = "md5", password = "p" }', remote=TRUST), base=folder)
    assert caught.value.where == "connections.office.remote_address"
