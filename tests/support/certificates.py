"""Throw-away certificates for tests, made with the openssl command."""
import subprocess

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder, name):
    """A certificate authority: (key, certificate) paths."""
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    openssl("req", "-x509", *CURVE, "-days", "30", "-subj", f"/CN={name}", "-keyout", key, "-out", cert)
    return key, cert


def signed(folder, name, ca, subject="localhost"):
    """A certificate of that authority for localhost: (key, certificate) paths."""
    key, asked, cert, extra = (folder / f"{name}.{end}" for end in ("key", "csr", "crt", "ext"))
    extra.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("req", *CURVE, "-subj", f"/CN={subject}", "-keyout", key, "-out", asked)
    openssl("x509", "-req", "-in", asked, "-CA", ca[1], "-CAkey", ca[0], "-CAcreateserial", "-days", "30", "-extfile", extra, "-out", cert)
    return key, cert
