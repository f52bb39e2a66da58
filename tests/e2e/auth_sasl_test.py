# SPDX-License-Identifier: Apache-2.0
"""SCRAM, its channel bindings, and CRAM-MD5, by clients of our own and by other people's (B12, B16, B26, C74, C77,
C78, R82 to R85)."""
import base64
import hashlib
import hmac
import imaplib
import os
import re
import ssl
import statistics
import subprocess
import time

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.sasl import Dialogue, Scram, b64
from lib.server import Server, wait_for

PASSWORD = "T\u00e4st 1"  # that of the records, which doveadm pw made
SHA1 = "{SCRAM-SHA-1}4096,HC0qkN0JD7Em9Juba86Maw==,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,cV9XaVAdTAlJ6tscA8Q9uh82U80="
SHA256 = ("{SCRAM-SHA-256}4096,8QkC1ovCJj344mu3ZyhiLQ==,+Rwsv6qdCGAOwGbknOqfV5ktq4fShqyIYSS8BpLZQKQ=,"
          "n/Yg5l0px0YNkyoqDijX39O0qUv8z+LAfErLywaPH2Q=")
CRYPT = "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."
ALL = '"PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS"'
FAILED = ("NO", "[AUTHENTICATIONFAILED] Login failed.")


def record(name, password, iterations, salt=b"0123456789abcdef"):
    algorithm = name.replace("SCRAM-", "").replace("-", "").lower()
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, iterations)
    key = [hmac.new(salted, text, algorithm).digest() for text in (b"Client Key", b"Server Key")]
    return "{%s}%d,%s,%s,%s" % (name, iterations, b64(salt), b64(hashlib.new(algorithm, key[0]).digest()), b64(key[1]))


USERS = [
    "demo", "rec1:%s::::::" % SHA1, "rec:%s::::::" % SHA256, "crypted:%s::::::" % CRYPT, "we,i=rd:{PLAIN}w::::::",
    "long:%s::::::" % record("SCRAM-SHA-256", "x", 1000000), "off:{PLAIN}off::::::disableimap=1",
    "broken:{SCRAM-SHA-256}4096,!,!,!::::::", "big:{SCRAM-SHA-256}4000000000,AAAA,AAAA,AAAA::::::",
    "cram:{CRAM-MD5}27b358f926cc7af3f39622b98d78569dfd69d156158d03a8b4bc25de77caed1d::::::",
]


@pytest.fixture(scope="module")
def front():
    with Front(users=USERS, LOGIN_FAILURE_MAX=1000, LOGIN_PENALTY_FREE=1000000,
               IMAP_TLS_REQUIRED="0", AUTH_MECHANISMS=ALL).running() as f:
        yield f


def scram(front, *args, initial=True, tls=False, **more):
    with front.client(tls) as c:
        s = Scram(*args, **more)
        reply = s.run(c, initial)
        if reply[0] == "OK":
            c.send("first\r\n")
            assert c.read_line() == b"* echo first"
        return reply


# ---- SCRAM --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism,user,password", [
    ("SCRAM-SHA-1", "demo", "demo"), ("SCRAM-SHA-256", "demo", "demo"), ("SCRAM-SHA-1", "rec1", PASSWORD),
    ("SCRAM-SHA-256", "rec", PASSWORD), ("scram-sha-256", "we,i=rd", "w"), 
])
def test_scram(front, mechanism, user, password, initial):
    mechanism = mechanism if mechanism.isupper() else mechanism.upper()
    assert scram(front, mechanism, user, password, initial=initial) == ("OK", "AUTHENTICATE Ok.")


def test_a_million_iterations(front):
    """are the client's work, not ours."""
    assert scram(front, "SCRAM-SHA-256", "long", "x")[0] == "OK"


