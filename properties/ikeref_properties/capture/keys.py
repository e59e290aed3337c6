"""Keys of IKE SAs from files: JSON, or Wireshark's table `ikev2_decryption_table` (Section 2.14).

JSON is an object with a list `ike_sas`; each of them has `spi_i`, `spi_r`, `sk_ei`, `sk_er`, `sk_ai`, `sk_ar` in
hexadecimal, `encr`, `integ` (null with an AEAD cipher) and `key_bits`. What else stands there is ignored. Wireshark's
table has one line per IKE SA; lines that begin with `#` are comments.
"""

import csv
import json
import re
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from ikeref.crypto import Suite
from ikeref.net.keylog import IKE_TABLE
from ikeref.net.packets import Unreadable
from ikeref.registry import Encr, Integ


class Keys(NamedTuple):
    """What opens the messages of one IKE SA."""

    spi_i: bytes
    spi_r: bytes
    suite: Suite
    """Only the encryption and integrity algorithms are filled in."""
    sk_ei: bytes
    sk_er: bytes
    sk_ai: bytes
    sk_ar: bytes
    unchecked: int = 0
    """Octets of an ICV for whose algorithm the file has no key, so that it can't be checked; else 0."""

    def __repr__(self) -> str:
        return f"Keys({self.spi_i.hex()}, {self.spi_r.hex()})"


_SPELLINGS: Final = {"3DES_CBC": "TRIPLE_DES", "3DES": "TRIPLE_DES"}
_LINE: Final = re.compile(
    r"(?P<mode>3DES|NULL|AES-CBC|AES-CTR|AES-GCM|AES-CCM|CHACHA20-POLY1305)(-(?P<bits>\d+))?"
    r"( with (?P<icv>\d+) octet ICV)?( \[.*\])?$"
)
_UNCHECKED: Final = re.compile(r"ANY (\d+)-bits of Authentication")


def read(path: Path) -> tuple[Keys, ...]:
    """The keys in a file, or in a folder that has `ikev2_decryption_table`. Raises `Unreadable`, OSError."""
    if path.is_dir():
        path = path / IKE_TABLE
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is no key file: it is no text") from error
    try:
        found = _of_json(text) if text.lstrip().startswith("{") else _of_table(text)
    except Unreadable as error:
        raise Unreadable(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{path} is no key file: {_why(error)}") from error
    return found


def _why(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"line {error.lineno} is no JSON"
        case KeyError():
            return f"{error.args[0]!r} is missing"
        case _:
            return "a value in it is not of the expected form"


def _of_json(text: str) -> tuple[Keys, ...]:
    found = []
    for entry in json.loads(text)["ike_sas"]:
        if not (entry["spi_i"] and entry["spi_r"]):
            continue
        encr = _number(Encr, entry["encr"])
        bits = int(entry.get("key_bits") or 0) if str(entry["encr"]).startswith("AES") else 0
        suite = Suite(encr, bits, 0, _number(Integ, entry.get("integ")), 0)
        sk_ei, sk_er, sk_ai, sk_ar = (bytes.fromhex(entry.get(f"sk_{each}") or "") for each in ("ei", "er", "ai", "ar"))
        found.append(Keys(_spi(entry["spi_i"]), _spi(entry["spi_r"]), suite, sk_ei, sk_er, sk_ai, sk_ar))
    return tuple(found)


def _of_table(text: str) -> tuple[Keys, ...]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        row = next(csv.reader([line]))
        if len(row) != 8:
            raise Unreadable(
                f"line {number} has {len(row)} columns; Wireshark's {IKE_TABLE} has 8, and a JSON file begins with {{"
            )
        try:
            spi_i, spi_r = _spi(row[0]), _spi(row[1])
            sk_ei, sk_er, sk_ai, sk_ar = (bytes.fromhex(row[column].removeprefix("0x")) for column in (2, 3, 5, 6))
        except ValueError as error:
            raise Unreadable(f"line {number} has a key or an SPI that is not hexadecimal") from error
        suite, unchecked = _suite(row[4], row[7], number)
        found.append(Keys(spi_i, spi_r, suite, sk_ei, sk_er, sk_ai, sk_ar, unchecked))
    return tuple(found)


def _suite(encr: str, integ: str, line: int) -> tuple[Suite, int]:
    """The algorithms by Wireshark's names, and the octets of an ICV that can't be checked."""
    match = _LINE.match(encr)
    if match is None:
        raise Unreadable(f"line {line} names an unknown cipher, {encr!r}")
    mode, bits, icv = match["mode"].replace("-", "_"), int(match["bits"] or 0), match["icv"]
    aead = mode in ("AES_GCM", "AES_CCM")
    number = _number(Encr, f"{mode}_{icv}" if aead else mode)
    unchecked = _UNCHECKED.match(integ)
    if unchecked is not None:
        return Suite(number, bits, 0, 0, 0), int(unchecked[1]) // 8
    word = integ.split(" ")[0]
    if word not in ("NONE", *Integ.__members__):
        raise Unreadable(f"line {line} names an unknown integrity algorithm, {integ!r}")
    return Suite(number, bits, 0, _number(Integ, word), 0), 0


def _number(registry: type[IntEnum], spelling: Any) -> int:
    """The number of a transform by its name; 0 where there is none."""
    if spelling is None or spelling == "NONE":
        return 0
    try:
        return int(registry[_SPELLINGS.get(str(spelling), str(spelling))])
    except KeyError:
        raise Unreadable(f"unknown algorithm {spelling!r}") from None


def _spi(text: str) -> bytes:
    octets = bytes.fromhex(text.removeprefix("0x"))
    if len(octets) != 8:
        raise Unreadable(f"an IKE SPI has 8 octets, {text!r} has {len(octets)}")
    return octets
