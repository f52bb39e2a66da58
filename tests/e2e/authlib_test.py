# SPDX-License-Identifier: Apache-2.0
"""AUTHMODULES=authlib against Debian's courier-authdaemon (R39, R60, R80, R81, R130, O4)."""
import base64
import json
import os
import pwd
import subprocess
import time

import pytest

from lib.authdaemon import PRESENT, AuthDaemon
from lib.front import Front
from lib.server import BIN

pytestmark = pytest.mark.skipif(not PRESENT, reason="needs root and courier-authdaemon")
WRONG = "[AUTHENTICATIONFAILED] Login failed."


@pytest.fixture(scope="module")
def daemon():
    d = AuthDaemon(options="disableimap=1,group=staff")
    d.add("ann@example.com", b"secret", uid=5001, gid=5002, home="/srv/mail/ann", mail="/srv/mail/ann/Mail",
          quota="1000S", gecos="Ann=.", options="disableimap=0,group=a,group=b")
    d.add("off@example.com", b"secret", uid=5001, gid=5002, home="/srv/mail/off")
    d.add("clear@example.com", b"secret", uid=5001, gid=5002, home="/srv/mail/clear",
          options="disableimap=0,disableinsecureimap=1")
    d.add("root@example.com", b"secret", uid=0, gid=0, home="/root", options="disableimap=0")
    d.add("slash@example.com", b"secret", uid=5001, gid=5002, home="/", options="disableimap=0")
    d.add("plain", b"pa ss\"w\\ord%{}&\xc3\xa9", uid=5001, gid=5002, home="/srv/mail/plain", options="disableimap=0")
    d.make().start()
    yield d
    d.close()


@pytest.fixture(scope="module")
def front(daemon):
    # The socket is for the group, as in Debian.
    os.chmod(os.path.dirname(daemon.socket), 0o750)
    os.chown(os.path.dirname(daemon.socket), 0, 61950)
    with Front(users=["demo"], AUTHMODULES='"authlib passwd-file"', AUTHLIB_SOCKET=daemon.socket, AUTH_GROUPS="61950",
               LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000, LOGIN_PENALTY_FREE=100000, AUTH_CACHE_SIZE=0,
               AUTH_MECHANISMS='"PLAIN LOGIN CRAM-MD5"').running() as f:
        yield f


def login(front, user, password, tls=False):
    with front.client(tls) as c:
        return c.cmd("AUTHENTICATE PLAIN " + base64.b64encode(b"\0%s\0%s" % (user, password)).decode()).text


def test_record(front):
    given = len(front.backend.given)
    assert login(front, b"ann@example.com", b"secret") == "AUTHENTICATE Ok."
    r = front.backend.given[given].record
    assert (r["uid"], r["gid"], r["home"], r["maildir"]) == (5001, 5002, "/srv/mail/ann", "/srv/mail/ann/Mail")
    assert (r["user"], r["quota"]) == ("ann@example.com", "1000S")
    # The daemon itself adds what its DEFAULTOPTIONS has and the account lacks.
    assert r["options"] == "disableimap=0,group=a,group=b"


def test_refused(front):
    assert login(front, b"ann@example.com", b"wrong") == WRONG
    assert login(front, b"nobody@example.com", b"secret") == WRONG
    assert login(front, b"ann@example.com", b"secret\nx") == WRONG
    assert login(front, b"off@example.com", b"secret") == \
        "[AUTHORIZATIONFAILED] IMAP access disabled for this account."
    assert login(front, b"off@example.com", b"wrong") == WRONG
    for user in (b"root@example.com", b"slash@example.com"):
        assert login(front, user, b"secret").startswith("[UNAVAILABLE]")
    assert login(front, b"clear@example.com", b"secret") == \
        "[AUTHORIZATIONFAILED] IMAP access disabled via insecure connection."
    assert login(front, b"clear@example.com", b"secret", tls=True) == "AUTHENTICATE Ok."


def test_passwords_are_byte_exact(front):
    assert login(front, b"plain", b"pa ss\"w\\ord%{}&\xc3\xa9") == "AUTHENTICATE Ok."
    assert login(front, b"plain", b"pa ss\"w\\ord%{}&\xc3\xaa") == WRONG
    assert login(front, b"plain", b"x" * 1024) == WRONG
    assert login(front, b"x" * 255, b"secret") == WRONG


def test_who_the_daemon_does_not_know(front):
    assert login(front, b"demo", b"demo") == "AUTHENTICATE Ok."


def test_daemon_gone_and_back(front, daemon):
    assert login(front, b"ann@example.com", b"secret") == "AUTHENTICATE Ok."
    daemon.stop()
    for password in (b"secret", b"wrong"):
        start = time.monotonic()
        assert login(front, b"ann@example.com", password).startswith("[UNAVAILABLE]")
        assert time.monotonic() - start < 5
    assert login(front, b"demo", b"demo") == "AUTHENTICATE Ok."  # known to the next module
    lines = front.log().count("courier-authlib can't be asked")
    assert 1 <= lines <= 2
    daemon.start()
    assert login(front, b"ann@example.com", b"secret") == "AUTHENTICATE Ok."
    assert "courier-authlib answers again" in front.log()


def test_pam_names_a_user_of_the_system():
    """authpam's reply has USERNAME and no UID; the service's file is named by the port (R60)."""
    allow = "auth required pam_permit.so\naccount required pam_permit.so\n"
    daemon = AuthDaemon("authpam", pam={"mailstore": allow, "imap": allow.replace("permit", "deny")})
    try:
        daemon.make().start()
        front = Front(users=["demo"], AUTHMODULES="authdaemon", AUTHLIB_SOCKET=daemon.socket, LOGIN_FAILURE_DELAY=0,
                      PASSWD_FILE="/nonexistent/not/asked")
        front.settings["AUTHSERVICE%d" % front.port] = "mailstore"
        front.write_settings()
        with front.running():
            assert login(front, b"mail", b"anything") == "AUTHENTICATE Ok."
            r = front.backend.given[-1].record
            user = pwd.getpwnam("mail")
            assert (r["uid"], r["gid"], r["home"]) == (user.pw_uid, user.pw_gid, user.pw_dir)
            assert login(front, b"mail", b"anything", tls=True) == WRONG
            assert login(front, b"nobody-here", b"anything") == WRONG
            assert login(front, b"root", b"anything").startswith("[UNAVAILABLE]")
    finally:
        daemon.close()


def test_courier_agrees(front, daemon):
    """Courier's own client is let in and refused as we are."""
    for user, password in (("ann@example.com", "secret"), ("ann@example.com", "wrong"), ("nobody", "secret")):
        theirs = subprocess.run(daemon.command("authtest", "-s", "imap", user, password), capture_output=True,
                                check=False, timeout=30).returncode == 0
        assert theirs == login(front, user.encode(), password.encode()).endswith(" Ok.")


def test_check_looks_at_the_socket(front, daemon):
    def found():
        done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", front.conf, "check", "--json"], check=False,
                              capture_output=True, timeout=30)
        return {r["item"]: r["result"] for r in json.loads(done.stdout)}
    assert found()["AUTHLIB_SOCKET"] == "ok"
    daemon.stop()
    assert found()["AUTHLIB_SOCKET"] == "FAULT"
    daemon.start()
