"""The forward pass of a BERT encoder (Devlin et al. 2019, 10.18653/v1/N19-1423), mean over tokens, scaled to length 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array

Weights = Mapping[str, Array]
HIDDEN = float(np.finfo(np.float32).min)
"""The score of padding: finite, so that a row of padding alone is no NaN."""


@partial(jax.jit, static_argnames=("heads", "epsilon"))
def forward(
    layers: Sequence[Weights], first: Weights, words: Array, mask: Array, *, heads: int, epsilon: float
) -> Array:
    """Return unit vectors (rows, width) of *words* (rows, tokens, width), the sum of their embeddings.

    *mask* (rows, tokens) is 1 at tokens and 0 at padding; a row without tokens gives zeros. Weights of dense maps are
    (out, in), as they are published.
    """
    hidden = _norm(words, first["words.weight"], first["words.bias"], epsilon)
    for layer in layers:
        hidden = _layer(hidden, layer, mask, heads, epsilon)
    summed = jnp.einsum("rtw,rt->rw", hidden, mask)
    length = jnp.linalg.norm(summed, axis=1, keepdims=True)
    return jnp.where(length > 0, summed / jnp.where(length > 0, length, 1.0), 0.0)


def _layer(x: Array, w: Weights, mask: Array, heads: int, epsilon: float) -> Array:
    attended = _dense(_attention(x, w, mask, heads), w, "o")
    x = _norm(x + attended, w["norm.weight"], w["norm.bias"], epsilon)
    wide = jax.nn.gelu(_dense(x, w, "up"), approximate=False)
    return _norm(x + _dense(wide, w, "down"), w["last.weight"], w["last.bias"], epsilon)


def _attention(x: Array, w: Weights, mask: Array, heads: int) -> Array:
    rows, tokens, width = x.shape
    q, k, v = (_dense(x, w, name).reshape(rows, tokens, heads, width // heads) for name in "qkv")
    scores = jnp.einsum("rthd,rshd->rhts", q, k) / jnp.sqrt(width // heads)
    scores = jnp.where(mask[:, None, None, :] > 0, scores, HIDDEN)
    return jnp.einsum("rhts,rshd->rthd", jax.nn.softmax(scores, axis=-1), v).reshape(rows, tokens, width)


def _dense(x: Array, w: Weights, name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * weight + bias