def test_scram_names(front):
    with front.client() as c:
        caps = c.cmd("CAPABILITY").find("CAPABILITY .*").group().decode().split()
    assert "AUTH=SCRAM-SHA-1" in caps and "AUTH=SCRAM-SHA-256" in caps
    assert not [w for w in caps if "PLUS" in w or "CRAM-MD5" in w or "XOAUTH2" in w or "EXTERNAL" in w]
    assert scram(front, "SCRAM-SHA-256", "demo", "demo", authzid="demo")[0] == "OK"
    assert scram(front, "SCRAM-SHA-256", "demo", "demo", authzid="rec")[0] == "NO"
    assert scram(front, "SCRAM-SHA-256", "off", "off") == (
        "NO", "[AUTHORIZATIONFAILED] IMAP access disabled for this account.")
    assert scram(front, "SCRAM-SHA-256", "off", "wrong") == FAILED


@pytest.mark.parametrize("user,password", [
    ("demo", "wrong"), ("rec", "wrong"), ("nobody", "x"), ("crypted", "secret"), ("rec1", PASSWORD), ("broken", "x"),
    ("big", "x"), ("../..", "x"),
])
def test_refused_alike(front, user, password):
    """One dialogue for known, unknown and impossible accounts: the same messages, in the same form."""
    with front.client() as c:
        s = Scram("SCRAM-SHA-256", user, password)
        d = Dialogue(c, "SCRAM-SHA-256", s.first())
        assert re.fullmatch(r"r=[!-+\--~]{40},s=[A-Za-z0-9+/]{22}==,i=4096", (first := d.challenge()))
        d.send(s.final(first))
        assert d.end() == FAILED


def salt_of(front, user, mechanism="SCRAM-SHA-256"):
    with front.client() as c:
        s = Scram(mechanism, user, "x")
        d = Dialogue(c, mechanism, s.first())
        s.final(d.challenge())
        d.send_raw("*")
        assert d.end()[0] == "BAD"
        return s.salt


def test_salts_stay():
    """What is said of a name stays the same, over restarts, and on hosts with the same AUTH_SECRET."""
    with Front(users=["demo"]).running() as front:
        before = [salt_of(front, u) for u in ("nobody", "demo", "nobody")]
        assert before[0] == before[2] and len(set(before)) == 2
        assert salt_of(front, "nobody", "SCRAM-SHA-1") != before[0]
        front.stop_one("frontend")
        at = len(front.log())
        front.start_one("frontend")
        wait_for("the front end", lambda: "ready program=frontend" in front.log()[at:])
        assert [salt_of(front, u) for u in ("nobody", "demo")] == before[:2]
    hosts = []
    for secret in ("one", "one", "two"):
        with Front(users=["demo"], AUTH_SECRET=secret, SCRAM_ITERATIONS=5000).running() as front:
            hosts.append(salt_of(front, "nobody"))
    assert hosts[0] == hosts[1] != hosts[2] and hosts[0] != before[0]


@pytest.mark.parametrize("known", ["demo", "rec"])
def test_time_tells_nothing(known):
    with Front(users=USERS, LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000, LOGIN_PENALTY_FREE=1000000,
               AUTH_MECHANISMS=ALL).running() as f:
        if known == "rec":  # where all have records, nobody derives keys
            with open(f.passwd, "w", encoding="utf-8") as p:
                p.write("rec:%s::::::\n" % SHA256)
            f.stop_one("frontend")
            at = len(f.log())
            f.start_one("frontend")
            wait_for("the front end", lambda: "ready program=frontend" in f.log()[at:])
        with f.client() as c:
            for user in (known, "nobody"):
                Scram("SCRAM-SHA-256", user, "wrong").run(c)
            spent = {known: [], "nobody": []}
            for _ in range(50):
                for user, times in spent.items():
                    s = Scram("SCRAM-SHA-256", user, "wrong")
                    d = Dialogue(c, "SCRAM-SHA-256", s.first())
                    final = s.final(d.challenge())
                    begin = time.monotonic()
                    d.send(final)
                    assert d.end()[0] == "NO"
                    times.append(time.monotonic() - begin)
        a, b = (statistics.median(t) for t in spent.values())
        assert abs(a - b) < 0.005


