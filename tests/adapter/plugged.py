"""The foreign implementation behind the adapter: what a team writes for its own."""

from collections.abc import Iterable

from ikeref_properties.adapter import Address, Ask, ChildView, Command, Implementation, Unsupported, View

from tests.adapter.minimal import Minimal


class Plugged(Implementation):
    """`Minimal` as an `Implementation`."""

    def __init__(self, minimal: Minimal) -> None:
        self.minimal = minimal

    def receive(self, datagram: bytes, source: Address, destination: Address, now: float) -> Iterable[bytes]:
        return self.minimal.receive(datagram, source, destination, now)

    def tick(self, now: float) -> Iterable[bytes]:
        return self.minimal.tick(now)

    def next_deadline(self) -> float | None:
        return self.minimal.next_deadline()

    def command(self, command: Command, now: float) -> Iterable[bytes]:
        if command.ask is Ask.REKEY_IKE:
            raise Unsupported("it leaves that to its peer")
        return self.minimal.order(command.ask, command.spi, now)


class Open(Plugged):
    """The same with a view of its SAs."""

    def sas(self) -> View:
        ikes = [each for each in self.minimal.ikes.values() if each.state in ("up", "replaced", "deleting")]
        children = self.minimal.children
        return View(
            frozenset((each.spi_i, each.spi_r) for each in ikes),
            frozenset(ChildView(each.spi_in, each.spi_out, each.key_in, each.key_out) for each in children),
        )
