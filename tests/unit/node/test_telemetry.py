"""Log lines and metrics: form, masking, separation."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from node.telemetry import (
    Format,
    Metrics,
    configure_logging,
    current_request_id,
    logger,
    mask_secrets,
    request_id,
)


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Undo the process-wide logging set-up after each test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def lines_of(form: Format, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(stream, level="warning" if level == "warning" else "info", line_format=form)
    return stream


def test_a_json_line_holds_event_keys_component_and_request() -> None:
    stream = lines_of("json")
    with request_id("r-1"):
        logger("importer").info("chunk_done", rows=2000, file="批次.csv")
    line = json.loads(stream.getvalue())
    assert line["event"] == "chunk_done"
    assert (line["component"], line["rows"], line["file"]) == ("importer", 2000, "批次.csv")
    assert (line["request_id"], line["level"]) == ("r-1", "info")
    assert current_request_id() == ""


@pytest.mark.parametrize(
    "key",
    ["key", "api_key", "Authorization", "client_secret", "token", "db_password", "Set-Cookie"],
)
def test_a_key_that_names_a_secret_is_masked_at_any_depth(key: str) -> None:
    event = mask_secrets(None, "", {key: "hush", "headers": [{"x": {key: "hush"}}], "rows": 3})
    assert "hush" not in repr(event)
    assert event["rows"] == 3


def test_the_public_id_of_a_key_is_shown() -> None:
    assert mask_secrets(None, "", {"key_id": "3f9c2a"}) == {"key_id": "3f9c2a"}


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(form: Format) -> None:
    stream = lines_of(form)
    password = "hunter" + "2"  # noqa: F841 - the local variable that must not be printed
    try:
        raise ValueError("boom")
    except ValueError:
        logger("x").exception("failed")
    assert "ValueError: boom" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_lines_of_libraries_take_the_same_form_and_level() -> None:
    stream = lines_of("json", "warning")
    logging.getLogger("uvicorn.error").info("quiet")
    logging.getLogger("uvicorn.error").warning("loud %s", 1)
    logger("x").info("quiet")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud 1"]


def test_two_sets_of_metrics_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.registrations.labels(outcome="accepted", kind="register").inc()
    name = b'xibiao_registrations_total{kind="register",outcome="accepted"} 1.0'
    assert name in one.render()
    assert name not in other.render()


def test_every_metric_bears_the_name_of_the_product() -> None:
    samples = [line for line in Metrics().render().decode().splitlines() if line[0] != "#"]
    assert samples
    assert all(line.startswith("xibiao_") for line in samples)
