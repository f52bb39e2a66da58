# SPDX-License-Identifier: Apache-2.0
"""Where accounts come from, by how clients log in: each cell by a program of somebody else's. `pytest -s` shows the table.

in       logged in, in the backend, by that client with that mechanism
CODE     offered, tried, and refused with this response code: the account's hash is none for it
-        not offered: it can't work with this provider; and when tried all the same, NO"""
import base64
import crypt
import hashlib
import hmac
import imaplib
import os
import re
import shutil
import ssl
import subprocess

import pytest

from lib.authdaemon import PRESENT, AuthDaemon
from lib.endpoint import Endpoint, page, says
from lib.idp import Idp, Key
from lib.imap import Imap
from lib.pki import Authority
from lib.redis import Redis
from lib.server import MAIL_UID, Server, wait_for

FAILED = "AUTHENTICATIONFAILED"
PASSWORDS = ("LOGIN command", "PLAIN", "LOGIN")
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS")
PROVEN = ("EXTERNAL", "OAUTHBEARER", "XOAUTH2")
MECHANISMS = (*PASSWORDS, "CRAM-MD5", *SCRAM, *PROVEN)
SCRAM_RECORD = "{SCRAM-SHA-256}4096,%s,%s,%s"
CRYPT = crypt.crypt("demo", "$6$rounds=1000$abcdefgh")


def scram_record():
    salted = hashlib.pbkdf2_hmac("sha256", b"demo", b"0123456789abcdef", 4096)
    client, server = (hmac.new(salted, text, "sha256").digest() for text in (b"Client Key", b"Server Key"))
    return SCRAM_RECORD % tuple(base64.b64encode(x).decode() for x in (
        b"0123456789abcdef", hashlib.sha256(client).digest(), server))


def expect(everything="in", **others):
    """CRAM_MD5="-" and the like; SCRAM= for all four."""
    row = dict.fromkeys(MECHANISMS, everything)
    for name, cell in others.items():
        for m in (SCRAM if name == "SCRAM" else (name.replace("_", "-"),)):
            row[m] = cell
    return row


# ---- providers: (settings, what is to be closed) -----------------------------------------------------------------------


def passwd_file(password):
    return lambda mail: ({}, ["demo:%s::::::" % password], [])


def http(fmt, answer):
    def make(mail):
        endpoint = Endpoint(answer)
        return {"AUTHMODULES": "http", "HTTP_AUTH_URL": endpoint.url(), "HTTP_AUTH_FORMAT": fmt, "HTTP_AUTH_SCRAM": 1}, [], \
            [endpoint.stop]
    return make


def nginx_answer(request):
    """An endpoint that knows demo's password, as nginx's would be."""
    method, user, secret = (request.text(h).decode() for h in ("Auth-Method", "Auth-User", "Auth-Pass"))
    digest = hmac.new(b"demo", request.text("Auth-Salt"), hashlib.md5).hexdigest()
    good = {"plain": secret == "demo", "cram-md5": secret == digest, "external": True}[method]
    return says("OK" if user == "demo" and good else "Invalid login or password")


def json_answer(request):
    """mailcow's form, with hashes where they are asked for."""
    asked = request.json
    if asked["username"] != "demo":
        return page(body={"success": False, "reason": "unknown"})
    if asked["wanted"] in ("hashes", "cram-md5"):
        return page(body={"success": True, "password": "{PLAIN}demo"})
    return page(body={"success": asked["wanted"] == "account" or asked.get("password") == "demo"})


def redis_hash(mail):
    redis = Redis()
    redis("HSET", "user:{demo}", "password", "{PLAIN}demo")
    return {"AUTHMODULES": "redis", "REDIS_URL": "redis://127.0.0.1:%d" % redis.port}, [], [redis.stop]


def redis_json(mail):
    redis = Redis()
    redis("SET", "passdb/demo", '{"passwords": [{"hash": "%s", "services": ["imap"]}, {"hash": "%s", "services": ["smtp"]}]}' %
          (scram_record(), "{PLAIN}other"))
    return {"AUTHMODULES": "redis", "REDIS_URL": "redis://127.0.0.1:%d" % redis.port, "REDIS_COMMAND": '"GET passdb/%u"',
            "REDIS_FORMAT": "json"}, [], [redis.stop]


def authlib_userdb(mail):
    daemon = AuthDaemon()
    daemon.add("demo", b"demo", uid=MAIL_UID, gid=MAIL_UID, home=mail + "/demo")
    daemon.make().start()
    return {"AUTHMODULES": "authlib", "AUTHLIB_SOCKET": daemon.socket}, [], [daemon.close]


