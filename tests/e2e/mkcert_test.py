# SPDX-License-Identifier: Apache-2.0
"""posthousectl mkcert: a certificate to begin with, never over one that is there (R65)."""
import os
import ssl
import subprocess

import pytest

from lib.front import Front
from lib.pki import openssl
from lib.server import BIN


def mkcert(*args, settings=()):
    words = [w for s in settings for w in ("--set", s)]
    return subprocess.run([os.path.join(BIN, "posthousectl"), "-C", "/dev/null", *words, "mkcert", *map(str, args)],
                          capture_output=True, text=True, check=False)


def test_made_and_served(tmp_path):
    path = tmp_path / "imapd.pem"
    done = mkcert("--cn", "mail.example.com", "imap.example.com", "127.0.0.1", settings=["TLS_CERTFILE=%s" % path])
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600 and os.listdir(tmp_path) == ["imapd.pem"]
    text = openssl("x509", "-in", path, "-noout", "-text").decode()
    assert "prime256v1" in text and "CN = mail.example.com" in text
    assert "DNS:mail.example.com, DNS:imap.example.com, IP Address:127.0.0.1" in text
    openssl("x509", "-in", path, "-noout", "-checkend", 364 * 86400)


def test_a_client_trusts_it(tmp_path):
    front = Front()
    path = front.settings["TLS_CERTFILE"]
    os.unlink(path)
    assert mkcert("-f", path).returncode == 0
    with front.running():
        context = ssl.create_default_context(cafile=path)
        with context.wrap_socket(front.raw(tls=True), server_hostname="localhost") as s:
            assert s.recv(100).startswith(b"* OK")
        with context.wrap_socket(front.raw(tls=True), server_hostname="127.0.0.1") as s:
            assert s.recv(100).startswith(b"* OK")


@pytest.mark.parametrize("what", ["file", "empty file", "dangling link"])
def test_never_overwrites(tmp_path, what):
    path = tmp_path / "imapd.pem"
    if what == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_text("mine" if what == "file" else "")
    done = mkcert("-f", path)
    assert done.returncode == 1 and done.stderr.strip().endswith("%s already exists." % path)
    assert os.listdir(tmp_path) == ["imapd.pem"]
    if what == "file":
        assert path.read_text() == "mine"


@pytest.mark.parametrize("args", [("--cn", "a b"), ("--cn", ""), ("x,DNS:evil",), ("--cn", "x" * 65), ("-f",), ("--what",)])
def test_bad_arguments(tmp_path, args):
    done = mkcert("-f", tmp_path / "x.pem", *args)
    assert done.returncode in (1, 2) and done.stderr and os.listdir(tmp_path) == []


def test_directory_is_missing(tmp_path):
    done = mkcert("-f", tmp_path / "no" / "x.pem")
    assert done.returncode == 1 and "No such file" in done.stderr


def test_check_looks_at_all_certificates(tmp_path):
    path = str(tmp_path / "tls.pem")
    assert mkcert("-f", path).returncode == 0
    for name in ("a.example.com", "b.example.com"):
        assert mkcert("-f", "%s.%s" % (path, name), "--cn", name).returncode == 0
    for name in ("bak", "broken.example.com"):
        (tmp_path / ("tls.pem." + name)).write_text("rubbish")
        (tmp_path / ("tls.pem." + name)).chmod(0o600)
    os.chmod(path + ".b.example.com", 0o644)
    done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", "/dev/null", "--set", "TLS_CERTFILE=" + path, "check"],
                          capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if "TLS" in line]
    assert sum("FAULT" in line for line in lines) == 2 and not any(".bak" in line for line in lines), done.stdout
    assert any("1 certificates by name" in line for line in lines)
