"""Faults about any message: IDs, windows, retransmission, protection, malformed ones (Sections 2.1 to 2.5, 2.21, 3)."""

from ikeref_properties.mutants.seeding import Mutant, edit, mutant

EXCHANGES: tuple[Mutant, ...] = (
    mutant(
        "process requests again",
        "2.1",
        edit(
            "sa.window",
            "    if message_id in answered:\n        return Position.AGAIN",
            "    if message_id in answered:\n        return Position.NEW",
        ),
    ),
    mutant(
        "accept requests beyond the window",
        "2.3",
        edit("sa.window", "if expected <= message_id < expected + size:", "if expected <= message_id:"),
    ),
    mutant("accept any response", "2.2", edit("sa.window", "        if message_id == asked:", "        if True:")),
    mutant(
        "send requests beyond the window",
        "2.3",
        edit(
            "sa.window",
            "return not outstanding or next_request < min(outstanding) + size",
            "return len(outstanding) < 3",
        ),
        origin="7296-2.3-09",
    ),
    mutant(
        "let the window shrink",
        "2.3",
        edit("sa.window", "return max(size, announced)", "return announced"),
        origin="7296-2.3-13",
    ),
    mutant(
        "keep the last response alone",
        "2.3",
        edit("sa.window", "if each > latest - size", "if each == latest"),
        origin="7296-2.3-11",
    ),
    mutant(
        "put INVALID_MESSAGE_ID in a response",
        "2.3",
        edit(
            "sa.step",
            '        raise Dropped(f"message ID {header.message_id} is outside the window"',
            "        if ike.phase is Phase.ESTABLISHED:\n"
            "            of = Message(*header[:2], header.exchange_type, header.flags, header.message_id, ())\n"
            "            put = turn.respond(ike, of, (N(NotifyType.INVALID_MESSAGE_ID),), what.path)\n"
            "            turn.put(put._replace(expected=ike.expected, answers=ike.answers))\n"
            "            return\n"
            '        raise Dropped(f"message ID {header.message_id} is outside the window"',
        ),
        origin="7296-2.3-15",
    ),
    mutant(
        "answer no retransmission",
        "2.1",
        edit(
            "sa.turn",
            "        self.outputs.append(Replayed(request))\n"
            "        self.transmit(path, answer.datagrams, answer.message, again=True)",
            "        self.outputs.append(Replayed(request))",
        ),
    ),
    mutant(
        "encrypt retransmissions anew",
        "2.1",
        edit(
            "sa.timers",
            "        turn.transmit(ike.path, exchange.datagrams, exchange.message, again=True)",
            "        sealed = exchange.datagrams\n"
            "        if exchange.message.exchange_type != 34:\n"
            "            sealed = turn.seal(ike, exchange.message)\n"
            "            ike = turn.put(ike._replace(sealed=ike.sealed + 1))\n"
            "        turn.transmit(ike.path, sealed, exchange.message, again=True)",
        ),
        origin="7296-2.1-11",
    ),
    mutant(
        "encrypt responses anew",
        "2.1",
        edit(
            "sa.turn",
            "        self.transmit(path, answer.datagrams, answer.message, again=True)",
            "        ike = self.ike(answer.message.spi_i) or self.ike(answer.message.spi_r)\n"
            "        octets = answer.datagrams\n"
            "        if ike is not None and answer.message.exchange_type != 34:\n"
            "            octets = self.seal(ike, answer.message)\n"
            "            self.put(ike._replace(sealed=ike.sealed + 1))\n"
            "        self.transmit(path, octets, answer.message, again=True)",
        ),
        origin="7296-2.1-04",
    ),
    mutant(
        "stop counting",
        "2.2",
        edit(
            "sa.turn",
            "exchange_type, flags, ike.next_request, payloads)",
            "exchange_type, flags, max(0, ike.next_request - 1), payloads)",
        ),
    ),
    mutant(
        "never raise the message ID",
        "2.2",
        edit(
            "sa.turn",
            "next_request=message.message_id + 1,",
            "next_request=message.message_id + (ike.phase < Phase.ESTABLISHED),",
        ),
    ),
    mutant(
        "count both directions together",
        "2.2",
        edit(
            "sa.turn",
            "        self.transmit(path, datagrams, message)\n        return self.put(ike)",
            "        self.transmit(path, datagrams, message)\n"
            "        ike = ike._replace(next_request=ike.next_request + (ike.phase >= Phase.ESTABLISHED))\n"
            "        return self.put(ike)",
        ),
        origin="libreswan 4.12",
    ),
    mutant("use one IV", "3.14", edit("sa.turn", "return sealed.to_bytes(size) if", "return bytes(size) if")),
    mutant(
        "take a response of another exchange",
        "2.1",
        edit("sa.step", "if exchange.message.exchange_type != header.exchange_type:", "if False:"),
    ),
    mutant(
        "answer in another exchange",
        "2.1",
        edit(
            "sa.turn",
            "message = Message(ike.spi_i, ike.spi_r, request.exchange_type, flags, request.message_id, payloads)",
            "kind = request.exchange_type if request.exchange_type < 37 or payloads else 36\n"
            "        message = Message(ike.spi_i, ike.spi_r, kind, flags, request.message_id, payloads)",
        ),
    ),
    mutant(
        "set the Initiator flag in each request",
        "2.2",
        edit("sa.turn", "flags = FLAG_INITIATOR if ike.initiator else 0", "flags = FLAG_INITIATOR"),
        origin="7296-3.1-28",
    ),
)

