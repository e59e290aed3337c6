"""Faults about beginnings: IKE_SA_INIT, cookies, IKE_AUTH, what is chosen, many IKE SAs (Sections 1.2, 2.4 to 2.15)."""

from ikeref_properties.mutants.seeding import Mutant, edit, mutant

_SA = "        SA(_numbered(turn.connection.ike_proposals)),\n"
_CHECK = "        if group == handshake.group or group not in choice.groups_of(turn.connection.ike_proposals):"

INIT: tuple[Mutant, ...] = (
    mutant(
        "draw a new nonce for each retry",
        "2.6",
        edit(
            "sa.initial",
            "        return\n    _send(turn, ike, handshake, group)",
            "        return\n"
            "    ni = turn.env.random(turn.env.settings.nonce_octets)\n"
            "    _send(turn, ike, handshake._replace(ni=ni), group)",
        ),
        origin="7296-2.6-13",
    ),
    mutant(
        "offer only the group that was asked for",
        "1.2",
        edit(
            "sa.initial",
            _SA,
            "        SA(tuple(p._replace(transforms=tuple(t for t in p.transforms if t.type != 4 or t.id == group))\n"
            "           for p in _numbered(turn.connection.ike_proposals)) if handshake.rounds else\n"
            "           _numbered(turn.connection.ike_proposals)),\n",
        ),
        origin="7296-1.2-22",
    ),
    mutant(
        "take a group that was not offered",
        "1.2",
        edit("sa.initial", _CHECK, "        if group == handshake.group:"),
        origin="CVE-2014-9221",
    ),
    mutant(
        "try the same group again and again",
        "1.2",
        edit("sa.initial", _CHECK, "        if group not in choice.groups_of(turn.connection.ike_proposals):"),
    ),
    mutant(
        "put the cookie last",
        "2.6",
        edit("sa.initial", "        *cookie,\n        SA(", "        SA("),
        edit(
            "sa.initial",
            "if _certifies(turn.connection) else ()),\n    )\n",
            "if _certifies(turn.connection) else ()),\n        *cookie,\n    )\n",
        ),
        origin="7296-2.6-12",
    ),
    mutant(
        "forget the cookie that was asked for",
        "2.6",
        edit("sa.initial", "handshake = handshake._replace(cookie=cookie.data)", "pass"),
        origin="7296-2.6-12",
    ),
    mutant(
        "send IKE_SA_INIT anew without end",
        "2.6",
        edit("sa.initial", "if handshake.rounds >= turn.env.settings.initial_rounds:", "if False:"),
        origin="7296-2.6-22",
    ),
    mutant(
        "authenticate the first IKE_SA_INIT request",
        "2.15",
        edit("sa.initial", "init_request=datagram, rounds", "init_request=handshake.init_request or datagram, rounds"),
        origin="7296-2.15-08",
    ),
    mutant(
        "believe an error before keys exist",
        "2.21.1",
        edit(
            "sa.initial",
            "        turn.put(ike._replace(handshake=handshake._replace(hint=hint)))\n",
            "        turn.close(ike, hint)\n",
        ),
        origin="7296-2.21.1-02",
    ),
    mutant(
        "choose by KEi",
        "1.2",
        edit(
            "sa.initial",
            "    connection, chosen = _choose(offer, env, path)",
            "    only = [\n"
            "        p._replace(transforms=tuple(t for t in p.transforms if t.type != 4 or "
            "t.id == key_exchange.group))\n"
            "        for p in offer.proposals\n"
            "    ]\n"
            "    connection, chosen = _choose(SA(tuple(only)), env, path)",
        ),
        origin="7296-1.2-20",
    ),
    mutant(
        "agree on another group than KE has",
        "1.2",
        edit(
            "sa.initial",
            "if not key_exchange.group == suite.group == handshake.group:",
            "if False:",
        ),
    ),
    mutant(
        "take IKE_SA_INIT's responder for granted",
        "3.3.6",
        edit(
            "sa.initial",
            "    chosen = choice.verify_choice(offer, answer.proposals)",
            "    chosen = answer.proposals[0]",
        ),
        origin="7296-3.3.6-05",
    ),
    mutant(
        "make an IKE SA for each retransmission",
        "2.1",
        edit("endpoint", "number = self._by_request.get(fingerprint)", "number = None"),
        origin="7296-2.1-12",
    ),
    mutant(
        "tell requests apart by SPI and address",
        "2.1",
        edit("endpoint", ".encode() + datagram, digest_size=16)", ".encode() + datagram[:8], digest_size=16)"),
        origin="7296-2.1-14",
    ),
)

