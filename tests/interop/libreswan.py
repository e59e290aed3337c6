"""libreswan's daemon in the guest: its configuration, its commands and its listing of SAs."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from cryptography.x509 import load_pem_x509_certificate, load_pem_x509_certificates

from tests.interop import kernel
from tests.interop.guest import SCRATCH, Guest
from tests.interop.listing import IkeListing, Listing
from tests.interop.pki import Pki
from tests.interop.scene import SECRET, Connection

_LOG = f"{SCRATCH}/pluto.log"
_CREDENTIAL, _AUTHORITY = f"{SCRATCH}/own.p12", f"{SCRATCH}/authority.pem"
_NSS = "/var/lib/ipsec/nss"
_NICKNAME, _PASSWORD = "own", b"lab"

_CIPHERS = {
    **{f"aes{bits}": f"aes{bits}" for bits in (128, 192, 256)},
    **{f"aes{bits}ctr": f"aes_ctr{bits}" for bits in (128, 192, 256)},
    **{f"aes{bits}{mode}{size}": f"aes_{mode}_{size}_{bits}" for bits in (128, 192, 256) for mode in ("gcm", "ccm")
       for size in (8, 12, 16)},
    "3des": "3des",
    "chacha20poly1305": "chacha20_poly1305",
}  # fmt: skip
_HASHES = {
    "sha1": "sha1",
    "sha256": "sha2_256",
    "sha384": "sha2_384",
    "sha512": "sha2_512",
    "aesxcbc": "aes_xcbc",
    "aescmac": "aes_cmac",
}
_GROUPS = {
    "modp1024": "dh2",
    "modp1536": "modp1536",
    "modp2048": "modp2048",
    "modp3072": "modp3072",
    "modp4096": "modp4096",
    "modp6144": "modp6144",
    "modp8192": "modp8192",
    "ecp256": "dh19",
    "ecp384": "dh20",
    "ecp521": "dh21",
    "x25519": "dh31",
}
_GROUP_WORDS = {
    "DH19": "ECP_256",
    "DH20": "ECP_384",
    "DH21": "ECP_521",
    "DH31": "CURVE_25519",
    **{f"MODP{bits}": f"MODP_{bits}" for bits in (1024, 1536, 2048, 3072, 4096, 6144, 8192)},
}
_WHACK = "/usr/libexec/ipsec/whack"
_CUT = "cut here"
_TELLING = '" #[0-9]+: |(initiator|responder) SPI: |our spi: |:IKE=|ESTABLISHED_IKE_SA'
"""What of the log says which SPIs and transforms an SA has."""
_AUTHS = {"psk": "secret", "ecdsa": "ecdsa", "rsa": "rsasig"}


class Libreswan:
    """A running daemon. `lines` are further ones of every connection, such as `encapsulation=yes`."""

    def __init__(self, guest: Guest, lines: tuple[str, ...] = ()) -> None:
        self._guest = guest
        self._lines = lines
        self._children: tuple[str, ...] = ()
        self.keys: dict[str, kernel.Half] = {}
        """Each half of a Child SA that was ever listed, by its SPI."""
        guest.run(f"rm -rf {_LOG} {_NSS} /run/pluto; mkdir -p {_NSS} /run/pluto; ipsec initnss")

    def close(self) -> None:
        """End it, and what it left in the kernel."""
        self._guest.run("ipsec whack --shutdown --leave-state", check=False)
        self._guest.run("ip xfrm state flush; ip xfrm policy flush", check=False)

    def log(self, lines: int = 120) -> str:
        """The end of what the daemon wrote, but for its debugging."""
        return self._guest.run(f"grep -v '^[^\"]*: |' {_LOG} | tail -n {lines}", check=False)

    def load(self, connection: Connection, pki: Pki | None = None) -> None:
        """Start with a connection and its credentials."""
        if pki is not None and connection.auth != "psk":
            self._import(connection, pki)
        self._children = tuple(connection.local.networks)
        self._guest.write("/etc/ipsec.conf", render(connection, self._lines))
        ours, theirs = connection.local.identity, connection.remote.identity
        self._guest.write("/etc/ipsec.secrets", f'@{ours} @{theirs} : PSK "{SECRET}"\n')
        adds = "".join(f" && ipsec add {child}" for child in self._children)
        self._guest.run(f"ipsec pluto --config /etc/ipsec.conf{adds} && ipsec whack --listen")
        self._whack("--impair revival")  # What is deleted stays deleted.

    def _import(self, connection: Connection, pki: Pki) -> None:
        credential = pki.credentials[connection.local.identity]
        container = pkcs12.serialize_key_and_certificates(
            _NICKNAME.encode(),
            load_pem_private_key(credential.private_key, None),  # type: ignore[arg-type]  # the kinds that pki makes
            load_pem_x509_certificate(credential.certificate),
            load_pem_x509_certificates(pki.intermediate) if pki.intermediate else None,
            BestAvailableEncryption(_PASSWORD),
        )
        self._guest.write(_CREDENTIAL, container)
        self._guest.write(_AUTHORITY, pki.authority)
        self._guest.run(
            f"pk12util -i {_CREDENTIAL} -d sql:{_NSS} -W {_PASSWORD.decode()} -K ''"
            f" && certutil -A -d sql:{_NSS} -n authority -t CT,, -a -i {_AUTHORITY}"
        )

    def connect(self) -> None:
        self.create_child("first")

    def create_child(self, child: str) -> None:
        self._whack(f"--name {child} --initiate")

    def rekey_child(self, child: str) -> None:
        self._whack(f"--name {child} --rekey-child --asynchronous")

    def rekey_ike(self) -> None:
        self._whack("--name first --rekey-ike --asynchronous")

    def delete_child(self, child: str) -> None:
        self._whack(f"--name {child} --terminate")

    def delete_ike(self) -> None:
        for child in reversed(self._children):
            self._whack(f"--name {child} --terminate")

    def _whack(self, words: str) -> str:
        return self._guest.run(f"{_WHACK} {words}")

    def sas(self) -> Listing:
        """Every IKE SA with its Child SAs, as the daemon lists them and the kernel has them."""
        told = self._guest.run(f"{_WHACK} --showstates; echo {_CUT}; grep -aE '{_TELLING}' {_LOG}; {kernel.COMMAND}")
        states, _, log = told.partition(_CUT)
        halves, policies = kernel.halves(told), kernel.outbound_policies(told)
        self.keys.update(halves)
        spis, suites = _ike_spis(log), _ike_suites(log)
        listed = []
        for number in re.findall(r'^#(\d+): "\w+".* ESTABLISHED_IKE_SA ', states, re.MULTILINE):
            children = [
                kernel.child_listing(spi_in, spi_out, _child_group(log, spi_out), halves, policies)
                for spi_in, spi_out in _children(states, number)
            ]
            spi_i, spi_r, initiator = spis.get(number, ("", "", False))
            listed.append(IkeListing(spi_i, spi_r, initiator, suites.get(number, ""), frozenset(children)))
        return frozenset(listed)


def _children(states: str, ike: str) -> list[tuple[str, str]]:
    """SPI in and out of each Child SA of the IKE SA with this number."""
    established = rf'^#(\d+): "(\w+)".* ESTABLISHED_CHILD_SA .*IKE SA #{ike};'
    found = []
    for number, name in re.findall(established, states, re.MULTILINE):
        spis = re.search(rf'^#{number}: "{name}" esp[.:](\w+)@\S+ esp[.:](\w+)@', states, re.MULTILINE)
        found.append((f"{spis[2]:0>8}", f"{spis[1]:0>8}") if spis else ("", ""))
    return found


def _ike_suites(log: str) -> dict[str, str]:
    """The transforms of each IKE SA, by its number, in strongSwan's words."""
    found = {}
    for number, cipher, integ, prf, group in re.findall(
        r'" #(\d+): [^|\n]*\{cipher=(\w+) integ=(\S+) prf=(\w+) group=(\w+)\}', log
    ):
        name, bits = re.fullmatch(r"(\w+?)(?:_(\d{3}))?", cipher).groups()  # type: ignore[union-attr]  # always
        parts = [f"{name}-{bits}" if bits else name, "" if integ == "n/a" else integ, f"PRF_{prf}"]
        found[number] = "/".join(part for part in (*parts, _GROUP_WORDS.get(group, group)) if part)
    return found