PROTECTION: tuple[Mutant, ...] = (
    mutant(
        "take unprotected messages",
        "2.21.4",
        edit(
            "sa.step",
            '        raise Dropped("not protected, though this IKE SA has keys", section="2.21.4")',
            "        return outer",
        ),
        origin="7296-2.21.4-08",
    ),
    mutant(
        "let an unprotected INVALID_IKE_SPI end an IKE SA",
        "2.4",
        edit(
            "endpoint",
            '            raise Dropped("a response to nobody", section="2.21.4")  # 7296-2.21.4-02',
            "            self.sessions.clear()\n            return ()",
        ),
        origin="7296-2.4-08",
    ),
    mutant(
        "answer before the ICV is checked",
        "2.21",
        edit(
            "sa.step",
            "    except RemoteProtocolError as error:\n        broken = error\n",
            "    except (RemoteProtocolError, Dropped) as error:\n"
            "        broken = error if isinstance(error, RemoteProtocolError) else "
            "InvalidSyntax('x', section='2.21')\n",
        ),
    ),
    mutant(
        "drop malformed requests",
        "2.21.3",
        edit("sa.step", "        broken = error\n", '        raise Dropped("malformed") from error\n'),
        origin="7296-2.21.2-05",
    ),
    mutant(
        "keep the IKE SA after INVALID_SYNTAX was sent",
        "2.21.3",
        edit("sa.step", "fatal = error.notify == NotifyType.INVALID_SYNTAX or ike.phase", "fatal = ike.phase"),
        origin="7296-2.21.3-04",
    ),
    mutant(
        "keep the IKE SA after INVALID_SYNTAX came",
        "2.21.3",
        edit("sa.step", 'broken = "the peer found our request malformed"', "pass"),
        origin="7296-2.21.3-04",
    ),
    mutant(
        "close the IKE SA after any error",
        "2.21",
        edit(
            "sa.step",
            "fatal = error.notify == NotifyType.INVALID_SYNTAX or ike.phase is Phase.HALF_OPEN",
            "fatal = True",
        ),
        origin="7296-2.21.3-01",
    ),
    mutant(
        "keep half of what a failed request did",
        "2.21.3",
        edit(
            "sa.step",
            '        turn.restore(saved, count)\n        turn.audit(f"request',
            '        turn.audit(f"request',
        ),
        origin="7296-2.21.3-01",
    ),
    mutant(
        "refuse requests with an unknown error notification",
        "3.10.1",
        edit(
            "sa.informational",
            '            turn.audit(f"the peer says',
            "            if payload.type < 16384 and payload.type not in NotifyType._value2member_map_:\n"
            "                return Reply((N(NotifyType.INVALID_SYNTAX),))\n"
            '            turn.audit(f"the peer says',
        ),
        origin="7296-3.10.1-02",
    ),
    mutant(
        "believe a report of failed authentication at any time",
        "2.21.2",
        edit(
            "sa.informational",
            "    if (follows or amid) and not ike.initiator and (notify := is_report(message)):",
            "    if notify := is_report(message):",
        ),
    ),
    mutant(
        "ignore a report of failed authentication",
        "2.21.2",
        edit("sa.informational", "    if (follows or amid) and not ike", "    if False and not ike"),
        origin="7296-2.21.2-12",
    ),
)

