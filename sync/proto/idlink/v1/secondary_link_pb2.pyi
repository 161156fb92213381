from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HealthState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HEALTH_STATE_UNSPECIFIED: _ClassVar[HealthState]
    HEALTH_STATE_NORMAL: _ClassVar[HealthState]
    HEALTH_STATE_DEGRADED: _ClassVar[HealthState]
    HEALTH_STATE_ABNORMAL: _ClassVar[HealthState]
    HEALTH_STATE_MAINTENANCE: _ClassVar[HealthState]

class ItemCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ITEM_CODE_UNSPECIFIED: _ClassVar[ItemCode]
    ITEM_CODE_OK: _ClassVar[ItemCode]
    ITEM_CODE_ALREADY_SAME: _ClassVar[ItemCode]
    ITEM_CODE_CONFLICT: _ClassVar[ItemCode]
    ITEM_CODE_NOT_FOUND: _ClassVar[ItemCode]
    ITEM_CODE_TEMPLATE_MISSING: _ClassVar[ItemCode]
    ITEM_CODE_INVALID: _ClassVar[ItemCode]
    ITEM_CODE_PREFIX_SUSPENDED: _ClassVar[ItemCode]
    ITEM_CODE_NOT_YOURS: _ClassVar[ItemCode]
    ITEM_CODE_QUOTA: _ClassVar[ItemCode]
    ITEM_CODE_UNKNOWN_OUTCOME: _ClassVar[ItemCode]
    ITEM_CODE_INTERNAL: _ClassVar[ItemCode]

class CheckpointCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHECKPOINT_CODE_UNSPECIFIED: _ClassVar[CheckpointCode]
    CHECKPOINT_CODE_COSIGNED: _ClassVar[CheckpointCode]
    CHECKPOINT_CODE_BAD_SIGNATURE: _ClassVar[CheckpointCode]
    CHECKPOINT_CODE_OLDER: _ClassVar[CheckpointCode]
    CHECKPOINT_CODE_STALE_OLD_SIZE: _ClassVar[CheckpointCode]
    CHECKPOINT_CODE_INCONSISTENT: _ClassVar[CheckpointCode]
    CHECKPOINT_CODE_AHEAD: _ClassVar[CheckpointCode]

