"""Why a request is refused: the errors of this package, and what response code each error is.

Operations raise classes of `node.errors`; faces that speak response codes (the binary protocol and
the JSON API) translate here, so both say the same. Clients know some texts of the Handle.Net
software by heart: those are kept word for word, and go out in English alone.
"""

from __future__ import annotations

from node.errors import (
    AccessDenied,
    AlreadyRegistered,
    Conflict,
    IntegrityFailure,
    InvalidInput,
    LimitExceeded,
    MalformedIdentifier,
    NotAuthenticated,
    NotFound,
    Overloaded,
    Unavailable,
    WrongState,
    XibiaoError,
)
from resolver.handle.codes import ResponseCode

AUTHENTICATION_NEEDED = "handle_authentication_needed"
FOREIGN_KEY = "handle_foreign_key"
PREFIX_NOT_HERE = "prefix_not_here"
REVISION_PASSED = "revision_passed"

# By the error's code, the errors of this package and those of others that need it.
_BY_CODE = {
    "handle_message": ResponseCode.PROTOCOL_ERROR,
    "handle_interface": ResponseCode.PROTOCOL_ERROR,
    "handle_operation": ResponseCode.OPERATION_NOT_SUPPORTED,
    "handle_not_found": ResponseCode.HANDLE_NOT_FOUND,
    "handle_name": ResponseCode.INVALID_HANDLE,
    "handle_values_not_found": ResponseCode.VALUES_NOT_FOUND,
    "handle_index_taken": ResponseCode.VALUE_ALREADY_EXISTS,
    "handle_value": ResponseCode.INVALID_VALUE,
    PREFIX_NOT_HERE: ResponseCode.SERVER_NOT_RESPONSIBLE,
    "handle_not_administrator": ResponseCode.NOT_AN_ADMINISTRATOR,
    AUTHENTICATION_NEEDED: ResponseCode.AUTHENTICATION_NEEDED,
    "handle_proof": ResponseCode.AUTHENTICATION_FAILED,
    "handle_credential": ResponseCode.INVALID_CREDENTIAL,
    "handle_challenge": ResponseCode.AUTHENTICATION_TIMEOUT,
    FOREIGN_KEY: ResponseCode.CANNOT_AUTHENTICATE,
    "handle_session": ResponseCode.SESSION_TIMEOUT,
    "handle_session_setup": ResponseCode.SESSION_FAILED,
    "handle_session_mac": ResponseCode.INVALID_SESSION_KEY,
    "handle_session_request": ResponseCode.INVALID_SESSION_SETUP,
    "handle_rsa_key": ResponseCode.RSA_KEY_NEEDED,
    "handle_session_replay": ResponseCode.SESSION_MESSAGE_REJECTED,
    REVISION_PASSED: ResponseCode.SERVER_BUSY,
}
# By class otherwise; the first that fits.
_BY_CLASS: tuple[tuple[type[XibiaoError], ResponseCode], ...] = (
    (MalformedIdentifier, ResponseCode.INVALID_HANDLE),
    (InvalidInput, ResponseCode.INVALID_VALUE),
    (LimitExceeded, ResponseCode.INVALID_VALUE),
    (NotFound, ResponseCode.HANDLE_NOT_FOUND),
    (AlreadyRegistered, ResponseCode.HANDLE_ALREADY_EXISTS),
    (WrongState, ResponseCode.INSUFFICIENT_PERMISSION),
    (NotAuthenticated, ResponseCode.AUTHENTICATION_FAILED),
    (AccessDenied, ResponseCode.INSUFFICIENT_PERMISSION),
    (Overloaded, ResponseCode.SERVER_BUSY),
    (Unavailable, ResponseCode.SERVER_BUSY),
    (IntegrityFailure, ResponseCode.ERROR),
)
_WITHOUT_TEXT = frozenset({ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND})


def response_code(error: XibiaoError) -> ResponseCode:
    """Return the response code that an error is to clients."""
    known = _BY_CODE.get(error.code)
    if known is not None:
        return known
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), ResponseCode.ERROR)


def response_text(error: XibiaoError) -> str:
    """Return the text of an error reply; "" where clients are used to none."""
    code = response_code(error)
    if code in _WITHOUT_TEXT:
        return ""
    if error.code in _BY_CODE:
        return error.en
    faults = "".join(f"; {problem.field}: {problem.en}" for problem in error.problems[:3])
    return f"{error.zh} / {error.en}{faults}"


