"""Double precision for this package alone: JAX keeps single precision elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

P = ParamSpec("P")
T = TypeVar("T")


def double(function: Callable[P, T]) -> Callable[P, T]:
    """Return *function* with JAX in double precision while it runs, in its own thread."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return run