class Scheme(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEME_UNSPECIFIED: _ClassVar[Scheme]
    SCHEME_HANDLE: _ClassVar[Scheme]
    SCHEME_OID: _ClassVar[Scheme]
    SCHEME_DID_BID: _ClassVar[Scheme]
    SCHEME_VAA: _ClassVar[Scheme]
    SCHEME_ECODE: _ClassVar[Scheme]
    SCHEME_GS1: _ClassVar[Scheme]

class Transport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSPORT_UNSPECIFIED: _ClassVar[Transport]
    TRANSPORT_TCP: _ClassVar[Transport]
    TRANSPORT_UDP: _ClassVar[Transport]
    TRANSPORT_HTTP: _ClassVar[Transport]

class PrefixState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREFIX_STATE_UNSPECIFIED: _ClassVar[PrefixState]
    PREFIX_STATE_DRAFT: _ClassVar[PrefixState]
    PREFIX_STATE_PENDING: _ClassVar[PrefixState]
    PREFIX_STATE_REVIEWING: _ClassVar[PrefixState]
    PREFIX_STATE_REJECTED: _ClassVar[PrefixState]
    PREFIX_STATE_ACTIVE: _ClassVar[PrefixState]
    PREFIX_STATE_SUSPENDED: _ClassVar[PrefixState]
    PREFIX_STATE_TO_DELETE: _ClassVar[PrefixState]
    PREFIX_STATE_CANCELLED: _ClassVar[PrefixState]

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_TYPE_UNSPECIFIED: _ClassVar[EventType]
    EVENT_TYPE_ABNORMAL: _ClassVar[EventType]
    EVENT_TYPE_RECOVERED: _ClassVar[EventType]

class EventCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_CAUSE_UNSPECIFIED: _ClassVar[EventCause]
    EVENT_CAUSE_NETWORK: _ClassVar[EventCause]
    EVENT_CAUSE_SYSTEM: _ClassVar[EventCause]
    EVENT_CAUSE_SECURITY_ATTACK: _ClassVar[EventCause]
    EVENT_CAUSE_OTHER: _ClassVar[EventCause]

class DirectiveKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTIVE_KIND_UNSPECIFIED: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_SUSPEND_PREFIX: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_RESUME_PREFIX: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_CANCEL_PREFIX: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_RESYNC: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_AUDIT_SAMPLE: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_ROUTE_UNREACHABLE: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_QUOTA_CHANGED: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_RECTIFY: _ClassVar[DirectiveKind]
    DIRECTIVE_KIND_FREEZE_IDENTIFIERS: _ClassVar[DirectiveKind]
HEALTH_STATE_UNSPECIFIED: HealthState
HEALTH_STATE_NORMAL: HealthState
HEALTH_STATE_DEGRADED: HealthState
HEALTH_STATE_ABNORMAL: HealthState
HEALTH_STATE_MAINTENANCE: HealthState
ITEM_CODE_UNSPECIFIED: ItemCode
ITEM_CODE_OK: ItemCode
ITEM_CODE_ALREADY_SAME: ItemCode
ITEM_CODE_CONFLICT: ItemCode
ITEM_CODE_NOT_FOUND: ItemCode
ITEM_CODE_TEMPLATE_MISSING: ItemCode
ITEM_CODE_INVALID: ItemCode
ITEM_CODE_PREFIX_SUSPENDED: ItemCode
ITEM_CODE_NOT_YOURS: ItemCode
ITEM_CODE_QUOTA: ItemCode
ITEM_CODE_UNKNOWN_OUTCOME: ItemCode
ITEM_CODE_INTERNAL: ItemCode
CHECKPOINT_CODE_UNSPECIFIED: CheckpointCode
CHECKPOINT_CODE_COSIGNED: CheckpointCode
CHECKPOINT_CODE_BAD_SIGNATURE: CheckpointCode
CHECKPOINT_CODE_OLDER: CheckpointCode
CHECKPOINT_CODE_STALE_OLD_SIZE: CheckpointCode
CHECKPOINT_CODE_INCONSISTENT: CheckpointCode
CHECKPOINT_CODE_AHEAD: CheckpointCode
SCHEME_UNSPECIFIED: Scheme
SCHEME_HANDLE: Scheme
SCHEME_OID: Scheme
SCHEME_DID_BID: Scheme
SCHEME_VAA: Scheme
SCHEME_ECODE: Scheme
SCHEME_GS1: Scheme
TRANSPORT_UNSPECIFIED: Transport
TRANSPORT_TCP: Transport
TRANSPORT_UDP: Transport
TRANSPORT_HTTP: Transport
PREFIX_STATE_UNSPECIFIED: PrefixState
PREFIX_STATE_DRAFT: PrefixState
PREFIX_STATE_PENDING: PrefixState
PREFIX_STATE_REVIEWING: PrefixState
PREFIX_STATE_REJECTED: PrefixState
PREFIX_STATE_ACTIVE: PrefixState
PREFIX_STATE_SUSPENDED: PrefixState
PREFIX_STATE_TO_DELETE: PrefixState
PREFIX_STATE_CANCELLED: PrefixState
EVENT_TYPE_UNSPECIFIED: EventType
EVENT_TYPE_ABNORMAL: EventType
EVENT_TYPE_RECOVERED: EventType
EVENT_CAUSE_UNSPECIFIED: EventCause
EVENT_CAUSE_NETWORK: EventCause
EVENT_CAUSE_SYSTEM: EventCause
EVENT_CAUSE_SECURITY_ATTACK: EventCause
EVENT_CAUSE_OTHER: EventCause
DIRECTIVE_KIND_UNSPECIFIED: DirectiveKind
DIRECTIVE_KIND_SUSPEND_PREFIX: DirectiveKind
DIRECTIVE_KIND_RESUME_PREFIX: DirectiveKind
DIRECTIVE_KIND_CANCEL_PREFIX: DirectiveKind
DIRECTIVE_KIND_RESYNC: DirectiveKind
DIRECTIVE_KIND_AUDIT_SAMPLE: DirectiveKind
DIRECTIVE_KIND_ROUTE_UNREACHABLE: DirectiveKind
DIRECTIVE_KIND_QUOTA_CHANGED: DirectiveKind
DIRECTIVE_KIND_RECTIFY: DirectiveKind
DIRECTIVE_KIND_FREEZE_IDENTIFIERS: DirectiveKind

class OpenSessionRequest(_message.Message):
    __slots__ = ("node_id", "prefixes", "software", "log_verifier_key")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    LOG_VERIFIER_KEY_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    prefixes: _containers.RepeatedScalarFieldContainer[str]
    software: str
    log_verifier_key: str
    def __init__(self, node_id: _Optional[str] = ..., prefixes: _Optional[_Iterable[str]] = ..., software: _Optional[str] = ..., log_verifier_key: _Optional[str] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("token", "expires_at_ms", "server_time_ms", "capabilities", "position", "cosigner_verifier_key", "cosigned_note")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    COSIGNER_VERIFIER_KEY_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_NOTE_FIELD_NUMBER: _ClassVar[int]
    token: str
    expires_at_ms: int
    server_time_ms: int
    capabilities: Capabilities
    position: LogPosition
    cosigner_verifier_key: str
    cosigned_note: bytes
    def __init__(self, token: _Optional[str] = ..., expires_at_ms: _Optional[int] = ..., server_time_ms: _Optional[int] = ..., capabilities: _Optional[_Union[Capabilities, _Mapping]] = ..., position: _Optional[_Union[LogPosition, _Mapping]] = ..., cosigner_verifier_key: _Optional[str] = ..., cosigned_note: _Optional[bytes] = ...) -> None: ...

class Capabilities(_message.Message):
    __slots__ = ("max_batch", "window", "max_message_bytes", "digest_reconcile", "directives")
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_RECONCILE_FIELD_NUMBER: _ClassVar[int]
    DIRECTIVES_FIELD_NUMBER: _ClassVar[int]
    max_batch: int
    window: int
    max_message_bytes: int
    digest_reconcile: bool
    directives: bool
    def __init__(self, max_batch: _Optional[int] = ..., window: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., digest_reconcile: _Optional[bool] = ..., directives: _Optional[bool] = ...) -> None: ...

class LogPosition(_message.Message):
    __slots__ = ("size", "root", "cosigned_size")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    root: bytes
    cosigned_size: int
    def __init__(self, size: _Optional[int] = ..., root: _Optional[bytes] = ..., cosigned_size: _Optional[int] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("node_id", "at_ms", "state", "log_size", "acknowledged_size", "oldest_unacknowledged_ms")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SIZE_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNACKNOWLEDGED_MS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    at_ms: int
    state: HealthState
    log_size: int
    acknowledged_size: int
    oldest_unacknowledged_ms: int
    def __init__(self, node_id: _Optional[str] = ..., at_ms: _Optional[int] = ..., state: _Optional[_Union[HealthState, str]] = ..., log_size: _Optional[int] = ..., acknowledged_size: _Optional[int] = ..., oldest_unacknowledged_ms: _Optional[int] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("server_time_ms", "position", "waiting_directives", "capabilities")
    SERVER_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WAITING_DIRECTIVES_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    server_time_ms: int
    position: LogPosition
    waiting_directives: int
    capabilities: Capabilities
    def __init__(self, server_time_ms: _Optional[int] = ..., position: _Optional[_Union[LogPosition, _Mapping]] = ..., waiting_directives: _Optional[int] = ..., capabilities: _Optional[_Union[Capabilities, _Mapping]] = ...) -> None: ...

class SyncLogRequest(_message.Message):
    __slots__ = ("batch", "checkpoint")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    batch: Batch
    checkpoint: CheckpointOffer
    def __init__(self, batch: _Optional[_Union[Batch, _Mapping]] = ..., checkpoint: _Optional[_Union[CheckpointOffer, _Mapping]] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("batch_id", "first_index", "entries")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    first_index: int
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, batch_id: _Optional[int] = ..., first_index: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("leaf", "opening")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    leaf: bytes
    opening: Opening
    def __init__(self, leaf: _Optional[bytes] = ..., opening: _Optional[_Union[Opening, _Mapping]] = ...) -> None: ...

class Opening(_message.Message):
    __slots__ = ("salt", "withheld_digest", "shared")
    SALT_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    salt: bytes
    withheld_digest: bytes
    shared: bytes
    def __init__(self, salt: _Optional[bytes] = ..., withheld_digest: _Optional[bytes] = ..., shared: _Optional[bytes] = ...) -> None: ...

class CheckpointOffer(_message.Message):
    __slots__ = ("note", "old_size", "consistency_path")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_PATH_FIELD_NUMBER: _ClassVar[int]
    note: bytes
    old_size: int
    consistency_path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, note: _Optional[bytes] = ..., old_size: _Optional[int] = ..., consistency_path: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SyncLogResponse(_message.Message):
    __slots__ = ("batch", "checkpoint")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    batch: BatchResult
    checkpoint: CheckpointResult
    def __init__(self, batch: _Optional[_Union[BatchResult, _Mapping]] = ..., checkpoint: _Optional[_Union[CheckpointResult, _Mapping]] = ...) -> None: ...

class BatchResult(_message.Message):
    __slots__ = ("batch_id", "acknowledged_size", "refused", "received_at_ms", "receipt_id")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SIZE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_ID_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    acknowledged_size: int
    refused: _containers.RepeatedCompositeFieldContainer[ItemResult]
    received_at_ms: int
    receipt_id: str
    def __init__(self, batch_id: _Optional[int] = ..., acknowledged_size: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[ItemResult, _Mapping]]] = ..., received_at_ms: _Optional[int] = ..., receipt_id: _Optional[str] = ...) -> None: ...

class ItemResult(_message.Message):
    __slots__ = ("index", "code", "message")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    index: int
    code: ItemCode
    message: str
    def __init__(self, index: _Optional[int] = ..., code: _Optional[_Union[ItemCode, str]] = ..., message: _Optional[str] = ...) -> None: ...

class CheckpointResult(_message.Message):
    __slots__ = ("code", "size", "signature_line", "accepted_records", "message", "cosigned_note")
    CODE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_LINE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_RECORDS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_NOTE_FIELD_NUMBER: _ClassVar[int]
    code: CheckpointCode
    size: int
    signature_line: bytes
    accepted_records: int
    message: str
    cosigned_note: bytes
    def __init__(self, code: _Optional[_Union[CheckpointCode, str]] = ..., size: _Optional[int] = ..., signature_line: _Optional[bytes] = ..., accepted_records: _Optional[int] = ..., message: _Optional[str] = ..., cosigned_note: _Optional[bytes] = ...) -> None: ...

class RetryItemsRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[RetryItem]
    def __init__(self, items: _Optional[_Iterable[_Union[RetryItem, _Mapping]]] = ...) -> None: ...

class RetryItem(_message.Message):
    __slots__ = ("index", "opening")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    index: int
    opening: Opening
    def __init__(self, index: _Optional[int] = ..., opening: _Optional[_Union[Opening, _Mapping]] = ...) -> None: ...

class RetryItemsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ItemResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ItemResult, _Mapping]]] = ...) -> None: ...

