"""A scripted shop, app and SeQura on real origins, for tests of the storefront script alone.

The shop's page is the demo shop's own checkout page; the storefront API, our app and SeQura are a
few lines each, so that a test can say exactly what they answer, and when they do not.
"""

import json
import re
import threading
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha384
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Frame, Page, Route

from payments.storefront import _texts_in

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "staticfiles" / "storefront"  # as shipped
SCRIPT = "sequra-checkout.js"
SEQURA_POPUP = ROOT / "sandbox" / "sequra" / "assets" / "sequra-checkout.min.js"
SHOP_FILES = ROOT / "sandbox" / "shop" / "static" / "shop"
STORE = "7b2f6c1e-2a5b-4a0e-9d11-3f8f6f0f5a01"
CHECKOUT = "b6fbd994-61a8-4f25-9167-6ec10489c448"
TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "woff2": "font/woff2"}
ICON = '<svg viewBox="0 0 10 10"><circle cx="5" cy="5" r="5" fill="#00c2a3"/></svg>'

PP3: dict[str, Any] = {
    "product": "pp3", "campaign": None, "title": "Paga Fraccionado",
    "cost_description": "desde 18,48 €/mes", "description": "Elige en cuántas cuotas pagar.",
    "icon": ICON, "category": "part_payment",
}  # fmt: skip
SP1: dict[str, Any] = {
    "product": "sp1", "campaign": "permanente", "title": "Divide en 3",
    "cost_description": "sin coste", "description": "Tres pagos iguales.",
    "icon": "", "category": "part_payment",
}  # fmt: skip
I1: dict[str, Any] = {
    "product": "i1", "campaign": None, "title": "Recibe tu compra antes de pagar",
    "cost_description": "sin coste adicional", "description": "Paga siete días después del envío.",
    "icon": ICON, "category": "pay_later",
}  # fmt: skip

RUN_TIMERS = """async (ms) => {
  await new Promise((done) => setTimeout(done, ms));
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await frame();
  await frame();
}"""
ASK = """async (url) => {
  const headers = { "Content-Type": "application/json" };
  await fetch(url, { method: "POST", headers, body: "{}" }).catch(() => {});
}"""

SEQURA_FORM = """
(() => {
  const frame = document.getElementById(window.SequraFormElement);
  let closed = () => {};
  const instance = {
    show() { frame.style.display = "block"; },
    setCloseCallback(callback) { closed = callback; },
    defaultCloseCallback() { frame.style.display = "none"; },
  };
  window.SequraFormInstance = instance;
  window.addEventListener("message", (event) => {
    if (event.data === "close") closed();
    if (event.data === "vanish") frame.remove();
  });
})();
"""