@pytest.mark.parametrize("meddle,answer", [
    (lambda s, m: m.replace(",r=", ",r=x"), FAILED),
    (lambda s, m: re.sub("r=[^,]*", "r=" + s.nonce, m), FAILED),
    (lambda s, m: re.sub("p=....", "p=AAAA", m), FAILED),
    (lambda s, m: re.sub("p=.*", "p=" + b64(b"x" * 20), m), FAILED),
    (lambda s, m: re.sub("c=[^,]*", "c=" + b64("y,,"), m, count=1), ("NO", None)),
    (lambda s, m: re.sub("c=[^,]*", "c=" + b64("n,a=rec,"), m, count=1), ("NO", None)),
    (lambda s, m: m.rsplit(",", 1)[0], ("BAD", None)), (lambda s, m: "", ("BAD", None)), (lambda s, m: "\0", ("BAD", None)),
    (lambda s, m: m + ",x=y", ("BAD", None)), (lambda s, m: re.sub(",p=", ",m=x,p=", m), ("BAD", None)),
    (lambda s, m: "A" * 12000, ("BAD", None)),
])
def test_altered_final_message(front, meddle, answer):
    with front.client() as c:
        s = Scram("SCRAM-SHA-256", "demo", "demo")
        d = Dialogue(c, "SCRAM-SHA-256", s.first())
        d.send(meddle(s, s.final(d.challenge())))
        status, text = d.end()
        assert status == answer[0] and (answer[1] is None or text == answer[1])
        assert Scram("SCRAM-SHA-256", "demo", "demo").run(c)[0] == "OK"


@pytest.mark.parametrize("other", [{"nonce": "short"}, {"nonce": "x" * 40}, {"cbind": b"y,,"}, {"cbind": b"n,a=rec,"},
                                   {"cbind": b"n,,x"}, {"cbind": b"n"}])
def test_proof_over_other_fields(front, other):
    """A client that knows the password must still have heard what we said."""
    with front.client() as c:
        s = Scram("SCRAM-SHA-256", "demo", "demo")
        d = Dialogue(c, "SCRAM-SHA-256", s.first())
        d.send(s.final(d.challenge(), **other))
        assert d.end()[0] == "NO"


def test_replay(front):
    """A dialogue that was overheard is worth nothing."""
    with front.client() as c:
        s = Scram("SCRAM-SHA-256", "demo", "demo")
        d = Dialogue(c, "SCRAM-SHA-256", s.first())
        final = s.final(d.challenge())
        d.send(final)
        assert d.challenge() == s.expected
        d.send("")
        assert d.end()[0] == "OK"
    with front.client() as c:
        d = Dialogue(c, "SCRAM-SHA-256", s.first())
        d.challenge()
        d.send(final)
        assert d.end() == FAILED


def test_server_must_be_heard_out(front):
    """Something else than the empty answer to the server's signature is no login."""
    given = len(front.backend.given)
    for last in ("x", "*"):
        with front.client() as c:
            s = Scram("SCRAM-SHA-256", "demo", "demo")
            d = Dialogue(c, "SCRAM-SHA-256", s.first())
            d.send(s.final(d.challenge()))
            assert d.challenge() == s.expected
            d.send_raw(last if last == "*" else b64(last))
            assert d.end()[0] == "BAD"
            c.ok("NOOP")
    assert len(front.backend.given) == given


@pytest.mark.parametrize("first", [
    "", "x", "n,,", "n,,n=demo", "n,,n=,r=x", "n,,n=demo,r=", "n,,n=de=mo,r=x", "n,,m=1,n=demo,r=x", "n,,n=demo,r=\u00e4",
    "z,,n=demo,r=x", "n,,n=demo,r=" + "x" * 600, "n,,n=" + "d" * 300 + ",r=x", "p=tls-unique,,n=demo,r=x",
    "p=,,n=demo,r=x", "n,,n=de\0mo,r=x", "\0" * 3000,
])
def test_odd_first_message(front, first):
    with front.client() as c:
        d = Dialogue(c, "SCRAM-SHA-256", first)
        assert d.end()[0] in ("BAD", "NO")
        assert Scram("SCRAM-SHA-256", "demo", "demo").run(c)[0] == "OK"


