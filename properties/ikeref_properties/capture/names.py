"""What each exchange is about: kinds, outcomes, names for the SAs that messages know by SPI (Sections 1.3, 1.4.1).

A Child SA has two SPIs, one at each end; a Delete and REKEY_SA bear that of their sender. Both come to one name: the
SPI of the end that asked for it.
"""

from ikeref_model.events import Kind, Outcome

from ikeref.registry import PayloadType
from ikeref_properties.capture import meaning, rounds
from ikeref_properties.capture.sessions import Exchange, Sa, Sessions, Side


class Names:
    """Names the Child SAs and fills in what each exchange is about."""

    def __init__(self, found: Sessions) -> None:
        self.found = found
        self.known: dict[tuple[str, Side, bytes], list[tuple[int, str]]] = {}
        """By family, end and the SPI on which that end receives: from which datagram on it is which Child SA."""
        self.taken: set[tuple[str, str]] = set()

    def give(self) -> None:
        exchanges = list(self.found.exchanges.values())
        for exchange in exchanges:
            self._kind(exchange)
        for exchange in exchanges:
            if exchange.kind is Kind.IKE_AUTH and not exchange.sa.begun:
                exchange.sa.authenticating = True
            if exchange.kind is Kind.IKE_AUTH and not exchange.final:
                exchange.abandoned_by = self._abandoned(exchange)
                exchange.abandoned = exchange.abandoned_by is not None
        for exchange in exchanges:
            self._born(exchange)
        for sa in self.found.sas.values():
            self._last_round(sa)
            if sa.begun:
                rounds.mark(self.found.queue(sa, Side.INITIATOR), self.found.queue(sa, Side.RESPONDER))
        self._pair(exchanges)
        for exchange in exchanges:
            self._subjects(exchange)

    def _kind(self, exchange: Exchange) -> None:
        request, response = exchange.request, exchange.response
        if request is not None:
            exchange.kind = meaning.kind_of(request.message)
            exchange.extensions += meaning.extensions(request.message)
            if len(request.seen.octets) > 1:
                exchange.extensions += (meaning.FRAGMENTATION,)
        elif response is not None and response.message.exchange_type in meaning.TOLD_BY_TYPE:
            exchange.kind = meaning.kind_of(response.message)
        if response is not None:
            exchange.extensions += meaning.extensions(response.message)
            if len(response.seen.octets) > 1:
                exchange.extensions += (meaning.FRAGMENTATION,)
            if exchange.kind is not None:
                exchange.outcome = meaning.outcome_of(exchange.kind, response.message)
            if exchange.kind is Kind.IKE_AUTH:
                code = meaning.eap_code(response.message)
                exchange.final = code is None or bool(meaning.errors(response.message))
                if meaning.eap_failed(response.message):
                    exchange.final = True
        elif exchange.kind is Kind.IKE_AUTH:
            exchange.final = request is not None and meaning.has(request.message, PayloadType.AUTH)
        if request is not None and exchange.kind is None and request.message.exchange_type == 43:
            exchange.final = False
        exchange.extensions = tuple(dict.fromkeys(exchange.extensions))

    def _last_round(self, sa: Sa) -> None:
        """Add the round of IKE_SA_INIT that made the IKE SA, if the capture lacks both of its messages."""
        queue = self.found.queue(sa, Side.INITIATOR)
        rounds = [each for each in queue if each.kind is Kind.IKE_SA_INIT]
        if rounds and sa.opened and not any(each.outcome in (None, Outcome.OK) for each in rounds):
            last = rounds[-1]
            lost = Exchange(sa, Side.INITIATOR, 0, last.round + 1, last, kind=Kind.IKE_SA_INIT)
            self.found.exchanges[lost.key] = lost

    def _abandoned(self, exchange: Exchange) -> Kind | None:
        queue = self.found.queue(exchange.sa, exchange.requester)
        following = next((each for each in queue if each.message_id > exchange.message_id), None)
        if following is None or following.request is None or following.kind not in (Kind.LIVENESS, Kind.DELETE_IKE):
            return None
        reports = following.kind is Kind.DELETE_IKE or bool(meaning.errors(following.request.message))
        return following.kind if reports else None

    def _born(self, exchange: Exchange) -> None:
        if exchange.kind is Kind.REKEY_IKE and exchange.request is not None:
            wanted = meaning.offer(exchange.request.message)
            exchange.heir = self._chosen(exchange, wanted)[0].hex() if wanted is not None else ""
        if exchange.kind not in (Kind.IKE_AUTH, Kind.CREATE_CHILD, Kind.REKEY_CHILD) or exchange.request is None:
            return
        source = exchange
        if exchange.kind is Kind.IKE_AUTH:
            queue = self.found.queue(exchange.sa, exchange.requester)
            offers = [each for each in queue if each.kind is Kind.IKE_AUTH and each.request and _offers(each)]
            if not offers or not exchange.final:
                if exchange.final and exchange.outcome is Outcome.REFUSED:
                    exchange.extensions += (meaning.CHILDLESS,)
                return
            source = offers[0]
        assert source.request is not None
        wanted = meaning.offer(source.request.message)
        if wanted is None:
            return
        spi_i, spi_r = self._chosen(exchange, wanted)
        family = exchange.sa.family
        name = spi_i.hex()
        while (family, name) in self.taken:
            name += "'"
        self.taken.add((family, name))
        exchange.born = name
        place = source.request.index
        for spi in (spi_i, *wanted.spis):
            self.known.setdefault((family, exchange.requester, spi), []).append((place, name))
        if spi_r and exchange.response is not None:
            self.known.setdefault((family, exchange.requester.other, spi_r), []).append((exchange.response.index, name))

    def _chosen(self, exchange: Exchange, wanted: meaning.Offer) -> tuple[bytes, bytes]:
        """The SPIs of requester and answerer, b"" for the latter if nothing was created."""
        answer = meaning.offer(exchange.response.message) if exchange.response is not None else None
        if answer is None or not answer.by_number:
            return wanted.spis[0], b""
        number, spi_r = answer.by_number[0]
        return dict(wanted.by_number).get(number, wanted.spis[0]), spi_r

    def _subjects(self, exchange: Exchange) -> None:
        request, response = exchange.request, exchange.response
        if request is not None and exchange.kind is Kind.DELETE_CHILD:
            spis = meaning.deletion(request.message).spis
            exchange.subjects = tuple(self._name(exchange, exchange.requester, spi, request.index) for spi in spis)
        if request is not None and exchange.kind is Kind.REKEY_CHILD:
            spi = meaning.rekeyed(request.message) or b""
            exchange.subjects = (self._name(exchange, exchange.requester, spi, request.index),)
        if response is not None and exchange.kind is not None:
            spis = meaning.deletion(response.message).spis
            exchange.answered = self._answered(exchange, spis, response.index)

    def _answered(self, exchange: Exchange, spis: tuple[bytes, ...], index: int) -> tuple[str, ...]:
        """The names of what a response deletes; an SPI that nothing tells is paired with what the request deletes."""
        other = exchange.requester.other
        names = [self._name(exchange, other, spi, index) for spi in spis]
        told = {name for (_, side, _), found in self.known.items() if side is other for _, name in found}
        strange = [each for each in exchange.subjects if each not in told]
        for place, (name, spi) in enumerate(zip(names, spis, strict=True)):
            if name.startswith("?") and strange:
                names[place] = strange.pop(0)
                self.known.setdefault((exchange.sa.family, other, spi), []).append((index, names[place]))
        return tuple(names)

    def _pair(self, exchanges: list[Exchange]) -> None:
        """Learn SPIs that the capture lacks from exchanges that delete one pair (Section 1.4.1)."""
        for exchange in exchanges:
            if exchange.kind is not Kind.DELETE_CHILD or exchange.request is None or exchange.response is None:
                continue
            sent, back = (meaning.deletion(each.message).spis for each in (exchange.request, exchange.response))
            if len(sent) != 1 or len(back) != 1:
                continue
            family, side = exchange.sa.family, exchange.requester
            mine, theirs = (family, side, sent[0]), (family, side.other, back[0])
            for known, lacking in ((mine, theirs), (theirs, mine)):
                if known in self.known and lacking not in self.known:
                    name = self.known[known][-1][1]
                    if not any(
                        name == each[1] for key, found in self.known.items() if key[1] is lacking[1] for each in found
                    ):
                        self.known[lacking] = [(0, name)]

    def _name(self, exchange: Exchange, receiver: Side, spi: bytes, index: int) -> str:
        found = [name for place, name in self.known.get((exchange.sa.family, receiver, spi), []) if place <= index]
        return found[-1] if found else f"?{spi.hex()}"


def _offers(exchange: Exchange) -> bool:
    return exchange.request is not None and meaning.offer(exchange.request.message) is not None
