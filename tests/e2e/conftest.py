# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lib.guard import Guard  # noqa: E402
from lib.imap import Imap  # noqa: E402
from lib.server import Server  # noqa: E402


@pytest.fixture(scope="session")
def shared_server():
    """One server for tests that only need accounts of their own."""
    server = Server(users=["demo"] + ["u%d" % i for i in range(400)]).start()
    yield server
    server.stop()


class Account:
    """A fresh account of the shared server: user name, logged-in clients, its Maildir."""

    used = 0

    def __init__(self, server):
        self.server, self.user, self.clients = server, "u%d" % Account.used, []
        Account.used += 1

    def client(self, tls=False, login=True, select=None):
        c = Imap(self.server.sslport if tls else self.server.port, tls=tls)
        self.clients.append(c)
        if login:
            c.login(self.user)
        if select:
            c.ok("SELECT %s" % select)
        return c

    def deliver(self, text=b"Subject: hello\n\nbody\n", folder=None, **more):
        return self.server.deliver(text, user=self.user, folder=folder, **more)

    @property
    def maildir(self):
        return self.server.maildir(self.user)


@pytest.fixture
def account(shared_server):
    a = Account(shared_server)
    yield a
    for c in a.clients:
        c.close()


@pytest.fixture(scope="module")
def box(shared_server):
    """One account for all tests of a file, with three messages in its INBOX."""
    a = Account(shared_server)
    for i in range(3):
        a.deliver(b"From: a@example.com\nSubject: %d\n\nbody %d\n" % (i, i))
    yield a
    for c in a.clients:
        c.close()


@pytest.fixture
def guard(shared_server):
    """Whatever the test does to the shared server: nothing crashes, and it costs little."""
    g = Guard(shared_server)
    yield g
    g.check()


@pytest.fixture
def server():
    """A server of the test's own, which it may break."""
    made = []

    def make(**settings):
        s = Server(**settings)
        made.append(s)
        return s
    yield make
    for s in made:
        s.stop()
