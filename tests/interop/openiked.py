"""OpenIKED's daemon in the guest: its configuration, its commands and its listing of SAs.

It has one Child SA for each policy, and rekeys by itself alone: a Child SA when the kernel says that it expires, which
here it is told to say (expire.py); an IKE SA when it is as old as the configuration has it (`ikelifetime`).
"""

from __future__ import annotations

import re
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from tests.interop import kernel, lab
from tests.interop.guest import SCRATCH, Guest
from tests.interop.listing import IkeListing, Listing
from tests.interop.pki import Pki
from tests.interop.scene import SECRET, Connection

_LOG = f"{SCRATCH}/iked.log"
_ON_DEMAND = f"{SCRATCH}/expire.py"
_CONFIGURATION = "/etc/iked.conf"
_EXPIRE = Path(__file__).parent / "expire.py"

_CIPHERS = {
    **{f"aes{bits}": f"aes-{bits}" for bits in (128, 192, 256)},
    **{f"aes{bits}gcm{size}": f"aes-{bits}-gcm{tail}" for bits in (128, 256) for size, tail in ((16, ""), (12, "-12"))},
    "3des": "3des",
}
_HASHES = {"sha1": "hmac-sha1", "sha256": "hmac-sha2-256", "sha384": "hmac-sha2-384", "sha512": "hmac-sha2-512"}
_GROUPS = {
    **{word: word for word in ("modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192")},
    **{word: word for word in ("ecp256", "ecp384", "ecp521")},
    "x25519": "curve25519",
}
_WORDS = {
    **{f"aes-{bits}": f"AES_CBC-{bits}" for bits in (128, 192, 256)},
    **{f"aes-{bits}-gcm": f"AES_GCM_16-{bits}" for bits in (128, 256)},
    **{f"aes-{bits}-gcm-12": f"AES_GCM_12-{bits}" for bits in (128, 256)},
    "3des": "3DES_CBC",
    "hmac-sha1": "HMAC_SHA1_96",
    "hmac-sha2-256": "HMAC_SHA2_256_128",
    "hmac-sha2-384": "HMAC_SHA2_384_192",
    "hmac-sha2-512": "HMAC_SHA2_512_256",
    "curve25519": "CURVE_25519",
    **{f"modp{bits}": f"MODP_{bits}" for bits in (1024, 1536, 2048, 3072, 4096, 6144, 8192)},
    **{f"ecp{bits}": f"ECP_{bits}" for bits in (256, 384, 521)},
}
_PRFS = {
    "hmac-sha1": "PRF_HMAC_SHA1",
    "hmac-sha2-256": "PRF_HMAC_SHA2_256",
    "hmac-sha2-384": "PRF_HMAC_SHA2_384",
    "hmac-sha2-512": "PRF_HMAC_SHA2_512",
}
RETRANSMITS = 2, 4, 8, 16, 32, 64
"""Seconds that it waits for the answer to a request, and after each retransmission of it; then it gives up. Nothing of
this can be configured."""
_BEGINS_AGAIN = 60
"""Seconds until it looks whether what it is to initiate exists."""
PATIENCE = 2 * sum(RETRANSMITS) + _BEGINS_AGAIN
"""Seconds for what is done in the second try at the latest."""

_TELLING = "established peer|rekeyed as new|loaded SPIs"
"""What of the log says which transforms an SA has."""
_LISTED = re.compile(
    r"^iked_sas: \S+ rspi 0x(?P<spi_r>\w+) ispi 0x(?P<spi_i>\w+) .* ESTABLISHED (?P<role>[ir]) .*(?P<rest>(?:\n  .*)*)",
    re.MULTILINE,
)