def _child_group(log: str, spi_out: str) -> str:
    found = re.findall(rf"ESP(?:inUDP)?=>0x{spi_out} .*?xfrm=[^\s-]+-\w+(?:-(\w+))?", log)
    return _GROUP_WORDS.get(found[-1], found[-1]) if found and found[-1] else ""


_OCTETS = "(?:[0-9a-f]{2} +){7}[0-9a-f]{2}"
_STEPS = re.compile(
    rf"initiator SPI: (?P<spi_i>{_OCTETS})|responder SPI: (?P<spi_r>{_OCTETS})|our spi: (?P<latest>{_OCTETS})"
    r'|" #(?P<asked>\d+): proposal .*:IKE=\S+ SPI=(?P<asking>[0-9a-f]{16}) chosen'
    r"|accepted IKE proposal .*:IKE=\S+ SPI=(?P<answer>[0-9a-f]{16})"
    r'|" #(?P<asks>\d+): sent CREATE_CHILD_SA request to rekey IKE SA'
    r"|#(?P<answered>\d+)\.st_v2_transition REKEY_IKE_I1 "
    r"|parent state #(?P<established>\d+): (?P<before>\w+)\([^)]*\) => ESTABLISHED_IKE_SA"
)


def _ike_spis(log: str) -> dict[str, tuple[str, str, bool]]:
    """SPIs of each IKE SA and whether the daemon is its initiator, by its number.

    It tells them in its debugging alone: those of a first IKE SA in the headers of its messages, those of its
    successors in the proposals. Two successors may be under way at once.
    """
    found: dict[str, tuple[str, str, bool]] = {}
    spi_i = spi_r = latest = answered = ""
    own: dict[str, str] = {}
    theirs: dict[str, str] = {}
    for step in filter(None, map(_STEPS.search, log.splitlines())):
        spi_i, spi_r = _plain(step["spi_i"]) or spi_i, _plain(step["spi_r"]) or spi_r
        latest, answered = _plain(step["latest"]) or latest, step["answered"] or answered
        if step["asks"]:
            own[step["asks"]] = latest
        elif step["asked"]:
            theirs[step["asked"]] = step["asking"]
        elif step["answer"] and answered:
            theirs.setdefault(answered, step["answer"])
        elif number := step["established"]:
            initiator = bool(re.search(r"_I\d?$", step["before"]))
            if "REKEY" in step["before"]:
                mine, other = own.get(number, latest), theirs.get(number, "")
                found[number] = (mine, other, True) if initiator else (other, mine, False)
            else:
                found[number] = (spi_i, spi_r, initiator)
    return found


