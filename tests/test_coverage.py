"""Coverage of the catalogue only rises."""

from pathlib import Path

from ikeref_properties.catalogue import coverage

ROOT = Path(__file__).parent.parent

FLOOR = {"code": 322, "rows": 200, "properties": 255, "tests": 200}
"""Requirements of RFC 7296 and its extensions that each place cites at least. Raise these, never lower them."""


def test_coverage_does_not_fall() -> None:
    cited = coverage.measure(ROOT).cited
    assert {place: len(cited[place]) for place in FLOOR if len(cited[place]) < FLOOR[place]} == {}


def test_only_known_ids_count(tmp_path: Path) -> None:
    (tmp_path / "ikeref").mkdir()
    (tmp_path / "ikeref" / "a.py").write_text('"""7296-2.1-11, 7296-2.1-99 and 7296-2.1-11 again."""')
    assert coverage.measure(tmp_path).anywhere == {"7296-2.1-11"}
