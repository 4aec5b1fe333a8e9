"""A real registry of images (Debian's `docker-registry`), plain, behind TLS with a login, or with tokens of a server.

Needs no root; belongs to the tests of containers all the same, which bring the package.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import load_pem_x509_certificate
from dxf import DXF

from tests.support.container_lab import PACKAGES, _answers
from tests.support.images import MadeImage
from tests.support.lacking import left_out
from tests.support.patience import until
from tests.support.process_sites import free_port

USER, PASSWORD = "fleet", "only for this test"
HASHED = "fleet:$2b$05$abcdefghijklmnopqrstuubyNe9wMd5jVXU5IcsF4WSt4zL9IRFXS\n"
"""The same as htpasswd has it."""

CONFIG = """
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {root}/images}}}}
http: {{addr: "{address}"{tls}}}
{auth}
"""
BASIC = "auth: {{htpasswd: {{realm: lab, path: {root}/htpasswd}}}}"
TOKEN = "auth: {{token: {{realm: {realm}, service: lab, issuer: lab, rootcertbundle: {root}/ca.pem}}}}"


@dataclass
class ImageRegistry:
    """A running one, and what its clients must know."""

    host: str
    root: Path
    ca: Path | None = None
    logins: Path | None = None
    given: list[str] = field(default_factory=list)
    """For what tokens were given."""

    def push(self, name: str, made: MadeImage) -> str:
        """Bring an image there; its name with its digest."""
        log_in = partial(_log_in, known=self.logins is not None)
        verify = str(self.ca) if self.ca else False
        with DXF(self.host, name, log_in, insecure=self.ca is None, tlsverify=verify) as repository:
            self._push(repository, made)
        return f"{self.host}/{name}@sha256:{made.sha256}"

    def tag(self, name: str, made: MadeImage, tag: str) -> None:
        """Give an image that was pushed a name beside its digest."""
        with DXF(self.host, name, insecure=True) as repository:
            headers = {"Content-Type": made.media_type}
            repository._request("put", f"manifests/{tag}", data=made.manifest, headers=headers)

    def forget(self, sha256: str) -> None:
        """Lose a blob: who asks for it is answered with 404."""
        blobs = self.root / "images/docker/registry/v2/blobs/sha256"
        (blobs / sha256[:2] / sha256 / "data").unlink()

    def _push(self, repository: DXF, made: MadeImage) -> None:
        for one in made.others:
            self._push(repository, one)
        for digest, content in made.blobs.items():
            repository.push_blob(data=io.BytesIO(content), digest=f"sha256:{digest}", check_exists=False)
        headers = {"Content-Type": made.media_type}
        repository._request("put", f"manifests/sha256:{made.sha256}", data=made.manifest, headers=headers)


def _log_in(dxf: DXF, response: object, *, known: bool) -> None:
    who = (USER, PASSWORD) if known else (None, None)
    dxf.authenticate(*who, actions=["pull", "push"], response=response)


@contextmanager
def image_registry(root: Path, *, login: bool = False, tokens: bool = False) -> Iterator[ImageRegistry]:
    """Start it in this folder; it ends with the block. With a login or with tokens it speaks TLS."""
    if not shutil.which("docker-registry"):
        left_out(f"a registry of images is needed: .ci/packages {' '.join(PACKAGES)}")
    host = f"localhost:{free_port()}" if login or tokens else f"127.0.0.1:{free_port()}"
    made, words = ImageRegistry(host, root), {"root": root, "address": host, "tls": "", "auth": ""}
    with ExitStack() as stack:
        if login or tokens:
            authority = trustme.CA()
            made.ca, made.logins = root / "ca.pem", _write_login(root, host) if login else None
            authority.cert_pem.write_to_path(str(made.ca))
            authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(root / "tls.pem"))
            words["tls"] = f", tls: {{certificate: {root}/tls.pem, key: {root}/tls.pem}}"
            words["auth"] = BASIC.format(root=root)
        if tokens:
            realm = stack.enter_context(_token_server(made, authority))
            words["auth"] = TOKEN.format(root=root, realm=realm)
        stack.enter_context(_running(root, host, CONFIG.format(**words)))
        yield made


@contextmanager
def _running(root: Path, host: str, config: str) -> Iterator[None]:
    (root / "registry.yml").write_text(config)
    with (root / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(root / "registry.yml")], stdout=log, stderr=log)
    try:
        address, _, port = host.partition(":")
        until(lambda: _answers(address, int(port)))
        yield
    finally:
        process.kill()
        process.wait()


def _write_login(root: Path, host: str) -> Path:
    (root / "htpasswd").write_text(HASHED)
    known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (root / "config.json").write_text(json.dumps({"auths": {host: {"auth": known}}}))
    return root / "config.json"


@contextmanager
def _token_server(made: ImageRegistry, authority: trustme.CA) -> Iterator[str]:
    """Gives anybody a token that lets them do what they ask for; its address."""
    signer = authority.issue_cert("token.lab")
    server = ThreadingHTTPServer(("localhost", 0), partial(TokenGiver, made, signer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.root / "tls.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}/token"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TokenGiver(BaseHTTPRequestHandler):
    """As the registry's specification of tokens says."""

    def __init__(self, made: ImageRegistry, signer: trustme.LeafCert, *rest: object) -> None:
        self.made, self.signer = made, signer
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
        self.made.given += scopes
        body = json.dumps({"token": self._token(scopes)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _token(self, scopes: list[str]) -> str:
        now = int(time.time())
        parts = [scope.split(":") for scope in scopes]
        access = [{"type": kind, "name": name, "actions": actions.split(",")} for kind, name, actions in parts]
        times = {"exp": now + 60, "nbf": now - 60, "iat": now}
        chain = self.signer.cert_chain_pems[0].bytes()
        der = load_pem_x509_certificate(chain).public_bytes(serialization.Encoding.DER)
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        claims = {"iss": "lab", "sub": "", "aud": "lab", "jti": str(now), **times, "access": access}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        return f"{signed}.{_base64url(self._sign(signed.encode()))}"

    def _sign(self, text: bytes) -> bytes:
        key = serialization.load_pem_private_key(self.signer.private_key_pem.bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        return b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(key.sign(text, ECDSA(hashes.SHA256()))))

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
