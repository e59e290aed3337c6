"""Fuzzing finds nothing in what is kept, and finds faults that are seeded (docs/hardness.md)."""

import json
from pathlib import Path
from random import Random

import pytest
from ikeref_properties.mutants import find, seeded
from ikeref_properties.mutants.seeding import Mutant, edit, mutant
from ikeref_properties.network import ENDS

from ikeref.registry import ExchangeType
from ikeref.sa import Phase
from tests.fuzz import campaign
from tests.fuzz.__main__ import main
from tests.fuzz.eap_tls import handshaking
from tests.fuzz.engines import Account
from tests.fuzz.harness import Finding, Harness, random_input
from tests.fuzz.inputs import How, Input, Then, build, changed, parse
from tests.fuzz.scenes import phases

FEW = 4000


@pytest.fixture(scope="module")
def harness() -> Harness:
    return Harness()


@pytest.fixture(scope="module")
def amid_tls() -> Harness:
    return Harness("eap-tls")


def corpus_of(harness: Harness) -> tuple[bytes, ...]:
    amid_tls = any(handshaking(scene.station.session) is not None for scene in harness.scenes)
    return (*harness.seeds(), *campaign.kept("eap-tls" if amid_tls else "all"))


def test_every_kept_input_and_every_seed_finds_nothing(harness: Harness) -> None:
    assert len(campaign.kept()) > 100
    for octets in corpus_of(harness):
        harness.run(octets)
    assert min(harness.seen["answered"], harness.seen["not answered"]) > 100


def test_a_few_thousand_new_inputs_find_nothing(harness: Harness) -> None:
    rng, corpus = Random(7296), corpus_of(harness)
    for _ in range(FEW):
        harness.run(random_input(harness, rng, corpus))
    assert min(harness.seen["changed something"], harness.seen["changed nothing"]) > FEW // 10


def test_the_scenes_are_of_every_phase_and_exchange(harness: Harness) -> None:
    assert phases(tuple(harness.scenes)) == set(Phase)
    exchanges = {scene.station.message.exchange_type for scene in harness.scenes}
    known = {ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL}
    assert exchanges == known
    sessions = [scene.station.session for scene in harness.scenes if scene.station.session is not None]
    assert any(ike.handshake is not None and ike.handshake.eap is not None for each in sessions for ike in each.ikes)
    assert any(ike.partial for each in sessions for ike in each.ikes)
    assert any(ike.peer_window > 1 and len(ike.outstanding) > 1 for each in sessions for ike in each.ikes)


def test_any_octets_are_an_input(harness: Harness) -> None:
    rng = Random(1)
    for size in range(40):
        octets = rng.randbytes(size)
        again = build(parse(octets))
        assert parse(again) == parse(octets)
        harness.run(octets)
        harness.run(changed(octets, rng, len(harness.scenes)))


def test_a_message_sealed_by_the_harness_is_what_the_peer_would_have_sent(harness: Harness) -> None:
    """What an endpoint does with it is the same, so inputs reach what is behind the ICV."""
    seeds = [parse(octets) for octets in harness.seeds()]
    reached = 0
    for what in seeds:
        if what.how is How.SEALED:
            before = harness.seen["changed something"]
            harness.run(build(what))
            reached += harness.seen["changed something"] > before
    assert reached > 0.9 * sum(what.how is How.SEALED for what in seeds)


FAULTS: tuple[tuple[Mutant, str], ...] = (
    (mutant("answer an SPIi of zero", "3.1", edit("endpoint", "if header.spi_i == NO_SPI:", "if False:")), "be read"),
    (
        mutant(
            "take a fragment twice",
            "RFC 7383 2.6",
            edit("sa.fragmentation", "known is not None and total == known.total and any", "known is None and any"),
        ),
        "raised",
    ),
    (find("take a group that was not offered"), "receive raised LocalProtocolError"),
    (find("choose what lacks a mandatory transform"), "receive raised ValueError"),
    (find("answer responses"), "a response to what is no request"),
    (find("count half-open IKE SAs for ever"), "the count of half-open IKE SAs is wrong"),
    (find("process requests again"), "came again was processed again"),
    (find("tear down over a message of nobody"), "not authentic changed an IKE SA"),
    (find("answer before the ICV is checked"), "not authentic changed an IKE SA"),
    (find("answer in another exchange"), "a response of another exchange"),
    (find("believe the number of SPIs in a Delete"), "encoded otherwise"),
    (find("let a responder retransmit by itself"), "timer raised"),
)


