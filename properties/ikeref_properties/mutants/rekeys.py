"""Faults about the IKE SA's own rekey, what crosses it, retries and time (Sections 2.1, 2.4, 2.8, 2.18, 2.25)."""

from ikeref_properties.mutants.seeding import Mutant, edit, mutant

REKEYING: tuple[Mutant, ...] = (
    mutant(
        "forget that rekeys of an IKE SA crossed",
        "2.8.2",
        edit(
            "sa.rekey",
            "    if exchange is not None and isinstance(intent, IkeRequest):\n        # 7296-2.25.2-01",
            "    if False:\n        # 7296-2.25.2-01",
        ),
    ),
    mutant(
        "lose Child SAs in a rekey of the IKE SA",
        "2.8",
        edit(
            "sa.rekey",
            "    turn.outputs.append(Established(heir.spi_i, heir.spi_r, turn.peer, succeeds=old.spi))",
            "    turn.outputs.append(Established(heir.spi_i, heir.spi_r, turn.peer, succeeds=old.spi))\n"
            "    turn.close_children()",
        ),
        origin="7296-2.8.2-02",
    ),
    mutant(
        "lose what the peer inherited",
        "2.8.2",
        edit(
            "sa.rekey",
            "        if candidate is not None and candidate.phase is Phase.CANDIDATE:\n            _inherit",
            "        if False:\n            _inherit",
        ),
    ),
    mutant(
        "inherit to what was deleted",
        "2.8.2",
        edit(
            "sa.rekey",
            "    if theirs is not None and theirs.phase is Phase.CANDIDATE:\n        _inherit(turn, old, theirs)",
            "    if theirs is not None:\n        _inherit(turn, old, theirs)",
        ),
        origin="ikeref, before it was found",
    ),
    mutant(
        "delete the old IKE SA at once",
        "2.8.2",
        edit(
            "sa.step",
            "return ike.phase is Phase.REKEYED and (ike.redundant or not redundant)",
            "return ike.phase is Phase.REKEYED",
        ),
        origin="a literal reading",
    ),
    mutant(
        "never delete the old IKE SA",
        "2.8",
        edit("sa.rekey", "queue = (DeleteIke(),) if delete else ()", "queue = ()"),
        origin="7296-2.8-10",
    ),
    mutant(
        "both delete the old IKE SA",
        "2.8.2",
        edit("sa.rekey", "queue = (DeleteIke(),) if delete else ()", "queue = (DeleteIke(),)"),
    ),
    mutant(
        "keep the redundant IKE SA",
        "2.8.2",
        edit(
            "sa.rekey",
            "turn.put(made._replace(phase=Phase.REKEYED, redundant=True, queue=(DeleteIke(),)))",
            "turn.put(made._replace(phase=Phase.REKEYED, redundant=True))",
        ),
    ),
    mutant(
        "let an IKE SA rekey overtake Child SA exchanges",
        "2.25.1",
        edit(
            "sa.rekey",
            "if any(_concerns_child(exchange.intent) for exchange in ike.outstanding) or _has_delete_due(turn, ike):",
            "if False:",
        ),
        origin="7296-2.25.1-08",
    ),
    mutant(
        "rekey an IKE SA that is being closed",
        "2.25.2",
        edit(
            "sa.rekey",
            "    if ike.phase is not Phase.ESTABLISHED:\n        # 7296-2.25.2-03",
            "    if False:\n        # 7296-2.25.2-03",
        ),
        origin="7296-2.25.2-03",
    ),
    mutant(
        "rekey an IKE SA a third time while rekeys cross",
        "2.25.2",
        edit(
            "sa.rekey",
            "if isinstance(intent, IkeRequest) and intent.crossing is not None:\n        raise",
            "if False:\n        raise",
        ),
    ),
    mutant(
        "create Child SAs while rekeying the IKE SA",
        "2.25.2",
        edit(
            "sa.child",
            "    if ike.rekey is not None:\n        # 7296-2.25.2-06",
            "    if False:\n        # 7296-2.25.2-06",
        ),
        origin="7296-2.25.2-06",
    ),
    mutant(
        "create Child SAs on an IKE SA that is being closed",
        "2.25.2",
        edit(
            "sa.child",
            '    if ike.phase is not Phase.ESTABLISHED:\n        raise TemporaryFailure("the IKE SA is being closed"',
            '    if False:\n        raise TemporaryFailure("the IKE SA is being closed"',
        ),
    ),
    mutant(
        "go on counting in a rekeyed IKE SA",
        "2.18",
        edit(
            "sa.rekey",
            "            keys,\n            fragmentation=",
            "            keys,\n            next_request=ike.next_request,\n            fragmentation=",
        ),
        origin="7296-2.18-09",
    ),
    mutant(
        "keep the original initiator in a rekey",
        "2.2",
        edit(
            "sa.rekey",
            "            Phase.ESTABLISHED,\n            initiator,\n",
            "            Phase.ESTABLISHED,\n            ike.initiator,\n",
        ),
        origin="7296-3.1-29",
    ),
    mutant(
        "derive SKEYSEED of a rekey by the new PRF",
        "2.18",
        edit(
            "sa.rekey", "schedule.skeyseed_rekey(crypto, ike.suite.prf,", "schedule.skeyseed_rekey(crypto, suite.prf,"
        ),
        origin="7296-2.18-04",
    ),
    mutant(
        "derive the keys of a rekey with the old SPIs",
        "2.18",
        edit(
            "sa.rekey",
            "keys = schedule.ike_keys(crypto, suite, skeyseed, ni, nr, spi_i, spi_r)",
            "keys = schedule.ike_keys(crypto, suite, skeyseed, ni, nr, ike.spi_i, ike.spi_r)",
        ),
        origin="libreswan 2958",
    ),
    mutant(
        "rekey the IKE SA with the group of KEi",
        "1.3.2",
        edit("sa.rekey", "    if key_exchange.group != suite.group:\n        wanted", "    if False:\n        wanted"),
        origin="7296-1.3-09",
    ),
    mutant(
        "rekey the IKE SA without KE",
        "2.18",
        edit(
            "sa.rekey",
            '    key_exchange = one(payloads, KE, "1.3.2")\n    chosen',
            "    key_exchange = next((p for p in payloads if type(p) is KE), None)\n"
            "    if key_exchange is None:\n"
            "        spi_r = turn.env.new_spi(8)\n"
            "        own = turn.env.random(32)\n"
            "        _inherit(turn, ike, _successor(turn, ike, False, offer[0].spi, spi_r, "
            "ike.suite, nonce, own, b''))\n"
            "        return SA((offer[0]._replace(spi=spi_r),)), Nonce(own)\n"
            "    chosen",
        ),
        origin="7296-2.18-07",
    ),
    mutant(
        "close the IKE SA when its rekey is refused",
        "1.3",
        edit(
            "sa.rekey",
            "    try_again(turn, ike, intent.command, intent.proposals, error)",
            '    turn.close(ike, "refused")',
        ),
        origin="7296-1.3-12",
    ),
)

