# SPDX-License-Identifier: Apache-2.0
"""Accounts by HTTP: what answers lead to (U4, B13, B14, B18, N10, N11)."""
import base64
import contextlib
import os
import struct
import subprocess

import pytest

from lib.endpoint import Endpoint, page, says
from lib.front import Front
from lib.server import BIN, wait_for

QUICK = {"LOGIN_FAILURE_DELAY": 0, "LOGIN_FAILURE_MAX": 1000, "LOGIN_PENALTY_FREE": 1000000, "AUTH_CACHE_SIZE": 0,
         "HTTP_AUTH_REST_MAX": 50, "MAIL_UID": 1234, "MAIL_GID": 1234, "MAIL_HOME": "/srv/%u"}


@contextlib.contextmanager
def http_front(*endpoints, modules="http", **settings):
    urls = " ".join(e if isinstance(e, str) else e.url() for e in endpoints)
    more = dict(QUICK, AUTHMODULES='"%s"' % modules, HTTP_AUTH_URL='"%s"' % urls)
    more.update(settings)
    with Front(**more).running() as front:
        yield front


def record(given):
    """The user record in a ticket, as it goes to the backend."""
    at, out = 17, {}
    for name in ("user", "uid", "gid", "home", "maildir", "quota", "options", "mailhost"):
        n = struct.unpack_from("<I", given.ticket, at)[0]
        at += 4
        if name in ("uid", "gid"):
            out[name] = n
        else:
            out[name], at = given.ticket[at:at + n].decode(), at + n
    return out


def plain(user, password):
    return "AUTHENTICATE PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password).decode()


def log_in(front, endpoint, user):
    """The answer to a login about which the endpoint was really asked (it may have rested before)."""
    def once():
        endpoint.requests.clear()
        with front.client() as c:
            reply = c.cmd(plain(user.encode(), b"secret"))
        return reply if endpoint.requests else None
    return wait_for("a request about %s" % user, once, 10)


FAILED, TEMPORARY = "[AUTHENTICATIONFAILED] ", "[UNAVAILABLE] "
LONG = "x" * 300


