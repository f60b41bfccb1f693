"""The WSGI application that granian or gunicorn serves."""

import os

from sequra_bc.shared_counters import share

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sequra_bc.settings")
share()

# What counts requests comes after `share`.
from django.core.signals import request_finished  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

_django = get_wsgi_application()

from sequra_bc.bulkheads import Bulkheads, Keeper  # noqa: E402 (imports models)
from sequra_bc.intake import Intake  # noqa: E402 (imports models)

_keeper = Keeper()
request_finished.connect(_keeper.after_request, weak=False)
application = Bulkheads(Intake(_django))
