"""The numbers of the Handle protocol: operations, response codes, flags, interfaces, limits.

Sources: RFC 3652 §2.2 and the Handle.Net software 9, which added the codes from 5 upwards that the
RFC lacks; where they differ the deployed meaning stands. 2001 and 601 to 605 belong to the IDIS
dialect. Messages carry plain integers, so that an unknown number survives decoding; the
enumerations compare equal to them.
"""

from __future__ import annotations

from enum import IntEnum

DEFAULT_PORT = 2641

MAX_MESSAGE_BYTES = 262_144  # after the envelope
MAX_DATAGRAM_BYTES = 512
MAX_DATAGRAM_DATA_BYTES = 492
MAX_HANDLE_BYTES = 2048  # what clients accept in a reply
MAX_VALUES = 2048  # what clients accept in a reply
MAX_RECURSION = 10

BLANK_HANDLE = "/"
UNKNOWN_SITE_SERIAL = 0xFFFF
ANONYMOUS_INDEX = -1
EXPIRATION_S = 43_200


class OpCode(IntEnum):
    """What a message asks for; a reply repeats it (RFC 3652 §2.2.2.1)."""

    RESOLUTION = 1
    GET_SITE_INFO = 2
    CREATE_HANDLE = 100
    DELETE_HANDLE = 101
    ADD_VALUE = 102
    REMOVE_VALUE = 103
    MODIFY_VALUE = 104
    LIST_HANDLES = 105
    LIST_DERIVED_PREFIXES = 106
    RESPONSE_TO_CHALLENGE = 200
    VERIFY_CHALLENGE = 201
    HOME_PREFIX = 300
    UNHOME_PREFIX = 301
    LIST_HOMED_PREFIXES = 302
    SESSION_SETUP = 400
    SESSION_TERMINATE = 401
    SESSION_EXCHANGE_KEY = 402
    GET_NEXT_TRANSACTION_ID = 1000
    RETRIEVE_TRANSACTION_LOG = 1001
    DUMP_HANDLES = 1002
    BACKUP_SERVER = 1003
    IDIS_LOGIN = 2001


class ResponseCode(IntEnum):
    """How a request ended; 0 marks a request (RFC 3652 §2.2.2.2)."""

    REQUEST = 0
    SUCCESS = 1
    ERROR = 2
    SERVER_BUSY = 3
    PROTOCOL_ERROR = 4
    OPERATION_NOT_SUPPORTED = 5
    RECURSION_TOO_HIGH = 6
    SERVER_READ_ONLY = 7
    HANDLE_NOT_FOUND = 100
    HANDLE_ALREADY_EXISTS = 101
    INVALID_HANDLE = 102
    VALUES_NOT_FOUND = 200
    VALUE_ALREADY_EXISTS = 201
    INVALID_VALUE = 202
    SITE_INFO_OUT_OF_DATE = 300
    SERVER_NOT_RESPONSIBLE = 301
    SERVICE_REFERRAL = 302
    PREFIX_REFERRAL = 303
    NOT_AN_ADMINISTRATOR = 400
    INSUFFICIENT_PERMISSION = 401
    AUTHENTICATION_NEEDED = 402
    AUTHENTICATION_FAILED = 403
    INVALID_CREDENTIAL = 404
    AUTHENTICATION_TIMEOUT = 405
    CANNOT_AUTHENTICATE = 406
    SESSION_TIMEOUT = 500
    SESSION_FAILED = 501
    INVALID_SESSION_KEY = 502
    RSA_KEY_NEEDED = 503
    INVALID_SESSION_SETUP = 504
    SESSION_MESSAGE_REJECTED = 505
    IDIS_CHANNEL_ERROR = 601
    IDIS_TIMEOUT = 602
    IDIS_DAILY_LIMIT = 603
    IDIS_REGISTRATION_LIMIT = 604
    IDIS_PREFIX_LIMIT = 605


class OpFlag(IntEnum):
    """Bits of the header's OpFlag word (RFC 3652 §2.2.2.3); MINT and DO_NOT_REFER are later."""

    AUTHORITATIVE = 0x8000_0000
    CERTIFIED = 0x4000_0000
    ENCRYPTED = 0x2000_0000
    RECURSIVE = 0x1000_0000
    CACHE_CERTIFIED = 0x0800_0000
    CONTINUOUS = 0x0400_0000
    KEEP_CONNECTION = 0x0200_0000
    PUBLIC_ONLY = 0x0100_0000
    REQUEST_DIGEST = 0x0080_0000
    OVERWRITE = 0x0040_0000
    MINT_SUFFIX = 0x0020_0000
    DO_NOT_REFER = 0x0010_0000


class EnvelopeFlag(IntEnum):
    """The upper three bits of the envelope's third byte."""

    COMPRESSED = 0x80
    ENCRYPTED = 0x40
    TRUNCATED = 0x20


class Permission(IntEnum):
    """Bits of an HS_ADMIN value (RFC 3651 §3.2.1); the last is of DO-IRP 3.0."""

    ADD_HANDLE = 0x0001
    DELETE_HANDLE = 0x0002
    ADD_DERIVED_PREFIX = 0x0004
    DELETE_DERIVED_PREFIX = 0x0008
    MODIFY_VALUE = 0x0010
    REMOVE_VALUE = 0x0020
    ADD_VALUE = 0x0040
    MODIFY_ADMIN = 0x0080
    REMOVE_ADMIN = 0x0100
    ADD_ADMIN = 0x0200
    READ_VALUES = 0x0400
    LIST_HANDLES = 0x0800
    LIST_DERIVED_PREFIXES = 0x1000


ALL_PERMISSIONS = 0x0FFF


class KeyExchange(IntEnum):
    """How a session agrees on its key; deployed peers complete only Diffie-Hellman."""

    CLIENT_RSA = 1
    SERVER_RSA = 2
    HANDLE_KEY = 3
    DIFFIE_HELLMAN = 4


class CipherNumber(IntEnum):
    """Encryption of a session; SM4 belongs to the IDIS dialect."""

    DES = 1
    TRIPLE_DES = 2
    AES = 3
    SM4 = 4


class InterfaceKind(IntEnum):
    """What an interface of an HS_SITE serves (the reverse of RFC 3651 §3.2.2)."""

    OFF = 0
    ADMINISTRATION = 1
    RESOLUTION = 2
    BOTH = 3


class Transport(IntEnum):
    """How an interface of an HS_SITE is reached."""

    UDP = 0
    TCP = 1
    HTTP = 2
    HTTPS = 3
