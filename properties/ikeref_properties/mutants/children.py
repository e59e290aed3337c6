"""Faults about Child SAs: created and rekeyed, with all that crosses (Sections 1.3, 2.8, 2.9, 2.25)."""

from ikeref_properties.mutants.seeding import Mutant, edit, mutant

CREATING: tuple[Mutant, ...] = (
    mutant(
        "never open the outbound half",
        "2.8",
        edit(
            "sa.turn",
            "if child.replaces == replaced:",
            "if False:",
        ),
        origin="strongSwan 1896, 2477",
    ),
    mutant(
        "answer before the Child SA can receive",
        "2.8",
        edit(
            "sa.turn",
            "        self.transmit(path, datagrams, message)\n        return self.put(ike)",
            "        self.transmit(path, datagrams, message)\n"
            "        self.outputs.insert(1, self.outputs.pop())\n"
            "        return self.put(ike)",
        ),
        origin="7296-2.8-17",
    ),
    mutant(
        "mistake the directions of keys",
        "2.17",
        edit(
            "sa.child",
            "made = _made(turn, ike, config, spi, agreed, False,",
            "made = _made(turn, ike, config, spi, agreed, True,",
        ),
    ),
    mutant(
        "keep no Child SA within the limit",
        "1.3",
        edit("sa.child", "if rekey is None and limit and len(turn.children) >= limit:", "if False:"),
    ),
    mutant(
        "close the IKE SA when a Child SA is refused",
        "1.3",
        edit(
            "sa.child",
            "    try_again(turn, ike, command, intent.proposals, error)",
            '    turn.close(ike, "a Child SA is refused")',
        ),
        origin="7296-1.3.1-15",
    ),
    mutant(
        "close the IKE SA when its first Child SA is refused",
        "2.21.2",
        edit(
            "sa.child",
            '            turn.outputs.append(Failed(f"Child SA {config.name}", reason))\n            _explain',
            "            turn.close(ike, reason)\n            return\n            _explain",
        ),
        origin="7296-2.21.2-10",
    ),
    mutant(
        "close the IKE SA when the answer of its first Child SA is no good",
        "2.21",
        edit(
            "sa.child",
            "        _refuse_answer(turn, ike, config, intent.spi_in, intent.proposals, failure, spi_out)\n"
            "        return\n"
            "    if agreed.more",
            "        turn.close(ike, failure.reason)\n        return\n    if agreed.more",
        ),
        origin="7296-2.21.2-10",
    ),
    mutant(
        "leave a Child SA to the peer whose answer is no good",
        "1.3.1",
        edit("sa.child", "turn.enqueue_first(ike, DeleteChild(spi_in, offer[0].protocol_id, spi_out))", "pass"),
        origin="7296-1.3.1-08",
    ),
    mutant(
        "accept traffic that was not offered",
        "2.9",
        edit(
            "sa.negotiation",
            "if not tsi or not tsr or not selectors.is_within(tsi, local) or not selectors.is_within(tsr, remote):",
            "if not tsi or not tsr:",
        ),
    ),
    mutant("accept either mode", "1.3.1", edit("sa.negotiation", "if transport != asked:", "if False:")),
    mutant(
        "use transport mode unasked",
        "1.3.1",
        edit(
            "sa.negotiation",
            "    if notification(payloads, NotifyType.USE_TRANSPORT_MODE) is not None:\n        seen_i",
            "    if True:\n        seen_i",
        ),
        origin="7296-1.3.1-07",
    ),
    mutant(
        "use transport mode without saying so",
        "1.3.1",
        edit("sa.child", "    transport = (_TRANSPORT,) if agreed.transport else ()", "    transport = ()"),
        origin="7296-1.3.1-06",
    ),
    mutant(
        "rekey in the mode of the policy",
        "2.8",
        edit(
            "sa.child",
            "transport = old.transport if old is not None else config",
            "transport = config",
        ),
        origin="ikeref, before it was found",
    ),
    mutant(
        "name no group in INVALID_KE_PAYLOAD",
        "1.3",
        edit(
            "sa.child",
            'data=group.to_bytes(2, "big"))',
            'data=b"\\0\\0")',
        ),
        origin="7296-1.3-10",
    ),
    mutant(
        "take KE of any group",
        "1.3",
        edit("sa.child", "if key_exchange is None or key_exchange.group != group:", "if key_exchange is None:"),
        origin="7296-1.3-09",
    ),
    mutant(
        "take an answer's KE of any group",
        "1.3",
        edit(
            "sa.child",
            "if key_exchange is None or not key_exchange.group == agreed.suite.group == intent.group:",
            "if key_exchange is None:",
        ),
    ),
    mutant(
        "answer with the nonce of the request",
        "2.10",
        edit("sa.child", "own = turn.env.random(turn.env.settings.nonce_octets)", "own = nonce"),
    ),
    mutant(
        "reuse the nonce",
        "2.10",
        edit(
            "sa.child",
            "spi, nonce = turn.env.new_spi(4), turn.env.random(turn.env.settings.nonce_octets)",
            "spi, nonce = turn.env.new_spi(4), bytes([ike.initiator] * turn.env.settings.nonce_octets)",
        ),
    ),
    mutant(
        "take an unknown error for no error",
        "3.10.1",
        edit("sa.compose", "payload.type < NotifyType.INITIAL_CONTACT", "payload.type < 48"),
        origin="7296-3.10.1-01",
    ),
)

