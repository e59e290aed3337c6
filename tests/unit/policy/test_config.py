"""Configurations in TOML, among them the one in the documentation."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ikeref.policy import identities, proposals, selectors
from ikeref.policy.config import ConfigError, Connection, Settings, load
from ikeref.policy.credentials import PrivateKey, Secret, TrustAnchors
from ikeref.registry import ProtocolId

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "configuration.md"

MINIMAL = """
[connections.home]
local_address = "10.0.0.1"
remote_address = "10.0.0.2"
psk = "secret"
[connections.home.children.net]
"""


def only(text: str) -> Connection:
    (connection,) = load(text).connections
    return connection


def write_pki(folder: Path) -> None:
    """moon.key, moon.pem, ca.pem and other.key."""
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("moon", "ca", "other")}
    for name, key in keys.items():
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")]))
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .sign(keys["ca"], hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        (folder / f"{name}.key").write_bytes(key.private_bytes(pem, plain, serialization.NoEncryption()))
    locked = keys["moon"].private_bytes(pem, plain, serialization.BestAvailableEncryption(b"x"))
    (folder / "locked.key").write_bytes(locked)


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    write_pki(tmp_path)
    (tmp_path / "ikeref.toml").write_text(example())
    configuration = load(tmp_path / "ikeref.toml")
    assert configuration.settings == Settings()
    office, warriors = configuration.connections
    assert office.name == "office"
    assert (office.local_address, office.remote_address) == ("192.0.2.1", "198.51.100.7")
    assert office.local_id == identities.parse("@moon.example.org")
    assert office.remote_id == identities.parse("@sun.example.org")
    assert office.local_auth == office.remote_auth == Secret(b"Blue Moon of Kentucky")
    assert proposals.format_all(office.ike_proposals) == "aes256gcm16-prfsha256-x25519, aes128-sha256-modp2048"
    net, hosts = office.children
    assert proposals.format_all(net.proposals) == "aes256gcm16-x25519-none"
    assert [selectors.to_text(ts) for ts in net.remote_ts] == ["10.0.2.0/24", "10.0.3.0/24[tcp/443]"]
    assert (net.mode, net.start, hosts.mode, hosts.start) == ("tunnel", True, "transport", False)
    assert hosts.local_ts == hosts.remote_ts == ()
    assert warriors.remote_id is None
    assert isinstance(warriors.local_auth, PrivateKey)
    assert warriors.local_id == identities.parse("CN=moon")
    assert isinstance(warriors.remote_auth, TrustAnchors)
    assert [anchor.subject.rfc4514_string() for anchor in warriors.remote_auth.parsed()] == ["CN=ca"]


def test_the_documentation_lists_every_setting_with_its_default() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8").partition("## Settings")[2]
    documented: dict[str, str] = {}
    for row in re.findall(r"^\| (`.*?) \|.*\| (.*?) \|$", text, re.MULTILINE):
        keys, defaults = re.findall(r"`(\w+)`", row[0]), row[1].split(", ")
        documented |= zip(keys, defaults * len(keys) if len(defaults) == 1 else defaults, strict=False)
    assert documented == {field.name: repr(field.default) for field in dataclasses.fields(Settings)}


def test_the_documentation_lists_every_word_of_proposals_that_is_not_an_alias() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8").partition("## Proposals")[2].partition("## Traffic")[0]
    named = set(re.findall(r"`(\w+)`", text))
    first = {word.transform(): word.text for word in reversed(proposals.WORDS)}
    aes = {f"aes{bits}{suffix}" for bits in (128, 192, 256) for suffix in named if re.match("ctr|ccm|gcm", suffix)}
    assert set(first.values()) <= named | aes


def test_what_is_not_said_has_a_default() -> None:
    connection = only(MINIMAL)
    assert connection.ike_proposals == proposals.DEFAULT_IKE
    assert connection.children[0].proposals == proposals.DEFAULT_ESP
    assert connection.local_id == identities.parse("10.0.0.1")
    assert connection.remote_id == identities.parse("10.0.0.2")
    assert (connection.local_port, connection.remote_nat_port) == (500, 4500)


def test_settings_are_read() -> None:
    settings = load("[settings]\nretransmit_initial_seconds = 2\nretry_tries = 4\n" + MINIMAL).settings
    assert settings == Settings(retransmit_initial_seconds=2.0, retry_tries=4)
    assert isinstance(settings.retransmit_initial_seconds, float)


def test_ah_is_read() -> None:
    child = only(MINIMAL + 'ah_proposals = "sha256-esn"').children[0]
    assert {proposal.protocol_id for proposal in child.proposals} == {ProtocolId.AH}


def test_an_ike_sa_without_child_sa_has_to_be_meant() -> None:
    text = MINIMAL.replace("[connections.home.children.net]", "childless = true")
    assert only(text).children == ()


@pytest.mark.parametrize(
    ("psk", "octets"),
    [
        ("secret", b"secret"),
        ("Schlüssel", "Schlüssel".encode()),
        ("0x00ff", b"\x00\xff"),
        ("0sAP8=", b"\x00\xff"),
        (" two words ", b" two words "),
    ],
)
def test_a_shared_key_is_text_hexadecimal_or_base64(psk: str, octets: bytes) -> None:
    assert only(MINIMAL.replace('"secret"', f'"{psk}"')).local_auth == Secret(octets)


def home(*lines: str, without: str = "") -> str:
    """The minimal connection with further lines, and without one of its own."""
    head, _, child = MINIMAL.partition("[connections.home.children.net]")
    kept = [line for line in head.splitlines() if not (without and line.startswith(without))]
    return "\n".join([*kept, *lines, "[connections.home.children.net]", child])


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("x = [", "", "this is no TOML"),
        ("", "connections", "no connection is configured"),
        ("connections = 1", "connections", r"must be a table, \[connections\]"),
        (MINIMAL + "[setting]", "setting", "is not known; did you mean settings"),
        ("[settings]\nretransmit_try = 1" + MINIMAL, "settings.retransmit_try", "did you mean retransmit_tries"),
        ("[settings]\nretransmit_tries = 1.5" + MINIMAL, "settings.retransmit_tries", "must be a whole number"),
        ("[settings]\nretransmit_base = true" + MINIMAL, "settings.retransmit_base", "must be a number"),
        ("[settings]\nretransmit_base = 0.5" + MINIMAL, "settings.retransmit_base", "must be from 1 to 10, not 0.5"),
        ("[settings]\nnonce_octets = 31" + MINIMAL, "settings.nonce_octets", "must be from 32 to 256"),
        (home("qsk = 1"), "connections.home.qsk", "did you mean psk"),
        (home("zzz = 1"), "connections.home.zzz", "known are application_version, childless"),
        (home(without="psk"), "connections.home.local_auth", "is missing; write psk"),
        (home("local_auth = {psk = 'x'}"), "connections.home.local_auth", "psk already says"),
        (home("psk = ''", without="psk"), "connections.home.psk", "must be a text in quotes, and not empty"),
        (home("psk = 7", without="psk"), "connections.home.psk", "must be a text in quotes"),
        (home("psk = '0xabcdefg'", without="psk"), "connections.home.psk", "after 0x hexadecimal digits must follow"),
        (home("psk = '0s!'", without="psk"), "connections.home.psk", "after 0s base64 must follow"),
        (home("psk = '0x'", without="psk"), "connections.home.psk", "must follow"),
        (home("local_address = 'moon'", without="local_address"), "connections.home.local_address", "not looked up"),
        (home("remote_address = '::1'", without="remote_address"), "connections.home.remote_address", "IP version"),
        (home(without="local_address"), "connections.home.local_id", "is missing, and there is neither"),
        (home(without="remote_address"), "connections.home.remote_id", '"any" accepts every identity'),
        (home("remote_id = 'X=1'"), "connections.home.remote_id", "'X' is no attribute"),
        (home("ike_proposals = 'aes128'"), "connections.home.ike_proposals", "lacks a pseudorandom function"),
        (home("ike_proposals = 3"), "connections.home.ike_proposals", "must be a text in quotes, or an array"),
        (home("local_port = 65536"), "connections.home.local_port", "must be from 0 to 65535"),
        (home("remote_port = 0"), "connections.home.remote_port", "must be from 1 to 65535"),
        (home("childless = 'yes'"), "connections.home.childless", "must be true or false"),
        (home().replace("[connections.home.children.net]", ""), "connections.home.children", "no Child SA"),
        (MINIMAL + "mode = 'tunel'", "connections.home.children.net.mode", '"tunnel" or "transport", not \'tunel\''),
        (MINIMAL + "local_ts = '10.0.0.0/33'", "connections.home.children.net.local_ts", "write a network"),
        (MINIMAL + "local_ts = []\nlocal_tz = 1", "connections.home.children.net.local_tz", "did you mean local_ts"),
        (MINIMAL + "esp_proposals = 'aes128gcm16'\nah_proposals = 'sha256'",
         "connections.home.children.net.ah_proposals", "either esp_proposals or ah_proposals"),
        (home("local_auth = {psk = 'x'}", "remote_auth = {}", without="psk"),
         "connections.home.remote_auth", "needs psk, or authorities"),
        (home("local_auth = {}", "remote_auth = {}", without="psk"),
         "connections.home.local_auth", "needs psk, or key with certificates"),
        (home("local_auth = {psk = 'x', key = 'y'}", "remote_auth = {}", without="psk"),
         "connections.home.local_auth.psk", "stands beside key"),
        (home("local_auth = {psk = 'x', foo = 'y'}", "remote_auth = {psk = 'x'}", without="psk"),
         "connections.home.local_auth.foo", "known are certificates, eap, key, psk"),
        (home("local_auth = {psk = 'x'}", "remote_auth = {psk = 'x', authorities = 'y'}", without="psk"),
         "connections.home.remote_auth.psk", "stands beside authorities"),
        (home("local_auth = {key = 'gone.key'}", "remote_auth = {psk = 'x'}", without="psk"),
         "connections.home.local_auth.key", "gone.key can't be read: No such file"),
    ],
)  # fmt: skip
def test_errors_say_where_what_and_what_would_be_right(text: str, where: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        load(text)
    assert caught.value.where == where
    assert str(caught.value).startswith(where)


@pytest.mark.parametrize(
    ("auth", "where", "reason"),
    [
        ("key = 'moon.pem'", "key", "holds no RSA, ECDSA"),
        ("key = 'locked.key'", "key", "one with a password can't be read"),
        ("key = 'moon.key', certificates = ['moon.key']", "certificates", "holds no certificate"),
        ("key = 'other.key', certificates = ['moon.pem']", "certificates", "is not of the key in other.key"),
    ],
)
def test_keys_and_certificates_are_checked(tmp_path: Path, auth: str, where: str, reason: str) -> None:
    write_pki(tmp_path)
    text = home(f"local_auth = {{ {auth} }}", "remote_auth = { authorities = 'ca.pem' }", without="psk")
    with pytest.raises(ConfigError, match=reason) as caught:
        load(text, base=tmp_path)
    assert caught.value.where == f"connections.home.local_auth.{where}"


def test_der_files_are_read_too(tmp_path: Path) -> None:
    write_pki(tmp_path)
    der = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes()).public_bytes(serialization.Encoding.DER)
    (tmp_path / "ca.der").write_bytes(der)
    text = home("local_auth = { psk = 'x' }", "remote_auth = { authorities = 'ca.der' }", without="psk")
    (connection,) = load(text, base=tmp_path).connections
    assert connection.remote_auth == TrustAnchors((der,))


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    write_pki(tmp_path)
    (tmp_path / "ikeref.toml").write_text(example())
    shown = repr(load(tmp_path / "ikeref.toml"))
    assert "Kentucky" not in shown
    assert "Secret(21 octets)" in shown
    assert "PrivateKey(EC" in shown
    with pytest.raises(ConfigError) as caught:
        load(MINIMAL.replace('"secret"', '"0xsecret"'))
    assert "secret" not in str(caught.value)


def test_secrets_compare_by_their_octets() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"
    assert len({Secret(b"a"), Secret(b"a")}) == 1
    with pytest.raises(ValueError, match="at least one octet"):
        Secret(b"")


scalars: st.SearchStrategy[object] = st.one_of(
    st.integers(-5, 70000), st.booleans(), st.text("ab0x/.", max_size=6), st.just([]), st.just({})
)


@given(st.sampled_from([field.name for field in dataclasses.fields(Connection)]), scalars)
def test_any_value_is_loaded_or_refused_by_a_config_error(key: str, value: object) -> None:
    written = {True: "true", False: "false"}.get(value, repr(value)) if isinstance(value, bool) else repr(value)
    try:
        loaded = load(home(f"{key} = {written}", without=key))
    except ConfigError:
        return
    assert loaded.connections
