# SPDX-License-Identifier: Apache-2.0
"""Client certificates: TLS_VERIFYPEER, TLS_TRUSTCERTS, TLS_CRLFILE, AUTHENTICATE EXTERNAL (R68 to R70, B24)."""
import base64
import os
import re
import select
import shutil
import ssl
import subprocess
import tempfile

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.pki import Authority, openssl, write
from lib.server import BIN, make_certificate, wait_for

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def ca():
    directory = tempfile.mkdtemp(prefix="ph-ca.")
    authority = Authority(directory + "/ca")
    authority.stranger = Authority(directory + "/other", "Somebody else")
    authority.stranger.issue("demo", "/CN=demo")
    for key in ("ec", "rsa", "ed25519"):
        authority.issue("demo-" + key, "/O=Mail/CN=demo/emailAddress=bob", key=key)
    authority.issue("nofield", "/O=demo")
    authority.issue("twice", "/CN=demo/CN=bob")
    authority.issue("nobody", "/CN=nobody")
    authority.issue("revoked", "/CN=demo")
    authority.issue("server-only", "/CN=demo", usage="serverAuth")
    yield authority
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def front(ca):
    with Front(TLS_VERIFYPEER="PEER", TLS_TRUSTCERTS=ca.cert, TLS_EXTERNAL="cn").running() as f:
        yield f


class Client(Imap):
    """Shows a certificate; starttls: on the plain port."""

    def __init__(self, front, cert=None, version=None, starttls=False, ciphers=None, session=None):
        self.cert, self.version, self.ciphers, self.session = cert, version, ciphers, session
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        if cert:
            self.context.load_cert_chain(cert)
        if version:
            self.context.minimum_version = self.context.maximum_version = version
        super().__init__(front.port if starttls else front.sslport, tls=not starttls)
        if starttls:
            assert b"EXTERNAL" not in self.greeting
            self.ok("STARTTLS")
            self.start_tls()

    def start_tls(self):
        self.sock = self.context.wrap_socket(self.sock, server_hostname="localhost", session=self.session)

    def offered(self):
        return b"AUTH=EXTERNAL" in self.ok("CAPABILITY").untagged[0]

    def external(self, authzid=""):
        return self.cmd("AUTHENTICATE EXTERNAL " + (base64.b64encode(authzid.encode()).decode() or "="))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", ["ec", "rsa", "ed25519"])
def test_external(front, ca, version, key):
    with Client(front, ca.dir + "/demo-%s.pem" % key, version) as c:
        assert c.offered()
        assert c.external().ok
        c.send("hello\r\n")
        assert c.read_line() == b"* echo hello"


def test_without_initial_response_and_with_starttls(front, ca):
    with Client(front, ca.dir + "/demo-ec.pem", starttls=True) as c:
        assert c.offered()
        c.send("x AUTHENTICATE EXTERNAL\r\n")
        assert c.read_line() == b"+ "
        c.send("ZGVtbw==\r\n")
        assert c.read_line().startswith(b"x OK")


@pytest.mark.parametrize("authzid", ["bob", "DEMO", "demo\0"])
def test_never_the_name_that_is_claimed(front, ca, authzid):
    with Client(front, ca.dir + "/demo-ec.pem") as c:
        assert c.external(authzid).status in ("NO", "BAD")
        assert c.external("demo").ok


@pytest.mark.parametrize("name", ["nofield", "twice"])
def test_certificate_without_a_name(front, ca, name):
    with Client(front, ca.dir + "/%s.pem" % name) as c:
        assert not c.offered()
        assert c.external("demo").status == "NO"
        c.login("demo")


def test_unknown_user(front, ca):
    with Client(front, ca.dir + "/nobody.pem") as c:
        assert c.external().text.startswith("[AUTHENTICATIONFAILED]")


@pytest.mark.parametrize("version", VERSIONS)
def test_password_login_without_certificate_or_with_a_bad_one(front, ca, version):
    for cert in (None, ca.stranger.dir + "/demo.pem", ca.dir + "/server-only.pem"):
        with Client(front, cert, version) as c:
            assert not c.offered()
            assert c.external().status == "NO"
            c.login("demo")


@pytest.mark.parametrize("version", VERSIONS)
def test_no_ticket_for_who_showed_a_certificate(front, ca, version):
    with Client(front, ca.dir + "/demo-ec.pem", version) as c:
        c.ok("NOOP")
        session = c.sock.session
        assert not session.has_ticket
    with Client(front, None, version) as c:
        c.ok("NOOP")
        session, context = c.sock.session, c.context
        assert session.has_ticket
    c = Client.__new__(Client)
    c.cert, c.session, c.context = None, session, context
    Imap.__init__(c, front.sslport, tls=True)
    with c:
        assert c.sock.session_reused and not c.offered()
        c.login("demo")


class Tool:
    """openssl s_client or gnutls-cli, fed line by line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def send(self, line):
        self.process.stdin.write(line + b"\r\n")
        self.process.stdin.flush()

    def until(self, pattern):
        while not re.search(pattern, self.seen):
            assert select.select([self.process.stdout], [], [], 20)[0], self.seen
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, self.seen
            self.seen += data
        return self.seen


@pytest.fixture
def picky(ca, tmp_path, monkeypatch):
    """A server that knows one group, which is no client's first choice."""
    conf = tmp_path / "openssl.cnf"
    conf.write_text("openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nGroups=P-384\n")
    monkeypatch.setenv("OPENSSL_CONF", str(conf))
    with Front(TLS_VERIFYPEER="PEER", TLS_TRUSTCERTS=ca.cert, TLS_EXTERNAL="CN").running() as f:
        monkeypatch.delenv("OPENSSL_CONF")
        yield f


