"""Upload a file, follow its import, fetch the result, pause, resume and confirm."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from node.api.access_control import AccessControl
from node.api.exchange import decode, json_response, read_body
from node.errors import InvalidInput, NotFound, Problem
from node.importing.job import ImportJobs, ImportOptions

MAX_NAME = 200


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kinds of finding whose proposals a person accepts for this file."""

    kinds: tuple[str, ...]


_confirmation = msgspec.json.Decoder(Confirmation)


class ImportRoutes:
    """The handlers of `/api/v1/imports…`."""

    def __init__(self, access: AccessControl, jobs: ImportJobs) -> None:
        self._access = access
        self._jobs = jobs

    async def upload(self, request: Request) -> Response:
        """Take a CSV, XLSX or NDJSON file as the raw body; answers 202 with the job.

        Query: `filename`, `dry_run=true`, `mode=assign` (rows without an identifier get one),
        `confirm=KIND` (repeatable). The same Idempotency-Key returns the same job; with another
        file or other options it is a mismatch.
        """
        actor = self._access.actor(request)
        query = request.query_params
        filename = PurePosixPath(query.get("filename", "").replace("\\", "/")).name[:MAX_NAME]
        if not filename:
            problem = Problem("filename", "required", "缺少文件名", "filename is required")
            raise InvalidInput("缺少文件名", "filename is required", problems=[problem])
        options = ImportOptions(
            dry_run=query.get("dry_run", "false") == "true",
            assign=query.get("mode", "") == "assign",
            confirmed=tuple(query.getlist("confirm")),
        )
        key = request.headers.get("idempotency-key", "")[:255]
        job = await self._jobs.create(request.stream(), filename, options, actor=actor, key=key)
        return json_response(job, 202)

    async def find(self, request: Request) -> Response:
        """List the newest imports of the caller, or those of a file by `?sha256=`."""
        actor = self._access.actor(request)
        found = await self._jobs.find(request.query_params.get("sha256"), actor=actor)
        return json_response({"imports": found})

    async def progress(self, request: Request) -> Response:
        """Return where an import stands."""
        actor = self._access.actor(request)
        return json_response(await self._jobs.progress(request.path_params["job"], actor=actor))

    async def result(self, request: Request) -> Response:
        """Return the file with 状态, 原因 and 建议 added."""
        actor = self._access.actor(request)
        path, filename = await self._jobs.result(request.path_params["job"], actor=actor)
        disposition = f"attachment; filename*=UTF-8''{quote(filename)}"
        return FileResponse(
            path,
            media_type="application/octet-stream",
            headers={"content-disposition": disposition},
        )

    async def act(self, request: Request) -> Response:
        """Pause, resume or confirm: `POST /api/v1/imports/{id}:pause` and so on."""
        actor = self._access.actor(request)
        job, _, action = request.path_params["job_and_action"].rpartition(":")
        if action == "pause":
            return json_response(await self._jobs.pause(job, actor=actor))
        if action == "resume":
            return json_response(await self._jobs.resume(job, actor=actor))
        if action == "confirm":
            body = await read_body(request, 65_536)
            kinds = decode(body, _confirmation).kinds
            return json_response(await self._jobs.confirm(job, kinds, actor=actor))
        raise NotFound("没有此操作", "No such action", code="no_action")
