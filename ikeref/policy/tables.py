"""A TOML table that knows where it is, so that every complaint says it; docs/configuration.md describes the format."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeVar

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration says what it may not; the text is for the person who wrote it, and shows no secret."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        """Path of the key, as in `connections.home.children.net.local_ts`."""
        self.reason = reason


class Table:
    """A TOML table that knows its path, and which of its keys were asked for."""

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self.values = values
        self._path = path
        self._known: list[str] = []

    def at(self, key: str = "") -> str:
        """The path of a key."""
        return f"{self._path}.{key}".strip(".")

    def has(self, key: str) -> bool:
        self._known.append(key)
        return key in self.values

    def fail(self, key: str, reason: str) -> ConfigError:
        return ConfigError(self.at(key), reason)

    def table(self, key: str) -> "Table":
        value = self.values[key] if self.has(key) else {}
        if not isinstance(value, dict):
            raise self.fail(key, f"must be a table, [{self.at(key)}]")
        return Table(value, self.at(key))

    def text(self, key: str) -> str | None:
        value = self.values[key] if self.has(key) else None
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.fail(key, "must be a text in quotes, and not empty")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """One text, or an array of texts."""
        value = self.values[key] if self.has(key) else []
        entries = [value] if isinstance(value, str) else value
        if not isinstance(entries, list) or not all(isinstance(entry, str) and entry.strip() for entry in entries):
            raise self.fail(key, "must be a text in quotes, or an array of texts")
        return tuple(entries)

    def flag(self, key: str, default: bool) -> bool:
        value = self.values[key] if self.has(key) else default
        if not isinstance(value, bool):
            raise self.fail(key, "must be true or false")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number of the type of `default`, within bounds."""
        value = self.values[key] if self.has(key) else default
        whole = isinstance(default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise self.fail(key, f"must be a {'whole number' if whole else 'number'}")
        if not low <= value <= high:
            raise self.fail(key, f"must be from {low:g} to {high:g}, not {value:g}")
        return int(value) if whole else float(value)

    def read(self, key: str, reader: Callable[[str], T]) -> T | None:
        """A text turned into a value; what the reader's ValueError says becomes the reason."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return reader(text)
        except ValueError as error:
            raise self.fail(key, str(error)) from None

    def finish(self) -> None:
        """Refuses the keys that nobody asked for."""
        for key in self.values:
            if key not in self._known:
                close = get_close_matches(key, self._known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(set(self._known)))}"
                raise self.fail(key, f"is not known; {hint}")
