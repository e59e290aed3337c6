"""Keys in the files that Wireshark reads: `ikev2_decryption_table` and `esp_sa` of a profile folder.

Lines are those of Wireshark's preference tables (Edit, Preferences, Protocols, ISAKMP and ESP). A folder of the two
files is a profile: copy it into Wireshark's folder of profiles and choose it, or pass single lines as `-o
uat:TABLE:LINE` to tshark. ESP is decrypted where the preference esp.enable_encryption_decode is set. What Wireshark has
no name for stands there as a comment.

This writes secrets by design, to files that only their owner may read; everybody else in ikeref keeps them out of logs.
"""

import os
from pathlib import Path as FilePath
from typing import Final

from ikeref import registry
from ikeref.net.transport import Event
from ikeref.registry import Encr, Integ, ProtocolId
from ikeref.sa.outputs import Install, NewKeys

IKE_TABLE: Final = "ikev2_decryption_table"
ESP_TABLE: Final = "esp_sa"

_AEAD_ICV: Final[dict[int, tuple[str, int]]] = {
    Encr.AES_GCM_8: ("AES-GCM", 8),
    Encr.AES_GCM_12: ("AES-GCM", 12),
    Encr.AES_GCM_16: ("AES-GCM", 16),
    Encr.AES_CCM_8: ("AES-CCM", 8),
    Encr.AES_CCM_12: ("AES-CCM", 12),
    Encr.AES_CCM_16: ("AES-CCM", 16),
}

_UNCHECKED_96: Final = "ANY 96-bits of Authentication [No Checking]"
"""For algorithms that Wireshark can't compute; then it wants no SK_a."""

_IKE_INTEG: Final[dict[int, str]] = {
    Integ.NONE: "NONE [RFC4306]",
    Integ.HMAC_MD5_96: "HMAC_MD5_96 [RFC2403]",
    Integ.HMAC_SHA1_96: "HMAC_SHA1_96 [RFC2404]",
    Integ.HMAC_SHA2_256_128: "HMAC_SHA2_256_128 [RFC4868]",
    Integ.HMAC_SHA2_384_192: "HMAC_SHA2_384_192 [RFC4868]",
    Integ.HMAC_SHA2_512_256: "HMAC_SHA2_512_256 [RFC4868]",
    Integ.AES_XCBC_96: _UNCHECKED_96,
    Integ.AES_CMAC_96: _UNCHECKED_96,
}

_ESP_ENCR: Final[dict[int, str]] = {
    Encr.NULL: "NULL",
    Encr.TRIPLE_DES: "TripleDES-CBC [RFC2451]",
    Encr.AES_CBC: "AES-CBC [RFC3602]",
    Encr.AES_CTR: "AES-CTR [RFC3686]",
    Encr.AES_GCM_8: "AES-GCM with 8 octet ICV [RFC4106]",
    Encr.AES_GCM_12: "AES-GCM with 12 octet ICV [RFC4106]",
    Encr.AES_GCM_16: "AES-GCM with 16 octet ICV [RFC4106]",
}

_ESP_INTEG: Final[dict[int, str]] = {
    Integ.NONE: "NULL",
    Integ.HMAC_MD5_96: "HMAC-MD5-96 [RFC2403]",
    Integ.HMAC_SHA1_96: "HMAC-SHA-1-96 [RFC2404]",
    Integ.HMAC_SHA2_256_128: "HMAC-SHA-256-128 [RFC4868]",
    Integ.HMAC_SHA2_384_192: "HMAC-SHA-384-192 [RFC4868]",
    Integ.HMAC_SHA2_512_256: "HMAC-SHA-512-256 [RFC4868]",
    Integ.AES_XCBC_96: "ANY 96 bit authentication [no checking]",
    Integ.AES_CMAC_96: "ANY 96 bit authentication [no checking]",
}


def ike_line(event: NewKeys) -> str:
    """The line of `ikev2_decryption_table` for an IKE SA; it ends with a newline."""
    suite, keys = event.suite, event.keys
    encr = _ike_encr(suite.encr, suite.key_bits)
    integ = _IKE_INTEG.get(suite.integ)
    if encr is None or integ is None:
        return _nameless(f"IKE SA {event.spi_i.hex()} {event.spi_r.hex()}", suite.encr, suite.integ)
    sk_ai, sk_ar = (b"", b"") if integ == _UNCHECKED_96 else (keys.sk_ai, keys.sk_ar)
    return (
        f"{event.spi_i.hex()},{event.spi_r.hex()},{keys.sk_ei.hex()},{keys.sk_er.hex()},"
        f'"{encr}",{sk_ai.hex()},{sk_ar.hex()},"{integ}"\n'
    )


def esp_line(event: Install) -> str:
    """The line of `esp_sa` for one direction of a Child SA, empty if it is none of ESP with keys; it ends with a
    newline.
    """
    child = event.child
    if child.keys is None or child.protocol_id != ProtocolId.ESP:
        return ""
    spi = child.spi_in if event.inbound else child.spi_out
    ours_are_i = child.initiator is not event.inbound
    encr_key = child.keys.encr_i if ours_are_i else child.keys.encr_r
    integ_key = child.keys.integ_i if ours_are_i else child.keys.integ_r
    encr, integ = child.suite.encr, child.suite.integ
    encr_name = _ESP_ENCR.get(encr)
    integ_name = _ESP_INTEG.get(integ)
    if encr_name is None or integ_name is None:
        return _nameless(f"ESP SPI {spi.hex()}", encr, integ)
    version = "IPv6" if ":" in event.path.local[0] else "IPv4"
    return (
        f'"{version}","*","*","0x{spi.hex()}","{encr_name}","{_hexadecimal(encr_key)}",'
        f'"{integ_name}","{_hexadecimal(integ_key)}"\n'
    )


def _ike_encr(encr: int, key_bits: int) -> str | None:
    if encr == Encr.TRIPLE_DES:
        return "3DES [RFC2451]"
    if encr == Encr.NULL:
        return "NULL [RFC2410]"
    if encr == Encr.AES_CBC:
        return f"AES-CBC-{key_bits} [RFC3602]"
    if encr == Encr.AES_CTR:
        return f"AES-CTR-{key_bits} [RFC5930]"
    if encr in _AEAD_ICV:
        mode, icv = _AEAD_ICV[encr]
        return f"{mode}-{key_bits} with {icv} octet ICV [RFC5282]"
    return None


def _nameless(what: str, encr: int, integ: int) -> str:
    algorithms = f"{registry.name(Encr, encr)} and {registry.name(Integ, integ)}"
    return f"# {what}: Wireshark has no name for {algorithms}\n"


def _hexadecimal(key: bytes) -> str:
    return f"0x{key.hex()}" if key else ""


class KeyLog:
    """An observer that keeps both files of a folder up to date. The folder is made; files in it are begun anew."""

    def __init__(self, folder: FilePath) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._seen: set[str] = set()
        for name in (IKE_TABLE, ESP_TABLE):
            path = folder / name
            path.unlink(missing_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def __call__(self, event: Event, _at: float) -> None:
        """Write the keys that the event brings; both ends of an SA may report it, it is written once."""
        if type(event) is NewKeys:
            self._append(IKE_TABLE, ike_line(event))
        elif type(event) is Install:
            self._append(ESP_TABLE, esp_line(event))

    def _append(self, name: str, line: str) -> None:
        if not line or line in self._seen:
            return
        self._seen.add(line)
        with (self.folder / name).open("a", encoding="ascii") as file:
            file.write(line)
