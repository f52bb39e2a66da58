# SPDX-License-Identifier: Apache-2.0
"""Requests to an auth_http endpoint are byte for byte those of nginx's mail proxy (ECOSYSTEM.md A1, O18, N11)."""
import base64
import hmac
import os
import socket
import ssl

import pytest

from lib.endpoint import Endpoint, says
from lib.imap import Imap
from lib.nginxmail import MODULE, NginxMail
from proxy_test import ProxyFront, v1, v2

pytestmark = pytest.mark.skipif(not os.path.exists(MODULE), reason="libnginx-mod-mail is missing")

HEADERS = (("X-Secret", "abc def;x=%1"), ("Auth-Port", "143"))
PATH = "/auth/mail?a=1&b=/../c"


def b64(data):
    return base64.b64encode(data)


def literal(user, password):
    return b"LOGIN {%d}\r\n" % len(user), user + b" {%d}\r\n" % len(password), password + b"\r\n"


def plain(user, password):
    return b"AUTHENTICATE PLAIN\r\n", b64(b"\0" + user + b"\0" + password) + b"\r\n"


ODD = bytes(range(1, 32)) + b" %25 a+b&c=d?\"\\()'$`/:;" + bytes(range(127, 256)) + "\u00fcml\u00e4ut \u2709".encode()
DIALOGUES = {
    "login": (b"LOGIN demo secret\r\n",),
    "quoted": (b"LOGIN \"demo\" \"se cr%t +x\"\r\n",),
    "empty password": (b"LOGIN demo \"\"\r\n",),
    "literal with a line end": literal(b"de mo", b"a\r\nAuth-User: root\r\n\r\nb"),
    "plain": plain(b"demo", b"secret"),
    "plain, initial response": (b"AUTHENTICATE PLAIN " + b64(b"\0demo\0se+cret%") + b"\r\n",),
    "plain, UTF-8": plain("d\u00e9mo@example.org".encode(), "p\u00e4ss \u2709".encode()),
    "plain, every byte": plain(b"demo", ODD),
    "plain, a kilobyte": plain(b"demo", b"x%" * 512),
    "sasl login": (b"AUTHENTICATE LOGIN\r\n", b64(b"demo") + b"\r\n", b64(b"p w") + b"\r\n"),
}


def dialogue(client, steps):
    """Says it, and waits for each answer."""
    for i, step in enumerate(steps):
        client.send((b"t1 " if i == 0 else b"") + step)
        line = client.read_line()
        assert line.startswith(b"+" if i + 1 < len(steps) else b"t1 NO"), line


@pytest.fixture(scope="module")
def both():
    """nginx and our front end, which ask one endpoint that refuses everybody. (Without Auth-Wait nginx closes.)"""
    def answer(request):
        return says("Invalid login or password", **({"Auth_Wait": 1} if request.text("Auth-User") == b"again" else {}))
    with Endpoint(answer) as endpoint:
        nginx = NginxMail(endpoint, HEADERS, PATH)
        with ProxyFront(AUTHMODULES="http", HTTP_AUTH_URL='"%s"' % endpoint.url(PATH), AUTH_CACHE_SIZE=0,
                   IMAP_CAPABILITY='"IMAP4rev1 AUTH=CRAM-MD5"',
                   HTTP_AUTH_HEADERS="\"%s\"" % " | ".join("%s: %s" % pair for pair in HEADERS),
                   LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000, LOGIN_PENALTY_FREE=1000000).running() as front:
            yield nginx, front, endpoint
        nginx.stop()


def asked(endpoint, port, steps, tls=None, times=1, header=b""):
    endpoint.requests.clear()
    with Imap(port, greeting=False) as client:
        client.send(header)
        if tls:
            client.sock = tls.wrap_socket(client.sock)
        client.read_line()
        for _ in range(times):
            dialogue(client, steps)
    return [request.raw for request in endpoint.requests]


@pytest.mark.parametrize("name", DIALOGUES)
def test_same_bytes(both, name):
    nginx, front, endpoint = both
    wanted = asked(endpoint, nginx.port, DIALOGUES[name])
    assert len(wanted) == 1
    assert asked(endpoint, front.port, DIALOGUES[name]) == wanted


def test_same_bytes_over_tls(both):
    nginx, front, endpoint = both
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    wanted = asked(endpoint, nginx.sslport, DIALOGUES["login"], tls=context)
    assert b"Auth-SSL-Cipher: ECDHE-ECDSA-AES256-GCM-SHA384\r\n" in wanted[0]
    assert asked(endpoint, front.sslport, DIALOGUES["login"], tls=context) == wanted


def cram(endpoint, port):
    """What is asked in a CRAM-MD5 dialogue, with the salt and what follows from it taken out, once they are seen to be right."""
    endpoint.requests.clear()
    with Imap(port) as client:
        client.send(b"t1 AUTHENTICATE CRAM-MD5\r\n")
        salt = base64.b64decode(client.read_line()[2:])
        digest = hmac.new(b"secret", salt, "md5").hexdigest().encode()
        client.send(b64(b"demo " + digest) + b"\r\n")
        assert client.read_line().startswith(b"t1 NO")
    raw, = (request.raw for request in endpoint.requests)
    assert b"\r\nAuth-Pass: " + digest + b"\r\nAuth-Salt: " + salt + b"\r\n" in raw
    return raw.replace(digest, b"").replace(salt, b"")


def test_same_bytes_by_cram_md5(both):
    nginx, front, endpoint = both
    with Imap(front.port) as client:
        if b"AUTH=CRAM-MD5" not in client.greeting:
            pytest.skip("not offered")
    assert cram(endpoint, front.port) == cram(endpoint, nginx.port)


@pytest.mark.parametrize("header", [v1(), v2(), v1("2001:db8::1", "TCP6", "2001:db8::2"),
                                    v2("2001:db8::1", "2001:db8::2", family=socket.AF_INET6)])
def test_same_bytes_behind_a_load_balancer(both, header):
    nginx, front, endpoint = both
    wanted = asked(endpoint, nginx.proxyport, DIALOGUES["login"], header=header)
    assert b"\r\nProxy-Protocol-Port: 4096\r\n" in wanted[0]
    assert asked(endpoint, front.proxy_port, DIALOGUES["login"], header=header) == wanted


def test_attempts_are_counted(both):
    nginx, front, endpoint = both
    wanted = asked(endpoint, nginx.port, plain(b"again", b"secret"), times=2)
    assert b"Auth-Login-Attempt: 2\r\n" in wanted[1]
    assert asked(endpoint, front.port, plain(b"again", b"secret"), times=2) == wanted


def test_refusal_reads_the_same(both):
    nginx, front, _ = both
    with Imap(nginx.port) as theirs, Imap(front.port) as ours:
        assert theirs.cmd("LOGIN demo x").text == "Invalid login or password"
        assert ours.cmd("LOGIN demo x").text == "[AUTHENTICATIONFAILED] Invalid login or password"