def _plain(octets: str | None) -> str:
    return (octets or "").replace(" ", "")


def proposals(text: str, *, child: bool = False) -> str:
    """Proposals in libreswan's words."""
    return ",".join(_proposal(each.strip().split("-"), child) for each in text.split(","))


def _proposal(words: list[str], child: bool) -> str:
    ciphers = "+".join(_CIPHERS[word] for word in words if word in _CIPHERS)
    hashes = "+".join(_HASHES[word.removeprefix("prf")] for word in words if word.removeprefix("prf") in _HASHES)
    groups = "+".join(_GROUPS[word] for word in words if word in _GROUPS)
    first = "-".join(part for part in (ciphers, hashes) if part)
    return f"{first}{';' if child else '-'}{groups}" if groups else first


def render(connection: Connection, lines: tuple[str, ...] = ()) -> str:
    """The connection as ipsec.conf."""
    local, remote = connection.local, connection.remote
    lines = (*connection.settings, *lines)
    if connection.auth != "psk":
        lines = (f"leftcert={_NICKNAME}", "leftsendcert=always", "sendca=all", "rightca=%same", *lines)
    further = "".join(f"  {line}\n" for line in lines)
    pfs = "yes" if any(word in _GROUPS for word in re.split("[-,]", connection.child_proposals)) else "no"
    children = "".join(
        f"conn {name}\n  also=base\n  leftsubnet={local.networks[name]}\n  rightsubnet={remote.networks[name]}\n"
        for name in local.networks
    )
    return f"""config setup
  logfile={_LOG}
  plutodebug=base
  uniqueids=no
conn base
  keyexchange=ikev2
  authby={_AUTHS[connection.auth]}
  left={local.address}
  leftid=@{local.identity}
  right={remote.public}
  rightid=@{remote.identity}
  ike={proposals(connection.proposals)}
  esp={proposals(connection.child_proposals, child=True)}
  pfs={pfs}
  rekey=no
  leftupdown=%disabled
  retransmit-interval=200
{further}
{children}"""
