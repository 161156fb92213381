"""Published template versions."""

from __future__ import annotations

from node.domain.template import Template, encode_template, parse_template, template_digest
from node.errors import Conflict
from node.storage.engine import ReadScope, WriteScope


async def everyone(scope: ReadScope) -> list[Template]:
    """Return every published template version."""
    rows = await scope.rows("SELECT body FROM template ORDER BY name, version")
    return [parse_template(bytes(row[0])) for row in rows]


async def publish(scope: WriteScope, template: Template, at: str) -> None:
    """Store a template version; the same version again is a no-op, another text a Conflict."""
    digest = template_digest(template)
    await scope.rows_affected(
        "INSERT INTO template (name, version, body, digest, published_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name, version) DO NOTHING",
        (template.name, template.version, encode_template(template), digest, at),
    )
    stored = await scope.rows(
        "SELECT digest FROM template WHERE name = $1 AND version = $2",
        (template.name, template.version),
    )
    if stored[0][0] != digest:
        raise Conflict(
            f"模板 {template.reference} 已发布,内容不可更改,请使用新版本号",
            f"Template {template.reference} is published and cannot change; use a new version",
        )
