# SPDX-License-Identifier: Apache-2.0
"""Debian's redis-server and redis-sentinel in a directory of the test's own, and a client of a few lines."""
import contextlib
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading

from .server import free_port, wait_for


class RedisError(Exception):
    pass


class Client:
    """Commands as bytes or str; answers as bytes, int, list, None; RedisError for errors."""

    def __init__(self, port=None, path=None, password=None, user=None, db=0, timeout=10):
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.sock.makefile("rb")
        if password:
            self(*(["AUTH"] + ([user] if user else []) + [password]))
        if db:
            self("SELECT", db)

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("redis closed the connection")
        kind, text = line[:1], line[1:-2]
        if kind == b"+":
            return text
        if kind == b"-":
            raise RedisError(text.decode())
        if kind == b":":
            return int(text)
        if kind == b"*":
            return None if text == b"-1" else [self.answer() for _ in range(int(text))]
        return None if text == b"-1" else self.file.read(int(text) + 2)[:-2]

    def close(self):
        self.file.close()
        self.sock.close()


class Redis:
    """One redis-server (or sentinel). Each may be killed and started again on its port."""

    PROGRAM = "redis-server"

    def __init__(self, *lines, password=None, user=None):
        self.dir = tempfile.mkdtemp(prefix="ph-redis.")
        os.chmod(self.dir, 0o755)
        self.port, self.path = free_port(), os.path.join(self.dir, "socket")
        self.password, self.user, self.process, self.client = password, user, None, None
        with open(os.path.join(self.dir, "conf"), "w", encoding="utf-8") as f:
            f.write("\n".join([
                "bind 127.0.0.1", "port %d" % self.port, "dir %s" % self.dir, "daemonize no",
                "logfile %s/log" % self.dir, *self.own_lines(), *lines]) + "\n")
        self.start()

    def own_lines(self):
        return ["unixsocket %s" % self.path, "unixsocketperm 777", "save \"\"", "appendonly no",
                "repl-diskless-sync-delay 0", "repl-ping-replica-period 1"]

    def start(self):
        self.process = subprocess.Popen([self.PROGRAM, os.path.join(self.dir, "conf")], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("redis", self.answers)
        return self

    def answers(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.dir, "log"), encoding="utf-8") as f:
                raise AssertionError("redis ended: " + f.read()[-2000:])
        with contextlib.suppress(OSError, EOFError, RedisError):
            self.client = Client(self.port, password=self.password, user=self.user)
            return self.client("PING") == b"PONG"
        return False

    def __call__(self, *words):
        return self.client(*words)

    def account(self, user, password=None, key="user:{%s}", **fields):
        """A hash as REDIS_COMMAND's default wants it."""
        password = user if password is None else password
        fields = {"password": password if password[:1] in ("$", "{") else "{PLAIN}" + password, **fields}
        self.client("DEL", key % user)
        self.client("HSET", key % user, *[x for pair in fields.items() for x in pair])

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Sentinel(Redis):
    PROGRAM = "redis-sentinel"

    def __init__(self, master_port, *lines, quorum=1, name="mail", password=None):
        self.name = name
        if password:
            lines += ("requirepass " + password,)
        super().__init__("sentinel monitor %s 127.0.0.1 %d %d" % (name, master_port, quorum),
                         "sentinel down-after-milliseconds %s 300" % name,
                         "sentinel failover-timeout %s 2000" % name, *lines, password=password)

    def own_lines(self):
        return []

    def master(self):
        return int(self("SENTINEL", "get-master-addr-by-name", self.name)[1])


class FakeRedis:
    """Answers each command by reply(words) -> bytes, or None for nothing at all. The first commands of a
    connection (AUTH, SELECT, PING, ROLE) are answered as Redis does, unless greet is False."""

    def __init__(self, reply, greet=True, first=b""):
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError, EOFError, ValueError):
                    outer.serve(self.request)

        self.reply, self.greet, self.first, self.commands, self.connections = reply, greet, first, [], 0
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def serve(self, sock):
        self.connections += 1
        sock.sendall(self.first)
        file = sock.makefile("rb")
        while True:
            count = int(file.readline()[1:])
            words = [file.read(int(file.readline()[1:]) + 2)[:-2] for _ in range(count)]
            self.commands.append(words)
            greeting = {b"PING": b"+PONG\r\n", b"AUTH": b"+OK\r\n", b"SELECT": b"+OK\r\n",
                        b"SUBSCRIBE": b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(words[-1]), words[-1])}
            answer = greeting.get(words[0].upper()) if self.greet else None
            if answer is None:
                answer = self.reply(words)
            if answer is Ellipsis:
                return
            if answer:
                sock.sendall(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
