"""The settings as the type checker loads them: with development's environment."""

import os

from local.settings import DEVELOPMENT

os.environ.update(DEVELOPMENT)

# django-stubs reads the settings in this module.
from sequra_bc.settings import *  # noqa: F403

# The sandbox has settings of its own; one type checker looks at both.
INSTALLED_APPS = [*INSTALLED_APPS, "sandbox.bigcommerce", "sandbox.sequra"]  # noqa: F405
