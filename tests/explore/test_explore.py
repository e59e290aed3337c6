"""Every state of two real ends within small bounds; and that what is wrong would be found."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ikeref_model.tables import ROWS
from ikeref_properties.explore import beginning, comparison, faults, profiles, reach
from ikeref_properties.explore.fingerprint import EXACT, SOUND, Merging, fingerprint
from ikeref_properties.explore.search import Result, Search
from ikeref_properties.explore.skeleton import COVERED
from ikeref_properties.explore.start import start
from ikeref_properties.explore.values import Bounds
from typer.testing import CliRunner

from ikeref.cli.main import app
from ikeref.sa import child, collisions, rekey


def search(bounds: Bounds, merging: Merging = SOUND, fault: str = "") -> Result:
    """With a fault the rows are not asked, which would see it at once: what comes of it has to be seen."""
    started = Search(bounds, merging=merging, tidy=not merging.exact, judged=not fault)
    with faults.seeded(fault):
        return started.run()


def why(result: Result) -> str:
    found = result.counterexample
    return "" if found is None else f"{found.deviation}\n" + "\n".join(str(action) for action in found.schedule)


@pytest.mark.parametrize(
    ("bounds", "states"),
    [
        (Bounds(commands=1, losses=1, duplicates=1), 450),
        (Bounds(commands=1, losses=2, duplicates=2, every_nonce=False, early=True), 1_000),
        (Bounds(commands=1, losses=1, duplicates=1, children=2, every_nonce=False), 900),
    ],
    ids=["every order of nonces", "early retries", "two Child SAs"],
)
def test_no_state_within_bounds_deviates(bounds: Bounds, states: int) -> None:
    result = search(bounds)
    assert not why(result)
    assert result.complete
    assert result.states > states
    assert result.resting > 10


COMMANDS = {"CreateChild", "RekeyChild", "RekeyIke", "DeleteChild", "DeleteIke", "CheckLiveness"}


@pytest.fixture(scope="module")
def two_commands() -> Result:
    """Two commands an end of every kind, a loss, a duplicate, every order of nonces, on two cores: minutes.

    The ends are told apart, so that every state is visited and none only counted.
    """
    return Search(profiles.bounds("ci"), merging=SOUND._replace(symmetry=False), processes=2).run()


@pytest.mark.nightly
def test_no_state_deviates_with_two_commands_an_end(two_commands: Result) -> None:
    assert not why(two_commands)
    assert two_commands.complete
    assert two_commands.states > 239_000
    assert COMMANDS | {"deliver", "lose", "duplicate", "retry"} <= set(two_commands.taken)


@pytest.mark.nightly
def test_every_row_is_taken_or_has_its_reason(two_commands: Result) -> None:
    more = (
        Bounds(1, 1, 1, groups=True, every_nonce=False),
        Bounds(1, 1, 1, window=2),
        Bounds(1, 0, 0, give_up=True, kinds=("rekey IKE", "delete IKE")),
    )
    taken = {row for result in (two_commands, *map(search, more)) for row, _ in result.seen.rows}
    for scene in beginning.SCENES:
        taken |= set(beginning.explore(scene, 0, 1).rows)
    assert {row.name for row in ROWS} - taken == set(reach.NOT_TAKEN)
    assert set(reach.NOT_TAKEN) <= {row.name for row in ROWS}


@pytest.mark.parametrize(
    ("bounds", "states"),
    [(Bounds(1, 1, 1, window=2), 700), (Bounds(1, 1, 1, window=2, children=2, every_nonce=False), 2_000)],
    ids=["one Child SA", "two Child SAs"],
)
def test_no_state_deviates_with_windows_of_2(bounds: Bounds, states: int) -> None:
    result = search(bounds)
    assert not why(result)
    assert result.complete
    assert result.states > states


def test_no_state_deviates_where_ends_prefer_other_groups() -> None:
    result = search(Bounds(1, 1, 1, groups=True, every_nonce=False))
    assert not why(result)
    assert result.complete
    assert ("child.rekey.request.refuse", "reply INVALID_KE_PAYLOAD") in result.seen.rows
    assert ("ike.rekey.request.refuse", "reply INVALID_KE_PAYLOAD") in result.seen.rows


def test_every_kind_of_action_is_taken() -> None:
    taken = search(Bounds(commands=1, losses=1, duplicates=1, every_nonce=False)).taken
    assert COMMANDS | {"deliver", "lose", "duplicate", "retry"} <= set(taken)


def test_giving_up_and_forgetting_early_are_taken() -> None:
    result = search(Bounds(commands=1, losses=0, duplicates=0, give_up=True, kinds=("rekey IKE",), every_nonce=False))
    assert {"give up", "forget"} <= set(result.taken)


@pytest.mark.parametrize("fault", [fault.name for fault in faults.FAULTS])
def test_a_seeded_fault_is_found(fault: str) -> None:
    commands, kinds = (2, ("liveness",)) if fault == "any-response" else (1, Bounds().kinds)
    result = search(Bounds(commands=commands, losses=0, duplicates=0, kinds=kinds), fault=fault)
    assert result.counterexample is not None
    assert result.counterexample.schedule


def test_a_fault_is_gone_after_it_was_seeded() -> None:
    bounds = Bounds(commands=1, losses=0, duplicates=0, kinds=("rekey child",), every_nonce=False)
    assert search(bounds, fault="crossing-forgotten").counterexample is not None
    assert search(bounds).counterexample is None


def test_a_schedule_is_a_shortest_one_and_leads_to_the_deviation() -> None:
    bounds = Bounds(commands=1, losses=0, duplicates=0, kinds=("rekey child",), every_nonce=False)
    found = search(bounds, fault="crossing-forgotten").counterexample
    assert found is not None
    assert [action.what for action in found.schedule].count("command") == 2
    assert len(found.schedule) == 8


# What merging forgets


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(1, 0, 0, kinds=("delete child", "rekey IKE"), every_nonce=False),
        Bounds(1, 1, 1, kinds=("rekey child", "delete child"), every_nonce=False),
        Bounds(1, 1, 1, kinds=("rekey IKE", "delete IKE"), every_nonce=False),
    ],
    ids=str,
)
def test_nothing_is_missed_by_merging(bounds: Bounds) -> None:
    exact, merged = search(bounds, EXACT), search(bounds)
    assert exact.complete
    assert merged.complete
    assert not why(exact)
    assert not why(merged)
    assert merged.states < exact.states
    assert merged.behaviours == exact.behaviours


@pytest.mark.parametrize("fault", ["first-nonces", "crossing-forgotten", "delete-overtakes"])
def test_faults_are_found_with_merging_and_without(fault: str) -> None:
    kinds = ("rekey child",) if fault != "delete-overtakes" else ("create child", "delete child")
    bounds = Bounds(1, 0, 0, kinds=kinds, every_nonce=fault == "first-nonces")
    exact, merged = search(bounds, EXACT, fault), search(bounds, SOUND, fault)
    assert exact.counterexample is not None
    assert merged.counterexample is not None
    assert merged.counterexample.deviation.rule == exact.counterexample.deviation.rule
    assert len(merged.counterexample.schedule) == len(exact.counterexample.schedule)


@pytest.mark.parametrize(
    ("merging", "fault", "bounds"),
    [
        (Merging(nonce_order=True), "first-nonces", Bounds(1, 0, 0, kinds=("rekey child",))),
        (Merging(identities=True), "crossing-forgotten", Bounds(1, 0, 0)),
    ],
    ids=["order of nonces", "which SPI is which"],
)
def test_an_unsound_merging_is_noticed(merging: Merging, fault: str, bounds: Bounds) -> None:
    assert search(bounds, SOUND, fault).counterexample is not None
    assert search(bounds, merging, fault).counterexample is None


ORDERS = Merging(comparisons=False)
"""Nonces by their whole order."""


@pytest.mark.parametrize(
    ("bounds", "states"), [(Bounds(1, 1, 1), 2_000), (Bounds(1, 1, 1, window=2), 3_000)], ids=["windows of 1", "of 2"]
)
def test_only_what_comparisons_will_say_matters_of_nonces(bounds: Bounds, states: int) -> None:
    whole, merged = search(bounds, ORDERS), search(bounds)
    assert whole.states > states
    assert merged.states < 0.5 * whole.states
    assert merged.behaviours == whole.behaviours
    assert merged.seen.rests == whole.seen.rests
    assert set(merged.seen.rows) == set(whole.seen.rows)
    assert (why(merged), merged.complete) == (why(whole), whole.complete) == ("", True)


@pytest.mark.parametrize("fault", ["first-nonces", "highest-loses", "nobody-loses", "nonces-as-numbers"])
def test_faults_of_the_comparison_are_found_with_whole_orders_and_without(fault: str) -> None:
    bounds = Bounds(1, 0, 0, kinds=("rekey child", "rekey IKE"))
    whole, merged = search(bounds, ORDERS, fault).counterexample, search(bounds, SOUND, fault).counterexample
    assert whole is not None
    assert merged is not None
    assert merged.deviation.rule == whole.deviation.rule
    assert len(merged.schedule) == len(whole.schedule)


def test_a_merging_that_takes_the_code_to_compare_less_than_it_does_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where states are told apart by Ni alone, the order in which Nr decides is never followed to its end."""

    def less(pair: comparison.Pair) -> object:
        return pair.first[0] < pair.second[0]

    bounds, fault = Bounds(1, 0, 0, kinds=("rekey child",)), "first-nonces"
    assert search(bounds, SOUND, fault).counterexample is not None
    monkeypatch.setattr(comparison, "_answer", less)
    assert search(bounds, SOUND, fault).counterexample is None


