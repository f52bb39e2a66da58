# SPDX-License-Identifier: Apache-2.0
"""OAUTHBEARER and XOAUTH2: tokens checked by keys and by introspection, endpoints that are ill (C80, C81, O5, U15)."""
import base64
import hmac
import json
import os
import re
import subprocess
import time

import pytest

from lib.front import Front
from lib.idp import Idp, Key, b64url
from lib.sasl import Dialogue
from lib.server import BIN, wait_for

FAILED = ("NO", "[AUTHENTICATIONFAILED] Login failed.")
NO_MASTER = ("NO", "[AUTHORIZATIONFAILED] This account may not act for others.")  # somebody else's token
OK = ("OK", "AUTHENTICATE Ok.")
QUIET = {"LOGIN_FAILURE_MAX": 1000, "LOGIN_PENALTY_FREE": 1000000, "IMAP_TLS_REQUIRED": "0"}
USERS = ["demo", "joe@example.com:{CRYPT}!::::::"]
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")


@pytest.fixture(scope="module")
def idp():
    rsa = Key("", "RS256").private  # making one takes its time
    with Idp([Key("k-" + a, a, None if a[0] == "E" else rsa) for a in ALGORITHMS]) as i:
        yield i


@pytest.fixture(scope="module")
def stranger_rsa():
    return Key("", "RS256").private


@pytest.fixture(autouse=True)
def healthy(idp):
    idp.mode = "ok"
    yield
    idp.mode = "ok"


@pytest.fixture(scope="module")
def jwks(idp):
    with Front(users=USERS, OAUTH_JWKS_URL=idp.url + "/jwks", OAUTH_ISSUER=idp.ISSUER, OAUTH_AUDIENCE="imap",
               OAUTH_SCOPE="imap", OAUTH_JWKS_PAUSE=200, AUTH_CACHE_NEGATIVE_TTL=0, OAUTH_TIMEOUT=1000,
               OAUTH_OPENID_CONFIGURATION="https://id.example/conf", **QUIET).running() as f:
        yield f


@pytest.fixture(scope="module")
def asked(idp):
    """A front end that asks the introspection endpoint."""
    with Front(users=USERS, OAUTH_INTROSPECTION_URL=idp.url + "/introspect", OAUTH_CLIENT_ID="post:house",
               OAUTH_CLIENT_SECRET='"s e%t"', OAUTH_SCOPE="imap", OAUTH_TIMEOUT=4000, OAUTH_CACHE_TTL=1,
               AUTH_CACHE_NEGATIVE_TTL=0, **QUIET).running() as f:
        yield f


def bearer(token, user="joe@example.com"):
    return "n,%s,\1host=127.0.0.1\1port=143\1auth=Bearer %s\1\1" % ("a=" + user if user else "", token)


def xoauth2(token, user="joe@example.com"):
    return "user=%s\1auth=Bearer %s\1\1" % (user, token)


def login(front, token, mechanism="OAUTHBEARER", user="joe@example.com", initial=True):
    """(status, text), and the error that came before it."""
    with front.client() as c:
        message = (bearer if mechanism == "OAUTHBEARER" else xoauth2)(token, user)
        d = Dialogue(c, mechanism, message if initial else None)
        if not initial:
            assert d.challenge() == ""
            d.send(message)
        error = d.challenge()
        if error is not None:
            d.send("\1" if mechanism == "OAUTHBEARER" else "")
            return d.end(), json.loads(error)
        return d.reply, None


