"""`ikeref decode`, run as a user runs it."""

import json
from pathlib import Path
from typing import Any

import dpkt
import pytest
from typer.testing import CliRunner

from ikeref import wire
from ikeref.cli.main import app
from ikeref.cli.tour.export import Files
from ikeref.cli.tour.life import Options
from ikeref.cli.tour.report import run
from ikeref.crypto import Suite, envelope
from ikeref.crypto.real import RealCrypto
from ikeref.registry import Encr, Integ

VECTORS = Path(__file__).parents[1] / "vectors"
BAD: list[dict[str, Any]] = json.loads((VECTORS / "bad" / "plain.json").read_text())["vectors"]
GENERATED = sorted(
    path.parent
    for path in (VECTORS / "generated").glob("*/*.keys.json")
    if json.loads(path.read_text())["ike_sas"]  # one ends before there are keys
)
CONTROL = next(vector["hex"] for vector in BAD if vector["id"] == "ok-control")
NO_DEFECT_OF_ITS_OWN = {"notify-cookie-unasked", "chain-ikev1-type"}
"""Sound datagrams: a cookie that nobody asked for is known by state, and type 4 is an unknown payload."""


def ikeref(*arguments: str, octets: bytes | None = None) -> tuple[int, str]:
    """Exit code and output of `ikeref decode`."""
    result = CliRunner(env={"COLUMNS": "80", "TERM": "dumb"}).invoke(app, ["decode", *arguments], input=octets)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def as_json(*arguments: str, octets: bytes | None = None) -> tuple[int, list[dict[str, Any]]]:
    code, output = ikeref("--json", *arguments, octets=octets)
    return code, json.loads(output)


@pytest.mark.parametrize("vector", BAD, ids=lambda vector: vector["id"])
def test_each_defect_is_named_with_octet_field_and_section_and_none_where_none_is(
    vector: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "datagram"
    file.write_bytes(bytes.fromhex(vector["hex"]))
    sound = vector["id"].startswith("ok-") or vector["id"] in NO_DEFECT_OF_ITS_OWN
    if not vector["hex"]:
        assert ikeref(str(file), "--port", str(vector["dport"]))[0] == 2
        return
    code, (found,) = as_json(str(file), "--port", str(vector["dport"]))
    assert code == (0 if sound else 1)
    assert bool(found["defects"]) is not sound
    printed = ikeref(str(file), "--port", str(vector["dport"]))[1]
    for defect in found["defects"]:
        assert 0 <= defect["offset"] < len(vector["hex"]) // 2
        assert f"octet {defect['offset']}, " in printed
        assert defect["field"].split(".")[-1] in printed
        assert defect["section"].removeprefix("RFC ") in printed
    assert ("no defect" in printed) is sound


@pytest.mark.parametrize(
    "text",
    [
        CONTROL,
        CONTROL.upper(),
        "0x" + CONTROL,
        ":".join(CONTROL[at : at + 2] for at in range(0, len(CONTROL), 2)),
        "\n".join(CONTROL[at : at + 32] for at in range(0, len(CONTROL), 32)),
        ", ".join("0x" + CONTROL[at : at + 2] for at in range(0, len(CONTROL), 2)),
    ],
    ids=["plain", "capitals", "0x", "colons", "lines", "list"],
)
def test_digits_are_read_in_any_notation(text: str, tmp_path: Path) -> None:
    assert as_json(text)[1][0]["octets"] == CONTROL
    assert as_json("-", octets=text.encode())[1][0]["octets"] == CONTROL
    (tmp_path / "digits.txt").write_text(text + "\n")
    assert as_json(str(tmp_path / "digits.txt"))[1][0]["octets"] == CONTROL


def test_digits_may_be_several_arguments() -> None:
    assert as_json(*(CONTROL[at : at + 4] for at in range(0, len(CONTROL), 4)))[1][0]["octets"] == CONTROL


def test_octets_come_from_standard_input_as_they_are() -> None:
    assert as_json("-", octets=bytes.fromhex(CONTROL))[1][0]["octets"] == CONTROL


def test_fields_cover_every_octet_once() -> None:
    _, (found,) = as_json("00000000" + CONTROL)
    assert found["port"] == 4500
    assert found["fields"][0]["start"] == 4
    ends = [field["end"] for field in found["fields"]]
    assert [field["start"] for field in found["fields"]][1:] == ends[:-1]
    assert ends[-1] == len(CONTROL) // 2 + 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere/octets.bin",), "no file of that name"),
        (("xyz",), "not hexadecimal digits"),
        (("abc",), "not hexadecimal digits"),
        (("00", "--port", "501"), "--port is 500 or 4500"),
        (("00", "--keys", "nowhere"), "can't read nowhere"),
        (("00", "--keys", str(VECTORS)), "ikev2_decryption_table: no such file"),
        ((str(VECTORS),), "is a folder"),
    ],
)
def test_what_cannot_be_read_is_said_and_is_exit_code_2(arguments: tuple[str, ...], says: str) -> None:
    code, output = ikeref(*arguments)
    assert code == 2
    assert says in output


