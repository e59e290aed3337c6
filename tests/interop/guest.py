"""A small virtual machine for the daemons that need ESP in the kernel: one boot for all tests of a run.

qemu emulates the processor, so no virtualization is asked of the machine. The disk comes from a root in the cache and
is never written to. Inside, `guest_agent.py` runs what it is asked to over a virtio port.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.interop import lab

SUITE = "trixie"
PACKAGES = (
    *("libreswan", "openiked", "libnss3-tools", "openssl"),
    *("linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "kmod"),
    *("iproute2", "procps", "python3-minimal"),
)
ARCHITECTURES = ("x86_64",)
QEMU = "qemu-system-x86_64"

TAP = "guest0"
"""The host's end of the guest's Ethernet, in its namespace at home."""

SCRATCH = "/run/lab"
"""A folder inside the guest for files of ours, in its memory."""

_AGENT = Path(__file__).parent / "guest_agent.py"
_INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/pluto /run/lock /run/lab
for module in virtio_net virtio_console virtio_rng esp4 esp6 ah4 ah6 af_key xfrm_user; do modprobe $module; done
ip link set lo up
exec python3 /lab-agent
"""
_MEBIBYTES = 900
"""Of the disk: what the root takes, and room for logs."""


def why_not() -> str:
    """Why there can be no guest on this machine, or an empty string."""
    missing = [tool for tool in (QEMU, "mke2fs") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)} (Debian packages qemu-system-x86, e2fsprogs)"
    if os.uname().machine not in ARCHITECTURES:
        return f"needs a machine of {', '.join(ARCHITECTURES)}: its Debian packages run in the guest"
    if not Path("/dev/net/tun").exists():
        return "needs /dev/net/tun"
    return ""


def build_disk(cache: Path) -> tuple[Path, Path]:
    """The root with the guest's kernel in it and its disk, from the cache or built now."""
    root = lab.build_root(cache, SUITE, PACKAGES)
    files = {"lab-init": _INIT, "lab-agent": _AGENT.read_text()}
    key = hashlib.sha256(repr((root.name, files)).encode()).hexdigest()[:16]
    disk = cache / f"guest-{key}.img"
    with (cache / f"guest-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not disk.exists():
            for name, text in files.items():
                (root / name).write_text(text)
                (root / name).chmod(0o755)
            unfinished = disk.with_suffix(".unfinished")
            unfinished.unlink(missing_ok=True)
            with unfinished.open("wb") as made:
                made.truncate(_MEBIBYTES << 20)
            lab.run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(root), str(unfinished), timeout=300)
            unfinished.rename(disk)
    return root, disk


class Guest:
    """A running guest. Its Ethernet is the interface TAP of a namespace of its own; a link borrows it (lab.Link)."""

    def __init__(self, root: Path, disk: Path) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="ikeref-guest-"))
        self.home = f"{lab.PREFIX}{os.getpid()}-guest"
        lab.run("ip", "netns", "add", self.home)
        lab.run("ip", "netns", "exec", self.home, "ip", "tuntap", "add", TAP, "mode", "tap")
        (kernel,), (initrd,) = root.glob("boot/vmlinuz-*"), root.glob("boot/initrd.img-*")
        with (self.scratch / "console.log").open("wb") as console:
            self._process = subprocess.Popen(
                [
                    *("ip", "netns", "exec", self.home, "setpriv", "--pdeathsig", "KILL", QEMU),
                    *("-accel", "tcg,thread=multi", "-m", "512", "-smp", "1", "-nodefaults", "-no-reboot"),
                    *("-display", "none", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initrd)),
                    *("-append", "console=ttyS0 root=/dev/vda rw init=/lab-init net.ifnames=0 panic=-1 quiet"),
                    *("-drive", f"file={disk},if=virtio,format=raw,snapshot=on", "-device", "virtio-rng-pci"),
                    *("-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no"),
                    *("-device", "virtio-net-pci,netdev=net,romfile=,csum=off,guest_csum=off,gso=off"),
                    *("-chardev", f"socket,id=agent,path={self.scratch}/agent,server=on,wait=off"),
                    *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        self._agent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            lab.eventually("qemu listens", self._connected, timeout=20)
            self._agent.settimeout(120)
            self._answers = self._agent.makefile("rb")
            assert json.loads(self._answers.readline()) == "ready"
        except BaseException:
            console_text = (self.scratch / "console.log").read_text(errors="replace")
            self.close()
            raise lab.LabError(f"the guest did not start:\n{console_text}") from None

    def _connected(self) -> bool:
        if self._process.poll() is not None:
            raise lab.LabError("qemu ended")
        try:
            self._agent.connect(str(self.scratch / "agent"))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Switch it off."""
        if hasattr(self, "_answers"):
            self._answers.close()
        self._agent.close()
        self._process.kill()
        self._process.wait()
        subprocess.run(["ip", "netns", "del", self.home], capture_output=True, check=False)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def run(self, command: str, *, check: bool = True, timeout: float = 60) -> str:
        """Run a shell command inside and return what it printed; LabError when it fails and `check`."""
        status, output = self._ask({"run": command, "timeout": timeout}, timeout + 10)
        if check and status != 0:
            raise lab.LabError(f"in the guest: {command}: exit {status}\n{output}")
        return output

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        """Write a file inside, and the folders above it."""
        octets = text.encode() if isinstance(text, str) else text
        self._ask({"write": path, "octets": octets.hex(), "mode": mode}, 30)

    def read(self, path: str) -> str:
        """A file's text; empty where there is none."""
        return self.run(f"cat {path} 2>/dev/null", check=False)

    def _ask(self, question: dict[str, Any], timeout: float) -> tuple[int, str]:
        self._agent.settimeout(timeout)
        self._agent.sendall(json.dumps(question).encode() + b"\n")
        answer = self._answers.readline()
        if not answer:
            raise lab.LabError("the guest's agent is gone")
        status, output = json.loads(answer)
        return status, output

    # Its network

    def address(self, addresses: Sequence[str], gateway: str = "") -> None:
        """Give its interface these addresses (with their prefix lengths), and no others."""
        lines = ["ip address flush dev eth0", "ip neigh flush all", "ip link set eth0 up"]
        lines += [f"ip address add {each} dev eth0{' nodad' if ':' in each else ''}" for each in addresses]
        if gateway:
            lines.append(f"ip route add default via {gateway}")
        self.run(" && ".join(lines))
