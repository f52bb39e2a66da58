# SPDX-License-Identifier: Apache-2.0
"""posthousectl check: what the daemons would refuse is said before they are started, with the setting's name."""
import json
import os
import socket
import subprocess

import pytest

from lib.server import BIN, free_port


def check(server, *settings):
    sets = [word for s in settings for word in ("--set", s)]
    done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", server.conf, *sets, "check", "--json"], check=False,
                          capture_output=True, text=True, timeout=60)
    rows = json.loads(done.stdout)
    assert done.returncode == any(r["result"] == "FAULT" for r in rows), done
    return rows


def details(rows, item, result):
    return [r["detail"] for r in rows if r["item"] == item and r["result"] == result]


def test_good_settings(shared_server):
    rows = check(shared_server)
    assert details(rows, "settings", "ok") == [shared_server.conf] and not details(rows, "settings", "FAULT")


@pytest.mark.parametrize("settings", [
    ["PORT=abc"], ["PROXY_PORT=1144"], ["LIMIT_EXEMPT=300.1.1.1"], ["IMAPACCESSFILE=/nonexistent/x"], ["PASSWD_FILE=/nonexistent/x"],
    ["TLS_CERTFILE=/nonexistent/x"], ["TLS_CERTFILE=/dev/null"], ["TLS_CIPHER_LIST=bogus"], ["TLS_TICKET_KEYFILE=/nonexistent/x"],
    ["TLS_TRUSTCERTS=/nonexistent/x", "TLS_VERIFYPEER=PEER"], ["MAIL_UID=vmail"], ["MAIL_UID=0"], ["MAIL_GID=-1"],
    ["AUTH_MECHANISMS=PLAIN FOO"], ["REDIS_URL=127.0.0.1:6379", "AUTHMODULES=redis"],
    ["PORT=abc", "LOG_TO=syslog", "LOG_FORMAT=json"]], ids=" ".join)
def test_wrong_settings_are_named(shared_server, settings):
    faults = details(check(shared_server, *settings), "settings", "FAULT")
    name = settings[0].split("=", maxsplit=1)[0]
    assert len(faults) == 1 and (name in faults[0] or (name == "PROXY_PORT" and "PROXY_TRUSTED" in faults[0])), faults


def test_redis_and_endpoints_are_tried(shared_server):
    with socket.create_server(("127.0.0.1", 0)) as there:
        good, bad = "127.0.0.1:%d" % there.getsockname()[1], "127.0.0.1:%d" % free_port()
        for item, module, url in (("REDIS_URL", "redis", "redis://:secret@%s/1"), ("HTTP_AUTH_URL", "http", "http://%s/mail")):
            for where, result in ((good, "ok"), (bad, "FAULT")):
                rows = check(shared_server, "AUTHMODULES=" + module, item + "=" + url % where)
                found = [detail for detail in details(rows, item, result) if detail.startswith(where)]
                assert len(found) == 1 and not any(":secret@" in row["detail"] for row in rows), rows
        rows = check(shared_server, "AUTHMODULES=http", "HTTP_AUTH_URL=http://%s/ http://%s/ http://[::1]:%d/" % (good, bad, free_port()))
        fine = [detail for detail in details(rows, "HTTP_AUTH_URL", "ok") if "; default " not in detail]  # not where it is set
        assert len(fine) == 1 and len(details(rows, "HTTP_AUTH_URL", "FAULT")) == 2
        assert any(d.startswith("[::1]:") for d in details(rows, "HTTP_AUTH_URL", "FAULT"))


def test_passwd_says_that_nobody_asks_the_file(shared_server, tmp_path):
    def passwd(*settings):
        sets = [word for s in settings for word in ("--set", s)]
        return subprocess.run([os.path.join(BIN, "posthousectl"), "-C", shared_server.conf, "--set", "PASSWD_FILE=%s/passwd" % tmp_path,
                               *sets, "passwd", "ann"], check=True, capture_output=True, text=True, input="secret\n", timeout=60).stderr
    assert "logins don't ask this file" in passwd("AUTHMODULES=redis", "REDIS_URL=redis://127.0.0.1")
    assert "logins don't" not in passwd()
