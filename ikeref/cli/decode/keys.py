"""Keys that open SK payloads: from our key log, from Wireshark's table, or from a keys.json with names of transforms.

A key log is a folder with the file `ikev2_decryption_table`, or that file; a JSON file has `ike_sas`, each with spi_i,
spi_r, encr, key_bits, integ, sk_ai, sk_ar, sk_ei and sk_er.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from ikeref.crypto import Suite
from ikeref.net.keylog import IKE_TABLE
from ikeref.registry import Encr, Integ

_ENCR_NAMES: Final[dict[str, int]] = {"3DES_CBC": Encr.TRIPLE_DES, "3DES": Encr.TRIPLE_DES}
_WIRESHARK_ENCR: Final = re.compile(r"(?P<mode>AES-CBC|AES-CTR|AES-GCM|AES-CCM)-(?P<bits>\d+)(?: with (?P<icv>\d+))?")
_UNCHECKED: Final = re.compile(r"ANY (\d+)-bits of Authentication")
"""Wireshark's word for integrity algorithms that it does not know: only their size counts."""


class KeyFileError(ValueError):
    """A file of keys can't be read as one; the text says where and why."""


class Known(NamedTuple):
    """The keys of an IKE SA, as far as opening messages needs them."""

    suite: Suite
    sk_ai: bytes
    sk_ar: bytes
    sk_ei: bytes
    sk_er: bytes
    unchecked: int = 0
    """Octets of an ICV for which the file has neither algorithm nor key; 0: it can be checked."""


KeyRing = dict[tuple[bytes, bytes], Known]
"""By SPIi and SPIr."""


def load(path: Path) -> KeyRing:
    """The keys in a file or folder. Raises KeyFileError, and OSError where it can't be read."""
    if path.is_dir():
        path = path / IKE_TABLE
    text = path.read_text(encoding="utf-8")
    ring = dict(_json(text, path) if text.lstrip().startswith("{") else _table(text, path))
    if not ring:
        raise KeyFileError(f"there are no keys of an IKE SA in {path}")
    return ring


Entries = list[tuple[tuple[bytes, bytes], Known]]


def _json(text: str, path: Path) -> Entries:
    found: Entries = []
    try:
        entries = json.loads(text)["ike_sas"]
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFileError(f"{path} is no JSON with a list ike_sas: {error}") from None
    for index, entry in enumerate(entries):
        if not entry.get("spi_i") or not entry.get("spi_r"):
            continue  # derived, and never used
        try:
            found.append(_entry(entry))
        except (KeyError, ValueError, TypeError) as error:
            raise KeyFileError(f"{path}, ike_sas[{index}]: {error}") from None
    return found


def _entry(entry: dict[str, Any]) -> tuple[tuple[bytes, bytes], Known]:
    sk_ai, sk_ar, sk_ei, sk_er = (bytes.fromhex(entry.get(key) or "") for key in ("sk_ai", "sk_ar", "sk_ei", "sk_er"))
    suite = Suite(_number(Encr, entry["encr"]), int(entry["key_bits"] or 0), 0, _number(Integ, entry.get("integ")), 0)
    suite = suite._replace(key_bits=_wire_bits(suite.encr, suite.key_bits))
    return (bytes.fromhex(entry["spi_i"]), bytes.fromhex(entry["spi_r"])), Known(suite, sk_ai, sk_ar, sk_ei, sk_er)


def _wire_bits(encr: int, key_bits: int) -> int:
    """Ciphers with one key length have no Key Length attribute (Section 3.3.5)."""
    return 0 if encr in (Encr.CHACHA20_POLY1305, Encr.TRIPLE_DES, Encr.NULL) else key_bits


def _number(registry: Any, spelling: str | None) -> int:
    if not spelling:
        return 0
    if spelling in _ENCR_NAMES:
        return _ENCR_NAMES[spelling]
    try:
        return int(registry[spelling])
    except KeyError:
        raise ValueError(f"{spelling} is not known") from None


def _table(text: str, path: Path) -> Entries:
    """Wireshark's ikev2_decryption_table: SPIi,SPIr,SK_ei,SK_er,"encryption",SK_ai,SK_ar,"integrity"."""
    found: Entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = next(csv.reader([line]))
        if len(fields) != 8:
            raise KeyFileError(f"{path}, line {number}: 8 fields make an entry of {IKE_TABLE}, not {len(fields)}")
        try:
            spi_i, spi_r, sk_ei, sk_er = (bytes.fromhex(field) for field in fields[:4])
            sk_ai, sk_ar = (bytes.fromhex(field) for field in fields[5:7])
            encr, key_bits = _wireshark_encr(fields[4])
            integ, unchecked = _wireshark_integ(fields[7])
            suite = Suite(encr, key_bits, 0, integ, 0)
            found.append(((spi_i, spi_r), Known(suite, sk_ai, sk_ar, sk_ei, sk_er, unchecked)))
        except ValueError as error:
            raise KeyFileError(f"{path}, line {number}: {error}") from None
    return found


def _wireshark_encr(name: str) -> tuple[int, int]:
    if name.startswith("3DES"):
        return Encr.TRIPLE_DES, 0
    if name.startswith("NULL"):
        return Encr.NULL, 0
    match = _WIRESHARK_ENCR.match(name)
    if match is None:
        raise ValueError(f"the encryption algorithm {name!r} is not known")
    mode = match["mode"].replace("-", "_")
    return int(Encr[f"{mode}_{match['icv']}" if match["icv"] else mode]), int(match["bits"])


def _wireshark_integ(name: str) -> tuple[int, int]:
    """The algorithm, or 0 and the octets of the ICV."""
    word = name.split(" ")[0]
    if word == "NONE":
        return 0, 0
    if (match := _UNCHECKED.match(name)) is not None:
        return 0, int(match[1]) // 8
    try:
        return int(Integ[word]), 0
    except KeyError:
        raise ValueError(f"the integrity algorithm {name!r} is not known") from None
