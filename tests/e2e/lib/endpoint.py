# SPDX-License-Identifier: Apache-2.0
"""An HTTP endpoint that a test scripts: it sees each request byte for byte, and sends what it is told."""
import contextlib
import json
import socket
import threading
import urllib.parse

from .server import free_port


class Request:
    def __init__(self, raw):
        self.raw = raw
        head, self.body = raw.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        self.method, self.path, self.version = lines[0].decode().split(" ")
        self.lines = [line.split(b": ", 1) for line in lines[1:]]
        self.headers = {name.decode().lower(): value for name, value in self.lines}

    def text(self, name):
        """A header as the endpoint's program would read it."""
        return urllib.parse.unquote_to_bytes(self.headers.get(name.lower(), b""))

    @property
    def json(self):
        return json.loads(self.body)


def page(status="200 OK", headers=(), body=b"", length=None):
    """A whole answer; headers are (name, value) pairs."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    lines = ["HTTP/1.1 %s" % status, "Content-Length: %s" % (len(body) if length is None else length)]
    lines += ["%s: %s" % pair for pair in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(status="OK", **headers):
    """An answer of the nginx kind: says("OK", Posthouse_Uid=7)."""
    return page(headers=[("Auth-Status", status)] + [(k.replace("_", "-"), v) for k, v in headers.items()])


def is_whole(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return b"\r\nContent-Length: %d\r\n" % len(body) in head + b"\r\n"


class Endpoint:
    """answer(request) returns bytes, or None when it has dealt with self.sock itself. OPTIONS, by which an endpoint is
    probed, is answered here and kept apart."""

    def __init__(self, answer, context=None, address="127.0.0.1"):
        self.answer, self.context = answer, context
        self.address, self.port = address, free_port()
        self.requests, self.probes, self.connections = [], 0, 0
        self.lock, self.open, self.listener = threading.Lock(), set(), None
        self.start()

    def start(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.address, self.port))
        self.listener.listen(1024)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """Nobody listens any more, and what was open is cut."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self, path="/auth"):
        return "http%s://%s:%d%s" % ("s" if self.context else "", self.address, self.port, path)

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        plain = sock
        with contextlib.suppress(OSError, ValueError):
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with self.lock:
                self.connections += 1
            while self._one(sock):
                pass
        with contextlib.suppress(OSError):
            sock.close()
        self.open.discard(plain)

    @staticmethod
    def _read(sock):
        raw = b""
        while b"\r\n\r\n" not in raw:
            more = sock.recv(65536)
            if not more:
                return None
            raw += more
        length = Request(raw).headers.get("content-length")
        while length and len(raw.split(b"\r\n\r\n", 1)[1]) < int(length):
            raw += sock.recv(65536)
        return raw

    def _one(self, sock):
        raw = self._read(sock)
        if raw is None:
            return False
        request = Request(raw)
        request.sock = sock
        with self.lock:
            if request.method == "OPTIONS":
                self.probes += 1
            else:
                self.requests.append(request)
        answer = page() if request.method == "OPTIONS" else self.answer(request)
        if answer is not None:
            sock.sendall(answer)
        return request.version == "HTTP/1.1" and answer is not None and is_whole(answer)
