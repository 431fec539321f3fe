from zseval.remote.generated import write_v2_pb2 as _write_v2_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Nothing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Outline(_message.Message):
    __slots__ = ("symbols", "timeseries")
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    TIMESERIES_FIELD_NUMBER: _ClassVar[int]
    symbols: _containers.RepeatedScalarFieldContainer[bytes]
    timeseries: _containers.RepeatedCompositeFieldContainer[OutlineSeries]
    def __init__(self, symbols: _Optional[_Iterable[bytes]] = ..., timeseries: _Optional[_Iterable[_Union[OutlineSeries, _Mapping]]] = ...) -> None: ...

class OutlineSeries(_message.Message):
    __slots__ = ("labels_refs", "samples", "histograms", "exemplars", "metadata")
    LABELS_REFS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAMS_FIELD_NUMBER: _ClassVar[int]
    EXEMPLARS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    labels_refs: _containers.RepeatedScalarFieldContainer[int]
    samples: _containers.RepeatedCompositeFieldContainer[Nothing]
    histograms: _containers.RepeatedCompositeFieldContainer[Nothing]
    exemplars: _containers.RepeatedCompositeFieldContainer[Nothing]
    metadata: _write_v2_pb2.Metadata
    def __init__(self, labels_refs: _Optional[_Iterable[int]] = ..., samples: _Optional[_Iterable[_Union[Nothing, _Mapping]]] = ..., histograms: _Optional[_Iterable[_Union[Nothing, _Mapping]]] = ..., exemplars: _Optional[_Iterable[_Union[Nothing, _Mapping]]] = ..., metadata: _Optional[_Union[_write_v2_pb2.Metadata, _Mapping]] = ...) -> None: ...

class Columns(_message.Message):
    __slots__ = ("timeseries",)
    TIMESERIES_FIELD_NUMBER: _ClassVar[int]
    timeseries: ColumnsSeries
    def __init__(self, timeseries: _Optional[_Union[ColumnsSeries, _Mapping]] = ...) -> None: ...

class ColumnsSeries(_message.Message):
    __slots__ = ("labels_refs", "samples")
    LABELS_REFS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    labels_refs: _containers.RepeatedScalarFieldContainer[int]
    samples: ColumnsSamples
    def __init__(self, labels_refs: _Optional[_Iterable[int]] = ..., samples: _Optional[_Union[ColumnsSamples, _Mapping]] = ...) -> None: ...

class ColumnsSamples(_message.Message):
    __slots__ = ("value", "timestamp", "start_timestamp")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    value: _containers.RepeatedScalarFieldContainer[float]
    timestamp: _containers.RepeatedScalarFieldContainer[int]
    start_timestamp: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, value: _Optional[_Iterable[float]] = ..., timestamp: _Optional[_Iterable[int]] = ..., start_timestamp: _Optional[_Iterable[int]] = ...) -> None: ...

class Unread(_message.Message):
    __slots__ = ("timeseries",)
    TIMESERIES_FIELD_NUMBER: _ClassVar[int]
    timeseries: UnreadSeries
    def __init__(self, timeseries: _Optional[_Union[UnreadSeries, _Mapping]] = ...) -> None: ...

class UnreadSeries(_message.Message):
    __slots__ = ("samples",)
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    samples: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, samples: _Optional[_Iterable[bytes]] = ...) -> None: ...