def test_text_that_is_no_digits_is_not_taken_for_a_datagram(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")
    code, output = ikeref(str(tmp_path / "letter.txt"))
    assert code == 2
    assert "not hexadecimal digits" in output


@pytest.mark.parametrize("content", ["{", '{"ike_sas": [{"spi_i": "00", "spi_r": "00", "encr": "ROT13"}]}', "a,b\n"])
def test_a_bad_file_of_keys_is_said(content: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(content)
    code, output = ikeref(CONTROL, "--keys", str(tmp_path / "keys"))
    assert code == 2
    assert "keys" in output


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sk_ei": "00", "sk_er": "00"}, "the keys do not fit the cipher"),
        ({"encr": "AES_CBC", "integ": None}, "integrity algorithm NONE is not supported"),
        ({"encr": None}, "encryption algorithm 0 is not supported"),
    ],
    ids=["size", "integrity", "cipher"],
)
def test_keys_that_do_not_fit_leave_sk_closed(changes: dict[str, str | None], says: str, tmp_path: Path) -> None:
    folder = VECTORS / "generated" / "collision-delete-delete-child"
    (capture,) = folder.glob("*.pcap")
    (keys,) = folder.glob("*.keys.json")
    found = json.loads(keys.read_text())
    for each in found["ike_sas"]:
        each |= changes
    (tmp_path / "keys.json").write_text(json.dumps(found))
    code, output = ikeref(str(capture), "--keys", str(tmp_path / "keys.json"))
    assert code == 0
    assert f"SK stays closed: {says}" in " ".join(output.split())


def test_what_an_old_cipher_protects_is_opened(tmp_path: Path) -> None:
    """Nobody negotiates it unasked, and captures have it all the same."""
    crypto, suite = RealCrypto(legacy=True), Suite(Encr.TRIPLE_DES, 0, 2, Integ.HMAC_SHA1_96, 14)
    message = wire.Message(b"initiate", b"response", 37, wire.FLAG_INITIATOR, 2, (wire.N(16384),))
    octets = envelope.protect(crypto, suite, bytes(range(24)), bytes(20), message, bytes(crypto.iv_size(suite)))
    entry = {"spi_i": message.spi_i.hex(), "spi_r": message.spi_r.hex(), "encr": "3DES_CBC", "integ": "HMAC_SHA1_96"}
    entry |= {"sk_ei": bytes(range(24)).hex(), "sk_ai": bytes(20).hex()}
    (tmp_path / "keys.json").write_text(json.dumps({"ike_sas": [entry]}))
    code, output = ikeref(octets.hex(), "--keys", str(tmp_path / "keys.json"))
    assert code == 0
    assert "HDR, SK {N(INITIAL_CONTACT)}" in output


# Captures and keys


@pytest.mark.parametrize("folder", GENERATED, ids=lambda folder: folder.name)
def test_captures_of_others_open_with_their_keys(folder: Path) -> None:
    keys = folder / f"{folder.name}.keys.json"
    code, found = as_json(str(folder / f"{folder.name}.pcap"), "--keys", str(keys))
    assert code == 0, [each["defects"] for each in found if each["defects"]]
    protected = [each for each in found if {"SK", "SKF"} & set(each.get("payloads", []))]
    assert protected
    assert [each["title"] for each in protected if each["closed"]] == []


@pytest.mark.parametrize("nat", [False, True])
@pytest.mark.parametrize("ike", ["aes256gcm16-prfsha256-x25519", "aes128-sha256-modp2048", "aes256ctr-aesxcbc-ecp256"])
def test_captures_of_the_tour_open_with_its_key_log(ike: str, nat: bool, tmp_path: Path) -> None:
    files = Files(tmp_path / "tour.pcapng")
    run(Options(ike, encapsulate=nat), observers=[files])
    files.close()
    code, found = as_json(str(files.capture), "--keys", str(files.folder))
    assert code == 0
    assert len(found) == 20
    assert found[2]["inside"] == ["IDi", "IDr", "AUTH", "SA", "TSi", "TSr"]
    assert all("inside" in each for each in found[2:])
    code, output = ikeref(str(files.capture))
    assert "SK stays closed: no keys for this IKE SA; --keys gives them" in output
    code, output = ikeref(str(files.capture), "--packet", "3", "--keys", str(files.folder))
    assert "'alice.example'" in output


def test_a_changed_octet_of_a_protected_message_is_a_defect(tmp_path: Path) -> None:
    files = Files(tmp_path / "tour.pcapng")
    tour = run(Options(), observers=[files])
    files.close()
    octets = bytearray(tour.outcome.trace.flights[2].octets)
    octets[60] ^= 1
    code, (found,) = as_json(octets.hex(), "--keys", str(files.folder))
    assert code == 1
    assert found["defects"][0]["field"] == "SK.Integrity Checksum Data"
    assert found["defects"][0]["section"] == "3.14"


def test_a_capture_without_ike_is_said(tmp_path: Path) -> None:
    with (tmp_path / "empty.pcap").open("wb") as file:
        dpkt.pcap.Writer(file).close()
    code, output = ikeref(str(tmp_path / "empty.pcap"))
    assert code == 2
    assert "there is no IKE" in output


def test_a_cut_capture_is_said(tmp_path: Path) -> None:
    whole = (GENERATED[0] / f"{GENERATED[0].name}.pcap").read_bytes()
    (tmp_path / "cut.pcap").write_bytes(whole[:20])
    code, output = ikeref(str(tmp_path / "cut.pcap"))
    assert code == 2
    assert "Traceback" not in output
