"""Fixtures of the laboratory: the root once a run, the link and the daemons once a module or a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import lab, strongswan
from tests.interop.guest import Guest, build_disk
from tests.interop.guest import why_not as why_no_guest
from tests.interop.pki import Pki, make_pki
from tests.interop.scene import OURS, THEIRS
from tests.interop.started import EVERYTHING, GuestStart, Start, guest_starter, starter


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is only run with IKEREF_INTEROP_ALL."""
    if EVERYTHING:
        return
    left_out = [item for item in items if item.get_closest_marker("whole")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def laboratory() -> Path:
    """The cache of roots; skip, and say why, where the laboratory cannot run."""
    if reason := lab.why_not():
        if os.environ.get("IKEREF_INTEROP") == "required":
            pytest.fail(f"IKEREF_INTEROP=required, but it {reason}")
        pytest.skip(f"interop: {reason}")
    lab.remove_leftovers()
    return lab.cache_folder()


@pytest.fixture(scope="session")
def strongswan_root(laboratory: Path) -> Path:
    """A root with strongSwan in it, from the cache or built now."""
    return lab.build_root(laboratory, strongswan.SUITE, strongswan.PACKAGES)


@pytest.fixture(scope="session")
def pki() -> Pki:
    return make_pki(OURS, THEIRS)


@pytest.fixture(scope="session")
def rsa_pki() -> Pki:
    """RSA keys of 2048 bits."""
    return make_pki(OURS, THEIRS, kind="rsa")


@pytest.fixture(scope="session")
def ed25519_pki() -> Pki:
    return make_pki(OURS, THEIRS, kind="ed25519")


@pytest.fixture(scope="session")
def long_pki() -> Pki:
    """A chain of three certificates with RSA keys of 4096 bits."""
    return make_pki(OURS, THEIRS, kind="rsa", rsa_bits=4096, chain=True)


@pytest.fixture
def pki_of(request: pytest.FixtureRequest) -> Callable[[str], Pki]:
    """The certificates for a kind of authentication."""
    return lambda auth: request.getfixturevalue("rsa_pki" if auth == "rsa" else "pki")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test makes, it hands to this; the last made is closed first, also after a failure."""
    with ExitStack() as made:
        yield made


@pytest.fixture
def start(strongswan_root: Path, pki: Pki, stack: ExitStack) -> Start:
    """Starts ikeref and strongSwan with a bridge between them, see `starter`."""
    return starter(strongswan_root, pki, stack)


@pytest.fixture(scope="session")
def guest(laboratory: Path) -> Iterator[Guest]:
    """The virtual machine with libreswan and OpenIKED in it: one boot for all tests."""
    if reason := why_no_guest():
        if os.environ.get("IKEREF_INTEROP") == "required":
            pytest.fail(f"IKEREF_INTEROP=required, but it {reason}")
        pytest.skip(f"interop: {reason}")
    running = Guest(*build_disk(laboratory))
    yield running
    running.close()


@pytest.fixture
def start_guest(guest: Guest, pki: Pki, stack: ExitStack) -> GuestStart:
    """Starts ikeref and a daemon of the guest with a bridge between them, see `guest_starter`."""
    return guest_starter(guest, pki, stack)