def authlib_pipe(mail):
    daemon = AuthDaemon("authpipe", pipe={"demo": {"UID": MAIL_UID, "GID": MAIL_UID, "HOME": mail + "/demo",
                                                   "ADDRESS": "demo", "PASSWD2": "demo"}})
    daemon.make().start()
    return {"AUTHMODULES": "authlib", "AUTHLIB_SOCKET": daemon.socket, "AUTHLIB_SCRAM": 1}, [], [daemon.close]


ROWS = {
    "passwd-file, {PLAIN}": (passwd_file("{PLAIN}demo"), expect()),
    "passwd-file, {SCRAM-SHA-256}": (passwd_file(scram_record()), expect(
        CRAM_MD5=FAILED, **{"SCRAM_SHA_1": FAILED, "SCRAM_SHA_1_PLUS": FAILED})),
    "passwd-file, crypt": (passwd_file(CRYPT), expect(CRAM_MD5=FAILED, SCRAM=FAILED)),
    "http, nginx form": (http("nginx", nginx_answer), expect(SCRAM="-")),
    "http, JSON": (http("json", json_answer), expect()),
    "redis, hash": (redis_hash, expect()),
    "redis, JSON, {SCRAM-SHA-256}": (redis_json, expect(
        CRAM_MD5=FAILED, **{"SCRAM_SHA_1": FAILED, "SCRAM_SHA_1_PLUS": FAILED})),
    "authlib, userdb": (authlib_userdb, expect(SCRAM="-")),
    "authlib, pipe, clear passwords": (authlib_pipe, expect()),
}

# ---- clients: each returns what its program wrote ------------------------------------------------------------------------


def run(*args, stdin=""):
    return subprocess.run([str(a) for a in args], input=stdin, capture_output=True, text=True, timeout=30, check=False,
                          env=dict(os.environ, LC_ALL="C.UTF-8"))


def told(done):
    return done.returncode == 0, done.stdout + done.stderr


def curl(server, mechanism, *more):
    return told(run("curl", "-sSv", "-u", "demo:demo", "--login-options", "AUTH=" + mechanism, *more,
                    "imap://127.0.0.1:%d/" % server.port))


def by_imaplib(server, act):
    with imaplib.IMAP4("127.0.0.1", server.port, timeout=20) as c:
        try:
            act(c)
            return c.select("INBOX")[0] == "OK", ""
        except imaplib.IMAP4.error as fault:
            return False, "NO " + str(fault)


def gsasl(server, mechanism):
    plus = mechanism.endswith("-PLUS")
    return told(run("gsasl", "--client", "--imap", "--connect=127.0.0.1:%d" % server.port, "--authentication-id=demo",
                    "--password=demo", "--x509-ca-file=%s.crt" % server.settings["TLS_CERTFILE"], "--mechanism=" + mechanism,
                    "--starttls" if plus else "--no-starttls"))


def mbsync(server, mechanism):
    conf = os.path.join(server.dir, "mbsyncrc")
    with open(conf, "w", encoding="ascii") as f:
        f.write("IMAPStore far\nHost 127.0.0.1\nPort %d\nUser demo\nPass demo\nSSLType None\nAuthMechs %s\n\n"
                "MaildirStore near\nPath %s/synced/\nInbox %s/synced/INBOX\n\nChannel c\nFar :far:\nNear :near:\nCreate Near\nSyncState *\n"
                % (server.port, mechanism, server.dir, server.dir))
    os.makedirs(server.dir + "/synced", exist_ok=True)
    return told(run("mbsync", "-c", conf, "c"))