# ---- the nginx form ---------------------------------------------------------------------------------------------------
NGINX = {
    "ok": (says(), "OK"),
    "ok, whatever the status": (page("503 No", [("Auth-Status", "OK")]), "OK"),
    "ok, other servers": (says(Auth_Server="10.1.2.3", Auth_Port=99), "OK"),
    "ok, a body": (page(headers=[("auth-status", " OK ")], body=b"Auth-Status: no" * 100), "OK"),
    "ok, to the end": (b"HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n\r\n", "OK"),
    "refused": (says("Go away"), FAILED + "Go away"),
    "refused by 401": (page("401 No", [("Auth-Status", "Go away")]), FAILED + "Go away"),
    "refused in odd words": (says("[ALERT] a\x07b\u00e9 " + LONG), FAILED + "ALERT] a b"),
    "refused by number": (says("Go away", Auth_Error_Code="535 5.7.8"), FAILED + "Go away"),
    "not ok": (says("Ok"), FAILED + "Ok"),
    "plain 401": (page("401 No"), FAILED),
    "plain 403": (page("403 No", body=b"<html>"), FAILED),
    "mailu, wrong": (says("Wrong", Auth_Error_Code="AUTHENTICATIONFAILED", Auth_Wait=0), FAILED + "Wrong"),
    "mailu, no tls": (says("Use TLS", Auth_Error_Code="PRIVACYREQUIRED"), "[PRIVACYREQUIRED] Use TLS"),
    "mailu, rate limit": (says("Too many", Auth_Error_Code="LIMIT"), "[LIMIT] Too many"),
    "code of ours": (says("Too old", Posthouse_Code="EXPIRED", Auth_Error_Code="LIMIT"), "[EXPIRED] Too old"),
    "code for a pause": (says("Not now", Posthouse_Code="UNAVAILABLE"), "[UNAVAILABLE] Not now"),
    "plain 200": (page(), TEMPORARY),
    "plain 404": (page("404 No", body=b"not here"), TEMPORARY),
    "plain 500": (page("500 No"), TEMPORARY),
    "redirect": (page("302 Found", [("Location", "/other")]), TEMPORARY),
    "empty status": (says(""), TEMPORARY),
    "two minds": (page(headers=[("Auth-Status", "OK"), ("Auth-Status", "No")]), TEMPORARY),
    "nul": (says("O\0K"), TEMPORARY),
    "nothing": (b"", TEMPORARY),
    "garbage": (b"\xff\x00\x01garbage\r\n\r\n" * 100, TEMPORARY),
    "http/0.9": (b"Auth-Status: OK\r\n\r\n", TEMPORARY),
    "cut in the headers": (b"HTTP/1.1 200 OK\r\nAuth-Status: OK\r\n", TEMPORARY),
    "cut in a line": (b"HTTP/1.1 200 OK\r\nAuth-Status: OK", TEMPORARY),
    "cut in the body": (page(headers=[("Auth-Status", "OK")], body=b"short", length=10), TEMPORARY),
    "length below nought": (page(headers=[("Auth-Status", "OK")], length=-1), TEMPORARY),
    "length in words": (page(headers=[("Auth-Status", "OK")], length="two"), TEMPORARY),
    "huge body": (page(headers=[("Auth-Status", "OK")], body=b"x" * 100000), TEMPORARY),
    "huge header": (says(Filler="x" * 100000), TEMPORARY),
    "many headers": (page(headers=[("Auth-Status", "OK")] + [("X", "y" * 50)] * 3000), TEMPORARY),
    "broken chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nAuth-Status: OK\r\n\r\nzz\r\n", TEMPORARY),
    "wait for what": (says("WAIT", Auth_Wait="soon"), TEMPORARY),
    "wait too long": (says("WAIT", Auth_Wait=3), TEMPORARY),
    "uid 0": (says(Posthouse_Uid=0), TEMPORARY),
    "uid -1": (says(Posthouse_Uid=-1), TEMPORARY),
    "uid all ones": (says(Posthouse_Uid=2**32 - 1), TEMPORARY),
    "uid in words": (says(Posthouse_Uid="root"), TEMPORARY),
    "gid in words": (says(Posthouse_Gid="staff"), TEMPORARY),
    "home /": (says(Posthouse_Home="/"), TEMPORARY),
    "home //": (says(Posthouse_Home="//"), TEMPORARY),
    "home ..": (says(Posthouse_Home=".."), TEMPORARY),
    "home /../": (says(Posthouse_Home="/srv/../etc"), TEMPORARY),
    "home, relative": (says(Posthouse_Home="srv/mail"), TEMPORARY),
    "home, control": (says(Posthouse_Home="/srv/a\tb"), TEMPORARY),
    "home, long": (says(Posthouse_Home="/" + "x" * 5000), TEMPORARY),
    "maildir ..": (says(Posthouse_Maildir="../other/Maildir"), TEMPORARY),
    "user, broken": (page(headers=[("Auth-Status", "OK")]).replace(b"OK\r\n\r\n", b"OK\r\nAuth-User: \xff\r\n\r\n"),
                     TEMPORARY),
    "user, long": (says(Posthouse_User="u" * 300), TEMPORARY),
}


def answer_by_name(table):
    def answer(request):
        user = request.text("auth-user").decode() if request.method == "GET" else request.json["username"]
        text, _ = table[user]
        if b"\r\nContent-Length: " in text:
            return text
        request.sock.sendall(text)
        return None
    return answer


@pytest.fixture(scope="module")
def nginx():
    with Endpoint(answer_by_name(NGINX)) as endpoint:
        with http_front(endpoint, HTTP_AUTH_WAIT_MAX=1, HTTP_AUTH_ANSWER_MAX=65536) as front:
            yield front, endpoint


def expect(reply, wanted):
    if wanted == "OK":
        assert reply.ok, reply
    else:
        assert reply.status == "NO" and reply.text.startswith(wanted), reply
        assert len(reply.text) < 300


@pytest.mark.parametrize("name", NGINX)
def test_nginx_answer(nginx, name):
    front, endpoint = nginx
    expect(log_in(front, endpoint, name), NGINX[name][1])


