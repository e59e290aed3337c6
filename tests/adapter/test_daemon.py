"""A daemon on loopback, tested over UDP: another process, with its own clock."""

import socket
import sys
from pathlib import Path

import pytest
from ikeref_properties.adapter import report
from ikeref_properties.adapter.campaign import Setup, Start, walk
from ikeref_properties.adapter.implementation import Address, Command
from ikeref_properties.adapter.udp import Udp
from ikeref_properties.machines.schedule import Weights

DAEMON = Path(__file__).with_name("daemon.py")


def free_address() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return "127.0.0.1", one.getsockname()[1]


OWN, THEIRS, CONTROL = (free_address() for _ in range(3))
START = (sys.executable, str(DAEMON), *(str(port) for _, port in (THEIRS, OWN, CONTROL)))


def control(command: Command) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(f"{command.ask} {command.spi.hex()}".encode(), CONTROL)


def test_a_daemon_conforms() -> None:
    weights = Weights(acts=15, losses=1, kinds=("create", "rekey child", "rekey IKE", "delete child", "liveness"))
    starts = (Start.QUIET, Start.QUIET, Start.ROUGH)
    setup = Setup(addresses=(OWN, THEIRS), starts=starts, weights=weights, probes=1)
    result = walk(lambda _: Udp(OWN, THEIRS, START, control, patience=0.5), setup, count=4)
    assert not result.failures, report.text(result.failures[0])
    assert result.established >= 3
    assert len(result.rows) > 10


def test_a_daemon_that_is_not_there_is_told() -> None:
    setup = Setup(addresses=(OWN, THEIRS), begins=("A",))
    result = walk(lambda _: Udp(OWN, THEIRS), setup, count=1)
    assert "ConnectionRefusedError" in str(result.failures[0].error)


def test_a_daemon_that_does_not_start_is_told() -> None:
    with pytest.raises(ConnectionRefusedError):
        Udp(OWN, THEIRS, (sys.executable, "-c", ""), ready=0.2)
