"""Runs inside the guest, after its init: answers questions that come over the virtio port `agent`, a line of JSON each.

`{"run": command, "timeout": seconds}` is answered by exit status and output,
`{"write": path, "octets": hex, "mode": mode}` by 0 and "".
"""

from __future__ import annotations

import glob
import io
import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any


def port() -> str:
    """The device of the port."""
    for name in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(name) as file:
            if file.read().strip() == "agent":
                return "/dev/" + name.split("/")[-2]
    raise SystemExit("no virtio port `agent`")


def questions(link: io.RawIOBase) -> Iterator[dict[str, Any]]:
    rest = b""
    while True:
        more = link.read(65536)
        if not more:  # nobody has connected yet
            time.sleep(0.05)
            continue
        *lines, rest = (rest + more).split(b"\n")
        yield from map(json.loads, lines)


def answer(question: dict[str, Any]) -> tuple[int, str]:
    if "write" in question:
        path = question["write"]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(bytes.fromhex(question["octets"]))
        os.chmod(path, question["mode"])
        return 0, ""
    # Not a pipe, which what stays in the background would keep open.
    with open(os.memfd_create("answer"), "w+b") as output:
        command = ["timeout", str(question["timeout"]), "bash", "-c", question["run"]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
        output.seek(0)
        return done.returncode, output.read().decode(errors="replace")


def send(link: io.RawIOBase, value: object) -> None:
    octets = json.dumps(value).encode() + b"\n"
    while octets:
        octets = octets[link.write(octets) :]


def main() -> None:
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    with open(port(), "r+b", buffering=0) as link:
        send(link, "ready")
        for question in questions(link):
            send(link, answer(question))


if __name__ == "__main__":
    main()
