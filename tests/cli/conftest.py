"""What the tests of the command line share."""

import pytest

from ikeref.cli.tour.proved import Proved


class Skipped:
    """Stands in for the check of the certificates, which takes seconds and has tests of its own."""

    def result(self) -> tuple[Proved, ...]:
        return ()


@pytest.fixture(autouse=True)
def _without_proofs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "slow" not in request.keywords:
        monkeypatch.setattr("ikeref.cli.tour.command.Recheck", Skipped)