REKEYING: tuple[Mutant, ...] = (
    mutant(
        "swap winner and loser",
        "2.8.1",
        edit("sa.collisions", "_order(ours, our_spis) < _order", "_order(ours, our_spis) > _order"),
    ),
    mutant(
        "both lose",
        "2.8.1",
        edit("sa.collisions", "return _order(ours, our_spis) < _order(theirs, their_spis)", "return True"),
    ),
    mutant(
        "both win",
        "2.8.1",
        edit("sa.collisions", "return _order(ours, our_spis) < _order(theirs, their_spis)", "return False"),
    ),
    mutant(
        "compare the initiators' nonces only",
        "2.8.1",
        edit(
            "sa.collisions", "return _order(ours, our_spis) < _order(theirs, their_spis)", "return ours[0] < theirs[0]"
        ),
        origin="7296-2.8.1-04",
    ),
    mutant(
        "compare nonces as numbers",
        "2.8.1",
        edit("sa.collisions", "return a < b", 'return int.from_bytes(a, "big") < int.from_bytes(b, "big")'),
        origin="7296-2.8.1-04",
    ),
    mutant(
        "compare the higher nonce of each exchange",
        "2.8.1",
        edit("sa.collisions", "if lower(second, first):", "if lower(first, second):"),
    ),
    mutant(
        "break no tie",
        "2.8.1",
        edit("sa.collisions", "return first, second, *spis", 'return first, b"", b"", b""'),
        origin="D-1",
    ),
    mutant(
        "compare nonces only of what still exists",
        "2.8.1",
        edit(
            "sa.child",
            "    if crossing is not None and collisions.ours_is_redundant(",
            "    if crossing is not None and turn.child(crossing.spi) is not None and collisions.ours_is_redundant(",
        ),
        origin="a literal reading",
    ),
    mutant(
        "forget that rekeys of a Child SA crossed",
        "2.8.1",
        edit(
            "sa.child",
            "if exchange is not None and isinstance(exchange.intent, ChildRequest) and "
            "old.state is ChildState.REKEYING:",
            "if False:",
        ),
    ),
    mutant(
        "delete the old Child SA as the loser",
        "2.8.1",
        edit(
            "sa.child",
            "turn.enqueue_first(ike, DeleteChild(made.spi_in, due=True))",
            "turn.enqueue_first(ike, DeleteChild(intent.command.spi_in, due=True))",
        ),
    ),
    mutant(
        "delete nothing after a rekey",
        "2.8",
        edit("sa.child", "        turn.enqueue_first(ike, DeleteChild(old.spi_in, due=True))", "        pass"),
    ),
    mutant(
        "close the old Child SA before the new one is used",
        "2.8",
        edit(
            "sa.child",
            "        _note_rekey(turn, ike, old, agreed.spi, (nonce, own))",
            "        _note_rekey(turn, ike, old, agreed.spi, (nonce, own))\n"
            "        if (gone := turn.child(old.spi_in)) and gone.state is ChildState.REPLACED:\n"
            "            turn.shut(gone)",
        ),
    ),
    mutant(
        "refuse requests while one of its own is unanswered",
        "2.3",
        edit(
            "sa.child",
            "    old = turn.child_by_peer(rekey.protocol_id, rekey.spi) if rekey is not None else None\n",
            '    if ike.outstanding:\n        raise TemporaryFailure("one at a time", section="2.3")\n'
            "    old = turn.child_by_peer(rekey.protocol_id, rekey.spi) if rekey is not None else None\n",
        ),
        origin="7296-2.3-06",
    ),
    mutant(
        "rekey what is being deleted",
        "2.25.1",
        edit(
            "sa.child",
            "if old.state in (ChildState.DELETING, ChildState.REPLACED) or",
            "if old.state is ChildState.REPLACED or",
        ),
    ),
    mutant(
        "rekey what was rekeyed",
        "2.25.1",
        edit(
            "sa.child",
            "if old.state in (ChildState.DELETING, ChildState.REPLACED) or",
            "if old.state is ChildState.DELETING or",
        ),
    ),
    mutant(
        "rekey twice while rekeys cross",
        "2.25.1",
        edit("sa.child", " or (old.state is ChildState.REKEYING and crossed):", ":"),
    ),
    mutant(
        "take the rekey of an unknown Child SA for a new one",
        "2.25",
        edit(
            "sa.child",
            'return (N(NotifyType.CHILD_SA_NOT_FOUND, b"", rekey.protocol_id, rekey.spi),)',
            "rekey = None",
        ),
        origin="7296-2.25-08",
    ),
    mutant(
        "name nothing in CHILD_SA_NOT_FOUND",
        "2.25",
        edit(
            "sa.child",
            'N(NotifyType.CHILD_SA_NOT_FOUND, b"", rekey.protocol_id, rekey.spi)',
            "N(NotifyType.CHILD_SA_NOT_FOUND)",
        ),
        origin="7296-2.25-07",
    ),
    mutant(
        "keep what the peer says does not exist",
        "2.25",
        edit(
            "sa.child",
            "        turn.remove(old)\n        turn.enqueue_first(ike, CreateChild",
            "        turn.enqueue_first(ike, CreateChild",
        ),
        origin="7296-2.25-09",
    ),
    mutant(
        "keep a Child SA in rekeying when that failed",
        "2.8.1",
        edit(
            "sa.child",
            "return turn.put_child(old._replace(state=ChildState.OPEN if intent.crossing is "
            "None else ChildState.REPLACED))",
            "return old",
        ),
    ),
    mutant(
        "reopen what the peer has rekeyed",
        "2.8.1",
        edit(
            "sa.child",
            "state=ChildState.OPEN if intent.crossing is None else ChildState.REPLACED",
            "state=ChildState.OPEN",
        ),
        origin="ikeref, before it was found",
    ),
    mutant(
        "narrow a rekey",
        "2.9.2",
        edit(
            "sa.negotiation",
            "    if old is not None and not (\n        selectors.is_within(old.remote_ts",
            "    if False and not (\n        selectors.is_within(old.remote_ts",
        ),
        origin="7296-2.9.2-04",
    ),
    mutant("accept a rekey that is narrower", "2.9.2", edit("sa.child", "if not wide:", "if False:")),
)

MUTANTS = (*CREATING, *REKEYING)
