"""Key logs, and Wireshark reading them."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest

from ikeref.crypto import ChildKeys, ChildSuite, IkeKeys, Suite
from ikeref.net.capture import Capture
from ikeref.net.keylog import ESP_TABLE, IKE_TABLE, KeyLog, esp_line, ike_line
from ikeref.registry import Encr, Integ, Prf
from ikeref.sa.outputs import Audit, Install, NewKeys
from ikeref.sa.values import ChildSa, CreateChild, DeleteIke, Path

PATH4 = Path(("10.0.0.1", 4500), ("10.0.0.2", 4500), True)
PATH6 = Path(("2001:db8::1", 500), ("2001:db8::2", 500))
KEYS = IkeKeys(b"\xdd", b"\xa1", b"\xa2", b"\xe1", b"\xe2", b"\xb1", b"\xb2")


def new_keys(encr: int, bits: int, integ: int) -> NewKeys:
    return NewKeys(b"\1" * 8, b"\2" * 8, Suite(encr, bits, Prf.HMAC_SHA2_256, integ, 31), KEYS)


def child(encr: int, bits: int, integ: int, *, initiator: bool = True, protocol: int = 3) -> ChildSa:
    keys = ChildKeys(b"\xe1", b"\xa1", b"\xe2", b"\xa2")
    return ChildSa(
        "net", b"\0\0\1\1", b"\0\0\2\2", ChildSuite(protocol, encr, bits, integ, 0, 0), (), (), initiator, keys
    )


@pytest.mark.parametrize(
    ("encr", "bits", "integ", "names"),
    [
        (Encr.AES_GCM_16, 256, 0, ("AES-GCM-256 with 16 octet ICV [RFC5282]", "a1,a2", "NONE [RFC4306]")),
        (Encr.AES_CCM_8, 128, 0, ("AES-CCM-128 with 8 octet ICV [RFC5282]", "a1,a2", "NONE [RFC4306]")),
        (Encr.AES_CBC, 192, Integ.HMAC_SHA1_96, ("AES-CBC-192 [RFC3602]", "a1,a2", "HMAC_SHA1_96 [RFC2404]")),
        (Encr.AES_CTR, 128, Integ.HMAC_SHA2_512_256, ("AES-CTR-128 [RFC5930]", "a1,a2", "HMAC_SHA2_512_256 [RFC4868]")),
        (Encr.TRIPLE_DES, 0, Integ.AES_CMAC_96,
         ("3DES [RFC2451]", ",", "ANY 96-bits of Authentication [No Checking]")),
        (Encr.NULL, 0, Integ.HMAC_SHA2_256_128, ("NULL [RFC2410]", "a1,a2", "HMAC_SHA2_256_128 [RFC4868]")),
    ],
)  # fmt: skip
def test_a_line_for_each_ike_sa(encr: int, bits: int, integ: int, names: tuple[str, str, str]) -> None:
    spis = "0101010101010101,0202020202020202"
    assert ike_line(new_keys(encr, bits, integ)) == f'{spis},e1,e2,"{names[0]}",{names[1]},"{names[2]}"\n'


def test_what_wireshark_has_no_name_for_is_a_comment_without_keys() -> None:
    assert ike_line(new_keys(Encr.CHACHA20_POLY1305, 0, 0)) == (
        "# IKE SA 0101010101010101 0202020202020202: Wireshark has no name for CHACHA20_POLY1305 and NONE\n"
    )
    assert esp_line(Install(True, child(Encr.AES_CCM_16, 128, 0), PATH4)) == (
        "# ESP SPI 00000101: Wireshark has no name for AES_CCM_16 and NONE\n"
    )
    assert ike_line(new_keys(1025, 0, 1026)).startswith("# IKE SA")


@pytest.mark.parametrize(
    ("initiator", "inbound", "spi", "keys"),
    [
        (True, False, "0x00000202", ("0xe1", "0xa1")),
        (True, True, "0x00000101", ("0xe2", "0xa2")),
        (False, True, "0x00000101", ("0xe1", "0xa1")),
        (False, False, "0x00000202", ("0xe2", "0xa2")),
    ],
)
def test_s2_17_each_direction_has_the_keys_of_its_sender(
    initiator: bool, inbound: bool, spi: str, keys: tuple[str, str]
) -> None:
    made = child(Encr.AES_CBC, 128, Integ.HMAC_SHA2_256_128, initiator=initiator)
    assert esp_line(Install(inbound, made, PATH4)) == (
        f'"IPv4","*","*","{spi}","AES-CBC [RFC3602]","{keys[0]}","HMAC-SHA-256-128 [RFC4868]","{keys[1]}"\n'
    )


def test_ipv6_is_said_and_ah_has_no_line() -> None:
    assert esp_line(Install(True, child(Encr.NULL, 0, Integ.HMAC_SHA1_96), PATH6)).startswith('"IPv6"')
    assert esp_line(Install(True, child(0, 0, Integ.HMAC_SHA1_96, protocol=2), PATH4)) == ""
    assert esp_line(Install(True, child(Encr.NULL, 0, 2)._replace(keys=None), PATH4)) == ""


def test_the_files_are_begun_anew_are_private_and_hold_each_line_once(tmp_path: FilePath) -> None:
    for _ in range(2):
        log = KeyLog(tmp_path / "keys")
        for _ in range(2):
            log(new_keys(Encr.AES_GCM_16, 128, 0), 1.0)
            log(Install(True, child(Encr.AES_GCM_16, 128, 0), PATH4), 2.0)
            log(Audit("nothing secret"), 3.0)
    for name in (IKE_TABLE, ESP_TABLE):
        path = tmp_path / "keys" / name
        assert len(path.read_text().splitlines()) == 1
        assert path.stat().st_mode & 0o777 == 0o600


# --- Wireshark itself ------------------------------------------------------------------------------------------------

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def tshark(capture: FilePath, profile: FilePath, *arguments: str) -> str:
    """What tshark says of a capture with the key log as its preferences."""
    home = profile.parent / "config"
    shutil.copytree(profile, home / "wireshark", dirs_exist_ok=True)
    environment = os.environ | {"XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        ["tshark", "-r", str(capture), *arguments], capture_output=True, check=True, env=environment, timeout=60
    )
    assert b"Error loading" not in done.stderr, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


@needs_tshark
@pytest.mark.parametrize(
    ("ike", "esp"),
    [
        ("aes256gcm16-prfsha256-x25519", "aes128gcm16"),
        ("aes128gcm8-prfsha384-x25519", "aes192gcm12"),
        ("aes192ccm12-prfsha512-x25519", "aes256ctr-sha1"),
        ("aes256-sha1-x25519", "aes128-sha256"),
        ("aes128ctr-sha512-x25519", "3des-sha384"),
        ("3des-sha256-x25519", "null-sha512"),
        ("aes128-aesxcbc-x25519", "aes128-aesxcbc"),
        ("null-sha384-x25519", "aes128-aescmac"),
    ],
)
def test_wireshark_decrypts_a_whole_life(pair: Callable[..., Any], tmp_path: FilePath, ike: str, esp: str) -> None:
    log = KeyLog(tmp_path / "keys")
    file = tmp_path / "life.pcapng"

    async def run() -> None:
        two = pair(ike=ike, esp=esp, observers=(log,))
        here, there = two.a.connection, two.b.connection
        host = here.local_address
        shown = {
            (host, here.local_port): ("192.0.2.1", 500),
            (host, here.local_nat_port): ("192.0.2.1", 4500),
            (host, there.local_port): ("192.0.2.2", 500),
            (host, there.local_nat_port): ("192.0.2.2", 4500),
        }
        with Capture(file, shown=shown) as capture:
            two.a.node.observe(capture)
            number = await two.connect()
            two.a.node.command(number, CreateChild("net"))
            await two.settle(2)
            two.a.node.command(number, DeleteIke())
            await two.settle(0)
            await two.close()

    asyncio.run(run())
    said = tshark(file, log.folder, "-V", "-Y", "isakmp.exchangetype > 34")
    assert said.count("Decrypted Data") == 6
    assert said.count("Payload: Traffic Selector - Initiator (44) # 1") == 4
    assert said.count("Payload: Delete (42)") == 1
    if "aesxcbc" not in ike:
        assert said.count("[correct]") == 6
    assert "incorrect" not in said
    assert "Malformed" not in said


@needs_tshark
def test_twin_wireshark_refuses_with_a_wrong_key(pair: Callable[..., Any], tmp_path: FilePath) -> None:
    log = KeyLog(tmp_path / "keys")
    file = tmp_path / "life.pcapng"

    async def run() -> None:
        two = pair(observers=(log,))
        with Capture(file) as capture:
            two.a.node.observe(capture)
            await two.connect()
            await two.close()

    asyncio.run(run())
    table = log.folder / IKE_TABLE
    fields = table.read_text().split(",")
    fields[2] = "00" * 36
    table.write_text(",".join(fields))
    said = tshark(file, log.folder, "-d", "udp.port==1-65535,udpencap", "-V", "-Y", "isakmp.flag_i == 1")
    assert "Payload: Traffic Selector - Initiator (44) # 1" not in said
    assert "[correct]" not in said


@needs_tshark
@pytest.mark.parametrize(
    "scenario",
    ["psk-aes128cbc-sha256-ecp256-esp", "psk-aes256gcm16-sha384-ecp384-esp", "second-child-esp", "ipv6-esp"],
)
def test_wireshark_decrypts_the_esp_of_another_daemon_with_our_lines(scenario: str, tmp_path: FilePath) -> None:
    vectors = FilePath(os.environ.get("IKEREF_VECTORS", FilePath(__file__).parents[4] / "shared" / "vectors"))
    folder = vectors / "generated" / scenario
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    log = KeyLog(tmp_path / "keys")
    known = json.loads((folder / f"{scenario}.keys.json").read_text())
    for found in known["child_sas"]:
        parts = (found.get(name) or "" for name in ("encr_i", "integ_i", "encr_r", "integ_r"))
        suite = ChildSuite(
            3, Encr[found["encr"]], found["key_bits"] or 0, Integ[found["integ"]] if found["integ"] else 0, 0, 0
        )
        spis = bytes.fromhex(found["spi_a"]), bytes.fromhex(found["spi_b"])
        initiator = found["exchange_initiator"] in ("10.99.0.1", "fd99::1")
        made = ChildSa("net", *spis, suite, (), (), initiator, ChildKeys(*(bytes.fromhex(part) for part in parts)))
        path = PATH6 if "ipv6" in scenario else PATH4
        log(Install(True, made, path), 1.0)
        log(Install(False, made, path), 1.0)
    decode = ("-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE")
    said = tshark(folder / f"{scenario}.pcap", log.folder, *decode, "-Y", "esp", "-V")
    packets = said.count("\nEncapsulating Security Payload")
    assert packets > 0
    assert said.count("[Good: True]") == packets
    assert said.count("ESP Decrypted Data") == packets
