# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol of load balancers on listeners that demand it (O19, U13, B21)."""
import contextlib
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.server import free_port, has_ipv6, wait_for

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT, SERVER = "192.0.2.77", "198.51.100.1"


def tlv(kind, value):
    return bytes([kind]) + struct.pack(">H", len(value)) + value


def v1(client=CLIENT, kind="TCP4", server=SERVER):
    return ("PROXY %s %s %s 4096 143\r\n" % (kind, client, server)).encode()


def v2(client=CLIENT, server=SERVER, tlvs=b"", command=0x21, family=socket.AF_INET, length=None):
    body = socket.inet_pton(family, client) + socket.inet_pton(family, server) + struct.pack(">HH", 4096, 143) + tlvs
    kind = 0x11 if family == socket.AF_INET else 0x21
    return SIGNATURE + bytes([command, kind]) + struct.pack(">H", len(body) if length is None else length) + body


def v2_tls(version=b"TLSv1.3"):
    inner = b"\1\0\0\0\0" + tlv(0x21, version) + tlv(0x23, b"TLS_AES_128_GCM_SHA256")
    return v2(tlvs=tlv(0x20, inner) + tlv(2, b"mail.example.com") + tlv(5, b"unique-1"))


LOCAL = SIGNATURE + b"\x20\0\0\0"


class ProxyFront(Front):
    def __init__(self, **settings):
        self.proxy_port, self.proxy_sslport = free_port(), free_port()
        settings = {"PROXY_TRUSTED": "127.0.0.0/8,::1", "LOG_LEVEL": "debug", "IMAP_TLS_REQUIRED": "0", **settings}
        super().__init__(PROXY_PORT=self.proxy_port, PROXY_SSLPORT=self.proxy_sslport, **settings)

    def proxied(self, header, tls=False, timeout=10):
        """A connection whose first bytes are header, before any greeting is read."""
        c = Imap(self.proxy_sslport if tls else self.proxy_port, timeout=timeout, greeting=False)
        c.send(header)
        return c

    def refused(self, reason):
        return re.findall("PROXY header refused ip=\\S+ port=\\d+ reason=\"?%s" % reason, self.log())


@pytest.fixture(scope="module")
def front():
    with ProxyFront().running() as f:
        yield f


@pytest.mark.parametrize("header, ip", [
    (v1(), CLIENT), (v1("2001:db8::7", "TCP6", "::1"), "2001:db8::7"),
    (v2(), CLIENT), (v2("2001:db8::7", "::1", family=socket.AF_INET6), "2001:db8::7"),
    (v2_tls(), CLIENT), (v2(tlvs=tlv(4, b"x" * 500) + tlv(0xe0, b"")), CLIENT),
])
@pytest.mark.parametrize("way", ["whole", "bytes", "pipelined", "tls"])
def test_client_address(front, header, ip, way):
    """In the log, in the ticket, and whatever comes behind the header is the client's."""
    before = len(front.backend.given)
    with front.proxied(header if way != "bytes" else b"", tls=way == "tls") as c:
        if way == "bytes":
            for i in range(len(header)):
                c.send(header[i:i + 1])
        if way == "tls":
            c.start_tls()
        if way == "pipelined":
            c.close()
            c = front.proxied(header + b"t1 LOGIN demo demo\r\n")
        assert c.read_line().startswith(b"* OK")
        if way == "pipelined":
            assert c.finish(b"t1").ok
        else:
            c.login("demo")
    ticket = front.backend.given[before].ticket
    assert ip.encode() in ticket and b"127.0.0.1" not in ticket
    assert (b"198.51.100.1" if "." in ip else b"::1") in ticket
    wait_for("the log", lambda: "LOGIN PASSED, user=demo, ip=[%s], port=[4096]" % ip in front.log())
    assert "proxy=127.0.0.1" in front.log()


