"""What the sentences of the SNMS interface mean; the first ones are from its public description."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.snms.messages import LONGEST_READ, Meaning, meaning_of, stated_limit

CORPUS = [
    ("success", Meaning.DONE),
    ("SUCCESS", Meaning.DONE),
    ("操作成功", Meaning.DONE),
    ("注册成功!", Meaning.DONE),
    ("", Meaning.SILENT),
    (" \n", Meaning.SILENT),
    ("标识已存在", Meaning.EXISTS),
    ("该标识已经注册", Meaning.EXISTS),
    ("标识 88.101.5/A1 重复", Meaning.EXISTS),
    ("模板已存在", Meaning.EXISTS),
    ("handle already exists", Meaning.EXISTS),
    ("没有找到标识", Meaning.ABSENT),
    ("标识不存在", Meaning.ABSENT),
    ("标识88.101.5/A1未注册", Meaning.ABSENT),
    ("非法操作，索引1000在模板中不存在", Meaning.TEMPLATE_MISMATCH),
    ("非法操作,索引 2001 在模板中不存在", Meaning.TEMPLATE_MISMATCH),
    ("索引2001的类型与模板不一致", Meaning.TEMPLATE_MISMATCH),
    ("属性lot_no与模板不匹配", Meaning.TEMPLATE_MISMATCH),
    ("模板ree-batch/1不存在", Meaning.TEMPLATE_MISSING),
    ("没有找到该版本的数据模板", Meaning.TEMPLATE_MISSING),
    ("模板未审核,请联系管理员", Meaning.TEMPLATE_MISSING),
    ("用户名/密码错误！", Meaning.CREDENTIALS),
    ("用户名或密码不正确", Meaning.CREDENTIALS),
    ("用户不存在", Meaning.CREDENTIALS),
    ("账号已锁定", Meaning.CREDENTIALS),
    ("用户未登录", Meaning.NOT_LOGGED_IN),
    ("token已失效,请重新登录", Meaning.NOT_LOGGED_IN),
    ("登录已过期", Meaning.NOT_LOGGED_IN),
    ("系统繁忙", Meaning.BUSY),
    ("系统繁忙,请稍后重试", Meaning.BUSY),
    ("请求过于频繁", Meaning.BUSY),
    ("批量注册最大支持2000条,超出限制", Meaning.TOO_MANY),
    ("单次不能超过100个标识", Meaning.TOO_MANY),
    ("注册配额已用完", Meaning.QUOTA),
    ("标识注册量已达上限", Meaning.QUOTA),
    ("该前缀剩余额度不足", Meaning.QUOTA),
    ("该前缀已停用", Meaning.PREFIX_SUSPENDED),
    ("企业已被冻结", Meaning.PREFIX_SUSPENDED),
    ("没有该前缀的操作权限", Meaning.NOT_YOURS),
    ("无权限", Meaning.NOT_YOURS),
    ("前缀88.101.5不存在", Meaning.NOT_YOURS),
    ("缺少必要的请求参数: handle", Meaning.INVALID),
    ("必填属性lot_no不能为空", Meaning.INVALID),
    ("标识长度不能超过255", Meaning.INVALID),
    ("属性lot_no的长度超出限制", Meaning.INVALID),
    ("标识属性内容格式只支持string", Meaning.INVALID),
    ("处理异常,代码E17", Meaning.UNKNOWN),
    ("NullPointerException", Meaning.UNKNOWN),
]


@pytest.mark.parametrize(("sentence", "meaning"), CORPUS)
def test_a_known_sentence_is_understood(sentence: str, meaning: Meaning) -> None:
    assert meaning_of(sentence) is meaning


@pytest.mark.parametrize("code", [603, 604, 605])
def test_quota_codes_count_whatever_the_sentence_says(code: int) -> None:
    assert meaning_of("系统提示", code) is Meaning.QUOTA


def test_other_codes_leave_it_to_the_sentence() -> None:
    assert meaning_of("标识不存在", -2) is Meaning.ABSENT
    assert meaning_of("success", 1) is Meaning.DONE


def test_a_refusal_that_begins_kindly_is_no_success() -> None:
    assert meaning_of("成功0条,失败1条") is not Meaning.DONE
    assert meaning_of("success: false") is not Meaning.DONE


@given(st.text(max_size=2_000))
def test_every_text_means_something(text: str) -> None:
    assert meaning_of(text) in Meaning
    assert stated_limit(text) >= 0


@pytest.mark.parametrize("piece", ["模板索引", "前缀", "批量", "注册标识", "没有", "a", " "])
def test_a_text_made_to_be_slow_is_cut_first(piece: str) -> None:
    began_s = time.process_time()
    meaning_of(piece * 1_000_000)
    assert time.process_time() - began_s < 5  # a bound for runaway patterns, no measurement
    assert len(piece * 1_000_000) > LONGEST_READ


def test_the_limit_in_a_sentence_is_found() -> None:
    assert stated_limit("批量注册最大支持200条") == 200
    assert stated_limit("超出限制") == 0
