"""The other settings of a Django project, beside those that a page shows."""

from django.core.wsgi import get_wsgi_application
from settings import *  # noqa: F403 - usual in settings modules

SECRET_KEY = "of a test"
ROOT_URLCONF = "project"
INSTALLED_APPS = [
    # The middleware of a new project needs these.
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "passthrough_auth.frameworks.django",
]
urlpatterns = []


def __getattr__(name):
    if name == "application":
        return get_wsgi_application()
    raise AttributeError(name)