COOKIES: tuple[Mutant, ...] = (
    mutant(
        "believe any cookie",
        "2.6",
        edit(
            "endpoint",
            "return any(hmac.compare_digest(first.data, self._cookie(request, path, now, which)) for which in (0, 1))",
            "return True",
        ),
    ),
    mutant(
        "demand no cookie",
        "2.6",
        edit("endpoint", "if self._wants_cookie(path) and not", "if False and not"),
        origin="7296-2.6-10",
    ),
    mutant(
        "keep state before a cookie",
        "2.6",
        edit(
            "endpoint",
            "                return self._answer(header, N(NotifyType.COOKIE,",
            "                self._keep(self._number(), None, sa.respond(request, datagram, "
            "path, now, self.environment))\n"
            "                return self._answer(header, N(NotifyType.COOKIE,",
        ),
        origin="7296-2.6-09",
    ),
    mutant(
        "drop a request with a wrong cookie",
        "2.6",
        edit(
            "endpoint",
            "        return any(hmac.compare_digest(first.data, self._cookie(request, path, "
            "now, which)) for which in (0, 1))",
            "        if not any(hmac.compare_digest(first.data, self._cookie(request, path, "
            "now, w)) for w in (0, 1)):\n"
            '            raise Dropped("a wrong cookie")\n'
            "        return True",
        ),
        origin="7296-2.6-21",
    ),
    mutant(
        "make cookies for any address",
        "2.6",
        edit("endpoint", "+ nat.packed(path.remote[0]) + request.spi_i", "+ request.spi_i"),
        origin="7296-2.6-17",
    ),
    mutant(
        "make cookies for any nonce",
        "2.6",
        edit("endpoint", 'octets = b"".join(nonces) + nat', "octets = nat"),
        origin="7296-2.6-17",
    ),
    mutant(
        "keep the secret of cookies for ever",
        "2.6",
        edit("endpoint", "self._secrets = (self.environment.random(32), self._secrets[0])", "pass"),
        origin="7296-2.6-20",
    ),
    mutant(
        "forget the last secret of cookies",
        "2.6",
        edit("endpoint", "for which in (0, 1))", "for which in (0,))"),
    ),
    mutant(
        "make cookies of KEi too",
        "2.6.1",
        edit(
            "endpoint",
            "type(payload) is wire.Nonce]",
            "type(payload) is wire.Nonce]\n"
            "        nonces += [payload.public for payload in request.payloads if type(payload) is wire.KE]",
        ),
        origin="allowed by 2.6.1: it costs a round more",
    ),
)

