"""The program: reads the command line, runs every check and prints what was found."""

from __future__ import annotations

import argparse
import io
import sys
import time
from typing import Any

from admin.acceptance.verifier.bundle_files import (
    BUNDLE_NOTE,
    MANIFEST,
    PAPERS,
    BundleFiles,
    check_files,
)
from admin.acceptance.verifier.counting_rules import read_rules
from admin.acceptance.verifier.faults import Broken, Fault, Faults, require
from admin.acceptance.verifier.leaves import read_leaves
from admin.acceptance.verifier.log_tree import CHECKPOINT, TreeHead, read_head, read_log
from admin.acceptance.verifier.lookup_counts import LookupCounts
from admin.acceptance.verifier.notes import POLICY, Policy, parse_policy, read_signed
from admin.acceptance.verifier.openings import (
    OPENINGS,
    NeedsCryptography,
    OpeningsCheck,
    decrypt,
    read_key_file,
)
from admin.acceptance.verifier.receipts import RECEIPT, read_receipt
from admin.acceptance.verifier.registrations import (
    EXCLUSIONS,
    claimed_indexes,
    count_registrations,
    read_changes,
    read_exclusions,
)
from admin.acceptance.verifier.report_check import (
    REPORT,
    check_evidence,
    check_verdicts,
    compare,
    expected_availability,
    expected_campaigns,
    read_report,
)
from admin.acceptance.verifier.sample_check import check_sample
from admin.acceptance.verifier.statements import read_statements
from admin.acceptance.verifier.synchronisation import count_lag

OK, FOUND, TROUBLE = 0, 1, 2
# What a hostile file may make the readers raise: each is a fault of the file being read.
_READING = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    EOFError,
    OSError,
)


class Verification:
    """One pass over a bundle; `figures` are what was recomputed, `claimed` the leaves of R3."""

    def __init__(self, files: BundleFiles, own_policy: bytes | None) -> None:
        self.files = files
        self.faults = Faults()
        self.figures: dict[str, Any] = {}
        self.signers = ""
        self.claimed: list[int] = []
        self.head = TreeHead("", 0, b"", ())
        self._own_policy = own_policy

    def run(self, openings: bytes | None, key: bytes | None) -> None:
        """Run all checks; what cannot be read becomes a fault of its file."""
        try:
            self._run(openings, key)
        except Broken as broken:
            self.faults.add(*broken.fault)
        except _READING as error:
            name = self.faults.reading or MANIFEST
            self.faults.add(name, f"内容有误:{error!r}", f"is malformed: {error!r}")

    def _run(self, openings: bytes | None, key: bytes | None) -> None:
        files, faults = self.files, self.faults
        faults.reading = MANIFEST
        evidence = check_files(files, faults)
        faults.reading = POLICY
        policy = parse_policy(files.read(POLICY), POLICY)
        if self._own_policy is not None:
            own = parse_policy(self._own_policy, "--policy")
            same = own.log == policy.log
            require(same, POLICY, "日志公钥与所给策略不符", "the log's key is not your policy's")
            policy = own
        self.signers = ", ".join([policy.log.name, *(w.name for w in policy.witnesses)])
        self._check_bundle_note(policy)
        if faults.found:
            return  # Figures of evidence that was changed after signing would say nothing.
        head = read_head(files.read(CHECKPOINT), policy, faults)
        log = read_log(files, head, faults)
        leaves = read_leaves(log.entries, faults)
        receipt = read_receipt(files, policy, log, faults)
        rules = read_rules(files, faults)
        report = read_report(files, policy.log, faults)
        faults.reading = REPORT
        chosen = rules.get(report["rules"]["digest"])
        if chosen is None:
            raise Broken(REPORT, "缺少报告所用的规则", "the rules of the report are missing")
        counts = LookupCounts(chosen)
        used: list[int] = []
        for statement in read_statements(files, leaves, log.entries, rules, faults):
            version = rules[statement.leaf["rules"]["digest"]].version
            if version not in used:
                used.append(version)
            counts.take(statement)
        faults.reading = CHECKPOINT
        found = read_changes(leaves)
        excluded = read_exclusions(files, found, faults)
        as_of = leaves[-1]["at"] if leaves else ""
        sync, oldest_ms = count_lag(files, found, faults)
        self.figures = {
            "registrations": count_registrations(found, excluded, receipt),
            "resolutions": counts.report(),
            "sync": sync,
            "campaigns": expected_campaigns(leaves, counts.campaigns),
            "availability": expected_availability(leaves, counts.failed),
            "log": {
                "origin": head.origin,
                "size": head.size,
                "root": head.root.hex(),
                "as_of": as_of,
                "key": _key_text(files.read(POLICY)),
                "cosigners": list(head.cosigners),
            },
            "rules": {
                "version": chosen.version,
                "digest": chosen.digest,
                "used": used,
                "recounted": any(version != chosen.version for version in used),
            },
            "receipt": {
                "signer": receipt.signer if receipt else "",
                "size": receipt.size if receipt else 0,
                "root": receipt.root.hex() if receipt else "",
                "unapplied": sum(b - a + 1 for a, b in receipt.unapplied) if receipt else 0,
            },
        }
        faults.reading = REPORT
        for part, counted in self.figures.items():
            compare(part, report[part], counted, faults)
        check_verdicts(report, oldest_ms, faults)
        check_evidence(files, report, faults)
        self.claimed, self.head = claimed_indexes(found, excluded, receipt), head
        check_sample(files, report, self.claimed, log, faults)
        self.figures["state"] = report["state"]
        self.figures["thresholds"] = report["project"]["thresholds"]
        if receipt is None and any(name.startswith(RECEIPT) for name in evidence):
            faults.add(RECEIPT, "回执缺失", "the receipt is missing")
        if openings is not None or key is not None:
            self._open(openings, key, leaves, chosen.registrations, found, excluded)

    def _check_bundle_note(self, policy: Policy) -> None:
        files = self.files
        self.faults.reading = BUNDLE_NOTE
        lines = read_signed(files.read(BUNDLE_NOTE), policy.log, BUNDLE_NOTE)
        good = len(lines) == 4 and lines[:2] == [policy.log.name, "acceptance-bundle/v1"]
        require(good, BUNDLE_NOTE, "格式有误", "is malformed")
        for line, name in zip(lines[2:], (MANIFEST, PAPERS)):
            if line != f"{files.digest(name)}  {name}":
                self.faults.add(name, "与签名文本不符", "is not the one that was signed")

    def _open(
        self,
        openings: bytes | None,
        key: bytes | None,
        leaves: list[dict[str, Any]],
        rules: Any,
        found: Any,
        excluded: dict[int, str],
    ) -> None:
        file = OPENINGS if openings is None else "--openings"
        self.faults.reading = file
        if openings is None:
            openings = decrypt(self.files.read(OPENINGS), key or b"")
        check = OpeningsCheck(leaves, rules)
        check.run(io.BytesIO(openings), file, self.faults)
        self.faults.reading = EXCLUSIONS
        check.compare(found, excluded, self.faults)
        self.figures["opened"] = sum(check.opened)


