"""Pure arithmetic: hypothesis may take its time on a busy machine."""

import os

from hypothesis import settings

settings.register_profile("payloads", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("quick" if os.environ.get("QUICK") == "1" else "payloads")