def is_authentication_needed(error: XibiaoError) -> bool:
    """Say whether the asker may go on once he has proved who he is."""
    return error.code == AUTHENTICATION_NEEDED


def authentication_needed() -> NotAuthenticated:
    """Return the error of an operation that needs to know who asks."""
    return NotAuthenticated("须先验证身份", "Authentication is needed", code=AUTHENTICATION_NEEDED)


def prefix_not_here() -> NotFound:
    """Return the error for a handle of a prefix that this node does not serve."""
    return NotFound("本节点不负责该前缀", "That prefix doesn't live here", code=PREFIX_NOT_HERE)


def handle_not_found() -> NotFound:
    """Return the error for a handle without a record."""
    return NotFound("未查询到该标识", "Handle not found", code="handle_not_found")


def handle_taken() -> AlreadyRegistered:
    """Return the error for creating what exists."""
    return AlreadyRegistered("该标识已登记", "Handle already exists")


def values_not_found() -> NotFound:
    """Return the error for values that a record does not have, or does not show."""
    return NotFound("未查询到该值", "Values not found", code="handle_values_not_found")


def index_taken(index: int) -> Conflict:
    """Return the error for an index that is used already or twice."""
    return Conflict(f"索引 {index} 冲突", f"Index conflict for {index}", code="handle_index_taken")


def invalid_value(zh: str, en: str) -> InvalidInput:
    """Return the error for a value that no record can hold."""
    return InvalidInput(zh, en, code="handle_value")


def invalid_name() -> InvalidInput:
    """Return the error for a handle that is not UTF-8."""
    return InvalidInput("标识不是有效的 UTF-8", "Invalid UTF8 encoding", code="handle_name")


def not_an_administrator() -> AccessDenied:
    """Return the error for who has no right here at all."""
    return AccessDenied(
        "不是该标识的管理员",
        "The authenticated key is not an administrator here",
        code="handle_not_administrator",
    )


def right_missing() -> AccessDenied:
    """Return the error for an administrator without the right needed."""
    return AccessDenied("管理员缺少所需权限", "The administrator lacks the needed permission")


def value_read_only() -> AccessDenied:
    """Return the error for changing a value that nobody may change."""
    return AccessDenied("该值为只读", "Value is read-only")


def not_supported(zh: str, en: str) -> InvalidInput:
    """Return the error for an operation that this server does not do."""
    return InvalidInput(zh, en, code="handle_operation")


def invalid_credential(zh: str, en: str) -> NotAuthenticated:
    """Return the error for a proof of a form that cannot be judged."""
    return NotAuthenticated(zh, en, code="handle_credential")


def setup_failed(zh: str, en: str) -> InvalidInput:
    """Return the error for a session that cannot be set up."""
    return InvalidInput(zh, en, code="handle_session_setup")


def unknown_session() -> NotAuthenticated:
    """Return the error for a session that there is not, or not any more."""
    return NotAuthenticated(
        "会话不存在或已过期",
        "Invalid session id or session time out. Please try again.",
        code="handle_session",
    )


def missing_mac() -> NotAuthenticated:
    """Return the error for a message that does not prove to come from the session's peer."""
    return NotAuthenticated(
        "会话消息缺少 MAC", "Session request missing MAC code.", code="handle_credential"
    )


def wrong_mac() -> NotAuthenticated:
    """Return the error for a message that somebody else made."""
    return NotAuthenticated(
        "会话消息验证失败", "Session authentication failed.", code="handle_session_mac"
    )


def replayed() -> NotAuthenticated:
    """Return the error for a message that has been seen before."""
    return NotAuthenticated(
        "会话消息重复", "Session message was received before.", code="handle_session_replay"
    )


def foreign_key() -> NotAuthenticated:
    """Return the error for a key that another node holds and that cannot be had from there."""
    return NotAuthenticated(
        "无法从其他节点取得该密钥",
        "Unable to resolve the authentication key at its own server",
        code=FOREIGN_KEY,
    )


def unknown_challenge() -> NotAuthenticated:
    """Return the error for the answer to a challenge that is not waited for, or not any more."""
    return NotAuthenticated(
        "该质询不存在或已过期", "Unknown challenge, or answered too late", code="handle_challenge"
    )
