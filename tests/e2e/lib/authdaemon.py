# SPDX-License-Identifier: Apache-2.0
"""courier-authlib's daemon with a userdb of the test's own, and one that misbehaves on demand."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from .server import ROOT, wait_for

DAEMON = "/usr/lib/courier/courier-authlib/authdaemond"
PRESENT = ROOT and os.path.exists(DAEMON)

# Its paths are compiled in: it gets directories of the test's own there, in a mount namespace.
ENTER = """set -e
mount --make-rprivate /
mount --bind "$1/etc" /etc/courier
mount --bind "$1/run" /run/courier
if [ -d "$1/pam.d" ]; then mount --bind "$1/pam.d" /etc/pam.d; fi
shift
set -a
. /etc/courier/authdaemonrc # the daemon has its settings from there and from the environment
exec "$@"
"""


# authpipe's program: knows passwords in clear. Requests come on stdin, replies go to stdout.
PIPE = """#!/usr/bin/python3
import base64, hashlib, hmac, os
accounts = %r

def line():
    text = b""
    while not text.endswith(b"\\n"):
        text += os.read(0, 1) or os._exit(0)
    return text[:-1]

def check(request):
    if request.startswith(b"PRE "):
        return request.split(b" ", 3)[3].decode()
    if not request.startswith(b"AUTH "):
        return None
    body, length = b"", int(request[5:])
    while len(body) < length:
        body += os.read(0, length - len(body))
    service, kind, first, second = body.decode().split("\\n")[:4]
    if kind == "login":
        return first if first in accounts and accounts[first]["PASSWD2"] == second else None
    user, digest = base64.b64decode(second).decode().split(" ")
    key = accounts.get(user, {}).get("PASSWD2", "").encode()
    return user if hmac.new(key, base64.b64decode(first), hashlib.md5).hexdigest() == digest else None

while True:
    found = accounts.get(check(line()))
    reply = "".join("%%s=%%s\\n" %% item for item in found.items()) + ".\\n" if found else "FAIL\\n"
    os.write(1, reply.encode())
"""


class AuthDaemon:
    """The real one: authuserdb, authpam for the service files in pam (name: content), authpipe for the accounts in
    pipe (name: attributes)."""

    def __init__(self, modules="authuserdb", pam=None, options="", pipe=None):
        self.dir = tempfile.mkdtemp(prefix="ph-authlib.")
        os.chmod(self.dir, 0o755)
        for name in ("etc", "run", "run/authdaemon"):
            os.mkdir(os.path.join(self.dir, name), 0o755)
        with open(self.dir + "/etc/authdaemonrc", "w", encoding="ascii") as f:
            f.write('authmodulelist="%s"\nauthmodulelistorig="%s"\ndaemons=5\nDEBUG_LOGIN=0\nDEFAULTOPTIONS="%s"\n'
                    'LOGGEROPTS=""\nauthdaemonvar=/run/courier/authdaemon\n' % (modules, modules, options))
        if pam:
            os.mkdir(self.dir + "/pam.d")
            for name, text in pam.items():
                with open(os.path.join(self.dir, "pam.d", name), "w", encoding="ascii") as f:
                    f.write(text)
        if pipe:
            with open(self.dir + "/etc/authProg", "w", encoding="utf-8") as f:
                f.write(PIPE % pipe)
            os.chmod(self.dir + "/etc/authProg", 0o755)
        with open(self.dir + "/etc/userdb", "w", encoding="ascii"):
            os.chmod(self.dir + "/etc/userdb", 0o600)
        self.socket = self.dir + "/run/authdaemon/socket"
        self.process = None

    def command(self, *args):
        return ["unshare", "-m", "sh", "-c", ENTER, "sh", self.dir, *args]

    def run(self, *args, stdin=None):
        return subprocess.run(self.command(*args), input=stdin, check=True, capture_output=True, timeout=30).stdout

    def add(self, user, password, **fields):
        """A userdb entry as Courier's own tools make it; password None: none."""
        self.run("userdb", user, "set", *["%s=%s" % item for item in fields.items()])
        if password is not None:
            for kind, option in (("systempw", "-md5"), ("hmac-md5pw", "-hmac-md5")):
                made = subprocess.run(["userdbpw", option], input=password + b"\n", check=True, capture_output=True)
                self.run("userdb", user, "set", kind, stdin=made.stdout)

    def make(self):
        self.run("makeuserdb")
        return self

    def start(self):
        with open(self.dir + "/log", "ab") as log:
            self.process = subprocess.Popen(self.command(DAEMON), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

        def answers():
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
                s.connect(self.socket)
                s.sendall(b"PRE . imap no-such-user\n")
                return s.recv(100) == b"FAIL\n"
            return False
        wait_for("courier-authdaemon", answers)
        return self

    def stop(self):
        """The daemon and its children, as after a crash: the socket stays."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            wait_for("the end of its children", lambda: not self.listens())

    def listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.socket) == 0

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class FakeDaemon:
    """answer(request bytes, connection) says what happens to each request."""

    def __init__(self, path, answer):
        self.path, self.answer, self.requests, self.accepted, self.open = path, answer, [], 0, 0
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.start()

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.closing.clear()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listener.listen(100)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self.lock:
            self.accepted += 1
            self.open += 1
        with contextlib.suppress(OSError), connection:
            connection.settimeout(30)
            request = self.read(connection)
            with self.lock:
                self.requests.append(request)
            self.answer(request, connection)
        with self.lock:
            self.open -= 1

    @staticmethod
    def read(connection):
        """One request, whole: the line TCPREMOTEIP, then PRE, or AUTH with its body."""
        data = b""
        while True:
            lines = data.split(b"\n")
            at = 1 if lines[0].startswith(b"TCPREMOTEIP=") else 0
            if len(lines) > at + 1:
                if not lines[at].startswith(b"AUTH "):
                    return data
                head = len(b"\n".join(lines[:at + 1])) + 1
                if len(data) >= head + int(lines[at][5:]):
                    return data
            more = connection.recv(65536)
            if not more:
                return data
            data += more

    def stop(self):
        self.closing.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
