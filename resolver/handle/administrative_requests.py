"""The binary protocol's side of administration: bodies in, operations, bodies out.

Invariant: an operation is called with the asker that the exchange has, and whatever it raises goes
up unchanged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from resolver.handle.administration import Administration, Done
from resolver.handle.bodies import (
    CreateReply,
    HandleRequest,
    IndexesRequest,
    NamesReply,
    ValuesRequest,
)
from resolver.handle.codes import OpCode, OpFlag
from resolver.handle.exchange import Exchange, Outcome

NAMES_A_MESSAGE = 50  # as many as deployed servers put into one


class AdministrativeRequests:
    """Carries out the requests of administrators."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration
        self._operations: dict[int, Callable[[Exchange], Awaitable[Outcome]]] = {
            OpCode.CREATE_HANDLE: self._create,
            OpCode.DELETE_HANDLE: self._delete,
            OpCode.ADD_VALUE: self._add,
            OpCode.REMOVE_VALUE: self._remove,
            OpCode.MODIFY_VALUE: self._modify,
            OpCode.HOME_PREFIX: self._home,
            OpCode.UNHOME_PREFIX: self._unhome,
        }
        self._lists: dict[int, Callable[[Exchange], AsyncIterator[str]]] = {
            OpCode.LIST_HANDLES: self._handles,
            OpCode.LIST_HOMED_PREFIXES: self._homed_prefixes,
        }

    def does(self, opcode: int) -> bool:
        """Say whether an operation is one of these."""
        return opcode in self._operations or opcode in self._lists

    async def carry_out(self, exchange: Exchange) -> AsyncIterator[Outcome]:
        """Yield the outcomes of an operation that `does` knows: one, or several for a list."""
        opcode = exchange.request.opcode
        if opcode in self._operations:
            yield await self._operations[opcode](exchange)
            return
        names: list[str] = []
        async for name in self._lists[opcode](exchange):
            if len(names) == NAMES_A_MESSAGE:
                yield Outcome(NamesReply(tuple(names)).encode(), flags=OpFlag.CONTINUOUS)
                names = []
            names.append(name)
        yield Outcome(NamesReply(tuple(names)).encode())

    async def _create(self, exchange: Exchange) -> Outcome:
        body = ValuesRequest.decode(exchange.request.body)
        operations, handle = self._administration, body.handle
        if exchange.wants(OpFlag.MINT_SUFFIX):
            done = await operations.mint(handle, body.values, asker=exchange.asker)
            handle = done.handle
        elif exchange.wants(OpFlag.OVERWRITE):
            done = await operations.create_or_replace(handle, body.values, asker=exchange.asker)
        else:
            done = await operations.create(handle, body.values, asker=exchange.asker)
        return _done(done, CreateReply(handle).encode())

    async def _delete(self, exchange: Exchange) -> Outcome:
        body = HandleRequest.decode(exchange.request.body)
        return _done(await self._administration.delete(body.handle, asker=exchange.asker))

    async def _add(self, exchange: Exchange) -> Outcome:
        body = ValuesRequest.decode(exchange.request.body)
        overwrites = exchange.wants(OpFlag.OVERWRITE)
        add = self._administration.put if overwrites else self._administration.add
        return _done(await add(body.handle, body.values, asker=exchange.asker))

    async def _remove(self, exchange: Exchange) -> Outcome:
        body = IndexesRequest.decode(exchange.request.body)
        remove = self._administration.remove
        return _done(await remove(body.handle, body.indexes, asker=exchange.asker))

    async def _modify(self, exchange: Exchange) -> Outcome:
        body = ValuesRequest.decode(exchange.request.body)
        modify = self._administration.modify
        await modify(body.handle, body.values, asker=exchange.asker)
        return Outcome()

    async def _home(self, exchange: Exchange) -> Outcome:
        body = HandleRequest.decode(exchange.request.body)
        return _done(await self._administration.home(body.handle, asker=exchange.asker))

    async def _unhome(self, exchange: Exchange) -> Outcome:
        body = HandleRequest.decode(exchange.request.body)
        return _done(await self._administration.unhome(body.handle, asker=exchange.asker))

    def _handles(self, exchange: Exchange) -> AsyncIterator[str]:
        body = HandleRequest.decode(exchange.request.body)
        return self._administration.list_handles(body.handle, asker=exchange.asker)

    async def _homed_prefixes(self, exchange: Exchange) -> AsyncIterator[str]:
        for name in await self._administration.homed_prefixes(asker=exchange.asker):
            yield name


def _done(done: Done, body: bytes = b"") -> Outcome:
    return Outcome(body, flags=OpFlag.OVERWRITE if done.overwrote else 0)
