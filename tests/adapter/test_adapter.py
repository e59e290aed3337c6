"""Implementations go through the adapter: ikeref itself, and one that shares no code with it; its faults are found."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from ikeref_properties.adapter import __main__ as command_line
from ikeref_properties.adapter import report
from ikeref_properties.adapter.campaign import Setup, rule_of, walk
from ikeref_properties.adapter.implementation import Command, Implementation
from ikeref_properties.adapter.messages import Violation
from ikeref_properties.adapter.peer import Ikeref
from ikeref_properties.adapter.stateful import BOUNDED, machine_for
from ikeref_properties.capture.check import Exit, check

from ikeref.policy.connections import Settings
from tests.adapter import faults
from tests.adapter.faults import DEPARTURES, FAULTS, Fault
from tests.adapter.minimal import Minimal
from tests.adapter.plugged import Open, Plugged
from tests.adapter.records import Ike

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "adapter.md").read_text("utf-8")


def plugged(seed: int) -> Implementation:
    return Plugged(Minimal(seed))


def opened(seed: int) -> Implementation:
    return Open(Minimal(seed))


@pytest.mark.parametrize("factory", [Ikeref, plugged, opened], ids=["ikeref", "minimal", "minimal with a view"])
def test_a_conforming_implementation_passes(factory: type[Ikeref]) -> None:
    result = walk(factory, count=250)
    assert not result.failures, report.text(result.failures[0])
    assert not result.limits
    assert not result.warnings
    assert result.established > 180
    assert len(result.rows) > 40


@pytest.mark.parametrize(("ours", "theirs"), [(4, 1), (1, 4), (4, 4)])
def test_windows_above_1_are_judged_as_they_are_announced(ours: int, theirs: int) -> None:
    def factory(seed: int) -> Implementation:
        return Ikeref(seed, settings=Settings(window_size=theirs))

    result = walk(factory, Setup(settings=Settings(window_size=ours)), count=120)
    assert not result.failures, report.text(result.failures[0])
    assert not result.limits


class Heedless(Ikeref):
    """It believes that its peer takes nine requests at once."""

    def command(self, command: Command, now: float) -> Iterable[bytes]:
        for number, session in self.endpoint.sessions.items():
            ikes = tuple(each._replace(peer_window=9) for each in session.ikes)
            self.endpoint.sessions[number] = session._replace(ikes=ikes)
        return super().command(command, now)


@pytest.mark.parametrize("size", [1, 2])
def test_an_implementation_that_heeds_no_window_is_found(size: int) -> None:
    result = walk(Heedless, Setup(settings=Settings(window_size=size)), count=200)
    assert rule_of(result.failures[0].error) == "window"
    assert "is unanswered: the window is" in str(result.failures[0].error)


def test_a_conforming_implementation_passes_the_machine() -> None:
    run_state_machine_as_test(machine_for(opened), settings=settings(BOUNDED, max_examples=60))


def test_the_foreign_implementation_is_foreign() -> None:
    for file in ("minimal.py", "records.py", "octets.py"):
        tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
        modules = [each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
        modules += [name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names]
        assert modules
        assert not [each for each in modules if each is None or each.startswith("ikeref")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.make.__name__)
def test_a_fault_is_found(fault: Fault) -> None:
    plug = Open if fault.view else Plugged
    result = walk(lambda seed: plug(fault.make(seed)), count=1000)
    assert result.failures, "it survives"
    error = result.failures[0].error
    assert isinstance(error, Violation)
    assert rule_of(error).startswith(fault.rule)
    assert fault.section in ("", error.finding.section)
    assert error.finding.requirements
    (line,) = [each for each in PAGE.splitlines() if each.startswith(f"| {(fault.make.__doc__ or '').rstrip('.')} |")]
    assert line.endswith(f"| {result.runs} | {len(result.failures[0].schedule)} |"), "docs/adapter.md says otherwise"


@pytest.mark.parametrize("make", DEPARTURES)
def test_a_departure_from_a_should_is_a_warning(make: type[Minimal]) -> None:
    result = walk(lambda seed: Plugged(make(seed)), count=200)
    assert not result.failures, report.text(result.failures[0])
    assert result.warnings


def test_a_fault_is_found_by_the_machine() -> None:
    machine = machine_for(lambda seed: Plugged(faults.Twice(seed)))
    with pytest.raises(Violation, match="second response"):
        run_state_machine_as_test(machine, settings=settings(BOUNDED, max_examples=20))


def test_a_crash_is_found() -> None:
    class Crashes(Minimal):
        def respond_again(self, ike: Ike) -> None:
            raise ZeroDivisionError(ike.spi_i)

    result = walk(lambda seed: Plugged(Crashes(seed)), count=50)
    assert "ZeroDivisionError" in str(result.failures[0].error)


def test_a_failure_is_shown_as_a_ladder() -> None:
    failure = walk(lambda seed: Plugged(faults.DeleteForDelete(seed)), count=1000).failures[0]
    text = report.text(failure)
    assert "(Section 1.4.1)" in text
    assert "7296-1.4.1-10" in text
    assert "collision.delete_child.closing" in text
    assert "INFORMATIONAL request 0: D" in text or "INFORMATIONAL request 2: D" in text
    assert max(len(line) for line in text.splitlines() if "│" in line) == 100


def test_a_failure_is_saved_as_a_capture_that_check_judges_alike(tmp_path: Path) -> None:
    failure = walk(lambda seed: Plugged(faults.EncryptsAgain(seed)), count=400).failures[0]
    capture, keys = report.save(failure, tmp_path / "found")
    assert check(capture, (keys,)).exit is Exit.VIOLATION


@pytest.mark.parametrize(
    ("factory", "code"),
    [
        ("tests.adapter.test_adapter:plugged", 0),
        ("tests.adapter.test_adapter:twice", 1),
        ("tests.adapter.test_adapter:nothing_like_it", 2),
        ("no_such_module:factory", 2),
        ("nonsense", 2),
        ("tests.adapter.test_adapter:NO_FUNCTION", 2),
        ("json:dumps", 2),
        ("tests.adapter.test_adapter:silent", 3),
    ],
)
def test_exit_codes(factory: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([factory, "--runs", "20", "--save", str(tmp_path / "found")]) == code
    assert (tmp_path / "found.pcapng").exists() is (code == 1)
    told = capsys.readouterr()
    assert ("second response" in told.out) is (code == 1)
    assert ("no IKE SA came about" in told.out) is (code == 3)


NO_FUNCTION = 1


def test_what_the_docs_show_of_a_campaign_is_what_comes_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The documented command, run."""
    shown = PAGE.partition("```console\n$ python -m ikeref_properties.adapter ")[2].partition("```")[0]
    command, _, output = shown.partition("\n")
    assert command_line.main(command.split()) == 0
    assert capsys.readouterr().out == output


def twice(seed: int) -> Implementation:
    return Plugged(faults.Twice(seed))


def silent(seed: int) -> Implementation:
    class Silent(Minimal):
        def arrived(self, datagram: bytes) -> None:
            del datagram

    return Plugged(Silent(seed))
