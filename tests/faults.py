"""Faulty optimisers, in a module of their own so that worker processes can import them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import numpy as np

from psipo_explore import GradientDescent


class Dies:
    """An optimiser that ends its process, as the system does when memory is short."""

    def steps(self, shape: tuple[int, ...]) -> Any:
        os._exit(1)


@dataclass
class Raises:
    """An optimiser that leaves a file for each part that begins, and then raises an error."""

    folder: Path
    error: BaseException

    def steps(self, shape: tuple[int, ...]) -> Any:
        mkstemp(dir=self.folder)
        raise self.error


@dataclass
class LeavesAFile:
    """A working optimiser that leaves a file for each part that begins."""

    folder: Path

    def steps(self, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
        mkstemp(dir=self.folder)
        return GradientDescent(0.1).steps(shape)