class OpenIked:
    """A running daemon. `lines` are global options such as `set nofragmentation`."""

    def __init__(self, guest: Guest, lines: tuple[str, ...] = ()) -> None:
        self._guest = guest
        self._lines = lines
        self._connection: Connection | None = None
        self.keys: dict[str, kernel.Half] = {}
        """Each half of a Child SA that was ever listed, by its SPI."""
        folders = "ca certs crls private pubkeys/fqdn"
        guest.run(f"rm -rf {_LOG} /etc/iked; cd /etc && for each in {folders}; do mkdir -p iked/$each; done")
        guest.write(_ON_DEMAND, _EXPIRE.read_text())

    def close(self) -> None:
        """End it, and what it left in the kernel."""
        self._guest.run(
            "pkill -x iked; for i in 1 2 3 4 5; do pgrep -x iked || exit; sleep 0.2; done; pkill -9 -x iked",
            check=False,
        )
        self._guest.run("ip xfrm state flush; ip xfrm policy flush", check=False)

    def log(self, lines: int = 120) -> str:
        """The end of what the daemon wrote."""
        return self._guest.run(f"grep -v '^ikev2_pld\\|^ikev2_next' {_LOG} | tail -n {lines}", check=False)

    def load(self, connection: Connection, pki: Pki | None = None) -> None:
        """Start with a connection and its credentials."""
        self._connection = connection
        credential = pki.credentials[connection.local.identity] if pki else None
        if credential and pki and connection.auth != "psk":
            public = load_pem_x509_certificate(credential.certificate).public_key()
            self._guest.write("/etc/iked/ca/authority.crt", pki.authority)
            if pki.intermediate:
                self._guest.write("/etc/iked/ca/intermediate.crt", pki.intermediate)
            self._guest.write("/etc/iked/certs/own.crt", credential.certificate)
            self._guest.write("/etc/iked/private/local.key", credential.private_key, 0o600)
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            self._guest.write("/etc/iked/local.pub", pem)
        else:
            self._guest.run(
                "cd /etc/iked && openssl ecparam -genkey -name prime256v1 -noout -out private/local.key"
                " && chmod 600 private/local.key && openssl ec -in private/local.key -pubout -out local.pub"
            )
        self._configure(active=False)
        self._guest.run(f"iked -dvv >{_LOG} 2>&1 &")
        lab.eventually("OpenIKED answers", self._answers, 60, every=0.5)
        lab.eventually("OpenIKED is configured", lambda: "config_getcompile" in self._guest.read(_LOG), 60, every=0.5)

    def _answers(self) -> bool:
        return "error" not in self._guest.run("ikectl show sa || echo error", check=False)

    def _configure(self, *, active: bool) -> None:
        assert self._connection is not None
        self._guest.write(_CONFIGURATION, render(self._connection, self._lines, active=active), 0o600)

    def connect(self) -> None:
        """It initiates when it reads that it is to; afterwards it reads that it is not, for the next time."""
        before = {each.spi_i for each in self.sas()}
        self._configure(active=True)
        self._guest.run("ikectl reload")
        lab.eventually(
            "OpenIKED connects", lambda: bool({each.spi_i for each in self.sas()} - before), PATIENCE, every=0.5
        )
        self._configure(active=False)
        self._guest.run("ikectl reload")

    def create_child(self, child: str) -> None:
        raise NotImplementedError(f"OpenIKED has one Child SA, not {child}")

    def rekey_child(self, child: str) -> None:
        self._expire(child, "soft")

    def delete_child(self, child: str) -> None:
        self._expire(child, "hard")

    def _expire(self, child: str, kind: str) -> None:
        assert child == "first"
        assert self._connection is not None
        (ike,) = self.sas()
        (listed,) = ike.children
        self._guest.run(f"python3 {_ON_DEMAND} {self._connection.local.address} {listed.spi_in} {kind}")

    def rekey_ike(self) -> None:
        """It has to be told beforehand, see `render`; this only waits until it is due."""

    def delete_ike(self) -> None:
        assert self._connection is not None
        self._guest.run(f"ikectl reset id FQDN/{self._connection.remote.identity}")

    def sas(self) -> Listing:
        """Every IKE SA with its Child SAs, as the daemon lists them and the kernel has them."""
        text = self._guest.run(f"ikectl show sa; {kernel.COMMAND}; grep -aE '{_TELLING}' {_LOG}; true")
        halves, policies = kernel.halves(text), kernel.outbound_policies(text)
        self.keys.update(halves)
        listed = []
        for ike in _LISTED.finditer(text):
            children = frozenset(
                kernel.child_listing(spi_in, spi_out, _child_group(text, spi_in), halves, policies)
                for spi_in, spi_out in _pairs(ike["rest"])
            )
            spi_i, spi_r = f"{ike['spi_i']:0>16}", f"{ike['spi_r']:0>16}"
            listed.append(IkeListing(spi_i, spi_r, ike["role"] == "i", _ike_suite(text, spi_i), children))
        return frozenset(listed)


