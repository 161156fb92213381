"""report.json and report.html of a run: one file without anything from elsewhere, Chinese first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from html import escape

from loadtest.acceptance.charts import Line, chart
from loadtest.acceptance.findings import Finding
from loadtest.acceptance.run import RunResult
from loadtest.acceptance.sampling import growth
from loadtest.acceptance.timeline import Timeline
from loadtest.bench.harness import current_commit, machine

_STYLE = """
:root{--ink:#17202b;--soft:#5b6777;--line:#dde3ea;--bed:#f3f5f8;--card:#fff;--good:#0d6b3c;
--bad:#a3261b}
*{box-sizing:border-box}body{margin:0;background:var(--bed);color:var(--ink);
font:15px/1.6 system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif}
main{max-width:54rem;margin:0 auto;padding:1.5rem 1.25rem}h1{font-size:1.6rem;margin:0 0 .2rem}
h2{font-size:1.1rem;margin:0 0 .6rem}small{color:var(--soft);font-weight:400}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;
padding:1.1rem 1.3rem;margin:1rem 0;break-inside:avoid}
.verdict{font-size:1.25rem;font-weight:700}.good{color:var(--good)}.bad{color:var(--bad)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem 1rem;
margin:.8rem 0 0}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-size:1.15rem;
font-variant-numeric:tabular-nums}
table{width:100%;border-collapse:collapse;font-size:.93rem}th,td{text-align:left;vertical-align:top;
padding:.4rem .8rem .4rem 0;border-top:1px solid var(--line)}
td.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}thead th{border-top:0;color:var(--soft);font-weight:400;
font-size:.8rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.8rem;margin:.3rem 0;color:var(--bad)}
figure{margin:0 0 1.1rem}figcaption{font-weight:600}figcaption b{font-weight:400;color:var(--soft)}
svg{width:100%;height:auto;font:11px system-ui,sans-serif}svg text{fill:var(--soft)}
.grid{stroke:var(--line)}.legend{margin:.1rem 0 0}.legend span{margin-right:1.2rem;font-size:.85rem}
.legend i{display:inline-block;width:1rem;height:.2rem;margin-right:.4rem;vertical-align:middle}
@media print{body{background:#fff}section{border-color:#bbb}}
"""
_PARTS = {
    "data": ("准备数据", "data prepared"),
    "start": ("启动全部程序", "everything started"),
    "declare": ("声明压测", "campaign declared"),
    "load": ("登记与解析", "load"),
    "settle": ("同步收尾", "link settled"),
    "reconcile": ("三方对账", "reconciled"),
    "lag": ("时延统计", "lag judged"),
    "figures": ("解析统计核对", "resolutions compared"),
    "bundle": ("验收证据包", "evidence bundle"),
}


def write_report(result: RunResult, now: datetime) -> None:
    """Write both files into the run's directory."""
    facts = report_object(result, now)
    text = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True)
    (result.place / "report.json").write_text(text + "\n", encoding="utf-8")
    page = report_page(result, now, str(facts["machine"]), str(facts["commit"]))
    (result.place / "report.html").write_text(page, encoding="utf-8")


def report_object(result: RunResult, now: datetime) -> dict[str, object]:
    """Return what report.json holds."""
    timeline = result.timeline
    memory = growth(result.memory.samples) if result.memory else []
    return {
        "ok": result.is_fine,
        "plan": result.plan.name,
        "at": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "commit": current_commit(),
        "findings": [finding.to_object() for finding in result.findings],
        "lag_ms": timeline.lag_percentiles(),
        "registered": sum(second.registered for second in timeline.seconds),
        "resolved": sum(second.resolved for second in timeline.seconds),
        "load_seconds": len(timeline.seconds),
        "parts_seconds": result.seconds,
        "compared": result.reconciliation.compared,
        "memory_mib": {one.name: round(one.mib, 1) for one in memory},
        "seconds": [
            [s.registered, s.resolved, s.errors, s.lag_ms, *s.resolving_ms, *s.registering_ms]
            for s in timeline.seconds
        ],
    }


def report_page(result: RunResult, now: datetime, machine_text: str, commit: str) -> str:
    """Return the page."""
    state, zh, en = (
        ("good", "通过", "Passed") if result.is_fine else ("bad", "未通过", "Not passed")
    )
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
        f"<title>验收运行报告 {zh}</title><style>{_STYLE}</style><main>"
        '<h1>验收运行报告 <small lang="en">Acceptance run</small></h1>'
        f'<p class="verdict {state}">{zh} <small class="{state}" lang="en">{en}</small></p>'
        f"{_headline(result)}"
        f"{_section('核验结论', 'What was checked', _findings(result.findings))}"
        f"{_section('过程', 'Over time', _charts(result.timeline, result.plan.lag_p99_ms))}"
        f"{_section('用时', 'Time taken', _parts(result))}"
        f"{_section('内存', 'Memory', _memory(result))}"
        f"{_section('环境', 'Surroundings', _surroundings(now, machine_text, commit))}"
        "</main></html>\n"
    )


