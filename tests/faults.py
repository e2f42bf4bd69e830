"""Optimisers at fault, in a module of their own that a worker process can import."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import numpy as np

from psipo_explore import GradientDescent


class Dies:
    """Ends the process that trains, as the system does where memory is short."""

    def steps(self, shape: tuple[int, ...]) -> Any:
        os._exit(1)


@dataclass
class Raises:
    """Leaves a file for each part begun, then raises."""

    folder: Path
    error: BaseException

    def steps(self, shape: tuple[int, ...]) -> Any:
        mkstemp(dir=self.folder)
        raise self.error


@dataclass
class LeavesAFile:
    """Descends, and leaves a file for each part begun."""

    folder: Path

    def steps(self, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
        mkstemp(dir=self.folder)
        return GradientDescent(0.1).steps(shape)
