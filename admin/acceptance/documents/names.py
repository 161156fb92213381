"""The names, in both languages, of the keys that a report uses for classes, channels and the like.

A key that a later version adds is shown as it is, never left out.
"""

from __future__ import annotations

from admin.acceptance.documents.language import Say, said
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Text

OBJECT_CLASSES = {
    "batch": Text("批次", "batch"),
    "package": Text("包装件", "package"),
    "equipment": Text("设备", "equipment"),
    "certificate": Text("质检报告", "quality certificate"),
    "object": Text("其他对象", "other object"),
    "shipment": Text("物流单", "shipment"),
}
SOURCES = {
    "api": Text("接口逐条", "API, single"),
    "batch": Text("接口批量", "API, batches"),
    "import": Text("文件导入", "file import"),
    "handle": Text("Handle 协议", "Handle protocol"),
    "mint": Text("自动赋码", "minted"),
    "page": Text("控制台手工", "console, by hand"),
    "demo": Text("演示数据", "demonstration data"),
    "other": Text("其他", "other"),
}
CHANNELS = {
    "http": Text("HTTP 接口", "HTTP API"),
    "page": Text("扫码页", "scan page"),
    "handle_udp": Text("Handle UDP", "Handle UDP"),
    "handle_tcp": Text("Handle TCP", "Handle TCP"),
    "handle_http": Text("Handle over HTTP", "Handle over HTTP"),
    "grpc": Text("经二级节点（gRPC）", "by the secondary node (gRPC)"),
    "dns": Text("DNS", "DNS"),
}
CLASSES = {
    "loadtest": Text("压测", "load tests"),
    "health": Text("探测", "health probes"),
    "self": Text("本节点自用", "the node's own calls"),
    "int_business": Text("本企业业务调用，另列", "own business calls, shown apart"),
    "crawler": Text("爬虫", "crawlers"),
    "miss": Text("未命中、拒绝、格式错误", "not found, denied, malformed"),
    "repeat": Text("30 秒内重复", "repeats within 30 s"),
    "ext_system": Text("外部系统", "external systems"),
    "ext_user": Text("外部人员", "external persons"),
}
CLASS_RULES = {
    "loadtest": Text(
        "在申报的压测窗口内，或用测试前缀，或按规则认定的突发",
        "inside a declared campaign, under the test prefix, or a burst by rule",
    ),
    "health": Text("监控密钥、探测路径或探测程序", "monitoring key, probe path or probe program"),
    "self": Text("本机进程自身的调用", "calls of this machine's own processes"),
    "int_business": Text("本企业自己的密钥或网段", "the enterprise's own keys or networks"),
    "crawler": Text("公开的机器人名单", "the published list of robots"),
    "miss": Text("没有给出标识数据的应答", "an answer that gave no data"),
    "repeat": Text(
        "同一来源对同一标识，距上次计入不足 30 秒",
        "same client and identifier within 30 s of the last counted one",
    ),
    "ext_system": Text(
        "合作方、二级节点、国家节点的密钥或证书", "keys or certificates of partners and other nodes"
    ),
    "ext_user": Text("其余：扫码和门户查询", "all others: scans and portal look-ups"),
}
OUTCOMES = {
    "found": Text("给出数据", "data given"),
    "status": Text("只给出状态（暂停、作废）", "status only (suspended, revoked)"),
    "absent": Text("未查询到", "not found"),
    "denied": Text("无权查询", "denied"),
    "malformed": Text("格式错误", "malformed"),
    "failed": Text("节点故障", "node failed"),
    "referred": Text("转到其他节点", "referred elsewhere"),
}
COMPARED = {
    "leaves": Text("日志条目", "log entries"),
    "root": Text("日志根", "log root"),
    "records": Text("登记表记录", "records in the tables"),
    "registrations": Text("登记事件", "registration events"),
    "identifiers": Text("标识", "identifiers"),
    "applied": Text("已应用的变更", "changes applied"),
    "unapplied": Text("未应用的变更", "changes not applied"),
    "events": Text("解析事件", "look-up events"),
    "net": Text("净解析量", "net resolutions"),
    "gross": Text("全部解析", "all look-ups"),
    "reconciled": Text("逐条对账的记录", "records compared one by one"),
    "r3": Text("R3 已同步有效标识", "R3 synchronised valid identifiers"),
}
COMPARED_WITH = {
    "secondary": Text("二级节点", "secondary node"),
    "tables": Text("登记表", "tables"),
    "statements": Text("小时结算单", "hourly statements"),
}
RESULTS = {
    "resolved": Text("解析成功", "resolved"),
    "suspended": Text("已暂停", "suspended"),
    "revoked": Text("已作废", "revoked"),
    "failed": Text("失败", "failed"),
}
STATES = {
    "met": Text("达标", "met"),
    "missed": Text("未达标", "not met"),
    "undecided": Text("无法判定", "undecided"),
}
SUBJECTS = {
    "registrations": Text("标识注册量", "Registrations"),
    "resolutions": Text("标识解析量", "Resolutions"),
    "sync": Text("实时数据同步", "Real-time synchronisation"),
}
WEEKDAYS = (
    Text("周一", "Mon"), Text("周二", "Tue"), Text("周三", "Wed"), Text("周四", "Thu"),
    Text("周五", "Fri"), Text("周六", "Sat"), Text("周日", "Sun"),
)  # fmt: skip


def name_of(table: dict[str, Text], key: str, say: Say) -> str:
    """Return the name of a key, or the key itself when the table has none."""
    return said(table[key], say) if key in table else printable(key)
