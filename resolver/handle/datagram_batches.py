"""A datagram socket that takes and gives up to 64 datagrams with one system call.

`recvmmsg(2)` and `sendmmsg(2)` through ctypes: with a call for each datagram a process answers a
quarter less. The memory of a batch is laid out once; all that a peer makes us allocate is the
datagrams themselves.

Invariants: the socket does not block; a datagram beyond LONGEST_BYTES arrives cut, and so shorter
than it says; what the kernel does not take at once is dropped, as datagrams may be. Numbers given
to `source`, `addresses`, `network` and `reply` are places in the list that `receive` returned last.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Hashable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Protocol

BATCH = 64
LONGEST_BYTES = 1_536
LARGEST_REPLY_BYTES = 512
RECEIVE_BUFFER_BYTES = 4 << 20

Source = tuple[str, int] | tuple[str, int, int, int]

_MSG_DONTWAIT = 0x40
# sockaddr_in has 16 bytes, sockaddr_in6 28; in whole words both are quicker to read. The address
# begins with the second word of 4 bytes of the one and of 8 bytes of the other.
_NAME_BYTES = 32
_IPV4_NAME, _IPV6_NAME = struct.Struct("!2xH4s"), struct.Struct("!2xHI16sI")
_IPV4_WORDS, _IPV6_WORDS = _NAME_BYTES // 4, _NAME_BYTES // 8
_IPV4_NETWORK_BYTES, _IPV6_NETWORK_BYTES = 3, 7
_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"
# Where fields stand when struct mmsghdr and struct iovec are read as arrays of words.
_LENGTH_AT, _HEADER_U32S = 14, 16
_HEADER_BYTES, _HEADER_U64S = 64, 8
_IOV_LENGTH_AT, _IOV_U64S = 1, 2


class _IOVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MsgHdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _MMsgHdr(ctypes.Structure):
    _fields_ = (("header", _MsgHdr), ("length", ctypes.c_uint))


class _Buffers:
    """BATCH buffers of `size` bytes each, with the headers that tell the kernel of them."""

    def __init__(self, size: int, names: int) -> None:
        self.data = bytearray(BATCH * size)
        self._iovs, self._headers = (_IOVec * BATCH)(), (_MMsgHdr * BATCH)()
        first = _address_of(self.data)
        for n in range(BATCH):
            self._iovs[n] = _IOVec(first + n * size, size)
            header = self._headers[n].header
            header.name, header.name_length = names + n * _NAME_BYTES, _NAME_BYTES
            header.iov, header.iov_length = ctypes.addressof(self._iovs[n]), 1
        self.address = ctypes.addressof(self._headers)
        self.header_u32s = memoryview(self._headers).cast("B").cast("I")
        self.header_u64s = memoryview(self._headers).cast("B").cast("Q")
        self.iov_u64s = memoryview(self._iovs).cast("B").cast("Q")


class Addresses(Protocol):
    """Addresses by the place of their datagrams; equal ones are equal, and can be hashed."""

    def __getitem__(self, number: int, /) -> Hashable:
        """Return where a datagram came from."""
        ...


class _IPv6Addresses:
    def __init__(self, words: memoryview) -> None:
        self._high, self._low = words[1::_IPV6_WORDS], words[2::_IPV6_WORDS]

    def __getitem__(self, number: int, /) -> Hashable:
        return self._high[number], self._low[number]


class BatchSocket:
    """Batches on a bound datagram socket of IPv4 or IPv6, which stays its maker's to close."""

    def __init__(self, opened: socket.socket) -> None:
        self._fd = opened.fileno()
        self._family = opened.family
        libc = ctypes.CDLL(None, use_errno=True)
        self._recvmmsg, self._sendmmsg = libc.recvmmsg, libc.sendmmsg
        common = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._recvmmsg.argtypes, self._sendmmsg.argtypes = (*common, ctypes.c_void_p), common
        self._names = bytearray(BATCH * _NAME_BYTES)
        self._names_at = _address_of(self._names)
        self._received = _Buffers(LONGEST_BYTES, self._names_at)
        self._replies = _Buffers(LARGEST_REPLY_BYTES, self._names_at)
        self._lengths = self._received.header_u32s[_LENGTH_AT::_HEADER_U32S]
        self._starts = range(0, BATCH * LONGEST_BYTES, LONGEST_BYTES)
        self._waiting = 0  # replies laid out and not yet sent
        is_ipv4 = opened.family == socket.AF_INET
        self._words = memoryview(self._names).cast("I" if is_ipv4 else "Q")
        self._words_a_name = _NAME_BYTES // self._words.itemsize
        self._network_bits = _network_bits(opened.family)
        # Where each datagram came from: one number for an IPv4 address, two for an IPv6 address.
        self.addresses: Addresses = (
            self._words[1::_IPV4_WORDS] if is_ipv4 else _IPv6Addresses(self._words)
        )

    def receive(self) -> list[bytes]:
        """Take what has arrived, at most BATCH datagrams; raise OSError when the socket is dead."""
        count: int = self._recvmmsg(self._fd, self._received.address, BATCH, _MSG_DONTWAIT, None)
        if count <= 0:
            _check_errno(errno.EAGAIN, errno.EINTR)
            return []
        data, lengths = (
            bytes(memoryview(self._received.data)[: count * LONGEST_BYTES]),
            self._lengths,
        )
        return [data[start : start + lengths[n]] for n, start in enumerate(self._starts[:count])]

    def network(self, number: int) -> int:
        """Return the network a datagram came from as a number: IPv4 /24 or IPv6 /56.

        IPv4 clients of an IPv6 socket have the network of their own address.
        """
        at = number * self._words_a_name + 1
        return self._words[at] & self._network_bits or self._words[at + 1] & self._network_bits

    def packed_address(self, number: int) -> bytes:
        """Return the address a datagram came from, IPv4 in IPv6 as IPv4."""
        start = number * _NAME_BYTES
        if self._family == socket.AF_INET:
            return bytes(self._names[start + 4 : start + 8])
        address = bytes(self._names[start + 8 : start + 24])
        return address[12:] if address.startswith(_IPV4_IN_IPV6) else address

    def source(self, number: int) -> Source:
        """Return where a datagram came from, in the form of `socket.sendto`."""
        start = number * _NAME_BYTES
        if self._family == socket.AF_INET:
            port, address = _IPV4_NAME.unpack_from(self._names, start)
            return socket.inet_ntop(socket.AF_INET, address), port
        port, flow, address, scope = _IPV6_NAME.unpack_from(self._names, start)
        # The kernel gives the scope in the byte order of the machine, unlike the rest.
        scope = int.from_bytes(scope.to_bytes(4), sys.byteorder)
        return socket.inet_ntop(socket.AF_INET6, address), port, flow, scope

    def reply(self, number: int, packet: bytes, request_id: bytes) -> None:
        """Lay out a packet for the sender of a datagram, with the RequestId that it chose."""
        if self._waiting == BATCH:
            self.flush()
        place, replies = self._waiting, self._replies
        start = place * LARGEST_REPLY_BYTES
        replies.data[start : start + len(packet)] = packet
        replies.data[start + 8 : start + 12] = request_id  # RFC 3652 §2.2.1.4
        replies.iov_u64s[place * _IOV_U64S + _IOV_LENGTH_AT] = len(packet)
        replies.header_u64s[place * _HEADER_U64S] = self._names_at + number * _NAME_BYTES
        self._waiting = place + 1

    def flush(self) -> None:
        """Send what was laid out."""
        done, count, self._waiting = 0, self._waiting, 0
        while done < count:
            at = self._replies.address + done * _HEADER_BYTES
            sent: int = self._sendmmsg(self._fd, at, count - done, _MSG_DONTWAIT)
            if sent < 0 and ctypes.get_errno() == errno.EAGAIN:
                return
            # Otherwise the first could not be sent: to port 0, say, which a forger may have put.
            done += max(sent, 1)


