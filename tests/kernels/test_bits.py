from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.bits import pack, unpack, words_for
from kernels.errors import ShapeError


def test_channel_c_is_bit_c_modulo_64_of_word_c_div_64() -> None:
    for channel in (0, 1, 63, 64, 100, 191):
        bits = np.zeros(192, bool)
        bits[channel] = True
        words = pack(bits)
        assert [int(w) for w in words] == [
            1 << (channel % 64) if word == channel // 64 else 0 for word in range(3)
        ]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_unpack_undoes_pack(rows: int, words: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (rows, 2, 64 * words)).astype(bool)
    np.testing.assert_array_equal(unpack(pack(bits)), bits)


def test_arrays_that_are_not_contiguous_are_packed_right() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (128, 6, 10)).astype(bool)
    turned = bits.transpose(2, 1, 0)[::2, ::-1]
    np.testing.assert_array_equal(pack(turned), pack(turned.copy()))


@pytest.mark.parametrize("channels", [0, -64, 1, 63, 65, 100])
def test_channels_that_do_not_fill_words_are_refused(channels: int) -> None:
    with pytest.raises(ShapeError, match="multiple of 64"):
        words_for(channels)
