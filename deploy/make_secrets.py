"""Make what an installation of several machines needs and nobody else may know: certificates, passwords.

`python deploy/make_secrets.py FOLDER [NAME ...]` writes into FOLDER, for its owner only: `ca.pem`; for each
NAME its `NAME.pem` (key and chain in one, as Kafka wants it), `NAME.crt` and `NAME.key`; the passwords,
a file each; and `crosstown.env` and others, which tell the programs. Without names: those of
deploy/compose.yaml. A name may say more names of the same host: `kafka-1=kafka-1.example.org,10.0.0.7`.

What is there already is kept, so that a name can be added later; a certificate is made anew when its
file is removed first. The authority's key (`ca.key`) is needed for that only: keep it elsewhere.
Needs `cryptography`, which Crosstown brings.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import ipaddress
import json
import os
import re
import secrets
import sys
import uuid
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES: Final = ("kafka-1", "kafka-2", "kafka-3", "registry", "gateway", "postgres")
DAYS: Final = 397
"""How long a certificate holds; the authority's own ten times as long."""
PASSWORDS: Final = ("operator", "registry", "postgres", "grafana", "erasure", "audit", "pseudonym")
"""Files `NAME.secret`: 64 hex digits each; the last three are keys that must never change."""


def write(file: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file there, whole or not at all, readable by its owner only from its first byte on."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


def builder(name: str, days: int, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """The beginning of a certificate for `name`, good from a minute ago."""
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(days=days))
    )


def uses(*, signs: bool) -> x509.KeyUsage:
    """What a key is for: an authority's signs certificates, a host's proves who it is."""
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as Kafka, OpenSSL and Python read it: PKCS 8 without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def authority_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """The authority's key, made at the first call."""
    if not file.exists():
        write(file, pem(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{file} isn't of this script's making")
    return key


def authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The installation's own authority, made at the first call; a key that was left alone is taken."""
    cert_file, key_file = folder / "ca.pem", folder / "ca.key"
    if cert_file.exists():
        if not key_file.exists():
            raise SystemExit(
                f"{key_file} is elsewhere: put it there for as long as certificates are made"
            )
        return x509.load_pem_x509_certificate(cert_file.read_bytes()), authority_key(key_file)
    key = authority_key(key_file)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Crosstown")])
    cert = (
        builder("Crosstown", 10 * DAYS, key.public_key())
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(uses(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write(cert_file, cert.public_bytes(serialization.Encoding.PEM), 0o644)
    return cert, key


def alternative(name: str) -> x509.GeneralName:
    """A host's name or address, as a certificate says it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def certificate(folder: Path, said: str) -> None:
    """A host's certificate and key: for servers, and for Kafka's controllers as clients of each other."""
    name, _, more = said.partition("=")
    if (folder / f"{name}.pem").exists():
        return
    ca, ca_key = authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    names = dict.fromkeys((name, "localhost", "127.0.0.1", *filter(None, more.split(","))))
    roles = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    cert = (
        builder(name, DAYS, key.public_key())
        .issuer_name(ca.subject)
        .add_extension(x509.SubjectAlternativeName(map(alternative, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(uses(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(roles), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    chain = cert.public_bytes(serialization.Encoding.PEM)
    for ending, data in (("key", pem(key)), ("crt", chain), ("pem", pem(key) + chain)):
        write(folder / f"{name}.{ending}", data)


def said(folder: Path, name: str) -> str:
    """A password that was made before; ends the script where it isn't whole."""
    file = folder / f"{name}.secret"
    found = file.read_bytes().decode("ascii", "replace")
    if not re.fullmatch("[0-9a-f]{64}", found):
        raise SystemExit(
            f"{file} doesn't hold 64 hex digits alone: a full disk may have cut it short. Put back a copy of"
            " it, or remove it where nothing uses it yet, and call this again"
        )
    return found


def environment(folder: Path) -> str:
    """What every program is told that is secret, a setting a line, as Docker and systemd read it."""
    kafka = {
        "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "crosstown", "sasl.password": said(folder, "operator"),
        "ssl.ca.location": "/run/crosstown/ca.pem",
    }  # fmt: skip
    database = f"postgresql://crosstown:{said(folder, 'postgres')}@postgres/crosstown"
    database += "?sslmode=verify-full&sslrootcert=/run/crosstown/ca.pem"
    return "".join(
        f"{name}={value}\n"
        for name, value in (
            ("CROSSTOWN_KAFKA", json.dumps(kafka)),
            ("CROSSTOWN_REGISTRY_PASSWORD", said(folder, "registry")),
            ("CROSSTOWN_CASEBOOK", database),
            ("CROSSTOWN_ERASURE_KEY", said(folder, "erasure")),
            ("CROSSTOWN_AUDIT_KEY", said(folder, "audit")),
            ("CROSSTOWN_PSEUDONYM_KEY", said(folder, "pseudonym")),
        )
    )


def main() -> int:
    """Make what isn't there yet; say what was made."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    given = parser.parse_args()
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = set(folder.iterdir())
    for name in given.names:
        certificate(folder, name)
    for name in PASSWORDS:
        if not (folder / f"{name}.secret").exists():
            write(folder / f"{name}.secret", secrets.token_hex(32).encode())
    if not (folder / "cluster.id").exists():
        write(folder / "cluster.id", base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22])
    for name, text in (
        ("crosstown", environment(folder)),
        ("postgres", f"POSTGRES_PASSWORD={said(folder, 'postgres')}\n"),
        ("grafana", f"GF_SECURITY_ADMIN_PASSWORD={said(folder, 'grafana')}\n"),
    ):
        write(folder / f"{name}.env", text.encode())
    for file in sorted(set(folder.iterdir()) - before):
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