@pytest.mark.parametrize("line", ["====", "AAA", "!", "AAAA AAAA", "*", "QUJD" * 6000])
def test_broken_base64_between(front, line):
    with front.client() as c:
        d = Dialogue(c, "SCRAM-SHA-256", Scram("SCRAM-SHA-256", "demo", "demo").first())
        d.challenge()
        d.send_raw(line)
        answer = c.read_line()
        assert answer.startswith((d.tag + b" BAD", b"* BYE"))
        if not answer.startswith(b"*"):
            assert Scram("SCRAM-SHA-256", "demo", "demo").run(c)[0] == "OK"


def test_many_that_go_away(front):
    """Exchanges that nobody ends cost nothing that stays: keys under way included."""
    for step in range(3):
        for _ in range(40):
            with front.client() as c:
                s = Scram("SCRAM-SHA-256", "demo", "demo")
                d = Dialogue(c, "SCRAM-SHA-256", s.first() if step else None)
                if step == 2:
                    d.send(s.final(d.challenge()))
    assert scram(front, "SCRAM-SHA-256", "demo", "demo")[0] == "OK"
    assert len(front.pids("authd")) == 1


def test_offered_where_every_account_can():
    """A client that finds SCRAM takes it, and is locked out if its account has only a crypt(3) hash."""
    with Front(users=["demo"]).running() as front:
        def offered():
            with front.client() as c:
                words = c.cmd("CAPABILITY").find("CAPABILITY .*").group().decode().split()
            return {w[5:] for w in words if w.startswith("AUTH=")}

        def accounts(*lines):
            with open(front.passwd + ".new", "w", encoding="utf-8") as f:
                f.write("\n".join(("demo:{PLAIN}demo",) + lines) + "\n")
            os.chmod(front.passwd + ".new", 0o644)
            os.rename(front.passwd + ".new", front.passwd)
        plain, both = {"PLAIN", "LOGIN"}, {"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"}
        assert offered() == both
        accounts("old:" + CRYPT)
        wait_for("no SCRAM", lambda: offered() == plain)
        with front.client() as c:
            assert c.cmd("AUTHENTICATE SCRAM-SHA-256").status == "NO"
            assert c.cmd("LOGIN old secret").ok
        accounts("old:!" + CRYPT, "tokens:*", "nobody:")  # nobody can come in by these
        wait_for("both", lambda: offered() == both)
        accounts("rec:" + SHA256)
        wait_for("one", lambda: offered() == plain | {"SCRAM-SHA-256"})
        accounts("rec:%s" % SHA256, "rec:%s::::::app=phone" % record("SCRAM-SHA-256", "x", 4096))  # another salt
        wait_for("none", lambda: offered() == plain)
        salt = base64.b64decode(SHA256.split(",")[1])
        accounts("rec:%s" % SHA256, "rec:%s::::::app=phone" % record("SCRAM-SHA-256", "phone", 4096, salt),
                 "rec:%s::::::app=smtp,services=smtp" % CRYPT)
        wait_for("one", lambda: offered() == plain | {"SCRAM-SHA-256"})
        for password in (PASSWORD, "phone"):
            assert scram(front, "SCRAM-SHA-256", "rec", password)[0] == "OK"


# ---- channel binding --------------------------------------------------------------------------------------------


def endpoint(client):
    return hashlib.sha256(client.sock.getpeercert(True)).digest()


def test_plus_end_point(front):
    for mechanism in ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"):
        with front.client(tls=True) as c:
            assert "AUTH=" + mechanism in c.cmd("CAPABILITY").find("CAPABILITY .*").group().decode()
            s = Scram(mechanism, "demo", "demo", flag="p=tls-server-end-point", binding=endpoint(c))
            assert s.run(c)[0] == "OK"


def test_plus_with_tls_1_2(front):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Imap(front.sslport, greeting=False) as c:
        c.sock = context.wrap_socket(c.sock)
        c.read_line()
        assert c.sock.version() == "TLSv1.2"
        s = Scram("SCRAM-SHA-256-PLUS", "demo", "demo", flag="p=tls-server-end-point", binding=endpoint(c))
        assert s.run(c)[0] == "OK"


