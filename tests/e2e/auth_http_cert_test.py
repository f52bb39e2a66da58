# SPDX-License-Identifier: Apache-2.0
"""What an auth_http endpoint is told of a client's certificate is what nginx tells (ECOSYSTEM.md A1)."""
import os
import re
import shutil
import ssl
import tempfile

import pytest

from lib.endpoint import Endpoint, says
from lib.front import Front
from lib.imap import Imap
from lib.nginxmail import MODULE, NginxMail
from lib.pki import Authority
from lib.server import wait_for

pytestmark = pytest.mark.skipif(not os.path.exists(MODULE), reason="libnginx-mod-mail is missing")


@pytest.fixture(scope="module")
def ca():
    directory = tempfile.mkdtemp(prefix="ph-ca.")
    authority = Authority(directory + "/ca")
    authority.issue("demo", "/C=DE/O=M\u00fcll, \"Inc\"/CN=demo/emailAddress=demo@example.com")
    authority.stranger = Authority(directory + "/other", "Somebody else")
    authority.stranger.issue("demo", "/CN=demo")
    yield authority
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def both(ca):
    with open(ca.cert, encoding="ascii") as f:
        client_ca = f.read()
    with Endpoint(lambda request: says("no")) as endpoint:
        nginx = NginxMail(endpoint, client_ca=client_ca)
        with Front(AUTHMODULES="http", HTTP_AUTH_URL='"%s"' % endpoint.url("/auth"), AUTH_CACHE_SIZE=0, TLS_VERIFYPEER="PEER",
                   TLS_TRUSTCERTS=ca.cert, HTTP_AUTH_PASS_CERT=1, LOGIN_FAILURE_DELAY=0,
                   LOGIN_PENALTY_FREE=1000000).running() as front:
            yield nginx, front, endpoint
        nginx.stop()


def told(endpoint, port, cert, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    if cert:
        context.load_cert_chain(cert)

    def asked():
        endpoint.requests.clear()
        with Imap(port, greeting=False) as client:
            client.sock = context.wrap_socket(client.sock)
            client.read_line()
            client.send("a LOGIN demo secret\r\n")
            client.read_line()
        return list(endpoint.requests)
    # An endpoint that was late once may be left alone for a moment.
    raw = wait_for("a request", asked)[0].raw
    return [line for line in raw.split(b"\r\n") if line.startswith(b"Auth-SSL")]


@pytest.mark.parametrize("name", ["demo.pem", None])
def test_as_nginx_tells_it(both, ca, name):
    nginx, front, endpoint = both
    cert = name and os.path.join(ca.dir, name)
    version = ssl.TLSVersion.TLSv1_2  # nginx's highest in its mail proxy, as installed
    wanted = told(endpoint, nginx.certport, cert, version)
    assert told(endpoint, front.sslport, cert, version) == wanted
    assert (b"Auth-SSL-Verify: SUCCESS" if cert else b"Auth-SSL-Verify: NONE") in wanted


def test_one_that_is_not_accepted(both, ca):
    _, front, endpoint = both
    got = b"\n".join(told(endpoint, front.sslport, ca.stranger.dir + "/demo.pem", ssl.TLSVersion.TLSv1_3))
    assert re.search(rb"Auth-SSL-Verify: FAILED:unable to get (local )?issuer certificate", got)
    assert b"Auth-SSL-Subject: CN=demo\n" in got
