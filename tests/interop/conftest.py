"""Fixtures of the laboratory: the root once a run, the link and the daemons once a module or a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import lab, strongswan
from tests.interop.pki import Pki, make_pki
from tests.interop.scene import OURS, THEIRS
from tests.interop.started import Start, starter


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


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test makes, it hands to this; the last made is closed first, also after a failure."""
    with ExitStack() as made:
        yield made


@pytest.fixture
def start(strongswan_root: Path, pki: Pki, stack: ExitStack) -> Start:
    """Starts ikeref and strongSwan with a bridge between them, see `starter`."""
    return starter(strongswan_root, pki, stack)