OCTETS: tuple[Mutant, ...] = (
    mutant(
        "read the Critical bit from the other end",
        "2.5",
        edit("wire.payloads", "        elif flags & CRITICAL:", "        elif flags & 1:"),
        origin="OpenIKED, reyk 3 and 149",
    ),
    mutant(
        "refuse any unknown payload",
        "2.5",
        edit("wire.payloads", "        elif flags & CRITICAL:", "        elif True:"),
    ),
    mutant(
        "skip unknown payloads, critical or not",
        "2.5",
        edit("wire.payloads", "        elif flags & CRITICAL:", "        elif False:"),
    ),
    mutant(
        "refuse reserved bits",
        "2.5",
        edit(
            "wire.payloads",
            "        if length < GENERIC_SIZE or stop > size:",
            "        if length < GENERIC_SIZE or stop > size or flags & 0x7F:",
        ),
        origin="7296-2.5-12",
    ),
    mutant(
        "demand payloads in the order of the figures",
        "2.5",
        edit(
            "sa.compose",
            "            found = payload\n",
            "            kinds = [each.__name__ for each in map(type, payloads)]\n"
            "            if kind.__name__ == 'Nonce' and 'SA' in kinds[kinds.index('Nonce') :]:\n"
            "                raise InvalidSyntax('out of order', section=section)\n"
            "            found = payload\n",
        ),
        origin="7296-2.5-21",
    ),
    mutant(
        "take nonces of any length",
        "2.10",
        edit("wire.nonce", "if not MIN_NONCE <= stop - start <= MAX_NONCE:", "if False:"),
        origin="Openswan 489",
    ),
    mutant(
        "believe the number of SPIs in a Delete",
        "3.11",
        edit("wire.delete", "if count * spi_size != size or (count and not spi_size):", "if count and not spi_size:"),
        origin="CVE-2023-23009 and its like",
    ),
    mutant(
        "believe the length of a Notify's SPI",
        "3.10",
        edit("wire.notify", "    if data > stop:\n", "    if False:\n"),
    ),
    mutant(
        "take messages of any major version",
        "2.5",
        edit("wire.message", "if version >> 4 != 2 or spi_i", "if spi_i"),
        origin="CVE-2015-3991",
    ),
    mutant(
        "take a public value of any length",
        "3.4",
        edit("crypto.modp", "    if len(public) != n // 8:\n", "    if False:\n"),
        origin="CVE-2023-41913",
    ),
    mutant(
        "take degenerate public values",
        "2.12",
        edit("crypto.modp", "    if not 1 < y < p - 1:\n", "    if False:\n"),
        origin="CVE-2015-3240",
    ),
    mutant(
        "strip leading zeros of the shared secret",
        "2.14",
        edit(
            "crypto.modp",
            "return pow(y, private.value, p).to_bytes(n // 8)",
            'return pow(y, private.value, p).to_bytes(n // 8).lstrip(b"\\0")',
        ),
        origin="7296-2.14-04",
    ),
)

KEYS: tuple[Mutant, ...] = (
    mutant(
        "swap SK_ei and SK_er",
        "2.14",
        edit(
            "crypto.schedule",
            "        octets[a2 : a2 + e],\n        octets[a2 + e : e2],\n",
            "        octets[a2 + e : e2],\n        octets[a2 : a2 + e],\n",
        ),
    ),
    mutant(
        "use whole nonces with every PRF",
        "2.14",
        edit("crypto.schedule", "ni[:prefix] + nr[:prefix]", "ni + nr"),
        origin="7296-2.14-06",
    ),
    mutant(
        "leave g^ir out of KEYMAT",
        "2.17",
        edit("crypto.schedule", "g_ir + ni + nr, 2 * (e + a))", "ni + nr, 2 * (e + a))"),
    ),
    mutant(
        "derive a rekey from the nonces before g^ir",
        "2.18",
        edit("crypto.schedule", "old_sk_d, g_ir + ni + nr", "old_sk_d, ni + nr + g_ir"),
    ),
)

MUTANTS = (*EXCHANGES, *PROTECTION, *OCTETS, *KEYS)
