# SPDX-License-Identifier: Apache-2.0
"""Authorities and certificates of a test's own, made by openssl."""
import os
import subprocess


def openssl(*args, **more):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **more).stdout


def write(path, *parts):
    """A file that is there whole or not at all."""
    with open(path + ".part", "wb") as f:
        for part in parts:
            with open(part, "rb") as p:
                f.write(p.read())
    os.chmod(path + ".part", 0o600)
    os.rename(path + ".part", path)
    return path


class Authority:
    def __init__(self, directory, name="Test CA"):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        self.cert, self.key = os.path.join(directory, "ca.pem"), os.path.join(directory, "ca.key")
        self.serial = 0
        self.made = {}
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 30,
                "-subj", "/CN=" + name, "-keyout", self.key, "-out", self.cert)
        with open(os.path.join(directory, "index.txt"), "w", encoding="ascii"):
            pass
        with open(os.path.join(directory, "ca.cnf"), "w", encoding="ascii") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\ndefault_md=sha256\ncertificate=%s\nprivate_key=%s\n"
                    "default_crl_days=7\n" % (directory, self.cert, self.key))

    def issue(self, name, subject, san="", key="ec", usage="clientAuth"):
        """NAME.crt, NAME.key and NAME.pem (both) in the authority's directory; the path of the last."""
        base = os.path.join(self.dir, name)
        self.serial += 1
        kind = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
                "ed25519": ["-newkey", "ed25519"], "rsa": ["-newkey", "rsa:2048"]}[key]
        openssl("req", "-new", *kind, "-nodes", "-subj", subject, "-keyout", base + ".key", "-out", base + ".csr", "-utf8")
        with open(base + ".ext", "w", encoding="ascii") as f:
            f.write("extendedKeyUsage=%s\n" % usage + ("subjectAltName=%s\n" % san if san else ""))
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.key, "-days", 20,
                "-set_serial", self.serial, "-extfile", base + ".ext", "-out", base + ".crt")
        return write(base + ".pem", base + ".crt", base + ".key")

    def server(self, name):
        return self.issue(name, "/CN=" + name, "IP:" + name if name[0].isdigit() else "DNS:" + name, usage="serverAuth")

    def crl(self, *revoked):
        """A list of the certificates of these names; its path."""
        path = os.path.join(self.dir, "crl.pem")
        for name in revoked:
            openssl("ca", "-config", os.path.join(self.dir, "ca.cnf"), "-revoke", os.path.join(self.dir, name + ".crt"))
        openssl("ca", "-config", os.path.join(self.dir, "ca.cnf"), "-gencrl", "-out", path + ".part")
        os.rename(path + ".part", path)
        return path