RETRYING: tuple[Mutant, ...] = (
    mutant(
        "retry at once",
        "2.25",
        edit(
            "sa.turn",
            "self.retries = (*self.retries, Retry(due, command))",
            "self.enqueue(self.current, command); return",
        ),
        origin="7296-2.25-03",
    ),
    mutant(
        "retry for ever", "2.25", edit("sa.retry", "if command.attempt >= turn.env.settings.retry_tries:", "if False:")
    ),
    mutant(
        "retry never",
        "2.25",
        edit("sa.retry", "turn.retry_later(command._replace(attempt=command.attempt + 1))", "pass"),
    ),
    mutant(
        "use a group that was not offered",
        "1.3",
        edit("sa.retry", "if not command.group and group in choice.groups_of(offer):", "if not command.group:"),
        origin="CVE-2014-9221",
    ),
    mutant(
        "try another group never",
        "1.3",
        edit("sa.retry", "turn.enqueue_first(ike, command._replace(group=group))", "pass"),
    ),
)

TIME: tuple[Mutant, ...] = (
    mutant(
        "never give up",
        "2.4",
        edit("sa.timers", "    rekey.promote_candidate(turn, ike)\n", "    return\n"),
        origin="7296-2.4-09",
    ),
    mutant(
        "give up and keep the Child SAs",
        "2.4",
        edit(
            "sa.timers",
            "    turn.close(turn.ike(ike.spi) or ike, reason)",
            "    turn.ikes = tuple(other for other in turn.ikes if other.spi != ike.spi)",
        ),
    ),
    mutant(
        "lose the peer's successor in giving up",
        "2.8.2",
        edit("sa.timers", "    rekey.promote_candidate(turn, ike)\n", "    pass\n"),
    ),
    mutant(
        "wait equally long each time",
        "2.1",
        edit("sa.window", "base ** (transmissions - 1)", "1"),
        origin="7296-2.4-15",
    ),
    mutant(
        "wait longer by the same each time", "2.1", edit("sa.window", "base ** (transmissions - 1)", "transmissions")
    ),
    mutant(
        "keep half-open IKE SAs",
        "2.4",
        edit("sa.timers", "due = min(due, ike.handshake.expires)", "pass"),
    ),
    mutant(
        "keep an IKE SA that the peer forgot to delete",
        "2.8.2",
        edit(
            "sa.timers", "turn.enqueue(ike._replace(expires=0.0), DeleteIke())", "turn.put(ike._replace(expires=0.0))"
        ),
    ),
    mutant(
        "rekey by age again and again",
        "2.25",
        edit(
            "sa.timers",
            "            turn.put_child(child._replace(rekey_at=later))",
            "            turn.put_child(child._replace(rekey_at=turn.now + 1))",
        ),
    ),
    mutant(
        "use SAs past the end of their lives", "2.8", edit("sa.timers", "    _end(turn)\n", ""), origin="7296-2.8-01"
    ),
    mutant(
        "keep an IKE SA whose Child SA was not rekeyed",
        "2.8",
        edit(
            "sa.timers",
            "    current = turn.current if ended else None\n",
            "    current = None\n",
        ),
        origin="7296-2.8-05",
    ),
    mutant(
        "count the life of an IKE SA from its first",
        "2.8",
        edit(
            "sa.rekey",
            "ends_at=turn.env.end(turn.now, turn.env.settings.expire_ike_seconds),",
            "ends_at=ike.ends_at,",
        ),
    ),
    mutant(
        "use up message IDs",
        "2.2",
        edit("sa.step", "if used < window.RENEWAL or ike.phase is not Phase.ESTABLISHED:", "if True:"),
    ),
    mutant(
        "close instead of renewing",
        "2.2",
        edit("sa.step", "        if window.exhausted(used):", "        if True:"),
    ),
    mutant(
        "let a responder retransmit by itself",
        "2.1",
        edit(
            "sa.timers",
            "    now, settings = turn.now, turn.env.settings\n    if ike.expires",
            "    now, settings = turn.now, turn.env.settings\n"
            "    for answer in ike.answers[-1:]:\n"
            "        turn.transmit(ike.path, answer.datagram, answer.message, again=True)\n"
            "    if ike.expires",
        ),
        origin="CVE-2016-5361, 7296-2.1-03",
    ),
)

MUTANTS = (*REKEYING, *RETRYING, *TIME)
