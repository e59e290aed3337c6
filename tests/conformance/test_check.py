"""`ikeref check`: other daemons' captures are explained, what disturbs a capture is no violation, errors are clear."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ikeref_model.events import Kind
from ikeref_properties.capture import keys, meaning
from ikeref_properties.capture.check import Exit, Line, check, judge
from ikeref_properties.capture.rules import Weight
from typer.testing import CliRunner, Result

from ikeref import wire
from ikeref.cli.main import app
from ikeref.crypto import IkeKeys
from ikeref.net import packets
from ikeref.net.capture import Capture
from ikeref.net.keylog import IKE_TABLE, ike_line
from ikeref.net.packets import Contents, Datagram
from ikeref.sa import NewKeys
from tests.conformance.altering import Altered, captured, files, scenarios
from tests.vectors.captured import captured_sas, outside

DISTURBED = (
    "collision-delete-delete-child",
    "cookie-invalid-ke",
    "eap-mschapv2",
    "eap-mschapv2-badpw",
    "eap-only-tls",
    "libreswan-gcm-libreswan-initiates",
    "pubkey-rsa4096-fragmented-cbc",
    "retransmit-requests",
    "simultaneous-ike-rekey",
    "transport-many-children",
)
NAMED = {
    "ppk": "PPK (RFC 8784)",
    "mobike-address-change": "MOBIKE (RFC 4555)",
    "eap-mschapv2": meaning.EAP,
    "childless": meaning.CHILDLESS,
    "pubkey-rsa4096-fragmented-cbc": meaning.FRAGMENTATION,
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def violations(it: Altered) -> list[tuple[int, str]]:
    return [(each.number, each.text) for each in it.judge().findings if each.weight is Weight.VIOLATION]


@pytest.mark.parametrize("name", scenarios())
def test_captures_of_other_daemons_are_explained(name: str) -> None:
    capture, key_file = files(name)
    report = check(capture, (key_file,))
    assert report.exit is Exit.CONFORMS
    assert report.limits == ()
    pieces = sum(line.seen.state.name == "PIECE" for line in report.lines)
    assert report.judged == len(report.lines) - pieces
    told = [line for line in report.lines if line.item is not None and not line.again]
    said = [line for line in told if line.rows or line.extensions or line.findings or _in_a_round(line)]
    assert said == told


def _in_a_round(line: Line) -> bool:
    """IKE_AUTH with EAP has more messages than those that bear EAP payloads."""
    return line.item is not None and line.item.exchange.kind is Kind.IKE_AUTH


@pytest.mark.parametrize("name", [name for name in scenarios() if name.startswith("eap")])
def test_s2_16_rounds_of_eap_are_explained_one_by_one(name: str) -> None:
    """Each message by rows of its own, and the rounds by those of EAP."""
    capture, key_file = files(name)
    lines = [line for line in check(capture, (key_file,)).lines if line.item is not None and not line.again]
    assert all(line.rows for line in lines)
    rows = [match.row.name for line in lines for match in line.rows]
    assert rows[2:5] == ["init.response.ok.eap", "eap.request.begin", "eap.response.begin"]
    assert {"eap.request.round", "eap.response.round"} <= set(rows)
    ends = {"eap.response.success", "auth.request.accept"} <= set(rows), "eap.response.abandon.report" in rows
    assert ends == ((False, True) if name.endswith("badpw") else (True, False))


@pytest.mark.parametrize("name", scenarios())
def test_gaps_are_only_told_where_there_are_any(name: str) -> None:
    capture, key_file = files(name)
    # The first request of this one is not in the file.
    assert bool(check(capture, (key_file,)).gaps) is (name == "tfc-multi-proposal")


@pytest.mark.parametrize(("name", "extension"), NAMED.items())
def test_extensions_are_named_and_what_follows_is_judged(name: str, extension: str) -> None:
    capture, key_file = files(name)
    lines = check(capture, (key_file,)).lines
    assert any(extension in line.extensions for line in lines)
    assert lines[-1].judged
    assert lines[-1].rows


def disturbed(it: Altered) -> Iterator[tuple[str, Altered]]:
    """What may befall a capture: loss before it, gaps of it, late copies, a late begin, an early end."""
    all_ = it.datagrams
    for place in range(len(all_)):
        yield f"without {place}", it._replace(datagrams=all_[:place] + all_[place + 1 :])
        yield f"without {place} and the next", it._replace(datagrams=all_[:place] + all_[place + 2 :])
        yield f"from {place}", it._replace(datagrams=all_[place:])
    for later in (1, 2, 5, len(all_)):
        late = sorted((*enumerate(all_), *((place + later - 0.5, each) for place, each in enumerate(all_))))
        yield f"all again after {later}", it._replace(datagrams=tuple(each for _, each in late))
    for step in (3, 4):
        yield f"without every {step}.", it._replace(datagrams=tuple(each for at, each in enumerate(all_) if at % step))


@pytest.mark.parametrize("name", DISTURBED)
def test_loss_gaps_and_copies_are_no_violation(name: str) -> None:
    it = captured(name)
    found = {what: violations(other) for what, other in disturbed(it) if other.datagrams}
    assert {what: each for what, each in found.items() if each} == {}


@pytest.mark.parametrize("name", ["simultaneous-ike-rekey", "collision-delete-delete-child"])
def test_requests_that_cross_may_be_seen_in_either_order(name: str) -> None:
    it = captured(name)
    first, second = it.place(5), it.place(6)
    swapped = list(it.datagrams)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert violations(it._replace(datagrams=tuple(swapped))) == []


def test_s2_25_2_a_departure_from_a_should_is_a_warning() -> None:
    """Both the request and the answer are real; only TEMPORARY_FAILURE became consent."""
    it = captured("collision-ike-rekey-vs-delete")
    consent = [
        wire.SA((each.proposals[0]._replace(spi=bytes(range(8))),)) if isinstance(each, wire.SA) else each
        for each in it.message(5).payloads
    ]
    report = it.replace(8, it.message(8)._replace(payloads=tuple(consent))).judge()
    assert report.exit is Exit.CONFORMS
    warnings = [each for each in report.findings if each.weight is Weight.WARNING]
    assert [(each.number, each.section, each.rows) for each in warnings] == [
        (8, "2.25.2", ("collision.rekey_ike.closing",))
    ]


def test_s2_8_requests_on_a_replaced_ike_sa_are_a_warning() -> None:
    """A liveness check before the Delete that is due."""
    it = captured("transport-many-children")
    ask, answer = (it.message(number)._replace(payloads=()) for number in (15, 16))
    later = it.replace(15, it.message(15)._replace(message_id=8)).replace(16, answer._replace(message_id=8))
    report = later.add(14, ask, 15).add(900, answer, 16, 901).judge()
    assert report.exit is Exit.CONFORMS
    warnings = [each for each in report.findings if each.weight is Weight.WARNING]
    assert [(each.number, each.section) for each in warnings] == [(900, "2.8")]


def test_s2_8_the_end_that_answered_the_rekey_is_warned_if_it_deletes_the_old_ike_sa() -> None:
    it = captured("transport-many-children")
    report = it.add(14, it.message(15)._replace(flags=0, message_id=0), 14).judge()
    assert report.exit is Exit.CONFORMS
    warnings = [each for each in report.findings if each.weight is Weight.WARNING]
    assert [(each.number, each.section) for each in warnings] == [(900, "2.8")]


def test_a_forged_message_is_nobodys() -> None:
    it = captured("liveness-dpd")
    damaged = it.datagrams[-1].octets[:-1] + bytes((it.datagrams[-1].octets[-1] ^ 1,))
    report = it.insert(4, it.datagrams[3]._replace(number=900, octets=damaged)).judge()
    assert report.exit is Exit.CONFORMS
    assert [each.text for each in report.findings] == ["its ICV is wrong: damaged or forged, to be ignored"]


def written(target: Path, datagrams: tuple[Datagram, ...]) -> Path:
    """The datagrams in a pcapng file."""
    with Capture(target) as capture:
        for each in datagrams:
            ends = [(end.rpartition(":")[0].strip("[]"), int(end.rpartition(":")[2])) for end in each[2:4]]
            marker = wire.NON_ESP_MARKER if ends[1][1] == 4500 else b""
            capture.record(marker + each.octets, ends[0], ends[1], each.time)
    return target


def test_pcapng_is_read_like_pcap(tmp_path: Path) -> None:
    for name in ("ipv6-esp", "rekey-repeated"):
        it = captured(name)
        again = packets.read(written(tmp_path / "again.pcapng", it.datagrams)).datagrams
        assert [(each.octets, each.source) for each in again] == [(each.octets, each.source) for each in it.datagrams]


def test_wiresharks_table_opens_what_json_opens(tmp_path: Path) -> None:
    names = [
        name for name in scenarios() if "chacha" not in name and name not in ("pubkey-ed25519", "tfc-multi-proposal")
    ]
    for name in names:
        capture, key_file = files(name)
        lines = [
            ike_line(NewKeys(*spis, sa.suite, sa.keys)) for spis, sa in captured_sas(key_file).items() if all(spis)
        ]
        (tmp_path / IKE_TABLE).write_text("# comment\n" + "".join(lines))
        assert check(capture, (tmp_path,)).exit is Exit.CONFORMS, name


def test_a_message_is_not_shown_to_be_wrong_by_wrong_keys_of_an_unchecked_cipher(tmp_path: Path) -> None:
    capture, key_file = files("psk-aes128cbc-aesxcbc-modp2048")
    (spis, sa), *_ = captured_sas(key_file).items()
    wrong = IkeKeys(*(bytes(len(each)) for each in sa.keys))
    (tmp_path / IKE_TABLE).write_text(ike_line(NewKeys(*spis, sa.suite, wrong)))
    result = run(capture, "--keys", tmp_path)
    assert result.exit_code == 2


def test_the_command_prints_a_ladder_and_the_verdict() -> None:
    capture, key_file = files("simultaneous-ike-rekey")
    result = run(capture, "--keys", key_file)
    assert result.exit_code == 0
    assert "CREATE_CHILD_SA response 0" in result.stdout
    assert "collision.rekey_ike.rekeying (2.25.2)" in result.stdout
    assert "Conforms: 14 of 14 datagrams judged." in result.stdout


def test_the_command_tells_the_first_violation(tmp_path: Path) -> None:
    it = captured("second-child-esp")
    bad = it.replace(22, it.message(22)._replace(payloads=()))
    result = run(written(tmp_path / "bad.pcapng", bad.datagrams), "--keys", files("second-child-esp")[1], "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    wrong = [each for each in told["datagrams"] if any(one["weight"] == "violation" for one in each["findings"])]
    assert told["verdict"] == "violation"
    assert [each["exchange"] for each in wrong] == ["INFORMATIONAL response 6"]
    assert wrong[0]["findings"][0]["rows"] == ["child.delete.request"]
    assert "7296-1.4.1-07" in wrong[0]["findings"][0]["requirements"]
    assert "Violation: packet" in run(tmp_path / "bad.pcapng", "--keys", files("second-child-esp")[1]).stdout


def test_without_keys_nothing_is_decided() -> None:
    result = run(files("ah")[0], "--quiet")
    assert result.exit_code == 3
    assert "--keys" in result.stdout


@pytest.mark.parametrize(
    ("capture", "key_file", "words"),
    [
        ("ah", "ppk", "none of the 8 protected messages belongs to an IKE SA whose keys are given"),
        ("missing", "ah", "no such file"),
        ("keys", "ah", "no capture in pcap or pcapng"),
        ("empty", "ah", "no capture in pcap or pcapng"),
        ("none", "ah", "has no IKE, neither on"),
        ("ah", "capture", "is no key file"),
        ("ah", "text", "line 1 has 1 columns"),
        ("ah", "json", "is no key file"),
        ("ah", "wrong", "every ICV is wrong"),
        ("ah", "short", "do not fit the cipher"),
    ],
)
def test_errors_say_what_is_wrong(tmp_path: Path, capture: str, key_file: str, words: str) -> None:
    good, good_keys = files("ah")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("nothing of the kind\n")
    (tmp_path / "json").write_text('{"ike_sas": [{"spi_i": "00"}]}')
    told = json.loads(good_keys.read_text())
    (tmp_path / "wrong").write_text(json.dumps({"ike_sas": [_changed(each, "00") for each in told["ike_sas"]]}))
    (tmp_path / "short").write_text(json.dumps({"ike_sas": [_changed(each, "") for each in told["ike_sas"]]}))
    written(tmp_path / "none", ())
    captures = {"ah": good, "keys": good_keys}
    key_files = {"ah": good_keys, "ppk": files("ppk")[1], "capture": good}
    result = run(
        captures.get(capture, tmp_path / capture), "--keys", key_files.get(key_file, tmp_path / key_file), "--quiet"
    )
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.output.split())
    assert result.exception is None or isinstance(result.exception, SystemExit)


def _changed(entry: dict[str, object], octet: str) -> dict[str, object]:
    size = {name: len(str(entry[name] or "")) // 2 for name in ("sk_ei", "sk_er")}
    return entry | {name: octet * length for name, length in size.items()}


def test_a_file_that_is_cut_off_is_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    capture, key_file = files("rekey-repeated")
    octets = capture.read_bytes()
    for length in range(24, len(octets), 97):
        (tmp_path / "cut.pcap").write_bytes(octets[:length])
        result = run(tmp_path / "cut.pcap", "--keys", key_file, "--quiet")
        assert result.exit_code in (0, 2, 3), length
        assert result.exception is None or isinstance(result.exception, SystemExit)


def test_any_octet_may_be_damaged() -> None:
    """Damage before the capture point is the network's doing; no datagram makes the checker fail."""
    for name in ("cookie-invalid-ke", "eap-mschapv2", "simultaneous-ike-rekey"):
        it = captured(name)
        for place, each in enumerate(it.datagrams):
            for at in (*range(17, 28), *range(28 + place, len(each.octets), 61)):
                octets = each.octets[:at] + bytes((each.octets[at] ^ 0x81,)) + each.octets[at + 1 :]
                datagrams = (*it.datagrams[:place], each._replace(octets=octets), *it.datagrams[place + 1 :])
                judge(Contents(datagrams, len(datagrams), 0), it.keys)


