"""A tiny registry in this process: what the distribution specification asks of one, and tricks."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from kubesim.wire.image import sha256_digest

BASIC = "Basic " + base64.b64encode(b"ada:secret").decode()


@dataclass
class TinyRegistry:
    """What it stores, what it was asked, and how it behaves.

    Attributes:
        auth: ``none``, ``basic`` or ``bearer``.
        lies: Blobs and manifests come back with a byte changed.
        elsewhere: Where blobs are redirected to.
    """

    port: int = 0
    auth: str = "none"
    lies: bool = False
    elsewhere: str = ""
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"localhost:{self.port}"


@contextmanager
def serving() -> Iterator[TinyRegistry]:
    """A registry that listens on a port of this machine."""
    registry = TinyRegistry()

    class Handler(_Handler):
        state = registry

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: TinyRegistry
    protocol_version = "HTTP/1.0"

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.state.asked.append(f"{self.command} {url.path}")
        self.state.authorizations.append(self.headers.get("Authorization"))
        if url.path == "/token":
            self._token(parse_qs(url.query))
        elif self._let_in():
            self._route(url.path, parse_qs(url.query), body)

    def _token(self, query: dict[str, list[str]]) -> None:
        if self.headers.get("Authorization") != BASIC:
            self._reply(401, error="UNAUTHORIZED")
            return
        assert ["tiny"] == query["service"]
        self._reply(200, json.dumps({"token": "|".join(query["scope"])}).encode())

    def _let_in(self) -> bool:
        given = self.headers.get("Authorization") or ""
        if self.state.auth == "none" or (self.state.auth == "basic" and given == BASIC):
            return True
        if self.state.auth == "bearer" and given.startswith("Bearer repository:"):
            return True
        challenge = 'Basic realm="tiny"'
        if self.state.auth == "bearer":
            realm = f"http://{self.state.host}/token"
            challenge = (
                f'Bearer realm="{realm}",service="tiny",scope="repository:team/app:pull,push"'
            )
        self._reply(401, error="UNAUTHORIZED", headers={"WWW-Authenticate": challenge})
        return False

    def _route(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        match = re.fullmatch(r"/v2/(.+)/(blobs|manifests)/(uploads/[^/]*|[^/]+)", path)
        assert match is not None, path
        name, kind, rest = match.groups()
        if rest.startswith("uploads/"):
            self._upload(name, query, body)
        elif kind == "blobs":
            self._blob(name, rest)
        elif self.command == "PUT":
            digest = sha256_digest(body)
            for key in (rest, digest):
                self.state.manifests[name, key] = (self.headers["Content-Type"], body)
            self._reply(201, headers={"Docker-Content-Digest": digest})
        elif (name, rest) in self.state.manifests:
            media_type, raw = self.state.manifests[name, rest]
            self._reply(200, self._twisted(raw), headers={"Content-Type": media_type})
        else:
            self._reply(404, error="MANIFEST_UNKNOWN")

    def _blob(self, name: str, digest: str) -> None:
        content = self.state.blobs.get((name, digest))
        if content is None:
            self._reply(404, error="BLOB_UNKNOWN")
        elif self.state.elsewhere and self.command == "GET":
            where = f"{self.state.elsewhere}/v2/{name}/blobs/{digest}"
            self._reply(307, headers={"Location": where})
        else:
            self._reply(200, self._twisted(content))

    def _twisted(self, content: bytes) -> bytes:
        return content.replace(b"a", b"b") if self.state.lies else content

    def _upload(self, name: str, query: dict[str, list[str]], body: bytes) -> None:
        if self.command == "PUT":
            digest = query["digest"][0]
            assert sha256_digest(body) == digest
            assert ["7"] == query["state"]
            self.state.blobs[name, digest] = body
            self._reply(201)
            return
        mount = query.get("mount", [""])[0]
        source = self.state.blobs.get((query.get("from", [""])[0], mount))
        if source is not None:
            self.state.blobs[name, mount] = source
            self._reply(201)
        else:
            self._reply(202, headers={"Location": f"/v2/{name}/blobs/uploads/1?state=7"})

    def _reply(
        self,
        status: int,
        body: bytes = b"",
        *,
        error: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        if error:
            body = json.dumps({"errors": [{"code": error, "message": "no"}]}).encode()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