def main(arguments: list[str] | None = None) -> int:
    """Verify a bundle as the command line says and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="verify.py",
        description="核验稀标验收证据包 / Verify an acceptance bundle.",
        epilog="退出码 exit codes: 0 通过 passed; 1 发现问题 faults; 2 无法核验 cannot verify",
    )
    parser.add_argument("bundle", nargs="?", default=".", help="证据包目录或 zip / folder or zip")
    parser.add_argument("--policy", help="另行取得的策略文件 / policy got from elsewhere")
    parser.add_argument("--openings", help="已解密的开示文件 / decrypted openings")
    parser.add_argument("--key", help="审计方私钥文件 / the auditor's private key")
    options = parser.parse_args(arguments)
    _speak_utf_8()
    began = time.monotonic()
    try:
        files = BundleFiles(options.bundle)
        verification = Verification(files, _optional(options.policy))
        key = read_key_file(_optional(options.key).decode()) if options.key else None  # type: ignore[union-attr]
        verification.run(_optional(options.openings), key)
    except NeedsCryptography:
        return _trouble("解密需要 Python 包 cryptography", "needs the package `cryptography`")
    except Broken as broken:
        return _trouble(broken.fault.zh, f"{broken.fault.file}: {broken.fault.en}")
    except (OSError, ValueError) as error:
        return _trouble("无法读取输入", f"cannot read the input: {error}")
    _print_faults(verification.faults)
    if verification.faults.found:
        return FOUND
    _print_figures(verification, time.monotonic() - began)
    return OK


def _print_figures(verification: Verification, seconds: float) -> None:
    figures = verification.figures
    total, counts = figures["registrations"]["total"], figures["resolutions"]
    limits, online = figures["thresholds"], figures["sync"]["online"]
    state = {"met": "达标 met", "missed": "未达标 missed", "undecided": "无法判定 undecided"}
    log = figures["log"]
    lines = [
        f"日志 log      {log['origin']}  {log['size']} 条 entries",
        f"根 root       {log['root']}",
        f"签名 signed   {verification.signers};联署 cosigned: {', '.join(log['cosigners']) or '-'}",
        f"注册 R0–R3    {total['r0']} {total['r1']} {total['r2']} {total['r3']}"
        f"  目标 target {limits['registrations']}",
        f"解析 G−D=N    {counts['gross']} − {counts['deducted']} = {counts['net']}"
        f"  目标 target {limits['resolutions']}",
        f"同步 sync ms  P95 {online['p95_ms']}  P99 {online['p99_ms']}  max {online['max_ms']}",
        f"结论 verdict  {state[figures['state']]}",
    ]
    if "opened" in figures:
        lines.append(f"开示 opened   {figures['opened']}")
    lines.append(f"核验通过 verified in {seconds:.1f} s")
    sys.stdout.write("\n".join(lines) + "\n")


def _print_faults(faults: Faults) -> None:
    for file, zh, en in faults.found:
        sys.stdout.write(f"✗ {file}: {zh} / {en}\n")
    if faults.found:
        more = len(faults.found) + faults.more
        sys.stdout.write(f"核验未通过:{more} 处问题 / {more} fault(s) found\n")


def _trouble(zh: str, en: str) -> int:
    sys.stderr.write(f"无法核验:{zh} / cannot verify: {en}\n")
    return TROUBLE


def _optional(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def _key_text(policy: bytes) -> str:
    lines = [line.split() for line in policy.decode().splitlines()]
    return next(words[1] for words in lines if words and words[0] == "log")


def _speak_utf_8() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")


def faults_of(place: str) -> list[Fault]:
    """Return the faults of a bundle; raises Broken when it cannot be opened at all."""
    verification = Verification(BundleFiles(place), None)
    verification.run(None, None)
    return verification.faults.found
