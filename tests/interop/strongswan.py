"""strongSwan's daemon in the laboratory: its configuration, its commands and its listing of SAs."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from ikeref.policy import addresses
from tests.interop import lab, vici
from tests.interop.listing import ChildListing, IkeListing, Listing
from tests.interop.pki import Pki
from tests.interop.scene import SECRET, USER, Connection

SUITE = "trixie"
PACKAGES = (
    "strongswan-swanctl",
    "charon-systemd",
    "libcharon-extra-plugins",
    "libcharon-extauth-plugins",
    "libstrongswan-extra-plugins",
    "libstrongswan-standard-plugins",
    "iproute2",
)

# The kernel may lack ESP: kernel-libipsec does it in the process, over a TUN device. It always reports a NAT, so that
# ESP goes in UDP (Section 2.23).
_SETTINGS = """
charon-systemd {{
  load_modular = yes
  plugins {{
    include /etc/strongswan.d/charon/*.conf
    kernel-libipsec {{
      load = yes
      allow_peer_ts = yes
    }}
    vici {{
      socket = unix:///lab/vici.sock
    }}
{unloaded}
  }}
  filelog {{
    lab {{
      path = /lab/charon.log
      time_format = %H:%M:%S
      time_add_ms = yes
      flush_line = yes
      default = 1
      ike = {level}
      chd = {level}
      cfg = 1
      enc = 1
    }}
  }}
{settings}
}}
"""
_UNLOADED = ("bypass-lan", "dhcp", "farp", "ha", "resolve", "test-vectors", "tnc-tnccs", "tpm", "updown")

_NOT_LISTED = ("CREATED", "CONNECTING", "DELETED", "DESTROYING")
"""States of SAs that do not exist for the protocol yet, or no longer: rekeyed ones are kept for packets under way."""


class StrongSwan:
    """A running daemon. `settings` are lines of strongswan.conf, such as `cookie_threshold = 1`.

    With `secrets` its log shows them, see `logged`. `library` is loaded before its own (see transport_mode.c).
    """

    def __init__(
        self,
        root: Path,
        namespace: str,
        settings: tuple[str, ...] = (),
        *,
        secrets: bool = False,
        library: Path | None = None,
    ) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="ikeref-lab-"))
        self._socket = self.scratch / "vici.sock"
        unloaded = "\n".join(f"    {plugin} {{\n      load = no\n    }}" for plugin in _UNLOADED)
        text = _SETTINGS.format(
            unloaded=unloaded, settings="\n".join(f"  {line}" for line in settings), level=4 if secrets else 2
        )
        (self.scratch / "strongswan.conf").write_text(text)
        before = ""
        if library is not None:
            shutil.copy(library, self.scratch / "before.so")
            before = "LD_PRELOAD=/lab/before.so "
        where = "STRONGSWAN_CONF=/lab/strongswan.conf SWANCTL_DIR=/lab/swanctl"
        command = f"env {before}{where} /usr/sbin/charon-systemd"
        self._daemon = lab.Daemon(root, namespace, self.scratch, command)
        try:
            lab.eventually("strongSwan listens to commands", self._ready, timeout=20)
        except BaseException:
            output = self.log()
            self.close()
            raise lab.LabError(f"strongSwan did not start:\n{output}") from None

    def _ready(self) -> bool:
        if not self._daemon.running():
            raise lab.LabError("strongSwan ended")
        if not self._socket.exists():
            return False
        try:
            vici.call(self._socket, "version")
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._daemon.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def log(self, lines: int = 120) -> str:
        """The end of what the daemon wrote."""
        texts = [path.read_text(errors="replace") for path in sorted(self.scratch.glob("*.log"))]
        return "\n".join("\n".join(text.splitlines()[-lines:]) for text in texts)

    def logged(self, what: str) -> list[bytes]:
        """Octets that the log shows under this name, such as `SKEYSEED` or `encryption initiator key`, in order."""
        found: list[bytes] = []
        left = 0
        for line in (self.scratch / "charon.log").read_text(errors="replace").splitlines():
            if begin := re.search(rf"\] {re.escape(what)} => (\d+) bytes", line):
                left = int(begin[1])
                found.append(b"")
            elif left and (row := re.search(r"\] +\d+: ((?:[0-9A-F]{2} )+)", line)):
                found[-1] += bytes.fromhex(row[1])
                left = max(0, left - 16)
        return found

    def load(self, connection: Connection, pki: Pki | None = None) -> None:
        """Load a connection and its credentials, in place of what was loaded before."""
        folder = self.scratch / "swanctl"
        for name in ("x509", "x509ca", "x509crl", "private", "pubkey"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if pki is not None:
            credential = pki.credentials[connection.local.identity]
            (folder / "x509ca" / "authority.pem").write_bytes(pki.authority)
            if pki.intermediate:
                (folder / "x509ca" / "intermediate.pem").write_bytes(pki.intermediate)
            (folder / "x509" / "own.pem").write_bytes(credential.certificate)
            (folder / "private" / "own.pem").write_bytes(credential.private_key)
        for name, octets in connection.files.items():
            (folder / name).write_bytes(octets)
        (folder / "swanctl.conf").write_text(render(connection))
        self._daemon.inside(
            *("env", "SWANCTL_DIR=/lab/swanctl"),
            *("swanctl", "--load-all", "--uri", "unix:///lab/vici.sock"),
        )

    def create_child(self, child: str, timeout: float = 30) -> None:
        """Create a Child SA, and the IKE SA under it if there is none; wait until it stands."""
        self._command("initiate", {"child": child, "timeout": str(int(timeout * 1000))}, timeout)

    def connect_childless(self) -> None:
        """Create the IKE SA alone (RFC 6023)."""
        self._command("initiate", {"ike": "ike", "timeout": "30000"})

    def connect(self) -> None:
        self.create_child("first")

    def rekey_ike(self) -> None:
        self._command("rekey", {"ike": "ike"})

    def rekey_child(self, child: str) -> None:
        self._command("rekey", {"child": child})

    def delete_ike(self, timeout: float = 30) -> None:
        self._command("terminate", {"ike": "ike", "timeout": str(int(timeout * 1000))}, timeout)

    def delete_child(self, child: str, timeout: float = 30) -> None:
        self._command("terminate", {"child": child, "timeout": str(int(timeout * 1000))}, timeout)

    def _command(self, name: str, message: dict[str, str | list[str]], timeout: float = 30) -> None:
        vici.call(self._socket, name, message, timeout + 5)

    def sas(self) -> Listing:
        """Every IKE SA with its Child SAs, from its establishment to its deletion."""
        listed = vici.stream(self._socket, "list-sas", "list-sa")
        found = (_ike_listing(ike) for event in listed for ike in event.values() if isinstance(ike, dict))
        return frozenset(each for each in found if each.state not in _NOT_LISTED)

    def addresses(self) -> tuple[set[str], set[str]]:
        """The internal addresses that strongSwan has, and those that its peers have of it."""
        listed = vici.stream(self._socket, "list-sas", "list-sa")
        ikes = [ike for event in listed for ike in event.values() if isinstance(ike, dict)]
        return tuple(  # type: ignore[return-value]  # two of them
            {address for ike in ikes for address in ike.get(key, [])} for key in ("local-vips", "remote-vips")
        )


def _ike_listing(ike: vici.Section) -> IkeListing:
    children = ike.get("child-sas", {})
    assert isinstance(children, dict)
    listed = (_child_listing(child) for child in children.values() if isinstance(child, dict))
    return IkeListing(
        spi_i=_text(ike, "initiator-spi"),
        spi_r=_text(ike, "responder-spi"),
        initiator=_text(ike, "initiator") == "yes",
        suite=_suite(ike),
        children=frozenset(each for each in listed if each.state not in _NOT_LISTED),
        state=_text(ike, "state"),
    )


def _child_listing(child: vici.Section) -> ChildListing:
    local, remote = child.get("local-ts", []), child.get("remote-ts", [])
    assert isinstance(local, list)
    assert isinstance(remote, list)
    return ChildListing(
        spi_in=_text(child, "spi-in"),
        spi_out=_text(child, "spi-out"),
        mode=_text(child, "mode"),
        local_ts=frozenset(_selector(each) for each in local),
        remote_ts=frozenset(_selector(each) for each in remote),
        suite=_suite(child),
        state=_text(child, "state"),
    )


def _selector(text: str) -> str:
    """strongSwan writes the prefix of single addresses too, ranges with two dots, and protocols as numbers."""
    return addresses.to_text(addresses.from_text(text.replace("..", "-")))


_PROTOCOLS = (("[icmp", "[1"), ("[tcp", "[6"), ("[udp", "[17"))


def _numbered(text: str) -> str:
    """Selectors with protocols as numbers: the root knows no names."""
    for word, number in _PROTOCOLS:
        text = text.replace(word, number)
    return text


def _text(section: vici.Section, key: str) -> str:
    value = section.get(key, "")
    assert isinstance(value, str)
    return value


def _suite(sa: vici.Section) -> str:
    parts = (_transform(sa, "encr"), _transform(sa, "integ"), _text(sa, "prf-alg"), _text(sa, "dh-group"))
    return "/".join(part for part in parts if part)


def _transform(sa: vici.Section, kind: str) -> str:
    name, bits = _text(sa, f"{kind}-alg"), _text(sa, f"{kind}-keysize")
    return f"{name}-{bits}" if bits else name


def render(connection: Connection) -> str:
    """The connection as swanctl.conf."""
    local, remote, secrets = _auth(connection)
    further = "".join(f"\n        {line}" for line in connection.child_settings)
    children = "\n".join(
        f"""      {name} {{
        local_ts = {_numbered(connection.local.networks[name])}
        remote_ts = {_numbered(connection.remote.networks[name])}
        esp_proposals = {connection.child_proposals}
        rekey_time = 0
        start_action = none{further}
      }}"""
        for name in connection.local.networks
    )
    settings = "".join(f"\n    {line}" for line in connection.settings)
    remote += "".join(f"\n      {line}" for line in connection.trust)
    return f"""
connections {{
  ike {{
    version = 2
    local_addrs = {connection.local.address}
    remote_addrs = {connection.remote.public}
    proposals = {connection.proposals}
    rekey_time = 0
    mobike = no
    send_cert = always{settings}
    local {{
      id = {connection.local.identity}
{local}
    }}
    remote {{
      id = {connection.remote.identity}
{remote}
    }}
    children {{
{children}
    }}
  }}
}}
secrets {{
  ike-lab {{
    id-1 = {connection.local.identity}
    id-2 = {connection.remote.identity}
    secret = "{SECRET}"
  }}
{secrets}
}}
{connection.sections}
"""


def _auth(connection: Connection) -> tuple[str, str, str]:
    """How each end authenticates, the other end's part and secrets of EAP, as lines of swanctl.conf."""
    method, certificate = connection.auth, "      certs = own.pem"
    if method == "psk":
        return "      auth = psk", "      auth = psk", ""
    if method == "raw":
        own, peer = "      auth = pubkey\n      pubkeys = own.pub", "      auth = pubkey\n      pubkeys = peer.pub"
        return own, peer, ""
    key = f"      auth = pubkey\n{certificate}"
    if method in ("ecdsa", "rsa", "ed25519"):
        return key, "      auth = pubkey", ""
    if method == "eap-only":
        return f"      auth = eap-tls\n{certificate}", "      auth = eap-tls", ""
    if method == "eap-tls":
        eap = f"      auth = eap-tls\n{certificate}"
        return (eap, "      auth = pubkey", "") if connection.client else (key, "      auth = eap-tls", "")
    user = connection.local.identity if connection.client and not connection.asks else USER
    password = f'  eap-lab {{\n    id = {user}\n    secret = "{connection.password}"\n  }}'
    if connection.client:  # It tells eap_id only where it is asked.
        return f"      auth = {method}\n      eap_id = {user}", "      auth = pubkey", password
    asked = "%any" if connection.asks else USER
    return key, f"      auth = {method}\n      eap_id = {asked}", password
