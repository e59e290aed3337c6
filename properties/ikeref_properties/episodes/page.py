"""The page of episodes, docs/taken.md: `python -m ikeref_properties.episodes.page > docs/taken.md`."""

from ikeref_model.tables import ROWS

from ikeref_properties.episodes.table import ANSWERS_NOT_GIVEN, EPISODES, ROWS_NOT_TAKEN, pairs

INTRODUCTION = """\
# Which rows the code takes

Every row of [the model](model.md), and every answer of a row that allows several, is taken by the shipped code in one
of these episodes: short runs of two ends, each step judged by the rows. What the code never does, though it might, is
listed below. `tests/refinement/test_rows_taken.py` lets all of them happen, in seconds; it names each row that nothing
takes any more.

In an episode a peer may do what ikeref never does: a message is replaced by another one, rightly protected. Where no
message tells what the event was (a timer, traffic), the episode tells it; what the end did is always what it did. A row
counts as taken if the run is refused by the rows without it, and an answer if it is refused by the rows without that
answer. (In three cases, listed in `episodes/table.py`, another row says the same there: then without both.)
"""


def page() -> str:
    """Markdown."""
    every = [pair for row in ROWS for pair in pairs(row)]
    answers = len([row for row in ROWS if len(row.answers) > 1])
    lines = [
        INTRODUCTION,
        f"Of {len(ROWS)} rows {len(ROWS) - len(ROWS_NOT_TAKEN)} are taken, {len(ROWS_NOT_TAKEN)} are choices not made. "
        f"{answers} rows allow several answers;",
        f"of the {len(every)} pairs of row and answer that makes, {len(ANSWERS_NOT_GIVEN)} more are choices not made. "
        f"There are {len(EPISODES)} episodes.",
        "",
        "## Choices not made",
        "",
        "What is done instead: [departures and choices](departures.md), under the section.",
        "",
        "| section | row | answer | why not |",
        "|---|---|---|---|",
    ]
    for name, choice in ROWS_NOT_TAKEN.items():
        lines.append(f"| {choice.section} | `{name}` | | {choice.why} |")
    for (name, answer), choice in ANSWERS_NOT_GIVEN.items():
        lines.append(f"| {choice.section} | `{name}` | {answer} | {choice.why} |")
    lines += ["", "## Episodes", "", "| episode | section | what happens | rows |", "|---|---|---|---|"]
    for each in EPISODES:
        rows = "<br>".join(f"`{name}`" for name in each.rows.split())
        lines.append(f"| {each.name} | {each.section} | {each.what} | {rows} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
