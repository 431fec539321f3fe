"""Names for the arrays that flow through zseval, and what the axis letters mean.

T rows of a table (points in time), S series, K evaluation steps, G groups, B buckets, P matched pairs.
Values are series-major: `float64[S, T]` in storage and `float64[S, K]` in the engine.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
"""float64, samples or results."""

Times: TypeAlias = NDArray[np.int64]
"""int64, milliseconds since the Unix epoch."""

Mask: TypeAlias = NDArray[np.bool_]
"""bool, True where something is present."""

Ids: TypeAlias = NDArray[np.int32]
"""int32, series or symbol ids."""

Rows: TypeAlias = NDArray[np.intp]
"""intp, row or column numbers, ready for indexing."""