def test_keys_are_not_shown() -> None:
    found = keys.read(files("ah")[1])[0]
    assert found.sk_ei.hex() not in repr(found)
    assert repr(found.sk_ei) not in repr(found)


def test_ike_on_other_ports_is_found(tmp_path: Path) -> None:
    it = captured("ah")
    moved = tuple(
        each._replace(source=each.source.replace(":500", ":15500"), destination=each.destination.replace(":500", ":9"))
        for each in it.datagrams
    )
    assert check(written(tmp_path / "moved.pcapng", moved), (files("ah")[1],)).exit is Exit.CONFORMS


def test_captures_of_other_projects_are_read_or_refused_in_words() -> None:
    folder = outside("captures")
    if folder is None:
        pytest.skip("the captures of other projects are not at hand")
    for capture in sorted((*folder.glob("*.pcap"), *folder.glob("*.pcapng"))):
        key_file = capture.parent / f"{capture.stem}.keys.json"
        result = run(capture, *(("--keys", key_file) if key_file.exists() else ()), "--quiet")
        assert result.exception is None or isinstance(result.exception, SystemExit), capture.name
        # One of them answers a Delete by INVALID_MESSAGE_ID (Section 2.3).
        assert (result.exit_code == 1) is ("invalid-delete" in capture.name), capture.name
