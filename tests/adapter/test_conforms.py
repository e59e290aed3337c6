"""`conforms`, the line that a team writes: it fails with a text that says enough."""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ikeref_properties.adapter import Address, Implementation, conforms
from ikeref_properties.adapter import __main__ as command_line

from ikeref import wire
from tests.adapter import faults
from tests.adapter.minimal import Minimal
from tests.adapter.plugged import Plugged


class Silent(Implementation):
    """An adapter in its smallest form, of an implementation that never answers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def receive(self, datagram: bytes, source: Address, destination: Address, now: float) -> Iterable[bytes]:
        del datagram, source, destination, now
        return ()

    def tick(self, now: float) -> Iterable[bytes]:
        del now
        return ()

    def next_deadline(self) -> float | None:
        return None


class Refusing(Silent):
    """No proposal is to its liking."""

    def receive(self, datagram: bytes, source: Address, destination: Address, now: float) -> Iterable[bytes]:
        del source, destination, now
        message = wire.decode(datagram)
        answer = wire.Message(message.spi_i, bytes(8), 34, wire.FLAG_RESPONSE, 0, (wire.N(14),))
        return [] if message.is_response else [wire.encode(answer)]


class Broken(Silent):
    """It falls over."""

    def receive(self, datagram: bytes, source: Address, destination: Address, now: float) -> Iterable[bytes]:
        del datagram, source, destination, now
        raise KeyError("its own affair")


def why(factory: type[Implementation]) -> str:
    with pytest.raises(AssertionError) as told:
        conforms(factory, runs=10)
    return str(told.value)


def test_an_implementation_that_never_answers_does_not_pass() -> None:
    text = why(Silent)
    assert "no IKE SA came about" in text
    assert "IKE_SA_INIT request 0" in text
    assert "ikeref is a.example at 192.0.2.1:500; it wants b.example at 192.0.2.2:500" in text
    assert "x25519" in text


def test_a_policy_that_does_not_match_is_seen_in_the_first_life() -> None:
    assert "N(NO_PROPOSAL_CHOSEN)" in why(Refusing)


def test_an_exception_is_told_with_its_place() -> None:
    text = why(Broken)
    assert "KeyError" in text
    assert "test_conforms.py" in text
    assert 'raise KeyError("its own affair")' in text


def test_a_counterexample_is_the_text_of_the_failure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"Section 2\.1") as told:
        conforms(lambda seed: Plugged(faults.Twice(seed)), runs=10, save=tmp_path / "found")
    assert "the implementation" in str(told.value)
    assert (tmp_path / "found.pcapng").exists()


def test_the_command_line_shows_how_far_the_first_life_came(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([f"{__name__}:Silent", "--runs", "5"]) == 3
    assert "This is how far the first life came" in capsys.readouterr().out


def test_the_test_file_of_the_page_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/adapter.md begins with a whole test file; here its `mystack` is the small implementation."""

    class Stack:
        def __init__(self, name: str, *, psk: bytes, seed: int) -> None:
            assert (name, psk) == ("b.example", b"a secret that both ends share")
            self.minimal = Minimal(seed)

        def input(self, datagram: bytes, now: float) -> Iterable[bytes]:
            return self.minimal.receive(datagram, ("192.0.2.1", 500), ("192.0.2.2", 500), now)

        def timers(self, now: float) -> Iterable[bytes]:
            return self.minimal.tick(now)

        def next_timer(self) -> float | None:
            return self.minimal.next_deadline()

    page = (Path(__file__).parents[2] / "docs" / "adapter.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    module = ModuleType("mystack")
    module.Stack = Stack  # type: ignore[attr-defined]  # a module made up for this test
    monkeypatch.setitem(sys.modules, "mystack", module)
    names: dict[str, Any] = {}
    exec(compile(code, "adapter.md", "exec"), names)
    names["test_mine_conforms"]()
