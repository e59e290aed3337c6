"""Child SAs as the guest's kernel has them: what `ip xfrm` lists, keys too."""

from __future__ import annotations

import re
from typing import NamedTuple

from ikeref.policy import addresses
from tests.interop.listing import ChildListing

_CIPHERS = {
    "cbc(aes)": "AES_CBC",
    "cbc(des3_ede)": "3DES_CBC",
    "rfc3686(ctr(aes))": "AES_CTR",
    "rfc4106(gcm(aes))": "AES_GCM",
    "rfc4309(ccm(aes))": "AES_CCM",
    "rfc7539esp(chacha20,poly1305)": "CHACHA20_POLY1305",
}
_SALT_OCTETS = {"AES_CTR": 4, "AES_GCM": 4, "AES_CCM": 3, "CHACHA20_POLY1305": 4}
_INTEGRITY = {
    ("hmac(sha1)", 96): "HMAC_SHA1_96",
    ("hmac(sha256)", 128): "HMAC_SHA2_256_128",
    ("hmac(sha384)", 192): "HMAC_SHA2_384_192",
    ("hmac(sha512)", 256): "HMAC_SHA2_512_256",
    ("xcbc(aes)", 96): "AES_XCBC_96",
    ("cmac(aes)", 96): "AES_CMAC_96",
}
_BLANK_INTEGRITY = "digest_null"
_EVENT = re.compile(r"^src (\S+) dst (\S+)", re.MULTILINE)


class Half(NamedTuple):
    """One direction of a Child SA in the kernel."""

    spi: str
    mode: str
    request: int
    """What binds it to policies; 0: any."""
    suite: str
    key: bytes
    """Of the cipher, its salt included."""
    integrity_key: bytes
    encapsulated: tuple[int, int] | None
    """Source and destination port, where ESP goes in UDP (Section 2.23)."""


class Policy(NamedTuple):
    """What the kernel protects in one direction."""

    source: str
    destination: str
    request: int


COMMAND = "ip xfrm state; ip xfrm policy"


def halves(text: str) -> dict[str, Half]:
    """Every SA that has keys, by its SPI, of what COMMAND printed."""
    found = (_half(block) for block in _blocks(text))
    return {half.spi: half for half in found if half is not None}


def outbound_policies(text: str) -> list[Policy]:
    """What goes out protected, of what COMMAND printed."""
    found = (_policy(block) for block in _blocks(text) if re.search(r"^\tdir out priority ", block, re.MULTILINE))
    return [each for each in found if each is not None]


def child_listing(
    spi_in: str, spi_out: str, group: str, kernel: dict[str, Half], policies: list[Policy]
) -> ChildListing:
    """A Child SA that a daemon lists, as the kernel has it; its state says so where the kernel has it not."""
    inbound, outbound = kernel.get(spi_in), kernel.get(spi_out)
    known = inbound or outbound
    mine = [each for each in policies if known and each.request == known.request]
    same = inbound is not None and outbound is not None and inbound[1:4] == outbound[1:4]
    return ChildListing(
        spi_in=spi_in,
        spi_out=spi_out,
        mode=known.mode if known else "",
        local_ts=frozenset(each.source for each in mine),
        remote_ts=frozenset(each.destination for each in mine),
        suite="/".join(part for part in (known.suite if known else "", group) if part),
        state="INSTALLED" if same else "not whole in the kernel",
    )


def _blocks(text: str) -> list[str]:
    starts = [found.start() for found in _EVENT.finditer(text)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _half(text: str) -> Half | None:
    head = re.search(r"proto (?:esp|ah) spi 0x([0-9a-f]{8}) reqid (\d+) mode (\w+)", text)
    aead = re.search(r"aead (\S+) 0x([0-9a-f]+) (\d+)", text)
    enc = re.search(r"enc (\S+) 0x([0-9a-f]+)", text)
    auth = re.search(r"auth-trunc (\S+) 0x([0-9a-f]+) (\d+)", text)
    encap = re.search(r"encap type espinudp sport (\d+) dport (\d+)", text)
    if head is None or not (aead or enc):
        return None
    cipher = aead or enc
    assert cipher is not None
    name, key = _CIPHERS[cipher[1]], bytes.fromhex(cipher[2])
    bits = 8 * (len(key) - _SALT_OCTETS.get(name, 0))
    if aead and name != "CHACHA20_POLY1305":
        name = f"{name}_{int(aead[3]) // 8}"
    suite = [name if name in ("CHACHA20_POLY1305", "3DES_CBC") else f"{name}-{bits}"]
    if auth and not auth[1].startswith(_BLANK_INTEGRITY):
        suite.append(_INTEGRITY[auth[1], int(auth[3])])
    return Half(
        head[1],
        head[3].upper(),
        int(head[2]),
        "/".join(suite),
        key,
        bytes.fromhex(auth[2]) if auth else b"",
        (int(encap[1]), int(encap[2])) if encap else None,
    )


def _policy(text: str) -> Policy | None:
    head = re.search(r"^src (\S+) dst (\S+)(.*)", text)
    request = re.search(r"proto (?:esp|ah) .*?reqid (\d+)", text)
    if head is None or request is None:
        return None
    words = dict(zip(head[3].split()[::2], head[3].split()[1::2], strict=False))
    return Policy(
        _selector(head[1], words.get("proto", ""), words.get("sport", "")),
        _selector(head[2], words.get("proto", ""), words.get("dport", "")),
        int(request[1]),
    )


def _selector(network: str, protocol: str, port: str) -> str:
    inside = "/".join(part for part in (protocol, port) if part)
    return addresses.to_text(addresses.from_text(network + (f"[{inside}]" if inside else "")))
