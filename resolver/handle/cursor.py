"""Reading and writing the primitives of the Handle protocol: big-endian numbers, counted bytes.

A `Cursor` reads forward through the bytes it was given and never past their end; whatever does not
fit raises `malformed`, an InvalidInput of code `handle_message`, the only error of every decoder in
this package. A count is compared with the bytes left before anything is made of it, so a message
cannot ask for more memory than it has bytes.

Two kinds of text: `text` is strict UTF-8. `name` keeps bytes that are not UTF-8 as lone surrogates
(PEP 383), because a reply repeats the asked handle byte for byte whatever it was; `is_text` tells
whether a name is fit for anything else. The `…_field` functions write both.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from node.domain.handle_value import HandleReference
from node.errors import InvalidInput

_U16, _U32, _I32 = struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">i")
_NAME_ERRORS = "surrogateescape"
REFERENCE_BYTES = 8  # the smallest reference: an empty handle and an index


def malformed(what: str) -> InvalidInput:
    """Return the error for bytes that are no Handle message; `what` is an English noun phrase."""
    return InvalidInput(
        f"Handle 报文格式有误:{what}", f"Malformed Handle message: {what}", code="handle_message"
    )


class Cursor:
    """Reads forward through `data[start:end]`; every method raises `malformed`."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = start
        self._end = len(data) if end is None else min(end, len(data))

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return self._end - self._at

    def take(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        at = self._at
        after = at + size
        if size < 0 or after > self._end:
            raise malformed("truncated")
        self._at = after
        return self._data[at:after]

    def rest(self) -> bytes:
        """Read whatever is left."""
        return self.take(self._end - self._at)

    def u8(self) -> int:
        """Read a number of one byte."""
        at = self._at
        if at >= self._end:
            raise malformed("truncated")
        self._at = at + 1
        return self._data[at]

    def u16(self) -> int:
        """Read a number of two bytes."""
        return int.from_bytes(self.take(2))

    def u32(self) -> int:
        """Read an unsigned number of four bytes."""
        at = self._at
        if at + 4 > self._end:
            raise malformed("truncated")
        self._at = at + 4
        number: int = _U32.unpack_from(self._data, at)[0]
        return number

    def i32(self) -> int:
        """Read a signed number of four bytes, as every index is."""
        at = self._at
        if at + 4 > self._end:
            raise malformed("truncated")
        self._at = at + 4
        number: int = _I32.unpack_from(self._data, at)[0]
        return number

    def count(self, smallest: int) -> int:
        """Read a count of items of at least `smallest` bytes; refuse more than can follow."""
        count = self.u32()
        if count * smallest > self._end - self._at:
            raise malformed("count beyond the end")
        return count

    def data(self) -> bytes:
        """Read bytes behind their length."""
        return self.take(self.u32())

    def text(self) -> str:
        """Read strict UTF-8 behind its length."""
        try:
            return self.data().decode()
        except UnicodeDecodeError as error:
            raise malformed("text is not UTF-8") from error

    def name(self) -> str:
        """Read text behind its length, keeping bytes that are not UTF-8 as lone surrogates."""
        return self.data().decode("utf-8", _NAME_ERRORS)

    def indexes(self) -> tuple[int, ...]:
        """Read a counted list of signed numbers."""
        count = self.count(4)
        at = self._at
        self._at = at + 4 * count
        return struct.unpack_from(f">{count}i", self._data, at) if count else ()

    def names(self) -> tuple[str, ...]:
        """Read a counted list of names."""
        return tuple([self.name() for _ in range(self.count(4))])

    def references(self) -> tuple[HandleReference, ...]:
        """Read a counted list of references."""
        count = self.count(REFERENCE_BYTES)
        if not count:
            return ()
        return tuple([HandleReference(self.text(), self.i32()) for _ in range(count)])

    def end(self, *, padding: bytes = b"") -> None:
        """Refuse bytes left over, other than exactly `padding`."""
        if self._at < self._end and self._data[self._at : self._end] != padding:
            raise malformed("bytes left over")


def is_text(name: str) -> bool:
    """Say whether a name read by `Cursor.name` was valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_name(name: str) -> bytes:
    """Return the bytes that `Cursor.name` made the name of."""
    return name.encode("utf-8", _NAME_ERRORS)


def u16_field(number: int) -> bytes:
    """Return a number of two bytes."""
    return _U16.pack(number)


def u32_field(number: int) -> bytes:
    """Return an unsigned number of four bytes."""
    return _U32.pack(number)


def index_field(number: int) -> bytes:
    """Return a signed number of four bytes."""
    return _I32.pack(number)


def data_field(data: bytes) -> bytes:
    """Return bytes behind their length."""
    return _U32.pack(len(data)) + data


def name_field(name: str) -> bytes:
    """Return a text or a name behind its length."""
    data = name.encode("utf-8", _NAME_ERRORS)
    return _U32.pack(len(data)) + data


def indexes_field(indexes: Sequence[int]) -> bytes:
    """Return a counted list of signed numbers."""
    return struct.pack(f">I{len(indexes)}i", len(indexes), *indexes)


def names_field(names: Sequence[str]) -> bytes:
    """Return a counted list of texts or names."""
    return _U32.pack(len(names)) + b"".join([name_field(name) for name in names])


def reference_field(reference: HandleReference) -> bytes:
    """Return a handle and an index."""
    return name_field(reference.handle) + _I32.pack(reference.index)


def references_field(references: Sequence[HandleReference]) -> bytes:
    """Return a counted list of references."""
    fields = [reference_field(reference) for reference in references]
    return _U32.pack(len(references)) + b"".join(fields)
