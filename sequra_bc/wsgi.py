"""The WSGI application that granian or gunicorn serves."""

import os

from sequra_bc.shared_counters import share

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sequra_bc.settings")
share()

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
