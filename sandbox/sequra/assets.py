"""Scripts and styles on SeQura's assets address, by name, for any origin."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse

FOLDER = Path(__file__).resolve().parent / "assets"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
FORM_SCRIPT = "sequra_form.js"


@cache
def published() -> dict[str, Path]:
    """Every asset by its public name; the form script's holds a hash of its content."""
    names = {path.name: path for path in FOLDER.iterdir()}
    script = names[FORM_SCRIPT]
    names[f"sequra_form-{sha256(script.read_bytes()).hexdigest()}.js"] = script
    return names


def form_script_name() -> str:
    return next(name for name in published() if name.startswith("sequra_form-"))


def asset(_request: HttpRequest, name: str) -> HttpResponse:
    """GET /assets/{name}."""
    path = published().get(name)
    if path is None:
        raise Http404
    answer = HttpResponse(path.read_bytes(), TYPES[path.suffix])
    answer["Access-Control-Allow-Origin"] = "*"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
