"""A small OpenID Connect provider for tests: everybody it is asked for is who the test says.

python provider.py PORT EMAIL
"""

import json
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "studio"


def serve(port, email):
    """Answer until killed."""
    key, base, nonces = (
        RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"}),
        f"http://127.0.0.1:{port}",
        {},
    )

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = {name: found[0] for name, found in parse_qs(urlsplit(self.path).query).items()}
            if self.path.startswith("/authorize"):
                nonces["code"] = asked["nonce"]
                self.send_response(302)
                back = urlencode({"code": "code", "state": asked["state"]})
                self.send_header("Location", f"{asked['redirect_uri']}?{back}")
                self.end_headers()
            elif self.path == "/keys":
                self.tell({"keys": [key.as_dict(private=False)]})
            else:
                names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                self.tell({"issuer": base} | {name: f"{base}/{path}" for name, path in names.items()})

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            now = int(time.time())
            claims = {
                "iss": base,
                "aud": CLIENT,
                "sub": "1",
                "iat": now,
                "exp": now + 600,
                "nonce": nonces["code"],
            }
            token = jwt.encode(
                {"alg": "RS256", "kid": "1"}, claims | {"email": email, "email_verified": True}, key
            )
            self.tell({"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": token})

        def tell(self, what):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(what).encode())

        def log_message(self, *_):
            pass

    with suppress(KeyboardInterrupt):
        ThreadingHTTPServer(("127.0.0.1", port), Provider).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
