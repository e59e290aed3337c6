"""Rules for senders: what a message has to be like, and the same message altered so that it is not."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from ikeref.wire import N, Payload
from tests.conformance.sections.corpus import Sent, sent, whole

P = TypeVar("P", bound=Payload)
Alteration = Callable[[Sent], Sent]


class Rule(NamedTuple):
    """A rule for senders."""

    id: str
    about: Callable[[Sent], object]
    """Whether the rule says anything of a message."""
    holds: Callable[[Sent], object]
    """Whether the message is as it says."""
    altered: Alteration
    """A message that was right, with something altered."""


def check(rule: Rule) -> None:
    """All that our ends send is as the rule says, something is concerned, and each message altered is found."""
    concerned = [each for each in sent() if rule.about(each)]
    for each in concerned:
        assert rule.holds(each), f"{each.life} {each.end}: {each.message}"
    whole()
    assert concerned
    for each in concerned:
        altered = rule.altered(each)
        assert altered != each
        if rule.about(altered):
            assert not rule.holds(altered), f"not found in {each.life} {each.end}: {altered.message}"
    assert any(rule.about(rule.altered(each)) for each in concerned)


def every(each: Sent, *kinds: type[P]) -> list[P]:
    """The payloads of these types."""
    return [payload for payload in each.message.payloads if type(payload) in kinds]  # type: ignore[misc]  # narrowed


def has(*kinds: type[Payload]) -> Callable[[Sent], bool]:
    """Whether there is a payload of each type."""
    return lambda each: all(any(type(payload) is kind for payload in each.message.payloads) for kind in kinds)


def said(each: Sent, *types: int) -> list[N]:
    """The notifications of these types."""
    return [payload for payload in each.message.payloads if type(payload) is N and payload.type in types]


def header(**changes: Any) -> Alteration:
    """Other fields in the header."""
    return lambda each: each.of(each.message._replace(**changes))


def bits(field: str, mask: int) -> Alteration:
    """Other bits in a field of the header."""
    return lambda each: each.of(each.message._replace(**{field: getattr(each.message, field) ^ mask}))


def other(kind: type[P], change: Callable[[P], Payload]) -> Alteration:
    """The last payload of a type, changed."""

    def alter(each: Sent) -> Sent:
        payloads = list(each.message.payloads)
        place = max(index for index, payload in enumerate(payloads) if type(payload) is kind)
        payloads[place] = change(payloads[place])  # type: ignore[arg-type]  # of that type
        return each.of(each.message._replace(payloads=tuple(payloads)))

    return alter


def field(kind: type[Payload], **changes: Any) -> Alteration:
    """The last payload of a type with other fields."""
    return other(kind, lambda payload: payload._replace(**changes))


def notified(*types: int, **changes: Any) -> Alteration:
    """The first notification of one of these types with other fields."""

    def alter(each: Sent) -> Sent:
        first = said(each, *types)[0]
        payloads = tuple(p._replace(**changes) if p is first else p for p in each.message.payloads)
        return each.of(each.message._replace(payloads=payloads))

    return alter


def plus(*payloads: Payload) -> Alteration:
    """With payloads more, at the end."""
    return lambda each: each.of(each.message._replace(payloads=(*each.message.payloads, *payloads)))


def front(*payloads: Payload) -> Alteration:
    """With payloads more, in front."""
    return lambda each: each.of(each.message._replace(payloads=(*payloads, *each.message.payloads)))


def without(*kinds: type[Payload]) -> Alteration:
    """Without the payloads of these types."""
    return lambda each: each.of(
        each.message._replace(payloads=tuple(p for p in each.message.payloads if type(p) not in kinds))
    )


def backwards(each: Sent) -> Sent:
    """All payloads in the opposite order."""
    return each.of(each.message._replace(payloads=each.message.payloads[::-1]))


def by_id(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    """The rules of each requirement."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.id, []).append(rule)
    return found
