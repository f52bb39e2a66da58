# SPDX-License-Identifier: Apache-2.0
"""Session tickets with keys that all workers and hosts share, versions, ciphers, ALPN (O28, O29, R71)."""
import contextlib
import os
import signal
import ssl
import subprocess

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.server import wait_for

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Client(Imap):
    def __init__(self, front, context, session=None):
        self.context, self.session = context, session
        super().__init__(front.sslport, tls=True)

    def start_tls(self):
        self.sock = self.context.wrap_socket(self.sock, server_hostname="localhost", session=self.session)


def context(version=None, alpn=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if version:
        c.minimum_version = c.maximum_version = version
    if alpn:
        c.set_alpn_protocols(alpn)
    return c


def first(front, c):
    with Client(front, c) as client:
        client.ok("NOOP")
        assert not client.sock.session_reused
        return client.sock.session


def resumed(front, c, session):
    """Whether the session goes on, and the one that the server gave for next time."""
    with Client(front, c, session) as client:
        client.login("demo")
        client.send("hello\r\n")
        assert client.read_line() == b"* echo hello"
        return client.sock.session_reused, client.sock.session


def keys(path, *which):
    with open(path + ".part", "wb") as f:
        for k in which:
            f.write(bytes([k]) * 80)
    os.chmod(path + ".part", 0o600)
    os.rename(path + ".part", path)
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_resumed_by_any_worker(version):
    with Front(LOGIN_WORKERS=3).running() as front:
        c = context(version)
        session, workers = first(front, c), set()
        pids = front.pids("login")

        def sockets(pid):
            with contextlib.suppress(OSError):
                return sum(os.readlink("/proc/%d/fd/%s" % (pid, n)).startswith("socket:") for n in
                           os.listdir("/proc/%d/fd" % pid))
            return 0
        for _ in range(40):
            idle = {p: sockets(p) for p in pids}
            with Client(front, c, session) as client:
                client.ok("NOOP")
                assert client.sock.session_reused
                session = client.sock.session
                workers |= {p for p in pids if sockets(p) > idle[p]}
            if len(workers) == 3:
                break
        assert len(workers) > 1


def test_keys_from_a_file(tmp_path):
    """Across a restart, rotation with several keys, a key that is gone, and a broken file."""
    path = keys(str(tmp_path / "keys"), 1)
    front = Front(TLS_TICKET_KEYFILE=path)

    def look(line, times):
        front.processes["frontend"].send_signal(signal.SIGHUP)  # at once; without it within a second
        wait_for(line, lambda: front.log().count(line) == times)

    with front.running():
        clients = [context(version) for version in VERSIONS]
        sessions = [first(front, c) for c in clients]

        def all_resumed():
            found = [resumed(front, c, session) for c, session in zip(clients, sessions)]
            sessions[:] = [session for _, session in found]
            return [was for was, _ in found]

        front.stop_one("frontend")
        front.start_one("frontend")
        wait_for("the front end", lambda: front.log().count("ready program=frontend") == 2)
        assert all_resumed() == [True, True]
        keys(path, 2, 1)
        wait_for("two keys", lambda: "keys=2" in front.log())
        assert all_resumed() == [True, True]  # read with the old key; a new ticket by the new one
        with open(path, "wb") as f:
            f.write(b"x" * 79)
        look("ticket keys not used", 1)
        assert all_resumed() == [True, True]
        keys(path, 2)
        look("keys=1", 1)
        assert all_resumed() == [True, True]
        keys(path, 3)
        look("keys=1", 2)
        assert all_resumed() == [False, False]


def test_own_keys_change_with_time():
    with Front(TLS_TICKET_LIFETIME=1).running() as front:
        c = context(ssl.TLSVersion.TLSv1_3)
        session = first(front, c)
        wait_for("the end of the ticket", lambda: not resumed(front, c, session)[0])


def test_no_tickets():
    with Front(TLS_TICKETS=0).running() as front:
        for version in VERSIONS:
            session = first(front, context(version))
            assert not session or not session.has_ticket


def test_alpn():
    with Front().running() as front:
        for offer in (["imap"], ["http/1.1", "imap"]):
            with Client(front, context(alpn=offer)) as c:
                assert c.sock.selected_alpn_protocol() == "imap"
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            Client(front, context(alpn=["http/1.1", "ima"]))
        with Client(front, context()) as c:
            assert c.sock.selected_alpn_protocol() is None
            c.login("demo")
    with Front(TLS_ALPN="").running() as front:
        with Client(front, context(alpn=["http/1.1"])) as c:
            assert c.sock.selected_alpn_protocol() is None


def version_of(front, starttls, *options):
    """What openssl s_client gets: the version, or None."""
    port = front.port if starttls else front.sslport
    done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-brief",
                           *(["-starttls", "imap"] if starttls else []), *options], input=b"", capture_output=True,
                          timeout=20, check=False)
    for line in done.stderr.decode().splitlines():
        if line.startswith("Protocol version: "):
            return line.split(": ")[1]
    return None


def test_versions_and_ciphers():
    with Front(TLS_PROTOCOL="TLSv1.3", TLS_STARTTLS_PROTOCOL="TLSv1", IMAP_TLS_REQUIRED=0,
               TLS_CIPHER_LIST="ECDHE+CHACHA20:TLS_AES_256_GCM_SHA384").running() as front:
        assert 'old TLS is not served' in front.log() and "TLS_STARTTLS_PROTOCOL" in front.log()
        assert version_of(front, False, "-tls1_2") is None
        assert version_of(front, False) == "TLSv1.3"
        assert version_of(front, True, "-tls1_2") == "TLSv1.2"
        assert version_of(front, True, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") is None
        assert version_of(front, True, "-tls1_2", "-cipher", "ECDHE+AESGCM") is None
        assert version_of(front, False, "-ciphersuites", "TLS_AES_128_GCM_SHA256") is None


def test_words_of_an_old_file():
    """Courier's imapd-ssl as it stands: what has no meaning here is said, and nothing old is served."""
    front = Front(TLS_PROTOCOL='"TLSv1.1++"', TLS_STARTTLS_PROTOCOL='"$TLS_PROTOCOL"', TLS_PRIORITY="NORMAL",
                  TLS_CACHEFILE="/var/cache/x", TLS_CACHESIZE=524288, TLS_DHPARAMS="/etc/dhparams.pem", TLS_MIN_DH_BITS=2048,
                  TLS_TIMEOUT=100)
    with front.running():
        log = front.log()
        for name in ("TLS_PRIORITY", "TLS_CACHEFILE", "TLS_CACHESIZE", "TLS_DHPARAMS", "TLS_MIN_DH_BITS", "TLS_TIMEOUT"):
            assert name in log
        assert log.count("old TLS is not served") == 2
        assert version_of(front, False, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") is None
        assert version_of(front, False, "-tls1_2") == "TLSv1.2"
