"""The interface of a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from kernels.codes import check_codes, gather
from kernels.errors import ShapeError
from kernels.neighbourhoods import Neighbourhoods
from kernels.network import Network


class Executor(ABC):
    """A network made ready for pictures of one size; owns its buffers.

    One thread at a time may use an executor; give each thread its own.
    """

    def __init__(self, network: Network, height: int, width: int) -> None:
        network.check_image_size(height, width)
        self.network, self.height, self.width = network, height, width
        self._coloured = np.empty((height, width, 3), np.uint8)

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        """Bits of each patch.

        Args:
            image: uint8 (height, width, 3), blue first, as OpenCV has it; or (height, width), of
                which the bits are those of three equal channels.

        Returns:
            Per grid of patches of the network, finest first, uint64 (height / spacing,
            width / spacing, words of all its embeddings). The arrays may be overwritten by the
            next call.

        Raises:
            ShapeError: if the image is not what the executor was made for.
        """
        size = self.height, self.width
        if image.dtype != np.uint8 or image.shape not in (size, (*size, 3)):
            raise ShapeError(
                f"expected a uint8 picture of shape {(*size, 3)} or {size},"
                f" got {image.dtype} {image.shape}"
            )
        image = np.ascontiguousarray(image)
        return self._run(image) if image.ndim == 3 else self._run_grey(image)

    @abstractmethod
    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        """Run on a contiguous image in colour."""

    def _run_grey(self, image: np.ndarray) -> list[np.ndarray]:
        """Run on a contiguous image without."""
        for channel in range(3):
            self._coloured[..., channel] = image
        return self._run(self._coloured)


class Backend(ABC):
    """Makes executors, and compares patches with a memory bank."""

    name: str

    @abstractmethod
    def executor(self, network: Network, height: int, width: int) -> Executor:
        """Prepare a network for pictures of one size; may take seconds.

        Raises:
            ShapeError: if the network does not take pictures of this size.
        """

    def index(self, bank: np.ndarray, neighbourhoods: Neighbourhoods | None = None) -> Index:
        """Prepare a memory bank for searching.

        Args:
            bank: uint64 (m, words), m at least 1.
            neighbourhoods: which entries each query may meet; None for all.

        Raises:
            ShapeError: if the bank is empty or not packed bits.
        """
        return NumpyIndex(bank, neighbourhoods)


class Index(ABC):
    """A memory bank made ready for nearest-neighbour search by Hamming distance.

    Owns its buffers: one thread at a time; give each thread its own.
    """

    def __init__(self, bank: np.ndarray, neighbourhoods: Neighbourhoods | None = None) -> None:
        if bank.ndim != 2 or bank.dtype != np.uint64:
            raise ShapeError(f"a bank is uint64 (entries, words), not {bank.dtype} {bank.shape}")
        if not len(bank):
            raise ShapeError("the memory bank is empty: there is nothing to compare with")
        self.entries, self.words = bank.shape
        self.bank = np.ascontiguousarray(bank)
        self.neighbourhoods = neighbourhoods
        for met in neighbourhoods.entries if neighbourhoods else ():
            if len(met) and (met[0] < 0 or met[-1] >= self.entries):
                raise ShapeError(
                    f"a neighbourhood reaches beyond the bank's {self.entries} entries"
                )

    def nearest(self, codes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """For each patch the bank entry that differs in the fewest bits; the first of equals.

        Args:
            codes: what an executor gives: per grid, finest first, uint64 (rows / n, columns / n,
                words), the words of all grids as many as an entry's. With neighbourhoods, rows
                and columns are those of their grid.

        Returns:
            Distances in bits, int32 (rows, columns), and indices into the bank, likewise. The
            arrays may be overwritten by the next call.

        Raises:
            ShapeError: if the codes do not match the bank.
        """
        return self._nearest(self._checked(codes))

    def distances(self, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Those of :meth:`nearest` alone, which may take less time."""
        return self._nearest_distances(self._checked(codes))

    def _checked(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        check_codes(codes)
        words = sum(code.shape[2] for code in codes)
        if words != self.words:
            raise ShapeError(f"codes of {words} words for a bank of {self.words}")
        rows, columns, _ = codes[0].shape
        near = self.neighbourhoods
        if near is not None and (rows, columns) != (near.rows, near.columns):
            raise ShapeError(
                f"a grid of {rows} x {columns} patches, but neighbourhoods on one of"
                f" {near.rows} x {near.columns}"
            )
        # ``require`` takes a microsecond and a half to find that there is nothing to do.
        return [c if c.flags.carray else np.require(c, np.uint64, ["C", "A"]) for c in codes]

    @abstractmethod
    def _nearest(self, codes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Search with contiguous, aligned codes that match the bank."""

    def _nearest_distances(self, codes: list[np.ndarray]) -> np.ndarray:
        return self._nearest(codes)[0]


class FlatIndex(Index):
    """Compares whole strings of bits, one patch like the other."""

    def _nearest(self, codes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        patches = gather(codes)
        rows, columns, words = patches.shape
        distances, indices = self._nearest_patches(patches.reshape(rows * columns, words))
        return distances.reshape(rows, columns), indices.reshape(rows, columns)

    @abstractmethod
    def _nearest_patches(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint64 (q, words) -> distances and indices, int32 (q,)."""


class NumpyIndex(FlatIndex):
    """Search with NumPy's bit counting: for machines on which Numba cannot run."""

    _QUERIES_AT_ONCE = 32

    def _nearest_patches(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distances = np.empty(len(queries), np.int32)
        indices = np.empty(len(queries), np.int32)
        near = self.neighbourhoods or Neighbourhoods.everywhere(self.entries, 1, len(queries))
        for cell in range(len(near.near)):
            asking = np.flatnonzero(near.cell_of_query == cell)
            met = near.met(cell)
            known = self.bank[met]
            for start in range(0, len(asking), self._QUERIES_AT_ONCE):
                part = asking[start : start + self._QUERIES_AT_ONCE]
                different = queries[part, None, :] ^ known[None, :, :]
                apart = np.bitwise_count(different).sum(axis=2, dtype=np.int32)
                indices[part] = met[apart.argmin(axis=1)]
                distances[part] = apart.min(axis=1)
        return distances, indices