class IssueReceiptRequest(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    def __init__(self, size: _Optional[int] = ...) -> None: ...

class IssueReceiptResponse(_message.Message):
    __slots__ = ("note",)
    NOTE_FIELD_NUMBER: _ClassVar[int]
    note: bytes
    def __init__(self, note: _Optional[bytes] = ...) -> None: ...

class PutTemplateRequest(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: Template
    def __init__(self, template: _Optional[_Union[Template, _Mapping]] = ...) -> None: ...

class Template(_message.Message):
    __slots__ = ("name", "version", "object_class", "body", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OBJECT_CLASS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    object_class: str
    body: bytes
    digest: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., object_class: _Optional[str] = ..., body: _Optional[bytes] = ..., digest: _Optional[str] = ...) -> None: ...

class PutTemplateResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class PutRouteRequest(_message.Message):
    __slots__ = ("route",)
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    route: Route
    def __init__(self, route: _Optional[_Union[Route, _Mapping]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("prefix", "scheme", "endpoints", "revision", "public_key")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    scheme: Scheme
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    revision: int
    public_key: bytes
    def __init__(self, prefix: _Optional[str] = ..., scheme: _Optional[_Union[Scheme, str]] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., revision: _Optional[int] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("address", "transport", "port")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    address: str
    transport: Transport
    port: int
    def __init__(self, address: _Optional[str] = ..., transport: _Optional[_Union[Transport, str]] = ..., port: _Optional[int] = ...) -> None: ...

class PutRouteResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class PutProfileRequest(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: Profile
    def __init__(self, profile: _Optional[_Union[Profile, _Mapping]] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("revision", "fields")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REVISION_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    fields: _containers.ScalarMap[str, str]
    def __init__(self, revision: _Optional[int] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PutProfileResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class GetPrefixRequest(_message.Message):
    __slots__ = ("prefix",)
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    def __init__(self, prefix: _Optional[str] = ...) -> None: ...

class GetPrefixResponse(_message.Message):
    __slots__ = ("prefix", "state", "registration_quota", "live_records")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_QUOTA_FIELD_NUMBER: _ClassVar[int]
    LIVE_RECORDS_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    state: PrefixState
    registration_quota: int
    live_records: int
    def __init__(self, prefix: _Optional[str] = ..., state: _Optional[_Union[PrefixState, str]] = ..., registration_quota: _Optional[int] = ..., live_records: _Optional[int] = ...) -> None: ...

class GetRecordRequest(_message.Message):
    __slots__ = ("identifier",)
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    identifier: str
    def __init__(self, identifier: _Optional[str] = ...) -> None: ...

class GetRecordResponse(_message.Message):
    __slots__ = ("found", "index", "shared")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    found: bool
    index: int
    shared: bytes
    def __init__(self, found: _Optional[bool] = ..., index: _Optional[int] = ..., shared: _Optional[bytes] = ...) -> None: ...

class ReconcileRequest(_message.Message):
    __slots__ = ("prefix", "as_of_size", "digits", "buckets", "list_buckets")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    AS_OF_SIZE_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    LIST_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    as_of_size: int
    digits: int
    buckets: _containers.RepeatedCompositeFieldContainer[Bucket]
    list_buckets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, prefix: _Optional[str] = ..., as_of_size: _Optional[int] = ..., digits: _Optional[int] = ..., buckets: _Optional[_Iterable[_Union[Bucket, _Mapping]]] = ..., list_buckets: _Optional[_Iterable[str]] = ...) -> None: ...

class Bucket(_message.Message):
    __slots__ = ("name", "count", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    count: int
    digest: bytes
    def __init__(self, name: _Optional[str] = ..., count: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class ReconcileResponse(_message.Message):
    __slots__ = ("size", "total", "differing", "records")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    size: int
    total: int
    differing: _containers.RepeatedScalarFieldContainer[str]
    records: _containers.RepeatedCompositeFieldContainer[RecordDigest]
    def __init__(self, size: _Optional[int] = ..., total: _Optional[int] = ..., differing: _Optional[_Iterable[str]] = ..., records: _Optional[_Iterable[_Union[RecordDigest, _Mapping]]] = ...) -> None: ...

class RecordDigest(_message.Message):
    __slots__ = ("identifier", "digest", "index")
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    identifier: str
    digest: bytes
    index: int
    def __init__(self, identifier: _Optional[str] = ..., digest: _Optional[bytes] = ..., index: _Optional[int] = ...) -> None: ...

class WithdrawRecordsRequest(_message.Message):
    __slots__ = ("identifiers", "reason")
    IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    identifiers: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    def __init__(self, identifiers: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class WithdrawRecordsResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class ReportDayRequest(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: DayReport
    def __init__(self, report: _Optional[_Union[DayReport, _Mapping]] = ...) -> None: ...

class DayReport(_message.Message):
    __slots__ = ("prefix", "day", "revision", "registered_new", "registered_total", "registered_cumulative", "resolve_requests", "resolve_hits", "sources", "channels", "hourly_requests", "resolving", "registering", "max_per_second", "max_per_second_at_ms", "self_test_requests", "reason")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_NEW_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_CUMULATIVE_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_HITS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    HOURLY_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    RESOLVING_FIELD_NUMBER: _ClassVar[int]
    REGISTERING_FIELD_NUMBER: _ClassVar[int]
    MAX_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MAX_PER_SECOND_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SELF_TEST_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    day: str
    revision: int
    registered_new: int
    registered_total: int
    registered_cumulative: int
    resolve_requests: int
    resolve_hits: int
    sources: _containers.RepeatedCompositeFieldContainer[SourceCount]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelCount]
    hourly_requests: _containers.RepeatedScalarFieldContainer[int]
    resolving: Performance
    registering: Performance
    max_per_second: int
    max_per_second_at_ms: int
    self_test_requests: int
    reason: str
    def __init__(self, prefix: _Optional[str] = ..., day: _Optional[str] = ..., revision: _Optional[int] = ..., registered_new: _Optional[int] = ..., registered_total: _Optional[int] = ..., registered_cumulative: _Optional[int] = ..., resolve_requests: _Optional[int] = ..., resolve_hits: _Optional[int] = ..., sources: _Optional[_Iterable[_Union[SourceCount, _Mapping]]] = ..., channels: _Optional[_Iterable[_Union[ChannelCount, _Mapping]]] = ..., hourly_requests: _Optional[_Iterable[int]] = ..., resolving: _Optional[_Union[Performance, _Mapping]] = ..., registering: _Optional[_Union[Performance, _Mapping]] = ..., max_per_second: _Optional[int] = ..., max_per_second_at_ms: _Optional[int] = ..., self_test_requests: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SourceCount(_message.Message):
    __slots__ = ("source", "requests", "hits")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    source: str
    requests: int
    hits: int
    def __init__(self, source: _Optional[str] = ..., requests: _Optional[int] = ..., hits: _Optional[int] = ...) -> None: ...

class ChannelCount(_message.Message):
    __slots__ = ("channel", "requests", "hits")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    channel: str
    requests: int
    hits: int
    def __init__(self, channel: _Optional[str] = ..., requests: _Optional[int] = ..., hits: _Optional[int] = ...) -> None: ...

class Performance(_message.Message):
    __slots__ = ("average_ms", "max_ms", "max_at_ms", "min_ms", "min_at_ms")
    AVERAGE_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_AT_MS_FIELD_NUMBER: _ClassVar[int]
    MIN_MS_FIELD_NUMBER: _ClassVar[int]
    MIN_AT_MS_FIELD_NUMBER: _ClassVar[int]
    average_ms: float
    max_ms: float
    max_at_ms: int
    min_ms: float
    min_at_ms: int
    def __init__(self, average_ms: _Optional[float] = ..., max_ms: _Optional[float] = ..., max_at_ms: _Optional[int] = ..., min_ms: _Optional[float] = ..., min_at_ms: _Optional[int] = ...) -> None: ...

class ReportDayResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class ReportEventRequest(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: NodeEvent
    def __init__(self, event: _Optional[_Union[NodeEvent, _Mapping]] = ...) -> None: ...

class NodeEvent(_message.Message):
    __slots__ = ("event_id", "clears_event_id", "type", "cause", "occurred_at_ms", "detail")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLEARS_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    clears_event_id: str
    type: EventType
    cause: EventCause
    occurred_at_ms: int
    detail: str
    def __init__(self, event_id: _Optional[str] = ..., clears_event_id: _Optional[str] = ..., type: _Optional[_Union[EventType, str]] = ..., cause: _Optional[_Union[EventCause, str]] = ..., occurred_at_ms: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class ReportEventResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class WatchDirectivesRequest(_message.Message):
    __slots__ = ("node_id", "after_directive_id")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_DIRECTIVE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    after_directive_id: str
    def __init__(self, node_id: _Optional[str] = ..., after_directive_id: _Optional[str] = ...) -> None: ...

class WatchDirectivesResponse(_message.Message):
    __slots__ = ("directive",)
    DIRECTIVE_FIELD_NUMBER: _ClassVar[int]
    directive: Directive
    def __init__(self, directive: _Optional[_Union[Directive, _Mapping]] = ...) -> None: ...

class Directive(_message.Message):
    __slots__ = ("id", "issued_at_ms", "kind", "prefix", "identifiers", "from_index", "to_index", "reason", "due_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    FROM_INDEX_FIELD_NUMBER: _ClassVar[int]
    TO_INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    issued_at_ms: int
    kind: DirectiveKind
    prefix: str
    identifiers: _containers.RepeatedScalarFieldContainer[str]
    from_index: int
    to_index: int
    reason: str
    due_at_ms: int
    def __init__(self, id: _Optional[str] = ..., issued_at_ms: _Optional[int] = ..., kind: _Optional[_Union[DirectiveKind, str]] = ..., prefix: _Optional[str] = ..., identifiers: _Optional[_Iterable[str]] = ..., from_index: _Optional[int] = ..., to_index: _Optional[int] = ..., reason: _Optional[str] = ..., due_at_ms: _Optional[int] = ...) -> None: ...

class AcknowledgeDirectiveRequest(_message.Message):
    __slots__ = ("id", "accepted", "note", "acknowledged_by", "samples")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    id: str
    accepted: bool
    note: str
    acknowledged_by: str
    samples: _containers.RepeatedCompositeFieldContainer[RecordDigest]
    def __init__(self, id: _Optional[str] = ..., accepted: _Optional[bool] = ..., note: _Optional[str] = ..., acknowledged_by: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[RecordDigest, _Mapping]]] = ...) -> None: ...

class AcknowledgeDirectiveResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("id", "accepted", "code", "message", "at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    accepted: bool
    code: str
    message: str
    at_ms: int
    def __init__(self, id: _Optional[str] = ..., accepted: _Optional[bool] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...
