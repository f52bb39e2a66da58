# SPDX-License-Identifier: Apache-2.0
"""Certificates by server name and by local address, and files that change under open sessions (R64, O26, O31)."""
import os
import shutil
import signal
import ssl
import subprocess
import tempfile

import pytest

from lib.front import Front
from lib.guard import SANITIZED
from lib.pki import Authority, write
from lib.server import wait_for


@pytest.fixture(scope="module")
def ca():
    directory = tempfile.mkdtemp(prefix="ph-ca.")
    authority = Authority(directory)
    for name in ("mail.example.com", "imap.example.org", "default", "127.0.0.2", "new.example.com"):
        authority.server(name)
    authority.issue("wild", "/CN=*.example.net", "DNS:*.example.net", usage="serverAuth")
    yield authority
    shutil.rmtree(directory)


def cn(front, name=None, address="127.0.0.1"):
    """Common name of the certificate that a client sees which asks for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with front.connect(address) as raw, context.wrap_socket(raw, server_hostname=name) as s:
        der = s.getpeercert(binary_form=True)
        s.recv(10)
    text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253"], input=der,
                          check=True, capture_output=True).stdout.decode()
    return text.strip().rsplit("CN=", 1)[1]


class Named(Front):
    def __init__(self, ca, **settings):
        super().__init__(SSLADDRESS="0", **settings)
        self.cert = self.settings["TLS_CERTFILE"]
        for stray in (".key", ".crt"):
            os.unlink(self.cert + stray)
        write(self.cert, ca.dir + "/default.pem")

    def connect(self, address="127.0.0.1"):
        import socket
        return socket.create_connection((address, self.sslport), timeout=10)


@pytest.fixture(scope="module")
def front(ca):
    f = Named(ca)
    for suffix, name in (("mail.example.com", "mail.example.com"), ("Imap.Example.ORG", "imap.example.org"),
                         ("127.0.0.2", "127.0.0.2"), ("*.example.net", "wild")):
        write("%s.%s" % (f.cert, suffix), "%s/%s.pem" % (ca.dir, name))
    for rubbish in ("bak", "d~", "broken.example.com"):
        with open("%s.%s" % (f.cert, rubbish), "w", encoding="ascii") as o:
            o.write("rubbish")
    os.mkdir(f.cert + ".dir")
    with f.running():
        yield f


@pytest.mark.parametrize("asked, seen", [
    (None, "default"), ("mail.example.com", "mail.example.com"), ("MAIL.Example.com", "mail.example.com"),
    ("imap.example.org", "imap.example.org"), ("x.example.net", "*.example.net"), ("example.net", "default"),
    ("a.b.example.net", "default"), ("unknown.example.com", "default"), ("broken.example.com", "default"),
    ("bak", "default"), ("x" * 60 + ".example.net", "*.example.net"), ("mail.example.co", "default"),
])
def test_by_name(front, asked, seen):
    assert cn(front, asked) == seen


def test_by_address(front):
    assert cn(front, None, "127.0.0.2") == "127.0.0.2"
    assert cn(front, "unknown", "127.0.0.2") == "127.0.0.2"
    assert cn(front, "mail.example.com", "127.0.0.2") == "mail.example.com"


def test_log_of_the_start(front):
    log = front.log()
    assert log.count("certificate not used") == 1 and "broken.example.com" in log  # not "bak"
    assert "names=4" in log


def test_files_change_under_open_sessions(ca):
    front = Named(ca)
    path = front.cert + ".mail.example.com"
    with front.running():
        with front.client(tls=True) as session:
            session.login("demo")
            assert cn(front, "mail.example.com") == "default"
            write(path, ca.dir + "/mail.example.com.pem")
            wait_for("a new file", lambda: cn(front, "mail.example.com") == "mail.example.com")
            with open(path, "w", encoding="ascii") as f:  # in place
                f.write("half")
            wait_for("the complaint", lambda: "certificate not used" in front.log())
            assert cn(front, "mail.example.com") == "mail.example.com"
            # A key of another certificate is as bad, and each fault is said once.
            write(path, ca.dir + "/new.example.com.crt", ca.dir + "/mail.example.com.key")
            front.processes["frontend"].send_signal(signal.SIGHUP)
            wait_for("the complaint", lambda: "key values mismatch" in front.log())
            front.processes["frontend"].send_signal(signal.SIGHUP)
            write(front.cert + ".imap.example.org", ca.dir + "/imap.example.org.pem")
            wait_for("a look more", lambda: cn(front, "imap.example.org") == "imap.example.org")
            assert front.log().count("certificate not used") == 2
            assert cn(front, "mail.example.com") == "mail.example.com"
            write(path, ca.dir + "/new.example.com.pem")
            wait_for("a good one", lambda: cn(front, "mail.example.com") == "new.example.com")
            assert "certificate is for other names" in front.log()
            os.unlink(path)
            wait_for("the default", lambda: cn(front, "mail.example.com") == "default")
            session.send("still here\r\n")
            assert session.read_line() == b"* echo still here"


def test_symbolic_links_are_swapped(ca):
    """As kubelet renews a mounted Secret: ..data is renamed over; certificate and key in files of their own."""
    front = Named(ca)
    base = os.path.join(front.dir, "certs")

    def lay(version, name):
        os.makedirs(os.path.join(base, version))
        write(os.path.join(base, version, "tls.crt"), "%s/%s.crt" % (ca.dir, name))
        write(os.path.join(base, version, "tls.key"), "%s/%s.key" % (ca.dir, name))
        os.symlink(version, os.path.join(base, "..tmp"))
        os.rename(os.path.join(base, "..tmp"), os.path.join(base, "..data"))

    lay("..1", "default")
    for name in ("tls.crt", "tls.key"):
        os.symlink("..data/" + name, os.path.join(base, name))
    front.settings.update(TLS_CERTFILE=base + "/tls.crt", TLS_PRIVATE_KEYFILE=base + "/tls.key")
    front.write_settings()
    with front.running():
        assert cn(front) == "default"
        with front.client(tls=True) as session:
            session.login("demo")
            lay("..2", "new.example.com")
            wait_for("the new one", lambda: cn(front) == "new.example.com")
            assert "certificate not used" not in front.log()
            # Keys by name lie beside; a certificate's file may have its own.
            write(base + "/tls.key.mail.example.com", ca.dir + "/mail.example.com.key")
            write(base + "/tls.crt.mail.example.com", ca.dir + "/mail.example.com.crt")
            write(base + "/tls.crt.imap.example.org", ca.dir + "/imap.example.org.pem")
            wait_for("both", lambda: cn(front, "mail.example.com") == "mail.example.com" and
                     cn(front, "imap.example.org") == "imap.example.org")
            session.send("still here\r\n")
            assert session.read_line() == b"* echo still here"


def test_open_key_is_said(ca):
    front = Named(ca)
    os.chmod(front.cert, 0o644)
    with front.running():
        assert front.log().count("private key is open to everybody") == 1


def test_many_names(ca):
    """Each has its own, a worker that is killed gets them all again, and one more is too many."""
    count = 5000 if os.environ.get("POSTHOUSE_LONG") else 400
    front = Named(ca, TLS_CERTS_MAX=count)
    for i in range(count):
        shutil.copy(ca.dir + "/mail.example.com.pem", "%s.h%d.example.com" % (front.cert, i))
    with front.running():
        assert "names=%d" % count in front.log()
        for i in (0, count // 2, count - 1):
            assert cn(front, "h%d.example.com" % i) == "mail.example.com"
        write(front.cert + ".h%d.example.com" % count, ca.dir + "/new.example.com.pem")
        wait_for("the complaint", lambda: "TLS_CERTS_MAX" in front.log())
        assert cn(front, "h%d.example.com" % count) == "default"
        write(front.cert + ".h%d.example.com" % (count - 1), ca.dir + "/new.example.com.pem")
        wait_for("one that changes", lambda: cn(front, "h%d.example.com" % (count - 1)) == "new.example.com")
        old = front.pids("login")
        os.kill(old[0], 9)
        wait_for("another worker", lambda: front.pids("login") not in ([], old))
        assert cn(front, "h%d.example.com" % (count - 1)) == "new.example.com"
        assert cn(front, "h0.example.com") == "mail.example.com"


def test_random_names_cost_nothing(front):
    """CVE-2017-15130: unknown names leave nothing behind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    pid = front.pids("login")[0]
    count = 50000 if os.environ.get("POSTHOUSE_LONG") else 600

    def pss():
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("Pss:")).split()[1])

    def ask(first, n):
        for i in range(first, first + n):
            with front.connect() as raw, context.wrap_socket(raw, server_hostname="n%d-%s.example.com" % (i, "x" * 40)):
                pass
    ask(0, 200)
    before = pss()
    ask(200, count)
    wait_for("memory", lambda: pss() - before < (512 if not SANITIZED else 16384))
