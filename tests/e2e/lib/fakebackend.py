# SPDX-License-Identifier: Apache-2.0
"""A backend master of a few lines for tests of the front end: it takes clients over as told."""
import array
import contextlib
import os
import socket
import struct
import threading

NONCES_WANTED, NONCES, GIVE, TAKEN, REFUSED = 1, 2, 3, 4, 5


def message(kind, body=b""):
    return struct.pack("<HHI", kind, 1, len(body)) + body


def put(data):
    return struct.pack("<I", len(data)) + data


def take(body, at):
    n = struct.unpack_from("<I", body, at)[0]
    return body[at + 4:at + 4 + n], at + 4 + n


class Given:
    """One HANDOFF_GIVE: the client's socket is self.client."""

    def __init__(self, link, body, fds):
        self.link, self.id = link, struct.unpack_from("<I", body)[0]
        at = 4
        self.ticket, at = take(body, at)
        self.tag, at = take(body, at)
        self.verb, at = take(body, at)
        self.unread, at = take(body, at)
        assert at == len(body) and len(fds) == 1
        self.client = socket.socket(fileno=fds[0])
        self.client.setblocking(True)
        self.client.settimeout(10)

    @property
    def record(self):
        """The user record in the ticket (ipc/record.h)."""
        r, at = {}, 17
        r["user"], at = take(self.ticket, at)
        r["uid"], r["gid"] = struct.unpack_from("<II", self.ticket, at)
        at += 8
        for name in ("home", "maildir", "quota", "options", "mailhost"):
            r[name], at = take(self.ticket, at)
        return {k: v.decode() if isinstance(v, bytes) else v for k, v in r.items()}

    def taken(self):
        self.link.send(message(TAKEN, struct.pack("<I", self.id)))
        self.client.sendall(self.tag + b" OK " + self.verb + b" Ok.\r\n")
        return self.client

    def refused(self, code=b"LIMIT", text=b"Too many."):
        self.client.close()
        self.link.send(message(REFUSED, struct.pack("<I", self.id) + put(code) + put(text)))


class FakeBackend:
    """Calls on_give(Given) in a thread of its own for each hand-over; by default echoes lines."""

    def __init__(self, rundir, auth_uid=None, on_give=None):
        self.path, self.on_give, self.given, self.links = os.path.join(rundir, "backend.sock"), on_give, [], []
        key = os.path.join(rundir, "ticket.key")
        if not os.path.exists(key):
            with open(key, "wb") as f:
                f.write(os.urandom(32))
            os.chmod(key, 0o400)
            if auth_uid is not None:
                os.chown(key, auth_uid, -1)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        os.unlink(self.path)
        self.listener.close()
        self.drop_links()

    def drop_links(self):
        for link in self.links:
            link.shutdown(socket.SHUT_RDWR)
            link.close()
        self.links = []

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        while True:
            try:
                data, ancillary, _, _ = link.recvmsg(65536, socket.CMSG_SPACE(16))
            except OSError:
                return
            if not data:
                return
            fds = array.array("i")
            for _, _, raw in ancillary:
                fds.frombytes(raw)
            kind, body = struct.unpack_from("<H", data)[0], data[8:]
            if kind == NONCES_WANTED:
                link.send(message(NONCES, os.urandom(16 * struct.unpack("<I", body)[0])))
            elif kind == GIVE:
                given = Given(link, body, fds)
                self.given.append(given)
                threading.Thread(target=self.on_give or self.echo, args=(given,), daemon=True).start()

    @staticmethod
    def echo(given):
        """Serves a client that is taken: each line comes back behind "* echo "."""
        with contextlib.suppress(OSError), given.taken() as client:
            data = given.unread
            while True:
                while b"\n" in data:
                    line, data = data.split(b"\n", 1)
                    client.sendall(b"* echo " + line.rstrip(b"\r") + b"\r\n")
                more = client.recv(65536)
                if not more:
                    return
                data += more
