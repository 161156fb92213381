"""What a sentence of the SNMS interface means: one status (-2) covers every kind of refusal (pure).

The table is read from its top, the first pattern that is found decides: "索引2001在模板中不存在"
speaks of a template, not of an absent identifier. What no pattern knows is for a person to judge.
"""

from __future__ import annotations

import re
from enum import StrEnum

LONGEST_READ = 400  # nobody needs more of a sentence, and patterns cost time


class Meaning(StrEnum):
    """What a sentence says."""

    DONE = "done"
    SILENT = "silent"
    EXISTS = "exists"
    ABSENT = "absent"
    TEMPLATE_MISMATCH = "template_mismatch"
    TEMPLATE_MISSING = "template_missing"
    CREDENTIALS = "credentials"
    NOT_LOGGED_IN = "not_logged_in"
    BUSY = "busy"
    TOO_MANY = "too_many"
    QUOTA = "quota"
    PREFIX_SUSPENDED = "prefix_suspended"
    NOT_YOURS = "not_yours"
    INVALID = "invalid"
    UNKNOWN = "unknown"


# 603, 604, 605 of the native protocol: the quotas of a company, a prefix and a period.
_QUOTA_CODES = frozenset({603, 604, 605})

_SENTENCES: tuple[tuple[Meaning, str], ...] = (
    (Meaning.DONE, r"^(success|ok|(操作|处理|注册|更新|修改|删除|新增)?成功)[!！。.]?$"),
    (
        Meaning.TEMPLATE_MISMATCH,
        r"(索引|index|类型|type|属性|字段).*模板.*(不存在|不一致|不匹配|不符|未定义|没有|禁用)"
        r"|模板.*(索引|属性|字段|类型|index|type).*(不存在|不一致|不匹配|不符|未定义|禁用)"
        r"|与.*模板.*(不一致|不匹配|不符)",
    ),
    (
        Meaning.TEMPLATE_MISSING,
        r"模板.{0,40}(不存在|未找到|没有找到|未发布|未审核|已停用|已删除)"
        r"|(没有找到|未找到|找不到|查无).{0,20}模板",
    ),
    (
        Meaning.CREDENTIALS,
        r"用户名.{0,3}密码.{0,4}(错误|不正确|有误)|密码(错误|不正确|有误)|用户名?(不存在|错误)"
        r"|(账号|账户|用户).{0,4}(锁定|禁用|停用|不存在)",
    ),
    (
        Meaning.NOT_LOGGED_IN,
        r"未登录|请(先|重新)?登录|登录.{0,6}(失效|过期|超时)"
        r"|(token|令牌|会话|身份).{0,8}(失效|过期|无效|错误|为空|不存在)",
    ),
    (
        Meaning.BUSY,
        r"(系统|服务器?|网络|接口)(繁忙|忙碌|忙|维护|升级)|(稍后|稍候).{0,2}(再|重)?试"
        r"|(请求|访问).{0,3}(频繁|过多)|限流",
    ),
    (
        Meaning.TOO_MANY,
        r"(批量|单次|每次|一次|每批).*(最大|最多|不能超过|不得超过|不超过|超出|超过|上限)"
        r"|(最大|最多)支持\d+条",
    ),
    (
        Meaning.QUOTA,
        r"配额|额度|余额不足|(注册|标识).{0,6}(数量?|量|总数|总量).{0,6}(已达|达到|超|用完|不足|上限)"
        r"|(超出|超过|达到).{0,8}(许可|授权|上限)",
    ),
    (
        Meaning.EXISTS,
        r"已(经)?(存在|注册|被注册|被占用|登记)|(标识|前缀|模板).{0,12}重复|alreadyexist",
    ),
    (
        Meaning.PREFIX_SUSPENDED,
        r"(前缀|企业|节点).{0,20}(停用|冻结|暂停|注销|过期|失效|未启用|待删除|被禁用)",
    ),
    (
        Meaning.NOT_YOURS,
        r"(无|没有|缺少).{0,12}权限?|无权|越权|前缀.{0,20}(不属于|不一致|不匹配|不存在|错误|未找到)"
        r"|(不属于|不是).{0,8}(企业|前缀|用户|标识)",
    ),
    (Meaning.ABSENT, r"不存在|没有找到|未找到|找不到|查无|未注册|notfound"),
    (
        Meaning.INVALID,
        r"不能为空|为空|必填|缺少|格式|长度|过长|非法|不合法|参数|只支持|预留|校验|不允许",
    ),
)
_TABLE = tuple((meaning, re.compile(pattern, re.IGNORECASE)) for meaning, pattern in _SENTENCES)
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"\d{1,6}")


def meaning_of(message: str, code: int = 0) -> Meaning:
    """Return what a sentence means; `code` is the number that stands beside it, 0 for none."""
    if code in _QUOTA_CODES:
        return Meaning.QUOTA
    text = _SPACE.sub("", message[:LONGEST_READ])
    if not text:
        return Meaning.SILENT
    return next((meaning for meaning, found in _TABLE if found.search(text)), Meaning.UNKNOWN)


def stated_limit(message: str) -> int:
    """Return the highest number a sentence names, 0 when it names none."""
    return max((int(number) for number in _NUMBER.findall(message[:LONGEST_READ])), default=0)
