"""What a Django project has beside the settings that a page shows."""

from django.core.wsgi import get_wsgi_application
from settings import *  # noqa: F403 - as settings modules are built on others

SECRET_KEY = "of a test"
ROOT_URLCONF = "project"
INSTALLED_APPS = [
    # What the middleware of a new project needs.
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