# ---- by keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_good_token(jwks, idp, mechanism, initial):
    assert login(jwks, idp.token("joe@example.com"), mechanism, initial=initial) == (OK, None)
    wait_for("the log", lambda: re.search("LOGIN PASSED, user=joe@example.com,.* method=" + mechanism, jwks.log()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithms(jwks, idp, stranger_rsa, algorithm):
    key = next(k for k in idp.keys if k.algorithm == algorithm)
    assert login(jwks, idp.token("joe@example.com", key))[0] == OK
    stranger = Key(key.kid, algorithm, stranger_rsa if algorithm[0] != "E" else None)  # the same name, another key
    assert login(jwks, idp.token("joe@example.com", stranger))[0] == FAILED


def test_only_where_it_can_work(jwks, idp):
    with jwks.client() as c:
        assert b"AUTH=OAUTHBEARER AUTH=XOAUTH2" in c.cmd("CAPABILITY").untagged[0]
    with Front(users=["demo"]).running() as f, f.client() as c:
        assert b"OAUTH" not in c.cmd("CAPABILITY").untagged[0]
        assert c.cmd("AUTHENTICATE XOAUTH2").status == "NO"


def forged(idp, header):
    """RS256's public key as the secret of HS256; no signature at all; a text that is none."""
    claims = json.dumps({"iss": idp.ISSUER, "aud": "imap", "exp": int(time.time()) + 600, "email": "joe@example.com",
                         "scope": "imap"}).encode()
    signed = b64url(json.dumps(header).encode()) + "." + b64url(claims)
    key = next(k for k in idp.keys if k.algorithm == "RS256").pem()
    return signed + "." + b64url(hmac.new(key, signed.encode(), "sha256").digest() if header["alg"] == "HS256" else b"x")


@pytest.mark.parametrize("make", [
    lambda i: i.token("joe@example.com", exp=int(time.time()) - 120),
    lambda i: i.token("joe@example.com", exp=None),
    lambda i: i.token("joe@example.com", exp="never"),
    lambda i: i.token("joe@example.com", nbf=int(time.time()) + 120),
    lambda i: i.token("joe@example.com", aud="calendar"),
    lambda i: i.token("joe@example.com", aud=["calendar", "imapx"]),
    lambda i: i.token("joe@example.com", aud=None),
    lambda i: i.token("joe@example.com", iss="https://other.example"),
    lambda i: i.token("joe@example.com", email=None),
    lambda i: i.token("joe@example.com", email_verified=False),
    lambda i: i.token("joe@example.com", headers={"crit": ["x"], "x": 1}),
    lambda i: i.token("joe@example.com")[:-3] + "AAA",
    lambda i: i.token("joe@example.com").rsplit(".", 1)[0] + ".",
    lambda i: i.token("joe@example.com").rsplit(".", 1)[0],
    lambda i: forged(i, {"alg": "none"}), lambda i: forged(i, {"alg": "None", "kid": "k-RS256"}),
    lambda i: forged(i, {"alg": "HS256", "kid": "k-RS256"}), lambda i: forged(i, {"alg": ["RS256"]}),
    lambda i: "eyJ.eyJ.x", lambda i: "opaque", lambda i: "e" * 11000, lambda i: "....", lambda i: "=",
])
def test_bad_tokens(jwks, idp, make):
    assert login(jwks, make(idp)) == (FAILED, {
        "status": "invalid_token", "scope": "imap", "openid-configuration": "https://id.example/conf"})
    assert login(jwks, make(idp), "XOAUTH2") == (FAILED, {"status": "401", "schemes": "bearer", "scope": "imap"})
    assert "token refused" in jwks.log()


def test_scope(jwks, idp):
    token = idp.token("joe@example.com", scope="openid imaps")
    reply, error = login(jwks, token)
    assert reply == FAILED and error["status"] == "insufficient_scope"
    assert login(jwks, idp.token("joe@example.com", scope=None, scp=["imap"]))[0] == OK


def test_whose_it_is(jwks, idp):
    token = idp.token("Joe@Example.com")
    assert login(jwks, token, user="")[0] == OK
    assert login(jwks, token, user="JOE@example.com")[0] == OK
    given = len(jwks.backend.given)
    for user in ("demo", "joe@example.com.evil", "joe"):
        assert login(jwks, token, user=user)[0] == NO_MASTER
        assert login(jwks, token, "XOAUTH2", user=user)[0] == NO_MASTER
    assert login(jwks, idp.token("nobody@example.com"), user="nobody@example.com")[0] == FAILED
    assert len(jwks.backend.given) == given


@pytest.mark.parametrize("mechanism,message", [(m, t) for m in ("OAUTHBEARER", "XOAUTH2") for t in (
    "", "\1", "x", "n,,\1\1", "n,a=joe@example.com,\1auth=Basic eDp5\1\1", "user=joe@example.com\1\1", "\0" * 100,
    "p=tls-exporter,,\1auth=Bearer x\1\1", "n,,\1auth=Bearer x", b"user=\xff\1auth=Bearer x\1\1", "\1" * 3000)])
def test_broken_messages(jwks, mechanism, message):
    with jwks.client() as c:
        d = Dialogue(c, mechanism, message)
        assert d.end()[0] == "BAD"
        c.login("demo")


def test_errors_may_be_cancelled(jwks):
    for last, status in (("*", "BAD"), ("", "NO"), ("AQ==", "NO"), ("YW55dGhpbmc=", "NO"), ("!", "BAD")):
        with jwks.client() as c:
            d = Dialogue(c, "OAUTHBEARER", bearer("x"))
            assert json.loads(d.challenge())["status"] == "invalid_token"
            d.send_raw(last)
            assert d.end()[0] == status
            c.login("demo")


def test_too_long(jwks):
    """PRELOGIN_MAX ends it before authd sees it."""
    with jwks.client() as c:
        c.start("AUTHENTICATE XOAUTH2")
        c.read_line()
        c.send(base64.b64encode(xoauth2("e" * 16384).encode()) + b"\r\n")
        assert c.closed() and b"BYE" in c.last
    with Front(users=["demo"], OAUTH_JWKS_URL="http://127.0.0.1:1/", PRELOGIN_MAX=65536, **QUIET).running() as f:
        assert login(f, "e" * 16384, "XOAUTH2")[0] == FAILED  # no token of ours
        assert login(f, "e" * 17000, "XOAUTH2")[0] == FAILED  # more than we take


def test_rotation(jwks, idp):
    """A key that comes is fetched when its first token does; tokens of unknown keys don't cause a storm."""
    new = Key("new", "ES256")
    asked = len(idp.asked)
    started = time.monotonic()
    for _ in range(5):
        assert login(jwks, idp.token("joe@example.com", Key("unknown", "ES256")))[0] == FAILED
    fetches = len(idp.asked) - asked
    assert 1 <= fetches <= 1 + (time.monotonic() - started) / 0.2
    idp.keys.append(new)
    try:
        assert login(jwks, idp.token("joe@example.com", new))[0] == OK
    finally:
        idp.keys.remove(new)


def test_keys_survive_an_outage(jwks, idp):
    new = Key("unheard", "ES256")
    assert login(jwks, idp.token("joe@example.com"))[0] == OK
    for mode in ("error", "garbage", "cut"):
        idp.mode = mode
        assert login(jwks, idp.token("joe@example.com", sub=mode))[0] == OK
        reply, error = login(jwks, idp.token("joe@example.com", new))
        assert reply[1].startswith("[UNAVAILABLE]") and error is None  # nobody can say that it is wrong
    idp.mode = "ok"
    wait_for("the keys", lambda: login(jwks, idp.token("joe@example.com", new))[0] == FAILED, 10)


def test_key_file(tmp_path, idp):
    path = tmp_path / "keys.json"
    os.chmod(tmp_path, 0o755)
    old, new = idp.keys[4], Key("second", "EdDSA")

    def write(*keys):
        text = json.dumps({"keys": [k.jwk() for k in keys]})
        (tmp_path / "new").write_text(text)
        os.chmod(tmp_path / "new", 0o644)
        os.rename(tmp_path / "new", path)
    write(old)
    for up in tmp_path.parents:  # pytest's folders are for their owner alone
        if str(up).startswith("/tmp/") and os.stat(up).st_uid == os.getuid():
            os.chmod(up, 0o755)
    with Front(users=USERS, OAUTH_JWKS_FILE=str(path), AUTH_CACHE_NEGATIVE_TTL=0, **QUIET).running() as f:
        assert "tokens are taken that were made for others" in f.log()
        assert login(f, idp.token("joe@example.com", old))[0] == OK
        assert login(f, idp.token("joe@example.com", new))[0] == FAILED
        write(new)
        assert login(f, idp.token("joe@example.com", new))[0] == OK
        assert login(f, idp.token("joe@example.com", old, sub="2"))[0] == FAILED
        path.write_text("{")
        assert login(f, idp.token("joe@example.com", new, sub="2"))[0] == OK
        assert f.log().count("token keys not read") == 1


# ---- by introspection ------------------------------------------------------------------------------------------------


def active(**more):
    return dict({"active": True, "username": "joe@example.com", "scope": "imap", "exp": int(time.time()) + 600}, **more)


def test_introspection(asked, idp):
    idp.tokens["good~1"] = active()
    before = len(idp.asked)
    assert login(asked, "good~1")[0] == OK
    method, path, headers, body = idp.asked[before]
    assert (method, path) == ("POST", "/introspect") and body == "token_type_hint=access_token&token=good~1"
    user, secret = base64.b64decode(headers["Authorization"].split()[1]).decode().split(":")
    assert (user, secret) == ("post%3Ahouse", "s%20e%25t")  # RFC 6749 2.3.1
    assert login(asked, "good~1", "XOAUTH2")[0] == OK
    assert len(idp.asked) == before + 1
    for token in ("bad", "scope", "expired", "user"):
        idp.tokens.update(scope=active(scope="x"), expired=active(exp=int(time.time()) - 120), user=active(username="demo"))
        assert login(asked, token)[0] == (NO_MASTER if token == "user" else FAILED)
    assert "good~1" not in asked.log() and "s e%t" not in asked.log()


def test_one_request_for_many(asked, idp):
    idp.tokens["many"] = active()
    idp.mode, idp.release = "slow", type(idp.release)()
    before = len(idp.asked)
    clients = [asked.client() for _ in range(50)]
    dialogues = [Dialogue(c, "OAUTHBEARER", bearer("many")) for c in clients]
    wait_for("the request", lambda: len(idp.asked) > before)
    # Meanwhile others log in: nothing waits for the endpoint but those who need it.
    with asked.client() as c:
        c.login("demo")
    clients.pop().close()
    dialogues.pop()
    idp.release.set()
    assert {d.end() for d in dialogues} == {OK}
    assert len(idp.asked) == before + 1
    for c in clients:
        c.close()


@pytest.mark.parametrize("mode", ["error", "garbage", "slow", "cut"])
def test_ill_endpoint(asked, idp, mode):
    """is never a wrong password; who was known stays known until the token ends."""
    idp.tokens["known-" + mode] = active()
    assert login(asked, "known-" + mode)[0] == OK
    time.sleep(1.05)  # OAUTH_CACHE_TTL is over
    idp.mode, idp.release = mode, type(idp.release)()
    try:
        reply, error = login(asked, "new-" + mode)
        assert reply[0] == "NO" and reply[1].startswith("[UNAVAILABLE]") and error is None
        assert login(asked, "known-" + mode)[0] == OK
    finally:
        idp.release.set()
        idp.mode = "ok"
    assert login(asked, "new-" + mode)[0] == FAILED
    assert "token endpoint unavailable" in asked.log() and "token endpoint answers again" in asked.log()


def test_dead_endpoint():
    with Front(users=USERS, OAUTH_INTROSPECTION_URL="http://127.0.0.1:1/introspect", **QUIET).running() as f:
        for _ in range(3):
            assert login(f, "x")[0][1].startswith("[UNAVAILABLE]")
        assert f.log().count("token endpoint unavailable") == 1
        assert "LOGIN DEFERRED, user=joe@example.com," in f.log() and "LOGIN FAILED" not in f.log()


@pytest.mark.parametrize("mode", ["auth", "get"])
def test_other_modes(idp, mode):
    idp.tokens["t"] = {"sub": "x", "preferred_username": "joe@example.com"}
    url = idp.url + ("/userinfo" if mode == "auth" else "/introspect?token=")
    with Front(users=USERS, OAUTH_INTROSPECTION_URL=url, OAUTH_INTROSPECTION_MODE=mode, **QUIET).running() as f:
        before = len(idp.asked)
        reply = login(f, "t")[0]
        method, path, headers, _ = idp.asked[before]
        assert method == "GET" and "Basic" not in headers.get("Authorization", "")
        if mode == "auth":
            assert reply == OK and headers["Authorization"] == "Bearer t"
            assert login(f, "x")[0] == FAILED
        else:
            assert path == "/introspect?token=t"


def test_jwt_and_opaque_together(idp):
    idp.tokens["opaque"] = active()
    with Front(users=USERS, OAUTH_JWKS_URL=idp.url + "/jwks", OAUTH_INTROSPECTION_URL=idp.url + "/introspect",
               **QUIET).running() as f:
        before = [a for a in idp.asked if a[1] == "/introspect"]
        assert login(f, idp.token("joe@example.com"))[0] == OK
        assert [a for a in idp.asked if a[1] == "/introspect"] == before
        assert login(f, "opaque")[0] == OK


@pytest.mark.parametrize("setting,why", [
    ("OAUTH_JWKS_URL=id.example/keys", "OAUTH_JWKS_URL is no"), ("OAUTH_INTROSPECTION_URL=ftp://x/", "OAUTH_INTROSPECTION_URL is no"),
    ("AUTH_MECHANISMS=PLAIN LOGAN", "no mechanism LOGAN"), ("OAUTH_JWKS_URL=http://x/|OAUTH_USERNAME_FIELD=", "OAUTH_USERNAME_FIELD"),
])
def test_settings_that_make_no_sense(setting, why):
    args = [word for one in setting.split("|") for word in ("--set", one)]
    run = subprocess.run([os.path.join(BIN, "authd"), "--check", *args], capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 1 and why in run.stderr, run.stderr


# ---- other people's clients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_curl(server, idp, mechanism):
    """curl 7.88 takes OAUTHBEARER wherever it is offered, whatever its options say."""
    real = server(users=USERS, OAUTH_JWKS_URL=idp.url + "/jwks", OAUTH_AUDIENCE="imap", OAUTH_ISSUER=idp.ISSUER,
                  AUTH_MECHANISMS='"PLAIN %s"' % mechanism, LOGIN_FAILURE_MAX=1000).start()

    def curl(token, *more):
        return subprocess.run(["curl", "-sS", "-u", "joe@example.com:", "--oauth2-bearer", token, "--login-options",
                               "AUTH=" + mechanism, *more, "imap://127.0.0.1:%d/" % real.port], capture_output=True, text=True,
                              timeout=20, check=False)
    run = curl(idp.token("joe@example.com"))
    assert run.returncode == 0 and "INBOX" in run.stdout, run.stderr
    assert curl(idp.token("joe@example.com"), "--sasl-ir").returncode == 0
    run = curl(idp.token("joe@example.com", aud="other"))
    assert run.returncode == 67, run.stderr
    assert "method=" + mechanism in real.log() and "eyJ" not in real.log()
    for zid, code in (("demo", 0), ("joe@example.com", 67)):
        run = subprocess.run(["curl", "-sS", "-u", "demo:demo", "--login-options", "AUTH=PLAIN", "--sasl-authzid", zid,
                              "imap://127.0.0.1:%d/" % real.port], capture_output=True, text=True, timeout=20, check=False)
        assert run.returncode == code, run.stderr


def test_no_token_in_the_log(jwks, asked):
    for log in (jwks.log(), asked.log()):
        assert "eyJ" not in log and "Bearer" not in log
