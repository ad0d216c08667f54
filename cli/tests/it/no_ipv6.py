"""Runs a program on a machine without IPv6: the kernel knows no AF_INET6, as with `ipv6.disable=1`.

Usage: no_ipv6.py PROGRAM [ARGUMENT...]
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]

# struct seccomp_data: the number of the call at 0, its first argument at 16. See seccomp(2).
steps = [
    (LOAD, 0, 0, 0),
    (EQUAL, 0, 3, SOCKET),
    (LOAD, 0, 0, 16),
    (EQUAL, 0, 1, socket.AF_INET6),
    (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT),
    (RETURN, 0, 0, ALLOW),
]
filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.c_void_p)]


program = Program(len(steps), ctypes.addressof(filters))
libc = ctypes.CDLL(None, use_errno=True)
for args in (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
    if libc.prctl(*args) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
os.execv(sys.argv[1], sys.argv[1:])
