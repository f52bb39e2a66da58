# SPDX-License-Identifier: Apache-2.0
"""A small IMAP client for tests: raw access, and answers with their literals kept apart."""
import re
import select
import socket
import ssl
import time

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Reply:
    """Answer to one command: lines (bytes without CRLF, literals in place), tagged status and text."""

    def __init__(self, untagged, status, text):
        self.untagged, self.status, self.text = untagged, status, text

    @property
    def ok(self):
        return self.status == "OK"

    def find(self, pattern):
        """The first untagged line that matches, as a match object, or None."""
        for line in self.untagged:
            found = re.search(pattern.encode() if isinstance(pattern, str) else pattern, line, re.S)
            if found:
                return found
        return None

    def all(self, pattern):
        rex = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.S)
        return [found for found in map(rex.search, self.untagged) if found]

    def __repr__(self):
        return "<%s %s %r>" % (self.status, self.text, self.untagged)


class Imap:
    def __init__(self, port, tls=False, timeout=20, greeting=True):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout, self.number, self.buffer = timeout, 0, b""
        if tls:
            self.start_tls()
        if greeting:
            self.greeting = self.read_line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def start_tls(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")

    # ---- bytes and lines ------------------------------------------------------------------------------
    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("the server closed the connection; unread: %r" % self.buffer[-200:])
        self.buffer += data

    def _exactly(self, n):
        pieces, have = [self.buffer[:n]], min(n, len(self.buffer))
        self.buffer = self.buffer[n:]
        while have < n:
            data = self.sock.recv(min(1 << 20, n - have))
            if not data:
                raise EOFError("the server closed the connection in the middle of a literal")
            pieces.append(data)
            have += len(data)
        return b"".join(pieces)

    def read_line(self):
        """One response line without its CRLF; literals and what follows them belong to it."""
        line = b""
        while True:
            while b"\n" not in self.buffer:
                self._more()
            cut = self.buffer.index(b"\n") + 1
            piece, self.buffer = self.buffer[:cut], self.buffer[cut:]
            line += piece
            literal = LITERAL.search(piece)
            if not literal:
                return line[:-2] if line.endswith(b"\r\n") else line[:-1]
            line += self._exactly(int(literal.group(1)))

    def pending(self, seconds=0.0):
        """Whether more can be read within that time."""
        if self.buffer or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            return True
        return bool(select.select([self.sock], [], [], seconds)[0])

    def closed(self, seconds=10.0):
        """True when the server closes within that time; what it still said is in self.last."""
        self.last = self.buffer
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.sock], [], [], 0.1)[0]:
                continue
            try:
                data = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return True
            if not data:
                return True
            self.last += data
        return False

    # ---- commands --------------------------------------------------------------------------------------
    def start(self, command):
        self.number += 1
        tag = b"t%d" % self.number
        self.send(tag + b" " + (command.encode() if isinstance(command, str) else command) + b"\r\n")
        return tag

    def finish(self, tag):
        untagged = []
        while True:
            line = self.read_line()
            if line.startswith(tag + b" "):
                _, status, text = (line.decode("utf-8", "replace") + " ").split(" ", 2)
                return Reply(untagged, status, text.rstrip())
            untagged.append(line)

    def cmd(self, command):
        return self.finish(self.start(command))

    def ok(self, command):
        reply = self.cmd(command)
        assert reply.ok, "%s: %r" % (command, reply)
        return reply

    def login(self, user="demo", password=None):
        self.ok("LOGIN %s %s" % (user, password or user))
        return self

    def append(self, folder, message, flags="", date=""):
        if isinstance(message, str):
            message = message.encode()
        options = ("(%s) " % flags if flags else "") + ('"%s" ' % date if date else "")
        tag = self.start("APPEND %s %s{%d+}" % (folder, options, len(message)))
        self.send(message + b"\r\n")
        return self.finish(tag)

    def idle(self):
        """Enters IDLE; the text behind + is returned."""
        self.idle_tag = self.start("IDLE")
        line = self.read_line()
        assert line.startswith(b"+"), line
        return line[2:].decode()

    def idle_until(self, pattern, seconds=10.0):
        """Lines that came in IDLE, up to the first that matches."""
        lines, end = [], time.monotonic() + seconds
        while True:
            if not self.pending(max(0.0, end - time.monotonic())):
                raise AssertionError("no %r within %g s, but %r" % (pattern, seconds, lines))
            lines.append(self.read_line())
            if re.search(pattern.encode(), lines[-1]):
                return lines

    def done(self):
        self.send("DONE\r\n")
        return self.finish(self.idle_tag)
