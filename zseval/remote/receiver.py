"""Receiver: one remote-write request after the other, from its bytes to its answer.

Source of the behaviour: prometheus storage/remote/write_handler.go. A request of protocol 1.0 is written
whole or not at all; of one of 2.0 what is good is written, and the answer says what was not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from zseval.metrics import Registry
from zseval.remote.batch import Batch, Kind, Refusal, Written
from zseval.remote.message import Request
from zseval.remote.placing import Placing
from zseval.remote.protocol import MAX_DECODED_BYTES, Answer, Message, RefusedError, decoded, message_of
from zseval.remote.shapes import Shape, Shapes
from zseval.remote.v1 import RequestV1
from zseval.remote.v2 import RequestV2
from zseval.tsdb.db import TSDB, Verdict
from zseval.tsdb.errors import StaleReferences
from zseval.tsdb.exemplars import ExemplarVerdict

__all__ = ["Receiver"]

log = logging.getLogger("zseval.remote")

_ATTEMPTS = 3


class Receiver:
    """Writes into a store. One thread at a time calls `receive`.

    now_ms: the time, against which samples may lie ahead by ten minutes.  max_decoded_bytes: of a request.
    type_and_unit_labels: whether series of protocol 2.0 get them from their metadata.
    Raises ConfigError where the optional packages are not installed.
    """

    def __init__(
        self,
        store: TSDB,
        registry: Registry,
        now_ms: Callable[[], int],
        *,
        max_decoded_bytes: int = MAX_DECODED_BYTES,
        type_and_unit_labels: bool = False,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._limit = max_decoded_bytes
        self._type_and_unit = type_and_unit_labels
        self._shapes = Shapes(store)
        self._placing = Placing(store)
        self._invalid = registry.counter(
            "prometheus_api_remote_write_invalid_labels_samples_total",
            "The total number of received remote write samples and histogram samples which were rejected "
            "due to invalid labels.",
        )
        self._out_of_order = registry.counter(
            "prometheus_tsdb_out_of_order_samples_total",
            "Total number of out of order samples ingestion failed attempts.",
            "type",
        )
        self._out_of_bounds = registry.counter(
            "prometheus_tsdb_out_of_bound_samples_total",
            "Total number of out of bound samples ingestion failed attempts.",
            "type",
        )

    @property
    def max_body_bytes(self) -> int:
        """A body longer than this is refused whatever is in it."""
        return self._limit

    def receive(self, body: bytes, content_type: str = "", encoding: str = "") -> Answer:
        """Decode and store a request."""
        try:
            message = decoded(body, encoding, self._limit)
            match message_of(content_type):
                case Message.V1:
                    return self._with_good_ids(self._write_whole, RequestV1(message))
                case Message.V2:
                    return self._receive_v2(message)
        except RefusedError as error:
            log.error("remote write refused: %s", error)
            return Answer(error.status, str(error))

    def _with_good_ids(self, write: Callable[[Request, Shape], Answer], request: Request) -> Answer:
        """Once more where the store renumbers its series between looking them up and writing."""
        for _ in range(_ATTEMPTS):
            try:
                return write(request, self._shapes.of(request))
            except StaleReferences:
                continue
        raise RefusedError(500, "the store renumbers its series faster than they are written")

    def _write_whole(self, request: Request, shape: Shape) -> Answer:
        """Protocol 1.0: what is refused refuses everything, but for series without proper labels."""
        batch = Batch(self._store, request, shape, self._now_ms())
        with self._store.exclusively():
            batch.judge()
            refusal = next(batch.refusals(), None)
            if refusal is not None:
                self._count(refusal)
                raise RefusedError(400, refusal.text)
            written = batch.write(self._placing)
        for place, verdict in batch.write_exemplars():
            if verdict is not ExemplarVerdict.STORED:
                log.debug("exemplar of %s left out: %s", request.labels(place), verdict)
        for text in shape.invalid.values():
            log.warning("%s", text)
        self._invalid.inc(by=shape.invalid_samples)
        self._out_of_order.inc("float", by=written.disordered)
        return Answer()

    def _receive_v2(self, message: bytes) -> Answer:
        """Protocol 2.0: every answer says how much was written."""
        try:
            return self._with_good_ids(self._write_good, RequestV2(message, self._type_and_unit))
        except RefusedError as error:
            log.error("remote write refused: %s", error)
            return Answer(error.status, str(error), _written_headers(Written()))

    def _write_good(self, request: Request, shape: Shape) -> Answer:
        """Protocol 2.0: what is refused is said, and the rest is written."""
        batch = Batch(self._store, request, shape, self._now_ms())
        with self._store.exclusively():
            batch.judge()
            refusals = list(batch.refusals())
            written = batch.write(self._placing)
        problems = [(place, Kind.FLOAT, text) for place, text in shape.invalid.items()]
        for refusal in refusals:
            self._count(refusal)
            problems.append(
                (refusal.place, refusal.kind, f"{refusal.text} for series {request.labels(refusal.place)}")
            )
        for place, verdict in batch.write_exemplars():
            if verdict is ExemplarVerdict.STORED:
                written.exemplars += 1
            elif isinstance(verdict, str):
                text = f"parsing exemplar for series {request.labels(place)}: {verdict}"
                problems.append((place, Kind.EXEMPLAR, text))
            elif verdict is ExemplarVerdict.OUT_OF_ORDER:
                text = f"{verdict.value} for series {request.labels(place)}"
                problems.append((place, Kind.EXEMPLAR, text))
            else:
                log.debug("exemplar of %s left out: %s", request.labels(place), verdict.value)
        self._invalid.inc(by=shape.invalid_samples)
        self._out_of_order.inc("float", by=written.disordered)
        if not problems:
            return Answer(headers=_written_headers(written))
        problems.sort(key=lambda problem: problem[:2])
        text = "\n".join(text for _, _, text in problems)
        log.error("remote write refused in part: %s", text)
        return Answer(400, text, _written_headers(written))

    def _count(self, refusal: Refusal) -> None:
        kind = "histogram" if refusal.kind is Kind.HISTOGRAM else "float"
        if refusal.verdict is Verdict.OUT_OF_ORDER:
            self._out_of_order.inc(kind)
        elif refusal.verdict is Verdict.OUT_OF_BOUNDS:
            self._out_of_bounds.inc(kind)


def _written_headers(written: Written) -> dict[str, str]:
    return {
        "X-Prometheus-Remote-Write-Samples-Written": str(written.samples),
        "X-Prometheus-Remote-Write-Histograms-Written": str(written.histograms),
        "X-Prometheus-Remote-Write-Exemplars-Written": str(written.exemplars),
    }
