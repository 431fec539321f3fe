"""Why a sample was refused, with the texts Prometheus uses (storage/interface.go)."""

from __future__ import annotations

from zseval.errors import StorageError

__all__ = [
    "DuplicateSampleError",
    "InvalidSampleError",
    "OutOfBoundsError",
    "OutOfOrderError",
    "StaleReferences",
]


class OutOfOrderError(StorageError):
    """The series already has a later sample."""

    def __init__(self) -> None:
        super().__init__("out of order sample")


class OutOfBoundsError(StorageError):
    """The sample is older than the retention reaches."""

    def __init__(self) -> None:
        super().__init__("out of bounds")


class DuplicateSampleError(StorageError):
    """The series already has a sample of another value at this time."""

    def __init__(self) -> None:
        super().__init__("duplicate sample for timestamp")


class InvalidSampleError(StorageError):
    """Nothing that could be a sample: a label set without labels, a histogram that contradicts itself."""

    def __init__(self, message: str = "empty labelset: invalid sample") -> None:
        super().__init__(message)


class StaleReferences(StorageError):  # noqa: N818  (a state of the caller's ids more than a failure)
    """Series ids from before the last renumbering: resolve the labels again."""

    def __init__(self, given: int, current: int) -> None:
        super().__init__(f"series ids are of epoch {given}, the store is at {current}")
