"""Resolutions of Handle records and of a batch, as the look-up hands them to the proxy."""

from __future__ import annotations

from node.domain.disclosure import PublicAttribute, PublicView
from node.domain.handle_value import HandleValue
from resolver.rendering import resolution_of
from resolver.resolution import Resolution

AT = "2026-11-21T09:00:00.123Z"
TIMESTAMP = 1_577_836_800
KEY = "86.1000/ABC"


def value(index: int, kind: str, data: str | bytes, *, ttl: int = 86_400) -> HandleValue:
    raw = data.encode("utf-8") if isinstance(data, str) else data
    return HandleValue(index, kind, raw, ttl, timestamp=TIMESTAMP)


def url(text: str, index: int = 1) -> HandleValue:
    return value(index, "URL", text)


def handle_record(*values: HandleValue, key: str = KEY) -> Resolution:
    """Return an active record that a Handle client wrote."""
    return resolution_of(_view(key, "active", "object", "handle/1", (), values))


def batch_record(
    *values: HandleValue,
    key: str = "88.111.1/PND3A1-261120-0001Z",
    status: str = "active",
    attributes: tuple[PublicAttribute, ...] = (
        PublicAttribute("product_name", "产品名称", "Product name", "氧化镨钕", ""),
        PublicAttribute("net_kg", "净重", "Net mass", "51.09", "kg"),
        PublicAttribute("report", "检测报告", "Report", "https://lab.example/r/1", ""),
    ),
) -> Resolution:
    """Return a record of a rare-earth batch; what is not active shows its status alone."""
    shown = value(1900, "XIBIAO_STATUS", status, ttl=60)
    if status != "active":
        attributes = ()
    return resolution_of(_view(key, status, "batch", "ree-batch/1", attributes, (shown, *values)))


def _view(
    key: str,
    status: str,
    object_class: str,
    template: str,
    attributes: tuple[PublicAttribute, ...],
    values: tuple[HandleValue, ...],
) -> PublicView:
    return PublicView(
        identifier=key,
        status=status,
        revision=1,
        object_class=object_class,
        template=template,
        is_test=False,
        registered_at=AT,
        updated_at=AT,
        attributes=attributes,
        values=values,
    )
