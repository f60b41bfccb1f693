"""The settings as the type checker loads them: with development's environment."""

import os

from local.settings import DEVELOPMENT

os.environ.update(DEVELOPMENT)

from sequra_bc.settings import *  # noqa: E402, F403
