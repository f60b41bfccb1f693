"""Pure arithmetic: hypothesis may take its time on a busy machine."""

from hypothesis import settings

settings.register_profile("payloads", deadline=None)
settings.load_profile("payloads")
