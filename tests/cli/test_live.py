"""`ikeref serve` and `ikeref connect`, as processes that talk over loopback UDP."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ikeref.cli.live.orders import WORDS, OrderError, parse
from ikeref.cli.main import app

ROOT = Path(__file__).parents[2]
MAIN = "from ikeref.cli.main import main; main()"
PATIENCE_SECONDS = 30.0

CHILDREN = """
[connections.{peer}.children.net]
local_ts = "{net}.0.0/16"
remote_ts = "{peer_net}.0.0/16"
[connections.{peer}.children.web]
local_ts = "{net}.1.1[tcp/443]"
remote_ts = "{peer_net}.1.1[tcp]"
start = false
"""


def server_config(folder: Path, *, psk: str = "one secret", extra: str = "") -> Path:
    file = folder / "server.toml"
    head = f"""
[connections.alice]
local_address = "127.0.0.1"
local_port = 0
local_nat_port = 0
local_id = "bob.example"
remote_id = "alice.example"
psk = "{psk}"
{extra}
"""
    file.write_text(head + CHILDREN.format(peer="alice", net="10.2", peer_net="10.1"))
    return file


def client_config(folder: Path, port: int, *, psk: str = "one secret", extra: str = "", settings: str = "") -> Path:
    file = folder / "client.toml"
    head = f"""