def test_every_comparison_that_the_code_makes_was_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nonces of rekeys without a response are told apart by pairs; no other two are ever compared."""
    foreseen: set[frozenset[bytes]] = set()
    asked: set[frozenset[bytes]] = set()
    answer, redundant = comparison.Verdicts.of, collisions.ours_is_redundant

    def noted(verdicts: comparison.Verdicts, pair: comparison.Pair) -> bytes:
        foreseen.add(frozenset((*pair.first, *pair.second)))
        return answer(verdicts, pair)

    def made(ours: Any, theirs: Any, *spis: Any) -> bool:
        asked.add(frozenset((*ours, *theirs)))
        return redundant(ours, theirs, *spis)

    monkeypatch.setattr(comparison.Verdicts, "of", noted)
    monkeypatch.setattr(child, "collisions", SimpleNamespace(ours_is_redundant=made))
    monkeypatch.setattr(rekey, "collisions", SimpleNamespace(ours_is_redundant=made))
    assert search(Bounds(1, 1, 1)).complete
    assert len(asked) >= 5, "one for each answer"
    assert asked <= foreseen


def test_ends_change_places_and_nothing_is_missed() -> None:
    """With the ends told apart there are twice as many states, and nothing else to be seen."""
    whole, half = search(Bounds(1, 1, 1), Merging(symmetry=False)), search(Bounds(1, 1, 1))
    assert half.states < 0.51 * whole.states
    assert half.apart == whole.apart == whole.states
    assert half.behaviours == whole.behaviours
    assert half.seen.rests == whole.seen.rests
    assert (why(half), half.complete) == (why(whole), whole.complete) == ("", True)


def test_several_processes_see_what_one_sees() -> None:
    bounds = Bounds(1, 1, 1)
    one, two = Search(bounds, merging=ORDERS).run(), Search(bounds, merging=ORDERS, processes=2).run()
    assert (one.processes, two.processes) == (1, 2)
    assert (one.states, one.apart, one.edges, one.resting) == (two.states, two.apart, two.edges, two.resting)
    assert one.behaviours == two.behaviours
    assert one.taken == two.taken


def test_states_that_differ_in_names_only_count_as_one() -> None:
    one, two = start(Bounds()), start(Bounds(), seed=1)
    assert fingerprint(*one[:2]) == fingerprint(*two[:2])
    assert fingerprint(*one[:2], EXACT) != fingerprint(*two[:2], EXACT)


def test_states_that_differ_in_what_is_in_flight_do_not_count_as_one() -> None:
    found = search_states(Bounds(1, 0, 0, kinds=("liveness", "delete IKE"), every_nonce=False))
    assert len(found) == 4
    assert len(set(found)) == 2, "the ends may change places"


def search_states(bounds: Bounds) -> list[bytes]:
    """Fingerprints of the states one step from the start."""
    one = Search(bounds)
    return [fingerprint(successor.state, one.origin).octets for successor in one.moves().successors(one.start)]


def test_every_field_of_a_session_is_accounted_for() -> None:
    for kind, words in COVERED.items():
        assert {word.rstrip("*") for word in words.split()} == set(vars(kind)["_fields"]), kind.__name__


# The command


def explore(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"}).invoke(app, ["explore", *arguments])
    return result.exit_code, result.output


def test_the_command_says_what_it_saw() -> None:
    code, text = explore("--commands", "1", "--loss", "0", "--duplicate", "0", "--one-order")
    assert code == 0
    assert "every state within the bounds was seen, and nothing deviates" in text


def test_the_command_draws_what_it_found() -> None:
    code, text = explore("--loss", "0", "--duplicate", "0", "--fault", "never-outbound")
    assert code == 1
    assert "traffic goes on (Section 2.8)" in text
    assert "CREATE_CHILD_SA request 2 {N(REKEY_SA), SA, NONCE, TSi, TSr}" in text


def test_the_command_says_when_time_was_too_short() -> None:
    assert explore("--commands", "2", "--seconds", "0.01")[0] == 3


def test_the_command_names_the_faults() -> None:
    code, text = explore("--faults")
    assert code == 0
    assert all(name in text for name in faults.names())
    code, text = explore("--fault", "no-such-fault")
    assert code == 2
    assert "there is no fault" in text
    assert explore("--kind", "no-such-command")[0] == 2


def test_the_command_finds_a_named_path_and_writes_it_as_a_capture(tmp_path: Path) -> None:
    file = tmp_path / "path.pcapng"
    code, text = explore("--path", "rekey-child-and-delete", "--pcap", str(file))
    assert code == 0
    assert "A rekeys a Child SA while B deletes it (Section 2.25.1)" in text
    assert "TEMPORARY_FAILURE" in text
    result = CliRunner().invoke(app, ["check", str(file), "--keys", f"{file}.keys"])
    assert result.exit_code == 0, result.output
    assert explore("--path", "no-such-path")[0] == 2
    assert "rekey-ike-and-delete" in explore("--paths")[1]


def test_a_counterexample_is_a_capture_too(tmp_path: Path) -> None:
    file = tmp_path / "found.pcapng"
    code, _ = explore("--loss", "0", "--duplicate", "0", "--fault", "crossing-forgotten", "--pcap", str(file))
    assert code == 1
    assert CliRunner().invoke(app, ["decode", str(file), "--keys", f"{file}.keys"]).exit_code == 0


# Bounds that have a name, and a bound of steps


@pytest.mark.parametrize("fault", ["first-nonces", "delete-overtakes", "never-outbound"])
def test_with_the_bounds_of_a_million_states_a_seeded_fault_is_found(fault: str) -> None:
    started = Search(profiles.bounds("million"), judged=False)
    with faults.seeded(fault):
        result = started.run(states=20_000)
    assert result.counterexample is not None
    assert len(result.counterexample.schedule) <= 6


def test_what_comes_first_of_a_million_states_is_the_same_as_ever() -> None:
    result = search(profiles.bounds("million")._replace(steps=7))
    assert not why(result)
    assert (result.complete, result.states) == (True, 8_398)


def test_every_state_within_some_steps_is_seen_and_none_beyond() -> None:
    whole, near = search(Bounds(1, 0, 0)), search(Bounds(1, 0, 0, steps=3))
    assert (near.complete, near.depth, near.states) == (True, 3, 1 + 6 + 29 + 64)
    assert search(Bounds(1, 0, 0, steps=whole.depth)).states == whole.states


@pytest.mark.parametrize(("steps", "found"), [(3, False), (4, True)])
def test_a_deviation_is_found_within_its_steps_alone(steps: int, found: bool) -> None:
    result = search(Bounds(1, 0, 0, steps=steps), fault="never-outbound")
    assert (result.counterexample is not None) is found


def test_the_command_takes_bounds_by_name() -> None:
    assert "million" in explore("--profiles")[1]
    code, text = explore("--profile", "million", "--fault", "never-outbound")
    assert code == 1
    assert "commands an end: 3, lost: 0, duplicated: 0, every order of nonces" in " ".join(text.split())
    assert explore("--profile", "million", "--seconds", "0.01")[0] == 3
    code, text = explore("--profile", "million", "--commands", "2")
    assert code == 2
    assert "bounds of its own" in text
    assert explore("--profile", "million", "--from", "nothing")[0] == 2
    assert explore("--profile", "no-such-profile")[0] == 2
    assert "at most 2 steps from the start" in explore("--loss", "0", "--duplicate", "0", "--steps", "2")[1]
