"""The kernels as they are shipped, and altered copies of them.

What is judged is the imported module itself. Two reasons to run its source once more, in a namespace of its own: a
seeded fault, and a name that proxies need (`int.from_bytes` is closed to them; a contract in the place of a function
that was judged already).
"""

import importlib
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

Names = Mapping[str, Any]


def load(module: str, *, old: str = "", new: str = "", names: Names | None = None) -> Any:
    """The imported module itself; a copy with `old` replaced by `new` in its source, if `old` is given; a copy with
    `names` put over its own, if they are given.

    ValueError if `old` does not stand in the source exactly once.
    """
    shipped = importlib.import_module(module)
    if not old and names is None:
        return shipped
    source = inspect.getsource(shipped)
    if old:
        if source.count(old) != 1:
            raise ValueError(f"{old!r} stands {source.count(old)} times in {module}")
        source = source.replace(old, new)
    copy = ModuleType(module)
    exec(compile(source, f"{shipped.__file__} (copy)", "exec"), vars(copy))
    vars(copy).update(names or {})
    return copy