AUTH: tuple[Mutant, ...] = (
    mutant(
        "believe any AUTH",
        "2.15",
        edit("sa.authentication", '    proof = one(payloads, AUTH, "1.2")\n    octets', "    return\n    octets"),
    ),
    mutant(
        "believe the responder's AUTH",
        "2.15",
        edit(
            "sa.authentication",
            "        verify(turn, ike, handshake, claimed, payloads)\n    except",
            "        pass\n    except",
        ),
        origin="CVE-2021-45079",
    ),
    mutant(
        "let any identity use the key",
        "2.15",
        edit("sa.authentication", "if not identities.matches(turn.connection.remote_id, identity):", "if False:"),
        origin="7296-1.2-19, CVE-2020-16088",
    ),
    mutant(
        "let any initiator use the key",
        "2.15",
        edit("sa.authentication", "if identities.matches(c.remote_id, identity)]", "]"),
        origin="7296-1.2-19, CVE-2020-16088",
    ),
    mutant(
        "do other exchanges before IKE_AUTH",
        "1.2",
        edit("sa.step", "    if early and not rounds.may_report(ike, header):", "    if False:"),
        edit(
            "sa.step",
            "def _respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:\n    if ike.phase is Phase.HALF_OPEN:\n",
            "def _respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:\n"
            "    if ike.phase is Phase.HALF_OPEN and message.exchange_type == ExchangeType.IKE_AUTH:\n",
        ),
        origin="CVE-2014-2338, CVE-2009-1957",
    ),
    mutant(
        "establish what was rekeyed before IKE_AUTH",
        "1.2",
        edit("sa.step", "    if early and not rounds.may_report(ike, header):", "    if False:"),
        edit(
            "sa.step",
            "def _respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:\n",
            "def _respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:\n"
            "    if ike.phase is Phase.HALF_OPEN and message.exchange_type == ExchangeType.CREATE_CHILD_SA:\n"
            "        turn.peer = turn.connection.local_id\n"
            "        ike = turn.put(ike._replace(phase=Phase.ESTABLISHED, handshake=None))\n",
        ),
        origin="CVE-2014-2338",
    ),
    mutant(
        "serve a responder that is not authenticated",
        "1.2",
        edit("sa.step", "if turn.peer is None and ike.phase not in (Phase.HALF_OPEN, Phase.CLOSED):", "if False:"),
    ),
    mutant(
        "keep the IKE SA that failed to authenticate",
        "2.21.2",
        edit("sa.authentication", 'close=f"authentication failed: {failure.reason}")', 'close="")'),
        origin="7296-2.21.2-01",
    ),
    mutant(
        "refuse IKE_AUTH when its Child SA is refused",
        "2.21.2",
        edit(
            "sa.authentication",
            "        return Reply((*proof, N(failure.notify, failure.data)))",
            '        return Reply((N(failure.notify, failure.data),), close="no Child SA")',
        ),
        origin="7296-2.21.2-08",
    ),
    mutant(
        "heed INITIAL_CONTACT before authentication",
        "2.4",
        edit(
            "sa.authentication",
            "        _verify_any(turn, ike, handshake, claimed, wanted, payloads)\n",
            "        _heed_initial_contact(turn, identity, payloads)\n"
            "        _verify_any(turn, ike, handshake, claimed, wanted, payloads)\n",
        ),
        origin="7296-2.4-02",
    ),
    mutant(
        "leave the nonce out of AUTH",
        "2.15",
        edit("crypto.auth", "return message + nonce + provider", "return message + provider"),
        origin="7296-2.15-05",
    ),
    mutant(
        "leave the identity out of AUTH",
        "2.15",
        edit("crypto.auth", "return message + nonce + provider.prf(prf, sk_p, id_body)", "return message + nonce"),
        origin="7296-2.15-01",
    ),
    mutant(
        "leave the message out of AUTH",
        "2.15",
        edit("crypto.auth", "return message + nonce + provider", "return nonce + provider"),
        origin="7296-2.15-04",
    ),
)

