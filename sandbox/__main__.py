"""`python -m sandbox --port 8100`: serve the pretend BigCommerce and the pretend SeQura."""

import argparse
import contextlib
import os
import signal
import sys
import threading
import time


def die_with_parent() -> None:
    """With SANDBOX_PARENT set, end when the process that started this one has gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("SANDBOX_PORT", "8100")))
    parser.add_argument("--host", default="127.0.0.1", help="whoever reaches it controls it")
    parser.add_argument("--tables", action="store_true", help="make the tables, and end")
    arguments = parser.parse_args()
    port = arguments.port
    os.environ["SANDBOX_PORT"] = str(port)
    os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"
    if os.environ.get("SANDBOX_PARENT"):
        die_with_parent()

    from django.core.wsgi import get_wsgi_application

    from sandbox import database
    from sandbox.gate import gate
    from sandbox.server import Server, pooled

    database.create()
    application = get_wsgi_application()
    database.synchronise()
    if arguments.tables:
        return
    if database.is_empty():
        from sandbox.control import seed

        seed()
    server = Server(arguments.host, port, gate(pooled(application)))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"sandbox: http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