def is_among(networks: Sequence[str], family: int) -> Callable[[int], bool]:
    """Return what tells whether a number that `BatchSocket.network` gave lies in `networks`.

    `networks` are like `10.0.0.0/8`; one that is smaller than what `network` tells apart counts as
    the whole of that.
    """
    patterns = [p for p in (_pattern(ip_network(n), family) for n in networks) if p is not None]
    return lambda number: any(number & bits == value for bits, value in patterns)


def _pattern(network: IPv4Network | IPv6Network, family: int) -> tuple[int, int] | None:
    """Return (bits, value), `number & bits == value` being true of the numbers inside, or None."""
    address, mask = network.network_address.packed, network.netmask.packed
    if family == socket.AF_INET6:
        if isinstance(network, IPv4Network):
            address, mask = _IPV4_IN_IPV6[8:] + address, b"\xff" * 4 + mask
        address, mask = address[:8], mask[:8]
    elif isinstance(network, IPv6Network):
        return None
    bits = int.from_bytes(mask, sys.byteorder) & _network_bits(family)
    return bits, int.from_bytes(address, sys.byteorder) & bits


def _network_bits(family: int) -> int:
    known = _IPV4_NETWORK_BYTES if family == socket.AF_INET else _IPV6_NETWORK_BYTES
    return int.from_bytes(b"\xff" * known + b"\x00", sys.byteorder)


def _address_of(buffer: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


def _check_errno(*harmless: int) -> None:
    number = ctypes.get_errno()
    if number not in harmless:
        raise OSError(number, os.strerror(number))
