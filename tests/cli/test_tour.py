"""`ikeref tour`, run as a user runs it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ikeref_model.tables import ROWS
from ikeref_properties import proofs
from ikeref_properties.proofs import STATEMENTS
from typer.testing import CliRunner

from ikeref.cli.main import app
from ikeref.cli.tour.annotate import annotate
from ikeref.cli.tour.export import Files
from ikeref.cli.tour.life import Options
from ikeref.cli.tour.proved import check
from ikeref.cli.tour.report import Report, run
from ikeref.cli.tour.verdicts import Standing, of_rows
from ikeref.net.disturb import Profile
from ikeref.sa import informational
from ikeref.sa.authentication import Reply
from ikeref.sa.turn import Turn
from ikeref.sa.values import IkeSa
from ikeref.wire import D, Message, payload_type

QUIET = ("tour", "--quiet")


@pytest.fixture(scope="module")
def tour() -> Report:
    """A tour without disturbance."""
    return run(Options())


def ikeref(*arguments: str, columns: int = 80) -> tuple[int, str]:
    """Exit code and output of a command."""
    result = CliRunner(env={"COLUMNS": str(columns), "TERM": "dumb"}).invoke(app, [*arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_tour_tells_the_whole_life_in_80_columns() -> None:
    code, output = ikeref("tour")
    assert code == 0
    for notation in (
        "HDR, SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP)",
        "HDR, SK {IDi, IDr, AUTH, SAi2, TSi, TSr}",
        "HDR, SK {SA, Ni, TSi, TSr}",
        "HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}",
        "HDR, SK {SA, Ni, KEi}",
        "HDR, SK {D}",
        "HDR, SK {}",
    ):
        assert notation in output
    assert "nothing violated" in output
    assert max(len(line) for line in output.splitlines()) <= 80


def test_the_life_has_every_exchange_and_all_its_steps_are_judged(tour: Report) -> None:
    assert tour.good
    assert len(tour.outcome.trace.rests) == len(tour.outcome.stages) == 7
    assert [flight.message.message_id for flight in tour.outcome.trace.flights[:4] if flight.message] == [0, 0, 1, 1]
    assert all(annotation.accepted for annotation in tour.annotations)
    assert {row.name for each in tour.annotations for row in each.rows} >= {
        "child.delete.request",
        "ike.delete.request",
    }
    assert not any(flight.transmit.again for flight in tour.outcome.trace.flights)


def test_a_verdict_without_occasion_is_not_said_to_hold(tour: Report) -> None:
    silent = [each.name for each in tour.verdicts if each.standing is Standing.SILENT]
    assert silent == ["What is sent again is identical to the octet"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_disturbed_tour_comes_to_its_end_and_agrees(seed: int) -> None:
    disturbed = run(Options(profile=Profile(seed, drop=0.2, duplicate=0.2, reorder=0.3)))
    assert disturbed.good, [each for each in disturbed.verdicts if each.faults]
    assert any(flight.fate.dropped for flight in disturbed.outcome.trace.flights)
    again = next(each for each in disturbed.verdicts if each.name.startswith("What is sent again"))
    assert again.standing is Standing.HOLDS


@pytest.mark.parametrize("option", ["--drop=25", "--duplicate=60", "--reorder", "--nat"])
def test_each_disturbance_has_its_option(option: str) -> None:
    code, output = ikeref(*QUIET, option, "--seed", "7")
    assert code == 0, output


# Twins: what must fail


def test_an_end_that_forgets_the_paired_delete_fails_the_tour(monkeypatch: pytest.MonkeyPatch) -> None:
    respond = informational.respond

    def forgetful(turn: Turn, ike: IkeSa, message: Message) -> Reply:
        reply = respond(turn, ike, message)
        return reply._replace(payloads=tuple(each for each in reply.payloads if not isinstance(each, D)))

    monkeypatch.setattr(informational, "respond", forgetful)
    code, output = ikeref("tour")
    assert code == 1
    assert "No row allows this step" in output
    assert "1.4.1" in output
    assert "violated" in output


def test_an_end_that_keeps_a_deleted_child_sa_is_found_by_the_code_s_own_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Turn, "remove", lambda _turn, _child: None)
    tour = run(Options(), stage_seconds=1.0)
    assert not tour.good
    assert tour.outcome.unfinished
    violated = {each.name for each in tour.verdicts if each.standing is Standing.VIOLATED}
    assert "The whole life comes to its end" in violated


def test_a_model_without_the_row_of_a_delete_rejects_the_same_trace(tour: Report) -> None:
    rows = tuple(row for row in ROWS if row.name != "child.delete.request")
    rejected = [each for each in annotate(tour.outcome.trace, rows) if not each.accepted]
    assert "request DELETE_CHILD" in rejected[0].reason
    assert rejected[0].judged
    assert sum(each.judged for each in rejected) <= 2, "behind the first rejected step of an end nothing is judged"


def test_a_tampered_trace_is_rejected(tour: Report) -> None:
    trace = tour.outcome.trace
    moments = tuple(moment for moment in trace.moments if "CreateChild" not in type(moment.cause).__name__)
    assert len(moments) == len(trace.moments) - 1
    assert not all(each.accepted for each in annotate(trace._replace(moments=moments)))


def test_no_loopback_is_a_sentence_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr("ikeref.cli.tour.command.run", refuse)
    code, output = ikeref("tour")
    assert code == 2
    assert "127.0.0.1" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_the_certificates_are_checked_again() -> None:
    code, output = ikeref(*QUIET)
    assert code == 0, output
    assert output.index("The rows") < output.index("Rows and code") < output.index("The code")
    for statement in STATEMENTS:
        assert statement.title[:60] in output  # longer ones go on in a further line


def test_a_certificate_that_proves_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = proofs.committed(STATEMENTS[0])
    monkeypatch.setattr(proofs, "committed", lambda _: {**whole, "clauses": whole["clauses"][:3]})
    found = check(STATEMENTS[0].id)
    assert found.claim == "refuted"
    assert of_rows((found,))[0].standing is Standing.VIOLATED


def test_a_certificate_that_is_missing_is_not_called_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> dict[str, object]:
        raise FileNotFoundError

    monkeypatch.setattr(proofs, "committed", missing)
    verdict = of_rows((check(STATEMENTS[0].id),))[0]
    assert verdict.standing is Standing.UNKNOWN
    assert "can't be read" in verdict.faults[0]


# Files


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    target = tmp_path / "tour.html"
    assert ikeref(*QUIET, "--html", str(target))[0] == 0
    text = target.read_text()
    assert not re.search(r"""<(?:script|img|link|iframe)[^>]*\s(?:src|href)=|@import|url\(""", text)
    data = json.loads(text.split('id="datagrams">')[1].split("</script>")[0])
    assert len(data) == 20
    assert all(len(each["octets"]) == len(each["clear_octets"] or each["octets"]) for each in data)
    inner = [field for field in data[2]["fields"] if field[2].startswith("IDi.Identification")]
    assert inner[0][3] == "'alice.example'"


def test_a_stage_can_be_drawn_alone(tmp_path: Path) -> None:
    code, output = ikeref("tour", "--stage", "3", "--svg", str(tmp_path / "tour.svg"))
    assert code == 0
    assert "3 Rekey Child SA" in output
    assert "4 Rekey IKE SA" not in output
    drawn = (tmp_path / "tour.svg").read_text()
    assert "REKEY_SA" in drawn
    assert "@font-face" not in drawn
    assert "@import" not in drawn


def test_the_trace_is_json_without_keys(tmp_path: Path) -> None:
    target = tmp_path / "tour.json"
    assert ikeref(*QUIET, "--json", str(target), "--pcap", str(tmp_path / "t.pcapng"))[0] == 0
    text = target.read_text()
    trace = json.loads(text)
    assert trace["good"] is True
    assert trace["stages"][0]["title"] == "Establish"
    assert sum(len(moment["sends"]) for moment in trace["moments"]) == len(trace["datagrams"]) == 20
    table = (tmp_path / "t.pcapng.keys" / "ikev2_decryption_table").read_text()
    for secret in re.findall(r"[0-9a-f]{40,}", table):
        assert secret not in text


@pytest.mark.parametrize("option", ["--html", "--pcap", "--json", "--svg"])
@pytest.mark.parametrize("place", ["missing/tour.html", ""])
def test_what_cannot_be_written_is_said_before_the_tour_begins(option: str, place: str, tmp_path: Path) -> None:
    code, output = ikeref("tour", option, str(tmp_path / place))
    assert code == 2
    assert f"can't write {tmp_path / place}" in output.replace("\n", "")
    assert "IKE_SA_INIT" not in output
    assert not list(tmp_path.iterdir())


def tshark(capture: Path, keys: Path, *fields: str) -> list[list[str]]:
    """What tshark finds in a capture: for each packet the values of these fields."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    arguments = [part for field in fields for part in ("-e", field)]
    done = subprocess.run(
        [program, "-r", str(capture), "-T", "fields", *arguments],
        env={"WIRESHARK_CONFIG_DIR": str(keys), "PATH": "/usr/bin:/bin", "HOME": str(keys)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


SUITES = [
    ("aes256gcm16-prfsha256-x25519", "aes256gcm16"),
    ("aes128-sha256-modp2048", "aes128-sha256"),
    ("aes256ctr-sha384-ecp384", "aes256gcm16"),
]


@pytest.mark.parametrize("nat", [False, True])
@pytest.mark.parametrize(("ike", "esp"), SUITES)
def test_tshark_decrypts_the_capture_with_its_key_log(tmp_path: Path, ike: str, esp: str, nat: bool) -> None:
    files = Files(tmp_path / "tour.pcapng")
    tour = run(Options(ike, esp, nat), observers=[files])
    files.close()
    assert tour.good
    packets = tshark(
        files.capture, files.folder, "isakmp.exchangetype", "isakmp.ispi", "isakmp.enc.decrypted", "isakmp.typepayload"
    )
    assert len(packets) == 20
    assert len({spi for _, spi, _, _ in packets}) == 2  # before and after the IKE SA rekey
    for (exchange, _, decrypted, payloads), flight in zip(packets, tour.outcome.trace.flights, strict=True):
        assert flight.message is not None
        if exchange == "34":
            continue
        assert decrypted, f"message {flight.message.message_id} of exchange {exchange} stays closed"
        assert payloads.split(",")[0] == "46"
        inner = [each for each in payloads.split(",")[1:] if int(each) >= 33]
        assert inner == [str(payload_type(payload)) for payload in flight.message.payloads]


def test_tshark_finds_no_payloads_with_a_wrong_key(tmp_path: Path) -> None:
    capture = tmp_path / "tour.pcapng"
    assert ikeref(*QUIET, "--pcap", str(capture))[0] == 0
    keys = tmp_path / "tour.pcapng.keys"
    table = keys / "ikev2_decryption_table"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(re.sub(r"^([^,]*,[^,]*,)[0-9a-f]{8}", r"\g<1>00000000", line) for line in lines) + "\n")
    found = tshark(capture, keys, "isakmp.typepayload")[2][0].split(",")
    assert not {"39", "44", "45"} & set(found)  # AUTH, TSi, TSr
