# SPDX-License-Identifier: Apache-2.0
"""`imapd ./Maildir` as from a shell prompt: no daemons, no network; several may share one Maildir."""
import os
import socket
import subprocess

from .imap import Imap
from .server import BIN


class Shell(Imap):
    """An Imap client whose server is a child process on a socket pair. Settings go by PH_NAME, or in conf; prefix
    is what the command line begins with ("setpriv ...")."""

    def __init__(self, maildir, timeout=20, prefix=(), conf=None, **settings):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PH_") and k not in ("MAILDIR", "IMAPLOGINTAG")}
        env.update({"PH_" + name: str(value) for name, value in settings.items()})
        env["AUTHENTICATED"] = "demo"
        env.setdefault("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=8")  # not dumpable: no LeakSanitizer
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(timeout)
        self.errors = open(str(maildir) + ".stderr", "ab+")
        self.process = subprocess.Popen([*prefix, os.path.join(BIN, "imapd"), *(["-C", conf] if conf else []), str(maildir)], stdin=theirs, stdout=theirs,
                                        stderr=self.errors, env=env)
        theirs.close()
        self.timeout, self.number, self.buffer = timeout, 0, b""
        self.greeting = self.read_line()

    def log(self):
        self.errors.flush()
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def close(self):
        """The process ends with its only connection, in order."""
        if self.process is None:
            return
        self.sock.close()
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "nothing within 15 s"
        log = self.log()
        self.errors.close()
        self.process = None
        assert code == 0 and "Sanitizer" not in log and "runtime error" not in log, "%s\n%s" % (code, log[-8000:])
