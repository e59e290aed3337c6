"""Faulty copies of the kernels: what each check must find, or it checks nothing.

Each is one replacement in the source of a kernel. `hunt` runs the checks of its module on the copy until one finds an
input, which is then confirmed on plain ints and bytes.
"""

import time
from typing import NamedTuple

from ikeref_properties.kernels.checks import Check, KernelVerdict, run
from ikeref_properties.kernels.schedule import every_suite
from ikeref_properties.kernels.source import load


class Mutant(NamedTuple):
    """A seeded fault."""

    module: str
    kernel: str
    """The function whose check is tried first."""
    fault: str
    old: str
    new: str


class Found(NamedTuple):
    """What became of it."""

    mutant: Mutant
    by: str
    """Kernel and property that found it; empty if none did."""
    counterexample: str
    seconds: float


_WINDOW = "ikeref.sa.window"
_COLLISIONS = "ikeref.sa.collisions"
_SELECTORS = "ikeref.policy.selectors"
_CHOICE = "ikeref.policy.choice"
_SCHEDULE = "ikeref.crypto.schedule"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        _WINDOW,
        "request_position",
        "requests beyond the window are processed",
        "message_id < expected + size",
        "message_id <= expected + size",
    ),
    Mutant(_WINDOW, "request_position", "old requests are processed", "if expected <= message_id <", "if message_id <"),
    Mutant(
        _WINDOW,
        "request_position",
        "requests must come in order",
        "if expected <= message_id < expected + size",
        "if message_id == expected",
    ),
    Mutant(_WINDOW, "kept", "one response too few is kept", "each > latest - size", "each > latest - size + 1"),
    Mutant(_WINDOW, "kept", "only the last response is kept", "each > latest - size", "each == message_id"),
    Mutant(
        _WINDOW,
        "next_expected",
        "a gap is passed over",
        "while expected in answered",
        "while expected <= max(answered)",
    ),
    Mutant(_WINDOW, "has_room", "one request too many", "min(outstanding) + size", "min(outstanding) + size + 1"),
    Mutant(_WINDOW, "has_room", "requests are counted", "min(outstanding)", "max(outstanding)"),
    Mutant(_WINDOW, "widened", "the window shrinks", "return max(size, announced)", "return announced"),
    Mutant(_WINDOW, "request_position", "a replay is processed anew", "return Position.AGAIN", "return Position.NEW"),
    Mutant(_WINDOW, "answered_by", "any response", "if message_id == asked:", "if True:"),
    Mutant(_WINDOW, "answered_by", "a response to a later request", "message_id == asked", "message_id >= asked"),
    Mutant(_WINDOW, "answered_by", "no response", "if message_id == asked:", "if False:"),
    Mutant(_WINDOW, "exhausted", "the last message ID is not used", "next_request > LAST", "next_request >= LAST"),
    Mutant(_WINDOW, "exhausted", "33 bits", "LAST_MESSAGE_ID = 0xFFFFFFFF", "LAST_MESSAGE_ID = 0x1FFFFFFFF"),
    Mutant(_WINDOW, "wait", "waits grow linearly", "base ** (transmissions - 1)", "base * (transmissions - 1)"),
    Mutant(_WINDOW, "wait", "the first wait is too long", "base ** (transmissions - 1)", "base ** transmissions"),
    Mutant(_WINDOW, "wait", "one wait too few", "range(1, tries + 2)", "range(1, tries + 1)"),
    Mutant(_COLLISIONS, "lower", "the longer nonce is higher", "return a < b", "return (len(a), a) < (len(b), b)"),
    Mutant(_COLLISIONS, "lower", "only the first octet counts", "return a < b", "return a[0] < b[0]"),
    Mutant(_COLLISIONS, "lower", "an equal nonce is lower", "return a < b", "return a <= b"),
    Mutant(
        _COLLISIONS,
        "ours_is_redundant",
        "the higher nonce loses",
        "_order(ours, our_spis) <",
        "_order(ours, our_spis) >",
    ),
    Mutant(
        _COLLISIONS, "ours_is_redundant", "both lose a tie", "_order(ours, our_spis) <", "_order(ours, our_spis) <="
    ),
    Mutant(_COLLISIONS, "ours_is_redundant", "Ni alone decides", "if lower(second, first):", "if False:"),
    Mutant(
        _COLLISIONS,
        "ours_is_redundant",
        "the higher of each pair decides",
        "if lower(second, first):",
        "if lower(first, second):",
    ),
    Mutant(
        _COLLISIONS,
        "ours_is_redundant",
        "no tie-break by SPI",
        "return first, second, *spis",
        "return first, second, b'', b''",
    ),
    Mutant(
        _COLLISIONS,
        "ours_is_redundant",
        "SPIs before nonces",
        "return first, second, *spis",
        "return *spis, first, second",
    ),
    Mutant(
        _COLLISIONS,
        "ours_is_redundant",
        "only the lowest of each pair counts, then the SPIs",
        "return first, second, *spis",
        "return first, first, *spis",
    ),
    Mutant(_SELECTORS, "is_known", "an empty range is known", "selector.start <= selector.end and low", "low"),
    Mutant(
        _SELECTORS,
        "is_known",
        "ports are not looked at",
        "selector.start <= selector.end and low <= high",
        "selector.start <= selector.end",
    ),
    Mutant(_SELECTORS, "is_known", "End Address may have any size", " or len(selector.end) != size", ""),
    Mutant(_SELECTORS, "is_known", "IPv6 addresses have any size", "size = 16", "size = len(selector.start)"),
    Mutant(_SELECTORS, "is_known", "OPAQUE is no port", "return _OPAQUE, _OPAQUE", "return 65535, 0"),
    Mutant(_SELECTORS, "intersect", "ANY lacks OPAQUE", "return 0, _OPAQUE", "return 0, 65535"),
    Mutant(_SELECTORS, "intersect", "the wider start", "one.start >= other.start", "one.start <= other.start"),
    Mutant(_SELECTORS, "intersect", "the wider end", "one.end <= other.end", "one.end >= other.end"),
    Mutant(_SELECTORS, "intersect", "one address is none", "if start > end:", "if start >= end:"),
    Mutant(_SELECTORS, "intersect", "one port is none", "    if low > high:", "    if low >= high:"),
    Mutant(
        _SELECTORS,
        "intersect",
        "the wider ports",
        "low = one_low if one_low >= other_low",
        "low = one_low if one_low <= other_low",
    ),
    Mutant(_SELECTORS, "intersect", "any protocol wins", "protocol = other.ip_protocol", "protocol = 0"),
    Mutant(
        _SELECTORS,
        "intersect",
        "protocols are not compared",
        "other.ip_protocol == 0 or other.ip_protocol == one.ip_protocol",
        "True",
    ),
    Mutant(
        _SELECTORS,
        "intersect",
        "families are not compared",
        "    if one.ts_type != other.ts_type:\n        return None\n",
        "",
    ),
    Mutant(_SELECTORS, "intersect", "OPAQUE becomes a port", "    if low == _OPAQUE:\n        return 65535, 0\n", ""),
    Mutant(_SELECTORS, "covers", "covered by overlap", "outer.start > inner.start or ", ""),
    Mutant(
        _SELECTORS,
        "covers",
        "covered by another protocol",
        "outer.ip_protocol != 0 and outer",
        "outer.ip_protocol == 0 and outer",
    ),
    Mutant(
        _SELECTORS, "covers", "covered by fewer ports", "outer_low <= low and high <= outer_high", "outer_low <= low"
    ),
    Mutant(
        _SELECTORS,
        "covers",
        "covered by another family",
        "    if outer.ts_type != inner.ts_type:\n        return False\n",
        "",
    ),
    Mutant(
        _SELECTORS, "narrow", "only our first selector", "        for ours in mine:", "        for ours in mine[:1]:"
    ),
    Mutant(
        _SELECTORS, "narrow", "only the first offered", "    for theirs in offered:", "    for theirs in offered[:1]:"
    ),
    Mutant(_SELECTORS, "narrow", "unknown ones are taken", "if not is_known(theirs):", "if False:"),
    Mutant(_SELECTORS, "narrow", "covered ones stay", "        if not covers(selector, earlier):", "        if True:"),
    Mutant(
        _SELECTORS,
        "narrow",
        "the newest goes first",
        "        kept.append(selector)\n    return kept",
        "        kept.insert(0, selector)\n    return kept",
    ),
    Mutant(
        _SELECTORS,
        "narrow",
        "what is covered is added",
        "both is not None and not _is_covered(both, found)",
        "both is not None",
    ),
    Mutant(_SELECTORS, "narrow", "one answer is enough", "_MOST: Final = 255", "_MOST: Final = 1"),
    Mutant(_SELECTORS, "narrow", "what covers another is lost", "        elif not placed:", "        elif placed:"),
    Mutant(
        _SELECTORS,
        "is_within",
        "a cut leaves too little",
        "(start, first - 1, low, high)",
        "(start, first - 2, low, high)",
    ),
    Mutant(_SELECTORS, "is_within", "a cut leaves too much", "(last + 1, end, low, high)", "(last, end, low, high)"),
    Mutant(_SELECTORS, "is_within", "a cut forgets the ports above", "        (first, last, top + 1, high),\n", ""),
    Mutant(
        _SELECTORS,
        "is_within",
        "a cut of disjoint boxes",
        "first > last or bottom > top",
        "first > last and bottom > top",
    ),
    Mutant(
        _SELECTORS, "is_within", "within another protocol", "or other.ip_protocol == selector.ip_protocol)", "or True)"
    ),
    Mutant(_SELECTORS, "is_within", "within another family", "other.ts_type == selector.ts_type", "True"),
    Mutant(_SELECTORS, "is_within", "something left is within", "        if left:\n", "        if len(left) > 1:\n"),
    Mutant(
        _CHOICE,
        "choose",
        "the last that we like wins",
        "for rank, transform in enumerate(wanted):",
        "for rank, transform in reversed(list(enumerate(wanted))):",
    ),
    Mutant(_CHOICE, "choose", "the last offered proposal", "ranks < best_ranks", "ranks <= best_ranks"),
    Mutant(
        _CHOICE,
        "choose",
        "the first offered proposal that will do",
        "best is None or ranks < best_ranks",
        "best is None",
    ),
    Mutant(_CHOICE, "choose", "our worst proposal first", "for own in acceptable:", "for own in acceptable[::-1]:"),
    Mutant(
        _CHOICE,
        "choose",
        "ranks are not counted",
        "                    ranks.append(rank)\n                    transforms",
        "                    ranks.append(0)\n                    transforms",
    ),
    Mutant(
        _CHOICE,
        "choose",
        "unknown transform types are ignored",
        "        if transform.type not in kinds:",
        "        if False:",
    ),
    Mutant(_CHOICE, "choose", "protocols are not compared", "proposal.protocol_id != own.protocol_id or ", ""),
    Mutant(_CHOICE, "choose", "attributes are not compared", " and other_attributes == attributes", ""),
    Mutant(_CHOICE, "choose", "IDs are not compared", "other_number == number and ", ""),
    Mutant(
        _CHOICE,
        "choose",
        "silence allows anything optional",
        "left_out and optional and number == 0",
        "left_out and optional",
    ),
    Mutant(
        _CHOICE,
        "choose",
        "silence allows NONE anywhere",
        "left_out and optional and number == 0",
        "left_out and number == 0",
    ),
    Mutant(_CHOICE, "choose", "NONE although others were offered", "                left_out = False\n", ""),
    Mutant(_CHOICE, "choose", "a type that we leave out is refused", "if optional and not allowed[kind]:", "if False:"),
    Mutant(_CHOICE, "choose", "the answer is numbered 1", "return Proposal(best.number, ", "return Proposal(1, "),
    Mutant(
        _CHOICE, "choose", "answered with the peer's SPI", "best.protocol_id, spi, ", "best.protocol_id, best.spi, "
    ),
    Mutant(
        _CHOICE,
        "choose",
        "INTEG of ESP is not optional",
        "_ESP: Final[Kinds] = ((1, False), (3, True)",
        "_ESP: Final[Kinds] = ((1, False), (3, False)",
    ),
    Mutant(
        _CHOICE,
        "verify_choice",
        "any number is accepted",
        "        if proposal.number == chosen.number:",
        "        if True:",
    ),
    Mutant(
        _CHOICE,
        "verify_choice",
        "another protocol is accepted",
        "if chosen.protocol_id != offered.protocol_id:",
        "if False:",
    ),
    Mutant(
        _CHOICE,
        "verify_choice",
        "an SPI of any size is accepted",
        "if len(chosen.spi) != len(offered.spi):",
        "if False:",
    ),
    Mutant(_CHOICE, "verify_choice", "two of a type are accepted", "if transform.type in seen:", "if False:"),
    Mutant(
        _CHOICE,
        "verify_choice",
        "what was not offered is accepted",
        "            if same(transform, candidate):",
        "            if True:",
    ),
    Mutant(_CHOICE, "verify_choice", "other attributes are accepted", " and one.attributes == other.attributes", ""),
    Mutant(
        _CHOICE,
        "verify_choice",
        "a type may lack",
        "if transform.type not in seen and not _may_be_left_out(offered, transform.type):",
        "if False:",
    ),
    Mutant(
        _CHOICE,
        "verify_choice",
        "no type may lack",
        "transform.type not in seen and not _may_be_left_out(offered, transform.type)",
        "transform.type not in seen",
    ),
    Mutant(
        _CHOICE,
        "verify_choice",
        "a mandatory type may be NONE",
        "(kind, True) in kinds_of",
        "(kind, False) in kinds_of",
    ),
    Mutant(_SCHEDULE, "ike_keys", "SK_ar overlaps SK_ai", "octets[p + a : a2]", "octets[p : p + a]"),
    Mutant(
        _SCHEDULE,
        "ike_keys",
        "SK_ei and SK_er are swapped",
        "octets[a2 : a2 + e],\n        octets[a2 + e : e2]",
        "octets[a2 + e : e2],\n        octets[a2 : a2 + e]",
    ),
    Mutant(
        _SCHEDULE,
        "ike_keys",
        "SK_pr has what is left of a longer stream",
        "3 * p + 2 * a + 2 * e)",
        "3 * p + 2 * a + 2 * e + 1)",
    ),
    Mutant(_SCHEDULE, "ike_keys", "the stream is too short", "3 * p + 2 * a + 2 * e)", "3 * p + 2 * a + e)"),
    Mutant(_SCHEDULE, "ike_keys", "nonces are swapped", "ni + nr + spi_i + spi_r", "nr + ni + spi_i + spi_r"),
    Mutant(
        _SCHEDULE, "child_keys", "integrity before encryption", "octets[:e], octets[e:h]", "octets[a:h], octets[:a]"
    ),
    Mutant(
        _SCHEDULE,
        "child_keys",
        "directions are swapped",
        "ChildKeys(octets[:e], octets[e:h], octets[h : h + e], octets[h + e :])",
        "ChildKeys(octets[h : h + e], octets[h + e :], octets[:e], octets[e:h])",
    ),
    Mutant(_SCHEDULE, "child_keys", "KEYMAT without g^ir", "g_ir + ni + nr, 2 * (e + a)", "ni + nr, 2 * (e + a)"),
    Mutant(_SCHEDULE, "keymat", "KEYMAT pieces overlap", "start += length", "start += length - 1"),
    Mutant(_SCHEDULE, "keymat", "KEYMAT pieces are too long", "octets[start : start + length]", "octets[start:]"),
    Mutant(
        _SCHEDULE,
        "skeyseed",
        "g^ir behind the nonces in a rekey",
        "old_sk_d, g_ir + ni + nr",
        "old_sk_d, ni + nr + g_ir",
    ),
    Mutant(_SCHEDULE, "skeyseed", "whole nonces for every PRF", "ni[:prefix] + nr[:prefix]", "ni + nr"),
)


def hunt(mutant: Mutant, checks: tuple[Check, ...], *, seconds: float = 60.0) -> Found:
    """Which of the checks finds it."""
    start = time.monotonic()
    own = [check for check in checks if check.module == mutant.module]
    own.sort(key=lambda check: (check.kernel != mutant.kernel, mutant.kernel not in check.kernel))
    for check in own:
        verdict = run(check, old=mutant.old, new=mutant.new, seconds=seconds)
        if verdict.claim == "violated":
            return _found(mutant, verdict, start)
    if mutant.module == _SCHEDULE:
        verdict = every_suite(load(_SCHEDULE, old=mutant.old, new=mutant.new))
        if verdict.claim == "violated":
            return _found(mutant, verdict, start)
    return Found(mutant, "", "", time.monotonic() - start)


def _found(mutant: Mutant, verdict: KernelVerdict, start: float) -> Found:
    return Found(mutant, f"{verdict.kernel}: {verdict.property}", verdict.counterexample, time.monotonic() - start)
