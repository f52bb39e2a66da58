# SPDX-License-Identifier: Apache-2.0
"""A login worker of the test's own: speaks common/ipc/handoff.h and control.h to the backend master, and makes
tickets as authd does, good ones and others."""
import array
import hashlib
import hmac
import os
import socket
import struct

NONCES_WANTED, NONCES, GIVE, TAKEN, REFUSED = 1, 2, 3, 4, 5
MALFORMED = 999


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(value)) + value


def send(sock, kind, body, fds=()):
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([struct.pack("<HHI", kind, 1, len(body)) + body], control)


def receive(sock):
    data = sock.recv(65536)
    if not data:
        raise EOFError
    kind, _, n = struct.unpack("<HHI", data[:8])
    return kind, data[8:8 + n]


class Refused(Exception):
    def __init__(self, body):
        code = struct.unpack("<I", body[:4])[0]
        self.code = body[4:4 + code].decode()
        self.text = body[8 + code:].decode()
        super().__init__("%s: %s" % (self.code, self.text))


class Gate:
    def __init__(self, rundir, timeout=40):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        self.sock.connect(os.path.join(rundir, "backend.sock"))
        with open(os.path.join(rundir, "ticket.key"), "rb") as f:
            self.key = f.read()
        self.nonces, self.id = [], 0

    def close(self):
        self.sock.close()

    def nonce(self):
        if not self.nonces:
            send(self.sock, NONCES_WANTED, struct.pack("<I", 64))
            kind, body = receive(self.sock)
            assert kind == NONCES and len(body) == 64 * 16
            self.nonces = [body[i:i + 16] for i in range(0, len(body), 16)]
        return self.nonces.pop()

    def ticket(self, user, uid, gid, home, maildir="Maildir", nonce=None, key=None, session="test1", begun=0):
        record = text(user) + struct.pack("<II", uid, gid) + text(home) + text(maildir) + text("") * 3
        facts = (text("imap") + text(session) + text("192.0.2.1") + text("192.0.2.2")
                 + struct.pack("<HHB", 1234, 143, 0) + text("") + struct.pack("<Q", begun))
        signed = b"\x01" + (nonce or self.nonce()) + record + facts
        return signed + hmac.new(key or self.key, signed, hashlib.sha256).digest()

    def give(self, ticket, fd, unread=b"", tag="t1", fds=None):
        self.id += 1
        body = struct.pack("<I", self.id) + text(ticket) + text(tag) + text("LOGIN") + text(unread)
        send(self.sock, GIVE, body, [fd] if fds is None else fds)
        return self.id

    def answer(self):
        kind, body = receive(self.sock)
        return kind, struct.unpack("<I", body[:4])[0], body[4:]

    def login(self, *account, unread=b"", **more):
        """The client's end of a connection that was taken; Refused otherwise."""
        mine, theirs = socket.socketpair()
        mine.settimeout(20)
        with theirs:
            number = self.give(self.ticket(*account, **more), theirs.fileno(), unread)
        kind, answered, rest = self.answer()
        assert answered == number
        if kind == TAKEN:
            return mine
        mine.close()
        raise Refused(rest)
