"""A fault, and how it is put into the code: a few words of the source of a function in the place of others.

The function is compiled anew with the change, and the code of the function that runs is exchanged: whoever imported it
has the fault at once, and all is as before when `seeded` is left. Nothing on the disk changes.
"""

import ast
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any, NamedTuple, cast


class Edit(NamedTuple):
    """One replacement in the source of one function."""

    module: str
    old: str
    """Stands once in the source of the module, within a function."""
    new: str


class Mutant(NamedTuple):
    """A fault."""

    name: str
    section: str
    edits: tuple[Edit, ...]
    origin: str = ""
    """Where it is known from: a CVE, or the requirement that is so often violated; empty: a rule turned around."""

    @property
    def id(self) -> str:
        """The name, as a word."""
        return self.name.replace(" ", "_").replace("'", "")


def edit(module: str, old: str, new: str) -> Edit:
    """A replacement in `ikeref.<module>`."""
    return Edit(f"ikeref.{module}", old, new)


def mutant(name: str, section: str, *edits: Edit, origin: str = "") -> Mutant:
    """A fault of one replacement, or of several that make sense together only."""
    return Mutant(name, section, edits, origin)


@contextmanager
def seeded(fault: Mutant | None) -> Iterator[None]:
    """The code has the fault meanwhile; none for None. Raises ValueError where an edit does not fit the source."""
    by_module: dict[str, list[Edit]] = {}
    for each in fault.edits if fault is not None else ():
        by_module.setdefault(each.module, []).append(each)
    changes = [change for module, edits in by_module.items() for change in _changes(module, tuple(edits))]
    before = [(function, function.__code__) for function, _ in changes]
    for function, code in changes:
        function.__code__ = code
    try:
        yield
    finally:
        for function, code in before:
            function.__code__ = code


@cache
def _changes(name: str, edits: tuple[Edit, ...]) -> list[tuple[FunctionType, CodeType]]:
    """The functions of a module that change, and the code that they get."""
    module = import_module(name)
    source = inspect.getsource(module)
    changed = source
    names = set()
    for each in edits:
        if changed.count(each.old) != 1:
            raise ValueError(f"{each.old!r} stands {changed.count(each.old)} times in {name}")
        names.add(_function_at(source, source.count("\n", 0, source.index(each.old)) + 1, each))
        changed = changed.replace(each.old, each.new)
    codes = dict(_codes(compile(changed, f"{module.__file__} (with a fault)", "exec")))
    return [(_find(module, function), codes[function]) for function in sorted(names)]


def source_of(each: Edit) -> str:
    """The source of the function that an edit changes, as it is; "" where the edit does not fit."""
    source = inspect.getsource(import_module(each.module))
    if source.count(each.old) != 1:
        return ""
    node = _node_at(source, source.count("\n", 0, source.index(each.old)) + 1, each)[1]
    return ast.get_source_segment(source, node) or ""


@cache
def place_of(each: Edit) -> str:
    """The function that an edit changes, as `ikeref/sa/step.py::step`; "" where the edit does not fit."""
    source = inspect.getsource(import_module(each.module))
    if source.count(each.old) != 1:
        return ""
    name = _function_at(source, source.count("\n", 0, source.index(each.old)) + 1, each)
    return f"{each.module.replace('.', '/')}.py::{name}"


def _function_at(source: str, line: int, each: Edit) -> str:
    """The qualified name of the function in which a line is."""
    return _node_at(source, line, each)[0]


def _node_at(source: str, line: int, each: Edit) -> tuple[str, ast.FunctionDef]:
    last = line + each.old.rstrip("\n").count("\n")
    for name, node in _parsed(source):
        if node.lineno <= line and last <= (node.end_lineno or 0):
            return name, node
    raise ValueError(f"{each.old!r} does not stand within a function of {each.module}")


@cache
def _parsed(source: str) -> tuple[tuple[str, ast.FunctionDef], ...]:
    return tuple(_functions(ast.parse(source), ""))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions of a module, and methods of its classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{child.name}.")


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)


def _find(module: Any, name: str) -> FunctionType:
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    if isinstance(found, property):
        found = cast("Any", found).fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = inspect.unwrap(found)
    assert isinstance(found, FunctionType), name
    return found
