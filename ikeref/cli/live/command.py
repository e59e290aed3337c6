"""`ikeref serve` and `ikeref connect`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from ikeref.cli.complain import reading, stop, writing
from ikeref.cli.live import orders
from ikeref.cli.live.orders import Order, OrderError
from ikeref.cli.live.program import Plan, Program
from ikeref.cli.live.sockets import Unbound
from ikeref.cli.live.tell import Teller
from ikeref.errors import LocalProtocolError
from ikeref.net.capture import Capture
from ikeref.net.keylog import KeyLog
from ikeref.net.transport import Observer
from ikeref.net.tunnel import TunnelError
from ikeref.policy import config
from ikeref.policy.connections import Configuration, Connection
from ikeref.policy.credentials import EapServer

Config = Annotated[Path, Argument(metavar="CONFIG", help="Configuration in TOML, see docs/configuration.md.")]
Do = Annotated[
    list[str] | None,
    Option("--do", metavar="ORDER", help="Carry this out once an IKE SA is up; may be repeated, e.g. --do rekey-ike."),
]
KeyLogFolder = Annotated[
    Path | None, Option("--keylog", metavar="DIR", help="Write keys for Wireshark into this folder: they are secrets.")
]
Pcap = Annotated[Path | None, Option("--pcap", metavar="FILE", help="Write a capture (pcapng).")]
Json = Annotated[bool, Option("--json", help="Print events as JSON, one object a line.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Leave single messages out.")]
Once = Annotated[bool, Option("--once", help="End when the orders are done, or the last IKE SA has ended.")]
Tun = Annotated[
    str,
    Option("--tun", metavar="NAME", help="Carry packets through Child SAs by a TUN device of this name; needs root."),
]
NoDelete = Annotated[bool, Option("--no-delete", help="On ending, leave without deleting the IKE SAs.")]


def serve(
    configuration: Config,
    do: Do = None,
    keylog: KeyLogFolder = None,
    pcap: Pcap = None,
    json: Json = False,
    quiet: Quiet = False,
    once: Once = False,
    no_delete: NoDelete = False,
    tun: Tun = "",
) -> None:
    """Listen for peers, and answer them, until interrupted.

    Orders can be typed: help shows them. Ctrl-C deletes the IKE SAs and ends; a second one does not wait for it.

    Exit code: 0 on a regular end, 1 if an order failed, 2 if it could not begin.
    """
    settings = _load(configuration)
    plan = Plan(settings, None, _orders(do), once, not no_delete, device=tun)
    _run(plan, keylog, pcap, json, quiet)


def connect(
    configuration: Config,
    name: Annotated[
        str | None, Argument(metavar="NAME", help="Which connection, where the configuration has several.")
    ] = None,
    do: Do = None,
    keylog: KeyLogFolder = None,
    pcap: Pcap = None,
    json: Json = False,
    quiet: Quiet = False,
    once: Once = False,
    no_delete: NoDelete = False,
    tun: Tun = "",
) -> None:
    """Establish an IKE SA with its Child SAs, and keep it until interrupted or until the peer ends it.

    Orders can be typed: help shows them. Ctrl-C deletes the IKE SA and ends; a second one does not wait for it.

    Exit code: 0 on a regular end, 1 if the peer refused or an order failed, 2 if it could not begin.
    """
    settings = _load(configuration)
    chosen = _choose(settings, name, configuration)
    plan = Plan(Configuration((chosen,), settings.settings), chosen, _orders(do), once, not no_delete, device=tun)
    _run(plan, keylog, pcap, json, quiet)


def _load(path: Path) -> Configuration:
    with reading(path):
        try:
            return config.load(path)
        except config.ConfigError as error:
            stop(f"{path}: {error}")
    raise AssertionError  # both end


def _choose(settings: Configuration, name: str | None, path: Path) -> Connection:
    known = {each.name: each for each in settings.connections}
    names = ", ".join(known)
    if name is None and len(known) > 1:
        stop(f"{path} has several connections, say which one: {names}")
    if name is not None and name not in known:
        stop(f"{path} has no connection {name!r}; there are: {names}")
    chosen = known[name] if name is not None else settings.connections[0]
    if chosen.remote_address is None:
        stop(f"connection {chosen.name} has no remote_address, so it can only respond: write one, or use ikeref serve")
    if isinstance(chosen.remote_auth, EapServer):
        stop(
            f"connection {chosen.name} has its peers prove themselves by EAP, so it can only respond: use ikeref serve"
        )
    return chosen


def _orders(do: list[str] | None) -> tuple[Order, ...]:
    try:
        return tuple(orders.parse(each) for each in do or ())
    except OrderError as error:
        stop(f"--do: {error}")


def _run(plan: Plan, keylog: Path | None, pcap: Path | None, json: bool, quiet: bool) -> None:
    observers: list[Observer] = []
    close: list[Callable[[], None]] = []
    if keylog is not None:
        with writing(keylog):
            observers.append(KeyLog(keylog))
    if pcap is not None:
        with writing(pcap):
            capture = Capture(pcap)
            observers.append(capture)
            close.append(capture.close)
    teller = Teller(Console(highlight=False), as_json=json, messages=not quiet)
    try:
        code = asyncio.run(_program(plan, teller, observers))
    except (Unbound, TunnelError) as error:
        stop(str(error))
    except LocalProtocolError as error:
        stop(f"{error.reason}; correct the configuration")
    except KeyboardInterrupt:
        code = 0  # before there was anything to delete
    finally:
        for each in close:
            each()
    if code:
        raise typer.Exit(code)


async def _program(plan: Plan, teller: Teller, observers: list[Observer]) -> int:
    return await Program(plan, teller, observers).run()
