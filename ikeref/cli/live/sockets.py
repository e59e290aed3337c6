"""Opening the sockets that connections need, with errors that say what to do (Sections 2.11 and 2.23)."""

import errno
from collections.abc import Callable
from dataclasses import replace

from ikeref.errors import LocalProtocolError
from ikeref.net.transport import Bind, Node, binds_for, source_address
from ikeref.policy.connections import Connection

PRIVILEGED = 1024


class Unbound(Exception):
    """A socket can't be had; the text says which, why and what to do."""


async def open_sockets(
    node: Node, connections: tuple[Connection, ...], say: Callable[[str], None]
) -> tuple[Connection, ...]:
    """Bind all that is needed; the connections with the addresses and ports that they really have. Raises Unbound."""
    try:
        binds = binds_for(connections)
    except LocalProtocolError as error:
        raise Unbound(f"{error.reason}: write local_address in [connections.NAME]") from None
    except OSError as error:
        raise Unbound(f"there is no route to the peer ({error.strerror}): write local_address") from None
    ports: dict[Bind, int] = {}
    for bind in binds:
        ports[bind] = await _bind(node, bind)
        marker = ", with non-ESP marker" if bind.encapsulated else ""
        say(f"listening on {bind.host} port {ports[bind]}{marker}")
    return tuple(_real(connection, ports) for connection in connections)


async def _bind(node: Node, bind: Bind) -> int:
    try:
        return (await node.bind(bind))[1]
    except OSError as error:
        raise Unbound(_why(bind, error)) from None
    except ValueError as error:
        raise Unbound(str(error)) from None


def _why(bind: Bind, error: OSError) -> str:
    key = "local_nat_port" if bind.encapsulated else "local_port"
    match error.errno:
        case errno.EACCES | errno.EPERM if bind.port < PRIVILEGED:
            return (
                f"port {bind.port} needs root, or the capability CAP_NET_BIND_SERVICE: run it so, "
                f"or write another {key} in the configuration"
            )
        case errno.EADDRINUSE:
            return (
                f"port {bind.port} of {bind.host} is in use, perhaps by another IKE daemon: stop that, "
                f"or write another {key} in the configuration"
            )
        case errno.EADDRNOTAVAIL:
            return f"{bind.host} is no address of this machine: correct local_address in the configuration"
        case _:
            return f"can't listen on {bind.host} port {bind.port}: {error.strerror or error}"


def _real(connection: Connection, ports: dict[Bind, int]) -> Connection:
    host = connection.local_address or source_address(connection.remote_address or "")
    return replace(
        connection,
        local_address=host,
        local_port=ports[Bind(host, connection.local_port, False)],
        local_nat_port=ports[Bind(host, connection.local_nat_port, True)],
    )