def s_client(server, cert):
    """openssl's own: what a person would type."""
    with subprocess.Popen(["openssl", "s_client", "-quiet", "-crlf", "-connect", "127.0.0.1:%d" % server.sslport, "-cert",
                           cert, "-key", cert], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as p:
        p.stdin.write("a AUTHENTICATE EXTERNAL =\n")
        p.stdin.flush()
        text = ""
        for line in p.stdout:
            text += line
            if line.startswith("a "):
                break
        if "a OK" in text:
            p.stdin.write("b SELECT INBOX\nc LOGOUT\n")
            p.stdin.flush()
            text += p.stdout.read()
        p.kill()
    return "b OK" in text, text


def client(server, mechanism, tools):
    token = tools["idp"].token("demo")
    if mechanism == "LOGIN command":
        return by_imaplib(server, lambda c: c.login("demo", "demo"))
    if mechanism == "XOAUTH2":  # curl takes OAUTHBEARER wherever that is offered
        return by_imaplib(server, lambda c: c.authenticate(
            "XOAUTH2", lambda challenge: b"" if challenge else b"user=demo\1auth=Bearer %s\1\1" % token.encode()))
    if mechanism == "OAUTHBEARER":
        return curl(server, mechanism, "--oauth2-bearer", token)
    if mechanism == "EXTERNAL":
        return s_client(server, tools["cert"])
    if mechanism == "SCRAM-SHA-256":
        return mbsync(server, mechanism)
    return gsasl(server, mechanism) if "SCRAM" in mechanism else curl(server, mechanism)


def offered(server, mechanism, tools):
    """What the server says on a connection on which the mechanism could work."""
    with Imap(server.port, greeting=False) if not tls_only(mechanism) else over_tls(server, tools["cert"]) as c:
        if not tls_only(mechanism):
            c.read_line()
        caps = c.ok("CAPABILITY").untagged[0].decode().split()
        if mechanism == "LOGIN command":
            return "LOGINDISABLED" not in caps
        if "AUTH=" + mechanism in caps:
            return True
        assert c.cmd("AUTHENTICATE " + mechanism).status == "NO"
        return False


def tls_only(mechanism):
    return mechanism.endswith("-PLUS") or mechanism == "EXTERNAL"


def over_tls(server, cert):
    c = Imap.__new__(Imap)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(cert)
    Imap.__init__(c, server.sslport, greeting=False)
    c.sock = context.wrap_socket(c.sock)
    c.read_line()
    return c


# ---- the table ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    ca = Authority(str(tmp_path_factory.mktemp("ca")))
    with Idp([Key("k", "ES256")]) as idp:
        yield {"idp": idp, "ca": ca.cert, "cert": ca.issue("demo", "/CN=demo")}


@pytest.fixture(scope="module")
def table():
    rows = {}
    yield rows
    width = max(map(len, ROWS)) + 2
    print("\n\n%-*s%s" % (width, "", "  ".join(MECHANISMS)))
    for name, cells in rows.items():
        print("%-*s%s" % (width, name, "  ".join(
            "%-*s" % (len(m), {FAILED: "no"}.get(cells[m], cells[m])) for m in MECHANISMS)))
    print("(no: NO [AUTHENTICATIONFAILED], since the account's hash is none for it; -: not offered)")


def cell(server, mechanism, tools):
    if not offered(server, mechanism, tools):
        return "-"
    at = len(server.log())
    went_in, text = client(server, mechanism, tools)
    if went_in:
        # By that mechanism, and no other that the client thought better.
        line = r"LOGIN PASSED, user=demo,.* method=%s[, ]" % mechanism.replace(" command", "")
        wait_for(line, lambda: re.search(line, server.log()[at:]))
        return "in"
    code = re.search(r"NO \[([A-Z]+)\]", text)
    return code.group(1) if code else "broken: " + text[-400:]


@pytest.mark.parametrize("name", ROWS)
def test_row(name, tools, table):
    make, wanted = ROWS[name]
    if name.startswith("authlib") and not PRESENT:
        pytest.skip("needs root and courier-authdaemon")
    server = Server(users=["demo"])
    closing = []
    try:
        settings, users, closing = make(server.mail)
        if users:
            with open(server.passwd, "w", encoding="utf-8") as f:
                f.write("\n".join(users) + "\n")
        server.settings.update({
            "LOGIN_FAILURE_DELAY": 0, "LOGIN_PENALTY_FREE": 1000000, "LOGIN_FAILURE_MAX": 1000, "TLS_VERIFYPEER": "PEER",
            "TLS_TRUSTCERTS": tools["ca"], "TLS_EXTERNAL": "cn", "OAUTH_JWKS_URL": tools["idp"].url + "/jwks",
            "OAUTH_AUDIENCE": "imap", "AUTH_MECHANISMS": '"%s"' % " ".join(m for m in MECHANISMS if " " not in m)})
        server.settings.update(settings)
        server.write_settings()
        server.start()
        cells = table[name] = {m: cell(server, m, tools) for m in MECHANISMS}
        with Imap(server.port) as c:
            assert c.cmd("LOGIN demo wrong").text.startswith("[%s]" % FAILED)
            assert c.cmd("LOGIN nobody-here demo").text.startswith("[%s]" % FAILED)
    finally:
        server.stop()
        for close in closing:
            close()
    assert cells == wanted


def test_clients_are_there():
    assert all(map(shutil.which, ("curl", "gsasl", "mbsync", "openssl")))
