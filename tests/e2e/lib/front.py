# SPDX-License-Identifier: Apache-2.0
"""A front end with a fake backend: what happens before login and at the hand-over."""
import contextlib
import os
import socket
import subprocess

from .fakebackend import FakeBackend
from .imap import Imap
from .server import BIN, ROOT, Server, wait_for


class Front(Server):
    prefix = []  # of the command that starts a program: "prlimit ..."

    def __init__(self, users=("demo", "bob"), on_give=None, **settings):
        super().__init__(users=users, **settings)
        self.on_give, self.backend = on_give, None

    def start(self, programs=("frontend",)):
        self.start_backend()
        for program in programs:
            self.start_one(program)
        wait_for("the front end", lambda: "ready program=frontend" in self.log())
        return self

    def start_one(self, program):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PH_")}
        with open(self.log_path, "ab") as log:
            self.processes[program] = subprocess.Popen(
                self.prefix + [os.path.join(BIN, program), "-C", self.conf], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=env, start_new_session=True)

    def start_backend(self):
        self.backend = FakeBackend(self.run, int(self.settings["AUTH_USER"]) if ROOT else None, self.on_give)

    def stop(self):
        if self.backend:
            self.backend.stop()
        super().stop()

    def client(self, tls=False, **more):
        return Imap(self.sslport if tls else self.port, tls=tls, **more)

    def raw(self, tls=False, timeout=10):
        """A socket without TLS on either port."""
        return socket.create_connection(("127.0.0.1", self.sslport if tls else self.port), timeout=timeout)

    @contextlib.contextmanager
    def running(self):
        try:
            yield self.start()
        finally:
            self.stop()