def test_hello_retry_request(ca, picky):
    with Tool("openssl", "s_client", "-connect", "127.0.0.1:%d" % picky.sslport, "-quiet", "-msg", "-cert",
              ca.dir + "/demo-ec.pem") as c:
        c.until(rb"OK \[CAPABILITY")
        c.send(b"a AUTHENTICATE EXTERNAL =")
        assert len(re.findall(rb">>> TLS 1.3, Handshake [^\n]*ClientHello", c.until(rb"a OK"))) == 2


@pytest.mark.parametrize("priority", ["NORMAL:-VERS-TLS1.3", "NORMAL"])
def test_gnutls(ca, front, priority):
    with Tool("gnutls-cli", "--insecure", "--priority", priority, "--x509certfile", ca.dir + "/demo-rsa.crt",
              "--x509keyfile", ca.dir + "/demo-rsa.key", "-p", front.sslport, "127.0.0.1") as c:
        c.until(rb"OK \[CAPABILITY [^\]]*AUTH=EXTERNAL")
        c.send(b"a AUTHENTICATE EXTERNAL =")
        c.until(rb"a OK")


def refused(front, cert, version):
    """REQUIREPEER: in TLS 1.3 the client hears of it only when it reads."""
    try:
        with Client(front, cert, version) as c:
            c.ok("NOOP")
    except (ssl.SSLError, ConnectionError, EOFError):
        return True
    return False


@pytest.mark.parametrize("version", VERSIONS)
def test_requirepeer(ca, version):
    with Front(TLS_VERIFYPEER="REQUIREPEER", TLS_TRUSTCERTS=ca.cert, TLS_EXTERNAL="emailaddress").running() as front:
        for cert in (None, ca.stranger.dir + "/demo.pem", ca.dir + "/server-only.pem"):
            assert refused(front, cert, version)
        with Client(front, ca.dir + "/demo-ec.pem", version) as c:
            assert not c.sock.session.has_ticket
            assert c.external("bob").ok  # from emailAddress (R70)
        with Client(front, ca.dir + "/nofield.pem", version) as c:
            assert not c.offered()
            c.login("demo")


def test_revoked(ca):
    """A certificate that is revoked while the server runs; a list for each authority, or none is accepted."""
    crl = ca.crl()
    with Front(TLS_VERIFYPEER="PEER", TLS_TRUSTCERTS=ca.cert, TLS_EXTERNAL="CN", TLS_CRLFILE=crl).running() as front:
        with Client(front, ca.dir + "/revoked.pem") as c:
            assert c.external().ok
        with Client(front, ca.dir + "/revoked.pem") as before:
            ca.crl("revoked")
            wait_for("the list", lambda: "client authorities in use" in front.log())
            # The handshake came before the list: authd looks again.
            assert before.offered() and before.external().status == "NO"
            assert "certificate revoked" in front.log()
        with Client(front, ca.dir + "/revoked.pem") as c:
            assert not c.offered() and c.external().status == "NO"
        with Client(front, ca.dir + "/demo-ec.pem") as c:
            assert c.external().ok
        shutil.copy(ca.stranger.crl(), crl)
        wait_for("another's list", lambda: front.log().count("client authorities in use") == 2)
        with Client(front, ca.dir + "/demo-ec.pem") as c:
            assert not c.offered()


def test_authorities_in_a_hashed_directory(ca, tmp_path):
    tmp_path.chmod(0o755)
    write(str(tmp_path / "ca.pem"), ca.cert)
    openssl("rehash", tmp_path)
    with Front(TLS_VERIFYPEER="PEER", TLS_TRUSTCERTS=tmp_path, TLS_EXTERNAL="CN").running() as front:
        with Client(front, ca.dir + "/demo-ec.pem") as c:
            assert c.external().ok
        with Client(front, ca.stranger.dir + "/demo.pem") as c:
            assert not c.offered()
        write(str(tmp_path / "other.pem"), ca.stranger.cert)
        openssl("rehash", tmp_path)

        def accepted():
            with Client(front, ca.stranger.dir + "/demo.pem") as c:
                return c.offered() and c.external().ok
        wait_for("the second authority", accepted)


def test_server_certificate_changes_between_handshake_and_login(ca):
    with Front(TLS_VERIFYPEER="PEER", TLS_TRUSTCERTS=ca.cert, TLS_EXTERNAL="CN").running() as front:
        with Client(front, ca.dir + "/demo-ec.pem") as c:
            make_certificate(front.settings["TLS_CERTFILE"] + ".new")
            os.rename(front.settings["TLS_CERTFILE"] + ".new", front.settings["TLS_CERTFILE"])
            wait_for("the new one", lambda: "certificate in use" in front.log())
            assert c.external().ok


@pytest.mark.parametrize("settings, said", [
    ({"TLS_VERIFYPEER": "PEER"}, "TLS_TRUSTCERTS"),
    ({"TLS_VERIFYPEER": "PEER", "TLS_TRUSTCERTS": "/dev/null"}, "/dev/null"),
    ({"TLS_VERIFYPEER": "MAYBE"}, "NONE|PEER|REQUIREPEER"),
    ({"TLS_EXTERNAL": "shoesize"}, "TLS_EXTERNAL=shoesize"),
    ({"TLS_CIPHER_LIST": "NONSENSE"}, "TLS_CIPHER_LIST=NONSENSE"),
    ({"TLS_TICKET_KEYFILE": "/etc/hostname"}, "/etc/hostname"),
])
def test_settings_that_can_not_work(settings, said):
    front = Front(**settings)
    done = subprocess.run([os.path.join(BIN, "frontend"), "-C", front.conf, "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode != 0 and said in done.stdout + done.stderr
    shutil.rmtree(front.dir)