def test_record_by_headers():
    full = says(Posthouse_User="real@example.org", Posthouse_Uid=2001, POSTHOUSE_GID=2002, posthouse_home="/srv/real/",
                Posthouse_Maildir="Mail", Posthouse_Quota="1000S,10C", Posthouse_Options="disableshared=1",
                Posthouse_Else="x")
    answers = {b"full": full, b"renamed": says(Auth_User="other"), b"far": says(Auth_Server="10.1.2.3", Auth_Port=143),
               b"wrong": says(Auth_Server="mail.example", Auth_Port=143), b"none": says()}
    with Endpoint(lambda request: answers[request.text("auth-user")]) as endpoint, \
            http_front(endpoint, HTTP_AUTH_ROUTE=1) as front:
        assert log_in(front, endpoint, "full").ok and log_in(front, endpoint, "renamed").ok
        assert log_in(front, endpoint, "none").ok
        first, second, third = (record(g) for g in front.backend.given)
        assert first == {"user": "real@example.org", "uid": 2001, "gid": 2002, "home": "/srv/real", "maildir": "Mail",
                         "quota": "1000S,10C", "options": "disableshared=1", "mailhost": ""}
        assert (second["user"], second["home"]) == ("other", "/srv/other") and third["user"] == "none"
        assert log_in(front, endpoint, "far").text == "[UNAVAILABLE] This account is served by another host."
        assert log_in(front, endpoint, "wrong").text.startswith("[UNAVAILABLE]")
        assert "Auth-Server is not an IP address" in front.log()


def test_wait_is_asked_again():
    count = []

    def answer(request):
        count.append(request.raw)
        return says("WAIT", Auth_Wait=1) if len(count) == 1 else says()
    with Endpoint(answer) as endpoint, http_front(endpoint) as front, front.client() as c:
        c.login("demo")
        assert len(count) == 2 and count[0] == count[1]


# ---- the JSON form --------------------------------------------------------------------------------------------------
def yes(**more):
    return page(body=dict(success=True, **more))


def no(status="200 OK", **more):
    return page(status, body=dict(success=False, **more))


JSON = {
    "ok": (yes(), "OK"),
    "ok, more": (yes(uid=2001, gid="2002", home="/srv/x", unknown={"a": [1]}, quota=None), "OK"),
    "hash": (page(body={"password": "{PLAIN}secret"}), "OK"),
    "hash, wrong": (yes(password="{PLAIN}other"), FAILED),
    "hashes": (page(body={"passwords": [{"hash": "{PLAIN}x"}, {"hash": "{PLAIN}secret", "services": ["imap"]}]}), "OK"),
    "hashes for others": (page(body={"passwords": [{"hash": "{PLAIN}secret", "services": "smtp"}]}), FAILED),
    "refused": (no(), FAILED),
    "refused by 401": (no("401 Unauthorized"), FAILED),
    "refused by a page": (page("403 Forbidden", body=b"<html>no</html>"), FAILED),
    "refused in words": (no(text="Go\r\naway"), FAILED + "Go  away"),
    "unknown": (no(reason="unknown"), FAILED),
    "disabled": (no(reason="disabled", text="Gone"), "[AUTHORIZATIONFAILED] Gone"),
    "disabled account": (yes(disabled=True), "[AUTHORIZATIONFAILED] "),
    "expired": (no(expired=True), "[EXPIRED] "),
    "code": (no(code="PRIVACYREQUIRED"), "[PRIVACYREQUIRED] "),
    "pause": (no(reason="unavailable"), TEMPORARY),
    "no verdict": (page(body={"uid": 7}), TEMPORARY),
    "verdict in words": (page(body={"success": "maybe"}), TEMPORARY),
    "verdict as a list": (page(body={"success": [True]}), TEMPORARY),
    "yes and no": (page(body=b'{"success": false, "success": true}'), TEMPORARY),
    "yes by 401": (page("401 No", body={"success": True}), TEMPORARY),
    "yes by 500": (page("500 No", body={"success": True}), TEMPORARY),
    "redirect": (page("302 Found", [("Location", "/x")], body={"success": True}), TEMPORARY),
    "nothing": (page(), TEMPORARY),
    "a list": (page(body=[{"success": True}]), TEMPORARY),
    "true": (page(body=b"true"), TEMPORARY),
    "half": (page(body=b'{"success": true'), TEMPORARY),
    "two": (page(body=b'{"success": true}{"success": true}'), TEMPORARY),
    "not utf-8": (page(body=b'{"success": true, "user": "\xff"}'), TEMPORARY),
    "deep": (page(body=b'{"success": true, "x": ' + b"[" * 20000 + b"]" * 20000 + b"}"), TEMPORARY),
    "nul": (yes(user="a\0b"), TEMPORARY),
    "line end": (yes(home="/srv/a\nb"), TEMPORARY),
    "wrong type": (yes(home=["/srv/a"]), TEMPORARY),
    "uid 0": (yes(uid=0), TEMPORARY),
    "uid 1.5": (yes(uid=1.5), TEMPORARY),
    "uid huge": (page(body=b'{"success": true, "uid": 99999999999999999999}'), TEMPORARY),
    "home /": (yes(home="/"), TEMPORARY),
    "home ..": (yes(home="/srv/.."), TEMPORARY),
    "cut": (page(body=b'{"success": true}', length=99), TEMPORARY),
    "huge": (page(body=b'{"success": true, "x": "' + b"x" * 100000 + b'"}'), TEMPORARY),
}