@pytest.mark.parametrize("mechanism,flag,binding", [
    ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", lambda b: b[:-1] + bytes([b[-1] ^ 1])),
    ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", lambda b: b""),
    ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", lambda b: b + b"x"),
    ("SCRAM-SHA-256-PLUS", "p=tls-exporter", lambda b: b),       # another binding's data
    ("SCRAM-SHA-256-PLUS", "p=tls-unique", lambda b: b),         # not with TLS 1.3, and not here
    ("SCRAM-SHA-256-PLUS", "n", lambda b: b""), ("SCRAM-SHA-256-PLUS", "y", lambda b: b""),
    ("SCRAM-SHA-256", "p=tls-server-end-point", lambda b: b),
    ("SCRAM-SHA-256", "y", lambda b: b""),                       # somebody hid the -PLUS from the client
])
def test_wrong_binding(front, mechanism, flag, binding):
    given = len(front.backend.given)
    with front.client(tls=True) as c:
        s = Scram(mechanism, "demo", "demo", flag=flag, binding=binding(endpoint(c)))
        assert s.run(c)[0] == "NO"
        s = Scram("SCRAM-SHA-256-PLUS", "demo", "demo", flag="p=tls-server-end-point", binding=endpoint(c))
        assert len(front.backend.given) == given
        assert s.run(c)[0] == "OK"


def test_flag_y_where_no_plus_is_offered(front):
    assert scram(front, "SCRAM-SHA-256", "demo", "demo", flag="y")[0] == "OK"  # no TLS
    assert scram(front, "SCRAM-SHA-256-PLUS", "demo", "demo", flag="p=tls-exporter")[0] == "NO"
    with Front(users=["demo"], AUTH_MECHANISMS="SCRAM-SHA-256").running() as f:
        with f.client(tls=True) as c:
            assert "PLUS" not in str(c.cmd("CAPABILITY"))
            assert Scram("SCRAM-SHA-256", "demo", "demo", flag="y").run(c)[0] == "OK"
        with f.client() as c:
            assert c.cmd("AUTHENTICATE PLAIN " + b64("\0demo\0demo")).status == "NO"


# ---- other people's clients ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    server = Server(users=["demo"] + USERS[1:3] + USERS[-1:], LOGIN_FAILURE_MAX=1000, AUTH_MECHANISMS=ALL,
                    IMAP_CAPABILITY='"IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS ENABLE IDLE NAMESPACE UIDPLUS MOVE AUTH=PLAIN '
                    'AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS AUTH=CRAM-MD5"')
    yield server.start()
    server.stop()


def gsasl(server, *args, user="demo", password="demo", starttls=False):
    return subprocess.run(
        ["gsasl", "--client", "--imap", "--connect=127.0.0.1:%d" % server.port, "--authentication-id=" + user,
         "--password=" + password, "--x509-ca-file=" + server.settings["TLS_CERTFILE"] + ".crt",
         "--starttls" if starttls else "--no-starttls", *args],
        input="", capture_output=True, text=True, timeout=20, env=dict(os.environ, LC_ALL="C.UTF-8"), check=False)


@pytest.mark.parametrize("mechanism,user,password,starttls", [
    ("SCRAM-SHA-1", "demo", "demo", False), ("SCRAM-SHA-256", "demo", "demo", False), ("SCRAM-SHA-1", "rec1", PASSWORD, False),
    ("SCRAM-SHA-256", "rec", PASSWORD, False), ("SCRAM-SHA-1-PLUS", "demo", "demo", True),
    ("SCRAM-SHA-256-PLUS", "rec", PASSWORD, True), ("CRAM-MD5", "demo", "demo", False),
])
def test_gsasl(real, mechanism, user, password, starttls):
    run = gsasl(real, "--mechanism=" + mechanism, user=user, password=password, starttls=starttls)
    assert run.returncode == 0 and "AUTHENTICATE Ok." in run.stdout, run.stdout + run.stderr
    assert "LOGIN PASSED, user=%s, ip=[127.0.0.1]" % user in real.log() and "method=" + mechanism in real.log()
    run = gsasl(real, "--mechanism=" + mechanism, user=user, password="wrong", starttls=starttls)
    assert "AUTHENTICATIONFAILED" in run.stdout + run.stderr and run.returncode != 0


