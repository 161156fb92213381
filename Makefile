# The one way to set up, run and check the project, here and in CI. `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run test test-setup format bench trials faults-sync acceptance \
	acceptance-smoke soak proto lock clean

UV_COMPILE = uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url \
	--python-version 3.11

help: ## 列出全部目标 List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: ## 准备 .venv，不启动任何程序 Prepare .venv, start nothing
	@scripts/setup

run: setup ## 以演示数据启动节点 Start a node with demo data (data/demo)
	@exec .venv/bin/xibiao up --demo --data data/demo

test: test-setup ## 全部检查与测试 All checks and tests, as CI runs them
	@scripts/check

test-setup:
	@scripts/setup test

format: test-setup ## 统一代码格式 Format the code, mend what lint can mend
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

bench: test-setup ## 性能测试，可选 BENCH="P1 P6" Benchmarks, all or those of BENCH
	@.venv/bin/python -m loadtest.bench $(BENCH)

trials: test-setup ## 全规模产品试验（数小时），可选 TRIALS="import kill" Trials of the product, hours
	@.venv/bin/python -m loadtest.trials $(TRIALS)

faults-sync: test-setup ## 同步链路故障矩阵全规模（数小时），可选 ROWS="F14 F19" Fault rows of the link
	@.venv/bin/python -m loadtest.trials.fault_matrix $(ROWS)

acceptance: test-setup ## 验收运行：30 万登记、5 万解析、三方对账 The acceptance run, whole
	@.venv/bin/python -m loadtest.acceptance

acceptance-smoke: test-setup ## 小规模验收运行 The acceptance run, small
	@.venv/bin/python -m loadtest.acceptance --smoke

soak: test-setup ## 长稳试验，HOURS=1 Hours of load with faults, invariants, memory
	@.venv/bin/python -m loadtest.soak --hours $(or $(HOURS),1)

proto: test-setup ## 由契约重新生成 gRPC 代码 Generate the gRPC code from the contract anew
	.venv/bin/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. \
		sync/proto/idlink/v1/*.proto

lock: ## 重新锁定依赖（需要 uv） Lock the requirements anew (needs uv)
	$(UV_COMPILE) --upgrade requirements/runtime.in -o requirements/runtime.txt
	$(UV_COMPILE) --upgrade requirements/test.in -o requirements/test.txt
	echo 'setuptools>=77' | $(UV_COMPILE) --upgrade - -o scripts/build.txt

clean: ## 删除 .venv、缓存与演示数据 Remove .venv, caches and the demo data
	rm -rf .venv data/demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf .coverage *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
