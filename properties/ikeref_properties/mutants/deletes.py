"""Faults about Deletes, of Child SAs and of the IKE SA, and about half-closed Child SAs (Section 1.4.1)."""

from ikeref_properties.mutants.seeding import Mutant, edit, mutant

_CLOSE = "turn.close_outbound(child)"

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "answer a Delete without the paired Delete",
        "1.4.1",
        edit(
            "sa.informational",
            "*[D(protocol, 4, tuple(spis)) for protocol, spis in closed.items()]",
            "*[D(protocol, 4, tuple(spis)) for protocol, spis in closed.items() if not spis]",
        ),
    ),
    mutant(
        "ignore that deletes crossed",
        "1.4.1",
        edit("sa.informational", "            if child.state is ChildState.DELETING:\n", "            if False:\n"),
    ),
    mutant(
        "repeat the Delete when deletes crossed",
        "1.4.1",
        edit(
            "sa.informational",
            _CLOSE,
            f"{_CLOSE}\n                closed.setdefault(child.protocol_id, []).append(child.spi_in)",
        ),
        origin="7296-1.4.1-10",
    ),
    mutant(
        "close both directions when deletes crossed", "1.4.1", edit("sa.informational", _CLOSE, "turn.remove(child)")
    ),
    mutant(
        "keep the outbound half when deletes crossed",
        "1.4.1",
        edit("sa.informational", _CLOSE, "turn.audit('half closed', child.spi_in)"),
    ),
    mutant(
        "say nothing of a half-closed Child SA",
        "1.4.1",
        edit(
            "sa.turn",
            'self.outputs.append(Audit("Child SA is half closed, its deletes crossed (Section 1.4.1)", child.spi_in))',
            "pass",
        ),
    ),
    mutant(
        "report a half-closed Child SA only if it was open",
        "1.4.1",
        edit(
            "sa.turn",
            "            self.outputs.append(Remove(False, child))\n        self.outputs.append(Audit(",
            "            self.outputs.append(Remove(False, child))\n"
            "        child.outbound and self.outputs.append(Audit(",
        ),
        origin="ikeref, before it was found",
    ),
    mutant(
        "install what the peer has deleted", "1.4.1", edit("sa.informational", "_condemn(turn, ike.spi, spi)", "pass")
    ),
    mutant(
        "forget deletes of its own",
        "1.4.1",
        edit(
            "sa.informational",
            "(7296-1.4.1-09).\n                turn.remove(child)",
            "(7296-1.4.1-09).\n                pass",
        ),
    ),
    mutant(
        "delete one of several",
        "1.4.1",
        edit("sa.informational", "for spi in delete.spis:", "for spi in delete.spis[:1]:"),
        origin="a Delete with several SPIs, libreswan 67",
    ),
    mutant(
        "delete by the peer's SPI",
        "1.4.1",
        edit(
            "sa.informational",
            "payload = D(command.protocol_id, 4, (command.spi_in,))",
            "payload = D(command.protocol_id, 4, (child.spi_out if child else command.spi_in,))",
        ),
    ),
    mutant(
        "leave the inbound half",
        "1.4.1",
        edit(
            "sa.turn",
            "        if child.inbound:\n            self.outputs",
            "        if False:\n            self.outputs",
        ),
    ),
    mutant(
        "keep Child SAs of a closed IKE SA",
        "1.4.1",
        edit("sa.turn", "if not any(other.owner for other in self.ikes):", "if False:"),
    ),
    mutant(
        "close Child SAs with any IKE SA",
        "2.8",
        edit("sa.turn", "if not any(other.owner for other in self.ikes):", "if True:"),
    ),
    mutant(
        "let a Delete of the IKE SA change nothing",
        "1.4.1",
        edit("sa.informational", 'return Reply((), close="deleted by the peer")', "return Reply(())"),
    ),
    mutant(
        "answer a Delete of the IKE SA with a Delete",
        "1.4.1",
        edit(
            "sa.informational",
            'return Reply((), close="deleted by the peer")',
            'return Reply((D(ProtocolId.IKE, 0, ()),), close="deleted by the peer")',
        ),
    ),
    mutant(
        "go on after a Delete of the IKE SA was answered",
        "1.4.1",
        edit(
            "sa.informational",
            'turn.close(ike, "deleted by this end")',
            "turn.put(ike._replace(phase=Phase.ESTABLISHED))",
        ),
    ),
)
