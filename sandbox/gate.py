"""The gate every request passes before Django: it logs API calls and applies faults.

What is meant for a second store (`settings.NEIGHBOUR_HASH`) goes on to that store's process, which
logs it and applies faults of its own.
"""

import io
import threading
import time

from sandbox import calls, faults, settings
from sandbox.calling import session
from sandbox.server import Answer, Environ, HangUp, Respond


def gate(respond: Respond) -> Respond:
    """`respond` with the log and the faults in front of it."""

    def through(environ: Environ) -> Answer:
        if environ["PATH_INFO"].startswith("/_control/"):
            return respond(environ)
        body = environ["wsgi.input"].read()
        if is_for_neighbour(environ["PATH_INFO"], body):
            return passed_on(environ, body)
        environ["wsgi.input"] = io.BytesIO(body)
        name = calls.system(environ)
        call = calls.arrived(environ, name, body) if name else {}
        start = time.monotonic()
        try:
            answer = faulty(environ, respond, call)
            call["status"] = answer.status
            return answer
        finally:
            call["ms"] = round((time.monotonic() - start) * 1000, 1)

    return through


def is_for_neighbour(path: str, body: bytes) -> bool:
    """Whether a request is about the second store; a code's exchange names it in the body alone."""
    store = settings.NEIGHBOUR_HASH
    if not store:
        return False
    return path.startswith(f"/stores/{store}/") or (
        path == "/oauth2/token" and store.encode() in body
    )


def passed_on(environ: Environ, body: bytes) -> Answer:
    """The answer of the second store's process."""
    sent = {
        name[5:].replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    } | {"Content-Type": environ["CONTENT_TYPE"]}
    reply = session().request(
        environ["REQUEST_METHOD"],
        f"http://127.0.0.1:{settings.NEIGHBOUR_PORT}{environ['RAW_PATH']}",
        params=environ["QUERY_STRING"], headers=sent, data=body, timeout=60, allow_redirects=False,
    )  # fmt: skip
    return Answer(reply.status_code, list(reply.headers.items()), reply.content)


def faulty(environ: Environ, respond: Respond, call: dict[str, object]) -> Answer:
    """The answer, or what a fault makes of it."""
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    fault = faults.take(environ["REQUEST_METHOD"], path, query)
    if fault is None:
        return respond(environ)
    call["fault"] = True
    real = respond(environ) if fault.effect == "before" else None
    time.sleep(fault.delay)
    if fault.effect == "after":
        threading.Thread(target=respond, args=(environ,), daemon=True).start()
    if fault.reset:
        raise HangUp
    if not fault.only_slow or fault.effect == "after":
        return fault.answer()
    answer = real or respond(environ)
    answer.truncated = fault.truncated
    return answer