def test_mbsync_scram(real, tmp_path):
    """isync through Cyrus's libsasl2 and its SCRAM plugin."""
    real.deliver(b"Subject: by SCRAM\n\nx\n")
    os.makedirs(tmp_path / "mail")
    (tmp_path / "rc").write_text("""
IMAPStore far
Host 127.0.0.1
Port %d
User demo
Pass demo
SSLType None
AuthMechs SCRAM-SHA-256

MaildirStore near
Path %s/mail/
Inbox %s/mail/INBOX

Channel c
Far :far:
Near :near:
Create Near
SyncState *
""" % (real.port, tmp_path, tmp_path), encoding="utf-8")
    run = subprocess.run(["mbsync", "-c", str(tmp_path / "rc"), "c"], capture_output=True, text=True, timeout=30,
                         env=dict(os.environ, HOME=str(tmp_path)), check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(os.listdir(tmp_path / "mail" / "INBOX" / "new")) == 1
    assert "method=SCRAM-SHA-256" in real.log()


# ---- CRAM-MD5 --------------------------------------------------------------------------------------------------------


def test_cram_md5_is_off(front):
    with front.client() as c:
        assert c.cmd("AUTHENTICATE CRAM-MD5").status == "NO"


def test_cram_md5_by_its_setting():
    with Front(users=USERS, AUTH_MECHANISMS="CRAM-MD5").running() as f, f.client() as c:
        assert re.search(r"AUTH=CRAM-MD5$", c.cmd("CAPABILITY").find("CAPABILITY .*").group().decode())


@pytest.mark.parametrize("user,password", [("demo", "demo"), ("cram", PASSWORD)])
def test_cram_md5_by_imaplib(real, user, password):
    with imaplib.IMAP4("127.0.0.1", real.port) as m:
        assert "AUTH=CRAM-MD5" in m.capabilities
        m.login_cram_md5(user, password)
    for wrong in ((user, "wrong"), ("nobody", password), ("rec", PASSWORD)):
        with imaplib.IMAP4("127.0.0.1", real.port) as m, pytest.raises(m.error, match="AUTHENTICATIONFAILED"):
            m.login_cram_md5(*wrong)


def test_cram_md5_by_curl(real):
    for user, code in (("demo:demo", 0), ("demo:wrong", 67)):
        run = subprocess.run(["curl", "-sS", "-u", user, "--login-options", "AUTH=CRAM-MD5", "-X", "NOOP",
                              "imap://127.0.0.1:%d/" % real.port], capture_output=True, text=True, timeout=20, check=False)
        assert run.returncode == code, run.stderr
    assert "method=CRAM-MD5" in real.log()


def test_cram_md5_abuse(real):
    seen = set()
    for answer in ("", "demo", "demo ", " " + "0" * 32, "demo " + "0" * 31, "demo " + "G" * 32, "demo " + "A" * 32, "\0",
                   "demo\0 " + "0" * 32):
        with Imap(real.port) as c:
            d = Dialogue(c, "CRAM-MD5")
            challenge = d.challenge()
            assert re.fullmatch(r"<[0-9a-f]{16}\.[0-9]+@[^<>@]+>", challenge)
            seen.add(challenge)
            d.send(answer)
            assert d.end()[0] in ("BAD", "NO")
            assert c.cmd("AUTHENTICATE CRAM-MD5 " + b64("demo " + "0" * 32)).status == "BAD"
    assert len(seen) == 9
    # An answer to another challenge than this connection's.
    with Imap(real.port) as c:
        d = Dialogue(c, "CRAM-MD5")
        d.challenge()
        d.send("demo " + hmac.new(b"demo", list(seen)[0].encode(), "md5").hexdigest())
        assert d.end()[1].startswith("[AUTHENTICATIONFAILED]")


def test_nothing_secret_in_the_log(front, real):
    for log in (front.log(), real.log()):
        for secret in (PASSWORD, "0QkC1ovCJj344", "27b358f926cc", "4096,"):
            assert secret not in log
