from __future__ import annotations

import sys

import pytest

from kernels.backends import BACKEND_NAMES, choose
from kernels.errors import BackendUnavailable


def _hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


_TFLITE = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def test_numba_comes_first_and_says_so() -> None:
    choice = choose("auto")
    assert choice.backend.name == "numba"
    assert "fastest" in choice.reason


def test_without_numba_it_is_tflite(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, "kernels.backends.numba")
    choice = choose("auto")
    assert choice.backend.name == "tflite"
    assert "numba cannot run here" in choice.reason


def test_without_both_it_is_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, "kernels.backends.numba", *_TFLITE)
    choice = choose("auto")
    assert choice.backend.name == "onnx"
    assert "edge-agent[tflite]" in choice.reason


def test_without_any_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, "kernels.backends.numba", "kernels.backends.onnx", *_TFLITE)
    with pytest.raises(BackendUnavailable, match="no backend can run here"):
        choose("auto")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, *_TFLITE)
    with pytest.raises(BackendUnavailable, match=r"pip install 'edge-agent\[tflite\]'"):
        choose("tflite")


def test_an_older_tflite_runtime_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert import interpreter

    _hide(monkeypatch, _TFLITE[0])
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", interpreter)
    assert choose("tflite").backend.name == "tflite"


@pytest.mark.parametrize("name", BACKEND_NAMES)
def test_every_backend_can_be_forced(name: str) -> None:
    assert choose(name).backend.name == name


def test_an_unknown_backend_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="auto, numba, tflite, onnx, reference"):
        choose("cuda")
