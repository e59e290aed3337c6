"""Every course of the first exchanges and of a restart, from nothing; and what is wrong with them would be found."""

from typing import Any

import pytest
from ikeref_properties.explore import faults
from ikeref_properties.explore.beginning import SCENES, Found, Scene, explore
from ikeref_properties.explore.spelling import spelled
from typer.testing import CliRunner

from ikeref.cli.main import app
from ikeref.endpoint import Endpoint

BY_NAME = {scene.name: scene for scene in SCENES}
SMALL = ("cookie-and-group", "strangers", "child-refused", "both")


def why(found: Found) -> str:
    return "" if found.deviation is None else f"{found.deviation}: {found.schedule}"


@pytest.mark.parametrize("name", SMALL)
def test_no_course_of_the_first_exchanges_deviates(name: str) -> None:
    found = explore(BY_NAME[name], losses=0, duplicates=0)
    assert not why(found)
    assert found.complete
    assert found.states > 8


LARGE = ("both", "restart")
"""With a loss and a duplicate together these take minutes."""


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("scene", "losses", "duplicates"),
    [(scene, 1, 1) for scene in SCENES if scene.name not in LARGE]
    + [(BY_NAME[name], *each) for name in LARGE for each in ((1, 0), (0, 1))],
)
def test_no_course_deviates_with_a_loss_and_a_duplicate(scene: Scene, losses: int, duplicates: int) -> None:
    found = explore(scene, losses, duplicates)
    assert not why(found)
    assert found.complete
    assert ("lose" in found.taken, "duplicate" in found.taken) == (losses > 0, duplicates > 0)
    assert ("wait" in found.taken) is bool(scene.waits)
    assert ("restart" in found.taken) is bool(scene.restarts)


def test_nothing_is_missed_by_merging_states() -> None:
    scene = BY_NAME["strangers"]._replace(waits=0)
    merged, apart = explore(scene, 1, 1), explore(scene, 1, 1, merge=False)
    assert merged.states < apart.states
    assert set(merged.rows) == set(apart.rows)
    assert (why(merged), why(apart)) == ("", "")


def test_a_cookie_that_is_not_verified_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The responder makes an IKE SA without one: no row allows it while cookies are demanded."""
    monkeypatch.setattr(Endpoint, "_cookie", lambda *_: b"")
    assert explore(BY_NAME["cookie"], 0, 0).deviation is not None


def test_a_fault_of_the_session_layer_is_found_from_nothing_too() -> None:
    with faults.seeded("silent"):
        assert explore(BY_NAME["plain"], 0, 0).deviation is not None


def test_an_initial_contact_that_comes_late_does_not_end_what_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: any other IKE SA was ended, so that after a restart an old IKE_AUTH could end the new IKE SA."""

    def forget(endpoint: Endpoint, number: int, outputs: Any, now: float) -> Any:
        return stale(endpoint, 1 << 32 if number == 1 else number, outputs, now)

    stale = Endpoint._forget_stale
    scene = BY_NAME["restart"]._replace(waits=0)
    assert explore(scene, 0, 0).complete
    monkeypatch.setattr(Endpoint, "_forget_stale", forget)
    assert explore(scene, 0, 0).deviation is not None


def test_states_are_spelled_without_names_and_times() -> None:
    assert spelled((b"abcd", b"efgh", b"abcd", 3.0), 1.0) == spelled((b"wxyz", b"stuv", b"wxyz", 7.0), 5.0)
    assert spelled((b"abcd", b"abcd"), 0) != spelled((b"abcd", b"efgh"), 0)
    assert spelled((b"abcd", 3.0), 1.0) != spelled((b"abcd", 4.0), 1.0)


def test_the_command_begins_with_nothing() -> None:
    result = CliRunner(env={"COLUMNS": "120", "TERM": "dumb"}).invoke(
        app, ["explore", "--from", "nothing", "--loss", "0", "--duplicate", "0", "--seconds", "0.5"]
    )
    assert result.exit_code == 3
    assert "one end begins (Section 1.2)" in result.output
    assert CliRunner().invoke(app, ["explore", "--from", "somewhere"]).exit_code == 2
