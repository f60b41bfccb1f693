"""The gate every request passes before Django: it logs API calls and applies faults."""

import io
import threading
import time

from sandbox import calls, faults
from sandbox.server import Answer, Environ, HangUp, Respond


def gate(respond: Respond) -> Respond:
    """`respond` with the log and the faults in front of it."""

    def through(environ: Environ) -> Answer:
        if environ["PATH_INFO"].startswith("/_control/"):
            return respond(environ)
        body = environ["wsgi.input"].read()
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
