# SPDX-License-Identifier: Apache-2.0
"""STARTTLS, certificates, and what a TLS port gets that isn't TLS (B1, B2, B3, B20)."""
import os
import shutil
import ssl

import pytest

from lib.front import Front
from lib.server import make_certificate, wait_for


@pytest.fixture(scope="module")
def front():
    with Front(IMAP_TLS_REQUIRED=1).running() as f:
        yield f


def test_login_disabled_before_tls(front):
    with front.client() as c:
        assert b"LOGINDISABLED" in c.greeting and b"AUTH=" not in c.greeting
        for command in ("LOGIN demo demo", "LOGIN demo s3cr3t-word", "AUTHENTICATE PLAIN", "AUTHENTICATE LOGIN eA=="):
            reply = c.cmd(command)
            assert reply.status == "NO" and reply.text.startswith("[PRIVACYREQUIRED]")
        assert c.ok("STARTTLS").text == "Begin SSL/TLS negotiation now."
        c.start_tls()
        caps = c.ok("CAPABILITY").untagged[0]
        assert b"LOGINDISABLED" not in caps and b"STARTTLS" not in caps and b"AUTH=PLAIN" in caps
        assert c.cmd("STARTTLS").status == "BAD"
        c.login("demo")
        c.send("hello\r\n")
        assert c.read_line() == b"* echo hello"
    assert "s3cr3t-word" not in front.log()


@pytest.mark.parametrize("behind", [b"x NOOP\r\n", b"x LOGIN demo demo\r\n", b"x", b"\x16\x03\x01"])
def test_bytes_behind_starttls(front, behind):
    given = len(front.backend.given)
    with front.client() as c:
        c.send(b"a STARTTLS\r\n" + behind)
        assert c.closed() and b"OK" not in c.last and b"x " not in c.last
    assert len(front.backend.given) == given


def test_bytes_after_starttls_in_clear(front):
    with front.client() as c:
        c.ok("STARTTLS")
        c.send(b"x LOGIN demo demo\r\n")
        assert c.closed() and b"x " not in c.last


@pytest.mark.parametrize("data", [
    b"a LOGIN demo demo\r\n", b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + b"\x01" * 37,
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", b"\x16\x03\x01\xff\xff", b"\x17\x03\x03\x00\x01x", b"\0" * 100,
    b"GET / HTTP/1.0\r\n\r\n",
])
def test_not_tls_on_the_tls_port(front, data):
    s = front.raw(tls=True)
    s.sendall(data)
    s.settimeout(5)
    got = b""
    try:
        while more := s.recv(1000):
            got += more
    except ConnectionResetError:
        pass
    assert b"OK" not in got
    s.close()


def test_truncated_hello_is_closed_by_the_deadline():
    with Front(PRELOGIN_TIMEOUT=1).running() as front:
        s = front.raw(tls=True)
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert s.recv(100) == b""


@pytest.mark.parametrize("version, name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_versions(front, version, name):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    with context.wrap_socket(front.raw(tls=True)) as s:
        assert s.version() == name
        assert s.recv(1000).startswith(b"* OK ")


def test_old_versions_are_refused(front):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(front.raw(tls=True))


def der(c):
    return c.sock.getpeercert(binary_form=True)


def test_certificate_is_reloaded(front):
    path = front.settings["TLS_CERTFILE"]
    with front.client(tls=True) as old:
        old.login("demo")
        before = der(old)
        with open(path + ".bad", "w", encoding="ascii") as f:
            f.write("not a certificate\n")
        os.rename(path + ".bad", path)
        wait_for("the complaint", lambda: "certificate not used" in front.log())
        with front.client(tls=True) as c:
            assert der(c) == before
        make_certificate(path + ".new")
        shutil.move(path + ".new", path)

        def served_anew():
            with front.client(tls=True) as c:
                return der(c) != before
        wait_for("the new certificate", served_anew)
        old.send("still here\r\n")
        assert old.read_line() == b"* echo still here"


def test_half_command_at_the_end(front):
    """TCP ends without close_notify in the middle of a command: it isn't run (B20)."""
    with front.client(tls=True) as c:
        c.login("demo")
        c.send("whole\r\nhalf")
        assert c.read_line() == b"* echo whole"
        plain = c.sock.detach()
        os.close(plain)
