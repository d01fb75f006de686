"""Reads arrays, numbers, text, lists and dictionaries from Python pickles without running any code in them.

Python's own reader calls whatever a pickle names. This one goes through the steps of a pickle one by one, as
`pickletools` lists them, and knows the few calls by which NumPy writes an array. Any other call is refused by name.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
OLD_TEXT = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # written by Python 2, in which text and bytes were the same type
NOTHING = {"PROTO", "FRAME"}
_MARK = object()


class PickleError(ValueError):
    """A pickle that cannot be read; the message says what it holds instead, as a phrase that follows "got"."""


@dataclass(frozen=True)
class Name:
    """A function or class that a pickle names in order to call it."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass
class Unbuilt:
    """An array or a dtype that was begun, but whose content comes in a later step."""

    kind: str
    value: Any = None


def plain_content(data: bytes) -> Any:
    """Returns the content of a pickle.

    Raises:
      PickleError: it is not a whole pickle, or it holds something other than numbers, text, bytes, arrays of numbers,
        and tuples, lists, sets and dictionaries of these.
    """
    try:
        return _Reader().run(data)
    except PickleError:
        raise
    except Exception as error:  # a damaged pickle may raise any of a dozen errors
        raise PickleError(f"a pickle that is not whole ({error or type(error).__name__})") from error


class _Reader:
    """The stack machine that runs the steps of one pickle.

    A method such as `_setitem` runs the step that pickletools calls SETITEM.
    """

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for step, argument, _ in pickletools.genops(data):
            if step.name == "STOP":
                return _finish(self._stack.pop())
            if step.name in NOTHING:
                continue
            if step.name in CONSTANTS:
                self._stack.append(CONSTANTS[step.name])
            elif step.name in EMPTY:
                self._stack.append(EMPTY[step.name]())
            elif step.name in VALUES:
                self._stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
            elif step.name in OLD_TEXT:
                self._stack.append(str(argument).encode("latin-1"))
            elif take := getattr(self, f"_{step.name.lower()}", None):
                take(argument)
            else:
                raise PickleError(f"a pickle with the step {step.name}, which numbers and text do not need")
        raise PickleError("a pickle without an end")

    def _since_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:  # compared by identity, because `==` with an array gives an array
            place -= 1
            if place < 0:
                raise PickleError("a pickle that is not whole (a mark is missing)")
        values = self._stack[place + 1 :]
        del self._stack[place:]
        return values

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _dict(self, _: Any) -> None:
        values = self._since_mark()
        self._stack.append(dict(zip(values[::2], values[1::2], strict=True)))

    def _list(self, _: Any) -> None:
        self._stack.append(self._since_mark())

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _tuple1(self, _: Any) -> None:
        self._stack.append((self._stack.pop(),))

    def _tuple2(self, _: Any) -> None:
        self._stack[-2:] = [tuple(self._stack[-2:])]

    def _tuple3(self, _: Any) -> None:
        self._stack[-3:] = [tuple(self._stack[-3:])]

    def _append(self, _: Any) -> None:
        value = self._stack.pop()
        _check_type(self._stack[-1], list).append(value)

    def _appends(self, _: Any) -> None:
        values = self._since_mark()
        _check_type(self._stack[-1], list).extend(values)

    def _additems(self, _: Any) -> None:
        values = self._since_mark()
        _check_type(self._stack[-1], set).update(values)

    def _setitem(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        _check_type(self._stack[-1], dict)[key] = value

    def _setitems(self, _: Any) -> None:
        values = self._since_mark()
        _check_type(self._stack[-1], dict).update(zip(values[::2], values[1::2], strict=True))

    def _put(self, number: Any) -> None:
        self._memo[int(number)] = self._stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, number: Any) -> None:
        self._stack.append(self._memo[int(number)])

    _binget = _long_binget = _get

    def _global(self, names: str) -> None:
        self._stack.append(Name(*names.split(" ", 1)))

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(Name(_check_type(module, str), _check_type(name, str)))

    def _reduce(self, _: Any) -> None:
        arguments, function = _check_type(self._stack.pop(), tuple), self._stack.pop()
        self._stack.append(_result_of(_check_type(function, Name), arguments))

    def _build(self, _: Any) -> None:
        state, unbuilt = _check_type(self._stack.pop(), tuple), _check_type(self._stack[-1], Unbuilt)
        if unbuilt.kind == "dtype":
            unbuilt.value = unbuilt.value.newbyteorder(_word(state[1]) if _word(state[1]) in "<>" else "|")
        else:
            _, shape, dtype, in_columns, content = state
            unbuilt.value = _array(content, _dtype(dtype), shape, "F" if in_columns else "C")


def _result_of(function: Name, arguments: tuple[Any, ...]) -> Any:
    """Returns the result of a call that a pickle makes, which must be one of the few known ones."""
    match (function.module, function.name):
        case (module, "_reconstruct") if module in ARRAY:
            return Unbuilt("array")
        case (module, "scalar") if module in ARRAY:
            return _array(arguments[1], _dtype(arguments[0]), (1,), "C")[0].item()
        case (module, "_frombuffer") if module in NUMERIC:
            content, dtype, shape, order = arguments
            return _array(content, _dtype(dtype), shape, _word(order))
        case ("numpy", "dtype"):
            return Unbuilt("dtype", _plain_dtype(_word(arguments[0])))
        case ("_codecs", "encode"):
            return _check_type(arguments[0], str).encode(
                "latin-1"
            )  # the way in which Python 3 writes bytes for Python 2
        case ("collections", "OrderedDict") if not arguments:
            return {}
        case ("__builtin__" | "builtins", "bytes") if not arguments:
            return b""
    raise PickleError(f"a pickle that calls {function}, which is no array of numbers")


def _plain_dtype(word: str) -> np.dtype:
    """Returns the dtype with this name, which must be one of numbers or text."""
    dtype = np.dtype(word)
    if dtype.kind not in "buifSU":
        raise PickleError(f"an array of {dtype}, where numbers or text are read")
    return dtype


def _dtype(value: Any) -> np.dtype:
    """Returns the dtype that a step has built."""
    unbuilt = _check_type(value, Unbuilt)
    if not isinstance(unbuilt.value, np.dtype):
        raise PickleError("an array without a type")
    return unbuilt.value


def _array(content: Any, dtype: np.dtype, shape: Any, order: str) -> np.ndarray:
    """Returns an array of these bytes."""
    return np.frombuffer(_check_type(content, bytes), dtype).reshape(tuple(shape), order="F" if order == "F" else "C")


def _check_type(value: Any, kind: type) -> Any:
    """Returns the value, which must be of this type."""
    if not isinstance(value, kind):
        raise PickleError(f"a pickle with {type(value).__name__} in place of {kind.__name__}")
    return value


def _word(value: Any) -> str:
    """Returns text that a pickle may hold as bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _finish(value: Any, results: dict[int, Any] | None = None) -> Any:
    """Returns a value with its arrays in place of their `Unbuilt` objects.

    Args:
      value: a value of the stack.
      results: finished values by `id`, because a pickle may refer to one value a million times.
    """
    results = {} if results is None else results
    if id(value) in results:
        return results[id(value)]
    if isinstance(value, Unbuilt):
        return value.value
    if isinstance(value, Name):
        raise PickleError(f"a pickle of {value}")
    if isinstance(value, dict):
        results[id(value)] = {_finish(key, results): _finish(inner, results) for key, inner in value.items()}
    elif isinstance(value, list | tuple):
        results[id(value)] = type(value)(_finish(inner, results) for inner in value)
    return results.get(id(value), value)
