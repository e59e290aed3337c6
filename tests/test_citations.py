"""Every section and requirement id that the code cites exists."""

import re
import tomllib
from pathlib import Path

import pytest
from ikeref_properties.catalogue import requirement

ROOT = Path(__file__).parent.parent
SECTIONS = tomllib.loads(
    (ROOT / "properties" / "ikeref_properties" / "catalogue" / "sections.toml").read_text(encoding="utf-8")
)
SOURCES = sorted(p for folder in ("ikeref", "model", "properties", "docs") for p in (ROOT / folder).rglob("*.*"))
TEXTS = [p for p in SOURCES if p.suffix in (".py", ".md") and "__pycache__" not in p.parts]

_NUMBER = r"\d+(?:\.\d+)*"
_LIST = rf"{_NUMBER}(?:(?:, | and | to | or |, and ){_NUMBER})*"
_OWN = re.compile(rf"(?<!RFC \d{{4}} )(?<!\w)[Ss]ections?\s+({_LIST})(?! of RFC)")
_OTHER = re.compile(rf"RFC\s+(\d{{4}}),?\s+[Ss]ections?\s+({_LIST})")
_ID = re.compile(r"\b(?:7296|\d{4})-(?:\d+(?:\.\d+)*)-\d{2}\b")
_SHORT = re.compile(r'section="(RFC (\d{4}) )?([^"{}]+)"')


def defects(text: str) -> list[str]:
    """Citations in a text of what does not exist. Other RFCs than those that we have sections of are not checked."""
    found = []
    for match in _OTHER.finditer(text):
        rfc, numbers = match.groups()
        if rfc in SECTIONS:
            found += [f"RFC {rfc} section {n}" for n in re.findall(_NUMBER, numbers) if n not in SECTIONS[rfc]]
    own = _OTHER.sub("", text)
    for match in _OWN.finditer(own):
        found += [f"Section {n}" for n in re.findall(_NUMBER, match[1]) if n not in SECTIONS["7296"]]
    for match in _SHORT.finditer(text):
        rfc, number = match[2] or "7296", match[3]
        if rfc in SECTIONS and number not in SECTIONS[rfc]:
            found.append(f'section="{match[1] or ""}{number}"')
    for match in _ID.finditer(text):
        try:
            requirement(match[0])
        except KeyError:
            found.append(match[0])
    return found


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_cited_sections_and_requirements_exist(path: Path) -> None:
    assert defects(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "as Section 2.99 says",
        "(Sections 1.2, 2.77 and 3.1)",
        "RFC 7383 section 9.9",
        'error(section="3.77")',
        'error(section="RFC 7383 9.9")',
        "7296-2.1-99",
    ],
)
def test_a_citation_of_what_does_not_exist_is_found(text: str) -> None:
    assert defects(text)


def test_departures_are_explained() -> None:
    explained = set(re.findall(r"^\| (D-\d+) \|", (ROOT / "docs" / "departures.md").read_text(encoding="utf-8"), re.M))
    marked = {
        name
        for path in (ROOT / "ikeref").rglob("*.py")
        for name in re.findall(r"Departure (D-\d+)", path.read_text(encoding="utf-8"))
    }
    assert marked == explained