@dataclass
class Answer:
    """What a scripted system says: status 0 is a connection that ends without a word."""

    status: int = 200
    body: Any = None
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str) and self.kind != "application/json":
            return self.body.encode()
        return b"" if self.status == 204 else json.dumps(self.body).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def answer_request(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        answer = self.server.world.answer(
            self.headers["Host"], self.command, self.path, raw, dict(self.headers.items())
        )
        time.sleep(answer.delay)
        if answer.status == 0:
            self.close_connection = True
            return
        content = answer.content()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    # http.server calls them by these names.
    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer_request  # noqa: N815

    def log_message(self, *_args: object) -> None:
        """The world keeps its own list of calls."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, world: "World") -> None:
        self.world = world
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away while we answered."""


@dataclass
class Call:
    system: str
    method: str
    path: str
    body: Any
    headers: dict[str, str]


def run_timers(page: Page | Frame, ms: int) -> None:
    """Run all that the page scheduled for the next `ms`, and draw two frames.

    One page's timers run in the order of their times: behind one that is set now and due later than
    the script's, the script's have run, however slow the machine is.
    """
    page.evaluate(RUN_TIMERS, ms)


@contextmanager
def held(page: Page, address: str) -> Iterator[Callable[[], None]]:
    """Hold the requests to an address until the function that this yields is called.

    That function waits for the first of them: the page may be slower than the test.
    """
    waiting: list[Route] = []
    released: list[bool] = []

    def hold(route: Route) -> None:
        route.continue_() if released else waiting.append(route)

    def release() -> None:
        deadline = time.monotonic() + 20
        while not waiting:
            assert time.monotonic() < deadline, f"the page asked for nothing at {address}"
            page.wait_for_timeout(20)
        released.append(True)
        for route in waiting:
            route.continue_()

    page.route(address, hold)
    yield release
    page.unroute(address, hold)


class World:
    """Shop, app and SeQura. Tests change its attributes and read `calls`."""

    def __init__(self) -> None:
        self.total = 110.89
        self.balance = 0.0  # store credit of the customer
        self.credit_applied = False
        self.coupon: str = ""
        self.spam = False  # the platform wants its spam check solved first
        self.version = 1
        self.currency = "EUR"
        self.methods: list[dict[str, Any]] = [PP3, SP1, I1]
        self.message = ""
        self.terms = False  # does the app know that the shop requires its terms?
        self.status: dict[str, Any] = {"status": "waiting", "redirect": None, "message": ""}
        self.form_html: str | None = None
        self.form_origins: list[str] | None = None
        self.faults: dict[str, list[Answer]] = defaultdict(list)
        self.calls: list[Call] = []
        self.script = (SCRIPTS / SCRIPT).read_bytes()
        (self.form_file,) = re.findall(r"sequra-checkout\.[0-9a-f]{12}\.js", self.script.decode())
        self.integrity = "sha384-" + b64encode(sha384(self.script).digest()).decode()
        self.script_host = "app"
        self.head = ""  # markup in the page's head
        self.extra = ""  # markup at the end of the page
        self.server = Server(self)
        self.port = self.server.server_address[1]
        self.lock = threading.Lock()
        self.info: dict[str, Any] | None = {
            "amount": 11089,
            "configuration": {
                "merchant": "mardefondo_es", "assetKey": "a1b2c3", "currency": "EUR",
                "products": ["i1", "pp3"], "locale": "es-ES", "decimalSeparator": ",",
                "thousandSeparator": ".",
                "scriptUri": f"{self.url('sequra')}/assets/sequra-checkout.min.js",
            },
        }  # fmt: skip
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    # --- What tests use --------------------------------------------------------------------------

    def url(self, system: str) -> str:
        return f"http://{system}.localhost:{self.port}"

    def called(self, system: str, ending: str, method: str = "POST") -> list[Any]:
        """Bodies of the calls whose path ends so."""
        with self.lock:
            return [
                call.body
                for call in self.calls
                if call.system == system and call.method == method and call.path.endswith(ending)
            ]

    def wait_called(
        self, page: Page, system: str, ending: str, times: int = 1, method: str = "POST"
    ) -> None:
        """Wait until the page has made this call so many times: a page shows first, then reports.

        Raises an AssertionError with what was called instead.
        """
        for _ in range(600):
            if len(self.called(system, ending, method)) >= times:
                return
            page.wait_for_timeout(50)  # looked at again and again: the calls arrive in this process
        raise AssertionError([(call.system, call.path) for call in self.calls])

    def settle(self, page: Page | Frame, ms: int) -> None:
        """Run the page's timers of the next `ms`; then what they sent has arrived here."""
        run_timers(page, ms)
        page.evaluate(ASK, f"{self.url('app')}/storefront/{STORE}/settled")
        run_timers(page, 0)  # what the answers led to

    def fail(self, ending: str, *answers: Answer) -> None:
        """The next answers of the address that ends so; the last one is given for ever."""
        self.faults[ending] = list(answers)

    @property
    def outstanding(self) -> float:
        used = min(self.balance, self.total) if self.credit_applied else 0
        return round(self.total - used, 2)

    # --- Answering -------------------------------------------------------------------------------

    def answer(
        self, host: str, method: str, target: str, raw: bytes, headers: dict[str, str]
    ) -> Answer:
        system = host.partition(".")[0]
        url = urlsplit(target)
        body = json.loads(raw) if raw else None
        if method != "OPTIONS":
            with self.lock:
                self.calls.append(Call(system, method, url.path, body, headers))
        if system == "shop":
            query = parse_qs(url.query, keep_blank_values=True)
            return self.fault(url.path) or self.shop(method, url.path, query, body)
        if system == "app":
            return self.app(method, url.path)
        return self.sequra(url.path) if system == "sequra" else Answer(404)

    def fault(self, path: str) -> Answer | None:
        for ending, answers in self.faults.items():
            if path.endswith(ending) and answers:
                return answers.pop(0) if len(answers) > 1 else answers[0]
        return None

    def shop(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        if path.startswith("/static/shop/"):
            return self.file(SHOP_FILES / path.removeprefix("/static/shop/"))
        if path.startswith("/api/storefront/"):
            carts = path.endswith("/carts")
            return Answer(body=[{"id": CHECKOUT}]) if carts else self.checkout(method, path, body)
        if path.endswith("/order"):
            return Answer(204)
        if path == "/favicon.ico":
            return Answer(404)
        if "order-confirmation" in path:
            page = "<!doctype html><title>Thank you</title>"
            return Answer(body=page, kind="text/html; charset=utf-8")
        return self.page(query)

    def checkout(self, method: str, path: str, body: Any) -> Answer:
        if path.endswith("/store-credit"):
            self.credit_applied = method == "POST"
            self.version += 1
        elif path.endswith("/spam-protection"):
            self.spam = False
        elif path.endswith("/coupons"):
            self.coupon = body["couponCode"]
            self.total = round(self.total - 10, 2)
            self.version += 1
        return Answer(body=self.checkout_document())

    def checkout_document(self) -> dict[str, Any]:
        address = {
            "firstName": "Lucía", "lastName": "Fernández", "email": "lucia@example.com",
            "address1": "Carrer de Mallorca 401", "city": "Barcelona", "postalCode": "08013",
            "countryCode": "ES", "country": "Spain", "phone": "+34 600 123 456",
        }  # fmt: skip
        item = {
            "id": "line-1", "name": "Lamp Montseny", "quantity": 1, "imageUrl": "",
            "extendedSalePrice": 105.94,
        }  # fmt: skip
        option = {"id": "standard", "description": "Standard delivery", "cost": 4.95}
        coupons = [{"code": self.coupon, "discountedAmount": 10}] if self.coupon else []
        return {
            "id": CHECKOUT, "version": self.version, "grandTotal": self.total,
            "outstandingBalance": self.outstanding,
            "isStoreCreditApplied": self.credit_applied or not self.balance,  # true for guests
            "customer": {
                "isGuest": not self.balance, "email": "lucia@example.com",
                "storeCredit": self.balance,
            },
            "cart": {
                "id": CHECKOUT, "email": "lucia@example.com", "discountAmount": 0,
                "currency": {"code": self.currency},
                "lineItems": {"physicalItems": [item], "digitalItems": [], "customItems": []},
            },
            "billingAddress": address,
            "consignments": [{
                "id": "c1", "address": address, "selectedShippingOption": option,
                "availableShippingOptions": [option, option | {"id": "express", "cost": 9.95}],
            }],
            "subtotal": 105.94, "shippingCostTotal": 4.95, "handlingCostTotal": 0, "taxTotal": 19,
            "shouldExecuteSpamCheck": self.spam, "coupons": coupons,
            "fees": [], "giftCertificates": [],
        }  # fmt: skip

    def page(self, query: dict[str, list[str]]) -> Answer:
        language = query.get("lang", ["es"])[0]
        strict = query.get("csp") == ["strict"]
        self.spam = "spam" in query
        nonce = ' nonce="n0nce"' if strict else ""
        knobs = "".join(f' data-{name}="1"' for name in ("terms", "spam") if name in query)
        source = f"{self.url(self.script_host)}/static/storefront/{SCRIPT}?store={STORE}"
        html = (
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
            '<base href="/" target="_top"><title>Checkout</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="stylesheet" href="/static/shop/shop.css">{self.head}</head>'
            '<body class="checkout-page"><main><h1 class="is-srOnly">Checkout</h1>'
            f'<div id="checkout-app" data-locale="{language}" '
            f'data-checkout-id="{CHECKOUT}"{knobs}></div></main>'
            f'<script src="/static/shop/checkout.js"{nonce}></script>'
            f'<script src="{source}" integrity="{self.integrity}" crossorigin="anonymous"{nonce}>'
            f"</script>{self.extra}</body></html>"
        )
        headers = {}
        if strict:
            headers["Content-Security-Policy"] = (
                "default-src 'none'; script-src 'nonce-n0nce'; style-src 'self'; font-src 'self'; "
                f"img-src 'self' data:; connect-src 'self' {self.url('app')}; base-uri 'self'; "
                f"frame-src {self.url('sequra')}"
            )
        return Answer(body=html, kind="text/html; charset=utf-8", headers=headers)

    def app(self, method: str, path: str) -> Answer:
        preflight = method == "OPTIONS"
        answer = (not preflight and self.fault(path)) or self.app_answer(method, path)
        allowed = "*" if path.startswith("/static/") else self.url("shop")
        answer.headers = {
            "Access-Control-Allow-Origin": allowed, "Access-Control-Allow-Headers": "content-type",
            "Access-Control-Allow-Methods": "POST, GET, OPTIONS", "Vary": "Origin",
        } | answer.headers  # fmt: skip
        return answer

    def app_answer(self, method: str, path: str) -> Answer:
        if method == "OPTIONS":
            return Answer(204)
        if path.startswith("/static/storefront/"):
            name = path.rpartition("/")[2]
            script = self.script if name == SCRIPT else (SCRIPTS / name).read_bytes()
            return Answer(body=script, kind="text/javascript")
        base = f"/storefront/{STORE}/"
        if path == f"{base}payment-methods":
            asked = self.called("app", "payment-methods")
            solicitation = f"solicitation-{len(asked)}"
            methods = self.methods
            found = solicitation if methods else None
            answer = {"solicitation": found, "methods": methods, "reasons": [],
                      "message": self.message, "info": self.info,
                      "terms": self.terms,
                      "texts": _texts_in(asked[-1]["locale"])}  # fmt: skip
            return Answer(body=answer)
        if path == f"{base}form":
            return Answer(body=self.form(base))
        if path.startswith(f"{base}solicitations/"):
            return Answer(body=self.status)
        return Answer(204 if path == f"{base}errors" else 404)

    def form(self, base: str) -> dict[str, Any]:
        opened = self.called("app", "form")
        product, number = opened[-1]["product"], len(opened)
        frame = f"sq-identification-{product}"
        html = self.form_html or (
            f"<iframe id='{frame}' name='{frame}' class='sq-identification-iframe' "
            f"src='{self.url('sequra')}/orders/form' frameborder='0' style='display:none;"
            "position:fixed;top:0;left:0;width:100%;height:100%;z-index:999999;'></iframe>"
            f"<script type='text/javascript'>window.SequraFormElement = '{frame}';</script>"
            f"<script src='{self.url('sequra')}/assets/sequra_form-1.js'></script>"
        )
        return {
            "html": html,
            "origins": self.form_origins or [self.url("sequra")],
            "status_url": f"{self.url('app')}{base}solicitations/s{number}",
            "return_url": f"{self.url('app')}/return/s1",
        }

    def sequra(self, path: str) -> Answer:
        fault = self.fault(path)
        if fault:
            return fault
        if path.endswith("/sequra-checkout.min.js"):
            return Answer(body=SEQURA_POPUP.read_bytes(), kind="text/javascript")
        if path.startswith("/assets/"):
            return Answer(body=SEQURA_FORM, kind="text/javascript")
        page = (
            "<!doctype html><title>SeQura</title><body style='background:#fff'>"
            f"<h1>{path.rpartition('/')[2]}</h1>"
            "<button id='close' onclick=\"parent.postMessage('close', '*')\">Close</button>"
        )
        return Answer(body=page, kind="text/html; charset=utf-8")

    def file(self, path: Path) -> Answer:
        kind = TYPES[path.suffix.removeprefix(".")]
        return Answer(body=path.read_bytes(), kind=kind)


OURS = "li.sequra-item"


BUTTON = "#sequra-continue"


NATIVE_BUTTON = "#checkout-payment-continue"


def choose(page: Page, method: dict[str, Any] = PP3) -> None:
    page.get_by_label(method["title"]).check()