def _section(zh: str, en: str, body: str) -> str:
    return f'<section><h2>{zh} <small lang="en">{en}</small></h2>{body}</section>'


def _headline(result: RunResult) -> str:
    timeline, lag = result.timeline, result.timeline.lag_percentiles()
    seconds = max(1, len(timeline.seconds))
    registered = sum(second.registered for second in timeline.seconds)
    resolved = sum(second.resolved for second in timeline.seconds)
    differences = len(result.reconciliation.differences)
    pairs = [
        ("登记标识", "Registered", f"{registered:,}"),
        ("核对过的解析", "Resolutions verified", f"{resolved:,}"),
        ("登记速率 每秒", "Registered a second", f"{registered / seconds:,.0f}"),
        ("解析速率 每秒", "Resolved a second", f"{resolved / seconds:,.0f}"),
        ("同步时延 P50 / P99", "Lag", f"{lag['p50']} / {lag['p99']} ms"),
        ("三方差异", "Differences", f"{differences:,}"),
    ]
    cells = "".join(
        f'<div><dt>{zh} <span lang="en">{en}</span></dt><dd>{value}</dd></div>'
        for zh, en, value in pairs
    )
    return f"<section><dl>{cells}</dl></section>"


def _findings(findings: Iterable[Finding]) -> str:
    rows = []
    for finding in findings:
        state, mark = ("good", "通过 ok") if finding.is_fine else ("bad", "失败 failed")
        figures = " · ".join(f"{name} {_figure(value)}" for name, value in finding.figures.items())
        said = f"<pre>{escape(chr(10).join(finding.said))}</pre>" if finding.said else ""
        rows.append(
            f'<tr><td class="{state}"><b>{mark}</b></td><td>{escape(finding.zh)}<br>'
            f'<small lang="en">{escape(finding.en)}</small><br><small>{escape(figures)}</small>'
            f"{said}</td></tr>"
        )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _charts(timeline: Timeline, bound_ms: int) -> str:
    seconds = timeline.seconds
    return "".join(
        (
            chart(
                ("登记速率", "Registrations"),
                "条/秒 a second",
                [Line("登记", "registered", [s.registered for s in seconds])],
            ),
            chart(
                ("解析速率", "Resolutions"),
                "次/秒 a second",
                [Line("解析", "resolved", [s.resolved for s in seconds])],
            ),
            chart(
                ("解析响应时间", "Latency of resolutions"),
                "毫秒 ms",
                [
                    Line("P50", "p50", [s.resolving_ms[0] for s in seconds]),
                    Line("P99", "p99", [s.resolving_ms[1] for s in seconds]),
                ],
            ),
            chart(
                ("登记响应时间", "Latency of registrations"),
                "毫秒 ms",
                [
                    Line("P50", "p50", [s.registering_ms[0] for s in seconds]),
                    Line("P99", "p99", [s.registering_ms[1] for s in seconds]),
                ],
            ),
            chart(
                ("同步时延(每秒最大值)", "Lag of the link, greatest of each second"),
                "毫秒 ms",
                [Line("时延", "lag", [s.lag_ms for s in seconds])],
                bound=bound_ms,
            ),
            chart(
                ("失败的请求", "Failed requests"),
                "次/秒 a second",
                [Line("失败", "failed", [s.errors for s in seconds])],
            ),
        )
    )


def _parts(result: RunResult) -> str:
    rows = "".join(
        f'<tr><td>{_PARTS[name][0]} <small lang="en">{_PARTS[name][1]}</small></td>'
        f'<td class="n">{seconds:,.1f} s</td></tr>'
        for name, seconds in result.seconds.items()
        if name in _PARTS
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _memory(result: RunResult) -> str:
    found = growth(result.memory.samples) if result.memory else []
    rows = "".join(
        f'<tr><td>{escape(one.name)}</td><td class="n">{one.mib:,.0f} MiB</td></tr>'
        for one in found
    )
    head = '<tr><th>进程 process</th><th class="n">结束时 at the end</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _surroundings(now: datetime, machine_text: str, commit: str) -> str:
    pairs = [
        ("时间", "Time", f"{now.astimezone():%Y-%m-%d %H:%M:%S %z}"),
        ("机器", "Machine", machine_text),
        ("版本", "Commit", commit),
    ]
    rows = "".join(
        f'<tr><td>{zh} <small lang="en">{en}</small></td><td>{escape(value)}</td></tr>'
        for zh, en, value in pairs
    )
    return f"<table><tbody>{rows}</tbody></table>"
