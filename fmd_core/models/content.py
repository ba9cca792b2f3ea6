"""A digest of whatever decides what a model of others makes of an input: arrays, settings and code.

`joblib.hash` knows functions and classes by their names only, and a notebook changes them under the same name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array, content_fingerprint

if TYPE_CHECKING:
    from torch import nn

PLAIN = (type(None), bool, int, float, complex, str, bytes, slice, range, np.generic, np.dtype, type(...))
LIBRARIES = ("torch", "torchvision", "sklearn", "numpy", "scipy", "builtins", "copyreg", "pandas")
"""What comes from here is known by its name."""
DEEPEST = 60
Thing = Any  # whatever it is


class _UnknownContentError(Exception):
    """Something whose content cannot be read."""


def digest_of(*things: object) -> str:
    """Hex digest of all that `things` hold, or '' where some of it cannot be known, such as an open file."""
    try:
        return content_fingerprint(*(part for thing in things for part in _parts(thing, 0)))
    except (_UnknownContentError, TypeError, ValueError, AttributeError, NotImplementedError):
        return ""


def _parts(thing: Thing, deep: int) -> Iterator[Array | str]:
    if deep > DEEPEST:  # also what leads back to itself
        raise _UnknownContentError
    yield type(thing).__qualname__
    if isinstance(thing, PLAIN):
        yield repr(thing)
    elif isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        yield np.asarray(thing)
    else:
        for part in _inside(thing):
            yield from _parts(part, deep + 1)


def _inside(thing: Thing) -> list[Any]:
    """What a thing that is made of others leads to."""
    torch = sys.modules.get("torch")  # not imported for this
    if torch is not None and isinstance(thing, torch.Tensor):
        array = thing.detach().cpu()
        return [(array.float() if array.dtype == torch.bfloat16 else array).numpy()]
    if torch is not None and isinstance(thing, torch.nn.Module):
        return _inside_module(thing, torch.nn.Module())
    if torch is not None and isinstance(thing, (torch.dtype, torch.device)):
        return [repr(thing)]
    if isinstance(thing, type | BuiltinFunctionType | np.ufunc | ModuleType):
        return _named(thing)
    if isinstance(thing, FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        return [*_named(thing), thing.__defaults__, thing.__kwdefaults__, cells]
    if isinstance(thing, CodeType):
        return [thing.co_code, thing.co_consts, thing.co_names]
    if isinstance(thing, MethodType):
        return [thing.__func__, thing.__self__]
    if isinstance(thing, partial):
        return [thing.func, thing.args, thing.keywords]
    if isinstance(thing, np.ndarray):
        return [thing.shape, *thing.ravel().tolist()]
    if isinstance(thing, dict):
        return [pair for key in sorted(thing, key=repr) for pair in (key, thing[key])]
    if isinstance(thing, set | frozenset):
        return sorted(thing, key=repr)
    if isinstance(thing, list | tuple):
        return [len(thing), *thing]
    return list(thing.__reduce_ex__(2))  # as for pickling: TypeError for what holds on to something outside


def _inside_module(module: nn.Module, empty: nn.Module) -> list[Any]:
    """Class, layers, weights and settings of a torch module; hooks would change its answers unseen."""
    if any(held for name, held in vars(module).items() if name.endswith("_hooks") and name in vars(empty)):
        raise _UnknownContentError
    kept = ("_parameters", "_buffers", "_modules")
    own = {name: held for name, held in vars(module).items() if name in kept or name not in vars(empty)}
    return [type(module), own]


def _named(thing: Thing) -> list[Any]:
    """A class or function by name, and by its code unless a library's."""
    name = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', thing.__name__)}"
    if name.split(".")[0] in LIBRARIES:
        return [name]
    if isinstance(thing, FunctionType):
        return [name, thing.__code__]
    if isinstance(thing, type):
        code = {key: held.__code__ for key, held in vars(thing).items() if isinstance(held, FunctionType)}
        return [name, code, list(thing.__bases__)]
    return [name]
