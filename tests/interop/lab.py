"""The laboratory: a root with a daemon in it, network namespaces, processes that end.

Everything that is made here is taken away by the `close` of what made it. Namespaces bear the process id of the tests
that made them; those of tests that died are removed by the next tests. A root is built once and kept in a cache.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PREFIX = "ikeref-"
CLONE_NEWNET = 0x40000000


class LabError(Exception):
    """The laboratory could not do what was asked; the text says what was run and what it said."""


def why_not() -> str:
    """Why the laboratory cannot run on this machine, or an empty string when it can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces and a chroot"
    missing = [
        tool
        for tool in ("mmdebstrap", "ip", "unshare", "nsenter", "setpriv", "chroot", "nft")
        if shutil.which(tool) is None
    ]
    if missing:
        return f"needs {', '.join(missing)} (Debian packages mmdebstrap, iproute2, nftables)"
    name = f"{PREFIX}{os.getpid()}-probe"
    probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        return f"needs network namespaces: {probe.stderr.strip()}"
    run("ip", "netns", "del", name)
    return ""


def run(*command: str, timeout: float = 60) -> str:
    """Run a command and return what it printed; LabError when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def eventually(what: str, probe: Callable[[], T | None], timeout: float = 10, every: float = 0.02) -> T:
    """Ask until the answer is something, at most `timeout` seconds long."""
    end = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > end:
            raise LabError(f"not within {timeout:g} s: {what}")
        time.sleep(every)


# Roots


def cache_folder() -> Path:
    """Where roots are kept: $IKEREF_LAB_CACHE, else ikeref/lab in the user's cache folder."""
    if chosen := os.environ.get("IKEREF_LAB_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ikeref" / "lab"


def build_root(cache: Path, suite: str, packages: Sequence[str], options: Sequence[str] = ()) -> Path:
    """A Debian root with these packages, built by mmdebstrap unless `cache` has it already."""
    key = hashlib.sha256("\n".join((suite, *sorted(packages), *options)).encode()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    root = cache / f"{suite}-{key}"
    with (cache / f"{suite}-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            unfinished = cache / f"{suite}-{key}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            included = ",".join(packages)
            run("mmdebstrap", "--variant=apt", f"--include={included}", *options, suite, str(unfinished), timeout=600)
            tun = unfinished / "dev" / "net" / "tun"
            tun.parent.mkdir(parents=True, exist_ok=True)
            if not tun.exists():
                run("mknod", str(tun), "c", "10", "200")
            (unfinished / "lab").mkdir()
            unfinished.rename(root)
    return root


# Network namespaces


def remove_namespace(name: str) -> None:
    """Remove it if it is there."""
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def remove_leftovers() -> None:
    """Remove the namespaces of test runs whose process is gone."""
    for name in run("ip", "netns", "list").split():
        left = re.fullmatch(re.escape(PREFIX) + r"(\d+)-.*", name)
        if left and not Path(f"/proc/{left[1]}").exists():
            remove_namespace(name)


def enter_namespace(name: str) -> None:
    """Move the calling thread, and what it starts from now on, into a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if libc.setns(handle, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns to {name}")
    finally:
        os.close(handle)


def in_namespace(name: str, work: Callable[[], T]) -> T:
    """Do something in a network namespace, in a thread of its own: sockets made there stay of that namespace."""
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            enter_namespace(name)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


# Processes


class Daemon:
    """A process in a chroot and in a network namespace, with mounts of its own: `scratch` is its /lab.

    It ends with the tests, even if they are killed.
    """

    def __init__(self, root: Path, namespace: str, scratch: Path, command: str) -> None:
        script = (
            'mount --make-rprivate / && mount -t proc proc "$0/proc" && mount -t tmpfs run "$0/run"'
            ' && mount -t tmpfs tmp "$0/tmp" && mount --bind "$1" "$0/lab" && exec chroot "$0" '
        )
        self.output = scratch / "output.log"
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *("ip", "netns", "exec", namespace, "unshare", "--mount"),
                    *("setpriv", "--pdeathsig", "TERM"),
                    *("sh", "-c", script + command, str(root), str(scratch)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The process id: every step above replaces itself by the next, so it is the daemon's own."""
        return self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def inside(self, *command: str, timeout: float = 30) -> str:
        """Run a command where the daemon lives."""
        entry = ("nsenter", "--target", str(self.pid), "--mount", "--net", "--root", "--wd")
        return run(*entry, *command, timeout=timeout)

    def close(self, patience: float = 5) -> None:
        """End the process; after `patience` seconds without mercy."""
        if not self.running():
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(patience)
