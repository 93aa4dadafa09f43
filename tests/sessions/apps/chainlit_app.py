"""Chainlit, mounted in FastAPI."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("CHAINLIT_APP_ROOT", tempfile.mkdtemp())  # read on import

from chainlit.utils import mount_chainlit
from fastapi import FastAPI
from who import OPTIONS

from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware

app = FastAPI()
mount_chainlit(app=app, target=str(Path(__file__).with_name("chainlit_chat.py")), path="/chat")
app.add_middleware(FastAPIPassthroughAuthMiddleware, **OPTIONS)