@pytest.mark.parametrize(("fault", "found"), FAULTS, ids=lambda each: each.id if isinstance(each, Mutant) else "")
def test_a_seeded_fault_is_found(harness: Harness, fault: Mutant, found: str) -> None:
    with seeded(fault), pytest.raises(Finding, match=found):
        run_all(harness)


TLS_FAULTS: tuple[tuple[Mutant, str], ...] = (
    (
        mutant("read flags that are not there", "RFC 5216 3.1", edit("eap.tls", "    if not data:", "    if False:")),
        "receive raised IndexError",
    ),
    (
        mutant(
            "let OpenSSL's errors out",
            "RFC 5216 2.1.3",
            edit("eap.tlsengine", "        except SSL.Error as error:", "        except SSL.ZeroReturnError as error:"),
        ),
        "receive raised Error",
    ),
    (
        mutant(
            "go on after the end of TLS",
            "RFC 5216 2.1.1",
            edit(
                "eap.tls",
                "    if state.fault or not state.engine.confirmed:\n        raise AuthenticationFailed(state.fault or "
                '"the peer stopped amid TLS"',
                '    if False:\n        raise AuthenticationFailed(state.fault or "the peer stopped amid TLS"',
            ),
        ),
        "receive raised AssertionError",
    ),
)


def test_amid_eap_tls_a_thousand_inputs_find_nothing(amid_tls: Harness) -> None:
    """In both roles, before and behind each fragment; many go so far that OpenSSL takes them in."""
    ends = {scene.station.end for scene in amid_tls.scenes if handshaking(scene.station.session) is not None}
    assert ends == set(ENDS)
    run_all(amid_tls, 1000)
    assert amid_tls.seen["TLS had gone on"] > 200
    assert min(amid_tls.seen["changed something"], amid_tls.seen["changed nothing"]) > 100


@pytest.mark.parametrize(("fault", "found"), TLS_FAULTS, ids=lambda each: each.id if isinstance(each, Mutant) else "")
def test_a_seeded_fault_of_eap_tls_is_found(amid_tls: Harness, fault: Mutant, found: str) -> None:
    with seeded(fault), pytest.raises(Finding, match=found):
        run_all(amid_tls, 2000)


def run_all(harness: Harness, new: int = FEW) -> None:
    """What is kept, and a few thousand new ones."""
    rng, corpus = Random(1), corpus_of(harness)
    for octets in corpus:
        harness.run(octets)
    for _ in range(new):
        harness.run(random_input(harness, rng, corpus))


def test_a_campaign_goes_on_where_it_was_and_tells_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pretend(engine: str, count: int, seed: int, _folder: Path, _target: str) -> dict[str, object]:
        bad = {"it broke": 1} if seed == 3 else {}
        return {"engine": engine, "seed": seed, **Account(count, 2.0, {"decoded": count}, bad, 0.001)._asdict()}

    monkeypatch.setattr(campaign, "_one", pretend)
    monkeypatch.setattr(campaign, "RUN", 10)
    assert campaign.run(15, tmp_path, size=10)
    assert campaign.run(15, tmp_path, size=10)
    assert [each["inputs"] for each in campaign.journal(tmp_path)] == [10, 5]
    assert not campaign.run(20, tmp_path, size=10)
    lines = (tmp_path / "journal.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [1, 2, 3]
    assert main(["--report", "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "coverage: 10 inputs in 1 runs" in said
    assert "random: 10 inputs in 2 runs" in said
    assert "it broke" in said


def test_the_random_engine_runs_as_a_process(tmp_path: Path) -> None:
    assert main(["--inputs", "200", "--engine", "random", "--folder", str(tmp_path)]) == 0
    assert campaign.journal(tmp_path)[0]["inputs"] == 200


def test_the_coverage_engine_runs_as_a_process_and_keeps_what_reaches_something_new(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: it is in the extra fuzz")
    assert main(["--inputs", "3000", "--engine", "coverage", "--folder", str(tmp_path)]) == 0
    (account,) = campaign.journal(tmp_path)
    assert account["edges"] > 1000
    assert len(list((tmp_path / "corpus").iterdir())) > 100


def test_one_input_can_be_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    octets = build(Input(0, How.DATAGRAM, Then.NOTHING, 0, 0, 0, 0, 0, 0, b"no message"))
    path = tmp_path / "x.hex"
    path.write_text(f"{octets.hex()}\nwhat it found\n", "utf-8")
    assert main(["--replay", str(path)]) == 0
    assert "nothing is found" in capsys.readouterr().out
