"""A question in plain words, as words that the rows know: `while deleting that Child SA` is DELETING, CHILD_SA."""

import re
from typing import Final

from ikeref_model.rows import LEVELS

_PHRASES: Final = (
    (r"\bN\((\w+)\)", r"\1"),
    (r"\bhalf[ -]open\b", "HALF_OPEN"),
    (r"\bhalf[ -]closed\b", "HALF_CLOSED"),
    (r"\bwindow sizes?\b", "SET_WINDOW_SIZE"),
    (r"\bmessage[ -]ids?\b", "MESSAGE_ID"),
    (r"\b(?:at the same time|at once|simultaneous(?:ly)?|both|collid\w+|collisions?|cross(?:es|ing)?)\b", "COLLISION"),
    (r"\b(rekey|delete|create)(?:s|d|ed)?(?: (?:the|a|an|that|this|its|new|old))* (child|ike)(?: sas?)?\b", r"\1_\2"),
    (r"\bchild[ -_]sas?\b", "CHILD_SA"),
    (r"\bike[ -_]sas?\b", "IKE_SA"),
)
_WORDS: Final = {
    "answer": "request",
    "answers": "request",
    "answered": "request",
    "reply": "request",
    "respond": "request",
    "rekeys": "REKEY",
    "rekeyed": "REKEY",
    "deletes": "DELETE",
    "deleted": "DELETE",
    "deletion": "DELETE",
    "creates": "CREATE",
    "creating": "CREATING",
    "created": "CREATE",
    "old": "REPLACED",
    "replaced": "REPLACED",
    "retransmit": "RETRANSMISSION",
    "retransmits": "RETRANSMISSION",
    "retransmissions": "RETRANSMISSION",
    "duplicate": "REPLAY",
    "duplicates": "REPLAY",
    "again": "REPLAY",
    "dead": "GIVE_UP",
    "alive": "LIVENESS",
    "cookies": "COOKIE",
    "silence": "silent",
}
_FILLERS: Final = """
a after allowed already am an and any are arrive arrives as at be been before being but by can come comes could
did do does doing during end ends for from get gets got had happen happens has have how i if in is it its let
may me might mine must my new not of off on one or other our out peer peers receive received receives sa same
sas shall should side so still than that the their them then there these they this those time to too tries under
up us want wants was we were what when where which while who whom whose why will with without would yet you your
"""
_STOP: Final = frozenset(_FILLERS.split())


def words(question: str) -> tuple[tuple[str, ...], bool]:
    """The words that matter, in order, and whether the question was more than such words."""
    text = question
    for pattern, instead in _PHRASES:
        text = re.sub(pattern, instead, text, flags=re.IGNORECASE)
    found, plain = [], text == question
    for word in text.split():
        bare = word.strip(",.;:?!()[]\"'“”")
        if bare.lower() in _STOP and bare not in LEVELS:
            plain = False
            continue
        found.append(_WORDS.get(bare.lower(), bare))
        plain = plain and bare == word
    return tuple(dict.fromkeys(each for each in found if each)), not plain