@pytest.mark.parametrize("header, reason", [
    (b"a NOOP\r\n", "no PROXY header"),
    (b"\x16\x03\x01\x02\0\1\0", "no PROXY header"),
    (b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", "version 1 line over 107 bytes"),
    (v1("fe80::1%eth0", "TCP6", "::1"), "version 1 with broken addresses"),
    (v1().replace(b"\r\n", b"\n"), "version 1 line without CR"),
    (v2(length=11), "version 2 with a wrong length"),
    (v2(length=13) + b"\4", "version 2 with a TLV cut short"),
    (v2(length=20) + b"\4\0\7abcde", "version 2 with a TLV cut short"),
    (v2(length=65535), "version 2 header too long"),
    (v2(command=0x22), "version 2 with an unknown command"),
    (v2(tlvs=tlv(3, b"\0\0\0\0")), "version 2 with a wrong checksum"),
])
@pytest.mark.parametrize("tls", [False, True])
def test_bad_header_closes(front, header, reason, tls):
    before = len(front.refused(reason))
    time.sleep(0.12)  # ten such lines a second are written
    with front.proxied(header, tls) as c:
        assert c.closed() and c.last == b""
    wait_for("a line in the log", lambda: len(front.refused(reason)) == before + 1)


def test_header_twice(front):
    time.sleep(1.1)  # ten such lines a second are written
    for second in (v1("203.0.113.1"), v2("203.0.113.1")):
        with front.proxied(v1() + second) as c:
            assert c.closed()
        with front.proxied(v2()) as c:  # later, as a client would send it
            assert c.read_line().startswith(b"* OK")
            c.send(second)
            assert c.closed()
        with front.proxied(v2() + second, tls=True) as c:
            assert c.closed()
    assert len(front.refused("a second header")) == 4
    assert "203.0.113.1" not in front.log()


def test_header_behind_the_first_command_is_a_bad_command(front):
    with front.proxied(v1()) as c:
        assert c.read_line().startswith(b"* OK")
        c.ok("NOOP")
        c.send(v1("203.0.113.1"))
        assert c.read_line().startswith(b"PROXY BAD")
        c.login("demo")
    assert b"203.0.113.1" not in front.backend.given[-1].ticket


def test_never_detected_elsewhere(front):
    """On the ordinary ports a header is an unknown command, and nobody is another than he is."""
    with front.client() as c:
        c.send(v1("203.0.113.1"))
        assert c.read_line().startswith(b"PROXY BAD")
        c.login("demo")
    assert b"203.0.113.1" not in front.backend.given[-1].ticket
    with front.raw(tls=True) as s:
        s.sendall(v2("203.0.113.1"))
        assert s.recv(100)[:1] in (b"", b"\x15")
    assert "ip=[203.0.113.1]" not in front.log()


def test_own_connections_of_the_balancer(front):
    """LOCAL and UNKNOWN are health checks: the connection's own address, and no noise in the log."""
    for header in (LOCAL, v2(command=0x20), b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b c d\r\n"):
        with front.proxied(header) as c:
            assert c.read_line().startswith(b"* OK")
            c.login("demo")
        assert b"127.0.0.1" in front.backend.given[-1].ticket
    at = len(front.log())
    for tls in (False, True):
        for header in (LOCAL, b"PROXY UNKNOWN\r\n", b""):
            front.proxied(header, tls).close()
    with front.proxied(v1()) as c:  # a mark: the log has all before
        assert c.read_line().startswith(b"* OK")
        c.cmd("LOGIN demo wrong")
    wait_for("the log", lambda: "LOGIN FAILED" in front.log()[at:])
    noise = [line for line in front.log()[at:].splitlines() if not re.search(" debug |LOGIN (FAILED|PASSED)", line)]
    assert not noise


def test_time_limit():
    with ProxyFront(PROXY_TIMEOUT=1).running() as front:
        start = time.monotonic()
        slow = [front.proxied(begin) for begin in (b"", b"PROXY TCP4", SIGNATURE + b"\x21\x11\0\x0c\1")]
        with front.proxied(v1()) as c:  # done in time: the limit is over
            assert c.read_line().startswith(b"* OK")
            for s in slow:
                assert s.closed() and s.last == b""
                s.close()
            assert 0.5 < time.monotonic() - start < 5
            assert not c.pending(0.5)
            c.ok("NOOP")
        assert len(front.refused("PROXY_TIMEOUT")) == 3


def test_deadline_counts_from_the_connection():
    with ProxyFront(PRELOGIN_TIMEOUT=2, PROXY_TIMEOUT=2).running() as front:
        start = time.monotonic()
        c = front.proxied(v1()[:20])
        time.sleep(1)
        c.send(v1()[20:])
        assert c.read_line().startswith(b"* OK")
        assert c.closed()
        assert 1.5 < time.monotonic() - start < 2.9
        c.close()


def test_untrusted():
    with ProxyFront(PROXY_TRUSTED="192.0.2.0/24,2001:db8::/32").running() as front:
        for header in (v1(), v2(), LOCAL, b"a NOOP\r\n"):
            with contextlib.suppress(OSError), front.proxied(header) as c:
                assert c.closed() and c.last == b""
        assert len(front.refused("not in PROXY_TRUSTED")) == 4
        with front.client() as c:
            c.login("demo")


def test_settings():
    for settings, text in (({"PROXY_TRUSTED": ""}, "PROXY_TRUSTED is empty"),
                           ({"PROXY_TRUSTED": "10.0.0.1/8"}, "PROXY_TRUSTED: \"10.0.0.1/8\" has bits set"),
                           ({"PROXY_PORT": "x"}, "PROXY_PORT: \"x\" is not a port"),
                           ({"LIMIT_EXEMPT": "here"}, "LIMIT_EXEMPT: \"here\" is not an IP address")):
        front = Front(**{"PROXY_PORT": free_port(), "PROXY_TRUSTED": "127.0.0.1", **settings})
        front.start_one("frontend")
        assert front.processes.pop("frontend").wait(10) == 1
        assert text in front.log().replace("\\", "")
        front.stop()


def test_tls_by_the_balancer():
    """PP2_TYPE_SSL counts as TLS only where PROXY_TLS says so; LOGINDISABLED follows."""
    for believed in (0, 1):
        with ProxyFront(PROXY_TLS=believed, IMAP_TLS_REQUIRED="remote").running() as front:
            for header, tls in ((v2_tls(), True), (v2(), False), (v1(), False)):
                with front.proxied(header) as c:
                    greeting = c.read_line()
                    assert (b"LOGINDISABLED" in greeting) == (not (believed and tls))
                    assert (b"STARTTLS" in greeting) == (not (believed and tls))
                    assert c.cmd("LOGIN demo demo").ok == bool(believed and tls)
            # A client on loopback is not remote, a remote one that came by a balancer there is.
            with front.proxied(v1("127.0.0.1")) as c:
                assert b"LOGINDISABLED" not in c.read_line()
            if believed:
                assert b"TLSv1.3 TLS_AES_128_GCM_SHA256" in front.backend.given[-1].ticket


def test_broken_tls_words():
    with ProxyFront(PROXY_TLS=1).running() as front:
        for version in (b"TLS\r\nx", b"", b"x" * 65, b"a b"):
            with front.proxied(v2_tls(version)) as c:
                assert c.closed() and c.last == b""


def test_maxprelogin_counts_them():
    with ProxyFront(MAXPRELOGIN=3).running() as front:
        held = [front.proxied(b"PROXY ") for _ in range(4)]
        assert held[0].closed()
        held[3].send(v1()[6:])
        assert held[3].read_line().startswith(b"* OK")
        for c in held:
            c.close()


def test_limit_is_the_clients():
    """MAXPERIP counts whom the balancer names; its own connections don't count."""
    with ProxyFront(MAXPERIP=2).running() as front:
        held = [front.proxied(v1()) for _ in range(2)] + [front.proxied(v2("192.0.2.78")) for _ in range(2)]
        held += [front.proxied(LOCAL) for _ in range(4)]
        for c in held:
            assert c.read_line().startswith(b"* OK")
        for header in (v1(), v2("192.0.2.78")):
            with front.proxied(header) as c:
                assert c.read_line().startswith(b"* BYE [LIMIT]")
        for c in held:
            c.close()


# ---- a real balancer ---------------------------------------------------------------------------------

CONFIG = """
global
    ssl-server-verify none
    log stderr local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend plain1
    bind 127.0.0.1:%(plain1)d
    default_backend v1
frontend plain2
    bind 127.0.0.1:%(plain2)d
    %(bind6)s
    unique-id-format id-%%{+X}o\\ %%ci:%%cp
    default_backend v2
frontend ends_tls
    bind 127.0.0.1:%(ends_tls)d ssl crt %(crt)s
    unique-id-format id-%%ci:%%cp
    default_backend v2ssl
frontend passes_tls
    bind 127.0.0.1:%(passes_tls)d
    default_backend v2tls
backend v1
    server s 127.0.0.1:%(port)d send-proxy check check-send-proxy inter 100
backend v2
    server s 127.0.0.1:%(port)d send-proxy-v2 proxy-v2-options crc32c,unique-id check check-send-proxy inter 100
backend v2ssl
    server s 127.0.0.1:%(port)d send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id
backend v2tls
    server s 127.0.0.1:%(sslport)d send-proxy-v2 check inter 100
"""


@contextlib.contextmanager
def haproxy(front):
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    ports = {name: free_port() for name in ("plain1", "plain2", "ends_tls", "passes_tls")}
    path = os.path.join(front.dir, "haproxy.cfg")
    with open(path, "w", encoding="ascii") as f:
        f.write(CONFIG % {"port": front.proxy_port, "sslport": front.proxy_sslport,
                          "crt": front.settings["TLS_CERTFILE"], **ports,
                          "bind6": "bind [::1]:%d" % ports["plain2"] if has_ipv6() else ""})
    with open(os.path.join(front.dir, "haproxy.log"), "wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", path], stdout=log, stderr=log)
    try:
        for port in ports.values():
            wait_for("haproxy", lambda p=port: process.poll() is None and open_port(p))
        yield ports
    finally:
        process.terminate()
        process.wait(10)


def open_port(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def through(port, source="127.0.0.1", tls=False):
    c = Imap.__new__(Imap)
    family = "::1" if ":" in source else "127.0.0.1"
    c.sock = socket.create_connection((family, port), timeout=10, source_address=(source, 0))
    c.timeout, c.number, c.buffer = 10, 0, b""
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        c.sock = context.wrap_socket(c.sock, server_hostname="mail.example.com")
    return c


def test_haproxy():
    with ProxyFront(PROXY_TLS=1, IMAP_TLS_REQUIRED="1").running() as front, haproxy(front) as ports:
        for name, source, tls in (("ends_tls", "127.0.5.6", True), ("passes_tls", "127.0.5.7", True)):
            with through(ports[name], source, tls) as c:
                assert b"LOGINDISABLED" not in c.read_line()
                c.login("demo")
            ticket = front.backend.given[-1].ticket
            assert source.encode() in ticket and b"TLSv1.3 TLS_AES_" in ticket
        for name, source in (("plain1", "127.0.5.8"), ("plain2", "127.0.5.9"), ("plain2", "::1" if has_ipv6() else "127.0.5.9")):
            with through(ports[name], source) as c:
                assert b"LOGINDISABLED" in c.read_line()
                assert not c.cmd("LOGIN demo demo").ok
            wait_for("the log", lambda s=source: "Connection, ip=[%s]" % s in front.log())
        assert "proxy_id=id-127.0.5.6:" in front.log()
        # Its checks every 100 ms, with and without a header, are no news.
        at = len(front.log())
        wait_for("checks", lambda: front.log()[at:].count("Connection, ip=[127.0.0.1]") >= 9)
        assert not [line for line in front.log()[at:].splitlines() if " debug " not in line]
        with open(os.path.join(front.dir, "haproxy.log"), encoding="utf-8", errors="replace") as f:
            assert "is DOWN" not in f.read()
