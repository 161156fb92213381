from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResolveCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLVE_CODE_UNSPECIFIED: _ClassVar[ResolveCode]
    RESOLVE_CODE_OK: _ClassVar[ResolveCode]
    RESOLVE_CODE_NOT_FOUND: _ClassVar[ResolveCode]
    RESOLVE_CODE_VALUE_NOT_FOUND: _ClassVar[ResolveCode]
    RESOLVE_CODE_NOT_RESPONSIBLE: _ClassVar[ResolveCode]
    RESOLVE_CODE_INVALID: _ClassVar[ResolveCode]
    RESOLVE_CODE_BUSY: _ClassVar[ResolveCode]
RESOLVE_CODE_UNSPECIFIED: ResolveCode
RESOLVE_CODE_OK: ResolveCode
RESOLVE_CODE_NOT_FOUND: ResolveCode
RESOLVE_CODE_VALUE_NOT_FOUND: ResolveCode
RESOLVE_CODE_NOT_RESPONSIBLE: ResolveCode
RESOLVE_CODE_INVALID: ResolveCode
RESOLVE_CODE_BUSY: ResolveCode

class ResolveRequest(_message.Message):
    __slots__ = ("identifier", "indexes", "types", "trace_id")
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    identifier: str
    indexes: _containers.RepeatedScalarFieldContainer[int]
    types: _containers.RepeatedScalarFieldContainer[str]
    trace_id: str
    def __init__(self, identifier: _Optional[str] = ..., indexes: _Optional[_Iterable[int]] = ..., types: _Optional[_Iterable[str]] = ..., trace_id: _Optional[str] = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("code", "identifier", "status", "revision", "values")
    CODE_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    code: ResolveCode
    identifier: str
    status: str
    revision: int
    values: _containers.RepeatedCompositeFieldContainer[ResolvedValue]
    def __init__(self, code: _Optional[_Union[ResolveCode, str]] = ..., identifier: _Optional[str] = ..., status: _Optional[str] = ..., revision: _Optional[int] = ..., values: _Optional[_Iterable[_Union[ResolvedValue, _Mapping]]] = ...) -> None: ...

class ResolvedValue(_message.Message):
    __slots__ = ("index", "type", "data", "ttl", "timestamp")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    index: int
    type: str
    data: bytes
    ttl: int
    timestamp: int
    def __init__(self, index: _Optional[int] = ..., type: _Optional[str] = ..., data: _Optional[bytes] = ..., ttl: _Optional[int] = ..., timestamp: _Optional[int] = ...) -> None: ...

class ProbeRequest(_message.Message):
    __slots__ = ("probe_id",)
    PROBE_ID_FIELD_NUMBER: _ClassVar[int]
    probe_id: str
    def __init__(self, probe_id: _Optional[str] = ...) -> None: ...

class ProbeResponse(_message.Message):
    __slots__ = ("probe_id", "node_time_ms", "software", "state", "live_records", "log_size")
    PROBE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIVE_RECORDS_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    probe_id: str
    node_time_ms: int
    software: str
    state: str
    live_records: int
    log_size: int
    def __init__(self, probe_id: _Optional[str] = ..., node_time_ms: _Optional[int] = ..., software: _Optional[str] = ..., state: _Optional[str] = ..., live_records: _Optional[int] = ..., log_size: _Optional[int] = ...) -> None: ...
