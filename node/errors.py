"""Every error the product raises on purpose, in one tree.

    XibiaoError
    ├── InvalidInput            the caller's data is wrong; nothing changed        (400/422)
    │   ├── MalformedIdentifier   the text is no identifier of the scheme
    │   └── IdempotencyMismatch   same Idempotency-Key, other request body
    ├── NotFound                no such identifier, prefix, template, job …
    ├── Conflict                the state of the register forbids it
    │   ├── AlreadyRegistered     the identifier has a live record with other content
    │   └── WrongState            e.g. resume of a record that is not suspended
    ├── AccessDenied            the caller may not do this
    │   └── NotAuthenticated      no key, or no valid key
    ├── Overloaded              a bounded queue is full; try again after `retry_after_s`
    ├── LimitExceeded           a size, count or depth limit was passed
    ├── Unavailable             a part this needs is down; nothing is known to be wrong
    └── IntegrityFailure        stored or received data contradicts itself; never ignored
        ├── ProofInvalid          inclusion, consistency or signature does not verify
        └── SequencerFenced       another sequencer owns the log

Errors carry a stable `code`, a Chinese and an English sentence and, where the fault lies in the
caller's data, the problems found field by field. They carry no status codes: each face (HTTP,
command line, later Handle, DNS, gRPC) owns exactly one translator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in the caller's data.

    `field` is a path such as `attributes.net_kg` or `items[3].identifier` ("" for the whole input);
    `code` is stable (`required`, `not_a_number`, `check_character` …); `zh` and `en` say what is
    wrong and what would be right; `suggestion` is a value a person may accept, or "".
    """

    field: str
    code: str
    zh: str
    en: str
    suggestion: str = ""


class XibiaoError(Exception):
    """Root of the tree. `code` is stable across releases; texts are not."""

    code = "internal"
    zh = "内部错误"
    en = "Internal error"

    def __init__(
        self, zh: str = "", en: str = "", *, code: str = "", problems: Sequence[Problem] = ()
    ) -> None:
        self.zh = zh or type(self).zh
        self.en = en or type(self).en
        self.code = code or type(self).code
        self.problems = tuple(problems)
        super().__init__(self.en)


class InvalidInput(XibiaoError):
    code, zh, en = "invalid_input", "输入有误", "The input is not valid"


class MalformedIdentifier(InvalidInput):
    code, zh, en = "malformed_identifier", "标识格式有误", "The identifier is malformed"


class IdempotencyMismatch(InvalidInput):
    code = "idempotency_mismatch"
    zh = "同一 Idempotency-Key 已用于内容不同的请求"
    en = "This Idempotency-Key was used before with a different request"


class NotFound(XibiaoError):
    code, zh, en = "not_found", "未查询到", "Not found"


class Conflict(XibiaoError):
    code, zh, en = "conflict", "与现有状态冲突", "In conflict with the current state"


class AlreadyRegistered(Conflict):
    code, zh, en = "already_registered", "该标识已登记", "The identifier is already registered"


class WrongState(Conflict):
    code, zh, en = "wrong_state", "当前状态不允许此操作", "The current state does not allow this"


class AccessDenied(XibiaoError):
    code, zh, en = "access_denied", "没有权限", "Access denied"


class NotAuthenticated(AccessDenied):
    code, zh, en = "not_authenticated", "缺少有效的接口密钥", "A valid API key is required"


class Overloaded(XibiaoError):
    """A bounded queue is full. The caller should repeat the same request after `retry_after_s`."""

    code, zh, en = "overloaded", "系统繁忙,请稍后重试", "Overloaded, please retry later"

    def __init__(self, zh: str = "", en: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(zh, en)
        self.retry_after_s = retry_after_s


class LimitExceeded(XibiaoError):
    code, zh, en = "limit_exceeded", "超出限制", "A limit was exceeded"


class Unavailable(XibiaoError):
    code, zh, en = "unavailable", "服务暂不可用", "Temporarily unavailable"


class IntegrityFailure(XibiaoError):
    code, zh, en = "integrity_failure", "数据完整性校验失败", "Stored data contradicts itself"


class ProofInvalid(IntegrityFailure):
    code, zh, en = "proof_invalid", "证明未通过验证", "The proof does not verify"


class SequencerFenced(IntegrityFailure):
    code, zh, en = "sequencer_fenced", "另一个定序进程正在运行", "Another sequencer owns the log"