def _pairs(text: str) -> list[tuple[str, str]]:
    """SPI in and out of each Child SA: beside each half stands the daemon's own address of the other half."""
    halves = re.findall(r"sa_childsas: (\S+) ESP 0x(\w+) (in|out) .* P=(\S+) @", text)
    by_address = {address: spi for address, spi, _, _ in halves}
    return [(spi, by_address.get(other, "")) for _, spi, direction, other in halves if direction == "in"]


def _words(text: str) -> dict[str, str]:
    """`enc aes-256 auth hmac-sha1 group modp2048` by its first words."""
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=False))


def _ike_suite(log: str, spi_i: str) -> str:
    found = re.findall(
        rf"spi=0x{spi_i}: established peer .* \(([^)]*)\)|rekeyed as new IKESA 0x{spi_i} \(([^)]*)\)"
        rf"|spi=0x{spi_i}: .*IKESA.*\((enc [^)]*)\)",
        log,
    )
    if not found:
        return ""
    words = _words(next(filter(None, found[-1])))
    parts = (_WORDS[words["enc"]], _WORDS.get(words.get("auth", ""), ""), _PRFS[words["prf"]], _WORDS[words["group"]])
    return "/".join(part for part in parts if part)


def _child_group(log: str, spi: str) -> str:
    found = re.findall(rf"loaded SPIs: [^\n]*0x{spi}[^\n]*\(([^)]*)\)", log)
    return _WORDS.get(_words(found[-1]).get("group", ""), "") if found else ""


def _transforms(text: str, kind: str, *, prf: bool) -> str:
    """Proposals in OpenIKED's words."""
    return " ".join(f"{kind} {_proposal(each.strip().split('-'), prf)}" for each in text.split(","))


def _proposal(words: list[str], prf: bool) -> str:
    parts = [f"enc {_CIPHERS[word]}" for word in words if word in _CIPHERS]
    hashes = [word for word in words if word in _HASHES]
    parts += [f"auth {_HASHES[word]}" for word in hashes]
    if prf:
        prfs = [word.removeprefix("prf") for word in words if word.startswith("prf")] or hashes
        parts += [f"prf {_HASHES[word]}" for word in prfs]
    parts += [f"group {_GROUPS[word]}" for word in words if word in _GROUPS]
    return " ".join(parts)


def render(connection: Connection, lines: tuple[str, ...], *, active: bool) -> str:
    """The connection as iked.conf. Its settings are further words of the policy, such as `ikelifetime 10`."""
    local, remote = connection.local, connection.remote
    words = (
        f'ikev2 "first" {"active" if active else "passive"} esp',
        f"from {local.networks['first']} to {remote.networks['first']}",
        f"local {local.address} peer {remote.public}",
        _transforms(connection.proposals, "ikesa", prf=True),
        _transforms(connection.child_proposals, "childsa", prf=False),
        f"srcid {local.identity} dstid {remote.identity}",
        *connection.settings,
        f'psk "{SECRET}"' if connection.auth == "psk" else "",
    )
    return "\n".join((*lines, " ".join(words), ""))