CHOICE: tuple[Mutant, ...] = (
    mutant(
        "number the answer 1",
        "3.3.1",
        edit("policy.choice", "return Proposal(best.number, ", "return Proposal(1, "),
        origin="7296-3.3.1-08",
    ),
    mutant(
        "choose what lacks a mandatory transform",
        "3.3.6",
        edit("policy.choice", "if left_out and optional and number == 0:", "if left_out:"),
        origin="7296-3.3.6-08, CVE-2016-5391",
    ),
    mutant(
        "choose whatever the Key Length",
        "3.3.5",
        edit("policy.choice", " and other_attributes == attributes", ""),
        origin="7296-3.3.6-04",
    ),
    mutant(
        "accept a choice that was not offered",
        "3.3.6",
        edit("policy.choice", "            if same(transform, candidate):", "            if True:"),
        origin="7296-3.3.6-05",
    ),
    mutant(
        "drop a whole proposal for one unknown transform",
        "3.3.6",
        edit(
            "policy.choice",
            "        if transform.type not in kinds:",
            "        if transform.type not in kinds or transform.id > 1000:",
        ),
        origin="7296-3.3.6-09",
    ),
    mutant(
        "choose the worst",
        "2.7",
        edit("policy.choice", "if best is None or ranks < best_ranks:", "if best is None or ranks > best_ranks:"),
    ),
    mutant(
        "widen instead of narrowing",
        "2.9",
        edit(
            "policy.selectors",
            "high = one_high if one_high <= other_high else other_high",
            "high = max(one_high, other_high)",
        ),
    ),
    mutant(
        "compare no protocols in selectors",
        "2.9",
        edit("policy.selectors", "other.ip_protocol == 0 or other.ip_protocol == one.ip_protocol", "True"),
    ),
)

ENDPOINT: tuple[Mutant, ...] = (
    mutant(
        "give out one SPI",
        "1.4.1",
        edit(
            "endpoint",
            "spi = self.environment.random(octets)",
            'spi = self.environment.random(octets) if octets == 8 else b"\\0\\0\\x10\\0"',
        ),
        edit("endpoint", " and spi not in self._by_spi and spi not in self._fresh:", ":"),
    ),
    mutant(
        "forget whom INITIAL_CONTACT is about",
        "2.4",
        edit("endpoint", "if s.peer == peer and s.connection.local_id == local]", "]"),
        origin="7296-2.4-04",
    ),
    mutant(
        "find the IKE SA by address",
        "2.6",
        edit(
            "endpoint",
            "        if number is not None and header.version >> 4 == VERSION >> 4:\n",
            "        if number is not None and header.version >> 4 == VERSION >> 4:\n"
            "            number = next((n for n, s in self.sessions.items() if "
            "s.ikes[0].path.remote == path.remote), number)\n",
        ),
        origin="7296-2.6-03",
    ),
    mutant(
        "answer unprotected requests without limit",
        "2.21.4",
        edit("endpoint", "if notify.type != NotifyType.COOKIE and not self._answers.take(now):", "if False:"),
        origin="7296-2.21.4-04, CVE-2016-5361",
    ),
    mutant(
        "answer what is malformed and unprotected",
        "3.10.1",
        edit("endpoint", "        if error.notify == NotifyType.INVALID_SYNTAX:", "        if False:"),
        origin="7296-3.10.1-07",
    ),
    mutant(
        "answer responses",
        "2.21.4",
        edit(
            "endpoint",
            "        if header.flags & FLAG_RESPONSE:\n            raise",
            "        if False:\n            raise",
        ),
        origin="7296-2.21.4-02",
    ),
    mutant(
        "keep any number of half-open IKE SAs",
        "2.6",
        edit("endpoint", "if self.half_open >= self.settings.half_open_limit:", "if False:"),
        origin="CVE-2025-20224 and its like",
    ),
    mutant(
        "count half-open IKE SAs for ever",
        "2.6",
        edit(
            "endpoint",
            "self.half_open += change\n",
            "self.half_open += max(change, 0)\n",
        ),
    ),
    mutant(
        "tear down over a message of nobody",
        "2.21.4",
        edit(
            "endpoint",
            '        return self._answer(header, N(NotifyType.INVALID_IKE_SPI), path, now, "no IKE SA has these SPIs")',
            "        for number, session in list(self.sessions.items()):\n"
            "            if session.ikes[0].path.remote == path.remote:\n"
            '                self._keep(number, session, sa.abandon(session, "x", now, self.environment))\n'
            '        return self._answer(header, N(NotifyType.INVALID_IKE_SPI), path, now, "no IKE SA has these SPIs")',
        ),
    ),
)

MUTANTS = (*INIT, *COOKIES, *AUTH, *CHOICE, *ENDPOINT)