[settings]
retransmit_initial_seconds = 0.2
retransmit_tries = 2
{settings}
[connections.bob]
local_address = "127.0.0.1"
local_port = 0
local_nat_port = 0
remote_address = "127.0.0.1"
remote_port = {port}
local_id = "alice.example"
remote_id = "bob.example"
psk = "{psk}"
{extra}
"""
    file.write_text(head + CHILDREN.format(peer="bob", net="10.1", peer_net="10.2"))
    return file


class Running:
    """A command that runs; its output line by line."""

    def __init__(self, *arguments: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in (".", "model", "properties")),
            "COLUMNS": "200",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def until(self, pattern: str) -> re.Match[str]:
        """The next line that has the pattern."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (line := self._queue.get(timeout=max(0.01, end - time.monotonic()))) is not None:
            self.lines.append(line)
            if (match := re.search(pattern, line)) is not None:
                return match
        raise AssertionError(f"{pattern!r} never came:\n" + "\n".join(self.lines))

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(PATIENCE_SECONDS)
        while (line := self._queue.get(timeout=PATIENCE_SECONDS)) is not None:
            self.lines.append(line)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return code

    @property
    def output(self) -> str:
        return "\n".join(self.lines)


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts commands, and ends those that still run."""
    started: list[Running] = []

    def begin(*arguments: str) -> Running:
        started.append(Running(*arguments))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.end()


def serving(start: Start, config: Path, *options: str) -> tuple[Running, int]:
    """A server and its port."""
    server = start("serve", str(config), *options)
    port = int(server.until(r"listening on 127\.0\.0\.1 port (\d+)")[1])
    server.until("non-ESP marker")
    return server, port


def test_orders_given_beforehand_are_carried_out_one_after_the_other(start: Start, tmp_path: Path) -> None:
    server, port = serving(start, server_config(tmp_path), "--once", "--keylog", str(tmp_path / "keys"))
    orders = ["create web", "rekey-child net", "rekey-ike", "liveness", "status", "delete-child web", "delete-ike"]
    client = start("connect", str(client_config(tmp_path, port)), *(part for each in orders for part in ("--do", each)))
    assert client.end() == 0, client.output
    assert server.end() == 0, server.output
    for phrase in (
        "established with bob.example",
        "CREATE_CHILD_SA request 2  HDR, SK {SA, Ni, TSi, TSr}",
        "HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}",
        "HDR, SK {SA, Ni, KEi}",
        "10.1.1.1[tcp/443] === 10.2.1.1[tcp",
        "closed: deleted by this end",
    ):
        assert phrase in client.output
    assert server.output.count("installs ESP inbound") == 3
    assert server.output.count("removes ESP inbound") == 3
    assert len((tmp_path / "keys" / "ikev2_decryption_table").read_text().splitlines()) == 2


def test_orders_are_typed_at_either_end(start: Start, tmp_path: Path) -> None:
    server, port = serving(start, server_config(tmp_path))
    client = start("connect", str(client_config(tmp_path, port)))
    client.until("installs ESP outbound")
    server.type("rekey-ike")
    client.until("succeeds")
    client.type("rekey-child")
    server.until("removes ESP inbound")
    client.type("nonsense")
    client.until("no order; there are: status")
    client.type("rekey-chld")
    client.until("did you mean rekey-child")
    client.type("create nobody")
    client.until("nobody")
    client.type("quit")
    server.until("closed: deleted by the peer")
    assert client.end() == 0
    server.type("status")
    server.until("no IKE SA")
    server.type("quit")
    assert server.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_deletes_the_ike_sa(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    server, port = serving(start, server_config(tmp_path), "--once")
    client = start("connect", str(client_config(tmp_path, port)))
    client.until("installs ESP outbound")
    client.process.send_signal(number)
    assert client.end() == 0
    assert "closed: deleted by this end" in client.output
    assert server.end() == 0
    assert "closed: deleted by the peer" in server.output


def test_no_delete_leaves_the_peer_alone(start: Start, tmp_path: Path) -> None:
    server, port = serving(start, server_config(tmp_path))
    client = start("connect", str(client_config(tmp_path, port)), "--no-delete", "--do", "quit")
    assert client.end() == 0
    assert "SK {D}" not in client.output
    server.process.send_signal(signal.SIGINT)
    server.until("INFORMATIONAL request 0")
    server.process.send_signal(signal.SIGINT)
    assert server.end() == 0
    assert "Traceback" not in server.output


def test_events_as_json(start: Start, tmp_path: Path) -> None:
    server, port = serving(start, server_config(tmp_path), "--once")
    client = start("connect", str(client_config(tmp_path, port)), "--json", "--do", "status", "--do", "quit")
    assert client.end() == 0
    events = [json.loads(line) for line in client.lines]
    kinds = [each["event"] for each in events]
    assert kinds[:4] == ["note", "note", "sent", "received"]
    assert {"established", "installed", "status", "closed", "removed"} <= set(kinds)
    status = next(each for each in events if each["event"] == "status")
    assert status["ike_sas"][0]["peer"] == "bob.example"
    assert status["ike_sas"][0]["children"][0]["selectors"] == "10.1.0.0/16 === 10.2.0.0/16"
    assert server.end() == 0


def test_a_wrong_secret_is_told(start: Start, tmp_path: Path) -> None:
    _, port = serving(start, server_config(tmp_path, psk="another secret"))
    client = start("connect", str(client_config(tmp_path, port)))
    assert client.end() == 1
    assert "no IKE SA with 127.0.0.1" in client.output
    assert "AUTHENTICATION_FAILED" in client.output
    assert "secret" not in client.output


def test_a_peer_that_wants_other_transforms_is_told(start: Start, tmp_path: Path) -> None:
    _, port = serving(start, server_config(tmp_path, extra='ike_proposals = "aes128-sha256-modp2048"'))
    client = start(
        "connect", str(client_config(tmp_path, port, extra='ike_proposals = "aes256gcm16-prfsha384-ecp384"'))
    )
    assert client.end() == 1
    assert "NO_PROPOSAL_CHOSEN" in client.output


def test_a_peer_that_is_silent_is_told(start: Start, tmp_path: Path) -> None:
    client = start("connect", str(client_config(tmp_path, 9)))
    assert client.end() == 1
    assert "does not answer" in client.output


def test_an_order_that_fails_ends_with_exit_code_1(start: Start, tmp_path: Path) -> None:
    _, port = serving(start, server_config(tmp_path))
    config = client_config(tmp_path, port)
    config.write_text(config.read_text() + '[connections.bob.children.far]\nlocal_ts = "9.9.9.9"\nstart = false\n')
    client = start("connect", str(config), "--do", "create far", "--do", "quit")
    assert client.end() == 1
    assert "TS_UNACCEPTABLE" in client.output


# What goes wrong before anything begins


def ikeref(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [*arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["serve", "connect"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[connections", "this is no TOML"),
        ("[connections.x]\npks = 'x'", "connections.x"),
        ("", "no connection is configured"),
    ],
)
def test_a_bad_configuration_is_told(command: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(text)
    code, output = ikeref(command, str(tmp_path / "bad.toml"))
    assert code == 2
    assert says in output
    assert "bad.toml" in output


def test_a_missing_configuration_is_told() -> None:
    code, output = ikeref("serve", "nowhere.toml")
    assert code == 2
    assert "can't read nowhere.toml: no such file" in output


def test_a_connection_that_can_only_respond_is_told(tmp_path: Path) -> None:
    code, output = ikeref("connect", str(server_config(tmp_path)))
    assert code == 2
    assert "no remote_address" in output


def test_an_unknown_connection_is_told(tmp_path: Path) -> None:
    code, output = ikeref("connect", str(client_config(tmp_path, 9)), "carol")
    assert code == 2
    assert "there are: bob" in output


def test_an_address_that_is_not_ours_is_told(tmp_path: Path) -> None:
    config = server_config(tmp_path)
    config.write_text(config.read_text().replace('local_address = "127.0.0.1"', 'local_address = "192.0.2.77"'))
    code, output = ikeref("serve", str(config))
    assert code == 2
    assert "192.0.2.77 is no address of this machine" in output


def test_a_port_in_use_is_told(start: Start, tmp_path: Path) -> None:
    _, port = serving(start, server_config(tmp_path))
    config = server_config(tmp_path)
    config.write_text(config.read_text().replace("local_port = 0", f"local_port = {port}", 1))
    code, output = ikeref("serve", str(config))
    assert code == 2
    assert f"port {port} of 127.0.0.1 is in use" in output


def test_a_privileged_port_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_node: object, _bind: object) -> tuple[str, int]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ikeref.net.transport.Node.bind", refuse)
    config = server_config(tmp_path)
    config.write_text(config.read_text().replace("local_port = 0", "local_port = 500", 1))
    code, output = ikeref("serve", str(config))
    assert code == 2
    assert "port 500 needs root" in output


def test_transforms_that_are_not_supported_are_told(tmp_path: Path) -> None:
    code, output = ikeref("serve", str(server_config(tmp_path, extra='ike_proposals = "3des-sha1-modp1024"')))
    assert code == 2
    assert "3des" in output
    assert "not wholly supported; correct the configuration" in output


def test_a_wrong_order_is_told_before_anything_begins(tmp_path: Path) -> None:
    code, output = ikeref("connect", str(client_config(tmp_path, 9)), "--do", "rekey-everything")
    assert code == 2
    assert "no order" in output


@pytest.mark.parametrize(
    ("text", "says"),
    [("create", "needs NAME"), ("rekey-ike now", "takes nothing"), ("wait long", "number"), ("", "no order")],
)
def test_orders_that_make_no_sense(text: str, says: str) -> None:
    with pytest.raises(OrderError, match=says):
        parse(text)


def test_every_order_has_a_meaning_and_can_be_parsed() -> None:
    for word in WORDS:
        order = parse(f"3: {word.word} {'1' if word.argument else ''}")
        assert (order.word, order.session) == (word.word, 3)
        assert word.meaning