@pytest.fixture(scope="module")
def json_form():
    with Endpoint(answer_by_name(JSON)) as endpoint:
        with http_front(endpoint, HTTP_AUTH_FORMAT="json") as front:
            yield front, endpoint


@pytest.mark.parametrize("name", JSON)
def test_json_answer(json_form, name):
    front, endpoint = json_form
    expect(log_in(front, endpoint, name), JSON[name][1])


ODD = ["%25 a+b&c=d?\"\\()'$`/:;{}", "a\r\nb: c\r\n\r\n", "\u00fc\u2709\U0001f600", "x" * 1024, "\x01\x1f\x7f", "\\u0000", "'"]


@pytest.mark.parametrize("form", ["nginx", "json"])
def test_odd_passwords_arrive_as_they_are(form):
    def answer(request):
        return says() if form == "nginx" else yes()
    with Endpoint(answer) as endpoint, \
            http_front(endpoint, HTTP_AUTH_FORMAT=form, HTTP_AUTH_HEADERS='"X-Secret: s3cr+t%"') as front:
        for i, password in enumerate(ODD):
            with front.client() as c:
                assert c.cmd(plain(b"demo", password.encode())).ok, password
            assert len(endpoint.requests) == i + 1
            request = endpoint.requests[-1]
            assert request.headers["x-secret"] == b"s3cr+t%"
            if form == "nginx":
                assert request.text("auth-pass").decode() == password
            else:
                seen = request.json
                assert request.headers["content-type"] == b"application/json"
                assert (seen["username"], seen["password"]) == ("demo", password)
                assert (seen["real_rip"], seen["service"]) == ("127.0.0.1", "imap")
                assert (seen["mechanism"], seen["tls"], seen["wanted"]) == ("PLAIN", False, "password")
                assert seen["session"] and seen["attempt"] == 1
        assert ODD[3] not in front.log()


def test_what_json_cannot_say_is_refused(json_form):
    front, endpoint = json_form
    endpoint.requests.clear()
    with front.client() as c:
        assert c.cmd(plain(b"ok", b"\xff\xfe")).status == "NO"
        assert c.cmd("LOGIN ok {3+}\r\na\0b").status in ("NO", "BAD")
    assert not endpoint.requests and "password is not UTF-8 text" in front.log()


# ---- settings ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lines, word", [
    (["AUTHMODULES=http"], ":1: AUTHMODULES names http, but HTTP_AUTH_URL is not set"),
    (["LOG_LEVEL=info", "HTTP_AUTH_URL=127.0.0.1/auth", "AUTHMODULES=http"], ":2: HTTP_AUTH_URL: http://host"),
    (["HTTP_AUTH_URL=ftp://127.0.0.1/auth"], ":1: HTTP_AUTH_URL: http://host"),
    (["HTTP_AUTH_URL=http://a:b@127.0.0.1/auth"], ":1: HTTP_AUTH_URL: http://host"),
    (["HTTP_AUTH_URL=http://127.0.0.1:99999/auth"], ":1: HTTP_AUTH_URL: http://host"),
    (["AUTHMODULES=\"http http\"", "HTTP_AUTH_URL=http://127.0.0.1/"], ":1: AUTHMODULES: http is named twice"),
])
def test_settings_that_cannot_be(tmp_path, lines, word):
    conf = tmp_path / "posthouse.conf"
    conf.write_text("\n".join(lines) + "\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith("PH_")}
    done = subprocess.run([os.path.join(BIN, "frontend"), "-C", str(conf), "--check"], capture_output=True, text=True,
                          env=env, check=False)
    assert done.returncode != 0 and str(conf) + word in done.stdout + done.stderr
