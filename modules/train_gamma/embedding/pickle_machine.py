"""Read a pickle as data: no import, no call, no attribute of any object is ever touched.

A pickle is a program for a small stack machine, and the usual danger is that its GLOBAL and REDUCE instructions import
and call whatever the file names. This machine has no such instructions: a global becomes a ``Global`` record, a call
becomes a ``Call`` record, and only afterwards are the few records that an embedding needs looked at. Python's own
``pickletools`` (standard library) splits the bytes into instructions.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """A name that the pickle wanted imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Call:
    """A call that the pickle wanted made, and the state it wanted set on the result."""

    function: Global
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A persistent id: torch's way to point at the numbers of a tensor stored outside the pickle."""

    id: Any


class _DamageError(Exception):
    """The instructions do not fit together."""


_MARK = object()
_DAMAGE = (_DamageError, ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError, UnicodeError)
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_STRINGS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_LITERALS = frozenset([*_NUMBERS, *_STRINGS, *_BYTES])
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": list,
    "MARK": lambda: _MARK,
}


def read_pickle(file: BinaryIO, allowed: frozenset[str]) -> Any:
    """The value that the next pickle in ``file`` describes; the file is left behind its STOP instruction.

    Dictionaries, lists, tuples, text and numbers come out as such, sets as lists, everything else as ``Global``,
    ``Call`` and ``Reference`` records.

    Args:
        file: positioned at the first instruction.
        allowed: ``module.name`` of every global that may be mentioned.

    Raises:
        UserError: if another global is mentioned, or the pickle is damaged.
    """
    machine = _Machine(allowed)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
        raise _DamageError("it has no end")
    except _DAMAGE as error:
        raise UserError(
            f"The file is damaged: its pickle cannot be followed ({error}). Download or copy it again."
        ) from error


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise _DamageError("a value is missing")
        return value

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise _DamageError(f"the instruction {name} has no place in an embedding")

    def top(self) -> Any:
        value = self.pop()
        self._stack.append(value)
        return value

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            items.append(value)
        items.reverse()
        return items

    def remember(self, key: int | None) -> None:
        self._memo[len(self._memo) if key is None else key] = self.top()

    def recall(self, key: int) -> None:
        self._stack.append(self._memo[key])

    def drop(self) -> None:
        self._stack.pop()

    def drop_to_mark(self) -> None:
        self.pop_to_mark()

    def make_tuple(self, length: int) -> None:
        items = [self.pop() for _ in range(length)]
        self.push(tuple(reversed(items)))

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise _DamageError("something is appended to what is no list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, dict):
            raise _DamageError("an item is set in what is no dictionary")
        target.update(_as_dict(items))

    def mention(self, module: object, name: object) -> None:
        told = f"{module}.{name}"
        if told not in self._allowed:
            raise UserError(
                f"The file asks for '{told}' to be loaded, which no embedding needs: it may be malicious. It was not "
                "run. Do not use this file; ask its author for a .safetensors file."
            )
        self.push(Global(str(module), str(name)))

    def mention_top(self) -> None:
        name, module = self.pop(), self.pop()
        self.mention(module, name)

    def call(self, function: Any, arguments: Any) -> None:
        function = _class_of(function)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise _DamageError("something is called that is no function")
        if str(function) == "collections.OrderedDict":
            self.push(_ordered(arguments))
        else:
            self.push(Call(function, arguments))

    def call_top(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.call(function, arguments)

    def call_with_keywords(self) -> None:
        keywords = self.pop()
        if keywords:
            raise _DamageError("a call has keywords, which no embedding needs")
        self.call_top()

    def call_marked(self, function: Any) -> None:
        items = self.pop_to_mark()
        if function is None:
            function, *items = items
        else:
            self.mention(*function)
            function = self.pop()
        self.call(function, tuple(items))

    def set_state(self) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, Call):
            target.state = state
        elif not isinstance(target, dict):
            raise _DamageError("state is given to what has none")


def _class_of(function: Any) -> Any:
    """The class in a reference: torch's old container refers to a module's class as ("module", class, file, source)."""
    if isinstance(function, Reference) and isinstance(function.id, tuple) and function.id[:1] == ("module",):
        return function.id[1]
    return function


def _as_dict(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise _DamageError("a dictionary has a key without a value")
    keys = items[::2]
    if not all(isinstance(key, str | int | float | bool | bytes | None) for key in keys):
        raise _DamageError("a dictionary has a key that is no text or number")
    return dict(zip(keys, items[1::2], strict=True))


def _ordered(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """OrderedDict() as a plain dictionary; Python 2 passed its items as a list of pairs."""
    pairs = arguments[0] if arguments else []
    if any(len(pair) != 2 for pair in pairs):
        raise _DamageError("an ordered dictionary is made of something else than pairs")
    return _as_dict([part for pair in pairs for part in pair])


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "POP": lambda machine, _: machine.drop(),
    "POP_MARK": lambda machine, _: machine.drop_to_mark(),
    "DUP": lambda machine, _: machine.push(machine.top()),
    "PUT": _Machine.remember,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": lambda machine, _: machine.remember(None),
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.make_tuple(1),
    "TUPLE2": lambda machine, _: machine.make_tuple(2),
    "TUPLE3": lambda machine, _: machine.make_tuple(3),
    "LIST": lambda machine, _: machine.push(machine.pop_to_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.pop_to_mark()),
    "DICT": lambda machine, _: machine.push(_as_dict(machine.pop_to_mark())),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "ADDITEMS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "GLOBAL": lambda machine, told: machine.mention(*told.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.mention_top(),
    "INST": lambda machine, told: machine.call_marked(told.split(" ", 1)),
    "OBJ": lambda machine, _: machine.call_marked(None),
    "REDUCE": lambda machine, _: machine.call_top(),
    "NEWOBJ": lambda machine, _: machine.call_top(),
    "NEWOBJ_EX": lambda machine, _: machine.call_with_keywords(),
    "BUILD": lambda machine, _: machine.set_state(),
    "PERSID": lambda machine, told: machine.push(Reference(told)),
    "BINPERSID": lambda machine, _: machine.push(Reference(machine.pop())),
}
