"""Makes templates known below a prefix before the first record that needs them.

A template is asked for, created or brought up to ours, and asked for again: the indexes that count
are those it has over there. One that is refused blocks its records alone, and is tried again.
Version 5 of the interface is tried first; where it is not offered, version 3, which cannot change a
template.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from node.errors import InvalidInput
from sync.peer import ItemCode
from sync.snms.answers import DONE, Envelope, ShownTemplate, is_nothing, read_data
from sync.snms.calls import Calls
from sync.snms.channel import NotOffered, Reply
from sync.snms.messages import Meaning, meaning_of
from sync.snms.template_form import (
    Industry,
    TemplateForm,
    changed_template,
    differs,
    indexes,
    new_template,
)

_log = structlog.get_logger(__name__)
ASKED_AGAIN_AFTER_S = 20.0
NEWEST, OLDEST = 5, 3


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the records of a template have to wait."""

    code: ItemCode
    reason: str
    at_s: float


Indexes = Mapping[str, int]


class Publication:
    """What templates are known over there, as far as this session has found out."""

    def __init__(
        self,
        calls: Calls,
        industry: Industry,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._industry = industry
        self._clock_s = clock_s
        self._version = NEWEST
        self._found: dict[tuple[str, str], Indexes | Refused] = {}
        self.forms: dict[str, TemplateForm] = {}

    def learn(self, form: TemplateForm) -> None:
        """Note a template of ours."""
        self.forms[form.reference] = form

    def forget(self, prefix: str, reference: str) -> None:
        """Ask anew: a record was refused as not fitting its template."""
        self._found.pop((prefix, reference), None)

    async def indexes(self, prefix: str, reference: str) -> Indexes | Refused:
        """Return key -> index of a template below a prefix, making it known if need be."""
        key = prefix, reference
        known = self._found.get(key)
        if isinstance(known, Refused) and self._clock_s() - known.at_s > ASKED_AGAIN_AFTER_S:
            known = None
        if known is None:
            known = self._found[key] = await self._publish(prefix, self.forms[reference])
            if isinstance(known, Refused):
                _log.warning("snms_template_refused", template=reference, reason=known.reason)
        return known

    async def _publish(self, prefix: str, form: TemplateForm) -> Indexes | Refused:
        try:
            shown, said = await self._shown(prefix, form)
            if shown is None:
                said = await self._put(prefix, form, None)
            elif differs(form, shown.items) and self._version == NEWEST:
                said = await self._put(prefix, form, shown)
            else:
                return indexes(form, shown.items)
            shown, unseen = await self._shown(prefix, form)
            if shown is None or differs(form, shown.items):
                return self._refused(said or unseen)
            return indexes(form, shown.items)
        except InvalidInput as error:
            return self._refused(f"{error.zh} / {error.en}")

    async def _shown(self, prefix: str, form: TemplateForm) -> tuple[ShownTemplate | None, str]:
        """Return the template as it is over there, or None and what was said instead."""
        reply = await self._calls.template(self._version, prefix, form.reference)
        if isinstance(reply, NotOffered) and self._version == NEWEST:
            self._version = OLDEST
            reply = await self._calls.template(self._version, prefix, form.reference)
        if isinstance(reply, Envelope) and reply.status == DONE and not is_nothing(reply):
            return read_data(reply, ShownTemplate), ""
        return None, _sentence(reply)

    async def _put(self, prefix: str, form: TemplateForm, shown: ShownTemplate | None) -> str:
        """Create or change a template; return what was said against it, "" for nothing.

        That it exists already is nothing against it: an earlier request may have arrived.
        """
        if shown is None:
            body, method = new_template(form, prefix, self._industry), "POST"
        else:
            body, method = changed_template(form, prefix, self._industry, shown.items), "PUT"
        reply = await self._calls.put_template(self._version, body, method=method)
        if isinstance(reply, Envelope) and reply.status == DONE:
            _log.info("snms_template_put", template=form.reference, prefix=prefix, method=method)
            return ""
        said = _sentence(reply)
        return "" if meaning_of(said) is Meaning.EXISTS else said

    def _refused(self, said: str) -> Refused:
        reason = f"模板未被接受:{said} / The template was not taken: {said}"
        return Refused(ItemCode.TEMPLATE_MISSING, reason, self._clock_s())


def _sentence(reply: Reply) -> str:
    match reply:
        case Envelope():
            return reply.text[:200] or f"status {reply.status}"
        case NotOffered():
            return f"HTTP {reply.http}"
        case _:
            return reply.reason
